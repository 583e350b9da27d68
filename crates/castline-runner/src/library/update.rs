//! What libraries would become, and what of a project would change by that, before it is written.
//!
//! Start reading at [`preview`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_core::bill::Bill;
use castline_library::{Pin, Shelf, Tree};
use castline_spec::{Severity, Source, raw};
use serde_json::{Map, Value as Json};

use super::{Locked, reached, resolved};
use crate::job::look_with;
use crate::libraries::Libraries;
use crate::lock::Lock;
use crate::presets::difference::{self, Inputs, short};
use crate::project::{Project, read, shown};
use crate::trouble::Trouble;

/// What an update does.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// The lock before and after.
    pub locked: Locked,
    /// The libraries that become others.
    pub libraries: Vec<Change>,
    /// Steps of the project's workflows that break.
    pub breaks: Vec<Break>,
    /// Steps whose price is another one.
    pub prices: Vec<PriceChange>,
}

/// A library that becomes another one.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its version before; none for one that is new.
    pub before: Option<String>,
    /// Its version after; none for one that is not needed any more.
    pub now: Option<String>,
    /// What is different in its documents: `presets/hero.yaml: input `style` is new`.
    pub documents: Vec<String>,
}

/// An error that a workflow has only with the new libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The workflow's file.
    pub file: String,
    /// The line, from 1; 0 for the whole file.
    pub line: u32,
    /// What is wrong then.
    pub message: String,
}

/// A step that costs something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    /// The workflow's file.
    pub file: String,
    /// The step.
    pub step: String,
    /// What all of its legs cost at most.
    pub before: Bill,
    /// The same with the new libraries.
    pub now: Bill,
}

impl PriceChange {
    /// True when it may cost more than before, or when nobody knows any more.
    pub fn is_dearer(&self) -> bool {
        let worst = |bill: &Bill| (bill.unbounded, bill.unpriced, bill.max);
        worst(&self.now) > worst(&self.before)
    }

    /// By how much it may cost more.
    pub fn more(&self) -> MicroUsd {
        MicroUsd(self.now.max.0.saturating_sub(self.before.max.0))
    }
}

/// What libraries become when these, or all without any, are what their places mean now. Only the
/// store is written.
pub async fn preview(project: &Project, names: &[String], workflows: &[PathBuf]) -> Result<Preview, Trouble> {
    let lock = Lock::read(project)?;
    let wanted = project.libraries();
    let all = reached(&lock.libraries, wanted.keys());
    if let Some(unknown) = names.iter().find(|name| !all.contains(*name)) {
        return Err(Trouble::usage(
            format!("the project has no library `{unknown}`"),
            "`castline library list` shows those that it has",
        ));
    }
    let anew: BTreeSet<String> = if names.is_empty() { all } else { names.iter().cloned().collect() };
    let found = resolved(project, &wanted, &lock.libraries, &anew).await?;
    let locked = Locked { before: lock.libraries, now: found.pins };
    let shelf = project.shelf();
    let libraries = changes(&shelf, &locked, &found.trees);
    let mut preview = Preview { libraries, ..Preview::default() };
    if locked.is_changed() {
        workflows.iter().for_each(|file| preview.look_at(project, file, &locked));
    }
    preview.locked = locked;
    Ok(preview)
}

/// Writes what a preview shows into the lock, unless it was written meanwhile.
pub fn apply(project: &Project, preview: &Preview) -> Result<(), Trouble> {
    let mut lock = Lock::read(project)?;
    if lock.libraries != preview.locked.before {
        return Err(Trouble::usage(
            "castline.lock was changed meanwhile",
            "run `castline library update` again",
        ));
    }
    lock.libraries.clone_from(&preview.locked.now);
    lock.write(project)
}

impl Preview {
    fn look_at(&mut self, project: &Project, file: &std::path::Path, locked: &Locked) {
        let Ok(source) = read(file) else { return };
        let with =
            |pins: &BTreeMap<String, Pin>| look_with(&source, project, Libraries::pinned_as(project, pins));
        let ((found_before, bills_before), (found_now, bills_now)) =
            (with(&locked.before), with(&locked.now));
        let name = shown(file);
        let is_new = |message: &String| !found_before.list.iter().any(|finding| finding.message == *message);
        let errors = found_now.list.iter().filter(|finding| finding.severity == Severity::Error);
        self.breaks.extend(errors.filter(|finding| is_new(&finding.message)).map(|finding| {
            let own = finding.source.name == source.name;
            let line = finding.span.filter(|_| own).map_or(0, |span| span.start.line);
            Break { file: name.clone(), line, message: finding.message.clone() }
        }));
        let both =
            bills_before.iter().filter_map(|(step, before)| Some((step, before, bills_now.get(step)?)));
        self.prices.extend(both.filter(|(_, before, now)| before != now).map(|(step, before, now)| {
            PriceChange { file: name.clone(), step: step.clone(), before: *before, now: *now }
        }));
    }
}

