//! Runs that have nothing to do.
//!
//! A run that reused everything writes down how everything stood that it was made from: files, folders,
//! the ledger, the store, what was saved. As long as all of that stands so, the same command would find
//! the same again, and need not look.
//!
//! It is told by what the disk says of each, above all by the time of its last change, which nobody can
//! set. What changed while the run went on, or right before, is not vouched for; nor is anything on a
//! network, with libraries, or after an hour.
//!
//! Start reading at [`Asked::settled`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use castline_core::Digest;
use castline_core::event::RunStatus;
use castline_core::forecast::Fate;
use castline_core::record::RunRecord;
use castline_store::{Layout, tells_changes};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::job::Job;
use crate::looked::Looked;
use crate::project::{Project, absolute, parent};
use crate::stamp::{Identity, Stamp};
use crate::wishes::Wishes;

const SCHEMA_VERSION: u32 = 1;

/// A time of a disk may be older by so much than the moment: kernels keep it by a clock of their own.
const COARSE: SignedDuration = SignedDuration::from_millis(100);

/// After that it is looked again, and the run is recorded: what is kept of former runs depends on when
/// they were.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// So many are kept in a store.
const MOST: usize = 16;

/// Variables that say nothing about what a run does, and are other ones all the time.
const IDLE: &[&str] = &["_", "OLDPWD", "PWD", "SHLVL", "COLUMNS", "LINES"];

/// What a run found that had nothing to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settled {
    schema_version: u32,
    at: Timestamp,
    /// What was said of it.
    pub said: Said,
    /// How everything stood.
    stamps: Vec<(String, Option<Stamp>)>,
    /// What the folders on the way were, which may become links.
    ways: Vec<(String, Option<Identity>)>,
    /// What has to be there, whatever became of it: the record of the run.
    record: String,
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

/// A run that somebody asks for, before anything of it is read.
pub struct Asked {
    /// Where it is written down what was found when the same was asked for.
    place: PathBuf,
    /// Nothing was read before that.
    began: Timestamp,
}

impl Asked {
    /// None where nobody could tell whether the same is asked for again.
    pub fn now(file: &Path, wishes: &Wishes) -> Option<Self> {
        let began = Timestamp::now();
        let (project, _) = Project::near(file);
        Some(Self { place: place(&project, file, wishes)?, began })
    }

    /// None unless everything stands as it did when the same command had nothing to do.
    pub fn settled(&self) -> Option<Settled> {
        let text = fs::read_to_string(&self.place).ok()?;
        let found: Settled = serde_json::from_str(&text).ok()?;
        let age = Timestamp::now().duration_since(found.at);
        let is_fresh = age >= SignedDuration::ZERO && age < LONGEST;
        let stands = |(path, stamp): &(String, Option<Stamp>)| Stamp::of(Path::new(path)) == *stamp;
        let leads =
            |(path, identity): &(String, Option<Identity>)| Identity::of(Path::new(path)) == *identity;
        let all = || {
            Path::new(&found.record).is_dir()
                && found.ways.iter().all(leads)
                && found.stamps.iter().all(stands)
        };
        (found.schema_version == SCHEMA_VERSION && is_fresh && all()).then_some(found)
    }

    /// None when there is something to do, and where nobody could vouch for it. The job was planned
    /// for this.
    pub fn idle(self, job: &Job) -> Option<Idle> {
        let forecast = job.forecast.as_ref()?;
        let is_idle = |fate: &Fate| matches!(fate, Fate::Hit(..) | Fate::Done(_) | Fate::Skip(_) | Fate::Out);
        let all = forecast.plan.order_of_all();
        let has_nothing_to_do = all.into_iter().all(|leg| is_idle(forecast.fate(leg)))
            && forecast.plan.legs.deferred().next().is_none()
            && job.missing.is_empty();
        let is_alone = job.account.is_none() && job.session.is_none() && job.project.libraries().is_empty();
        if !(has_nothing_to_do && is_alone) {
            return None;
        }
        let looked = job.looked();
        let report = job.out_folder(forecast).join("report.html");
        (!looked.has_links()).then(|| Idle { asked: self, project: job.project.clone(), looked, report })
    }
}

/// A run that has nothing to do, before it is carried out.
pub struct Idle {
    asked: Asked,
    project: Project,
    /// What its plan was made from.
    looked: Looked,
    /// Where its report is, if it has one.
    report: PathBuf,
}

impl Idle {
    /// Writes down how everything stands, unless something of it has changed since the run began. Failing
    /// to do so loses nothing.
    pub fn keep(self, record: &RunRecord, said: Said) {
        if record.status != Some(RunStatus::Succeeded) || !record.warnings.is_empty() {
            return;
        }
        let Some(settled) = self.settled(record, said) else { return };
        let text = serde_json::to_string(&settled).expect("it is plain data");
        if let Err(e) = write(&self.asked.place, &text) {
            tracing::debug!("{} was not written: {e}", self.asked.place.display());
        }
    }

