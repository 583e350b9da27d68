//! Two runs side by side: which legs got other inputs, ended otherwise, or made something else.
//!
//! Legs meet by step and values of axes, also between runs of different workflows. What a leg
//! cost and how long it took is told, and alone makes no difference.
//!
//! Start reading at [`diff`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use castline_core::event::LegRef;
use castline_core::key::{Difference, differences};
use castline_core::record::{LegRecord, RunRecord, SavedRecord};
use castline_core::results::LegStatus;
use castline_core::summary::RunSummary;
use castline_core::{Artifact, Key, MicroUsd};
use castline_provider::pictures::{Likeness, Pair};
use castline_store::{Store, user_file};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::history;
use crate::job::store_to_look_at;
use crate::project::Project;
use crate::trouble::Trouble;
use crate::why::ingredients_of;

/// So many pairs of pictures are looked at when nobody asks for more.
const MOST_PAIRS: usize = 200;

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this step.
    pub step: Option<String>,
    /// All pairs of pictures are looked at, however many.
    pub all: bool,
    /// Pictures of the differences go into this folder.
    pub pictures: Option<PathBuf>,
}

/// Two runs side by side.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The left one.
    pub left: RunSummary,
    /// The right one.
    pub right: RunSummary,
    /// Steps that only the left one has.
    pub only_left: Vec<String>,
    /// Steps that only the right one has.
    pub only_right: Vec<String>,
    /// Steps that both have.
    pub shared: usize,
    /// Legs that are the same.
    pub same: usize,
    /// Legs that are not, in the order of the steps.
    pub legs: Vec<LegDiff>,
    /// Pairs of pictures that were not looked at because there are too many.
    pub unseen: usize,
}

/// A leg that is not the same.
#[derive(Debug, Clone)]
pub struct LegDiff {
    /// Which.
    pub leg: LegRef,
    /// What it was on the left; none when it was not there.
    pub left: Option<Side>,
    /// What it was on the right.
    pub right: Option<Side>,
    /// What was sent, where it differs: path, left, right.
    pub changed: Vec<Difference>,
    /// What came, where it differs.
    pub outputs: Vec<OutputDiff>,
}

/// A leg in one of the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// What it became.
    pub status: LegStatus,
    /// Its output was there already.
    pub reused: bool,
    /// Its key.
    pub key: Option<Key>,
    /// What it cost; none when nobody knows, or nobody was asked.
    pub cost: Option<MicroUsd>,
    /// Seconds: of model time where that is known, else from its start to its end.
    pub seconds: Option<f64>,
    /// Why it has no output.
    pub message: Option<String>,
}

/// One thing that came, and is another one on the other side.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputDiff {
    /// Where in the output: empty, or `[1]`.
    pub path: String,
    /// On the left, media as objects.
    pub left: Option<Json>,
    /// On the right.
    pub right: Option<Json>,
    /// How alike they are, of pictures that were looked at.
    pub likeness: Option<Likeness>,
    /// Why they were not looked at, for people.
    pub note: Option<String>,
    /// The picture of the difference, when it was wanted.
    pub picture: Option<PathBuf>,
}

/// Compares two runs: ids, their beginnings, `last` or `last~1`.
pub fn diff(project: &Project, left: &str, right: &str, options: &Options) -> Result<Diff, Trouble> {
    let (left, right) = (history::run(project, left)?, history::run(project, right)?);
    if let Some(step) = &options.step {
        let mut known = left.steps.iter().chain(&right.steps).map(|known| known.name.as_str());
        if !known.any(|known| known == step) {
            let names = left.steps.iter().chain(&right.steps).map(|known| known.name.as_str());
            return Err(Trouble::Usage {
                message: format!("neither run has a step `{step}`"),
                hint: castline_spec::diagnostic::did_you_mean("the step", step, names),
            });
        }
    }
    let mut diff = side_by_side(&left, &right, options.step.as_deref());
    let store = store_to_look_at(project)?;
    let shelf = Shelf { store: store.as_ref(), root: &project.root, saved: [&left, &right].map(saved) };
    look_at_pictures(&mut diff, &shelf, options)?;
    Ok(diff)
}

