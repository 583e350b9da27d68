//! A library as one file: a tar compressed with gzip, as registries keep it.
//!
//! Start reading at [`unpack`].

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, EntryType, Header};

use crate::error::LibraryError;
use crate::tree::{Growing, MOST_BYTES, MOST_FILES, MOST_TOTAL, Tree, printable};

/// What a tar can have besides the bytes of its files.
const OVERHEAD: u64 = 4_096 * MOST_FILES as u64;

/// The same bytes for the same files, whoever packs them and whenever.
pub(crate) fn pack(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, content) in tree.files() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, path, content)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

/// The files of an archive. Nothing is written; what a library cannot have is refused, entry by
/// entry, and an archive that never ends is left: whatever the bytes are, it ends within the limits.
pub fn unpack(bytes: &[u8], what: &str) -> Result<Tree, LibraryError> {
    let mut tree = Growing::new(what);
    // An error may repeat a name that stands in the archive.
    let broken = |e: &io::Error| format!("its archive is broken: {}", printable(&e.to_string()));
    let mut left = Bounded { inner: GzDecoder::new(bytes), left: MOST_TOTAL + OVERHEAD };
    let outcome = read(&mut left, &mut tree);
    match outcome {
        Ok(()) => tree.finish(),
        Err(_) if left.left == 0 => {
            Err(tree.enough("the archive", "unpacks to more than a library can have"))
        }
        Err(Stop::Refused(refused)) => Err(refused),
        // What was refused before it broke says more.
        Err(Stop::Broken(e)) => tree.finish().and(Err(LibraryError::fetch(what, broken(&e)))),
    }
}

enum Stop {
    Refused(LibraryError),
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Broken(e)
    }
}

impl From<LibraryError> for Stop {
    fn from(e: LibraryError) -> Self {
        Self::Refused(e)
    }
}

fn read(bytes: impl Read, tree: &mut Growing) -> Result<(), Stop> {
    let mut archive = Archive::new(bytes);
    for entry in archive.entries()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let raw = entry.path_bytes().into_owned();
        let Ok(path) = String::from_utf8(raw) else {
            let raw = entry.path_bytes();
            tree.count("")?;
            tree.refuse(&String::from_utf8_lossy(&raw), "has a name that is not Unicode");
            continue;
        };
        let path = path.strip_prefix("./").unwrap_or(&path);
        if kind == EntryType::Directory {
            tree.count(path)?;
            let folder = path.trim_end_matches('/');
            let why = crate::tree::bad_path(folder).filter(|_| !folder.is_empty() || path.starts_with('/'));
            why.into_iter().for_each(|why| tree.refuse(path, why));
            continue;
        }
        if kind != EntryType::Regular {
            tree.count(path)?;
            tree.refuse(path, word(kind));
            continue;
        }
        if tree.admit(path, entry.size())? {
            let mut content = Vec::new();
            entry.take(MOST_BYTES + 1).read_to_end(&mut content)?;
            tree.put(path, content)?;
        }
    }
    Ok(())
}

fn word(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink | EntryType::Link => "is a link",
        EntryType::Block | EntryType::Char | EntryType::Fifo => "is a device",
        _ => "is no plain file",
    }
}

/// Ends in an error where too much comes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("it is too large"));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let read = self.inner.read(&mut into[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
