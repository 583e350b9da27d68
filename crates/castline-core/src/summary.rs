//! A run in short: what lists of runs show, without its legs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{RunStatus, Totals};
use crate::record::RunRecord;
use crate::results::LegStatus;

/// How the legs of a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// With an output that was made in this run.
    pub ran: usize,
    /// With an output that was there already.
    pub reused: usize,
    /// Skipped.
    pub skipped: usize,
    /// Failed, canceled or expired.
    pub failed: usize,
    /// Nobody knows whether their creates were received.
    pub in_doubt: usize,
    /// The budget did not allow them.
    pub refused: usize,
    /// Not run.
    pub not_run: usize,
}

impl Counts {
    /// Of a run.
    pub fn of(record: &RunRecord) -> Self {
        let mut counts = Self::default();
        record.legs.iter().for_each(|leg| counts.add(leg.status, leg.reused));
        counts
    }

    /// One leg more.
    pub fn add(&mut self, status: LegStatus, reused: bool) {
        *match status {
            LegStatus::Succeeded if reused => &mut self.reused,
            LegStatus::Succeeded => &mut self.ran,
            LegStatus::Skipped => &mut self.skipped,
            LegStatus::NotRun => &mut self.not_run,
            LegStatus::Failed | LegStatus::Canceled | LegStatus::Expired => &mut self.failed,
            LegStatus::InDoubt => &mut self.in_doubt,
            LegStatus::Refused => &mut self.refused,
        } += 1;
    }

    /// All of them.
    pub fn legs(&self) -> usize {
        let Self { ran, reused, skipped, failed, in_doubt, refused, not_run } = self;
        ran + reused + skipped + failed + in_doubt + refused + not_run
    }
}

impl std::fmt::Display for Counts {
    /// `7 ran, 1 reused`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.ran, "ran"),
            (self.reused, "reused"),
            (self.skipped, "skipped"),
            (self.failed, "failed"),
            (self.in_doubt, "in doubt"),
            (self.refused, "refused"),
            (self.not_run, "not run"),
        ];
        let parts: Vec<_> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        f.write_str(if parts.is_empty() { "nothing to do" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// A recorded run in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file.
    pub file: String,
    /// The chosen provider.
    pub provider: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// How it ended; none while it is under way, or when it never ended.
    pub status: Option<RunStatus>,
    /// How its legs ended.
    pub counts: Counts,
    /// Money.
    pub totals: Totals,
    /// Seconds.
    pub elapsed_seconds: f64,
}

impl From<&RunRecord> for RunSummary {
    fn from(record: &RunRecord) -> Self {
        Self {
            run: record.run.clone(),
            workflow: record.workflow.clone(),
            file: record.file.clone(),
            provider: record.provider.clone(),
            started: record.started,
            status: record.status,
            counts: Counts::of(record),
            totals: record.totals.clone(),
            elapsed_seconds: record.elapsed_seconds,
        }
    }
}
