//! One prediction of the sandbox server: where it is in its life at any moment, and how the
//! API shows it.
//!
//! Nothing wakes up to move a prediction on. Its state follows from the time that passed
//! and from the few things that happened to it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use castline_core::{ModelRef, Status};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};

use crate::fault::Source;
use crate::outputs::absolute;

/// Steps that the log of a running prediction counts.
const STEPS: u32 = 4;

/// How a prediction ended by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Succeeded(Value),
    Failed(Option<String>),
    Canceled,
}

/// A prediction; all times count from its creation.
#[derive(Debug)]
pub(crate) struct Prediction {
    pub id: String,
    pub created_at: Timestamp,
    model: ModelRef,
    input: Value,
    created: Instant,
    latency: Duration,
    deadline: Option<Duration>,
    source: Source,
    /// It does not start before; none for a tenth of its latency.
    stuck: Option<Duration>,
    fate: Mutex<Fate>,
}

/// What makes a prediction.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub model: ModelRef,
    pub input: Value,
    pub latency: Duration,
    pub deadline: Option<Duration>,
    pub source: Source,
    pub stuck: Option<Duration>,
    /// The server's clock minus the true one.
    pub clock: SignedDuration,
}

/// What happened so far.
#[derive(Debug, Default, Clone)]
struct Fate {
    drawn: Option<(Duration, Outcome)>,
    canceled: Option<Duration>,
}

/// Where and how predictions are shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// `http://127.0.0.1:1234`.
    pub origin: String,
    /// The same with the prefix and `/v1`.
    pub base: String,
    /// `urls` name another host.
    pub foreign: bool,
}

impl Prediction {
    pub fn new(id: String, order: Order) -> Self {
        let Order { model, input, latency, deadline, source, stuck, clock } = order;
        let latency = latency + stuck.unwrap_or_default();
        // As exact as it is shown, or a list asked for what is newer would show it again.
        let created_at = (Timestamp::now() + clock).round(Unit::Microsecond).expect("now is no extreme time");
        Self {
            id,
            created_at,
            model,
            input,
            created: Instant::now(),
            latency,
            deadline,
            source,
            stuck,
            fate: Mutex::default(),
        }
    }

    /// How long ago it was created.
    pub fn age(&self) -> Duration {
        self.created.elapsed()
    }

    /// The outcome is known; it shows when the latency is over.
    pub fn drawn(&self, outcome: Outcome) {
        self.fate().drawn = Some((self.created.elapsed(), outcome));
    }

    /// Stops it, unless it ended before.
    pub fn cancel(&self) {
        let now = self.created.elapsed();
        if !self.state(now).0.is_terminal() {
            self.fate().canceled.get_or_insert(now);
        }
    }

    pub fn is_terminal(&self) -> bool {
        self.state(self.created.elapsed()).0.is_terminal()
    }

    /// As the API shows it now.
    pub fn json(&self, shown: &Shown) -> Value {
        let now = self.created.elapsed();
        let (status, ended, outcome) = self.state(now);
        self.at(&status, now, ended, outcome.as_ref(), shown)
    }

    /// As the API shows it right after its creation, and when a wait ran out: `starting`,
    /// however far it is, because clients take anything else for its end.
    pub fn json_starting(&self, shown: &Shown) -> Value {
        self.at(&Status::Starting, Duration::ZERO, None, None, shown)
    }

