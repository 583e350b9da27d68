//! The records of runs: a journal of events each, and what it came to.
//!
//! A journal is shown and replayed, never decided from; that is why a line lost in a power
//! cut is no loss, and why it is not flushed.
//!
//! Start reading at [`Runs::begin`].

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use castline_core::Digest;
use castline_core::event::SCHEMA_VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::error::StoreError;
use crate::owner::is_held;
use crate::plain;
use crate::shares::in_shares;

/// The file in a run's folder that asks for it to be canceled.
const CANCEL: &str = "cancel";

/// The events of a run.
const JOURNAL: &str = "journal.jsonl";
/// What a run came to.
const RECORD: &str = "record.json";
/// The same in short.
const SUMMARY: &str = "summary.json";
/// The file that is locked while the run goes on.
const LOCK: &str = "lock";
/// What is being removed ends with this.
const REMOVED: &str = ".removed";
/// What is being written ends with this.
const NEW: &str = ".new";

/// The records of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: PathBuf,
}

/// The journal of a run that goes on. While it is open no other process may have it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: File,
    lines: Vec<u8>,
    /// Held, never read.
    _lock: File,
}

impl Runs {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Begins the journal of a run, or goes on with it.
    pub fn begin(&self, run: &str) -> Result<Journal, StoreError> {
        let folder = self.of(run);
        check(&folder)?;
        fs::create_dir_all(&folder).map_err(StoreError::file("create the folder", &folder))?;
        let lock = lock(run, &folder)?;
        // What was asked of an earlier process does not concern this one.
        let _ = fs::remove_file(folder.join(CANCEL));
        let path = folder.join(JOURNAL);
        let file = open_whole(&path).map_err(StoreError::file("write", &path))?;
        Ok(Journal { folder, file, lines: Vec::new(), _lock: lock })
    }

