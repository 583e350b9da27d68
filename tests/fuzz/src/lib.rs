//! One input, and what must hold for it, whatever it is.
//!
//! Each module has one function for each kind of input. They panic where something does not hold. The
//! fuzz targets call them with what libFuzzer makes up; tests of the crates that are meant include
//! the same files and call them with `mutations`, always the same ones. Nothing here knows libFuzzer.
//!
//! Start reading at [`texts::document`].

pub mod mutations;
pub mod texts;
