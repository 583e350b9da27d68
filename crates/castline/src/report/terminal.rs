//! A run on the terminal: a line for each leg that ended, progress while it lasts, a summary.
//!
//! The reporter hears events and nothing else, so that a former run is shown by the same
//! code. Progress is drawn only where a person watches; elsewhere there are plain lines.
//!
//! Start reading at [`Terminal::take`]; the summary is [`Terminal::finish`].

mod failures;
mod progress;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use castline_core::event::{Entry, Event, LegRef, StepSummary, StopCause};
use castline_core::graph::Step;
use castline_core::plan::Plan;
use castline_core::results::LegStatus;
use castline_core::{Failure, MicroUsd, PredictionId};
use castline_runner::settled::Said;
use castline_spec::Name;
use indexmap::IndexMap;

use super::plan::{about, counted, duration, headline};
use crate::screen::{self, BAD, DIM, GOOD, HINT, Live, WARN, printable};
use failures::Failures;
pub(crate) use progress::labels;
use progress::{Cell, Progress};
pub(crate) use summary::say_settled;

/// Steps with more legs get one line for all that need none of their own.
const MOST_LEGS: usize = 12;

/// Steps with more legs get no line for each leg that ran, and few for those that failed.
const MANY: usize = 100;

/// So many failures of such a step have a line while it goes on.
const MOST_TOLD: usize = 5;

/// Where lines go.
pub(crate) type Sink = Box<dyn FnMut(&str) + Send>;

/// Draws a run as it happens, or as it happened.
pub(crate) struct Terminal {
    sink: Sink,
    root: PathBuf,
    /// Seconds that a leg of a step takes, where that is known.
    typical: BTreeMap<String, f64>,
    progress: Option<Progress>,
    /// How many legs each step has.
    steps: IndexMap<Name, usize>,
    names: usize,
    failures: Failures,
    /// Legs of large steps that are counted and not listed, by step and word.
    counted: IndexMap<(Name, &'static str), usize>,
    /// How far each large step is, where that is told from time to time.
    milestones: Option<IndexMap<Name, usize>>,
    running: IndexMap<String, Started>,
    /// True from an interruption until it is said what that means.
    interrupted: bool,
    /// Why the run stops, when it is not for a signal.
    stops: Option<StopCause>,
    /// What is as it was is not told: somebody watches.
    only_news: bool,
    /// Providers that take no money, as far as that is known.
    free: BTreeSet<String>,
    /// What was said so far, where somebody wants to know.
    said: Option<Said>,
}

/// A leg that is under way.
struct Started {
    step: Name,
    at: jiff::Timestamp,
    most: Option<MicroUsd>,
    model: String,
    provider: String,
    prediction: Option<PredictionId>,
    adopted: bool,
}

impl Terminal {
    /// A reporter of a project in `root`.
    pub(crate) fn new(sink: Sink, root: PathBuf) -> Self {
        Self {
            sink,
            root,
            typical: BTreeMap::new(),
            progress: None,
            steps: IndexMap::new(),
            names: 0,
            failures: Failures::default(),
            counted: IndexMap::new(),
            milestones: None,
            running: IndexMap::new(),
            interrupted: false,
            stops: None,
            only_news: false,
            free: BTreeSet::new(),
            said: None,
        }
    }

    /// Draws progress too, and can say how long things take.
    pub(crate) fn with_progress(mut self, live: Live, plan: &Plan) -> Self {
        self.progress = Some(Progress::begin(live));
        let steps = plan.graph.predicting().map(|(_, step)| step);
        let typical = |step: &Step| Some((step.name.to_string(), step.callee.model.typical_seconds?));
        self.typical = steps.filter_map(typical).collect();
        self
    }

    /// Knows which providers take no money.
    pub(crate) fn with_free(mut self, free: BTreeSet<String>) -> Self {
        self.free = free;
        self
    }

    /// Says from time to time how far large steps are: there is nobody who watches.
    pub(crate) fn with_milestones(mut self) -> Self {
        self.milestones = Some(IndexMap::new());
        self
    }

    /// Tells only what is new: the run is one of many of the same workflow.
    pub(crate) fn with_news_only(mut self) -> Self {
        self.only_news = true;
        self
    }

    /// Remembers what is said.
    pub(crate) fn with_memory(mut self) -> Self {
        self.said = Some(Said::default());
        self
    }

