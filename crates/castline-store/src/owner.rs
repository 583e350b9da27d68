//! Processes that work on predictions, known by locks that die with them.
//!
//! An owner lives exactly while it holds the exclusive lock on its file: the kernel frees
//! it at the process's death and only then, so that there is no lease, no heartbeat and no
//! clock. What an owner's death means is judged in `castline_core::ledger`.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use castline_core::ledger::OwnerId;
use ulid::Ulid;

use crate::error::StoreError;
use crate::plain;

/// A file that is locked before it gets its name ends with this until then.
const UNNAMED: &str = ".new";
/// A lock that is only tried ends with this.
const PROBE: &str = ".probe";
/// How old an unnamed file is that nobody is about to lock any more.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// This process among the owners.
#[derive(Debug)]
pub(crate) struct Owners {
    folder: PathBuf,
    me: OwnerId,
    /// Held, never read: dropping it is death. None for who only looks, and owns nothing.
    lock: Option<File>,
    /// The dead stay dead: ids are never used again.
    dead: Mutex<HashSet<OwnerId>>,
}

impl Owners {
    /// Becomes an owner. The file is locked before it has its name, so that no other
    /// process can find it without its lock and take it for a dead one's.
    pub(crate) fn join(folder: &Path) -> Result<Self, StoreError> {
        let id = Ulid::generate().to_string();
        let (unnamed, named) = (folder.join(format!("{id}{UNNAMED}")), folder.join(&id));
        let lock = File::create_new(&unnamed).map_err(StoreError::file("create", &unnamed))?;
        lock.lock().map_err(StoreError::file("lock", &unnamed))?;
        fs::rename(&unnamed, &named).map_err(StoreError::file("create", &named))?;
        let me = OwnerId::from(id.as_str());
        Ok(Self { folder: folder.to_owned(), me, lock: Some(lock), dead: Mutex::default() })
    }

    /// Sees the owners, and becomes none.
    pub(crate) fn look(folder: &Path) -> Self {
        let me = OwnerId::from(Ulid::generate().to_string().as_str());
        Self { folder: folder.to_owned(), me, lock: None, dead: Mutex::default() }
    }

    /// This process.
    pub(crate) fn me(&self) -> &OwnerId {
        &self.me
    }

    /// True while the owner's process lives, and when that cannot be found out.
    pub(crate) fn alive(&self, owner: &OwnerId) -> bool {
        if *owner == self.me {
            return true;
        }
        if owner.is_nobody()
            || !is_name(&owner.0)
            || self.dead.lock().expect("nobody panics while holding it").contains(owner)
        {
            return false;
        }
        let alive = is_locked(&self.folder.join(&*owner.0));
        if !alive {
            self.dead.lock().expect("nobody panics while holding it").insert(owner.clone());
        }
        alive
    }

    /// True while there is another one.
    pub(crate) fn others(&self) -> bool {
        let mut files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files.any(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            is_name(&name) && name != *self.me.0 && is_locked(&file.path())
        })
    }

    /// Removes the files of the dead, and nothing that no owner has made. Failing to is no harm.
    pub(crate) fn sweep(&self) {
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let stem = [UNNAMED, PROBE].into_iter().find_map(|end| name.strip_suffix(end));
            if !is_name(stem.unwrap_or(&name)) || !plain::is_file(&file.path()) {
                continue;
            }
            let dead = match name.strip_suffix(UNNAMED) {
                Some(_) => is_older(&file.path(), FORGOTTEN),
                None => name != *self.me.0 && !is_locked(&file.path()),
            };
            if dead {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_file(self.folder.join(&*self.me.0));
        }
    }
}

/// True for what an owner can be called.
pub(crate) fn is_name(text: &str) -> bool {
    Ulid::from_string(text).is_ok_and(|id| id.to_string() == text)
}

/// True when a process holds the exclusive lock. Looking takes a shared one, so that two
/// who look do not take each other for the owner.
fn is_locked(path: &Path) -> bool {
    is_held(path).unwrap_or_else(|error| error.kind() != io::ErrorKind::NotFound)
}

/// A lock as an owner holds it, for a second process to look at.
#[derive(Debug)]
pub struct LockProbe {
    path: PathBuf,
    lock: Option<File>,
}

impl LockProbe {
    /// Takes a lock in a folder.
    pub fn hold(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(format!("{}{PROBE}", Ulid::generate()));
        let lock = File::create_new(&path).map_err(StoreError::file("create", &path))?;
        // From here on the file is removed again, whatever happens.
        let mut probe = Self { path, lock: None };
        lock.lock().map_err(StoreError::file("lock", &probe.path))?;
        probe.lock = Some(lock);
        Ok(probe)
    }

    /// The locked file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frees the lock, as the death of a process does.
    pub fn release(&mut self) {
        self.lock = None;
    }
}

impl Drop for LockProbe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// True when another process holds the lock of a file, be it an owner's, a run's or a
/// [`LockProbe`]'s. Only plain files have any.
pub fn is_held(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    match File::open(path)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|passed| passed > age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (Owners::join(folder.path()).unwrap(), Owners::join(folder.path()).unwrap());
        let name = other.me().clone();
        assert!(mine.alive(mine.me()) && mine.alive(&name) && mine.others());
        drop(other);
        assert!(!mine.others());
        assert!(!mine.alive(&name));
        assert!(!mine.alive(&OwnerId::nobody()));
    }

    #[test]
    fn a_probe_is_held_until_it_is_released_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut probe = LockProbe::hold(folder.path()).unwrap();
        assert!(is_held(probe.path()).unwrap());
        probe.release();
        assert!(!is_held(probe.path()).unwrap());
        drop(probe);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let living = Owners::join(folder.path()).unwrap();
        let [dead, begins] = [(); 2].map(|()| Ulid::generate().to_string());
        fs::write(folder.path().join(&dead), "").unwrap();
        fs::write(folder.path().join(format!("{begins}{UNNAMED}")), "").unwrap();
        let me = Owners::join(folder.path()).unwrap();
        assert!(!me.alive(&OwnerId::from(dead.as_str())));
        me.sweep();
        assert!(!folder.path().join(&dead).exists());
        assert!(folder.path().join(format!("{begins}{UNNAMED}")).exists());
        assert!(me.alive(living.me()));
    }

    #[test]
    fn what_no_owner_has_made_is_not_swept() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["letter.txt", "Makefile", "01DEAD", "old.new", "mine.probe", "01arz3ndektsv4rrffq69g5fav"];
        for name in names {
            fs::write(folder.path().join(name), "").unwrap();
            let old = SystemTime::now() - 2 * FORGOTTEN;
            File::options().write(true).open(folder.path().join(name)).unwrap().set_modified(old).unwrap();
        }
        fs::create_dir(folder.path().join(Ulid::generate().to_string())).unwrap();
        let me = Owners::join(folder.path()).unwrap();
        me.sweep();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names.len() + 2);
        assert!(!me.others() && !me.alive(&OwnerId::from("letter.txt")));
    }
}