fn changes(shelf: &Shelf, locked: &Locked, trees: &BTreeMap<String, Tree>) -> Vec<Change> {
    let names: BTreeSet<_> = locked.before.keys().chain(locked.now.keys()).collect();
    let differ = names.into_iter().filter(|name| locked.before.get(*name) != locked.now.get(*name));
    let change = |name: &String| {
        let (before, now) = (locked.before.get(name), locked.now.get(name));
        let old = before.and_then(|pin| shelf.open(name, &pin.digest).ok());
        let documents = match (&old, trees.get(name)) {
            (Some(old), Some(new)) => documents(&old.tree, new),
            _ => Vec::new(),
        };
        let version = |pin: Option<&Pin>| pin.map(|pin| pin.version.clone());
        Change { name: name.clone(), before: version(before), now: version(now), documents }
    };
    differ.map(change).collect()
}

/// What is different in the documents of two libraries.
fn documents(old: &Tree, new: &Tree) -> Vec<String> {
    let is_document = |path: &str| path.starts_with("presets/") || path.starts_with("workflows/");
    let paths: BTreeSet<_> =
        old.files().chain(new.files()).map(|(path, _)| path).filter(|path| is_document(path)).collect();
    let mut found = Vec::new();
    for path in paths {
        match (old.text(path), new.text(path)) {
            (Some(before), Some(now)) if before == now => {}
            (Some(before), Some(now)) => {
                let differences = differences(&json(path, before), &json(path, now));
                found.extend(differences.iter().map(|difference| format!("{path}: {difference}")));
            }
            (None, Some(_)) => found.push(format!("{path} is new")),
            (Some(_), None) => found.push(format!("{path} is gone")),
            (None, None) => {}
        }
    }
    found
}

fn json(path: &str, text: &str) -> Json {
    raw::parse(&Source::new(path, text)).map_or(Json::Null, |node| node.to_json())
}

/// Two versions of a preset or a workflow: its inputs and its price in words, the rest by its keys.
fn differences(old: &Json, new: &Json) -> Vec<String> {
    let mut found = inputs(old, new);
    for key in keys(old, new).into_iter().filter(|key| !["inputs", "input"].contains(&key.as_str())) {
        let (before, now) = (&old[&key], &new[&key]);
        match (before, now) {
            (before, now) if before == now => {}
            (Json::Null, _) => found.push(format!("`{key}` is new")),
            (_, Json::Null) => found.push(format!("`{key}` is gone")),
            (Json::Object(_) | Json::Array(_), _) | (_, Json::Object(_) | Json::Array(_))
                if key != "price" =>
            {
                found.push(format!("`{key}` is another one"));
            }
            _ => found.push(format!("`{key}` was {} and is {}", short(before), short(now))),
        }
    }
    if found.is_empty() {
        found.push("comments and layout only".to_owned());
    }
    found
}

/// The inputs of a preset of a model are in its schema, those of others stand by themselves.
fn inputs(old: &Json, new: &Json) -> Vec<String> {
    let declared = difference::inputs(&Inputs::declared(&old["inputs"]), &Inputs::declared(&new["inputs"]));
    let of_model = difference::inputs(&Inputs::of_schema(&old["input"]), &Inputs::of_schema(&new["input"]));
    declared.into_iter().chain(of_model).map(|difference| difference.words).collect()
}

fn keys(old: &Json, new: &Json) -> Vec<String> {
    let none = Map::new();
    let of = |json: &Json| json.as_object().unwrap_or(&none).keys().cloned().collect::<Vec<_>>();
    let mut all = of(old);
    all.extend(of(new).into_iter().filter(|key| old.get(key).is_none()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str) -> String {
        differences(&json("old", old), &json("new", new)).join("\n")
    }

    #[test]
    fn what_differs_between_two_presets_is_said_in_words() {
        let old = "model: a/b\ninput: {type: object, required: [p], properties: {p: {type: string}, s: {enum: [x, y]}}}\n\
            price: {usd: 0.04, per: image}\ndescription: Old.\n";
        let new = "model: a/c\ninput: {type: object, required: [p, t], properties: {p: {type: string}, s: {enum: [x]}, t: {type: integer}}}\n\
            price: {usd: 0.06, per: image}\nports: {image: p}\n";
        insta::assert_snapshot!(found(old, new));
        assert_eq!(found("model: a/b # x\n", "model: a/b\n"), "comments and layout only");
        assert_eq!(found("inputs: {a: {type: string}}\n", "inputs: {}\n"), "input `a` is gone");
    }
}
