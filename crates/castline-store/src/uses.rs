//! What living processes rely on, so that nothing of it is removed under their hands.
//!
//! Whoever looks at what is in the store *stays*: a shared lock on one file, which only
//! somebody who removes takes for himself. Nobody stays for as long as a run lasts. A process
//! writes down the digests of what it goes on to need, keys and files alike, in a file of its
//! own beside those of the others; then it need not stay any more. What the dead have written
//! down counts for nothing.
//!
//! Start reading at [`Uses::stay`] and [`Uses::need`]; who removes is in `gc.rs`.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use castline_core::Digest;
use castline_core::ledger::OwnerId;

use crate::error::StoreError;
use crate::owner::{Owners, is_name};
use crate::plain;

/// How often it is looked whether everybody has left.
const LOOK: Duration = Duration::from_millis(10);

/// What this process relies on, and what the others do.
#[derive(Debug)]
pub(crate) struct Uses {
    gate_path: PathBuf,
    folder: PathBuf,
    mine: PathBuf,
    /// The lock, and how many hold it. None where it is not there and cannot be made: then nobody
    /// can remove anything either.
    gate: Mutex<(Option<File>, usize)>,
    /// Made when the first thing is needed.
    written: Mutex<Option<File>>,
}

/// While it is there nothing is removed that can be found.
#[derive(Debug)]
pub(crate) struct Stay(Arc<Uses>);

/// Nobody else looks at what is in the store.
#[derive(Debug)]
pub(crate) struct Alone(#[expect(dead_code, reason = "its lock is what counts")] File);

impl Uses {
    pub(crate) fn open(store: &Path, owners: &Owners) -> Result<Arc<Self>, StoreError> {
        let (gate_path, folder) = (store.join("gc.lock"), store.join("uses"));
        fs::create_dir_all(&folder).map_err(StoreError::file("create the folder", &folder))?;
        let gate = open_gate(&gate_path)?;
        sweep(&folder, owners);
        let mine = folder.join(&*owners.me().0);
        Ok(Arc::new(Self {
            gate_path,
            folder,
            mine,
            gate: Mutex::new((Some(gate), 0)),
            written: Mutex::default(),
        }))
    }

    /// The same for who only looks: nothing is made.
    pub(crate) fn look(store: &Path, owners: &Owners) -> Arc<Self> {
        let (gate_path, folder) = (store.join("gc.lock"), store.join("uses"));
        let (gate, mine) = (File::open(&gate_path).ok(), folder.join(&*owners.me().0));
        Arc::new(Self { gate_path, folder, mine, gate: Mutex::new((gate, 0)), written: Mutex::default() })
    }

    /// Nothing that is found from now on is removed until this is dropped. Waits while
    /// somebody removes.
    pub(crate) fn stay(self: &Arc<Self>) -> Result<Stay, StoreError> {
        let mut gate = lock(&self.gate);
        if let (Some(file), 0) = (&gate.0, gate.1) {
            file.lock_shared().map_err(StoreError::file("lock", &self.gate_path))?;
        }
        gate.1 += 1;
        Ok(Stay(self.clone()))
    }

    /// Writes down what is needed from now on, until this process ends.
    pub(crate) fn need(&self, digests: impl IntoIterator<Item = Digest>) -> Result<(), StoreError> {
        let bytes: Vec<u8> = digests.into_iter().flat_map(|digest| *digest.as_bytes()).collect();
        if bytes.is_empty() {
            return Ok(());
        }
        let mut written = lock(&self.written);
        let mut write = || {
            if written.is_none() {
                *written = Some(File::options().create(true).append(true).open(&self.mine)?);
            }
            written.as_mut().expect("it was just opened").write_all(&bytes)
        };
        let result = write();
        result.map_err(StoreError::file("write", &self.mine))
    }

    /// Everything that living processes need.
    pub(crate) fn needed(&self, owners: &Owners) -> Result<HashSet<Digest>, StoreError> {
        let failed = || StoreError::file("read", &self.folder);
        let mut needed = HashSet::new();
        for file in fs::read_dir(&self.folder).map_err(failed())? {
            let file = file.map_err(failed())?;
            if !owners.alive(&OwnerId::from(&*file.file_name().to_string_lossy())) {
                continue;
            }
            let bytes = match fs::read(file.path()) {
                Ok(bytes) => bytes,
                // Its process ended well in this moment.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed()(error)),
            };
            // Half a digest is being written: whoever writes it has not looked for it yet.
            let digests = bytes.chunks_exact(32).filter_map(|digest| digest.try_into().ok());
            needed.extend(digests.map(Digest::from_sha256));
        }
        Ok(needed)
    }

    /// Waits until nobody stays; none when somebody still does after that time. Must not be
    /// called by somebody who stays.
    pub(crate) fn alone(&self, patience: Duration) -> Result<Option<Alone>, StoreError> {
        let gate = open_gate(&self.gate_path)?;
        let began = Instant::now();
        loop {
            match gate.try_lock() {
                Ok(()) => return Ok(Some(Alone(gate))),
                Err(TryLockError::WouldBlock) if began.elapsed() >= patience => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK),
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::file("lock", &self.gate_path)(error));
                }
            }
        }
    }
}

