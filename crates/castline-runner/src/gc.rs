//! Gives back what no run refers to any more, and the records of old runs.
//!
//! What stays is decided in `castline_core::ledger`, and removed by the store; here it is said
//! which runs stay, and what they and the user's own files refer to.
//!
//! Start reading at [`survey`]; [`collect`] does it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use castline_core::Digest;
use castline_core::ledger::State;
use castline_core::record::SavedRecord;
pub use castline_store::{Amount, Sweep};
use castline_store::{Store, user_file};
use jiff::{SignedDuration, Timestamp};

use crate::history;
use crate::job::existing_store;
use crate::ledger::trouble;
use crate::lock::Lock;
use crate::project::Project;
use crate::trouble::Trouble;

/// How long others may look at what is there: a plan is made, a list is written.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most open predictions of a project.
const MOST: usize = 100_000;

/// Which runs are dropped, and what of them stays. Both limits must be passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// So many of the newest runs stay.
    pub keep_runs: Option<usize>,
    /// Younger runs stay.
    pub older_than: Option<SignedDuration>,
    /// What was saved and is still there as it was saved goes as well.
    pub saved: bool,
}

/// What goes, or went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The runs whose records go, newest first.
    pub runs: Vec<String>,
    /// Runs that stay.
    pub runs_kept: usize,
    /// Files of `out` that hold what they show in the cache, although no run does.
    pub saved: usize,
    /// Results and files.
    pub sweep: Sweep,
    /// Libraries that `castline.lock` does not pin, by the files in them.
    pub libraries: Amount,
    /// Temporary files of dead processes in the folder of outputs, after they were removed.
    pub leftovers: Amount,
}

impl Collected {
    /// There is nothing to remove.
    pub fn is_nothing(&self) -> bool {
        let Sweep { results, others, files, .. } = &self.sweep;
        self.runs.is_empty() && results + others + files.count + self.libraries.count == 0
    }
}

/// What would go; nothing is changed. None where nothing was run yet.
pub async fn survey(
    project: &Project,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<Collected>, Trouble> {
    let Some(store) = existing_store(project)? else { return Ok(None) };
    let choice = choose(&store, policy, now).await?;
    let libraries = unpinned(project, &store)?.iter().map(|folder| size(folder)).sum();
    let (wanted, saved) = wanted(project, &store, policy, &choice)?;
    let sweep = store.survey(&wanted).map_err(trouble)?;
    let leftovers = Amount::default();
    Ok(Some(Collected { runs: choice.go, runs_kept: choice.stay.len(), saved, sweep, libraries, leftovers }))
}

/// Removes what goes; of runs only these, which somebody has seen and agreed to.
pub async fn collect(
    project: &Project,
    policy: &Policy,
    agreed: &[String],
    now: Timestamp,
) -> Result<Collected, Trouble> {
    let Some(store) = existing_store(project)? else { return Ok(Collected::default()) };
    let Some(sweeper) = store.alone(PATIENCE).map_err(trouble)? else {
        return Err(Trouble::usage(
            "another castline has been looking at what is stored for a while, and nothing was removed",
            "wait until it has made its plan or its list, and try again",
        ));
    };
    // Asked anew: since the survey runs may have begun and ended.
    let mut choice = choose(&store, policy, now).await?;
    let (go, stay) = choice.go.into_iter().partition(|run| agreed.contains(run));
    choice.go = go;
    choice.stay.extend::<Vec<String>>(stay);
    let (wanted, saved) = wanted(project, &store, policy, &choice)?;
    for run in &choice.go {
        store.runs().remove(run).map_err(trouble)?;
    }
    let sweep = sweeper.sweep(&wanted).map_err(trouble)?;
    // What lies elsewhere is not the project's to clear away.
    let elsewhere = store.is_shared() || project.check_out("").is_err();
    let leftovers = if elsewhere { Amount::default() } else { tidy(&project.out()) };
    let mut libraries = Amount::default();
    for folder in unpinned(project, &store)? {
        let size = size(&folder);
        if fs::remove_dir_all(&folder).is_ok() {
            libraries = [libraries, size].into_iter().sum();
        }
    }
    Ok(Collected { runs: choice.go, runs_kept: choice.stay.len(), saved, sweep, libraries, leftovers })
}

/// The libraries of a store that its project does not need. Where several share one nobody knows.
fn unpinned(project: &Project, store: &Store) -> Result<Vec<PathBuf>, Trouble> {
    if store.is_shared() {
        return Ok(Vec::new());
    }
    let lock = Lock::read(project)?;
    let pinned = lock.libraries.values().map(|pin| pin.digest.as_str()).collect();
    Ok(project.shelf().unpinned(&pinned))
}

/// The files in a folder.
fn size(folder: &Path) -> Amount {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => Amount { count: 1, bytes: meta.len() },
        Err(_) => Amount::default(),
    };
    entries.map(of).sum()
}

/// Runs that go and runs that stay, newest first.
struct Choice {
    go: Vec<String>,
    stay: Vec<String>,
}

