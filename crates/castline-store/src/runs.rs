//! The records of runs: a journal of events each, and what it came to.
//!
//! A journal is shown and replayed, never decided from; that is why a line lost in a power
//! cut is no loss, and why it is not flushed.
//!
//! Start reading at [`Runs::begin`].

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::owner::is_held;

/// The file in a run's folder that asks for it to be canceled.
const CANCEL: &str = "cancel";

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
        fs::create_dir_all(&folder).map_err(StoreError::file("create the folder", &folder))?;
        let lock = lock(run, &folder)?;
        // What was asked of an earlier process does not concern this one.
        let _ = fs::remove_file(folder.join(CANCEL));
        let path = folder.join("journal.jsonl");
        let file = open_whole(&path).map_err(StoreError::file("write", &path))?;
        Ok(Journal { folder, file, lines: Vec::new(), _lock: lock })
    }

    /// The ids of all runs, newest first.
    pub fn list(&self) -> Result<Vec<String>, StoreError> {
        let failed = || StoreError::file("read", &self.folder);
        let mut runs = Vec::new();
        for folder in fs::read_dir(&self.folder).map_err(failed())? {
            runs.push(folder.map_err(failed())?.file_name().to_string_lossy().into_owned());
        }
        // A ULID begins with the time of its making.
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// The events of a run. A last line that was cut off is left out.
    pub fn events<T: DeserializeOwned>(&self, run: &str) -> Result<Vec<T>, StoreError> {
        let path = self.of(run).join("journal.jsonl");
        let text = fs::read(&path).map_err(StoreError::file("read", &path))?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines = text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).map_err(io::Error::from))
            .collect::<io::Result<_>>()
            .map_err(StoreError::file("read", &path))
    }

    /// The first event of a run, without reading the others; none when there is none yet.
    pub fn first<T: DeserializeOwned>(&self, run: &str) -> Result<Option<T>, StoreError> {
        let path = self.of(run).join("journal.jsonl");
        let failed = StoreError::file("read", &path);
        let read = || {
            let mut line = String::new();
            BufReader::new(File::open(&path)?).read_line(&mut line)?;
            if line.ends_with('\n') {
                serde_json::from_str(&line).map(Some).map_err(io::Error::from)
            } else {
                Ok(None)
            }
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(failed),
        }
    }

    /// What a run came to; none when it never came to an end.
    pub fn record<T: DeserializeOwned>(&self, run: &str) -> Result<Option<T>, StoreError> {
        let path = self.of(run).join("record.json");
        let failed = StoreError::file("read", &path);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// True while a process has the run's journal open.
    pub fn is_going_on(&self, run: &str) -> bool {
        is_held(&self.of(run).join("lock")).unwrap_or(false)
    }

    /// Asks the process that a run is in to cancel it; false when it is in none.
    pub fn ask_to_cancel(&self, run: &str) -> Result<bool, StoreError> {
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
        fs::remove_dir_all(&folder).map_err(StoreError::file("remove", &folder))
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
    pub fn append<T: Serialize>(&mut self, events: &[T]) -> Result<(), StoreError> {
        /// Bytes that are written at once.
        const MANY: usize = 256 * 1024;
        let path = self.folder.join("journal.jsonl");
        self.lines.clear();
        for (number, event) in events.iter().enumerate() {
            serde_json::to_writer(&mut self.lines, event)
                .map_err(io::Error::from)
                .map_err(StoreError::file("write", &path))?;
            self.lines.push(b'\n');
            if self.lines.len() >= MANY || number + 1 == events.len() {
                self.file.write_all(&self.lines).map_err(StoreError::file("write", &path))?;
                self.lines.clear();
            }
        }
        Ok(())
    }

    /// Writes down what the run came to, in one step.
    pub fn finish<T: Serialize>(self, record: &T) -> Result<(), StoreError> {
        let (new, path) = (self.folder.join("record.json.new"), self.folder.join("record.json"));
        let write = || {
            fs::write(&new, serde_json::to_vec(record)?)?;
            fs::rename(&new, &path)
        };
        write().map_err(StoreError::file("write", &path))
    }
}

fn lock(run: &str, folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
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
        let path = runs.of("01A").join("journal.jsonl");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"cut\": \"o");
        fs::write(&path, text).unwrap();

        assert_eq!(runs.events::<serde_json::Value>("01A").unwrap().len(), 2);
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
        runs.begin("01A").unwrap().finish(&"done").unwrap();
        runs.begin("01B").unwrap();
        assert_eq!(runs.list().unwrap(), ["01B", "01A"]);
        assert_eq!(runs.record::<String>("01A").unwrap().as_deref(), Some("done"));
        assert_eq!(runs.record::<String>("01B").unwrap(), None);
    }

    #[test]
    fn a_run_cannot_be_named_out_of_its_folder() {
        let (folder, runs) = runs();
        assert_eq!(runs.of("../../etc").parent(), Some(folder.path()));
    }
}
