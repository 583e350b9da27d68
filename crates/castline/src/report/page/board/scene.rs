//! What is to be seen on a live page, and what of it is new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use castline_core::event::{Entry, Event};
use castline_core::plain;
use castline_core::plan::Plan;
use castline_core::record::{LegRecord, Recorder, RunRecord};
use castline_core::results::LegStatus;
use castline_core::run::{leg_ref, summaries};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::report::page::media::{Place, each_file};
use crate::report::page::state::{
    Around, Before, Beside, Other, Progress, UnderWay, Watched, Watching, live_leg,
};

/// What a page is to know.
#[derive(Default)]
pub(super) struct Scene {
    /// The number of the last news.
    seq: u64,
    /// The project's store.
    pub(super) store: PathBuf,
    run: Recorder,
    /// The id of the run that is shown.
    pub(super) shown: Option<String>,
    /// Nothing more will happen in it.
    is_over: bool,
    /// Providers that take no money.
    free: BTreeSet<String>,
    progress: BTreeMap<String, Progress>,
    /// What each leg gave last, by its name.
    last: BTreeMap<String, Before>,
    /// What it gave before that, where that was something else.
    before: BTreeMap<String, Before>,
    /// Legs that wait for somebody to agree, by name.
    pub(super) held: BTreeSet<String>,
    /// Why legs are other ones after the last edit, by name.
    pub(super) whys: BTreeMap<String, String>,
    /// Files that the page shows, by digest.
    pub(super) files: IndexMap<String, Place>,
    /// None where only one run is shown.
    pub(super) watched: Option<Watched>,
    fresh: News,
}

/// What nobody was told yet.
#[derive(Default)]
struct News {
    /// It is another run: nothing is as it was.
    all: bool,
    /// Legs, by their place in the record.
    legs: BTreeSet<usize>,
    files: Map<String, Json>,
    /// Other keys of the state.
    keys: BTreeSet<&'static str>,
}

/// What to tell.
pub(super) enum Fresh {
    Nothing,
    Some(Json),
    All,
}

impl Scene {
    /// Nothing is known yet.
    pub(super) fn new(file: &str, watched: Option<Watched>) -> Self {
        let mut scene = Self { watched, ..Self::default() };
        file.clone_into(&mut scene.run.record.file);
        scene
    }

    /// A run begins; what the legs gave in the one before is still shown until they give something.
    pub(super) fn begin(&mut self, plan: &Plan, store: PathBuf) {
        self.run = Recorder::default();
        self.know(plan, store);
        self.is_over = false;
        self.progress.clear();
        self.held.clear();
        self.files.clear();
        let kept: Vec<_> = self.last.values().chain(self.before.values()).cloned().collect();
        kept.iter().for_each(|before| self.learn(&before.output));
        self.fresh = News { all: true, ..News::default() };
    }

    /// Learns which legs a plan has. Those that are known stay as they are, and the others are gone.
    pub(super) fn know(&mut self, plan: &Plan, store: PathBuf) {
        self.store = store;
        self.free = plan.routing.free();
        let Recorder { mut record, .. } = std::mem::take(&mut self.run);
        let known = std::mem::take(&mut record.legs);
        record.workflow = plan.graph.name.to_string();
        record.file = plan.graph.source.name.to_string();
        record.provider = plan.routing.chosen.name.to_string();
        record.steps = summaries(plan);
        self.run.record = record;
        self.run.expect(plan.predictions().map(|leg| Arc::new(leg_ref(plan, leg))));
        let planned: BTreeSet<_> = self.run.record.legs.iter().map(|leg| leg.leg.name.clone()).collect();
        // Which legs a step has may be known in a run only.
        let later: BTreeSet<_> = plan.legs.deferred().map(|step| &plan.graph.steps[step].name).collect();
        for leg in known {
            if planned.contains(&leg.leg.name) || later.contains(&leg.leg.step) {
                let at = self.run.place(&leg.leg);
                self.run.record.legs[at] = leg;
            }
        }
        self.fresh.all = true;
    }

    /// Something happened in the run.
    pub(super) fn take(&mut self, entry: &Entry) {
        self.run.take(entry);
        match &entry.event {
            Event::RunStarted { .. } => self.fresh.all = true,
            Event::LegsOpened { .. } => self.touch("steps"),
            Event::OutputReady { name, .. } => {
                let value = self.run.record.outputs[name].clone();
                self.learn(&value);
                self.touch("outputs");
            }
            Event::Saved { path, artifact, .. } => {
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                let digest = artifact.digest.to_string();
                let place = Place::live(&digest, artifact.media_type.as_str(), Some(name));
                self.put(digest, place);
            }
            Event::Warned { .. } => self.touch("run"),
            Event::RunEnded { .. } => {
                self.is_over = true;
                // What nobody made any more is not on its way either.
                let legs = self.run.record.legs.iter().enumerate();
                let open = legs.filter(|(_, leg)| leg.status == LegStatus::NotRun).map(|(at, _)| at);
                self.fresh.legs.extend(open);
                self.fresh.keys.extend(["run", "watch"]);
            }
            Event::LegProgress { leg, status, fraction } => {
                let progress = Progress { status: status.clone(), fraction: *fraction };
                self.progress.insert(leg.name.clone(), progress);
                let at = self.run.place(leg);
                self.fresh.legs.insert(at);
            }
            event => {
                if let Some(leg) = event.leg() {
                    let at = self.run.place(leg);
                    self.changed(at);
                }
            }
        }
    }