    /// Hears what happened.
    pub(crate) fn take(&mut self, entry: &Entry) {
        self.say_interrupted(&entry.event);
        match &entry.event {
            Event::RunStarted { workflow, provider, live, steps, legs, .. } => {
                self.begin(workflow, &provider.0, *live, steps, *legs, entry.at);
            }
            Event::LegsOpened { step, legs } => {
                self.tell_progress(|progress| progress.opened(step, *legs));
                self.say(&format!("{DIM}{step} has {}{DIM:#}", counted(*legs, "leg")));
            }
            Event::LegSkipped { leg, reason } => self.count_or_say(leg, "skipped", &reason.reason()),
            Event::LegReused { leg, .. } => self.reused(leg),
            Event::LegStarted { leg, estimate, request, .. } => {
                let bills = !self.free.contains(&*request.provider.0);
                let started = Started {
                    step: leg.step.clone(),
                    at: entry.at,
                    most: if bills { estimate.map(|e| e.max) } else { Some(MicroUsd::ZERO) },
                    model: request.model.clone(),
                    provider: request.provider.to_string(),
                    prediction: None,
                    adopted: false,
                };
                self.running.entry(leg.name.clone()).or_insert(started);
                self.tell_progress(|progress| progress.started(leg, *estimate, bills));
            }
            Event::LegCreated { leg, prediction, adopted } => {
                if let Some(started) = self.running.get_mut(&leg.name) {
                    started.prediction = Some(prediction.clone());
                    started.adopted |= *adopted;
                }
            }
            Event::LegProgress { leg, status, fraction } => {
                self.tell_progress(|progress| progress.heard(leg, status, *fraction));
            }
            Event::AttemptFailed { leg, attempt, failure, .. } => {
                if self.has_own_line(leg, "again", MOST_TOLD) {
                    let words = format!("attempt {attempt} failed: {}", screen::short(&failure.message, 200));
                    self.line(&leg.name, "again", WARN, &words);
                }
            }
            Event::LegSucceeded { leg, cost, .. } => self.succeeded(leg, *cost, entry.at),
            Event::LegFailed { leg, status, failure, handled, .. } => {
                self.failed(leg, *status, failure, *handled);
            }
            Event::LegNotRun { leg, reason } => self.count_or_say(leg, "not run", reason),
            Event::Warned { message } => self.say(&format!("{WARN}warning{WARN:#}: {}", printable(message))),
            Event::Interrupted => (self.interrupted, self.stops) = (true, None),
            Event::Stopping { why: StopCause::Superseded } => self.make_way(),
            Event::Stopping { why } => (self.interrupted, self.stops) = (true, Some(*why)),
            Event::RunEnded { .. } => self.ended(),
            Event::Saved { .. } | Event::OutputReady { .. } => {}
        }
    }

    /// Draws the progress anew.
    pub(crate) fn draw(&self) {
        self.progress.iter().for_each(|progress| progress.show(jiff::Timestamp::now()));
    }

    /// Moves what moves by itself.
    pub(crate) fn tick(&mut self) {
        self.say_waiting();
        self.progress.iter().for_each(|progress| progress.tick(jiff::Timestamp::now()));
    }

    fn begin(
        &mut self,
        workflow: &Name,
        provider: &str,
        live: bool,
        steps: &[StepSummary],
        legs: usize,
        at: jiff::Timestamp,
    ) {
        self.names = names(steps);
        self.steps = steps.iter().map(|step| (step.name.clone(), step.legs)).collect();
        self.tell_progress(|progress| progress.know(steps, at));
        if self.only_news {
            return;
        }
        self.say(&headline(workflow.as_str(), provider, live));
        self.say(&format!("{DIM}{} in {}{DIM:#}", counted(legs, "leg"), counted(steps.len(), "step")));
    }

    /// Another run takes over, and tells of what both want. Of the rest only the money is told, at
    /// the end.
    fn make_way(&mut self) {
        self.progress = None;
        self.sink = Box::new(|_| ());
    }

    fn reused(&mut self, leg: &LegRef) {
        match self.running.contains_key(&leg.name) {
            // It was started and another process had made it first.
            true => self.ended_leg(leg, "reused", GOOD, "it was being made already", None),
            false => self.count_or_say(leg, "reused", ""),
        }
    }

    fn succeeded(&mut self, leg: &LegRef, cost: Option<MicroUsd>, at: jiff::Timestamp) {
        let started = self.running.get(&leg.name);
        let adopted = started.is_some_and(|s| s.adopted).then(|| "adopted".to_owned());
        let price = match cost {
            Some(MicroUsd::ZERO) => None,
            Some(cost) => Some(cost.to_string()),
            None => Some("price unknown".to_owned()),
        };
        let time = started.map(|s| duration(at.duration_since(s.at).as_secs_f64()));
        let words: Vec<_> = [adopted, price, time].into_iter().flatten().collect();
        self.ended_leg(leg, "ran", GOOD, &words.join(", "), cost);
    }

