//! Presets against what their hosts say today.
//!
//! Start reading at [`refresh`].

use std::sync::Arc;

use castline_core::ModelRef;
use castline_spec::Preset;
use castline_spec::preset::{Body, ModelPreset, Output, OutputKind};
use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json, json};

use super::difference::{Difference, Effect, Inputs, inputs};
use super::import::{as_preset, source};
use super::{find, parse_own, unknown};
use crate::project::Project;
use crate::trouble::Trouble;

/// Which presets, and who is asked.
#[derive(Debug, Clone, Default)]
pub struct Refresh {
    /// Their names or files; without any all of the project's own.
    pub names: Vec<String>,
    /// Who is asked.
    pub provider: Option<String>,
    /// A source to read instead: a file, `-` or the URL of a Cog server.
    pub from: Option<String>,
}

/// A preset, and what its host says today.
#[derive(Debug)]
pub struct Refreshed {
    /// The preset.
    pub preset: Arc<Preset>,
    /// What it calls.
    pub model: String,
    /// What the host says, or why nothing is known.
    pub live: Result<Live, Trouble>,
}

/// What a host says of a model today.
#[derive(Debug)]
pub struct Live {
    /// Where that was read, in words.
    pub origin: String,
    /// The id of the version that the host has today, where that is another one than the preset's.
    pub newer: Option<String>,
    /// What is different, in the order of the preset's inputs; wording is not.
    pub differences: Vec<Difference>,
}

impl Live {
    /// True when a call of the preset may not work as it stands.
    pub fn breaks(&self) -> bool {
        self.differences.iter().any(|difference| difference.effect.breaks())
    }
}

/// Compares presets with what their hosts say today. Nothing is written.
pub async fn refresh(project: &Project, wish: &Refresh) -> Result<Vec<Refreshed>, Trouble> {
    let presets = presets(project, &wish.names)?;
    if wish.from.is_some() && presets.len() != 1 {
        return Err(Trouble::usage(
            format!("`--from` is the schema of one preset, and {} are meant", presets.len()),
            "name the preset: `castline preset refresh NAME --from openapi.json`",
        ));
    }
    let mut all = Vec::new();
    for preset in presets {
        let Body::Model(body) = &preset.body else { continue };
        let live = live(project, body, wish).await;
        all.push(Refreshed { model: body.model.value.clone(), preset: preset.clone(), live });
    }
    Ok(all)
}

/// Presets of models: those that are named, else the project's own.
fn presets(project: &Project, names: &[String]) -> Result<Vec<Arc<Preset>>, Trouble> {
    let is_hosted = |preset: &Preset| match &preset.body {
        Body::Model(body) => !body.model.value.starts_with("std/"),
        Body::Derived(_) => false,
    };
    if names.is_empty() {
        let (own, trouble) = super::own(project);
        crate::library::refused(trouble)?;
        let own = own.into_iter().map(|(_, path)| parse_own(project, &path));
        let mut all = Vec::new();
        for (preset, found) in own {
            if found.has_errors() {
                return Err(Trouble::Diagnostics(found));
            }
            all.extend(preset.filter(is_hosted).map(Arc::new));
        }
        return match all.is_empty() {
            false => Ok(all),
            true => Err(Trouble::usage(
                "the project has no preset of a model of its own",
                "name one: `castline preset refresh flux-dev`",
            )),
        };
    }
    let named = |name: &String| {
        let (preset, found) = find(project, name).ok_or_else(|| unknown(project, name))?;
        if found.has_errors() {
            return Err(Trouble::Diagnostics(found));
        }
        match &preset.body {
            Body::Derived(derived) => Err(Trouble::usage(
                format!("`{name}` calls no model itself: it is over `{}`", derived.extends.value),
                format!("`castline preset refresh {}` compares that one", derived.extends.value),
            )),
            Body::Model(_) if !is_hosted(&preset) => Err(Trouble::usage(
                format!("`{name}` is a local tool, which no host describes"),
                "name a preset of a model",
            )),
            Body::Model(_) => Ok(preset),
        }
    };
    names.iter().map(named).collect()
}

async fn live(project: &Project, body: &ModelPreset, wish: &Refresh) -> Result<Live, Trouble> {
    let model: ModelRef = body.model.value.parse().map_err(|_| {
        let message = format!("`{}` cannot be a model", body.model.value);
        Trouble::usage(message, "a model is `owner/name` or `owner/name:version`")
    })?;
    // What it would become: a version that is pinned stays as it is for ever.
    let latest = ModelRef { version: None, ..model.clone() };
    let asked = wish.from.clone().unwrap_or_else(|| latest.to_string());
    let fetched = source::fetch(project, &asked, wish.provider.as_deref()).await?;
    let now = as_preset(&fetched, latest)?;
    let Body::Model(now) = &now.body else {
        return Err(Trouble::Bug(format!("what was made of {} calls no model", fetched.origin)));
    };
    let newer = fetched.version.filter(|now| model.version_id().is_some_and(|pinned| pinned != now));
    Ok(Live { origin: fetched.origin, newer, differences: differences(body, now) })
}

fn differences(before: &ModelPreset, now: &ModelPreset) -> Vec<Difference> {
    let (old, new) = (with_secrets(before), with_secrets(now));
    let new = with_kinds_of(&old, new);
    let mut found = inputs(&Inputs::of_schema(&old), &Inputs::of_schema(&new));
    // What the preset sends by itself nobody has to give.
    found.retain(|difference| {
        let given = difference.input.as_ref().is_some_and(|name| before.defaults.contains_key(name));
        difference.effect != Effect::Wording && !(given && difference.effect == Effect::Needed)
    });
    found.extend(output(&before.output, &now.output));
    found
}

/// The schema with the fields that only the environment fills, of which only the name counts.
fn with_secrets(body: &ModelPreset) -> Json {
    let mut schema = body.input.value.clone();
    for (name, secret) in &body.secrets {
        schema["properties"][name] = json!({ "type": "string" });
        if secret.required {
            match schema.get_mut("required").and_then(Json::as_array_mut) {
                Some(required) => required.push(json!(name)),
                None => schema["required"] = json!([name]),
            }
        }
    }
    schema
}

/// A host says that a file is taken, and only a preset says of which kind.
fn with_kinds_of(before: &Json, mut now: Json) -> Json {
    let none = Map::new();
    let old = before["properties"].as_object().unwrap_or(&none);
    for (name, schema) in now["properties"].as_object_mut().into_iter().flatten() {
        let Some(own) = old.get(name) else { continue };
        let alike = |of: fn(&Json) -> Option<MediaKind>| of(own).is_some() && of(schema).is_some();
        if alike(MediaKind::of_schema) {
            schema["contentMediaType"] = own["contentMediaType"].clone();
        } else if alike(MediaKind::of_list) {
            schema["items"]["contentMediaType"] = own["items"]["contentMediaType"].clone();
        }
    }
    now
}

/// Files of any kind stay files, and one or several is the same to a preset.
fn output(before: &Output, now: &Output) -> Option<Difference> {
    let word = |kind: OutputKind| match kind {
        OutputKind::Text => "text",
        OutputKind::Json => "JSON",
        _ => "files",
    };
    let (old, new) = (word(before.kind), word(now.kind));
    // A list of texts may be the pieces of one, which only its maker knows.
    let pieces = before.kind == OutputKind::Text && now.kind == OutputKind::Json && before.many;
    (old != new && !pieces).then(|| Difference {
        words: format!("the output was {old} and is {new}"),
        effect: Effect::Other,
        input: None,
    })
}
