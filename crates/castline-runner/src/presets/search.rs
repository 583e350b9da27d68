//! Which preset is meant: those that fit some words, a task, a provider or a price, and the nearest
//! where a name is not quite one.
//!
//! Start reading at [`search`].

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_core::price::{Estimate, estimate};
use castline_core::routing::{Route, Serves};
use castline_core::{MicroUsd, ModelRef, Value};
use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::{Body, ModelPreset};
use castline_spec::{Diagnostics, Preset};
use indexmap::IndexMap;

use super::{all, find};
use crate::project::Project;
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// What to look for; what is left open fits every preset.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Words that all stand in the name, the description, the task or the model.
    pub words: Vec<String>,
    /// The task: `upscale`.
    pub task: Option<String>,
    /// A provider that serves it.
    pub provider: Option<String>,
    /// The most that its first example may cost.
    pub max_price: Option<MicroUsd>,
}

/// A preset that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The preset.
    pub preset: Arc<Preset>,
    /// What its first example costs; none when that is not known before it ran.
    pub example: Option<Estimate>,
}

/// Presets that fit, in the order of [`all`], with what is wrong with others.
pub fn search(project: &Project, query: &Query) -> Result<(Vec<Hit>, Diagnostics), Trouble> {
    let (presets, found) = all(project);
    Ok((search_in(project, presets, query)?, found))
}

fn search_in(project: &Project, presets: Vec<Arc<Preset>>, query: &Query) -> Result<Vec<Hit>, Trouble> {
    if let Some(task) = &query.task {
        known_task(task, &presets)?;
    }
    let route = query.provider.as_ref().map(|name| route(project, name)).transpose()?;
    let words: Vec<String> = query.words.iter().map(|word| word.to_lowercase()).collect();
    let mut hits = Vec::new();
    for preset in presets {
        let model = model_of(project, &preset);
        let model = model.as_ref().and_then(|preset| Called::of(preset));
        let example = model.and_then(example_price);
        let fits = says(&preset, model, &words)
            && query.task.as_ref().is_none_or(|task| task_of(&preset, model) == Some(task))
            && route.as_ref().is_none_or(|route| model.is_some_and(|model| is_served(route, model)))
            && query.max_price.is_none_or(|most| example.is_some_and(|price| price.max <= most));
        if fits {
            hits.push(Hit { preset, example });
        }
    }
    Ok(hits)
}

/// That there is no such preset, with what may be meant.
pub fn unknown(project: &Project, name: &str) -> Trouble {
    let (_, found) = super::own(project);
    if found.has_errors() {
        return Trouble::Diagnostics(found);
    }
    let (presets, _) = all(project);
    let hint = did_you_mean("the preset", name, presets.iter().map(|preset| preset.name.as_str()));
    let parts = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let query = Query { words: parts.map(str::to_owned).collect(), ..Query::default() };
    let similar = || {
        let hits = search_in(project, presets, &query).ok().filter(|_| !query.words.is_empty())?;
        let names: Vec<_> = hits.iter().take(4).map(|hit| format!("`{}`", hit.preset.name)).collect();
        (!names.is_empty()).then(|| format!("with these words there is {}", names.join(", ")))
    };
    Trouble::Usage {
        message: format!("there is no preset `{name}`"),
        hint: hint.or_else(similar).or_else(|| Some("`castline preset list WORD` looks for one".to_owned())),
    }
}

fn known_task(task: &str, presets: &[Arc<Preset>]) -> Result<(), Trouble> {
    let tasks: BTreeSet<&str> = presets.iter().filter_map(|preset| preset.task.as_deref()).collect();
    if tasks.contains(task) {
        return Ok(());
    }
    let hint = did_you_mean("the task", task, tasks.iter().copied());
    let list = || tasks.iter().map(|task| format!("`{task}`")).collect::<Vec<_>>().join(", ");
    Err(Trouble::Usage {
        message: format!("no preset has the task `{task}`"),
        hint: hint.or_else(|| Some(format!("there are {}", list()))),
    })
}

fn route(project: &Project, name: &str) -> Result<Route, Trouble> {
    let wishes = Wishes { provider: Some(name.to_owned()), ..Wishes::default() };
    if name == "std" {
        return providers::routing(project, &Wishes::default()).map(|routing| routing.std);
    }
    let routing = providers::routing(project, &wishes)?;
    let claims = routing.claims.into_iter().find(|claim| &*claim.name.0 == name);
    Ok(claims.unwrap_or(routing.chosen))
}

/// True when this provider itself runs the model; the local tools run nowhere else.
fn is_served(route: &Route, model: Called<'_>) -> bool {
    let name = &*route.name.0;
    let Ok(reference) = model.body.model.value.parse::<ModelRef>() else { return false };
    if reference.owner == "std" || name == "std" {
        return reference.owner == "std" && name == "std";
    }
    match &route.serves {
        Serves::Everything => true,
        Serves::Routed => model.body.routes.contains_key(name),
        Serves::Models(models) => models.contains(&reference.path()),
    }
}