    /// Takes from the record of the run what was not heard: why each leg ran.
    pub(super) fn explain(&mut self, record: &RunRecord) {
        for leg in &record.legs {
            let Some(why) = &leg.why else { continue };
            self.run.explain(&leg.leg, why.clone());
            let at = self.run.place(&leg.leg);
            self.fresh.legs.insert(at);
        }
    }

    /// Legs that wait for somebody to agree, by name.
    pub(super) fn hold(&mut self, held: BTreeSet<String>) {
        let before = std::mem::replace(&mut self.held, held);
        let legs = self.run.record.legs.iter().enumerate();
        let is_new = |name: &String| before.contains(name) != self.held.contains(name);
        self.fresh.legs.extend(legs.filter(|(_, leg)| is_new(&leg.leg.name)).map(|(at, _)| at));
    }

    /// Something under this key of the state is new.
    pub(super) fn touch(&mut self, key: &'static str) {
        self.fresh.keys.insert(key);
    }

    /// Something happened to a leg: it has begun, or has something, or nothing more to come.
    fn changed(&mut self, at: usize) {
        self.fresh.legs.insert(at);
        // What is paid so far is another sum.
        self.touch("run");
        let leg = &self.run.record.legs[at];
        let name = leg.leg.name.clone();
        self.progress.remove(&name);
        let input = leg.request.iter().flat_map(|request| request.input.values()).map(plain::json);
        let output = leg.output_json();
        let now = output.clone().map(|output| Before {
            output,
            request: leg.request.clone(),
            finished: leg.finished,
            run: self.run.record.run.clone(),
        });
        input.chain(output).collect::<Vec<_>>().iter().for_each(|value| self.learn(value));
        let Some(now) = now else { return };
        if self.last.get(&name).is_some_and(|last| last.output == now.output) {
            return;
        }
        if let Some(last) = self.last.insert(name.clone(), now) {
            self.before.insert(name, last);
        }
    }

    /// Learns of the files in a value.
    fn learn(&mut self, value: &Json) {
        each_file(value, &mut |digest, file| {
            if !self.files.contains_key(digest) {
                let media_type = file.get("media_type").and_then(Json::as_str).unwrap_or_default();
                self.put(digest.to_owned(), Place::live(digest, media_type, None));
            }
        });
    }

    fn put(&mut self, digest: String, place: Place) {
        self.fresh.files.insert(digest.clone(), json!(place));
        self.files.insert(digest, place);
    }

    fn beside(&self, leg: &LegRecord) -> Beside<'_> {
        let name = leg.leg.name.as_str();
        let under_way = match leg.status {
            LegStatus::NotRun if leg.request.is_some() && leg.finished.is_none() && !self.is_over => {
                Some(UnderWay::Running)
            }
            _ if self.held.contains(name) => Some(UnderWay::Held),
            LegStatus::NotRun if self.is_over || leg.finished.is_some() => None,
            LegStatus::NotRun => Some(UnderWay::Waiting),
            _ => None,
        };
        // While it is made anew, what stands there is what it gave last.
        let is_there = leg.output.is_some();
        let before = if is_there { self.before.get(name) } else { self.last.get(name) };
        // What an edit changed says more than that nobody has sent this before.
        let why = self.whys.get(name).filter(|_| !leg.reused);
        Beside { under_way, progress: self.progress.get(name), before, why: why.map(String::as_str) }
    }

    fn leg(&self, leg: &LegRecord) -> Json {
        live_leg(leg, self.beside(leg))
    }

    fn watching(&self) -> Watching<'_> {
        Watching {
            record: &self.run.record,
            free: &self.free,
            watched: self.watched.as_ref(),
            runs: self.run.record.started.is_some() && !self.is_over,
        }
    }

    /// Everything. `title` is what the workflow is called as long as nothing says its name.
    pub(super) fn whole(&self, title: &str, others: &[Other]) -> Json {
        let legs = self.run.record.legs.iter().map(|leg| self.leg(leg)).collect();
        self.watching().whole(legs, &Around { seq: self.seq, title, files: &self.files, others })
    }

    /// What nobody was told yet, which they are now.
    pub(super) fn news(&mut self) -> Fresh {
        let News { all, legs, files, keys } = std::mem::take(&mut self.fresh);
        if !all && legs.is_empty() && files.is_empty() && keys.is_empty() {
            return Fresh::Nothing;
        }
        self.seq += 1;
        if all {
            return Fresh::All;
        }
        let mut patch = json!({ "seq": self.seq });
        for key in keys {
            patch[key] = self.watching().part(key);
        }
        if !legs.is_empty() {
            patch["legs"] = legs.into_iter().map(|at| self.leg(&self.run.record.legs[at])).collect();
        }
        if !files.is_empty() {
            patch["files"] = files.into();
        }
        Fresh::Some(patch)
    }
}
