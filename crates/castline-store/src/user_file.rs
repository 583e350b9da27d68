//! Files of the user, read without what castline wrote into them.
//!
//! A picture that a run saved tells how it was made. As an input it is what the model gave: the same
//! bytes have the same digest, whether they are piped or read from the output folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use castline_core::provenance::container;

/// The bytes of a plain file: a pipe would be waited for, and a device need not end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    plain(path)?;
    fs::read(path).map(container::without)
}

fn plain(path: &Path) -> io::Result<()> {
    match fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")),
    }
}

/// Copies a file.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    plain(from)?;
    // A long film is not read into memory for nothing.
    let mut head = Vec::new();
    File::open(from)?.take(container::HEAD as u64).read_to_end(&mut head)?;
    if container::may_carry(&head) {
        return read(from).and_then(|bytes| fs::write(to, bytes));
    }
    fs::copy(from, to).map(|_| ())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [Path::new("/dev/zero"), &pipe] {
            assert_eq!(read(path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert!(copy(path, &folder.path().join("copy")).is_err());
        }
        assert!(!folder.path().join("copy").exists());
    }
}
