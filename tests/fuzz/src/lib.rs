//! One input, and what must hold for it, whatever it is: for everything that comes from outside.
//!
//! Each module has one function for each kind of input. They panic where something does not hold. The
//! fuzz targets call them with what libFuzzer makes up; tests of the crates that are meant include
//! the same files and call them with `mutations`, always the same ones. Nothing here knows libFuzzer.
//!
//! Start reading at [`texts::document`].

pub mod answers;
pub mod archives;
pub mod mutations;
pub mod pictures;
pub mod texts;
