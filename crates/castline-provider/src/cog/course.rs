//! One prediction on a Cog server, from its request to its end, in the background.
//!
//! The server keeps no results and has no queue: whoever wants one stays on the line, or
//! listens for a webhook, and comes again as long as it says that it is busy.
//!
//! Start reading at [`Course::run`].

use std::sync::Arc;
use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{PredictionId, Snapshot, Status};
use reqwest::Request;
use serde_json::Value as Json;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::health::{Condition, Health};
use super::server::{Probed, Server, prediction};
use crate::call::CallFault;
use crate::http::exchange::Answer;

/// The first rest after "busy": right after an answer the slot is not yet free.
const BUSY: Duration = Duration::from_millis(2);
const BUSY_LONGEST: Duration = Duration::from_millis(250);
/// Busy for longer than this, the server is asked how it is.
const BUSY_DOUBTED: Duration = Duration::from_millis(50);
/// A refusal comes at once, so what is not answered by now runs.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How long the older generation, whose cancel may do nothing, has to stop.
const STUBBORN: Duration = Duration::from_secs(5);
const CANCEL_AGAIN: Duration = Duration::from_millis(100);
const CANCEL_LONGEST: Duration = Duration::from_secs(2);

/// What core's table of faults knows as one of the platform, worth another attempt.
const INTERRUPTED: &str = "prediction interrupted";

/// One prediction on its way.
pub(super) struct Course {
    pub server: Arc<Server>,
    pub slots: Arc<Semaphore>,
    pub id: PredictionId,
    /// An attempt that another process may have left behind.
    pub former: Option<PredictionId>,
    pub request: Request,
    /// What ends it, when the request is not answered with its end.
    pub webhook: Option<oneshot::Receiver<Snapshot>>,
    pub output: OutputShape,
    pub setup: Duration,
    pub grace: Duration,
    pub deadline: Instant,
    pub state: watch::Sender<Snapshot>,
    pub stop: watch::Receiver<bool>,
}

impl Course {
    /// Follows the prediction to its end, which is then its state.
    pub async fn run(mut self) {
        let mut webhook = self.webhook.take();
        let end = match timeout_at(self.deadline, self.course(&mut webhook)).await {
            Ok(end) => end,
            Err(_) => self.late().await,
        };
        self.state.send_replace(end);
    }

    async fn course(&self, webhook: &mut Option<oneshot::Receiver<Snapshot>>) -> Snapshot {
        let _slot = tokio::select! {
            biased;
            () = self.stopped() => return self.ended(Status::Aborted, None),
            slot = self.turn() => slot,
        };
        let mut patience = Patience::new(self.setup);
        loop {
            if let Some(end) = self.attempt(webhook).await {
                return end;
            }
            tokio::select! {
                biased;
                () = self.stopped() => return self.ended(Status::Aborted, None),
                waited = patience.wait(&self.server) => if let Err(why) = waited {
                    return self.interrupted(&why);
                },
            }
        }
    }