/// All of it but the likeness of pictures.
fn side_by_side(left: &RunRecord, right: &RunRecord, step: Option<&str>) -> Diff {
    let names = |record: &RunRecord| -> BTreeSet<String> {
        record.steps.iter().map(|step| step.name.to_string()).collect()
    };
    let (in_left, in_right) = (names(left), names(right));
    let mut pairs: IndexMap<String, (Option<&LegRecord>, Option<&LegRecord>)> = IndexMap::new();
    for leg in &left.legs {
        pairs.entry(place(&leg.leg)).or_default().0 = Some(leg);
    }
    for leg in &right.legs {
        pairs.entry(place(&leg.leg)).or_default().1 = Some(leg);
    }
    let (mut same, mut legs) = (0, Vec::new());
    for (left, right) in pairs.into_values() {
        let leg = &left.or(right).expect("a pair has at least one side").leg;
        if step.is_some_and(|step| leg.step.as_str() != step) {
            continue;
        }
        match leg_diff(leg, left, right) {
            Some(diff) => legs.push(diff),
            None => same += 1,
        }
    }
    let order: Vec<&str> = right.steps.iter().chain(&left.steps).map(|step| step.name.as_str()).collect();
    legs.sort_by_key(|leg| order.iter().position(|name| *name == leg.leg.step.as_str()));
    Diff {
        left: left.into(),
        right: right.into(),
        only_left: in_left.difference(&in_right).cloned().collect(),
        only_right: in_right.difference(&in_left).cloned().collect(),
        shared: in_left.intersection(&in_right).count(),
        same,
        legs,
        unseen: 0,
    }
}

fn place(leg: &LegRef) -> String {
    format!("{} {}", leg.step, serde_json::to_string(&leg.leg).unwrap_or_default())
}

/// None when it got the same, ended the same way and made the same.
fn leg_diff(leg: &LegRef, left: Option<&LegRecord>, right: Option<&LegRecord>) -> Option<LegDiff> {
    let (mut changed, mut outputs) = (Vec::new(), Vec::new());
    if let (Some(left), Some(right)) = (left, right) {
        if let (Some(left), Some(right)) = (&left.request, &right.request) {
            changed = differences(&ingredients_of(left), &ingredients_of(right));
        }
        outputs = output_diffs(left.output_json().as_ref(), right.output_json().as_ref());
        if left.status == right.status && changed.is_empty() && outputs.is_empty() {
            return None;
        }
    }
    let (left, right) = (left.map(Side::of), right.map(Side::of));
    Some(LegDiff { leg: leg.clone(), left, right, changed, outputs })
}

impl Side {
    fn of(leg: &LegRecord) -> Self {
        let took = leg.created.zip(leg.finished).map(|(from, to)| to.duration_since(from).as_secs_f64());
        Self {
            status: leg.status,
            reused: leg.reused,
            key: leg.request.as_ref().map(|request| request.key),
            cost: leg.cost.filter(|_| leg.request.is_some()),
            seconds: leg.predict_seconds.or(took).filter(|_| !leg.reused),
            message: leg.failure.as_ref().map(|failure| failure.message.clone()).or_else(|| {
                let idle = matches!(leg.status, LegStatus::Skipped | LegStatus::NotRun);
                leg.why.clone().filter(|_| idle).map(Into::into)
            }),
        }
    }
}

/// What differs of two outputs, item by item where both are lists.
fn output_diffs(left: Option<&Json>, right: Option<&Json>) -> Vec<OutputDiff> {
    let (Some(left), Some(right)) = (left, right) else { return Vec::new() };
    if let (Json::Array(lefts), Json::Array(rights)) = (left, right) {
        let items = (0..lefts.len().max(rights.len())).map(|i| (i, lefts.get(i), rights.get(i)));
        return items.filter_map(|(i, left, right)| output_diff(format!("[{i}]"), left, right)).collect();
    }
    output_diff(String::new(), Some(left), Some(right)).into_iter().collect()
}

