//! Lets the embedded stand-ins do the work of a prediction.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use castline_core::{Artifact, Digest, ModelRef, Snapshot, Status, Value};
use castline_provider::http::data_uri;
use castline_provider::sandbox::Sandbox;
use castline_provider::{CallFault, Create, MediaSource};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::fault::BadOutput;
use crate::options::ModelInfo;
use crate::outputs::Outputs;
use crate::prediction::Outcome;

/// Draws for one server.
#[derive(Default)]
pub(crate) struct Easel {
    sandbox: Sandbox,
}

/// What is to be drawn.
#[derive(Clone)]
pub(crate) struct Commission {
    pub model: ModelRef,
    pub info: ModelInfo,
    pub input: Map<String, Json>,
    pub fault: Option<BadOutput>,
}

impl Easel {
    /// Draws, and puts the files where they are served.
    pub async fn draw(&self, commission: Commission, outputs: &Outputs) -> Outcome {
        if commission.fault == Some(BadOutput::Null) {
            return Outcome::Succeeded(Json::Null);
        }
        match self.drawn(&commission, outputs).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(Some(error.to_string())),
        }
    }

    async fn drawn(&self, commission: &Commission, outputs: &Outputs) -> Result<Outcome, CallFault> {
        let mut files = Files::default();
        let read = |json: &Json| value(json, outputs, &mut files);
        let input: IndexMap<String, Value> =
            commission.input.keys().cloned().zip(commission.input.values().map(read)).collect();
        // The server has its own latency.
        let create = Create {
            schema: commission.info.schema.as_ref(),
            task: commission.info.task.as_deref(),
            ..Create::new(&commission.model, &input, commission.info.output)
        };
        let snapshot = self.sandbox.create(&create, &files).await?;
        self.outcome(snapshot, commission.fault, outputs)
    }

    fn outcome(
        &self,
        snapshot: Snapshot,
        fault: Option<BadOutput>,
        outputs: &Outputs,
    ) -> Result<Outcome, CallFault> {
        if snapshot.status != Status::Succeeded {
            return Ok(Outcome::Failed(snapshot.error));
        }
        let folder = tempfile::tempdir()?;
        let mut output = snapshot.output.unwrap_or(Json::Null);
        let mut nth = 0;
        self.serve(&mut output, fault, outputs, folder.path(), &mut nth)?;
        Ok(Outcome::Succeeded(output))
    }

    /// Puts a path that is served in place of every URI that only the sandbox understands.
    fn serve(
        &self,
        output: &mut Json,
        fault: Option<BadOutput>,
        outputs: &Outputs,
        folder: &Path,
        nth: &mut usize,
    ) -> Result<(), CallFault> {
        match output {
            Json::String(uri) if uri.starts_with("local:") => {
                let file = folder.join(nth.to_string());
                self.sandbox.outputs().take(uri, &file)?;
                let bytes = match fault {
                    Some(BadOutput::WrongType) => {
                        b"This is text and not the media that was asked for.\n".to_vec()
                    }
                    _ => std::fs::read(file)?,
                };
                *uri = outputs.put(*nth, bytes);
                *nth += 1;
            }
            Json::Array(items) => {
                for item in items {
                    self.serve(item, fault, outputs, folder, nth)?;
                }
            }
            Json::Object(map) => {
                for item in map.values_mut() {
                    self.serve(item, fault, outputs, folder, nth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The files of one input, in memory.
#[derive(Default)]
struct Files(HashMap<Digest, Vec<u8>>);

impl MediaSource for Files {
    fn read(&self, artifact: &Artifact) -> io::Result<Vec<u8>> {
        self.0.get(&artifact.digest).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// An input in which data URIs, and URLs of earlier outputs, are files.
fn value(json: &Json, outputs: &Outputs, files: &mut Files) -> Value {
    match json {
        Json::String(text) => match bytes(text, outputs) {
            Some(bytes) => {
                let artifact = Artifact::describe(
                    Digest::of(&bytes),
                    bytes.len() as u64,
                    &bytes[..bytes.len().min(64 << 10)],
                );
                files.0.insert(artifact.digest, bytes);
                Value::Media(artifact)
            }
            None => Value::String(text.clone()),
        },
        Json::Array(items) => Value::List(items.iter().map(|v| value(v, outputs, files)).collect()),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(k, v)| (k.clone(), value(v, outputs, files))).collect())
        }
        other => Value::from_json(other.clone()),
    }
}

fn bytes(text: &str, outputs: &Outputs) -> Option<Vec<u8>> {
    if data_uri::is_data_uri(text) {
        return data_uri::decode(text).ok();
    }
    text.starts_with("http").then(|| outputs.get(text)).flatten().map(|bytes| bytes.to_vec())
}