    /// Waits for a slot, and until a former attempt has left it. Where that one cannot be
    /// asked for, the server's "busy" says it.
    async fn turn(&self) -> SemaphorePermit<'_> {
        let slot = self.slots.acquire().await.expect("it is never closed");
        if let Some(former) = &self.former {
            self.until_over(former).await;
        }
        slot
    }

    async fn until_over(&self, id: &PredictionId) {
        if !self.server.can_be_probed().await {
            return;
        }
        let mut pause = CANCEL_AGAIN;
        while let Ok(Probed::Running(_)) = self.server.probe(id).await {
            sleep(pause).await;
            pause = (pause * 2).min(CANCEL_LONGEST);
        }
    }

    /// Sends the request and waits for the end; none when the server takes nothing now.
    async fn attempt(&self, webhook: &mut Option<oneshot::Receiver<Snapshot>>) -> Option<Snapshot> {
        let by_webhook = webhook.is_some();
        tokio::select! {
            biased;
            end = self.answered(webhook) => end,
            why = self.watched(by_webhook) => Some(self.interrupted(&why)),
            () = self.given_up() => {
                let words = format!("{} did not stop it when told to, and may still be at it", self.server.name);
                Some(self.ended(Status::Canceled, Some(words)))
            }
        }
    }

    async fn answered(&self, webhook: &mut Option<oneshot::Receiver<Snapshot>>) -> Option<Snapshot> {
        let request = self.request.try_clone().expect("its body is in memory");
        let answer = match self.server.send(request).await {
            Ok(answer) => answer,
            Err(fault) => return Some(self.broken_off(&fault).await),
        };
        let said = |what: &str| self.server.said(what, &answer);
        match (answer.status.as_u16(), webhook) {
            // The last: one of this very name runs already, and its result goes elsewhere.
            (409 | 503, _) | (202, None) => None,
            (202, Some(webhook)) => Some(match webhook.await {
                Ok(end) => self.checked(end),
                Err(_) => self.interrupted("nobody listens for its webhooks any more"),
            }),
            (200..300, _) => Some(self.read(&answer)),
            (422, _) => Some(self.failed(said("refused the input with"))),
            (500.., _) => Some(self.crashed(&answer).await),
            _ => Some(self.failed(said("answered"))),
        }
    }

    fn read(&self, answer: &Answer) -> Snapshot {
        match prediction(&self.id, answer) {
            Some(end) if end.status.is_terminal() => self.checked(end),
            _ => self.failed(self.server.said("answered without the end of the prediction, with", answer)),
        }
    }

    /// The end in the server's words, made plain.
    fn checked(&self, end: Snapshot) -> Snapshot {
        let mut end = self.server.told(end);
        end.error = end.error.as_deref().map(plain);
        // Those of a failed prediction are lost on the way (pitfall 52).
        end.logs = end.logs.or_else(|| self.state.borrow().logs.clone());
        if end.status != Status::Succeeded {
            return end;
        }
        let files = self.output.kind.media().is_some();
        if let Some(path) = end.output.as_ref().filter(|_| files).and_then(local_path) {
            return self.failed(format!(
                "{} gave the path `{}` on its own disk instead of the file, as Cog before 0.17 does with webhooks; \
                 leave `webhook` away, or start it with `--upload-url`",
                self.server.name,
                self.server.shown(path)
            ));
        }
        if self.output.many {
            // The older generation writes an empty list so.
            end.output = end.output.or_else(|| Some(Json::Array(vec![])));
        }
        end
    }

    /// The line broke. The newer generation stops a prediction that nobody waits for any
    /// more; only when it has is the slot free.
    async fn broken_off(&self, fault: &CallFault) -> Snapshot {
        if matches!(self.server.cancel(&self.id).await, Ok(true)) {
            self.until_over(&self.id).await;
        }
        match *self.stop.borrow() {
            true => self.ended(Status::Canceled, Some(fault.to_string())),
            false => self.interrupted(&fault.to_string()),
        }
    }

    /// An error of the server is the model's as long as the server lives on.
    async fn crashed(&self, answer: &Answer) -> Snapshot {
        let said = self.server.said("answered", answer);
        let gateway = matches!(answer.status.as_u16(), 502 | 504);
        match self.server.health().await.map(|health| health.condition()) {
            Ok(Condition::Broken(why)) => self.interrupted(&self.server.broken(&why)),
            Ok(_) if !gateway => self.failed(said),
            Ok(_) | Err(_) => self.interrupted(&said),
        }
    }

    /// Brings news of the running prediction. Ends only when it is known that no webhook
    /// will come, with the reason; on the line the end of the line says that.
    async fn watched(&self, by_webhook: bool) -> String {
        sleep(FIRST_LOOK).await;
        self.runs(None);
        let probes = self.server.can_be_probed().await;
        let born = self.born().await;
        let mut pause = FIRST_LOOK;
        let mut silent: Option<Instant> = None;
        loop {
            match self.alive(probes, born.as_deref()).await {
                Ok(()) => silent = None,
                Err(why) => {
                    let since = *silent.get_or_insert_with(Instant::now);
                    if by_webhook && since.elapsed() >= self.grace {
                        return why;
                    }
                }
            }
            sleep(pause).await;
            pause = if silent.is_some() { FIRST_LOOK } else { (pause * 3 / 2).min(LONGEST_LOOK) };
        }
    }

    async fn born(&self) -> Option<String> {
        self.server.health().await.ok()?.born().map(str::to_owned)
    }

    /// Whether it can still be running there.
    async fn alive(&self, probes: bool, born: Option<&str>) -> Result<(), String> {
        if probes {
            match self.server.probe(&self.id).await {
                Ok(Probed::Running(logs)) => {
                    self.runs(logs);
                    return Ok(());
                }
                Ok(Probed::Over) => {
                    return Err(format!(
                        "{0} no longer runs it, and no webhook came; see whether {0} can reach the address of `webhook`",
                        self.server.name
                    ));
                }
                Ok(Probed::Unclear) | Err(_) => {}
            }
        }
        let health = self.server.health().await.map_err(|fault| fault.to_string())?;
        match health.condition() {
            Condition::Broken(why) => Err(self.server.broken(&why)),
            _ if health.born() != born => Err(format!("{} was restarted", self.server.name)),
            _ => Ok(()),
        }
    }

    fn runs(&self, logs: Option<String>) {
        self.state.send_if_modified(|state| {
            let logs = logs.or_else(|| state.logs.clone());
            let changed = state.status != Status::Processing || state.logs != logs;
            state.status = Status::Processing;
            state.logs = logs;
            changed
        });
    }

    async fn stopped(&self) {
        if self.stop.clone().wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could want it stopped.
            std::future::pending::<()>().await;
        }
    }

    /// Ends when it is to be stopped, was told so, and is not. The first cancel, of
    /// whoever wants it stopped, may have overtaken the prediction.
    async fn given_up(&self) {
        self.stopped().await;
        let since = Instant::now();
        let newer = self.server.health().await.is_ok_and(|health| health.coglet().is_some());
        let mut pause = CANCEL_AGAIN;
        while newer || since.elapsed() < STUBBORN {
            sleep(pause).await;
            pause = (pause * 2).min(CANCEL_LONGEST);
            let _ = self.server.cancel(&self.id).await;
        }
    }

    async fn late(&self) -> Snapshot {
        let _ = self.server.cancel(&self.id).await;
        let status = match self.state.borrow().status {
            Status::Starting => Status::Aborted,
            _ => Status::Canceled,
        };
        self.ended(status, Some("it was not done in time".to_owned()))
    }

    fn failed(&self, why: String) -> Snapshot {
        self.ended(Status::Failed, Some(why))
    }

    fn interrupted(&self, why: &str) -> Snapshot {
        self.failed(format!("{INTERRUPTED}: {why}"))
    }

    fn ended(&self, status: Status, error: Option<String>) -> Snapshot {
        let output = None;
        Snapshot { status, error, output, ..self.state.borrow().clone() }
    }
}

