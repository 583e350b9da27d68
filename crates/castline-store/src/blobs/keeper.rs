//! Brings blobs to the disk, some at a time, next to the work.
//!
//! A flush of its own for each file would cost more than the predictions. The ledger
//! remembers which blobs have arrived: see `blobs` in its tables.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use castline_core::Digest;
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::layout::place_of;
use crate::ledger::Ledger;

use super::Kept;

/// How long blobs gather before they are brought to the disk.
const GATHER: Duration = Duration::from_millis(500);

enum Message {
    Keep(Digest, u64),
    Settle(oneshot::Sender<Result<(), StoreError>>),
}

/// A thread that brings blobs to the disk.
#[derive(Debug)]
pub(super) struct Keeper {
    queue: Mutex<Option<mpsc::Sender<Message>>>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    folder: PathBuf,
    ledger: Ledger,
    kept: Arc<Kept>,
    waiting: BTreeMap<Digest, u64>,
}

impl Keeper {
    pub(super) fn start(folder: PathBuf, ledger: Ledger, kept: Arc<Kept>) -> Self {
        let (queue, messages) = mpsc::channel();
        let work = Work { folder, ledger, kept, waiting: BTreeMap::new() };
        // Without the thread nothing is kept and settling says so.
        let thread =
            thread::Builder::new().name("castline-keeper".to_owned()).spawn(move || work.run(&messages)).ok();
        Self { queue: Mutex::new(Some(queue)), thread }
    }

    pub(super) fn keep(&self, digest: Digest, bytes: u64) {
        self.send(Message::Keep(digest, bytes));
    }

    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Settle(reply));
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    fn send(&self, message: Message) {
        if let Some(queue) = &*self.queue.lock().expect("nobody panics while holding it") {
            let _ = queue.send(message);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.queue.lock().expect("nobody panics while holding it").take());
        self.thread.take().map(JoinHandle::join);
    }
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let until = Instant::now() + GATHER;
            let mut replies = self.take(first);
            while replies.is_empty() {
                match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(message) => replies.extend(self.take(message)),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            let result = self.keep();
            if let Err(error) = &result {
                tracing::warn!(%error, "stored files have not reached the disk yet");
            }
            for reply in replies {
                let _ = reply.send(result.clone());
            }
        }
    }

    fn take(&mut self, message: Message) -> Vec<oneshot::Sender<Result<(), StoreError>>> {
        match message {
            Message::Keep(digest, bytes) => {
                self.waiting.insert(digest, bytes);
                vec![]
            }
            Message::Settle(reply) => vec![reply],
        }
    }

    /// What could not be kept waits for the next time.
    fn keep(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let digests: Vec<Digest> = self.waiting.keys().copied().collect();
        flush(&self.folder, &digests).map_err(StoreError::file("bring to the disk", &self.folder))?;
        self.ledger.keep(self.waiting.iter().map(|(digest, bytes)| (*digest, *bytes)).collect())?;
        self.kept.write().expect("nobody panics while holding it").extend(digests);
        self.waiting.clear();
        Ok(())
    }
}

/// Many files are cheaper with one call for the whole file system.
#[cfg(target_os = "linux")]
fn flush(folder: &Path, digests: &[Digest]) -> io::Result<()> {
    const FEW: usize = 4;
    if digests.len() <= FEW {
        return flush_each(folder, digests);
    }
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn flush(folder: &Path, digests: &[Digest]) -> io::Result<()> {
    flush_each(folder, digests)
}

/// A file is safe when its bytes are, and its name in its folder, and the folder's in its own.
fn flush_each(folder: &Path, digests: &[Digest]) -> io::Result<()> {
    for digest in digests {
        let place = place_of(folder, digest);
        File::options().read(true).write(true).open(&place)?.sync_all()?;
        flush_folder(place.parent().expect("a blob has a folder"))?;
    }
    flush_folder(folder)
}

#[cfg(unix)]
fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn flush_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
