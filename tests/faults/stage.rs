//! What a case stands on: a server, a project, processes of castline, and what must hold of
//! all three whatever happened.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use castline_runner::failpoint::{Place, Side};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::common;

const CASTLINE: &str = env!("CARGO_BIN_EXE_castline");

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The signal of a process that died at a failpoint.
const ABORTED: i32 = 6;

/// What a case says when something is not as it must be.
pub type Played = Result<(), String>;

/// A case by its name.
pub type Named = (&'static str, fn() -> Played);

/// Variables of the environment.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// `castline sandbox-server` for as long as a case needs it. It alone counts.
pub struct Server {
    /// It serves what the presets of this folder call.
    _folder: tempfile::TempDir,
    server: common::server::Server,
}

impl Deref for Server {
    type Target = common::server::Server;

    fn deref(&self) -> &Self::Target {
        &self.server
    }
}

impl Server {
    pub fn start(faults: &[&str], latency: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        put_presets(folder.path());
        let mut arguments = vec!["--latency", latency];
        arguments.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
        let server = common::server::Server::start_in(folder.path(), &arguments);
        Self { _folder: folder, server }
    }

    /// All predictions, the oldest first.
    pub fn predictions(&self) -> Vec<Value> {
        let mut all = self.get("/_sandbox/predictions").as_array().expect("a list").clone();
        all.reverse();
        all
    }
}

/// A project whose only provider is a server.
pub struct Project {
    folder: tempfile::TempDir,
    /// How the workflow is run.
    pub run: Vec<&'static str>,
}

/// What a project says of itself.
pub struct Says<'a> {
    pub kind: &'a str,
    pub base_url: &'a str,
    pub further: &'a str,
    pub workflow: &'a str,
}

impl Project {
    pub fn new(says: &Says<'_>) -> Self {
        let Says { kind, base_url, further, workflow } = says;
        let folder = tempfile::tempdir().expect("a folder");
        let provider =
            format!("{{ kind: {kind}, base_url: \"{base_url}\", token_env: LOCAL_TOKEN, list_lag: 1s }}");
        let project = format!("provider: local\nproviders:\n  local: {provider}\n{further}\n");
        fs::write(folder.path().join("castline.yaml"), project).expect("written");
        fs::write(folder.path().join("flow.yaml"), workflow).expect("written");
        put_presets(folder.path());
        Self { folder, run: vec!["run", "flow.yaml", "--yes"] }
    }

    /// At a server with the routes of Replicate.
    pub fn at(server: &Server, workflow: &str) -> Self {
        Self::with(server, "replicate", "", workflow)
    }

