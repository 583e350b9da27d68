//! What a run would do, leg by leg, as far as the ledger tells.
//!
//! The forecast walks the plan in waves: it resolves every leg whose needs are known, asks
//! for the entries of their keys, and goes on with what is reused. What it found is where
//! the run begins.
//!
//! Start reading at [`Forecast::ask`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::Diagnostics;
use indexmap::{IndexMap, IndexSet};

use crate::graph::Role;
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::plan::{Plan, Ready, Resolved, Skip};
use crate::request::{Key, Output};
use crate::results::{LegResult, LegStatus, Results};
use crate::snapshot::PredictionId;

/// What a leg would do.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Its output is in the ledger.
    Hit(Box<Ready>, Known),
    /// It runs; the text says why.
    Run(Box<Ready>, Why),
    /// Another leg sends the same request; it runs once.
    Same(Box<Ready>, LegId),
    /// Nothing is to be made: a call of a workflow, or an output of it.
    Done(Box<LegResult>),
    /// It does not run.
    Skip(Skip),
    /// It reads legs that run first, so that its own request is not known.
    Upstream,
    /// Its values do not fit; the findings are in [`Forecast::found`].
    Broken,
    /// It takes no part in this run, and its output is not there already.
    Out,
}

/// A fate in a word, as JSON has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Its output is in the ledger.
    #[serde(rename = "hit")]
    Reused,
    /// It runs.
    Run,
    /// It runs, because its step says `cache: false`.
    Always,
    /// It was created before, and a run goes on with that.
    Adopt,
    /// Nobody knows whether it was created; a run finds out, or stops at it.
    InDoubt,
    /// It was paid for and its outputs cannot be had any more; a run stops at it.
    Expired,
    /// Another leg sends the same request.
    Same,
    /// Whether it runs is known once others have run.
    #[serde(rename = "upstream")]
    Later,
    /// How many legs there are is known once others have run.
    Deferred,
    /// It does not run.
    Skip,
    /// Its values do not fit.
    Broken,
    /// It takes no part.
    Out,
}

impl Word {
    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reused => "hit",
            Self::Run => "run",
            Self::Always => "always",
            Self::Adopt => "adopt",
            Self::InDoubt => "in-doubt",
            Self::Expired => "expired",
            Self::Same => "same",
            Self::Later => "upstream",
            Self::Deferred => "deferred",
            Self::Skip => "skip",
            Self::Broken => "broken",
            Self::Out => "out",
        }
    }

    /// Of all legs of a step that are not known yet.
    pub fn of_step(forecast: &Forecast, step: usize) -> Self {
        let part = &forecast.plan.choices.steps;
        if part.is_empty() || part.contains(&step) { Self::Deferred } else { Self::Out }
    }

    /// True when a run sees to it that there is a prediction, whether or not it creates one.
    pub fn may_run(self) -> bool {
        !matches!(self, Self::Reused | Self::Same | Self::Skip | Self::Broken | Self::Out)
    }
}

impl Fate {
    /// In a word.
    pub fn word(&self) -> Word {
        match self {
            Self::Hit(..) => Word::Reused,
            Self::Run(_, Why::Always) => Word::Always,
            Self::Run(_, Why::Taken(Taken::Created, _)) => Word::Adopt,
            Self::Run(_, Why::Taken(Taken::InDoubt { .. }, _)) => Word::InDoubt,
            Self::Run(_, Why::Taken(Taken::Expired, _)) => Word::Expired,
            Self::Run(..) => Word::Run,
            Self::Same(..) => Word::Same,
            Self::Upstream => Word::Later,
            Self::Skip(_) => Word::Skip,
            Self::Broken => Word::Broken,
            // Nobody is told of what is done by itself.
            Self::Done(_) | Self::Out => Word::Out,
        }
    }

    /// Its request, where that is known.
    pub fn ready(&self) -> Option<&Ready> {
        match self {
            Self::Hit(ready, _) | Self::Run(ready, _) | Self::Same(ready, _) => Some(ready),
            Self::Done(_) | Self::Skip(_) | Self::Upstream | Self::Broken | Self::Out => None,
        }
    }
}

