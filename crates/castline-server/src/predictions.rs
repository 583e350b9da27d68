//! All predictions of a server, in the order in which they were created.

use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;

use crate::prediction::Prediction;

/// Predictions by their id, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Predictions(Mutex<IndexMap<String, Arc<Prediction>>>);

impl Predictions {
    pub fn add(&self, prediction: Arc<Prediction>) {
        self.all().insert(prediction.id.clone(), prediction);
    }

    pub fn get(&self, id: &str) -> Option<Arc<Prediction>> {
        self.all().get(id).cloned()
    }

    /// Newest first.
    pub fn newest(&self) -> Vec<Arc<Prediction>> {
        self.all().values().rev().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, IndexMap<String, Arc<Prediction>>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}
