//! Outputs of the local providers, in memory until they are fetched.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::{CallFault, Fetched};

/// Bytes waiting to be fetched, by URI.
#[derive(Debug, Default)]
pub struct Outputs {
    next: AtomicU64,
    waiting: Mutex<HashMap<String, Vec<u8>>>,
}

impl Outputs {
    /// Keeps bytes and names them with a URI that only [`Outputs::take`] understands.
    pub fn put(&self, bytes: Vec<u8>) -> String {
        let uri = format!("local:{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.waiting.lock().expect("nobody panics while holding it").insert(uri.clone(), bytes);
        uri
    }

    /// Writes the bytes to a new file and forgets them.
    pub fn take(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        let bytes = self
            .waiting
            .lock()
            .expect("nobody panics while holding it")
            .remove(uri)
            .ok_or(CallFault::Gone)?;
        std::fs::write(to, &bytes)?;
        Ok(Fetched { bytes: bytes.len() as u64 })
    }
}
