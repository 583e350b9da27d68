//! The last commit, and what is told of the end.
//!
//! Start reading at [`Prediction::close`]; what there is to tell is in [`super::finished`].

use jiff::Timestamp;

use crate::ledger::{Ask, Doubt, EndState, Ending, Entry, Verdict};
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind};

use super::finished::{Finished, Outcome, Source};
use super::log;
use super::message::Do;
use super::{Asked, Prediction, Stage};

impl Prediction {
    pub(super) fn end(&mut self, state: EndState, failure: Failure, cost: Option<MicroUsd>) -> Vec<Do> {
        let outcome = match state {
            EndState::Failed => Outcome::Failed,
            EndState::Canceled | EndState::Aborted => Outcome::Canceled,
            EndState::Expired => Outcome::Expired,
        };
        let prediction = self.course.as_ref().map(|course| course.prediction.clone());
        let ending = Ending { state, failure: failure.clone(), cost, prediction };
        self.close(Ask::Ended(ending), outcome(failure))
    }

    /// Gives up a prediction that goes on, or keeps its files, at the provider.
    pub(super) fn leave(&mut self, kind: FailureKind, message: &str) -> Vec<Do> {
        if !self.can_be_left() {
            return self.end(EndState::Failed, Failure::new(kind, message), None);
        }
        let message = format!(
            "{message}; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again"
        );
        self.close(Ask::Left, Outcome::Failed(Failure::new(kind, message)))
    }

    /// Another process can ask for it later.
    pub(super) fn can_be_left(&mut self) -> bool {
        let terms = self.course().terms;
        terms.get && terms.remote
    }

    pub(super) fn close(&mut self, ask: Ask, outcome: Outcome) -> Vec<Do> {
        self.stage = Stage::Closing(outcome);
        self.commit(Asked::Last, ask)
    }

    pub(super) fn closed(&mut self, verdict: Verdict, now: Timestamp) -> Vec<Do> {
        let Stage::Closing(outcome) = self.stage.clone() else { return vec![] };
        let adopted = self.course.as_ref().is_some_and(|course| course.adopted);
        let source = if adopted { Source::Adopted } else { Source::Fresh };
        match verdict {
            Verdict::Reuse(entry) | Verdict::Ended(entry) => self.finish(self.made(&entry, outcome, source)),
            Verdict::Doubt(doubt) => self.doubted(doubt),
            Verdict::Reconcile { claim, entry } => self.reconcile(claim, &entry, now),
            Verdict::Done => self.finish(self.unmade(outcome)),
            _ => self.begin_anew(),
        }
    }

    pub(super) fn finish(&mut self, finished: Finished) -> Vec<Do> {
        self.stage = Stage::Finished;
        vec![Do::Finish(Box::new(finished))]
    }

    /// As the ledger remembers it.
    pub(super) fn made(&self, entry: &Entry, outcome: Outcome, source: Source) -> Finished {
        Finished {
            outcome,
            source,
            provider: entry.provider().clone(),
            prediction: entry.prediction.clone(),
            made_by: entry.made_by.clone(),
            claim: entry.claim.number,
            created: entry.created.or(entry.prediction.is_some().then_some(entry.intended)),
            ended: entry.ended,
            predict_seconds: entry.predict_seconds,
            cost: entry.hold.settled.or(entry.hold.reserved),
            logs: self.logs(),
        }
    }

    /// Without an entry that tells the end. What has an id stays reserved.
    pub(super) fn unmade(&self, outcome: Outcome) -> Finished {
        let course = self.course.as_ref();
        let reserved = course.filter(|c| c.terms.bills && !c.adopted).and(self.order.request.price);
        Finished {
            outcome,
            source: if course.is_some_and(|c| c.adopted) { Source::Adopted } else { Source::Fresh },
            provider: course.map_or(&self.order.request.provider, |c| &c.provider).clone(),
            prediction: course.map(|c| c.prediction.clone()),
            made_by: self.claim.run.clone(),
            claim: self.claim.number,
            created: course.map(|c| c.created),
            ended: None,
            predict_seconds: None,
            cost: reserved,
            logs: self.logs(),
        }
    }

    pub(super) fn in_doubt(&self, doubt: Box<Doubt>) -> Finished {
        let (provider, cost) = (doubt.provider.clone(), doubt.reserved);
        Finished { provider, cost, ..self.unmade(Outcome::InDoubt(doubt)) }
    }

    pub(super) fn logs(&self) -> Option<String> {
        self.course.as_ref()?.tail.whole().and_then(log::kept)
    }
}