fn output_diff(path: String, left: Option<&Json>, right: Option<&Json>) -> Option<OutputDiff> {
    let same = match (left, right) {
        (Some(left), Some(right)) => match (file(left), file(right)) {
            (Some(left), Some(right)) => left.digest == right.digest,
            _ => left == right,
        },
        _ => false,
    };
    let (left, right) = (left.cloned(), right.cloned());
    (!same).then_some(OutputDiff { path, left, right, likeness: None, note: None, picture: None })
}

/// The file that a value of a record stands for.
fn file(value: &Json) -> Option<Artifact> {
    value.get("digest").and_then(|_| serde_json::from_value(value.clone()).ok())
}

fn picture(value: Option<&Json>) -> Option<Artifact> {
    value.and_then(file).filter(|file| file.media_type.as_str().starts_with("image/"))
}

/// Where the bytes of outputs are.
struct Shelf<'a> {
    store: Option<&'a Store>,
    root: &'a Path,
    /// What each run has saved.
    saved: [Vec<&'a SavedRecord>; 2],
}

fn saved(record: &RunRecord) -> Vec<&SavedRecord> {
    let of_legs = record.legs.iter().flat_map(|leg| &leg.saved);
    of_legs.chain(record.output_files.values().flatten()).collect()
}

impl Shelf<'_> {
    /// From the store, else from where it was saved if nothing else is there now.
    fn read(&self, file: &Artifact, side: usize) -> Option<Vec<u8>> {
        let stored = self.store.and_then(|store| store.blobs().read(file).ok());
        stored.or_else(|| {
            let mut copies = self.saved[side].iter().filter(|saved| saved.artifact.digest == file.digest);
            copies.find_map(|saved| {
                let bytes = user_file::read(&self.root.join(&saved.path)).ok()?;
                (castline_core::Digest::of(&bytes) == file.digest).then_some(bytes)
            })
        })
    }
}

/// A pair of pictures to look at: the place of its leg and of its output.
struct Look {
    leg: usize,
    output: usize,
    left: Artifact,
    right: Artifact,
    name: Option<PathBuf>,
}

fn look_at_pictures(diff: &mut Diff, shelf: &Shelf<'_>, options: &Options) -> Result<(), Trouble> {
    let mut looks = Vec::new();
    let mut names = BTreeSet::new();
    for (i, leg) in diff.legs.iter().enumerate() {
        for (j, output) in leg.outputs.iter().enumerate() {
            if let (Some(left), Some(right)) = (picture(output.left.as_ref()), picture(output.right.as_ref()))
            {
                let name = options.pictures.as_ref().map(|folder| {
                    folder.join(file_name(&format!("{}{}", leg.leg.name, output.path), &mut names))
                });
                looks.push(Look { leg: i, output: j, left, right, name });
            }
        }
    }
    if !options.all && looks.len() > MOST_PAIRS {
        diff.unseen = looks.len() - MOST_PAIRS;
        looks.truncate(MOST_PAIRS);
    }
    if let Some(folder) = options.pictures.as_ref().filter(|_| !looks.is_empty()) {
        fs::create_dir_all(folder).map_err(|e| cannot_write(folder, &e))?;
    }
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(look) = looks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = look_at(look, shelf);
            seen.lock().expect("nobody panics while holding it").push((look, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(looks.len()) {
            scope.spawn(work);
        }
    });
    for (look, result) in seen.into_inner().expect("nobody panics while holding it") {
        let output = &mut diff.legs[look.leg].outputs[look.output];
        match result? {
            Ok(likeness) => {
                output.likeness = Some(likeness);
                output.picture.clone_from(&look.name);
            }
            Err(note) => output.note = Some(note),
        }
    }
    Ok(())
}

