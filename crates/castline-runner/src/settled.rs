//! Runs that have nothing to do.
//!
//! A run that reused everything writes down how everything stood that it was made from: files, folders,
//! the ledger, the store, what was saved. As long as all of that stands so, the same command would find
//! the same again, and need not look.
//!
//! It is told by what the disk says of each, above all by the time of its last change, which nobody can
//! set. What changed while the run went on, or right before, is not vouched for; nor is anything on a
//! network, with libraries, or after a day.
//!
//! Start reading at [`Settled::still`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use castline_core::Digest;
use castline_core::event::RunStatus;
use castline_core::forecast::Fate;
use castline_core::record::RunRecord;
use castline_store::{LEDGER_FILE, tells_changes};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::looked::Looked;
use crate::project::{Project, absolute, parent};
use crate::stamp::Stamp;
use crate::wishes::Wishes;

const SCHEMA_VERSION: u32 = 1;

/// A time of a disk may be older by so much than the moment: kernels keep it by a clock of their own.
const COARSE: SignedDuration = SignedDuration::from_millis(100);

/// After that it is looked again, and the run is recorded: what is kept of former runs depends on when
/// they were.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Variables that say nothing about what a run does, and are other ones all the time.
const IDLE: &[&str] = &["_", "OLDPWD", "PWD", "SHLVL", "COLUMNS", "LINES"];

/// What a run found that had nothing to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settled {
    schema_version: u32,
    at: Timestamp,
    /// What was said of it.
    pub said: Said,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

/// What was said of a run, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Before it was over.
    pub before: Vec<String>,
    /// What it came to, without how long it took.
    pub counts: String,
    /// After that.
    pub after: Vec<String>,
}

impl Settled {
    /// None unless everything stands as it did when the same command had nothing to do.
    pub fn still(file: &Path, wishes: &Wishes) -> Option<Self> {
        let (project, _) = Project::near(file);
        let text = fs::read_to_string(place(&project, file, wishes)?).ok()?;
        let found: Self = serde_json::from_str(&text).ok()?;
        let age = Timestamp::now().duration_since(found.at);
        let is_fresh = age >= SignedDuration::ZERO && age < LONGEST;
        let stands = |(path, stamp): &(PathBuf, Option<Stamp>)| Stamp::of(path) == *stamp;
        (found.schema_version == SCHEMA_VERSION && is_fresh && found.stamps.iter().all(stands))
            .then_some(found)
    }
}

/// A run that has nothing to do, before it is carried out.
pub struct Idle {
    place: PathBuf,
    project: Project,
    /// What its plan was made from.
    looked: Looked,
    /// Nothing was read before that.
    began: Timestamp,
}

impl Idle {
    /// None when there is something to do, and where nobody could vouch for it. The job was
    /// planned after `began`.
    pub fn of(job: &Job, file: &Path, began: Timestamp) -> Option<Self> {
        let forecast = job.forecast.as_ref()?;
        let is_idle = |fate: &Fate| matches!(fate, Fate::Hit(..) | Fate::Done(_) | Fate::Skip(_) | Fate::Out);
        let all = forecast.plan.order_of_all();
        let has_nothing_to_do = all.into_iter().all(|leg| is_idle(forecast.fate(leg)))
            && forecast.plan.legs.deferred().next().is_none()
            && job.missing.is_empty();
        let is_alone = job.account.is_none() && job.session.is_none() && job.project.libraries().is_empty();
        let project = job.project.clone();
        let is_told = tells_changes(&project.root) && tells_changes(&project.store());
        if !(has_nothing_to_do && is_alone && is_told) {
            return None;
        }
        Some(Self { place: place(&project, file, &job.wishes)?, looked: job.looked(), project, began })
    }

    /// Writes down how everything stands, unless something of it has changed since the run began. Failing
    /// to do so loses nothing.
    pub fn keep(self, record: &RunRecord, report: Option<&Path>, said: Said) {
        if record.status != Some(RunStatus::Succeeded) || !record.warnings.is_empty() {
            return;
        }
        let stamps: Vec<_> =
            self.paths(record, report).into_iter().map(|path| (Stamp::of(&path), path)).collect();
        let before = self.began - COARSE;
        let is_sure = |(stamp, _): &(Option<Stamp>, PathBuf)| {
            stamp.is_none_or(|stamp| stamp.changed < before && !stamp.is_coarse())
        };
        if !stamps.iter().all(is_sure) {
            return;
        }
        let stamps = stamps.into_iter().map(|(stamp, path)| (path, stamp)).collect();
        let settled = Settled { schema_version: SCHEMA_VERSION, at: self.began, said, stamps };
        let text = serde_json::to_string(&settled).expect("it is plain data");
        if let Err(e) = write(&self.place, &text) {
            tracing::debug!("{} was not written: {e}", self.place.display());
        }
    }

    /// Everything that it stands on.
    fn paths(&self, record: &RunRecord, report: Option<&Path>) -> BTreeSet<PathBuf> {
        let store = self.project.store();
        let mut paths: BTreeSet<_> = self.looked.paths().cloned().collect();
        // What comes and goes while it is read shows in its folder.
        paths.extend(self.looked.paths().map(|path| parent(path)).collect::<Vec<_>>());
        paths.extend([store.join(LEDGER_FILE), store.join(format!("{LEDGER_FILE}-wal"))]);
        let blobs = store.join("blobs/sha256");
        let folders = fs::read_dir(&blobs).into_iter().flatten().flatten().map(|entry| entry.path());
        paths.extend(folders.chain([blobs]));
        let of_legs = record.legs.iter().flat_map(|leg| &leg.saved);
        let saved = of_legs.chain(record.output_files.values().flatten());
        paths.extend(saved.map(|saved| self.project.root.join(&saved.path)));
        paths.extend(report.map(absolute));
        paths.extend(std::env::current_exe().ok());
        paths
    }
}

/// Where it is written for this very command: the file, what is wished, from where, and in which
/// environment. Of that only names count, but for what castline itself reads: values may be secrets.
fn place(project: &Project, file: &Path, wishes: &Wishes) -> Option<PathBuf> {
    let mut text = format!("{} {wishes:?}", env!("CARGO_PKG_VERSION"));
    for path in [absolute(file), std::env::current_dir().ok()?] {
        write!(text, "\n{}", path.display()).ok()?;
    }
    let variables: BTreeSet<_> = std::env::vars_os().collect();
    for (name, value) in &variables {
        let name = name.to_string_lossy();
        let is_ours = ["CASTLINE_", "XDG_"].iter().any(|ours| name.starts_with(ours)) || name == "HOME";
        if is_ours {
            write!(text, "\n{name}={}", value.display()).ok()?;
        } else if !IDLE.contains(&&*name) {
            write!(text, "\n{name} {}", value.is_empty()).ok()?;
        }
    }
    let digest = Digest::of(text.as_bytes());
    Some(project.store().join("settled").join(format!("{}.json", &digest.hex()[..32])))
}

fn write(place: &Path, text: &str) -> std::io::Result<()> {
    let folder = parent(place);
    fs::create_dir_all(&folder)?;
    // Those that count no more.
    for entry in fs::read_dir(&folder)?.flatten() {
        let is_old = Stamp::of(&entry.path()).is_some_and(|stamp| stamp.changed + LONGEST < Timestamp::now());
        if is_old {
            let _ = fs::remove_file(entry.path());
        }
    }
    let mut new = tempfile::NamedTempFile::new_in(&folder)?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    new.persist(place)?;
    Ok(())
}