impl Drop for Uses {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.mine);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut gate = lock(&self.0.gate);
        gate.1 -= 1;
        if let (Some(file), 0) = (&gate.0, gate.1) {
            let _ = file.unlock();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_gate(path: &Path) -> Result<File, StoreError> {
    let options = File::options().create(true).read(true).append(true).open(path);
    options.map_err(StoreError::file("create", path))
}

/// Removes what the dead have needed, and nothing that no owner has made.
fn sweep(folder: &Path, owners: &Owners) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let is_ours = is_name(&name) && plain::is_file(&file.path());
        if is_ours && !owners.alive(&OwnerId::from(name.as_str())) {
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(store: &Path) -> (Owners, Arc<Uses>) {
        fs::create_dir_all(store.join("owners")).unwrap();
        let owners = Owners::join(&store.join("owners")).unwrap();
        let uses = Uses::open(store, &owners).unwrap();
        (owners, uses)
    }

    #[test]
    fn what_the_living_need_is_known_and_what_the_dead_needed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (owners, mine) = uses(folder.path());
        let (other, others) = uses(folder.path());
        let digests = ["a", "b", "c"].map(|name| Digest::of(name.as_bytes()));
        mine.need([digests[0]]).unwrap();
        others.need([digests[1], digests[2]]).unwrap();
        assert_eq!(mine.needed(&owners).unwrap(), HashSet::from(digests));

        drop(other);
        assert_eq!(mine.needed(&owners).unwrap(), HashSet::from([digests[0]]));
        std::mem::forget(others);
        let (_third, _) = uses(folder.path());
        assert_eq!(fs::read_dir(folder.path().join("uses")).unwrap().count(), 1, "swept by the next");
    }

    #[test]
    fn what_nobody_has_written_down_here_is_not_swept() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("uses")).unwrap();
        fs::write(folder.path().join("uses/letter.txt"), "dear").unwrap();
        let (owners, uses) = uses(folder.path());
        assert_eq!(uses.needed(&owners).unwrap(), HashSet::new());
        assert!(folder.path().join("uses/letter.txt").exists());
    }

    #[test]
    fn nobody_removes_while_somebody_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ((_a, one), (_b, other)) = (uses(folder.path()), uses(folder.path()));
        let (first, second) = (one.stay().unwrap(), one.stay().unwrap());
        assert!(other.alone(Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(other.alone(Duration::ZERO).unwrap().is_none());
        drop(second);
        let alone = other.alone(Duration::ZERO).unwrap().unwrap();
        assert!(one.alone(Duration::ZERO).unwrap().is_none());
        drop(alone);
        one.stay().unwrap();
    }
}
