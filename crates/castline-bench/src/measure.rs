//! What a program takes from its start to its end: time, processor and memory.
//!
//! The kernel counts the memory of whoever starts a program as the program's own, until it is
//! the program. So each is started by a small process, this one once more, and not by the one
//! that the server is in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};
use wait4::Wait4;

use crate::Wrong;

/// What a program took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of processor time, its own and the kernel's.
    pub cpu: f64,
    /// The most memory that it had at once, in bytes; none where that is not known.
    pub memory: Option<u64>,
}

/// Starts a program, waits for its end, and prints what it took.
#[derive(Debug, Args)]
pub(crate) struct Measured {
    /// Where its words go
    #[arg(long, value_name = "FILE")]
    said: PathBuf,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// What is printed.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    taken: Taken,
    /// None when a signal ended it.
    code: Option<i32>,
}

impl Measured {
    /// Does it.
    pub(crate) fn perform(&self) -> Result<(), Wrong> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&self.said)?);
        let began = Instant::now();
        let ended = command.spawn()?.wait4()?;
        let wall = began.elapsed().as_secs_f64();
        let usage = ended.rusage;
        let cpu = (usage.utime + usage.stime).as_secs_f64();
        let memory = Some(usage.maxrss).filter(|bytes| *bytes > 0);
        let ended = Ended { taken: Taken { wall, cpu, memory }, code: ended.status.code() };
        println!("{}", serde_json::to_string(&ended)?);
        Ok(())
    }
}

/// A program to measure.
pub(crate) struct Program<'a> {
    /// Its file.
    pub file: &'a Path,
    /// Where it is started.
    pub folder: &'a Path,
}

impl Program<'_> {
    /// Runs it once. An end other than with code 0 is an error with its last words.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Taken, Wrong> {
        let said = tempfile::NamedTempFile::new()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("measured").arg("--said").arg(said.path()).arg(self.file).args(arguments);
        command.current_dir(self.folder).stdin(Stdio::null()).stderr(Stdio::inherit());
        // What the user has set for other projects must not count here.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CASTLINE_")) {
            command.env_remove(name);
        }
        let output = command.output()?;
        let ended: Ended = serde_json::from_slice(&output.stdout)?;
        if ended.code == Some(0) {
            return Ok(ended.taken);
        }
        let words = std::fs::read_to_string(said.path())?;
        let last: Vec<_> = words.lines().rev().take(8).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        let name = self.file.display();
        let code = ended.code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        Err(format!("`{name} {}` ended with {code}:\n{}", arguments.join(" "), last.join("\n")).into())
    }
}
