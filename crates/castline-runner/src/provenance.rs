//! What saved files tell of how they were made.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use castline_core::Digest;
use castline_core::files::{FileContent, Files};
use castline_core::forecast::Forecast;
use castline_core::provenance::{OfRun, Provenance};
use castline_core::record::Recorder;

use crate::disk::{MOST_BYTES, read_within};
use crate::job::Job;
use crate::lock;
use crate::plan_file::seen_from;

/// What a run knows of the files it saves.
pub(crate) struct Teller {
    run: OfRun,
    root: PathBuf,
    /// The user's files, relative to the project.
    files: BTreeMap<Digest, String>,
    /// So many files had been read when it was looked at them.
    read: usize,
}

impl Teller {
    /// For a run of a job; none when the user wants files that tell nothing.
    pub(crate) fn new(job: &Job, forecast: &Forecast) -> Option<Self> {
        if job.wishes.no_provenance {
            return None;
        }
        let (graph, root) = (&forecast.plan.graph, job.project.root.clone());
        let lock = read_within(&lock::path(&job.project), MOST_BYTES).ok().flatten();
        let run = OfRun {
            castline: env!("CARGO_PKG_VERSION").to_owned(),
            workflow: graph.name.to_string(),
            file: seen_from(&root, Path::new(&*graph.source.name)),
            workflow_digest: Some(Digest::of(graph.source.text.as_bytes())),
            lock_digest: lock.map(|bytes| Digest::of(&bytes)),
        };
        Some(Self { run, root, files: BTreeMap::new(), read: 0 })
    }

    /// Learns of the files that were read since.
    pub(crate) fn learn(&mut self, files: &Files) {
        let count = files.count();
        if count == self.read {
            return;
        }
        self.read = count;
        for (file, content) in files.loaded() {
            if let FileContent::Artifact(artifact) = content {
                let path = seen_from(&self.root, &crate::files::path_of(&file));
                self.files.entry(artifact.digest).or_insert(path);
            }
        }
    }

    /// How a file was made; none when no leg made it.
    pub(crate) fn text(&self, digest: Digest, recorder: &Recorder) -> Option<String> {
        let made = Provenance::of(digest, &self.run, &recorder.record, &recorder.makers, &self.files);
        made.map(|made| made.text())
    }
}

/// The file beside one that has no room for it: `clip.mp4.castline.json`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".castline.json");
    PathBuf::from(name)
}
