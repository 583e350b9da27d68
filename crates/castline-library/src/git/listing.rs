//! What `git ls-tree` lists, entry by entry.
//!
//! A few hundred bytes of a repository can list more files than any memory holds, so that nobody waits for
//! the end of a listing: who has seen enough drops it.

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Most bytes of an entry that are read; a path of a library is much shorter.
const LONGEST: u64 = 4_096;
/// Most bytes that are read of why git failed.
const MOST_SAID: u64 = 64 << 10;

/// A `git ls-tree` that is still at work. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Listing {
    child: Child,
    entries: BufReader<ChildStdout>,
    said: std::fs::File,
}

/// The next thing that a listing has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An entry, as git writes it.
    Entry(String),
    /// The beginning of one that is too long.
    Long(String),
    /// All was listed.
    End,
    /// Git failed, and said this.
    Failed(String),
}

impl Listing {
    /// Of a tree, by a `git` without words; folders are listed as well as what is in them.
    pub fn open(mut git: Command, root: &str) -> io::Result<Self> {
        let said = tempfile::tempfile()?;
        git.args(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", root]);
        let mut child = git.stdout(Stdio::piped()).stderr(said.try_clone()?).spawn()?;
        let entries = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Ok(Self { child, entries, said })
    }

    pub fn next(&mut self) -> io::Result<Next> {
        let mut entry = Vec::new();
        (&mut self.entries).take(LONGEST).read_until(0, &mut entry)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match entry.split_last() {
            Some((0, entry)) => Ok(Next::Entry(text(entry))),
            Some(_) if entry.len() as u64 == LONGEST => Ok(Next::Long(text(&entry))),
            _ => self.end(),
        }
    }

    fn end(&mut self) -> io::Result<Next> {
        if self.child.wait()?.success() {
            return Ok(Next::End);
        }
        let mut said = Vec::new();
        self.said.rewind()?;
        (&mut self.said).take(MOST_SAID).read_to_end(&mut said)?;
        Ok(Next::Failed(String::from_utf8_lossy(&said).into_owned()))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // One that has ended cannot be killed any more, which is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
