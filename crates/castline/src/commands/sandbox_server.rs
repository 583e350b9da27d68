//! `castline sandbox-server`: the sandbox behind the prediction API, for rehearsals and tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use castline_core::ModelRef;
use castline_core::request::OutputShape;
use castline_runner::{Project, Trouble, presets};
use castline_server::{ModelInfo, SandboxServer, ServerOptions};
use castline_spec::Preset;
use castline_spec::preset::Body;

use super::{project_here, runtime};
use crate::cli::SandboxServer as Flags;
use crate::exit::Exit;
use crate::{screen, signals};

/// Prints where it listens, then serves until it is told to end.
pub(crate) fn serve(flags: Flags) -> Result<Exit, Trouble> {
    let address = ([127, 0, 0, 1], flags.port).into();
    let options = options(flags, &project_here()?);
    let server = SandboxServer::bind(address, options)
        .map_err(|e| Trouble::usage(format!("cannot listen at {address}: {e}"), "choose another `--port`"))?;
    screen::data(&format!("{}\n", server.base_url()))?;
    runtime()?.block_on(async {
        let (end, ended) = signals::first();
        server.run(end).await.map_err(|e| Trouble::Bug(format!("the server ended: {e}")))?;
        Ok(ended.get().copied().unwrap_or(Exit::Done))
    })
}

fn options(flags: Flags, project: &Project) -> ServerOptions {
    let models = models(&presets::all(project).0);
    let versions: BTreeMap<String, ModelRef> =
        models.keys().filter_map(|model| Some((model.version.clone()?, model.clone()))).collect();
    let known = Arc::new(models);
    let mut options = ServerOptions::new(Arc::new(move |model: &ModelRef| find(&known, model)));
    options.versions = Arc::new(move |version| versions.get(version).cloned());
    options.latency = flags.latency;
    options.faults = flags.fault;
    options.limit = flags.limit;
    options.foreign_urls = flags.foreign_urls;
    options.token = flags.token;
    options
}

/// The model by its version, else whatever version is known.
fn find(models: &BTreeMap<ModelRef, ModelInfo>, wanted: &ModelRef) -> Option<ModelInfo> {
    let same = |model: &ModelRef| model.owner == wanted.owner && model.name == wanted.name;
    models.get(wanted).or_else(|| models.iter().find(|(m, _)| same(m)).map(|(_, info)| info)).cloned()
}

/// What is known of the models that presets call; the local tools are none.
fn models(presets: &[Arc<Preset>]) -> BTreeMap<ModelRef, ModelInfo> {
    let model = |preset: &Preset| {
        let Body::Model(body) = &preset.body else { return None };
        let mut reference: ModelRef =
            body.model.value.parse().ok().filter(|m: &ModelRef| m.owner != "std")?;
        reference.version = reference.version.or_else(|| body.version.as_ref().map(|v| v.value.clone()));
        let info = ModelInfo {
            schema: Some(body.input.value.clone()),
            task: preset.task.clone(),
            output: OutputShape::from(&body.output),
            typical_seconds: preset.typical_seconds,
        };
        Some((reference, info))
    };
    presets.iter().filter_map(|preset| model(preset)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_is_served_and_no_local_tool() {
        let folder = tempfile::tempdir().unwrap();
        let (project, _) = Project::near(folder.path());
        let models = models(&presets::all(&project).0);
        let find = |text: &str| find(&models, &text.parse().unwrap());
        assert!(find("black-forest-labs/flux-schnell").is_some_and(|m| m.schema.is_some()));
        assert!(find("nobody/nothing").is_none());
        assert!(models.keys().all(|model| model.owner != "std"));
    }
}