/// Why a leg runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The ledger does not know its key.
    New,
    /// It was asked before and ended so.
    Before(String),
    /// Its step says `cache: false`.
    Always,
    /// It was asked before, and that may not be created, or paid for, again; with what a run does.
    Taken(Taken, String),
}

/// What stands in the way of another create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Its prediction is there.
    Created,
    /// Nobody knows whether it is.
    InDoubt {
        /// A run looks for it, and creates it where it never was received.
        sought: bool,
    },
    /// It was paid for, and its outputs cannot be had any more.
    Expired,
}

impl Why {
    /// For people.
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::New => "no earlier request had these inputs".into(),
            Self::Before(what) | Self::Taken(_, what) => what.clone().into(),
            Self::Always => "its step says `cache: false`".into(),
        }
    }
}

/// What the ledger knows of a succeeded key.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its output.
    pub output: Output,
    /// The prediction that made it.
    pub prediction: Option<PredictionId>,
}

/// What the ledger says of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It succeeded, and its files are there.
    Known(Known),
    /// It is not known, or did not succeed; with a word on the latter.
    Unknown(Option<String>),
    /// It did not succeed, and is not simply created again; with what a run does about it.
    Taken(Taken, String),
}

/// Resolves legs that know nothing of each other, in their order.
pub type Resolve<'a> = dyn Fn(&Plan, &[LegId], &Arc<Results>) -> Vec<Resolved> + 'a;

/// A forecast under way or finished.
#[derive(Debug)]
pub struct Forecast {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Results of what is reused or skipped.
    pub results: Arc<Results>,
    /// What was found wrong with values, whatever the ledger knows: what an earlier run gave
    /// may not fit either, and stops one leg then and not the run.
    pub found: Diagnostics,
    /// Results as they are when the ledger knows nothing.
    bare: Arc<Results>,
    /// Legs whose result the ledger told.
    told: Vec<bool>,
    /// Legs from here on are there because of what the ledger told.
    sure: usize,
    fates: Vec<Option<Fate>>,
    waiting: Vec<usize>,
    open: BTreeSet<LegId>,
    /// Legs that wait for steps whose own legs are not known yet, and for nothing else.
    gated: BTreeSet<LegId>,
    asked: BTreeMap<LegId, Box<Ready>>,
    keys: IndexMap<Key, LegId>,
    /// Legs whose request another leg has asked for.
    twins: BTreeMap<LegId, Vec<(LegId, Box<Ready>)>>,
}

