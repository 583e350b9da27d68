//! Turns: how often a credential calls its provider, and with how many predictions in flight.
//!
//! What is allowed is decided in `castline_core::rate`, and shared with other processes through
//! the store. Here is the waiting: in line within this process, so that whoever came first goes
//! first, and only the head of the line competes with other processes.
//!
//! Start reading at [`Limiter::turn`].

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use castline_core::prediction::{CallFault, PATIENCE};
use castline_core::rate::{Bucket, Rate};
use castline_store::{SharedBucket, SharedSlots, Slot};
use jiff::Timestamp;
use tokio::sync::Mutex;

/// How long to sleep at most before looking at what other processes have learned.
const LOOK: Duration = Duration::from_secs(5);
/// The longest that creates are kept waiting by a refusal.
const CREATES_WAIT: Duration = Duration::from_hours(1);
/// How often to look for a free slot.
const SLOTS: Duration = Duration::from_millis(50);

/// The limits of one credential.
pub(crate) struct Limits {
    /// Of creates.
    pub(crate) create: Limiter,
    /// Of all other calls.
    pub(crate) read: Limiter,
    /// None where any number may be in flight.
    slots: Option<SharedSlots>,
    slot_line: Mutex<()>,
}

impl Limits {
    /// For a credential in the store in this folder.
    pub(crate) fn new(
        store: &Path,
        credential: &str,
        [create, read]: [Option<f64>; 2],
        parallel: usize,
    ) -> Self {
        let limiter = |calls, rate: Option<f64>, patience| Limiter {
            bucket: SharedBucket::new(store, credential, calls),
            rate: rate.map(Rate::per_minute),
            patience,
            line: Mutex::default(),
            slowed: AtomicBool::new(false),
        };
        Self {
            create: limiter("create", create, CREATES_WAIT),
            // What is read is paid for, and kept for an hour.
            read: limiter("read", read, PATIENCE),
            slots: (parallel < usize::MAX).then(|| SharedSlots::new(store, credential, parallel)),
            slot_line: Mutex::default(),
        }
    }

    /// Waits for a place among the predictions in flight; none where there is no limit.
    pub(crate) async fn slot(&self) -> Option<Slot> {
        let slots = self.slots.as_ref()?;
        let _head = self.slot_line.lock().await;
        loop {
            if let Some(slot) = slots.take() {
                return Some(slot);
            }
            tokio::time::sleep(SLOTS).await;
        }
    }
}

/// The limit of one kind of call.
pub(crate) struct Limiter {
    bucket: SharedBucket,
    rate: Option<Rate>,
    /// The longest that a refusal is obeyed.
    patience: Duration,
    line: Mutex<()>,
    /// A refusal of the provider still counts.
    slowed: AtomicBool,
}

impl Limiter {
    /// Waits until a call may be made. Giving up the wait uses nothing.
    pub(crate) async fn turn(&self) {
        let _head = self.line.lock().await;
        loop {
            let (taken, slowed) =
                self.bucket.with(|bucket| (bucket.take(self.rate, Timestamp::now()), bucket.is_slowed()));
            self.slowed.store(slowed, Ordering::Relaxed);
            match taken {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait.min(LOOK)).await,
            }
        }
    }

    /// Makes a call in its turn.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, CallFault>>,
    ) -> Result<T, CallFault> {
        self.turn().await;
        let answer = call.await;
        self.hear(&answer);
        answer
    }

    /// Learns from an answer; all processes do.
    pub(crate) fn hear<T>(&self, answer: &Result<T, CallFault>) {
        match answer {
            Err(CallFault::Busy { retry_after, .. }) => {
                self.slowed.store(true, Ordering::Relaxed);
                let asked = retry_after.map(|asked| asked.min(self.patience));
                self.bucket.with(|bucket| bucket.refused(asked, Timestamp::now()));
            }
            // It says nothing about the limit.
            Err(CallFault::NotSent { .. } | CallFault::Lost { .. }) => {}
            _ if self.slowed.load(Ordering::Relaxed) => {
                self.bucket.with(Bucket::accepted);
            }
            _ => {}
        }
    }
}