/// How long "not now" is taken for an answer.
struct Patience {
    setup: Duration,
    pause: Duration,
    waited: Duration,
    loading: Option<Instant>,
}

impl Patience {
    fn new(setup: Duration) -> Self {
        Self { setup, pause: BUSY, waited: Duration::ZERO, loading: None }
    }

    /// Rests before the next try; says why there must be none. What is known to be refused
    /// is not sent: there may be large files in it.
    async fn wait(&mut self, server: &Server) -> Result<(), String> {
        loop {
            sleep(self.pause).await;
            self.waited += self.pause;
            self.pause = (self.pause * 3 / 2).min(BUSY_LONGEST);
            if self.waited < BUSY_DOUBTED {
                return Ok(());
            }
            let health = server.health().await.map_err(|fault| fault.to_string())?;
            match health.condition() {
                Condition::Ready => return Ok(()),
                Condition::Busy => self.loading = None,
                Condition::Broken(why) => return Err(server.broken(&why)),
                Condition::Loading => self.load(server, &health)?,
            }
        }
    }

    fn load(&mut self, server: &Server, health: &Health) -> Result<(), String> {
        let since = *self.loading.get_or_insert_with(Instant::now);
        if since.elapsed() < self.setup {
            return Ok(());
        }
        let seconds = self.setup.as_secs();
        Err(server.scrubbed(format!("after {seconds} s {} is still {}", server.name, health.reason())))
    }
}

/// The model's own words: the newer generation puts its own before them, twice.
fn plain(error: &str) -> String {
    const PREFIX: &str = "Prediction failed: ";
    error.trim_start_matches(PREFIX).to_owned()
}

/// A path where a file's URI should stand.
fn local_path(output: &Json) -> Option<&str> {
    match output {
        Json::String(text) => (text.starts_with('/') || text.starts_with("file:")).then_some(text),
        Json::Array(items) => items.iter().find_map(local_path),
        Json::Object(map) => map.values().find_map(local_path),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}
