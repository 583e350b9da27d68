//! What the checker says of a workflow, and what really becomes of it.

use std::path::Path;
use std::sync::Arc;

use castline_core::callee::Catalog;
use castline_core::data::Data;
use castline_core::files::{Broken, FileContent, Files, Want};
use castline_core::graph::{Graph, Step};
use castline_core::inputs::Inputs;
use castline_core::plan::{Choices, Plan};
use castline_core::results::LegStatus;
use castline_core::{Artifact, Digest, Value};
use castline_spec::{Code, Diagnostics, Severity, Source, Workflow};
use indexmap::IndexMap;

use super::{Ended, World, routing};

/// What was said, and what happened.
#[derive(Debug)]
pub struct Verdict {
    /// Why the checker refuses it; none when it does not.
    pub refused: Option<String>,
    /// How it fails, whatever the checker says; none when it runs through.
    pub failed: Option<String>,
    /// Why it is refused before any real value was looked at.
    pub said: Option<String>,
    /// True when every input is said to fit whatever comes.
    pub proved: bool,
}

/// Checks a text, and runs it whether its values are refused or not.
pub fn try_out(text: &str, name: &str, file: &Path, catalog: &Catalog) -> Verdict {
    let source = Source::new(name, text);
    let (workflow, parsed) = Workflow::parse(&source);
    let unreadable = first(&parsed);
    let Some(workflow) = workflow.filter(|_| unreadable.is_none()) else {
        return Verdict {
            refused: unreadable.clone(),
            failed: unreadable.clone(),
            said: unreadable,
            proved: false,
        };
    };
    let (graph, found) = Graph::look(&workflow, catalog);
    let said = first(&found);
    // Steps that wait for each other never run, what is no schema takes nothing, and a name that
    // leads nowhere has no value.
    let hopeless =
        |code| matches!(code, Code::Cycle | Code::InvalidSchema | Code::UnknownStep | Code::UnknownName);
    let hopeless = found.list.iter().any(|finding| hopeless(finding.code));
    let Some(graph) = graph.filter(|_| !hopeless) else {
        return Verdict { refused: said.clone(), failed: said.clone(), said, proved: false };
    };
    let proved = graph.proofs().open == 0;
    let verdict = |refused, failed| Verdict { refused, failed, said: said.clone(), proved };
    match run(graph, file) {
        // What a plan says of real values is said by a check, too.
        Err(Failed::Planned(why)) => verdict(said.clone().or(Some(why.clone())), Some(why)),
        Err(Failed::Run(why)) => verdict(said.clone(), Some(why)),
        Err(Failed::NotTried) => verdict(said.clone(), said.clone()),
        Ok(()) => verdict(said.clone(), None),
    }
}

enum Failed {
    /// Before anything was created.
    Planned(String),
    /// On the way.
    Run(String),
    /// An input has no value, so that nobody knows.
    NotTried,
}

fn run(graph: Graph, file: &Path) -> Result<(), Failed> {
    let files = Arc::new(Files::default());
    let graph = Arc::new(graph);
    loop {
        let inputs = Inputs::resolve(&graph, &IndexMap::new(), &files, false);
        let (plan, mut found) = Plan::new(
            graph.clone(),
            &inputs,
            files.clone(),
            routing(),
            Choices { run: "run1".into(), ..Choices::default() },
        );
        found.extend(inputs.found.clone());
        if let Some(plan) = &plan {
            found.extend(plan.check_reads());
            found.extend(plan.check_saves());
        }
        let plan = plan.map(Arc::new);
        let forecast = plan.clone().map(|plan| World::default().forecast(plan));
        found.extend(forecast.map(|forecast| forecast.found).unwrap_or_default());
        if load(&files, file) {
            continue;
        }
        if let Some(why) = first(&found) {
            return Err(Failed::Planned(why));
        }
        if graph.inputs.keys().any(|name| !inputs.values.contains_key(name)) {
            return Err(Failed::NotTried);
        }
        let Some(plan) = plan else { return Err(Failed::Run("there are no legs".to_owned())) };
        let mut world = World::default();
        return judge(&plan, &world.run(plan.clone(), usize::MAX, |_| 0));
    }
}

/// A run is whole when every leg ended well or is skipped by its own `if`, every output has a
/// value, and every file has a path.
fn judge(plan: &Plan, ended: &Ended) -> Result<(), Failed> {
    let may_skip = |step: &Step| step.condition.is_some();
    for leg in plan.order() {
        let name = plan.leg_name(leg);
        let step = &plan.graph.steps[plan.legs.step(leg)];
        let reads_skipped = step.deps.iter().any(|dep| may_skip(&plan.graph.steps[dep.step]));
        match ended.statuses.get(&name) {
            Some(LegStatus::Succeeded) => {}
            Some(LegStatus::Skipped) if may_skip(step) || reads_skipped => continue,
            other => return Err(Failed::Run(format!("{name} is {other:?}"))),
        }
        let saved = plan.saves(leg, ended.run.results());
        saved.map_err(|why| Failed::Run(format!("{name} saves nothing: {why}")))?;
    }
    for (name, value) in ended.run.outputs() {
        let some = match value {
            Err(_) | Ok(Value::Null) => false,
            Ok(Value::List(items)) => !items.is_empty(),
            Ok(_) => true,
        };
        if !some {
            return Err(Failed::Run(format!("output {name} has no value")));
        }
    }
    Ok(())
}

fn first(found: &Diagnostics) -> Option<String> {
    let error = found.list.iter().find(|finding| finding.severity == Severity::Error)?;
    Some(format!("{} {}", error.code.as_str(), error.message))
}

/// The files of one folder that a pattern with one `*` in its last part matches.
fn listed(pattern: &str, path: &Path) -> Vec<String> {
    let (Some((folder, last)), Some(place)) = (pattern.rsplit_once('/'), path.parent()) else {
        return Vec::new();
    };
    let Some((head, tail)) = last.split_once('*') else { return Vec::new() };
    let names = std::fs::read_dir(place).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with(head) && name.ends_with(tail))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    names
}

/// Loads what was asked for; true when there was something.
fn load(files: &Files, document: &Path) -> bool {
    let wanted = files.take_missing();
    for file in &wanted {
        let path = document.parent().unwrap_or(document).join(&file.path);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let missing = Broken::new(Code::Unreadable, format!("names `{}`, which does not exist", file.path));
        let content = match (file.want, std::fs::read(&path)) {
            (Want::Listing, _) => match listed(&file.path, &path) {
                names if names.is_empty() => Err(missing),
                names => Ok(FileContent::Listing(names.into())),
            },
            (_, Err(_)) => Err(missing),
            (Want::Text, Ok(bytes)) => Ok(FileContent::Text(text(bytes))),
            (Want::Data(format), Ok(bytes)) => {
                let source = Source::new(path.to_string_lossy().into_owned(), text(bytes));
                Data::parse(source, format).map(|data| FileContent::Data(Arc::new(data)))
            }
            (Want::Artifact, Ok(bytes)) => {
                Ok(FileContent::Artifact(Artifact::describe(Digest::of(&bytes), bytes.len() as u64, &bytes)))
            }
        };
        files.add(file.clone(), content);
    }
    !wanted.is_empty()
}
