//! The workflow that makes a picture again: what `castline from` prints.
//!
//! Where a picture tells how it was made, no project is needed to know it; for one that tells
//! nothing the runs of the project are asked. Whether the workflow sends the same requests is not
//! believed but tried: it is planned, and its keys are compared.
//!
//! Start reading at [`from`].

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use castline_core::forecast::{Fate, Forecast};
use castline_core::key::{Difference, differences};
use castline_core::plan::Ready;
use castline_core::provenance::{CameFrom, Find, Made, Makers, OfRun, Provenance, Read, Written, container};
use castline_core::request::Request;
use castline_core::{Digest, ModelRef};
use castline_spec::preset::{Body, Preset};
use castline_spec::{Severity, Source};
use castline_store::user_file;
use indexmap::IndexMap;

use crate::files::is_inside;
use crate::job::{Basis, Job, store_to_look_at};
use crate::plan_file::named_from;
use crate::project::{Project, absolute, parent, shown};
use crate::provenance::beside;
use crate::trouble::Trouble;
use crate::wishes::Wishes;
use crate::{history, presets};

/// So many runs are searched for a file that tells nothing.
const MOST_RUNS: usize = 200;

/// A workflow that makes a file again.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// How it was made.
    pub provenance: Provenance,
    /// The workflow's text.
    pub text: String,
    /// Why the workflow does not make the same: each a whole sentence without its end.
    pub missing: Vec<String>,
    /// What is worth knowing and hinders nothing, in the same way.
    pub notes: Vec<String>,
}

/// Where a workflow that is not written to a file is taken to stand: where the user does.
const HERE: &str = "again.yaml";

/// Writes the workflow that makes a file again, for a place in a project.
pub async fn from(picture: &Path, place: Option<&Path>) -> Result<Recipe, Trouble> {
    let place = absolute(place.unwrap_or(Path::new(HERE)));
    let (project, _) = Project::near(&place);
    let (provenance, digest) = provenance(picture, &project)?;
    let mut notes = Vec::new();
    if provenance.digest != digest {
        notes.push(format!("`{}` was changed since it was made; this makes it as it was", shown(picture)));
    }
    let known = LazyCell::new(|| presets::all(&project).0);
    let find = Find {
        preset: &|made| preset(made, &project, &known),
        file: &|read| file(read, &project, &parent(&place)),
    };
    let written = provenance.workflow(&find);
    let mut missing = written.missing.clone();
    let text = text(picture, &provenance, &written)?;
    if missing.is_empty() {
        missing = moved(&provenance, &written, &Source::new(shown(&place), text.clone())).await?;
    }
    let commented = missing.iter().fold(String::new(), |mut lines, missing| {
        let _ = writeln!(lines, "# Missing: {}.", missing.replace(char::is_control, " "));
        lines
    });
    Ok(Recipe { provenance, text: commented + &text, missing, notes })
}

/// How a file was made, and what it is now.
fn provenance(picture: &Path, project: &Project) -> Result<(Provenance, Digest), Trouble> {
    let name = shown(picture);
    let bytes = std::fs::read(picture)
        .map_err(|e| Trouble::Usage { message: format!("`{name}` cannot be read: {e}"), hint: None })?;
    let (told, bytes) = match container::take(&bytes) {
        Some(taken) => (Some(taken.text), taken.picture),
        None => (None, bytes),
    };
    let digest = Digest::of(&bytes);
    if let Some(told) = told {
        let made = Provenance::parse(&told).map_err(|why| unreadable(&name, &why))?;
        return Ok((made, digest));
    }
    let sidecar = beside(picture);
    if let Ok(told) = std::fs::read_to_string(&sidecar) {
        let made = Provenance::parse(&told).map_err(|why| unreadable(&shown(&sidecar), &why))?;
        // What is beside it may be of a file that was there before.
        if made.digest == digest {
            return Ok((made, digest));
        }
    }
    recorded(digest, project)?.map(|made| (made, digest)).ok_or_else(|| {
        Trouble::usage(
            format!("nothing tells how `{name}` was made"),
            "it carries no note of castline, and no run of this project made these bytes; \
             stand in the project that made it",
        )
    })
}

fn unreadable(name: &str, why: &str) -> Trouble {
    Trouble::Usage {
        message: format!("what `{name}` tells of how it was made cannot be read: {why}"),
        hint: None,
    }
}

/// The newest run that made a file.
fn recorded(digest: Digest, project: &Project) -> Result<Option<Provenance>, Trouble> {
    let Some(store) = store_to_look_at(project)? else { return Ok(None) };
    for id in store.runs().list().map_err(crate::ledger::trouble)?.iter().take(MOST_RUNS) {
        let record = history::record(&store, id)?;
        let makers = Makers::of(&record);
        let run = OfRun {
            castline: env!("CARGO_PKG_VERSION").to_owned(),
            workflow: record.workflow.clone(),
            file: record.file.clone(),
            workflow_digest: None,
            lock_digest: None,
        };
        let made = Provenance::of(digest, &run, &record, &makers, &BTreeMap::new());
        if made.is_some() {
            return Ok(made);
        }
    }
    Ok(None)
}

