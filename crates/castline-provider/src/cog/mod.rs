//! Models on one's own machines, behind the server that Cog puts into their containers.
//!
//! Its routes look like Replicate's, but it keeps no list and no results: a prediction is
//! answered on the connection that asked for it, or by a webhook. So a [`CogProvider`]
//! follows each prediction in the background and answers for it from what it has seen, for
//! as long as the process lives. Tests are named after the pitfalls in
//! `docs/reference/pitfalls.md`.
//!
//! Start reading at [`CogProvider::create`].

mod course;
mod health;
mod options;
mod server;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use castline_core::{PredictionId, Snapshot, Status};
use rustls::crypto::ring;
use serde_json::Value as Json;
use tokio::sync::{OnceCell, Semaphore, oneshot, watch};

use self::course::Course;
use self::health::Condition;
use self::server::Server;
use self::webhook::Webhooks;
use crate::call::{CallFault, Capabilities, Create, Described, Fetched, MediaSource, Pong};
use crate::http::address::is_loopback;
use crate::http::base_url::{BadBaseUrl, host_and_port};
use crate::http::download::Downloads;
use crate::http::input;

pub use self::options::{CogOptions, WebhookOptions};

/// What a Cog server can do, with the memory that a [`CogProvider`] lends it.
const CAPABILITIES: Capabilities = Capabilities {
    bills: false,
    get: true,
    list: false,
    cancel: true,
    cancel_after: false,
    upload: false,
    remote: false,
};

/// How long a question for the state waits for the end, so that quick models are not
/// slowed down by the rhythm of the questions.
const LINGER: Duration = Duration::from_millis(300);

/// How long an end is remembered that was told.
const TOLD: Duration = Duration::from_mins(1);

/// A Cog server and its predictions.
#[derive(Debug)]
pub struct CogProvider {
    server: Arc<Server>,
    options: Box<CogOptions>,
    slots: Arc<Semaphore>,
    webhooks: OnceCell<Webhooks>,
    known: Mutex<HashMap<PredictionId, Known>>,
    downloads: Box<Downloads>,
}

/// A prediction of this process.
#[derive(Debug)]
struct Known {
    state: watch::Receiver<Snapshot>,
    stop: watch::Sender<bool>,
    told: Option<Instant>,
}

