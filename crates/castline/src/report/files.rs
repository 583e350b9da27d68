//! Where the files of a run are, for reports that point at them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use castline_core::Digest;
use castline_core::record::{RunRecord, SavedRecord};
use castline_runner::{Layout, Project, user_file};
use serde_json::{Map, Value as Json};

/// Where the files of a run are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    root: PathBuf,
    store: PathBuf,
    saved: BTreeMap<String, String>,
    /// What a leg says it has saved counts only when it is among `saved`.
    only_known: bool,
}

/// What was saved for one leg or output, by digest: an output may be a list of thousands.
pub(crate) struct Own<'a>(BTreeMap<String, &'a str>);

impl<'a> Own<'a> {
    /// From their records; of the same bytes the first counts.
    pub(crate) fn of(saved: &'a [SavedRecord]) -> Self {
        let last_first = saved.iter().rev();
        Self(last_first.map(|s| (s.artifact.digest.to_string(), s.path.as_str())).collect())
    }
}

impl Places {
    /// Of a run of a project.
    pub(crate) fn new(project: &Project, record: &RunRecord) -> Self {
        let of_outputs = record.output_files.values().flatten();
        let of_legs = record.legs.iter().flat_map(|leg| &leg.saved);
        // Outputs come last, so that they win: they are what the user asked for.
        let saved =
            of_legs.chain(of_outputs).map(|s| (s.artifact.digest.to_string(), s.path.clone())).collect();
        Self { root: project.root.clone(), store: project.store(), saved, only_known: false }
    }

    /// Of a run that others may have written over since: only files that still have the bytes
    /// that were saved.
    pub(crate) fn former(project: &Project, record: &RunRecord) -> Self {
        let mut places = Self::new(project, record);
        let root = &places.root;
        places.saved.retain(|digest, path| {
            user_file::read(&root.join(path)).is_ok_and(|bytes| Digest::of(&bytes).to_string() == *digest)
        });
        places.only_known = true;
        places
    }

    /// The file with these bytes, relative to the project: one that was saved for the same
    /// leg or output, else any that was saved, else the one in the store.
    pub(crate) fn path(&self, digest: &str, own: &Own<'_>) -> String {
        let is_known = |path: &String| !self.only_known || self.saved.get(digest) == Some(path);
        let near = own.0.get(digest).map(|path| (*path).to_owned()).filter(is_known);
        near.or_else(|| self.saved.get(digest).cloned()).unwrap_or_else(|| self.in_store(digest))
    }

    fn in_store(&self, digest: &str) -> String {
        let path = digest
            .parse()
            .map_or_else(|_| self.store.clone(), |digest| Layout::of(&self.store).blob(&digest));
        path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().replace('\\', "/")
    }

    /// The same, absolute.
    pub(crate) fn absolute(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A value in which every file has its `path`.
    pub(crate) fn with_paths(&self, value: &Json, own: &[SavedRecord]) -> Json {
        self.with_own(value, &Own::of(own))
    }

    fn with_own(&self, value: &Json, own: &Own<'_>) -> Json {
        match value {
            Json::Array(items) => items.iter().map(|item| self.with_own(item, own)).collect(),
            Json::Object(map) => {
                let mut out = Map::new();
                if let Some(digest) = digest_of(map) {
                    out.insert("path".to_owned(), self.path(digest, own).into());
                }
                out.extend(map.iter().map(|(k, v)| (k.clone(), self.with_own(v, own))));
                Json::Object(out)
            }
            other => other.clone(),
        }
    }
}

/// The digest of a map that stands for a file.
pub(crate) fn digest_of(map: &Map<String, Json>) -> Option<&str> {
    let is_file = map.contains_key("media_type") && map.contains_key("bytes");
    map.get("digest").and_then(Json::as_str).filter(|_| is_file)
}
