//! A store is made of plain files and folders.
//!
//! It lies in the project's folder, and a project may come from a stranger, with links in it. What castline
//! follows there it would write, cut short and clear away elsewhere; so that links are refused, and what
//! could block whoever opens it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use crate::error::StoreError;
use crate::ledger::LEDGER_FILE;

/// The folders that castline makes in a store.
const FOLDERS: &[&str] = &[
    "owners",
    "incoming",
    "uses",
    "runs",
    "rates",
    "settled",
    "blobs",
    "blobs/sha256",
    "libraries",
    "libraries/sha256",
];

/// Refuses a store in this folder whose own folders and files are something else.
pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    FOLDERS.iter().try_for_each(|inner| check_folder(&folder.join(inner)))?;
    let of_ledger = ["", "-wal", "-shm", "-journal"].map(|end| format!("{LEDGER_FILE}{end}"));
    let files = of_ledger.iter().map(String::as_str).chain(["gc.lock", ".gitignore"]);
    files.map(|file| folder.join(file)).try_for_each(|file| check_file(&file))
}

/// Refuses what is there and no folder.
pub(crate) fn check_folder(path: &Path) -> Result<(), StoreError> {
    refuse(path, Metadata::is_dir, "no folder")
}

/// Refuses what is there and no plain file.
pub(crate) fn check_file(path: &Path) -> Result<(), StoreError> {
    refuse(path, Metadata::is_file, "no plain file")
}

fn refuse(path: &Path, is_right: fn(&Metadata) -> bool, otherwise: &'static str) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => Err(StoreError::Link { path: path.to_owned() }),
        Ok(meta) if !is_right(&meta) => Err(StoreError::NotPlain { path: path.to_owned(), is: otherwise }),
        // What cannot be looked at cannot be used either, and whoever uses it says so.
        _ => Ok(()),
    }
}

/// True for a plain file, and for no link to one.
pub(crate) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Opens a plain file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    File::open(path)
}

/// The bytes of a plain file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::Store;

    /// A folder of the user's, and a store that leads there.
    fn scene() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("theirs/.hidden")).unwrap();
        fs::write(folder.path().join("theirs/letter.txt"), "dear").unwrap();
        let store = folder.path().join(".castline");
        (folder, store)
    }

    #[test]
    fn a_store_with_a_link_in_it_is_refused_and_nothing_is_done_where_it_leads() {
        let files =
            [LEDGER_FILE, "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "gc.lock", ".gitignore"];
        let all = FOLDERS.iter().map(|name| (name, "theirs")).chain(files.iter().map(|name| (name, "none")));
        for (name, target) in all {
            let (folder, store) = scene();
            fs::create_dir_all(store.join(name).parent().unwrap()).unwrap();
            let target = folder.path().join(target);
            symlink(&target, store.join(name)).unwrap();
            let found = Store::open(&store).unwrap_err();
            assert_eq!(found.to_string(), format!("the store has a link, `{}`", store.join(name).display()));
            assert_eq!(found.hint().unwrap(), "remove the link: a store is made of plain files");
            assert!(Store::check(&store).is_err(), "{name}");
            let theirs = fs::read_dir(folder.path().join("theirs")).unwrap().count();
            assert_eq!((theirs, folder.path().join("none").exists()), (2, false), "{name}");
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused_and_not_waited_for() {
        let (_folder, store) = scene();
        fs::create_dir_all(store.join("gc.lock")).unwrap();
        let found = Store::open(&store).unwrap_err();
        assert!(found.to_string().ends_with("gc.lock`, which is no plain file"), "{found}");
        fs::remove_dir(store.join("gc.lock")).unwrap();
        for pipe in [LEDGER_FILE, "gc.lock"] {
            let made = std::process::Command::new("mkfifo").arg(store.join(pipe)).status();
            if made.is_ok_and(|status| status.success()) {
                assert!(matches!(Store::open(&store).unwrap_err(), StoreError::NotPlain { .. }), "{pipe}");
                fs::remove_file(store.join(pipe)).unwrap();
            }
        }
        Store::open(&store).unwrap();
    }

    #[test]
    fn a_store_is_made_for_its_user_alone_and_one_that_is_there_stays_as_it_is() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, store) = scene();
        let mode = || fs::metadata(&store).unwrap().permissions().mode() & 0o777;
        Store::open(&store).unwrap();
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
        Store::open(&store).unwrap();
        assert_eq!(mode(), 0o755);
    }

    #[test]
    fn a_store_may_be_behind_a_link_of_the_users() {
        let (folder, store) = scene();
        fs::create_dir(folder.path().join("large disk")).unwrap();
        symlink(folder.path().join("large disk"), &store).unwrap();
        Store::open(&store).unwrap();
        assert!(folder.path().join("large disk").join(LEDGER_FILE).exists());
    }
}