    fn failed(&mut self, leg: &LegRef, status: LegStatus, failure: &Failure, handled: bool) {
        let word = match status {
            LegStatus::Canceled => "canceled",
            LegStatus::Expired => "expired",
            LegStatus::InDoubt => "in doubt",
            LegStatus::Refused => "refused",
            _ => "failed",
        };
        let style = if handled { WARN } else { BAD };
        let note = if handled { " (the workflow goes on without it)" } else { "" };
        let words = format!("{}{note}", screen::short(&failure.message, 200));
        self.ended_leg(leg, word, style, &words, None);
        if !handled {
            self.failures.take(&leg.name, status, failure);
        }
    }

    fn ended_leg(
        &mut self,
        leg: &LegRef,
        word: &'static str,
        style: anstyle::Style,
        words: &str,
        cost: Option<MicroUsd>,
    ) {
        self.running.shift_remove(&leg.name);
        self.tell_progress(|progress| progress.ended(leg, Cell::of(word), cost));
        let told = if word == "ran" || word == "reused" { 0 } else { MOST_TOLD };
        if self.has_own_line(leg, word, told) {
            self.line(&leg.name, word, style, words);
        }
        self.pass_milestone(leg);
    }

    /// Counts a leg of a large step, and says whether it is told all the same, as the first
    /// `told` of a kind are.
    fn has_own_line(&mut self, leg: &LegRef, word: &'static str, told: usize) -> bool {
        if self.legs_of(&leg.step) <= MANY {
            return true;
        }
        let n = self.counted.entry((leg.step.clone(), word)).or_default();
        *n += 1;
        *n <= told
    }

    fn legs_of(&self, step: &Name) -> usize {
        self.steps.get(step).copied().unwrap_or(1)
    }

    /// Says how far a large step is, each time that a tenth of it is done.
    fn pass_milestone(&mut self, leg: &LegRef) {
        let all = self.legs_of(&leg.step);
        let Some(milestones) = self.milestones.as_mut().filter(|_| all > MANY) else { return };
        let done = milestones.entry(leg.step.clone()).or_default();
        *done += 1;
        let done = *done;
        if done * 10 / all > (done - 1) * 10 / all && done < all {
            let line =
                format!("  {}   {DIM}{done} of {}{DIM:#}", printable(leg.step.as_str()), counted(all, "leg"));
            self.say(&line);
        }
    }

    /// A leg that did nothing: a line of its own, or one more of many.
    fn count_or_say(&mut self, leg: &LegRef, word: &'static str, words: &str) {
        self.tell_progress(|progress| progress.ended(leg, Cell::of(word), None));
        if self.only_news {
            return;
        }
        if self.legs_of(&leg.step) > MOST_LEGS {
            *self.counted.entry((leg.step.clone(), word)).or_default() += 1;
            return;
        }
        self.line(&leg.name, word, style_of(word), words);
    }

    fn say_counted(&mut self) {
        for ((step, word), n) in std::mem::take(&mut self.counted) {
            let legs = self.steps.get(&step).copied().unwrap_or(n);
            self.line(step.as_str(), word, style_of(word), &format!("{n} of {}", counted(legs, "leg")));
        }
    }

    /// Whether a stopped run waits or leaves is told by what comes next.
    fn say_interrupted(&mut self, next: &Event) {
        let leaves = matches!(
            next,
            Event::Interrupted
                | Event::Stopping { .. }
                | Event::RunEnded { .. }
                | Event::OutputReady { .. }
                | Event::Saved { leg: None, .. }
        );
        match leaves {
            true if self.interrupted => self.say_leaving(),
            true => {}
            false => self.say_waiting(),
        }
    }

    fn say_leaving(&mut self) {
        self.interrupted = false;
        let n = self.running.len();
        if n > 0 {
            let what = counted(n, "prediction");
            let there = self.running.values().any(|started| started.prediction.is_some());
            let there = if there && self.is_billed() {
                "; until then these go on at their providers, and are billed"
            } else {
                ""
            };
            self.say(&format!(
                "{WARN}leaving{WARN:#}: {what} under way, left to the next run, which adopts what it finds{there}"
            ));
            self.say_going_on();
        }
    }

