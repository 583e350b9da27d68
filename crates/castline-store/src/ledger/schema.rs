//! The database: its tables, its version, and how an older one becomes a newer one.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::StoreError;

use super::rows::RowError;

/// Marks the file as ours: "cast".
const APPLICATION: i64 = 0x6361_7374;
/// How long another process may hold the database. A commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What makes version n of version n - 1; the first makes version 1 of an empty file.
const STEPS: &[&str] = &[
    "
    CREATE TABLE entries (
        key BLOB PRIMARY KEY,
        state TEXT NOT NULL,
        owner TEXT NOT NULL,
        claim INTEGER NOT NULL,
        model TEXT NOT NULL,
        provider TEXT NOT NULL,
        prediction TEXT,
        intended INTEGER NOT NULL,
        ended INTEGER,
        predict_seconds REAL,
        output TEXT,
        entry TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entries_of_model ON entries (model, state, intended);
    CREATE INDEX entries_unfinished ON entries (state, intended) WHERE state <> 'succeeded';
    CREATE TABLE holds (
        account TEXT NOT NULL,
        key BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        at INTEGER NOT NULL,
        reserved INTEGER,
        settled INTEGER,
        run TEXT NOT NULL,
        model TEXT NOT NULL,
        provider TEXT NOT NULL,
        PRIMARY KEY (account, key, attempt)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX holds_by_time ON holds (account, at, reserved, settled);
    CREATE INDEX holds_open ON holds (account, at, reserved) WHERE settled IS NULL;
    CREATE TABLE accounts (account TEXT PRIMARY KEY, most INTEGER) STRICT, WITHOUT ROWID;
    CREATE TABLE blobs (digest BLOB PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        artifact TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE syncs (id INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
    INSERT INTO syncs VALUES (1, 0);
",
    "
    CREATE TABLE wants (
        key BLOB NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (key, owner)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE links (
        digest BLOB NOT NULL,
        whose TEXT NOT NULL,
        url TEXT NOT NULL,
        until INTEGER,
        PRIMARY KEY (digest, whose)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_by_end ON links (until) WHERE until IS NOT NULL;
    CREATE INDEX holds_of_key ON holds (key);
    -- Entries forget the prediction of a create that failed when there is another.
    CREATE TABLE predictions (
        provider TEXT NOT NULL,
        prediction TEXT NOT NULL,
        PRIMARY KEY (provider, prediction)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO predictions SELECT provider, prediction FROM entries WHERE prediction IS NOT NULL;
",
    "
    -- Entries that were removed to make room, with the number of their last claim.
    CREATE TABLE forgotten (key BLOB PRIMARY KEY, claim INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
];

/// Opens the database, makes it when it is not there, and brings it up to date.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    open_with(path, STEPS)
}

/// Whether [`open`] would take this database. Nothing is changed.
pub(crate) fn check(path: &Path) -> Result<(), StoreError> {
    let db = connect(path)?;
    version_of(&db, path).and_then(|version| check_version(version, STEPS, path))
}

fn check_version(found: i64, steps: &[&str], path: &Path) -> Result<(), StoreError> {
    let known = steps.len().cast_signed() as i64;
    match found > known {
        true => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        false => Ok(()),
    }
}

/// A further connection to a database that [`open`] has opened.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database("open", path);
    let connect = || {
        let db = Connection::open(path)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(db)
    };
    connect().map_err(failed)
}

/// A database that nobody writes, as it was when it was opened.
#[derive(Debug, PartialEq)]
pub(crate) struct Still(Option<(u64, SystemTime)>);

impl Still {
    fn of(path: &Path) -> Self {
        Self(fs::metadata(path).and_then(|meta| Ok((meta.len(), meta.modified()?))).ok())
    }

    /// True while nobody has come who writes.
    pub(crate) fn is_so(&self, path: &Path) -> bool {
        !has_log(path) && *self == Self::of(path)
    }
}

/// True while something of it is, or may soon be, in a file of its own.
fn has_log(path: &Path) -> bool {
    fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0)
}

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// A connection to a database that cannot be written from here. Beside somebody who writes it follows
/// them; where nobody does, the file is all there is, and [`Still`] tells when that is so no longer.
pub(crate) fn look(path: &Path) -> Result<(Connection, Option<Still>), StoreError> {
    // Its words are plainer than SQLite's.
    fs::File::open(path).map_err(StoreError::file("read", path))?;
    let failed = || StoreError::database("open", path);
    let connect = |text: &str| -> rusqlite::Result<Connection> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(text, flags)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(32);
        // Only now the files are opened.
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(db)
    };
    let address = address(path);
    let still = Still::of(path);
    let (db, still) = match connect(&address) {
        Ok(db) => (db, None),
        Err(error) if !cannot(&error) => return Err(failed()(error)),
        Err(_) if has_log(path) => {
            let why = format!("what was written last is in `{}` yet", log_of(path).display());
            return Err(StoreError::ReadOnly { path: path.to_owned(), why });
        }
        Err(_) => (connect(&format!("{address}?immutable=1")).map_err(failed())?, Some(still)),
    };
    let (version, known) = (version_of(&db, path)?, STEPS.len().cast_signed() as i64);
    check_version(version, STEPS, path)?;
    if version < known {
        let why = format!("it has the form of an older castline, version {version}");
        return Err(StoreError::ReadOnly { path: path.to_owned(), why });
    }
    Ok((db, still))
}

/// True where the files beside the database cannot be made, or used.
fn cannot(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// A path as SQLite takes it with further wishes.
fn address(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escaped: String = text
        .chars()
        .map(|c| if matches!(c, '%' | '?' | '#') { format!("%{:02x}", c as u32) } else { c.to_string() })
        .collect();
    format!("file:{escaped}")
}

fn open_with(path: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    let mut db = connect(path)?;
    let failed = || StoreError::database("open", path);
    let known = steps.len().cast_signed() as i64;
    let version = version_of(&db, path)?;
    check_version(version, steps, path)?;
    if version > 0 && version < known {
        keep_copy(&db, path, version)?;
    }
    // Writing ahead is a property of the file; saying so again costs nothing.
    patiently(|| db.pragma_update(None, "journal_mode", "wal")).map_err(failed())?;
    if version < known {
        migrate(&mut db, steps).map_err(failed())?;
    }
    Ok(db)
}

/// Refuses a database that a newer castline has changed since [`open`] opened it.
pub(crate) fn check_known(db: &Connection, path: &Path) -> Result<(), RowError> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(check_version(found, STEPS, path)?)
}

/// The version of a ledger; an empty file has version 0.
fn version_of(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    // Of one moment: another process may be making it.
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        let moment = db.unchecked_transaction()?;
        let pragma = |name| moment.pragma_query_value(None, name, |row| row.get(0));
        let tables = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    match read().map_err(StoreError::database("open", path))? {
        (APPLICATION, version, _) => Ok(version),
        (0, 0, 0) => Ok(0),
        _ => Err(StoreError::NotALedger { path: path.to_owned() }),
    }
}

/// Keeps the database as it is beside it, before its form changes.
fn keep_copy(db: &Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let copy = copy_of(path, version);
    if copy.exists() {
        return Ok(());
    }
    // Half a copy is never taken for one.
    let new = copy.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&new);
    let text = new.to_string_lossy();
    let copied = db.execute("VACUUM INTO ?1", [text.as_ref()]).map_err(StoreError::database("copy", path));
    let kept = copied.and_then(|_| fs::rename(&new, &copy).map_err(StoreError::file("write", &copy)));
    kept.inspect_err(|_| drop(fs::remove_file(&new)))
}

fn copy_of(path: &Path, version: i64) -> PathBuf {
    path.with_extension(format!("v{version}.db"))
}

/// One transaction from whatever version it has, as another process may have been faster.
fn migrate(db: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in steps.iter().skip(version as usize) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", version.max(steps.len().cast_signed() as i64))?;
    change.commit()
}

/// SQLite does not wait for others when it changes the journal mode.
fn patiently(mut change: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match change() {
            Err(error) if busy(&error) && began.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(db: &Connection) -> i64 {
        db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_newer_ledger_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 7, known: 3, .. }), "{error}");
        assert!(error.hint().unwrap().starts_with("update castline"));
        assert_eq!(version(&Connection::open(&path).unwrap()), 7);
    }

    #[test]
    fn an_older_ledger_is_copied_and_then_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        open_with(&path, &STEPS[..1]).unwrap();
        let steps = [STEPS[0], "ALTER TABLE accounts ADD COLUMN note TEXT"];
        let db = open_with(&path, &steps).unwrap();
        db.execute("INSERT INTO accounts VALUES ('day', NULL, 'new')", []).unwrap();
        assert_eq!(version(&db), 2);
        assert_eq!(version(&Connection::open(copy_of(&path, 1)).unwrap()), 1);
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        assert_eq!(files.filter(|name| name.to_string_lossy().ends_with(".new")).count(), 0);
    }

    #[test]
    fn a_failed_change_leaves_the_older_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        open_with(&path, &STEPS[..1]).unwrap();
        let steps = [STEPS[0], "CREATE TABLE more (a INTEGER); nonsense"];
        assert!(open_with(&path, &steps).is_err());
        let db = open_with(&path, &STEPS[..1]).unwrap();
        assert_eq!(version(&db), 1);
        assert!(db.execute("INSERT INTO more VALUES (1)", []).is_err());
    }

    #[test]
    fn another_database_is_not_taken_for_a_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
        assert!(matches!(open(&path).unwrap_err(), StoreError::NotALedger { .. }));
        fs::write(&path, "these are certainly not the bytes of a database, but enough of them").unwrap();
        let error = open(&path).unwrap_err();
        assert!(error.hint().unwrap().contains("damaged"), "{error}");
    }
}