async fn choose(store: &Store, policy: &Policy, now: Timestamp) -> Result<Choice, Trouble> {
    let runs = store.runs().list().map_err(trouble)?;
    let states = [State::Created, State::Intended, State::InDoubt];
    let open = store.ledger().in_states(&states, MOST).await.map_err(trouble)?;
    let unsettled: BTreeSet<&str> =
        open.iter().flat_map(|entry| [&*entry.made_by.0, &*entry.claim.run.0]).collect();
    let mut choice = Choice { go: Vec::new(), stay: Vec::new() };
    for (place, run) in runs.into_iter().enumerate() {
        let goes = policy.drops(place, &run, now)
            && !unsettled.contains(run.as_str())
            && !store.runs().is_going_on(&run);
        if goes { choice.go.push(run) } else { choice.stay.push(run) }
    }
    Ok(choice)
}

impl Policy {
    /// Whether a run goes by its place among the newest and its age.
    fn drops(&self, place: usize, run: &str, now: Timestamp) -> bool {
        if self.keep_runs.is_none() && self.older_than.is_none() {
            return false;
        }
        // A name that is no ULID has no time, and stays.
        let Ok(began) = ulid::Ulid::from_string(run) else { return false };
        let began: SystemTime = began.datetime();
        let old = |age: SignedDuration| {
            Timestamp::try_from(began).is_ok_and(|began| now.duration_since(began) > age)
        };
        self.keep_runs.is_none_or(|n| place >= n) && self.older_than.is_none_or(old)
    }
}

/// Keys and files that somebody refers to, and how many files of the user's do.
fn wanted(
    project: &Project,
    store: &Store,
    policy: &Policy,
    choice: &Choice,
) -> Result<(HashSet<Digest>, usize), Trouble> {
    let mut wanted = HashSet::new();
    for run in &choice.stay {
        wanted.extend(store.runs().digests(run).map_err(trouble)?);
    }
    let mut saved = 0;
    for run in choice.go.iter().filter(|_| !policy.saved) {
        let record = history::record(store, run)?;
        let of_legs = record.legs.iter().flat_map(|leg| &leg.saved);
        for file in of_legs.chain(record.output_files.values().flatten()) {
            if is_there(&project.root, file) && wanted.insert(file.artifact.digest) {
                saved += 1;
            }
        }
    }
    Ok((wanted, saved))
}

/// True while a saved file is there and looks as it did.
fn is_there(root: &Path, saved: &SavedRecord) -> bool {
    let (path, bytes) = (root.join(&saved.path), saved.artifact.bytes);
    let told = || user_file::read(&path).is_ok_and(|picture| picture.len() as u64 == bytes);
    let looks = |meta: fs::Metadata| meta.is_file() && (meta.len() == bytes || meta.len() > bytes && told());
    fs::metadata(&path).is_ok_and(looks)
}

/// Removes what processes left in a folder of outputs that died while they copied.
fn tidy(folder: &Path) -> Amount {
    let mut gone = Amount::default();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Ok(meta) = file.metadata() else { continue };
        if meta.is_dir() {
            let inner = tidy(&file.path());
            gone = [gone, inner].into_iter().sum();
        } else if meta.is_file() && is_temporary(&name) && fs::remove_file(file.path()).is_ok() {
            gone = Amount { count: gone.count + 1, bytes: gone.bytes + meta.len() };
        }
    }
    gone
}

/// True for what files are called while they are copied, and for `.sheet.png.4711.tmp`, as they
/// were called before.
fn is_temporary(name: &str) -> bool {
    let process = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp")?.rsplit_once('.'));
    let digits = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    crate::disk::is_unfinished(name) || process.is_some_and(|(_, process)| digits(process))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-26T08:00:00Z";

    fn run_of(time: &str) -> String {
        let at: Timestamp = time.parse().unwrap();
        ulid::Ulid::from_parts(at.as_millisecond() as u64, 7).to_string()
    }

    #[test]
    fn a_run_goes_when_it_is_neither_new_nor_young() {
        let now = NOW.parse().unwrap();
        let old = run_of("2026-10-01T08:00:00Z");
        let drops = |keep_runs, days: Option<i64>, place| {
            let older_than = days.map(|days| SignedDuration::from_hours(24 * days));
            Policy { keep_runs, older_than, saved: false }.drops(place, &old, now)
        };
        assert!(!drops(None, None, 99), "without a limit every run stays");
        assert_eq!([4, 5].map(|place| drops(Some(5), None, place)), [false, true]);
        assert_eq!([30, 90].map(|days| drops(None, Some(days), 0)), [true, false]);
        assert!(!drops(Some(5), Some(30), 2) && !drops(Some(5), Some(90), 9) && drops(Some(5), Some(30), 9));
        assert!(!Policy { keep_runs: Some(0), ..Policy::default() }.drops(0, "not a ulid", now));
    }

    #[test]
    fn only_what_is_named_like_a_copy_under_way_is_temporary() {
        assert!(is_temporary(".sheet.png.4711.tmp") && is_temporary(".report.html.1.tmp"));
        assert!(is_temporary(".castline-x7Yq2z.tmp"));
        for name in ["sheet.png", ".hidden.tmp", "a.4711.tmp", ".a.b4711.tmp", ".a..tmp", ".tmp"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
