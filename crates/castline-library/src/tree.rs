//! The files of a library, in memory: what is allowed among them, and their digest.
//!
//! Whatever a library comes from, its files pass through one [`Growing`] tree, which refuses
//! entry by entry what a library cannot have. Only a whole tree is ever written.
//!
//! Start reading at [`Growing::admit`].

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use castline_spec::file_name::{UNUSABLE, is_device};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{LibraryError, Refusal};

/// The document that makes a folder a library.
pub const FILE: &str = "library.yaml";

/// Most files of a library; hidden ones, and the folders of an archive, count as well.
pub(crate) const MOST_FILES: usize = 4_096;
/// Most bytes of one file.
pub(crate) const MOST_BYTES: u64 = 16 << 20;
/// Most bytes of all files together.
pub(crate) const MOST_TOTAL: u64 = 64 << 20;
/// Most bytes of a path.
const LONGEST_PATH: usize = 200;
/// Most folders in each other.
const DEEPEST: usize = 12;
/// So many refusals are listed.
const MOST_LISTED: usize = 20;

/// The head of what is digested; another way to digest has another one.
const FORMAT: &[u8] = b"castline library tree 1\n";

/// The files of a library by their paths, with `/` between folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Reads a folder. Links are refused, files and folders that begin with a dot are left out.
    pub fn of_folder(folder: &Path, what: &str) -> Result<Self, LibraryError> {
        let mut tree = Growing::new(what);
        let unreadable = || LibraryError::disk(format!("{what} cannot be read"));
        if folder.is_file() {
            let hint = "unpack it into a folder and name that, or put it into a registry";
            return Err(LibraryError::fetch_hint(what, "it is a file, and a library is a folder", hint));
        }
        if !folder.is_dir() {
            let hint = "name a folder that has a `library.yaml`";
            return Err(LibraryError::fetch_hint(what, "there is no such folder", hint));
        }
        let mut entries = walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| unreadable()(e.into()))?;
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let Some(path) = below.to_str().map(|path| path.replace('\\', "/")) else {
                tree.refuse(&below.to_string_lossy(), "has a name that is not Unicode");
                continue;
            };
            let kind = entry.file_type();
            if kind.is_dir() {
                if is_hidden(&path) {
                    entries.skip_current_dir();
                }
                continue;
            }
            if !kind.is_file() {
                if !is_hidden(&path) {
                    tree.refuse(&path, if kind.is_symlink() { "is a link" } else { "is no plain file" });
                }
                continue;
            }
            let bytes = entry.metadata().map_err(|e| unreadable()(e.into()))?.len();
            if tree.admit(&path, bytes)? {
                let file = fs::File::open(entry.path()).map_err(unreadable())?;
                let mut content = Vec::new();
                file.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(unreadable())?;
                tree.put(&path, content)?;
            }
        }
        tree.finish()
    }

    /// A file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A file as text, when it is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.file(path)?).ok()
    }

    /// All files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// How many bytes the files have.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|content| content.len() as u64).sum()
    }

    /// `sha256:` of all files: their paths in the order of their bytes, and what is in them, each
    /// after its length.
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        sum.update(FORMAT);
        for (path, content) in &self.files {
            for part in [path.as_bytes(), content] {
                sum.update((part.len() as u64).to_le_bytes());
                sum.update(part);
            }
        }
        format!("sha256:{}", hex::encode(sum.finalize()))
    }

    /// Writes all files into a folder that is empty.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        for (path, content) in &self.files {
            let to = folder.join(path);
            fs::create_dir_all(to.parent().unwrap_or(folder))?;
            fs::write(to, content)?;
        }
        Ok(())
    }
}

/// `sha256:` of bytes, as registries name them.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A tree that is still being read.
pub(crate) struct Growing {
    /// Which library, for messages.
    what: String,
    tree: Tree,
    /// Every file and folder without regard to case, and how it is really written.
    taken: BTreeMap<String, (String, bool)>,
    seen: usize,
    /// The bytes that entries say they have.
    bytes: u64,
    /// The bytes that they had.
    kept: u64,
    refused: Vec<Refusal>,
    more: usize,
}

