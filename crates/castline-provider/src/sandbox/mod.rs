//! The embedded stand-ins: they draw real media from any preset's schema.
//!
//! Nothing is sent anywhere and nothing is random: the same input gives the same bytes.
//! What to do is read off the task, the schema and the names of the fields in [`job`];
//! how pictures look is decided in [`scene`] (from words) and [`edit`] (from pictures).
//! Exact image work is not done here but in [`crate::std_tools`].
//!
//! Start reading at [`Sandbox::create`].

mod cutout;
mod dice;
mod easel;
mod edit;
mod frame;
mod job;
mod json;
mod light;
mod plane;
mod plate;
mod repaint;
mod scene;
mod sound;
mod sources;
#[cfg(test)]
mod tests;
mod theme;
mod upscale;
mod video;
mod words;

use std::time::Duration;

use castline_core::Snapshot;
use indexmap::IndexMap;

use crate::call::{CallFault, Create, MediaSource};
use crate::outputs::Outputs;
use crate::std_tools::fields::Fields;
use crate::std_tools::workbench;
use job::Job;

/// The way in which the sandbox draws. It is part of the realm, so that results of another
/// way are not taken for the same.
pub const REVISION: u32 = 1;

/// How the sandbox behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxOptions {
    /// Answers take as long as the preset says that the model takes.
    pub realistic_latency: bool,
    /// The model's name, or `*` for all, to the error that its predictions end with.
    pub fail: IndexMap<String, String>,
}

/// The embedded stand-ins.
#[derive(Debug, Default)]
pub struct Sandbox {
    options: SandboxOptions,
    outputs: Outputs,
}

impl Sandbox {
    /// A sandbox that behaves as told.
    pub fn new(options: SandboxOptions) -> Self {
        Self { options, outputs: Outputs::default() }
    }

    /// Where its outputs wait to be fetched.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Does the work at once and answers with a terminal snapshot.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        let job = Job {
            model: create.model.clone(),
            task: create.task.map(str::to_owned),
            output: create.output,
            fields: Fields::of(create, media)?,
            draw: create.draw.to_vec(),
            json: create.json.cloned(),
        };
        if self.options.realistic_latency {
            let seconds = create.typical_seconds.unwrap_or(0.0).clamp(0.0, create.cancel_after.as_secs_f64());
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
        if let Some(error) = self.failure(create) {
            return Ok(workbench::failed("sandbox", Some(error.to_owned())));
        }
        Ok(workbench::run("sandbox", &self.outputs, move || job.answer()).await)
    }

    /// The error that this model is to fail with.
    fn failure(&self, create: &Create<'_>) -> Option<&str> {
        let fail = &self.options.fail;
        let path = create.model.path();
        [path.as_str(), create.model.name.as_str(), "*"]
            .iter()
            .find_map(|name| fail.get(*name))
            .map(String::as_str)
    }
}
