//! Files of the user, read without what castline wrote into them.
//!
//! A picture that a run saved tells how it was made. As an input it is what the model gave: the same
//! bytes have the same digest, whether they are piped or read from the output folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use castline_core::provenance::container;

/// The bytes of a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map(container::without)
}

/// Copies a file.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // A long film is not read into memory for nothing.
    let mut head = Vec::new();
    File::open(from)?.take(container::HEAD as u64).read_to_end(&mut head)?;
    if container::may_carry(&head) {
        return read(from).and_then(|bytes| fs::write(to, bytes));
    }
    fs::copy(from, to).map(|_| ())
}