    pub fn with(server: &Server, kind: &str, further: &str, workflow: &str) -> Self {
        let base_url = server.base_url();
        Self::new(&Says { kind, base_url: &base_url, further, workflow })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, &[])
    }

    pub fn start_with(&self, arguments: &[&str], variables: Variables<'_>) -> Running {
        let said = tempfile::NamedTempFile::new().expect("a file");
        let told = tempfile::NamedTempFile::new().expect("a file");
        let child = Command::new(CASTLINE)
            .args(arguments)
            .current_dir(self.path())
            .env_remove("CASTLINE_PROVIDER")
            .env("LOCAL_TOKEN", "secret-token-for-loopback")
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(said.reopen().expect("a file"))
            .stderr(told.reopen().expect("a file"))
            .spawn()
            .expect("castline runs");
        Running { child, said, told }
    }

    pub fn say(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs the workflow.
    pub fn go(&self) -> Ended {
        self.say(&self.run)
    }

    /// Runs the workflow until it dies at a place, which it must.
    pub fn die(&self, place: Place, side: Side) -> Played {
        self.die_in(&self.run, place, side)
    }

    pub fn die_in(&self, arguments: &[&str], place: Place, side: Side) -> Played {
        self.start_at(arguments, place, side).wait().died(place, side)
    }

    /// Starts what will die at a place.
    pub fn start_at(&self, arguments: &[&str], place: Place, side: Side) -> Running {
        let failpoint = format!("{}.{}", place.word(), side.word());
        self.start_with(arguments, &[("CASTLINE_FAILPOINT", &failpoint)])
    }

    /// Runs the workflow again and again until it is done, somebody has to decide, or it fails
    /// twice in a row.
    pub fn settle(&self) -> Result<Ended, String> {
        let mut failed = 0;
        for _ in 0..6 {
            let ended = self.go();
            match ended.code {
                Some(0 | 4) => return Ok(ended),
                Some(1) if failed == 1 => return Ok(ended),
                Some(1) => failed += 1,
                _ => return Err(format!("it ended with {:?}: {}", ended.code, ended.told)),
            }
        }
        Err("it does not settle".to_owned())
    }

    /// The pictures under `out/`.
    pub fn pictures(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), files) } else { files.push(entry.path()) }
            }
        }
        let mut files = Vec::new();
        walk(&self.path().join("out"), &mut files);
        files.retain(|file| file.extension().is_none_or(|e| e != "html"));
        files.sort();
        files
    }

    /// How many entries the ledger has in each state.
    pub fn states(&self) -> BTreeMap<String, u32> {
        let Some(db) = self.ledger() else { return BTreeMap::new() };
        // There is no table before the first process has made it.
        let Ok(mut find) = db.prepare("SELECT state, count(*) FROM entries GROUP BY state") else {
            return BTreeMap::new();
        };
        let rows = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    pub fn in_state(&self, state: &str) -> u32 {
        self.states().get(state).copied().unwrap_or_default()
    }

    /// Every account with its limit and what it holds, in micro-USD.
    fn accounts(&self) -> Vec<(String, Option<i64>, i64)> {
        let Some(db) = self.ledger() else { return vec![] };
        let sums = "SELECT a.account, a.most, (SELECT coalesce(sum(coalesce(h.settled, h.reserved, 0)), 0) \
                    FROM holds h WHERE h.account = a.account) FROM accounts a";
        let mut find = db.prepare(sums).expect("tables");
        let rows = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    /// How many processes wait for somebody else's predictions, one for each.
    pub fn waiting(&self) -> i64 {
        let count = |db: Connection| db.query_row("SELECT count(*) FROM wants", [], |row| row.get(0)).ok();
        self.ledger().and_then(count).unwrap_or_default()
    }

    fn ledger(&self) -> Option<Connection> {
        let path = self.path().join(".castline/ledger.db");
        path.is_file().then(|| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok())?
    }
}

/// A process of castline.
pub struct Running {
    child: Child,
    said: tempfile::NamedTempFile,
    told: tempfile::NamedTempFile,
}

impl Running {
    pub fn signal(&self, signal: &str) {
        let kill = ["-s", signal, &self.child.id().to_string()].map(str::to_owned);
        let sent = Command::new("kill").args(kill).status().expect("kill runs");
        assert!(sent.success(), "it is not there any more");
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    pub fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("its state") {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("it does not end: {}", self.told()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let said = fs::read_to_string(self.said.path()).expect("readable");
        Ended { code: status.code(), signal: status.signal(), said, told: self.told() }
    }

    fn told(&self) -> String {
        fs::read_to_string(self.told.path()).expect("readable")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub said: String,
    pub told: String,
}

impl Ended {
    pub fn with(self, code: i32) -> Result<Self, String> {
        if self.code == Some(code) {
            return Ok(self);
        }
        Err(format!("it ended with {:?} and not with {code}: {}", self.code, self.told))
    }

    pub fn died(&self, place: Place, side: Side) -> Played {
        must(self.signal == Some(ABORTED), || {
            format!("it never came to {}.{}: {:?} {}", place.word(), side.word(), self.code, self.told)
        })
    }
}

pub fn must(holds: bool, why: impl FnOnce() -> String) -> Played {
    if holds { Ok(()) } else { Err(why()) }
}

/// Waits until something holds, with a deadline.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> Played {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return Err(format!("never: {what}"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// What must hold whatever happened, once a run has ended by itself.
pub fn check(server: &Server, project: &Project, allowed: u64) -> Played {
    let creates = server.creates();
    must(creates <= allowed, || format!("{creates} creates, and at most {allowed} were asked for"))?;
    check_files(project)?;
    check_accounts(project)
}

/// Every succeeded output is where the user looks for it, whole.
fn check_files(project: &Project) -> Played {
    let (pictures, succeeded) = (project.pictures(), project.in_state("succeeded") as usize);
    must(pictures.len() == succeeded, || format!("{succeeded} succeeded, and there are {pictures:?}"))?;
    for picture in pictures {
        let bytes = fs::read(&picture).map_err(|e| e.to_string())?;
        let whole = image::load_from_memory(&bytes).is_ok();
        must(whole, || format!("{} is no whole picture", picture.display()))?;
    }
    Ok(())
}

/// No account holds more than it may.
pub fn check_accounts(project: &Project) -> Played {
    for (account, limit, held) in project.accounts() {
        must(limit.is_none_or(|limit| held <= limit), || {
            format!("the account `{account}` holds {held} of {limit:?} micro-USD")
        })?;
    }
    Ok(())
}

/// A model whose pictures are so small that hundreds of them are soon drawn.
const SKETCH: &str = "castline: 1
name: sketch
description: Draws a very small picture.
task: text-to-image
model: acme/sketch
input:
  type: object
  additionalProperties: false
  required: [prompt]
  properties:
    prompt: { type: string }
    width: { type: integer }
    height: { type: integer }
output: { type: image }
defaults: { width: 32, height: 32 }
price: { usd: 0.003, per: image, as_of: 2026-11, source: these tests }
typical_seconds: 1
";

fn put_presets(folder: &Path) {
    let presets = folder.join("presets");
    fs::create_dir(&presets).and_then(|()| fs::write(presets.join("sketch.yaml"), SKETCH)).expect("written");
}

/// So many legs of 0.003 USD, each with words of its own.
pub fn legs(count: usize) -> String {
    let words: Vec<_> = (0..count).map(|i| format!("w{i}")).collect();
    let words = words.join(", ");
    format!(
        "steps:\n  a:\n    uses: sketch\n    each: {{ word: [{words}] }}\n    \
         with: {{ prompt: 'a {{{{ each.word }}}}' }}\n"
    )
}

/// Makes a leg cost 0.04 USD.
pub const DEAR: &str = "prices: { sketch: { usd: 0.04, per: image } }\n";