/// The preset of a model: that of the step, where it is one, else any. Without one the model is
/// called by its own name, and nothing is checked.
fn preset(
    made: &Made,
    project: &Project,
    known: &LazyCell<Vec<Arc<Preset>>, impl FnOnce() -> Vec<Arc<Preset>>>,
) -> String {
    let model = &made.request.model;
    let path = |text: &str| text.parse().ok().map(|model: ModelRef| model.path());
    if model.starts_with("std/") {
        return model.clone();
    }
    let wanted = path(model);
    let runs = |preset: &Preset| match &preset.body {
        Body::Model(body) => wanted.is_some() && path(&body.model.value) == wanted,
        Body::Derived(_) => false,
    };
    // A stranger's path is not opened.
    let named = Some(&made.uses).filter(|uses| !presets::is_file(uses));
    if let Some((preset, _)) = named.and_then(|uses| presets::find(project, uses))
        && preset.name == made.uses
        && runs(&preset)
    {
        return made.uses.clone();
    }
    let any = known.iter().find(|preset| runs(preset));
    any.map_or_else(|| format!("model:{model}"), |preset| preset.name.clone())
}

/// A file of the user, as a document in a folder names it.
fn file(read: &Read, project: &Project, folder: &Path) -> Result<String, String> {
    let digest = read.digest;
    let CameFrom::File { path } = &read.from else {
        return Err(format!("it takes a file {digest}, and nobody says where that came from"));
    };
    let place = project.root.join(path);
    // A picture of a stranger says what it likes.
    if !is_inside(&project.root, &place) {
        return Err(format!(
            "it takes `{path}`, which is outside of the project: copy that file, {digest}, into it"
        ));
    }
    if !place.is_file() {
        return Err(format!("it takes `{path}`, which is not there: that was {digest}"));
    }
    match user_file::read(&place).map(|bytes| Digest::of(&bytes)) {
        Ok(now) if now == digest => Ok(named_from(folder, &place)),
        Ok(_) => Err(format!("it takes `{path}`, which is another file by now: that was {digest}")),
        Err(why) => Err(format!("it takes `{path}`, which cannot be read: {why}")),
    }
}

fn text(picture: &Path, provenance: &Provenance, written: &Written) -> Result<String, Trouble> {
    let Provenance { run, leg, .. } = provenance;
    let document = serde_yaml::to_string(&written.document).map_err(|e| Trouble::Bug(e.to_string()))?;
    let line = |text: &str| text.replace(char::is_control, " ");
    let leg = line(leg);
    let mut text = String::new();
    let _ = writeln!(text, "# Makes {} again: `{leg}` of `{}`.", line(&shown(picture)), line(&run.file));
    if let Some(provider) = provider(provenance).map(line) {
        let _ = writeln!(text, "# It was made on {provider}: run this with `--provider {provider}`.");
    }
    Ok(text + &document)
}

/// Who made it, or what it was made of.
fn provider(provenance: &Provenance) -> Option<&str> {
    let providers = provenance.predictions.iter().rev().map(|made| &*made.request.provider.0);
    providers.into_iter().find(|provider| *provider != "std")
}

/// Plans the workflow, and says why its requests are not the same.
async fn moved(provenance: &Provenance, written: &Written, source: &Source) -> Result<Vec<String>, Trouble> {
    let wishes = Wishes { provider: provider(provenance).map(str::to_owned), ..Wishes::default() };
    let basis = Basis { text: Some(source), ..Basis::default() };
    let job = match Job::plan_again(&basis, Path::new(&*source.name), &wishes).await {
        Ok(job) => job,
        Err(trouble @ Trouble::Usage { .. }) => return Ok(vec![trouble.to_string()]),
        Err(trouble) => return Err(trouble),
    };
    let Some(forecast) = &job.forecast else {
        let errors = job.diagnostics.list.iter().filter(|found| found.severity == Severity::Error);
        return Ok(errors.map(|found| found.message.clone()).collect());
    };
    let now: HashMap<String, &Request> = requests(forecast);
    let mut moved = Vec::new();
    for (made, (step, key)) in provenance.predictions.iter().zip(&written.steps) {
        // What reads a file that is still to be made has no key yet.
        if let Some(request) = now.get(step.as_str())
            && request.key != *key
        {
            moved.push(format!(
                "`{step}` asks for something else than `{}` did: {}",
                made.leg,
                why(made, request)
            ));
        }
    }
    Ok(moved)
}

fn requests(forecast: &Forecast) -> HashMap<String, &Request> {
    let ready = |leg| match forecast.fate(leg) {
        Fate::Hit(ready, _) | Fate::Run(ready, _) | Fate::Same(ready, _) => Some(ready),
        _ => None,
    };
    let plan = &forecast.plan;
    let of = |leg| {
        let ready: &Ready = ready(leg)?;
        Some((plan.graph.steps[plan.legs.step(leg)].name.to_string(), &*ready.request))
    };
    plan.predictions().filter_map(of).collect()
}

/// What is different in a request, as far as it was told.
fn why(made: &Made, now: &Request) -> String {
    let plain = |value: &castline_core::Value| castline_core::plain::json(value).to_string();
    let told = |model: &str, input: &IndexMap<String, castline_core::Value>| {
        let mut lines = IndexMap::from([("the model".to_owned(), model.to_owned())]);
        lines.extend(input.iter().map(|(name, value)| (format!("`{name}`"), plain(value))));
        lines
    };
    let before = told(&made.request.model, &made.request.input);
    let now = told(&now.model.to_string(), &now.input);
    let different = differences(&before, &now);
    let line = |Difference { path, before, now }: &Difference| {
        let said = |value: &Option<String>| value.as_deref().unwrap_or("nothing").to_owned();
        format!("{path} was {} and is {}", said(before), said(now))
    };
    match different.is_empty() {
        true => "its stand-ins or local tools make other pictures by now".to_owned(),
        false => different.iter().map(line).collect::<Vec<_>>().join(", "),
    }
}