impl Forecast {
    /// A forecast that knows nothing yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut forecast = Self {
            results: Arc::new(Results::new(0)),
            found: Diagnostics::default(),
            bare: Arc::new(Results::new(0)),
            told: Vec::new(),
            sure: plan.legs.len(),
            fates: Vec::new(),
            waiting: Vec::new(),
            open: BTreeSet::new(),
            gated: BTreeSet::new(),
            asked: BTreeMap::new(),
            keys: IndexMap::new(),
            twins: BTreeMap::new(),
            plan,
        };
        forecast.make_room();
        forecast
    }

    /// Takes in the legs of the plan that are new.
    fn make_room(&mut self) {
        let legs = self.plan.legs.len();
        self.results = Arc::new(self.results.with_room(legs));
        self.bare = Arc::new(self.bare.with_room(legs));
        self.told.resize(legs, false);
        self.fates.resize(legs, None);
        let unsettled = |leg: &LegId| self.fates[leg.0].is_none();
        let left = |leg: usize| self.plan.needs(LegId(leg)).iter().filter(|need| unsettled(need)).count();
        self.waiting = (0..legs).map(left).collect();
        let free = (0..legs).map(LegId).filter(|leg| unsettled(leg) && self.waiting[leg.0] == 0);
        (self.gated, self.open) = free
            .filter(|leg| !self.asked.contains_key(leg))
            .partition(|leg| self.plan.waits_for_steps(*leg) > 0);
    }

    /// Opens the legs of steps whose lists are known by now. When there are none, what waits for
    /// such steps is looked at all the same. False when nothing is left.
    fn go_on(&mut self) -> bool {
        if let Some(plan) = self.plan.extended(&self.results) {
            self.plan = Arc::new(plan);
            self.make_room();
            return true;
        }
        self.open = std::mem::take(&mut self.gated);
        !self.open.is_empty()
    }

    /// The keys to look up next; none when the forecast is finished.
    pub fn ask(&mut self) -> Vec<(LegId, Key)> {
        self.ask_by(&|plan, legs, results| {
            let mut resolver = plan.resolver(results);
            legs.iter().map(|leg| resolver.resolve(*leg)).collect()
        })
    }

    /// The same, with somebody to resolve many legs at once, in their order.
    pub fn ask_by(&mut self, resolve: &Resolve<'_>) -> Vec<(LegId, Key)> {
        loop {
            while !self.open.is_empty() {
                self.look(resolve);
            }
            if !self.asked.is_empty() || !self.go_on() {
                break;
            }
        }
        self.asked.iter().map(|(leg, ready)| (*leg, ready.request.key)).collect()
    }

    /// Looks at every leg that is open.
    fn look(&mut self, resolve: &Resolve<'_>) {
        let legs: Vec<LegId> = std::mem::take(&mut self.open).into_iter().collect();
        let is_told = |leg: &LegId| self.plan.needs(*leg).iter().any(|need| self.told[need.0]);
        let told: Vec<LegId> = legs.iter().copied().filter(|leg| leg.0 < self.sure && is_told(leg)).collect();
        let resolved = resolve(&self.plan, &legs, &self.results);
        let bare = resolve(&self.plan, &told, &self.bare);
        let mut bare = told.into_iter().zip(bare).peekable();
        for (leg, resolved) in legs.into_iter().zip(resolved) {
            let bare = match leg.0 < self.sure {
                true => bare.next_if(|(told, _)| *told == leg).map(|(_, bare)| bare),
                false => Some(Resolved::Pending(Vec::new())),
            };
            self.look_at(leg, resolved, bare);
        }
    }

    /// A leg, as it is resolved; and what it would be if the ledger knew nothing, where that may
    /// be something else.
    fn look_at(&mut self, leg: LegId, resolved: Resolved, bare: Option<Resolved>) {
        let part = self.plan.takes_part(leg);
        self.find(leg, bare.as_ref().unwrap_or(&resolved));
        match resolved {
            Resolved::Ready(ready) => match self.keys.get(&ready.request.key) {
                Some(first) if self.fates[first.0].is_some() => self.settle_twin(leg, *first, ready),
                Some(first) => self.twins.entry(*first).or_default().push((leg, ready)),
                None => {
                    self.keys.insert(ready.request.key, leg);
                    self.asked.insert(leg, ready);
                }
            },
            Resolved::Done(result) => {
                let same = |bare: Resolved| matches!(bare, Resolved::Done(bare) if bare == result);
                self.told[leg.0] = bare.is_some_and(|bare| !same(bare));
                self.results.set(leg, (*result).clone());
                self.settle(leg, Fate::Done(result));
            }
            Resolved::Skip(skip) => {
                self.told[leg.0] = bare.is_some_and(|bare| !matches!(bare, Resolved::Skip(_)));
                self.results.set(leg, LegResult::without_output(LegStatus::Skipped, None));
                self.settle(leg, Fate::Skip(skip));
            }
            // What takes no part is looked up all the same: others may read it.
            Resolved::Pending(_) | Resolved::Broken(_) if !part => self.settle(leg, Fate::Out),
            Resolved::Pending(findings) if findings.is_empty() => self.settle(leg, Fate::Upstream),
            Resolved::Pending(_) | Resolved::Broken(_) => self.settle(leg, Fate::Broken),
        }
    }

    /// Writes down what is wrong with a leg when the ledger knows nothing.
    fn find(&mut self, leg: LegId, bare: &Resolved) {
        match bare {
            Resolved::Skip(_) => {
                self.bare.set(leg, LegResult::without_output(LegStatus::Skipped, None));
            }
            Resolved::Done(result) => self.bare.set(leg, (**result).clone()),
            Resolved::Pending(findings) | Resolved::Broken(findings) if self.plan.takes_part(leg) => {
                self.found.list.extend(findings.iter().cloned());
            }
            Resolved::Pending(_) | Resolved::Broken(_) | Resolved::Ready(_) => {}
        }
    }

    /// Another leg of the same request: it ends as that one does.
    fn settle_twin(&mut self, leg: LegId, first: LegId, ready: Box<Ready>) {
        match &self.fates[first.0] {
            Some(Fate::Hit(_, known)) => {
                let known = known.clone();
                self.hit(leg, ready, known);
            }
            _ if !self.plan.takes_part(leg) => self.settle(leg, Fate::Out),
            _ => self.settle(leg, Fate::Same(ready, first)),
        }
    }

    /// Tells what the ledger says of a leg that was asked for.
    pub fn answer(&mut self, leg: LegId, answer: Answer) {
        let ready = self.asked.remove(&leg).expect("an answer follows its question");
        let always = !self.plan.graph.steps[self.plan.legs.step(leg)].cache;
        match answer {
            Answer::Known(known) => self.hit(leg, ready, known),
            Answer::Unknown(_) | Answer::Taken(..) if !self.plan.takes_part(leg) => {
                self.settle(leg, Fate::Out);
            }
            Answer::Unknown(_) | Answer::Taken(..) if always => {
                self.settle(leg, Fate::Run(ready, Why::Always));
            }
            Answer::Unknown(None) => self.settle(leg, Fate::Run(ready, Why::New)),
            Answer::Taken(taken, what) => self.settle(leg, Fate::Run(ready, Why::Taken(taken, what))),
            Answer::Unknown(Some(before)) => self.settle(leg, Fate::Run(ready, Why::Before(before))),
        }
        for (twin, ready) in self.twins.remove(&leg).unwrap_or_default() {
            self.settle_twin(twin, leg, ready);
        }
    }

    fn hit(&mut self, leg: LegId, ready: Box<Ready>, known: Known) {
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        match LegResult::succeeded(step, &ready.request.input, &known.output) {
            Ok(mut result) => {
                self.told[leg.0] = true;
                result.cost = Some(MicroUsd::ZERO);
                self.results.set(leg, result);
                self.settle(leg, Fate::Hit(ready, known));
            }
            // The text does not match the step's `json`; the run will say so.
            Err(_) => self.settle(leg, Fate::Run(ready, Why::Before("not the wanted JSON".to_owned()))),
        }
    }

    /// Writes a leg's fate down and opens the legs that waited for it alone.
    fn settle(&mut self, leg: LegId, fate: Fate) {
        self.fates[leg.0] = Some(fate);
        for reader in self.plan.readers(leg) {
            self.waiting[reader.0] -= 1;
            if self.waiting[reader.0] == 0 {
                let gated = self.plan.waits_for_steps(*reader) > 0;
                if gated { &mut self.gated } else { &mut self.open }.insert(*reader);
            }
        }
    }

    /// The plan, and the fate of every leg in its order.
    pub(crate) fn into_fates(self) -> (Arc<Plan>, Vec<Fate>) {
        let known = |fate: Option<Fate>| fate.expect("a finished forecast knows every leg");
        (self.plan, self.fates.into_iter().map(known).collect())
    }

    /// The predictions that a leg waits for and that are not known yet, calls looked through.
    pub fn open_needs(&self, leg: LegId) -> Vec<LegId> {
        let (mut found, mut calls, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut next: Vec<LegId> = self.plan.needs(leg).iter().rev().copied().collect();
        while let Some(need) = next.pop() {
            let step = &self.plan.graph.steps[self.plan.legs.step(need)];
            if self.results.get(need).is_some() || !seen.insert(need) {
                continue;
            }
            match step.role {
                Role::Predicts => found.push(need),
                Role::Gives(..) => next.extend(self.plan.needs(need).iter().rev()),
                Role::Calls(_) => calls.push(need),
            }
        }
        // What a call waits for is waited for by all that comes out of it.
        if found.is_empty() {
            let of_calls = calls.into_iter().flat_map(|call| self.open_needs(call));
            found = of_calls.collect::<IndexSet<_>>().into_iter().collect();
        }
        found
    }

    /// A leg's fate, once [`Forecast::ask`] has nothing more to ask.
    pub fn fate(&self, leg: LegId) -> &Fate {
        self.fates[leg.0].as_ref().expect("a finished forecast knows every leg")
    }
}
