//! What to do about a failure, in a sentence.

use castline_core::request::FailureKind;
use castline_core::results::LegStatus;

/// None when the failure's message says it.
pub(crate) fn of_failure(status: LegStatus, kind: FailureKind) -> Option<&'static str> {
    match (status, kind) {
        // Its message says what to do.
        (LegStatus::InDoubt | LegStatus::Refused, _) => None,
        (LegStatus::Canceled, _) => Some("run again: what is finished is reused"),
        (LegStatus::Expired, _) => {
            Some("it was paid for and is gone; change the step, or give it a `draw:`, to make it anew")
        }
        (_, FailureKind::Moderation) => {
            Some("change the prompt or the input picture, or let the step go with `on_error: skip`")
        }
        (_, FailureKind::Platform) => {
            Some("run again: what is finished is reused; `retry: { times: 2 }` does it by itself")
        }
        (_, FailureKind::Input) => Some("`castline why FILE STEP` shows what the step sends"),
        (_, FailureKind::Timeout) => Some("run again, or give the step a longer `timeout`"),
        (_, FailureKind::Output | FailureKind::Expired) => {
            Some("run again, or retry by itself with `retry: { times: 2, on: [output] }`")
        }
        (_, FailureKind::Other) => Some("`castline runs show last --json` has all that was sent"),
    }
}
