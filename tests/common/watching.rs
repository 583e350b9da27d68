//! `castline watch` under way.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Folder, castline};

/// Nothing takes that long.
pub const DEADLINE: Duration = Duration::from_mins(2);

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = castline(folder, arguments);
    command.env("LOCAL_TOKEN", "secret-token-for-loopback");
    command
}

/// A watch under way, as `--json` tells of it.
pub struct Watch {
    pub child: Child,
    pub events: Receiver<Value>,
    pub seen: Vec<Value>,
    talk: Option<std::thread::JoinHandle<String>>,
}

impl Watch {
    pub fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = ["watch", "--json"].iter().chain(arguments).copied().collect();
        Self::spawn(command(&folder.at("."), &arguments))
    }

    /// Begins what a command says.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("castline watches");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (tell, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        let mut stderr = child.stderr.take().expect("piped");
        let talk = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { child, events, seen: Vec::new(), talk: Some(talk) }
    }

    /// Waits for the next event that is meant.
    pub fn until(&mut self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while let Some(left) = DEADLINE.checked_sub(began.elapsed()) {
            let Ok(event) = self.events.recv_timeout(left) else { break };
            self.seen.push(event.clone());
            if is_meant(&event) {
                return event;
            }
        }
        let _ = self.child.kill();
        let talk = self.talk.take().map(|talk| talk.join().unwrap_or_default()).unwrap_or_default();
        let last: Vec<_> = self.seen.iter().rev().take(8).rev().map(Value::to_string).collect();
        panic!("never: {what}; last seen\n{}\n{talk}", last.join("\n"));
    }

    pub fn event(&mut self, kind: &str) -> Value {
        self.until(kind, |event| event["type"] == kind)
    }

    /// Waits until a run has ended with everything that it should have.
    pub fn done(&mut self) -> Value {
        self.until("a run that succeeds", |event| {
            event["type"] == "run-ended" && event["status"] == "succeeded"
        })
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it as Ctrl-C does.
    pub fn end(mut self) -> Vec<Value> {
        self.signal("-INT");
        assert_eq!(self.child.wait().expect("ends").code(), Some(130));
        let rest: Vec<_> = self.events.iter().collect();
        self.seen.extend(rest);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