    /// Something that is under way may cost something.
    fn is_billed(&self) -> bool {
        self.running.values().any(|started| started.most != Some(MicroUsd::ZERO))
    }

    /// What runs at providers, and is billed there.
    fn say_going_on(&mut self) {
        let there: Vec<String> = self.running.iter().filter_map(|(leg, s)| s.draw(leg)).collect();
        there.iter().take(MOST_LEGS).for_each(|line| self.say(line));
        if there.len() > MOST_LEGS {
            self.say(&format!("    and {} more", there.len() - MOST_LEGS));
        }
    }

    fn say_waiting(&mut self) {
        if !std::mem::take(&mut self.interrupted) || self.running.is_empty() {
            return;
        }
        let most: MicroUsd = self.running.values().filter_map(|s| s.most).sum();
        let money =
            if most == MicroUsd::ZERO { String::new() } else { format!(" and paid for, {most} at most") };
        let seconds = self.running.values().filter_map(|s| self.typical.get(s.step.as_str())).copied();
        let time = seconds.reduce(f64::max).map(|s| format!(", {}", about(s))).unwrap_or_default();
        let n = self.running.len();
        let (what, are) = if n == 1 { ("prediction", "is") } else { ("predictions", "are") };
        let under_way = format!("{n} {what} {are} under way{money}");
        let line = match self.stops {
            Some(StopCause::Canceled) => format!(
                "{WARN}canceled{WARN:#}: {under_way}: each is stopped where its provider can be told to{}",
                if self.is_billed() { "; what cannot be stopped goes on there and is billed" } else { "" }
            ),
            Some(StopCause::FailFast) => format!(
                "{WARN}stopping at the first failure{WARN:#}: {under_way}: waiting for the end{time}; \
                 Ctrl-C twice leaves them to the next run"
            ),
            Some(StopCause::Superseded) | None => format!(
                "{WARN}stopping{WARN:#}: {under_way}: waiting for the end{time}; \
                 Ctrl-C again leaves them to the next run"
            ),
        };
        self.say(&line);
        self.say_going_on();
    }

    fn ended(&mut self) {
        self.say_counted();
        // Nothing of it stays behind.
        self.progress = None;
    }

    fn line(&mut self, leg: &str, word: &str, style: anstyle::Style, words: &str) {
        let name = printable(leg);
        self.names = self.names.max(screen::columns(&name));
        let name = screen::pad(&name, self.names);
        let padding = " ".repeat(8_usize.saturating_sub(word.len()));
        let line = format!("  {name}   {style}{word}{style:#}{padding}   {}", printable(words));
        self.say(line.trim_end());
    }

    fn say(&mut self, line: &str) {
        (self.sink)(line);
        if let Some(said) = &mut self.said {
            // The sum has been said between the two.
            let lines = if said.counts.is_empty() { &mut said.before } else { &mut said.after };
            lines.push(line.to_owned());
        }
    }

    /// What was said of a run that is over, as far as it was to be remembered.
    pub(crate) fn said(self) -> Said {
        self.said.unwrap_or_default()
    }

    fn tell_progress(&mut self, tell: impl FnOnce(&mut Progress)) {
        if let Some(progress) = &mut self.progress {
            tell(progress);
        }
    }
}

impl Started {
    /// `    boat   prediction abc of acme/paint at replicate, 0.003 USD at most`
    fn draw(&self, leg: &str) -> Option<String> {
        let id = self.prediction.as_ref()?;
        let money = match self.most {
            Some(MicroUsd::ZERO) => String::new(),
            Some(most) => format!(", {most} at most"),
            None => ", price unknown".to_owned(),
        };
        let about = format!("prediction {id} of {} at {}{money}", self.model, self.provider);
        Some(format!("    {}   {DIM}{}{DIM:#}", printable(leg), printable(&about)))
    }
}

fn style_of(word: &str) -> anstyle::Style {
    match word {
        "reused" | "ran" => GOOD,
        "skipped" => HINT,
        "failed" | "in doubt" | "expired" | "refused" => BAD,
        "again" | "canceled" => WARN,
        _ => DIM,
    }
}

/// How wide the column of names begins; legs are named as they turn up, and it widens.
fn names(steps: &[StepSummary]) -> usize {
    let axes = |step: &StepSummary| step.axes.iter().map(|a| a.as_str().len() + 15).sum::<usize>();
    let width = |step: &StepSummary| step.name.as_str().len() + axes(step);
    steps.iter().map(width).max().unwrap_or(0).clamp(8, 36)
}

#[cfg(test)]
mod tests;
