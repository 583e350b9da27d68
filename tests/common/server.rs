//! `castline sandbox-server`, which plays a provider and counts what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server for as long as a test needs it.
pub struct Server {
    child: Child,
    /// `host:port`.
    pub host: String,
}

impl Server {
    /// Starts one with these flags.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(Path::new("."), arguments)
    }

    /// It serves what the presets of a folder call besides.
    pub fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_castline"))
            .args(["sandbox-server", "--port", "0"])
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut first = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut first).expect("the server says where it is");
        let rest = first.trim().strip_prefix("http://").expect("loopback is http");
        Self { host: rest.split('/').next().expect("never empty").to_owned(), child }
    }

    /// It answers nobody from now on.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// It answers again, also whoever asked meanwhile.
    pub fn goes_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// What a provider is configured with.
    pub fn base_url(&self) -> String {
        format!("http://{}/replicate/v1", self.host)
    }

    /// The JSON at a path.
    pub fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.host).expect("the server is there");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host)
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    /// How often something happened.
    pub fn count(&self, what: &str) -> u64 {
        self.get("/_sandbox/counts")[what].as_u64().unwrap_or_else(|| panic!("no count `{what}`"))
    }

    /// Predictions that came to be.
    pub fn creates(&self) -> u64 {
        self.count("creates")
    }

    /// The requests with this method whose path ends so.
    pub fn requests(&self, method: &str, end: &str) -> Vec<Value> {
        let all = self.get("/_sandbox/requests");
        let list = all.as_array().expect("a list").clone();
        list.into_iter()
            .filter(|r| r["method"] == method && r["path"].as_str().is_some_and(|p| p.ends_with(end)))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