/// The inner error is a note on why they cannot be compared.
fn look_at(look: &Look, shelf: &Shelf<'_>) -> Result<Result<Likeness, String>, Trouble> {
    let gone = |which: &str| Ok(Err(format!("the file of the {which} one is gone")));
    let Some(left) = shelf.read(&look.left, 0) else { return gone("left") };
    let Some(right) = shelf.read(&look.right, 1) else { return gone("right") };
    let pair = match Pair::read(&left, &right) {
        Ok(pair) => pair,
        Err(why) => return Ok(Err(why)),
    };
    if let Some(name) = &look.name {
        match pair.to_look_at() {
            Ok(bytes) => fs::write(name, bytes).map_err(|e| cannot_write(name, &e))?,
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(pair.likeness()))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Trouble {
    let message = format!("cannot write `{}`: {error}", crate::project::shown(path));
    Trouble::usage(message, "give another folder for the pictures")
}

/// `styled-style-linocut.png` for `styled[style=linocut]`, each name once.
fn file_name(leg: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = leg.chars().map(plain).take(80).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    let more = (2..).map(|n| format!("{name}-{n}.png"));
    let free = std::iter::once(format!("{name}.png")).chain(more).find(|name| !taken.contains(name));
    let free = free.expect("there are endless names");
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leg(value: &Json) -> LegRecord {
        let mut whole = json!({
            "step": "a", "leg": {}, "name": "a", "status": "succeeded", "reused": false, "why": null,
            "request": null, "prediction": null, "created": null, "finished": null, "predict_seconds": null,
            "cost": 0, "estimate": null, "output": "x", "failure": null, "attempts": 1, "saved": [],
        });
        value.as_object().unwrap().iter().for_each(|(name, value)| whole[name] = value.clone());
        serde_json::from_value(whole).unwrap()
    }

    fn request(prompt: &str, key: u8) -> Json {
        json!({
            "key": castline_core::Digest::of(&[key]), "model": "acme/paint", "provider": "sandbox",
            "input": { "prompt": prompt, "n": 1 },
        })
    }

    fn picture(key: u8) -> Json {
        json!({ "digest": castline_core::Digest::of(&[key]), "media_type": "image/png", "bytes": 1 })
    }

    fn of(left: &Json, right: &Json) -> Option<LegDiff> {
        let (left, right) = (leg(left), leg(right));
        leg_diff(&left.leg, Some(&left), Some(&right))
    }

    #[test]
    fn money_and_time_alone_make_no_difference() {
        let right = json!({ "cost": 40_000, "reused": true, "predict_seconds": 3.5 });
        assert!(of(&json!({}), &right).is_none());
    }

    #[test]
    fn inputs_are_compared_field_by_field() {
        let diff = of(&json!({ "request": request("boat", 1) }), &json!({ "request": request("kite", 2) }));
        let changed = diff.unwrap().changed;
        let (path, text) = ("input.prompt".to_owned(), |text: &str| Some(text.to_owned()));
        assert_eq!(changed, [Difference { path, before: text("boat"), now: text("kite") }]);
    }

    #[test]
    fn files_are_compared_by_their_digests_and_lists_item_by_item() {
        let same = json!({ "digest": castline_core::Digest::of(&[1]), "media_type": "image/png", "bytes": 1,
            "width": 8, "height": 8 });
        assert!(of(&json!({ "output": picture(1) }), &json!({ "output": same })).is_none());
        let diff = of(
            &json!({ "output": [picture(1), picture(2)] }),
            &json!({ "output": [picture(1), picture(3), picture(4)] }),
        );
        let paths: Vec<_> = diff.unwrap().outputs.into_iter().map(|output| output.path).collect();
        assert_eq!(paths, ["[1]", "[2]"]);
    }

    #[test]
    fn names_of_files_are_plain_and_each_is_there_once() {
        let mut taken = BTreeSet::new();
        let names = ["styled[style=ukiyo-e]", "a[x=../b]", "a[x=b]"].map(|leg| file_name(leg, &mut taken));
        assert_eq!(names, ["styled-style-ukiyo-e.png", "a-x-b.png", "a-x-b-2.png"]);
    }
}