    /// None where it cannot be vouched for.
    fn settled(&self, record: &RunRecord, said: Said) -> Option<Settled> {
        let (needed, others) = self.paths(record);
        let before = self.asked.began - COARSE;
        let is_sure = |stamp: &Stamp| stamp.changed < before && !stamp.is_coarse();
        let (mut stamps, mut ways, mut disks) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for path in needed.iter().chain(&others) {
            let stamp = Stamp::of(path);
            // What is gone by now was there when the run looked.
            if !stamp.as_ref().is_none_or(is_sure) || stamp.is_none() && needed.contains(path) {
                return None;
            }
            if let Some(stamp) = &stamp {
                disks.entry(stamp.disk()).or_insert_with(|| path.clone());
            }
            for folder in path.ancestors().skip(1) {
                if ways.contains_key(folder) {
                    break;
                }
                ways.insert(folder.to_owned(), Identity::of(folder));
            }
            stamps.push((path.to_str()?.to_owned(), stamp));
        }
        if !disks.values().all(|path| tells_changes(path)) {
            return None;
        }
        let ways = ways.into_iter().map(|(path, identity)| Some((path.to_str()?.to_owned(), identity)));
        let run = Layout::of(&self.project.store()).run(&record.run);
        Some(Settled {
            schema_version: SCHEMA_VERSION,
            at: self.asked.began,
            said,
            stamps,
            ways: ways.collect::<Option<_>>()?,
            record: run.to_str()?.to_owned(),
        })
    }

    /// Everything that it stands on: what has to be there, and what may be missing.
    fn paths(&self, record: &RunRecord) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let store = self.project.store();
        let layout = Layout::of(&store);
        let blobs = layout.blobs();
        let folders = fs::read_dir(&blobs).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut needed: BTreeSet<_> = folders.chain([blobs, layout.ledger()]).collect();
        let of_legs = record.legs.iter().flat_map(|leg| &leg.saved);
        let saved = of_legs.chain(record.output_files.values().flatten());
        needed.extend(saved.map(|saved| self.project.root.join(&saved.path)));
        needed.extend(std::env::current_exe().ok());
        let mut others: BTreeSet<_> = self.looked.paths().cloned().collect();
        // What comes and goes while it is read shows in its folder.
        others.extend(self.looked.paths().map(|path| parent(path)).collect::<Vec<_>>());
        others.extend([layout.ledger_log(), self.report.clone()]);
        others.retain(|path| !needed.contains(path));
        (needed, others)
    }
}

/// Where it is written for this very command: the file, what is wished, from where, and in which
/// environment. Of that only names count, but for what castline itself reads: values may be secrets.
fn place(project: &Project, file: &Path, wishes: &Wishes) -> Option<PathBuf> {
    let mut text = format!("{} {wishes:?}", env!("CARGO_PKG_VERSION")).into_bytes();
    for path in [&absolute(file), &std::env::current_dir().ok()?, &project.root] {
        text.push(b'\n');
        text.extend(path.as_os_str().as_encoded_bytes());
    }
    let variables: BTreeSet<_> = std::env::vars_os().collect();
    for (name, value) in &variables {
        let is_ours = name.to_str().is_some_and(|name| {
            ["CASTLINE_", "XDG_"].iter().any(|ours| name.starts_with(ours)) || name == "HOME"
        });
        if name.to_str().is_some_and(|name| IDLE.contains(&name)) {
            continue;
        }
        text.push(b'\n');
        text.extend(name.as_encoded_bytes());
        match is_ours {
            true => text.extend(value.as_encoded_bytes()),
            false => text.push(u8::from(value.is_empty())),
        }
    }
    let digest = Digest::of(&text);
    Some(project.store().join("settled").join(format!("{}.json", &digest.hex()[..32])))
}

fn write(place: &Path, text: &str) -> std::io::Result<()> {
    let folder = parent(place);
    if fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_symlink()) {
        return Err(std::io::Error::other("its folder is a link"));
    }
    fs::create_dir_all(&folder)?;
    disk::replace(place, |file| std::io::Write::write_all(file, text.as_bytes()))?;
    let own = fs::read_dir(&folder)?.flatten().filter(is_ours);
    let mut all: Vec<_> = own.map(|entry| entry.path()).collect();
    all.sort_by_key(|path| std::cmp::Reverse(Stamp::of(path).map(|stamp| stamp.changed)));
    for old in all.iter().skip(MOST) {
        let _ = fs::remove_file(old);
    }
    Ok(())
}

/// True for a plain file with a name that [`place`] gives, or that it has until it is whole.
fn is_ours(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy().into_owned();
    let digits = name.strip_suffix(".json").unwrap_or_default();
    let is_name = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_name || disk::is_unfinished(&name)) && entry.file_type().is_ok_and(|kind| kind.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> String {
        format!("{number:032x}.json")
    }

    #[test]
    fn the_oldest_are_cleared_away_and_nothing_that_is_not_ours() {
        let store = tempfile::tempdir().unwrap();
        let folder = store.path().join("settled");
        fs::create_dir(&folder).unwrap();
        let theirs = ["letter.txt", "notes.json", ".tmpAbCdEf"];
        theirs.iter().for_each(|name| fs::write(folder.join(name), "dear").unwrap());
        for number in 0..MOST + 4 {
            write(&folder.join(name(number)), "{}").unwrap();
        }
        assert!(theirs.iter().all(|name| folder.join(name).exists()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), MOST + theirs.len());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_or_cleared_away_behind_a_link() {
        let (store, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = store.path().join("settled");
        std::os::unix::fs::symlink(other.path(), &folder).unwrap();
        for number in 0..MOST + 4 {
            fs::write(other.path().join(name(number)), "theirs").unwrap();
        }
        write(&folder.join(name(99)), "{}").unwrap_err();
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), MOST + 4);
    }
}