    /// The ids of all runs, newest first. What is being removed is none.
    pub fn list(&self) -> Result<Vec<String>, StoreError> {
        let failed = || StoreError::file("read", &self.folder);
        let mut runs = Vec::new();
        for folder in fs::read_dir(&self.folder).map_err(failed())? {
            let folder = folder.map_err(failed())?;
            let name = folder.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && is_folder(&folder) {
                runs.push(name);
            }
        }
        // A ULID begins with the time of its making.
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// Hands out the events of a run, one after the other, until `each` answers false. A last
    /// line that was cut off is left out.
    pub fn each_event<T: DeserializeOwned>(
        &self,
        run: &str,
        mut each: impl FnMut(T) -> bool,
    ) -> Result<(), StoreError> {
        let path = self.of(run).join(JOURNAL);
        let failed = || StoreError::file("read", &path);
        let mut journal = BufReader::with_capacity(1 << 16, plain::open(&path).map_err(failed())?);
        let mut line = Vec::new();
        while journal.read_until(b'\n', &mut line).map_err(failed())? > 0 && line.ends_with(b"\n") {
            if line.len() > 1 && !each(parse(run, &path, &line)?) {
                break;
            }
            line.clear();
        }
        Ok(())
    }

    /// Every digest that stands in a run's journal or record, be it a key's or a file's.
    pub fn digests(&self, run: &str) -> Result<HashSet<Digest>, StoreError> {
        const SIGN: &str = "sha256:";
        let mut digests = HashSet::new();
        for name in [JOURNAL, RECORD] {
            let path = self.of(run).join(name);
            let text = match plain::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::file("read", &path)(error)),
            };
            let text = String::from_utf8_lossy(&text);
            let whole = |at: usize| -> Option<Digest> { text.get(at..at + SIGN.len() + 64)?.parse().ok() };
            digests.extend(text.match_indices(SIGN).filter_map(|(at, _)| whole(at)));
        }
        Ok(digests)
    }

    /// The first event of a run, without reading the others; none when there is none yet.
    pub fn first<T: DeserializeOwned>(&self, run: &str) -> Result<Option<T>, StoreError> {
        let path = self.of(run).join(JOURNAL);
        let mut line = String::new();
        match plain::open(&path).and_then(|journal| BufReader::new(journal).read_line(&mut line)) {
            Ok(_) if line.ends_with('\n') => parse(run, &path, line.as_bytes()).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &path)(error)),
        }
    }

    /// What a run came to; none when it never came to an end.
    pub fn record<T: DeserializeOwned>(&self, run: &str) -> Result<Option<T>, StoreError> {
        let path = self.of(run).join(RECORD);
        match plain::read(&path) {
            Ok(text) => parse(run, &path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &path)(error)),
        }
    }

    /// A run in short, as it was kept; none when it was not, or the run has gone on since.
    pub fn summary<T: DeserializeOwned>(&self, run: &str) -> Option<T> {
        let folder = self.of(run);
        let kept: Stamped<T> = serde_json::from_slice(&plain::read(&folder.join(SUMMARY)).ok()?).ok()?;
        let is_known = kept.schema_version == SCHEMA_VERSION;
        (is_known && kept.journal_bytes == journal_bytes(&folder)).then_some(kept.summary)
    }

    /// Keeps a run in short, so that nobody has to read its journal again for that. Failing to
    /// costs time and nothing else.
    pub fn keep_summary<T: Serialize>(&self, run: &str, summary: &T) {
        let folder = self.of(run);
        if check(&folder).is_err() {
            return;
        }
        let kept = Stamped::new(&folder, summary);
        let _ = replace(&folder.join(SUMMARY), &kept);
    }

    /// True while a process has the run's journal open.
    pub fn is_going_on(&self, run: &str) -> bool {
        is_held(&self.of(run).join(LOCK)).unwrap_or(false)
    }

    /// Asks the process that a run is in to cancel it; false when it is in none.
    pub fn ask_to_cancel(&self, run: &str) -> Result<bool, StoreError> {
        check(&self.of(run))?;
        let path = self.of(run).join(CANCEL);
        if self.is_going_on(run) {
            fs::write(&path, "").map_err(StoreError::file("write", &path))?;
        }
        // It may have ended in between, and would leave the wish to its successor.
        let heard = self.is_going_on(run);
        if !heard {
            let _ = fs::remove_file(&path);
        }
        Ok(heard)
    }

    /// Removes the record of a run that does not go on. Its results stay in the ledger.
    pub fn remove(&self, run: &str) -> Result<(), StoreError> {
        let folder = self.of(run);
        if self.is_going_on(run) {
            return Err(StoreError::RunGoesOn { run: run.to_owned() });
        }
        // Gone in one step, however long the rest takes.
        let gone = {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            folder.with_file_name(format!(".{name}{REMOVED}"))
        };
        fs::rename(&folder, &gone).map_err(StoreError::file("remove", &folder))?;
        fs::remove_dir_all(&gone).map_err(StoreError::file("remove", &gone))
    }

    /// Removes what processes left that died while they removed or wrote something, and nothing else.
    pub(crate) fn sweep(&self) {
        for folder in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = folder.file_name().to_string_lossy().into_owned();
            if !is_folder(&folder) {
                continue;
            }
            if name.starts_with('.') {
                if name.ends_with(REMOVED) {
                    let _ = fs::remove_dir_all(folder.path());
                }
            } else if !self.is_going_on(&name) {
                let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
                files.map(|file| file.path()).filter(|path| is_new(path) && plain::is_file(path)).for_each(
                    |path| {
                        let _ = fs::remove_file(path);
                    },
                );
            }
        }
    }

    /// The folder of a run's files.
    pub fn of(&self, run: &str) -> PathBuf {
        // A run's name comes from the command line; it stays inside.
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
        self.folder.join(run.chars().map(plain).collect::<String>())
    }
}

impl Journal {
    /// True once somebody asked for the run to be canceled. To be looked at now and then:
    /// a file is seen everywhere, also where file events are not.
    pub fn is_to_cancel(&self) -> bool {
        self.folder.join(CANCEL).exists()
    }

