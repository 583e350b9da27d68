//! A workflow that is watched: what was planned of it, what waits, what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::Key;
use castline_core::bill::{Bill, Price};
use castline_core::comparison::{Change, Comparison};
use castline_core::files::{Broken, FileContent, FileRef};
use castline_core::forecast::{Fate, Forecast, Word};
use castline_core::inputs::Given;
use castline_core::plan::Plan;
use castline_spec::Source;
use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::job::Job;
use crate::local::Interrupt;
use crate::lock::Lock;
use crate::looked::Looked;
use crate::project::shown;

/// One workflow.
pub(super) struct Scene {
    pub(super) file: PathBuf,
    /// The file as the user named it.
    pub(super) shown: String,
    /// What its last plan was made from.
    pub(super) looked: Looked,
    /// Where castline writes what it makes.
    pub(super) own: Option<PathBuf>,
    /// The plan that ran last, or runs.
    pub(super) last: Option<Last>,
    /// What the last plan was made from, whatever became of it.
    pub(super) seen: Option<Basis>,
    /// What it costs, while it waits for the user.
    pub(super) waiting: Option<Bill>,
    /// What is wrong with it, when it cannot be planned.
    pub(super) found: Option<castline_spec::Diagnostics>,
    /// A run that begins when those before it write nothing any more.
    pub(super) next: Option<(Box<Job>, Option<Basis>)>,
    /// Runs that are not over, the newest last.
    pub(super) going: Vec<Going>,
}

/// A plan that was begun.
pub(super) struct Last {
    pub(super) plan: Arc<Plan>,
    pub(super) basis: Basis,
    /// It ended with everything that it should have.
    pub(super) done: bool,
}

/// A run that is not over.
pub(super) struct Going {
    pub(super) run: u64,
    /// Its id.
    pub(super) name: String,
    pub(super) interrupt: watch::Sender<Interrupt>,
    /// It is all of its plan, and not only what costs nothing.
    pub(super) is_whole: bool,
    /// It writes nothing for the user any more.
    pub(super) silent: bool,
}

/// All that decides what a plan is, as far as that can be read: another comment or other blanks
/// make no other plan.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basis {
    documents: Vec<(Arc<str>, String)>,
    files: BTreeMap<FileRef, Result<FileContent, Broken>>,
    given: IndexMap<String, Given>,
    pins: Option<serde_json::Value>,
    draws: String,
}

impl Basis {
    pub(super) fn of(job: &Job, forecast: &Forecast) -> Self {
        let project = job.project.document.as_ref().map(|document| &document.source);
        Self {
            documents: project.into_iter().chain(&job.documents).map(in_short).collect(),
            files: forecast.plan.files.known(),
            given: job.given.clone(),
            pins: Lock::read(&job.project).ok().map(|lock| lock.pins()),
            draws: forecast.plan.choices.run.clone(),
        }
    }
}

/// A document without what does not count in it.
fn in_short(source: &Source) -> (Arc<str>, String) {
    let value: Result<serde_yaml::Value, _> = serde_yaml::from_str(&source.text);
    let text = value.and_then(|value| serde_yaml::to_string(&value));
    (source.name.clone(), text.unwrap_or_else(|_| source.text.to_string()))
}

impl Scene {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            shown: shown(file),
            looked: Looked::default(),
            own: None,
            last: None,
            seen: None,
            waiting: None,
            found: None,
            next: None,
            going: Vec::new(),
        }
    }

    /// True when what was last planned is made from this.
    pub(super) fn is_at(&self, basis: &Basis) -> bool {
        self.seen.as_ref() == Some(basis)
    }

    /// True when the last run has made all that comes from this.
    pub(super) fn is_done(&self, basis: &Basis) -> bool {
        self.last.as_ref().is_some_and(|last| last.done && last.basis == *basis)
    }

    /// Has every run know that another plan takes its place.
    pub(super) fn supersede(&mut self, wanted: &Arc<BTreeSet<Key>>, as_of: Timestamp) {
        self.next = None;
        for going in &self.going {
            going.interrupt.send_replace(Interrupt::Superseded { wanted: wanted.clone(), as_of });
        }
    }
}

/// The keys that a plan wants and nobody has yet.
pub(super) fn wanted(forecast: &Forecast) -> Arc<BTreeSet<Key>> {
    let key = |leg| match forecast.fate(leg) {
        Fate::Run(ready, _) | Fate::Same(ready, _) => Some(ready.request.key),
        _ => None,
    };
    Arc::new(forecast.plan.predictions().filter_map(key).collect())
}

/// How many legs run, as far as that is known.
pub(super) fn legs_that_run(forecast: &Forecast) -> usize {
    let runs = |leg: &_| forecast.fate(*leg).word().may_run();
    forecast.plan.predictions().filter(runs).count() + forecast.plan.deferred().count()
}

/// The legs that cost something more, or may, by name.
pub(super) fn legs_that_cost(job: &Job, forecast: &Forecast) -> BTreeSet<String> {
    let costs = |leg: &_| {
        let fate = forecast.fate(*leg);
        let is_paid = matches!(fate, Fate::Run(ready, _) if job.paid.contains(&ready.request.key));
        fate.word().may_run() && !is_paid && !matches!(Price::of(forecast, *leg), Price::Free)
    };
    forecast.plan.predictions().filter(costs).map(|leg| forecast.plan.leg_name(leg)).collect()
}

/// True when a plan costs no more than what somebody agreed to.
pub(super) fn is_within(bill: &Bill, seen: &Bill) -> bool {
    bill.max <= seen.max && bill.unpriced <= seen.unpriced && bill.unbounded <= seen.unbounded
}

/// True when a plan that costs has something new that costs nothing.
pub(super) fn has_free_news(edit: Option<&Comparison>, now: &Forecast) -> bool {
    let is_free = |word, price| {
        word == Word::Reused || matches!(word, Word::Run | Word::Always) && matches!(price, Price::Free)
    };
    match edit {
        Some(edit) => edit
            .legs
            .iter()
            .any(|leg| !matches!(leg.change, Change::Kept | Change::Dropped) && is_free(leg.word, leg.price)),
        None => now.plan.predictions().any(|leg| is_free(now.fate(leg).word(), Price::of(now, leg))),
    }
}
