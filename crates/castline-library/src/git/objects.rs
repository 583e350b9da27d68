//! The objects of a git repository, as git hands them out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// `git cat-file --batch`, which hands out objects as they are.
#[derive(Debug)]
pub struct Objects {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// Of the repository that a `git` without words is about.
    pub fn open(mut git: Command) -> io::Result<Self> {
        git.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = git.spawn()?;
        let ask = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Ok(Self { child, ask, answers })
    }

    /// The bytes of an object. What is no blob, or not there, is an error.
    pub fn get(&mut self, id: &str) -> io::Result<Vec<u8>> {
        let ask = self.ask.as_mut().expect("it is closed at the end");
        writeln!(ask, "{id}")?;
        ask.flush()?;
        // `ID blob BYTES`, a line; the bytes; a line break.
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let bytes = head.trim_end().split_once(" blob ").and_then(|(_, bytes)| bytes.parse::<u64>().ok());
        let bytes = bytes.ok_or_else(|| io::Error::other(format!("git has no object {id}")))?;
        let mut content = vec![0; bytes as usize];
        self.answers.read_exact(&mut content)?;
        self.answers.read_exact(&mut [0])?;
        Ok(content)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends when nobody can ask any more.
        drop(self.ask.take());
        let _ = self.child.wait();
    }
}