    /// Writes events down. A reader sees all of each or nothing.
    pub fn append<T: Serialize + Sync>(&mut self, events: &[T]) -> Result<(), StoreError> {
        /// Events that are written at once, and of those as many as are worth a thread.
        const MANY: usize = 1_000;
        const SHARE: usize = 200;
        let path = self.folder.join(JOURNAL);
        for events in events.chunks(MANY) {
            let lines = if events.len() < SHARE {
                lines(events, &mut self.lines).and_then(|()| self.file.write_all(&self.lines))
            } else {
                let shares = in_shares(events, SHARE, |share| {
                    let mut text = Vec::new();
                    vec![lines(share, &mut text).map(|()| text)]
                });
                shares.into_iter().try_for_each(|lines| self.file.write_all(&lines?))
            };
            lines.map_err(StoreError::file("write", &path))?;
        }
        Ok(())
    }

    /// Writes down what the run came to, whole and in short, each in one step.
    pub fn finish<T: Serialize, S: Serialize>(self, record: &T, summary: &S) -> Result<(), StoreError> {
        let path = self.folder.join(RECORD);
        replace(&path, record).map_err(StoreError::file("write", &path))?;
        let kept = Stamped::new(&self.folder, summary);
        let path = self.folder.join(SUMMARY);
        replace(&path, &kept).map_err(StoreError::file("write", &path))
    }
}

/// A line for each event, in place of what the text was.
fn lines<T: Serialize>(events: &[T], to: &mut Vec<u8>) -> io::Result<()> {
    to.clear();
    events.iter().try_for_each(|event| {
        serde_json::to_writer(&mut *to, event)?;
        to.push(b'\n');
        Ok(())
    })
}

/// A run in short, and how long its journal was then.
#[derive(Serialize, Deserialize)]
struct Stamped<T> {
    /// One of another version is made anew.
    schema_version: u32,
    journal_bytes: u64,
    summary: T,
}

impl<T> Stamped<T> {
    fn new(folder: &Path, summary: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, journal_bytes: journal_bytes(folder), summary }
    }
}

/// Reads a line of a journal, or a record.
fn parse<T: DeserializeOwned>(run: &str, path: &Path, text: &[u8]) -> Result<T, StoreError> {
    /// The version alone: what else stands in a newer one may be anything.
    #[derive(Deserialize)]
    struct Written {
        schema_version: u64,
    }
    let damaged = match serde_json::from_slice(text) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let path = path.to_owned();
    Err(match serde_json::from_slice(text) {
        Ok(Written { schema_version: found }) if found > u64::from(SCHEMA_VERSION) => {
            StoreError::NewerRecord { path, found, known: SCHEMA_VERSION }
        }
        _ => StoreError::DamagedRecord { run: run.to_owned(), path, cause: damaged.to_string() },
    })
}

fn journal_bytes(folder: &Path) -> u64 {
    fs::metadata(folder.join(JOURNAL)).map_or(0, |meta| meta.len())
}