    fn fate(&self) -> std::sync::MutexGuard<'_, Fate> {
        self.fate.lock().expect("nobody panics while holding it")
    }

    fn start(&self) -> Duration {
        self.stuck.unwrap_or(self.latency / 10)
    }

    /// Status, end and outcome after some time.
    fn state(&self, now: Duration) -> (Status, Option<Duration>, Option<Outcome>) {
        let fate = self.fate().clone();
        let end = fate.drawn.map(|(at, outcome)| (at.max(self.latency), outcome));
        let stop = fate.canceled.into_iter().chain(self.deadline).min();
        match (end, stop) {
            (Some((end, outcome)), stop) if end <= now && stop.is_none_or(|stop| end <= stop) => {
                let status = match outcome {
                    Outcome::Succeeded(_) => Status::Succeeded,
                    Outcome::Failed(_) => Status::Failed,
                    Outcome::Canceled => Status::Canceled,
                };
                (status, Some(end), Some(outcome))
            }
            (_, Some(stop)) if stop <= now => {
                let aborted = fate.canceled.is_none_or(|at| at > stop) && stop < self.start();
                (if aborted { Status::Aborted } else { Status::Canceled }, Some(stop), None)
            }
            _ if now < self.start() => (Status::Starting, None, None),
            _ => (Status::Processing, None, None),
        }
    }

    fn at(
        &self,
        status: &Status,
        now: Duration,
        ended: Option<Duration>,
        outcome: Option<&Outcome>,
        shown: &Shown,
    ) -> Value {
        let started = (now >= self.start() && *status != Status::Starting && *status != Status::Aborted)
            .then(|| self.start());
        let (output, error) = match outcome {
            Some(Outcome::Succeeded(output)) => (absolute(output, &shown.origin), Value::Null),
            Some(Outcome::Failed(error)) => (Value::Null, error.clone().into()),
            _ => (Value::Null, Value::Null),
        };
        let mut json = json!({
            "id": self.id,
            "model": self.model.path(),
            "version": self.model.version.as_deref().unwrap_or("hidden"),
            "input": self.input,
            "logs": self.logs(ended.unwrap_or(now)),
            "output": output,
            "data_removed": false,
            "error": error,
            "source": match self.source {
                Source::Api => "api",
                Source::Web => "web",
            },
            "status": word(status),
            "created_at": self.time(Duration::ZERO),
            "started_at": started.map(|at| self.time(at)),
            "completed_at": ended.map(|at| self.time(at)),
            "urls": self.urls(shown),
        });
        if let (Some(start), Some(end)) = (started, ended) {
            let seconds = |d: Duration| d.as_secs_f64();
            json["metrics"] =
                json!({ "predict_time": seconds(end.saturating_sub(start)), "total_time": seconds(end) });
        }
        if let Some(deadline) = self.deadline {
            json["deadline"] = self.time(deadline).into();
        }
        json
    }

    fn urls(&self, shown: &Shown) -> Value {
        let base = if shown.foreign { "https://api.replicate.com/v1" } else { &shown.base };
        let get = format!("{base}/predictions/{}", self.id);
        let web = format!("{}/p/{}", shown.origin, self.id);
        json!({ "cancel": format!("{get}/cancel"), "get": get, "web": web })
    }

    fn time(&self, after: Duration) -> String {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        let time = self.created_at.checked_add(after).unwrap_or(Timestamp::MAX);
        format!("{time:.6}")
    }

    /// One line of a progress bar for each step that is done.
    fn logs(&self, now: Duration) -> String {
        let (running, whole) = (now.saturating_sub(self.start()), self.latency.saturating_sub(self.start()));
        let done = if now >= self.latency {
            STEPS
        } else {
            (f64::from(STEPS) * running.as_secs_f64() / whole.as_secs_f64()) as u32
        };
        let line = |step: u32| {
            let bar = "#".repeat((step * 10 / STEPS) as usize);
            format!("{:3}%|{bar:<10}| {step}/{STEPS} [00:00<00:00, 9.99it/s]\n", step * 100 / STEPS)
        };
        (1..=done).map(line).collect::<Vec<_>>().concat()
    }
}

/// The wire's word for a status.
fn word(status: &Status) -> &str {
    match status {
        Status::Starting => "starting",
        Status::Processing => "processing",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Canceled => "canceled",
        Status::Aborted => "aborted",
        Status::Other(word) => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn prediction(deadline: Option<Duration>) -> Prediction {
        let order = Order {
            model: "acme/paint".parse().unwrap(),
            input: json!({}),
            latency: 10 * SECOND,
            deadline,
            source: Source::Api,
            stuck: None,
            clock: SignedDuration::ZERO,
        };
        Prediction::new("p1".into(), order)
    }

    fn statuses(prediction: &Prediction) -> [Status; 4] {
        [0, 1, 9, 10].map(|seconds| prediction.state(seconds * SECOND).0)
    }

    #[test]
    fn a_prediction_starts_for_a_tenth_of_its_time() {
        let prediction = prediction(None);
        prediction.drawn(Outcome::Succeeded(json!("/outputs/x")));
        assert_eq!(
            statuses(&prediction),
            [Status::Starting, Status::Processing, Status::Processing, Status::Succeeded]
        );
    }

    #[test]
    fn a_prediction_whose_picture_is_not_ready_runs_on() {
        assert_eq!(prediction(None).state(11 * SECOND).0, Status::Processing);
    }

    #[test]
    fn a_deadline_before_the_start_aborts_and_later_cancels() {
        let aborted = prediction(Some(SECOND / 2));
        assert_eq!(statuses(&aborted)[1..], [Status::Aborted, Status::Aborted, Status::Aborted]);
        let canceled = prediction(Some(5 * SECOND));
        canceled.drawn(Outcome::Succeeded(Value::Null));
        assert_eq!(statuses(&canceled)[1..], [Status::Processing, Status::Canceled, Status::Canceled]);
        let done = prediction(Some(20 * SECOND));
        done.drawn(Outcome::Failed(None));
        assert_eq!(done.state(30 * SECOND).0, Status::Failed);
    }

    #[test]
    fn a_cancel_stops_what_is_running_and_nothing_else() {
        let running = prediction(None);
        running.cancel();
        running.drawn(Outcome::Succeeded(Value::Null));
        assert_eq!(running.state(10 * SECOND).0, Status::Canceled);
        let done = Prediction { latency: Duration::ZERO, ..prediction(None) };
        done.drawn(Outcome::Succeeded(Value::Null));
        done.cancel();
        assert_eq!(done.state(10 * SECOND).0, Status::Succeeded);
    }

    #[test]
    fn the_log_counts_the_steps() {
        assert_eq!(prediction(None).logs(SECOND), "");
        assert_eq!(
            prediction(None).logs(6 * SECOND),
            " 25%|##        | 1/4 [00:00<00:00, 9.99it/s]\n 50%|#####     | 2/4 [00:00<00:00, 9.99it/s]\n"
        );
        assert_eq!(prediction(None).logs(10 * SECOND).lines().count(), 4);
    }
}