impl Growing {
    pub fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            tree: Tree::default(),
            taken: BTreeMap::new(),
            seen: 0,
            bytes: 0,
            kept: 0,
            refused: Vec::new(),
            more: 0,
        }
    }

    /// Looks at an entry before it is read. False for one that is left out: it is refused, which
    /// ends in an error once all are seen, or hidden. An error at once for what there is too much of.
    pub fn admit(&mut self, path: &str, bytes: u64) -> Result<bool, LibraryError> {
        self.count(path)?;
        if let Some(why) = bad_path(path) {
            self.refuse(path, why);
            return Ok(false);
        }
        if is_hidden(path) {
            return Ok(false);
        }
        if bytes > MOST_BYTES {
            self.refuse(path, "is larger than 16 MiB");
            return Ok(false);
        }
        self.bytes += bytes;
        if self.bytes > MOST_TOTAL {
            return Err(self.enough(path, "makes the library larger than 64 MiB"));
        }
        match self.clash(path) {
            Some(same) if same == path => self.refuse(path, "is there twice"),
            Some(other) => self.refuse(path, &format!("is `{other}` where case does not count")),
            None => return Ok(true),
        }
        Ok(false)
    }

    /// One more entry, of whatever kind.
    pub fn count(&mut self, path: &str) -> Result<(), LibraryError> {
        self.seen += 1;
        match self.seen > MOST_FILES {
            true => Err(self.enough(path, &format!("is one file more than {MOST_FILES}"))),
            false => Ok(()),
        }
    }

    /// An admitted file with its content.
    pub fn put(&mut self, path: &str, content: Vec<u8>) -> Result<(), LibraryError> {
        // What was said of its size need not have been true.
        self.kept += content.len() as u64;
        if content.len() as u64 > MOST_BYTES {
            self.refuse(path, "is larger than 16 MiB");
            return Ok(());
        }
        self.tree.files.insert(path.to_owned(), content);
        match self.kept > MOST_TOTAL {
            true => Err(self.enough(path, "makes the library larger than 64 MiB")),
            false => Ok(()),
        }
    }

    pub fn refuse(&mut self, entry: &str, why: &str) {
        if self.refused.len() < MOST_LISTED {
            self.refused.push(Refusal { entry: printable(entry), why: why.to_owned() });
        } else {
            self.more += 1;
        }
    }

    /// An entry that ends the reading.
    pub fn enough(&mut self, entry: &str, why: &str) -> LibraryError {
        // What ends the reading is told, whatever else was refused before.
        if self.refused.len() == MOST_LISTED {
            self.refused.pop();
            self.more += 1;
        }
        self.refuse(entry, why);
        self.error()
    }

    fn error(&mut self) -> LibraryError {
        LibraryError::Refused {
            what: self.what.clone(),
            entries: std::mem::take(&mut self.refused),
            more: self.more,
        }
    }

    /// The whole tree, unless something in it was refused.
    pub fn finish(mut self) -> Result<Tree, LibraryError> {
        if self.refused.is_empty() { Ok(self.tree) } else { Err(self.error()) }
    }

    /// What is called the same where case does not count, and remembers what is called so.
    fn clash(&mut self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(at, _)| (at, true)).chain([(path.len(), false)]);
        for (end, is_folder) in ends.collect::<Vec<_>>() {
            let exact = &path[..end];
            let folded = folded(exact);
            match self.taken.get(&folded) {
                Some((other, was_folder)) if other != exact || *was_folder != is_folder => {
                    return Some(other.clone());
                }
                Some(_) if !is_folder => return Some(exact.to_owned()),
                Some(_) => {}
                None => drop(self.taken.insert(folded, (exact.to_owned(), is_folder))),
            }
        }
        None
    }
}

/// What is the same for names that are one where neither case nor composition counts.
fn folded(name: &str) -> String {
    // By way of capitals, because that is the one in which `ſ` and `s` meet; and composed only then, because
    // not every letter that is composed has a capital that is.
    let large = name.nfd().flat_map(char::to_uppercase);
    large.flat_map(char::to_lowercase).nfc().collect()
}

/// Why no file of a library is called that; none when one can be.
pub(crate) fn bad_path(path: &str) -> Option<&'static str> {
    let parts = || path.split('/');
    let ends_badly = |part: &str| part.ends_with(['.', ' ']);
    match () {
        () if path.is_empty() => Some("has no name"),
        () if path.starts_with('/') => Some("is an absolute path"),
        () if parts().any(|part| part == "..") => Some("leads out of the library"),
        () if parts().any(|part| part.is_empty() || part == ".") => Some("has a folder without a name"),
        () if path.contains(|c: char| c.is_control() || (c != '/' && UNUSABLE.contains(&c))) => {
            Some("has a character that is no part of a name everywhere")
        }
        () if path.len() > LONGEST_PATH => Some("has a path of more than 200 bytes"),
        () if parts().count() > DEEPEST => Some("is more than 12 folders deep"),
        () if parts().any(ends_badly) => Some("has a name that ends with a dot or a blank"),
        () if parts().any(is_device) => Some("has a name that is a device elsewhere"),
        () => None,
    }
}

/// What begins with a dot is no part of a library: `.git`, `.castline`.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// A name for a terminal.
pub(crate) fn printable(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_PATH).collect();
    short.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
