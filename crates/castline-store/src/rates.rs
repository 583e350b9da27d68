//! How often credentials were used lately, and how much is in flight with them, shared by all
//! processes of a store.
//!
//! A bucket is a small file under a lock that is held for as long as it takes to change it; a
//! slot is a file whose lock is held for as long as a prediction is in flight, and freed by the
//! death of its process. Both guard against refusals and nothing worse, so that a file that
//! cannot be read or locked stops nobody, and none is ever flushed.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use castline_core::Digest;
use castline_core::rate::Bucket;

use crate::plain;

/// How long another process may hold the lock: it may have been stopped while it did.
const PATIENCE: Duration = Duration::from_millis(500);

/// A token bucket that several processes draw from.
#[derive(Debug)]
pub struct SharedBucket {
    path: PathBuf,
    /// Opened once. What is kept beside it counts where the file cannot be used.
    open: Mutex<(Option<File>, Bucket)>,
}

/// What a store keeps of a credential; names hold addresses, which are no file names.
fn path(store: &Path, credential: &str) -> PathBuf {
    store.join("rates").join(&Digest::of(credential.as_bytes()).hex()[..16])
}

/// None for what is no plain file in plain folders, too.
fn create(path: &Path) -> Option<File> {
    let folder = path.parent()?;
    let rates = folder.parent()?;
    plain::check_folder(rates).and_then(|()| plain::check_folder(folder)).ok()?;
    plain::check_file(path).ok()?;
    crate::make_private(rates.parent()?);
    std::fs::create_dir_all(folder).ok()?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok()
}

impl SharedBucket {
    /// The bucket of a credential for one kind of call, in the store in this folder.
    pub fn new(store: &Path, credential: &str, calls: &str) -> Self {
        Self { path: path(store, credential).join(calls), open: Mutex::default() }
    }

    /// Changes the bucket, and returns what that found out.
    pub fn with<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, bucket) = &mut *open;
        if file.is_none() {
            *file = create(&self.path);
        }
        match file.as_mut().filter(|file| locked(file)) {
            Some(file) => {
                *bucket = read(file).unwrap_or_default();
                let before = *bucket;
                let found = change(bucket);
                if *bucket != before {
                    let _ = write(file, bucket);
                }
                let _ = file.unlock();
                found
            }
            None => change(bucket),
        }
    }
}

/// How many predictions may be in flight with one credential.
#[derive(Debug)]
pub struct SharedSlots {
    folder: PathBuf,
    count: usize,
    /// The numbers that this process holds: they need not be tried.
    held: Arc<Mutex<BTreeSet<usize>>>,
}

/// A prediction in flight; free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    number: usize,
    held: Arc<Mutex<BTreeSet<usize>>>,
    /// Its lock is what counts; none where the file cannot be used.
    lock: Option<File>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First the lock: whoever sees the number free must find the file free.
        drop(self.lock.take());
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl SharedSlots {
    /// So many for a credential, in the store in this folder.
    pub fn new(store: &Path, credential: &str, count: usize) -> Self {
        Self { folder: path(store, credential), count, held: Arc::default() }
    }

    /// A free slot; none while all are taken.
    pub fn take(&self) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..self.count {
            if held.contains(&number) {
                continue;
            }
            let file = create(&self.folder.join(format!("slot-{number}")));
            let lock = match file.as_ref().map(File::try_lock) {
                Some(Err(TryLockError::WouldBlock)) => continue,
                Some(Ok(())) => file,
                Some(Err(TryLockError::Error(_))) | None => None,
            };
            held.insert(number);
            return Some(Slot { number, held: self.held.clone(), lock });
        }
        None
    }
}

fn locked(file: &File) -> bool {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(_) => return false,
        }
    }
}

fn read(file: &mut File) -> Option<Bucket> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, bucket: &Bucket) -> std::io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(bucket)?)
}

#[cfg(test)]
mod tests {
    use castline_core::rate::Rate;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn two_who_share_a_bucket_have_one_rate() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let rate = Some(Rate { per_minute: 60.0, burst: 3 });
        let [one, two] = ["R8@api", "R8@api"].map(|name| SharedBucket::new(folder.path(), name, "create"));
        let other = SharedBucket::new(folder.path(), "COMET@api", "create");
        assert!(one.with(|bucket| bucket.take(rate, now)).is_ok());
        assert!(two.with(|bucket| bucket.take(rate, now)).is_ok());
        assert!(one.with(|bucket| bucket.take(rate, now)).is_ok());
        assert!(two.with(|bucket| bucket.take(rate, now)).is_err(), "three are used");
        assert!(other.with(|bucket| bucket.take(rate, now)).is_ok(), "another credential");
    }

    #[test]
    fn a_damaged_or_missing_file_is_an_empty_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = SharedBucket::new(folder.path(), "R8@api", "create");
        bucket.with(|bucket| bucket.refused(None, Timestamp::now()));
        std::fs::write(&bucket.path, "{\"full\": nonsense").unwrap();
        assert_eq!(bucket.with(|bucket| *bucket), Bucket::default());
        let nowhere = SharedBucket::new(Path::new("/proc/nowhere"), "R8@api", "create");
        nowhere.with(|bucket| bucket.refused(None, Timestamp::now()));
        assert!(nowhere.with(|bucket| bucket.is_slowed()), "it is kept in memory");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_behind_a_link_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let letter = folder.path().join("letter.txt");
        std::fs::write(&letter, "dear").unwrap();
        let store = folder.path().join("store");
        let bucket = SharedBucket::new(&store, "R8@api", "create");
        std::fs::create_dir_all(bucket.path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&letter, &bucket.path).unwrap();
        bucket.with(|bucket| bucket.refused(None, Timestamp::now()));
        assert!(bucket.with(|bucket| bucket.is_slowed()), "it is kept in memory");
        std::fs::remove_dir_all(store.join("rates")).unwrap();
        std::os::unix::fs::symlink(folder.path(), store.join("rates")).unwrap();
        assert!(SharedSlots::new(&store, "R8@api", 1).take().is_some());
        assert_eq!(std::fs::read_to_string(&letter).unwrap(), "dear");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_call_without_a_rate_writes_nothing_until_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = SharedBucket::new(folder.path(), "R8@api", "read");
        let call = || bucket.with(|bucket| bucket.take(None, Timestamp::now()));
        assert!(call().is_ok() && call().is_ok());
        assert_eq!(std::fs::metadata(&bucket.path).unwrap().len(), 0);
        bucket.with(|bucket| bucket.refused(None, Timestamp::now()));
        let other = SharedBucket::new(folder.path(), "R8@api", "read");
        assert!(other.with(|bucket| bucket.take(None, Timestamp::now())).is_err(), "everybody pauses");
    }

    #[test]
    fn slots_are_taken_by_whoever_comes_and_free_when_they_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| SharedSlots::new(folder.path(), "COMET@api", 2));
        let (first, second) = (one.take(), two.take());
        assert!(first.is_some() && second.is_some());
        assert!(one.take().is_none() && two.take().is_none());
        drop(first);
        assert!(two.take().is_some());
    }
}
