//! What the local providers' tests need: files in memory, and a prediction's answer with
//! its files read.

use std::collections::HashMap;
use std::sync::Mutex;

use castline_core::request::OutputShape;
use castline_core::{Artifact, Digest, ModelRef, Snapshot, Status, Value};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::picture::{self, Picture};
use crate::call::{Create, MediaSource};
use crate::outputs::Outputs;

/// Files in memory.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<HashMap<Digest, Vec<u8>>>);

impl Shelf {
    /// Keeps a file, and gives the value that stands for it.
    pub(crate) fn file(&self, bytes: &[u8]) -> Value {
        let artifact = Artifact::describe(Digest::of(bytes), bytes.len() as u64, bytes);
        self.0.lock().unwrap().insert(artifact.digest, bytes.to_vec());
        Value::Media(artifact)
    }

    /// Keeps a picture as png.
    pub(crate) fn picture(&self, picture: &Picture) -> Value {
        let bytes =
            super::format::encode(picture, super::format::Format::Png, 0, super::Color::WHITE).unwrap();
        self.file(&bytes)
    }
}

impl MediaSource for Shelf {
    fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>> {
        self.0
            .lock()
            .unwrap()
            .get(&artifact.digest)
            .cloned()
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// A prediction to make in a test.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) model: ModelRef,
    pub(crate) task: Option<&'static str>,
    pub(crate) schema: Option<Json>,
    pub(crate) json: Option<Json>,
    pub(crate) input: IndexMap<String, Value>,
    pub(crate) output: OutputShape,
}

impl Ask {
    /// A model that gives one image.
    pub(crate) fn of(model: &str) -> Self {
        Self {
            model: model.parse().unwrap(),
            task: None,
            schema: None,
            json: None,
            input: IndexMap::new(),
            output: OutputShape { kind: OutputKind::Image, many: false },
        }
    }

    pub(crate) fn task(mut self, task: &'static str) -> Self {
        self.task = Some(task);
        self
    }

    pub(crate) fn gives(mut self, kind: OutputKind, many: bool) -> Self {
        self.output = OutputShape { kind, many };
        self
    }

    /// The properties of the model's input.
    pub(crate) fn takes(mut self, properties: &Json) -> Self {
        self.schema = Some(json!({ "type": "object", "properties": properties }));
        self
    }

    /// What its text has to be.
    pub(crate) fn answers(mut self, schema: Json) -> Self {
        self.json = Some(schema);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.input.insert(name.to_owned(), Value::from_json(value.into()));
        self
    }

    pub(crate) fn given(mut self, name: &str, value: Value) -> Self {
        self.input.insert(name.to_owned(), value);
        self
    }

    /// The call.
    pub(crate) fn create(&self) -> Create<'_> {
        Create {
            schema: self.schema.as_ref(),
            json: self.json.as_ref(),
            task: self.task,
            ..Create::new(&self.model, &self.input, self.output)
        }
    }
}

/// The files of an answer that succeeded.
pub(crate) fn files(snapshot: &Snapshot, outputs: &Outputs) -> Vec<Vec<u8>> {
    assert_eq!((&snapshot.status, &snapshot.error), (&Status::Succeeded, &None));
    let folder = tempfile::tempdir().unwrap();
    let take = |uri: &Json| {
        let path = folder.path().join("file");
        outputs.take(uri.as_str().expect("a URI"), &path).unwrap();
        std::fs::read(path).unwrap()
    };
    match snapshot.output.as_ref().expect("an output") {
        Json::Array(uris) => uris.iter().map(take).collect(),
        uri => vec![take(uri)],
    }
}

/// The one picture of an answer that succeeded.
pub(crate) fn picture(snapshot: &Snapshot, outputs: &Outputs) -> Picture {
    let files = files(snapshot, outputs);
    assert_eq!(files.len(), 1);
    picture::read(&files[0]).unwrap()
}

/// The words of an answer that failed.
pub(crate) fn error(snapshot: &Snapshot) -> &str {
    assert_eq!((&snapshot.status, &snapshot.output), (&Status::Failed, &None));
    snapshot.error.as_deref().expect("an error")
}