impl CogProvider {
    /// Prepares the calls. Nothing is sent, and nothing listened to, before the first one.
    pub fn new(options: CogOptions) -> Result<Self, BadBaseUrl> {
        let server = Server::new(&options)?;
        Ok(Self {
            downloads: Box::new(Downloads::of_host(server.url(), is_loopback(server.url()), &options.limits)),
            server: Arc::new(server),
            slots: Arc::new(Semaphore::new(options.slots.max(1))),
            options: Box::new(options),
            webhooks: OnceCell::new(),
            known: Mutex::default(),
        })
    }

    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    /// Begins a prediction in the background; a server that cannot run one refuses it here.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        self.server.check().await?;
        let id = match create.attempt {
            "" => PredictionId(random_id()),
            name => PredictionId(name.to_owned()),
        };
        // Files always travel inside the request: an address of ours means another machine
        // to a container.
        let body = input::body(None, create, media, &self.options.limits)?;
        let (body, webhook) = match &self.options.webhook {
            None => (body, None),
            Some(options) => {
                let (url, arrives) = self.webhooks(options).await?.expect(&id);
                (with_webhook(&body, &url), Some(arrives))
            }
        };
        let begun = begun(&id);
        let course = self.course(create, body, webhook, begun.clone())?;
        tokio::spawn(course.run());
        Ok(begun)
    }

    /// The document that describes its model.
    pub async fn describe(&self) -> Result<Described, CallFault> {
        Ok(Described { schema: Some(self.server.described().await?), ..Described::default() })
    }

    /// The state of a prediction of this process. Waits a little for its end.
    pub async fn get(&self, id: &PredictionId) -> Result<Snapshot, CallFault> {
        let mut state = self.known().get(id).map(|known| known.state.clone()).ok_or(CallFault::Gone)?;
        let ends = state.wait_for(|state| state.status.is_terminal());
        let lost = tokio::time::timeout(LINGER, ends).await.is_ok_and(|end| end.is_err());
        let snapshot = state.borrow().clone();
        if snapshot.status.is_terminal() {
            let told = Some(Instant::now());
            self.known().entry(id.clone()).and_modify(|known| known.told = told);
        } else if lost {
            return Err(CallFault::Gone);
        }
        Ok(snapshot)
    }

    /// Asks the server to stop a prediction; its state is still to be read.
    pub async fn cancel(&self, id: &PredictionId) -> Result<(), CallFault> {
        if let Some(known) = self.known().get(id) {
            known.stop.send_replace(true);
        }
        self.server.cancel(id).await.map(drop)
    }

    /// Writes one output into a new file: most come inside the answer.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        let fetched = self.downloads.fetch(uri, to).await;
        fetched.map_err(|fault| fault.map_message(|words| self.server.scrubbed(words)))
    }

    /// The document that describes the model; none when it was built without.
    pub async fn openapi(&self) -> Result<Option<Json>, CallFault> {
        self.server.openapi().await
    }

    /// Asks how it is.
    pub async fn ping(&self) -> Result<Pong, CallFault> {
        let began = Instant::now();
        let health = self.server.health().await?;
        let took = began.elapsed();
        let version = match health.coglet() {
            Some(version) => Some(version.to_owned()),
            None => self.server.version().await,
        };
        let version = version.map(|version| format!("Cog {version}, ")).unwrap_or_default();
        let about = self.server.shown(&format!("{version}{}", health.status()));
        let broken = match health.condition() {
            Condition::Broken(why) => Some(self.server.shown(&why)),
            Condition::Ready | Condition::Busy | Condition::Loading => None,
        };
        Ok(Pong { took, clock: None, about, broken })
    }

    fn course(
        &self,
        create: &Create<'_>,
        body: Vec<u8>,
        webhook: Option<oneshot::Receiver<Snapshot>>,
        begun: Snapshot,
    ) -> Result<Course, CallFault> {
        let id = begun.id.clone();
        let request = self.server.start(&id, body, webhook.is_some())?;
        let (tell, state) = watch::channel(begun);
        let (stop, stops) = watch::channel(false);
        let mut known = self.known();
        known.retain(|_, known| known.told.is_none_or(|told| told.elapsed() < TOLD));
        known.insert(id.clone(), Known { state, stop, told: None });
        Ok(Course {
            server: self.server.clone(),
            slots: self.slots.clone(),
            id,
            former: create.former.map(|name| PredictionId(name.to_owned())),
            request,
            webhook,
            output: create.output,
            setup: self.options.setup,
            grace: self.options.grace,
            deadline: tokio::time::Instant::now() + create.cancel_after,
            state: tell,
            stop: stops,
        })
    }

    async fn webhooks(&self, options: &WebhookOptions) -> Result<&Webhooks, CallFault> {
        self.webhooks.get_or_try_init(|| Webhooks::listen(&options.at)).await.map_err(|e| {
            CallFault::NotSent {
                host: host_and_port(self.server.url()),
                cause: format!("cannot listen for its webhooks at {}: {e}", options.at),
            }
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PredictionId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A prediction that nobody has heard of yet.
fn begun(id: &PredictionId) -> Snapshot {
    Snapshot {
        id: id.clone(),
        status: Status::Starting,
        output: None,
        error: None,
        logs: None,
        metrics: None,
        created_at: None,
        started_at: None,
        completed_at: None,
        data_removed: false,
    }
}

/// The body with the address for its one event before everything else.
fn with_webhook(body: &[u8], url: &str) -> Vec<u8> {
    let mut whole =
        format!(r#"{{"webhook":{},"webhook_events_filter":["completed"],"#, Json::from(url)).into_bytes();
    whole.extend_from_slice(&body[1..]);
    whole
}

/// 26 characters of lower-case base32 that nobody can guess.
fn random_id() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; 26];
    ring::default_provider().secure_random.fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}