/// Writes a file in one step: readers see the old one or the new one. Until then it has a name that nobody
/// can have put there before.
fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension(format!("{}{NEW}", Ulid::generate()));
    let file = File::create_new(&new)?;
    let write = || {
        let mut file = BufWriter::with_capacity(1 << 18, file);
        serde_json::to_writer(&mut file, content)?;
        file.flush()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// True for what [`replace`] has begun.
fn is_new(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(NEW) && [RECORD, SUMMARY].iter().any(|file| name.starts_with(&file[..file.len() - 4]))
}

fn is_folder(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// Refuses the folder of a run that is a link or has one where castline writes.
fn check(folder: &Path) -> Result<(), StoreError> {
    plain::check_folder(folder)?;
    [LOCK, CANCEL, JOURNAL, RECORD, SUMMARY].iter().try_for_each(|file| plain::check_file(&folder.join(file)))
}

fn lock(run: &str, folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let lock = File::create(&path).map_err(StoreError::file("create", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::RunGoesOn { run: run.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::file("lock", &path)(error)),
    }
}

/// Opens a journal at its end, after the last whole line.
fn open_whole(path: &Path) -> io::Result<File> {
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    let mut end = file.metadata()?.len();
    let mut last = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut last)?;
        if last[0] == b'\n' {
            break;
        }
        end -= 1;
    }
    file.set_len(end)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> (tempfile::TempDir, Runs) {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::new(folder.path().to_owned());
        (folder, runs)
    }

    #[test]
    fn a_journal_goes_on_after_a_line_that_was_cut_off() {
        let (_folder, runs) = runs();
        let mut journal = runs.begin("01A").unwrap();
        journal.append(&[1]).unwrap();
        journal.append(&["two"]).unwrap();
        drop(journal);
        let path = runs.of("01A").join(JOURNAL);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"cut\": \"o");
        fs::write(&path, text).unwrap();

        let mut events = Vec::new();
        runs.each_event("01A", |event: serde_json::Value| {
            events.push(event);
            true
        })
        .unwrap();
        assert_eq!(events, [serde_json::json!(1), serde_json::json!("two")]);
        assert_eq!(runs.first("01A").unwrap(), Some(1));
        assert_eq!(runs.first::<u32>("01B").unwrap(), None);
        runs.begin("01A").unwrap().append(&[3]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n\"two\"\n3\n");
    }

    #[test]
    fn a_run_is_in_one_process_at_a_time() {
        let (_folder, runs) = runs();
        let journal = runs.begin("01A").unwrap();
        assert!(runs.is_going_on("01A"));
        assert!(matches!(runs.begin("01A").unwrap_err(), StoreError::RunGoesOn { .. }));
        assert!(runs.remove("01A").is_err());
        drop(journal);
        assert!(!runs.is_going_on("01A"));
        runs.remove("01A").unwrap();
        assert_eq!(runs.list().unwrap(), [""; 0]);
    }

    #[test]
    fn a_run_that_goes_on_can_be_asked_to_cancel_and_a_later_one_is_not() {
        let (_folder, runs) = runs();
        let journal = runs.begin("01A").unwrap();
        assert!(!journal.is_to_cancel());
        assert!(runs.ask_to_cancel("01A").unwrap());
        assert!(journal.is_to_cancel());
        drop(journal);
        assert!(!runs.ask_to_cancel("01A").unwrap());
        assert!(!runs.begin("01A").unwrap().is_to_cancel());
    }

    #[test]
    fn runs_are_listed_newest_first_and_unfinished_ones_have_no_record() {
        let (_folder, runs) = runs();
        runs.begin("01A").unwrap().finish(&"done", &"in short").unwrap();
        runs.begin("01B").unwrap();
        assert_eq!(runs.list().unwrap(), ["01B", "01A"]);
        assert_eq!(runs.record::<String>("01A").unwrap().as_deref(), Some("done"));
        assert_eq!(runs.record::<String>("01B").unwrap(), None);
    }

    #[test]
    fn a_run_in_short_is_good_until_the_run_goes_on() {
        let (_folder, runs) = runs();
        let mut journal = runs.begin("01A").unwrap();
        journal.append(&[1]).unwrap();
        journal.finish(&"all of it", &"in short").unwrap();
        assert_eq!(runs.summary::<String>("01A").as_deref(), Some("in short"));
        runs.begin("01A").unwrap().append(&[2]).unwrap();
        assert_eq!(runs.summary::<String>("01A"), None);
        runs.keep_summary("01A", &"both");
        assert_eq!(runs.summary::<String>("01A").as_deref(), Some("both"));
        assert_eq!(runs.summary::<u32>("01A"), None, "of another form");
    }

    #[test]
    fn a_newer_record_is_called_newer_and_a_damaged_one_says_how_to_remove_it() {
        type Known = std::collections::BTreeMap<String, u32>;
        let (_folder, runs) = runs();
        let written = |run: &str, version: u32| {
            let record = serde_json::json!({ "schema_version": version, "status": "paused" });
            let mut journal = runs.begin(run).unwrap();
            journal.append(&[&record]).unwrap();
            journal.finish(&record, &()).unwrap();
            let errors = [
                runs.record::<Known>(run).unwrap_err(),
                runs.first::<Known>(run).unwrap_err(),
                runs.each_event::<Known>(run, |_| true).unwrap_err(),
            ];
            errors.map(|error| error.hint().unwrap())
        };
        assert_eq!(written("01A", 2), ["a newer castline wrote it: update castline"; 3]);
        assert_eq!(
            written("01B", 1),
            ["`castline runs rm 01B` removes it; what the run made is still reused"; 3]
        );
    }

    #[test]
    fn every_digest_of_a_journal_is_found() {
        let (_folder, runs) = runs();
        let (boat, kite, sky) = (Digest::of(b"boat"), Digest::of(b"kite"), Digest::of(b"sky"));
        let mut journal = runs.begin("01A").unwrap();
        journal
            .append(&[serde_json::json!({ "key": boat, "text": format!("a {kite}, and sha256:12") })])
            .unwrap();
        journal.finish(&[sky], &()).unwrap();
        assert_eq!(runs.digests("01A").unwrap(), HashSet::from([boat, kite, sky]));
        assert_eq!(runs.digests("01B").unwrap(), HashSet::new());
    }

    #[test]
    fn what_was_removed_by_half_is_no_run_and_swept() {
        let (folder, runs) = runs();
        runs.begin("01A").unwrap();
        fs::rename(runs.of("01A"), folder.path().join(".01A.removed")).unwrap();
        let going_on = runs.begin("01B").unwrap();
        fs::write(runs.of("01B").join("record.1.new"), "half").unwrap();
        runs.begin("01C").unwrap();
        fs::write(runs.of("01C").join("record.1.new"), "half").unwrap();
        assert_eq!(runs.list().unwrap(), ["01C", "01B"]);
        runs.sweep();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(!runs.of("01C").join("record.1.new").exists());
        assert!(runs.of("01B").join("record.1.new").exists(), "it may be written right now");
        drop(going_on);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_removed_or_written_where_a_link_leads() {
        use std::os::unix::fs::symlink;
        let (folder, runs) = runs();
        let other = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(other.path().join("record.1.new"), "theirs").unwrap();
        fs::write(other.path().join("letter.txt"), "dear").unwrap();
        symlink(other.path(), runs.of("01A")).unwrap();
        runs.begin("01B").unwrap();
        fs::write(runs.of("01B").join("letter.new"), "dear").unwrap();
        symlink(other.path().join("letter.txt"), runs.of("01B").join("journal.jsonl.link")).unwrap();
        runs.sweep();
        assert!(folder.path().join(".git").exists() && runs.of("01B").join("letter.new").exists());
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 2);
        assert_eq!(runs.list().unwrap(), ["01B"]);
        assert!(matches!(runs.begin("01A").unwrap_err(), StoreError::Link { .. }));
        for name in [LOCK, CANCEL, JOURNAL] {
            let path = runs.of("01B").join(name);
            let _ = fs::remove_file(&path);
            symlink(other.path().join("letter.txt"), &path).unwrap();
            assert!(matches!(runs.begin("01B").unwrap_err(), StoreError::Link { .. }), "{name}");
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_to_string(other.path().join("letter.txt")).unwrap(), "dear");
    }

    #[cfg(unix)]
    #[test]
    fn a_record_is_written_through_no_link_that_was_put_there() {
        let (_folder, runs) = runs();
        let journal = runs.begin("01A").unwrap();
        let other = tempfile::tempdir().unwrap();
        let letter = other.path().join("letter.txt");
        fs::write(&letter, "dear").unwrap();
        let planted = format!("record.{}.new", std::process::id());
        for name in [planted.as_str(), RECORD, SUMMARY] {
            std::os::unix::fs::symlink(&letter, runs.of("01A").join(name)).unwrap();
        }
        journal.finish(&"done", &"in short").unwrap();
        assert_eq!(fs::read_to_string(&letter).unwrap(), "dear");
        assert_eq!(runs.record::<String>("01A").unwrap().as_deref(), Some("done"));
    }

    #[test]
    fn a_run_cannot_be_named_out_of_its_folder() {
        let (folder, runs) = runs();
        assert_eq!(runs.of("../../etc").parent(), Some(folder.path()));
    }
}