/// A preset of a model, which may be what others are over.
#[derive(Clone, Copy)]
struct Called<'p> {
    preset: &'p Preset,
    body: &'p ModelPreset,
}

impl<'p> Called<'p> {
    fn of(preset: &'p Preset) -> Option<Self> {
        match &preset.body {
            Body::Model(body) => Some(Self { preset, body }),
            Body::Derived(_) => None,
        }
    }
}

/// The preset of the model that a preset calls in the end.
fn model_of(project: &Project, preset: &Arc<Preset>) -> Option<Arc<Preset>> {
    const MOST_LAYERS: usize = 8;
    let mut preset = preset.clone();
    for _ in 0..MOST_LAYERS {
        match &preset.body {
            Body::Model(_) => return Some(preset),
            Body::Derived(derived) => preset = find(project, &derived.extends.value)?.0,
        }
    }
    None
}

fn task_of<'a>(preset: &'a Preset, model: Option<Called<'a>>) -> Option<&'a String> {
    preset.task.as_ref().or_else(|| model?.preset.task.as_ref())
}

fn says(preset: &Preset, model: Option<Called<'_>>, words: &[String]) -> bool {
    let texts = [
        Some(preset.name.as_str()),
        preset.description.as_deref(),
        task_of(preset, model).map(String::as_str),
        model.map(|model| model.body.model.value.as_str()),
    ];
    let text = texts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

/// What the first example of a model costs by its preset; nothing for the local tools.
fn example_price(model: Called<'_>) -> Option<Estimate> {
    if model.body.model.value.starts_with("std/") {
        return Some(Estimate { min: MicroUsd::ZERO, max: MicroUsd::ZERO });
    }
    let example = model.preset.examples.first()?;
    let properties = model.body.input.value["properties"].as_object()?;
    let unsaid = properties.iter().filter_map(|(name, schema)| Some((name, schema.get("default")?)));
    let given = model.body.defaults.iter().chain(&example.value);
    let input: IndexMap<String, Value> =
        unsaid.chain(given).map(|(name, value)| (name.clone(), Value::from_json(value.clone()))).collect();
    estimate(&model.body.price, &input)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn names(query: &Query) -> Vec<String> {
        let (project, _) = Project::near(Path::new("/"));
        let (hits, found) = search(&project, query).unwrap();
        assert!(!found.has_errors());
        hits.into_iter().map(|hit| hit.preset.name.clone()).collect()
    }

    fn words(words: &[&str]) -> Query {
        Query { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Query::default() }
    }

    #[test]
    fn all_words_must_stand_somewhere_in_it() {
        assert_eq!(names(&words(&["KONTEXT", "pro", "written"])), ["flux-kontext-pro"]);
        assert!(names(&words(&["flux", "no-such-word"])).is_empty());
        assert!(names(&words(&[])).len() > 100);
    }

    #[test]
    fn a_task_a_provider_and_a_price_narrow_it_down() {
        let upscalers = names(&Query { task: Some("upscale".to_owned()), ..Query::default() });
        assert!(upscalers.contains(&"real-esrgan".to_owned()) && !upscalers.contains(&"flux-dev".to_owned()));
        let comet = names(&Query { provider: Some("cometapi".to_owned()), ..Query::default() });
        assert!(comet.contains(&"flux-schnell".to_owned()) && comet.len() < names(&words(&[])).len());
        assert!(!comet.contains(&"std/resize".to_owned()));
        let free = Query { max_price: Some(MicroUsd::ZERO), ..Query::default() };
        assert!(names(&free).iter().all(|name| name.starts_with("std/")) && !names(&free).is_empty());
        let cheap = names(&Query { max_price: MicroUsd::from_usd(0.003), ..words(&["flux"]) });
        assert!(
            cheap.contains(&"flux-schnell".to_owned()) && !cheap.contains(&"flux-kontext-pro".to_owned())
        );
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is_near() {
        let (project, _) = Project::near(Path::new("/"));
        let hint = |name: &str| unknown(&project, name).hint().unwrap_or_default().to_owned();
        assert!(hint("flux-shnell").contains("`flux-schnell`"), "{}", hint("flux-shnell"));
        assert!(hint("pro-kontext").contains("`flux-kontext-pro`"), "{}", hint("pro-kontext"));
        assert!(hint("zzzzzzzzzz").contains("preset list"));
        let wrong = |query| search(&project, &query).unwrap_err().to_string();
        assert_eq!(
            wrong(Query { task: Some("upscael".to_owned()), ..Query::default() }),
            "no preset has the task `upscael`"
        );
        assert_eq!(
            wrong(Query { provider: Some("replicat".to_owned()), ..Query::default() }),
            "there is no provider `replicat`"
        );
    }
}
