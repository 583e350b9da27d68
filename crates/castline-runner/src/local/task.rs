//! One leg's prediction: makes the calls that the core's procedure asks for.
//!
//! Start reading at [`ensure`].

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use castline_core::forecast::Forecast;
use castline_core::key;
use castline_core::ledger::{Ask, Claim, Entry, Sent, State, Verdict};
use castline_core::legs::LegId;
use castline_core::plan::Plan;
use castline_core::prediction::{
    CallFault, Do, Facts, Fetched, Finished, Found, Named, Order, Outcome as End, Prediction, Progress,
    START, Search, Source, Told, learned, wire,
};
use castline_core::price::Observed;
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use castline_core::run::{Input, Outcome};
use castline_core::{
    Artifact, Failure, MicroUsd, ModelRef, PredictionId, ProviderName, Request, Snapshot, Value,
};
use castline_provider::{Create, Links, MediaSource, Provider, Secrets};
use castline_store::sabotage::{Rule, is_broken};
use castline_store::{Slot, Store};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::World;
use crate::failpoint::{self, Place, Side};
use crate::providers::{Providers, Reached};
use crate::trouble::Trouble;
use crate::uploads;
use crate::wishes::Wishes;

/// Beyond waiting and running, the provider ends it.
const MARGIN: Duration = Duration::from_mins(1);

/// How long is waited before a cancel that was not heard is sent again.
const CANCEL_AGAIN: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// How long a provider's own output may be passed on to it by its URL; it lives an hour.
const OUTPUTS_FRESH: SignedDuration = SignedDuration::from_mins(45);

/// What a task tells the driver.
pub(crate) enum Said {
    /// Something for the run.
    Input(Input),
    /// The prediction ended; the claim is for a retry.
    Ended {
        /// The leg.
        leg: LegId,
        /// The number of the entry's claim.
        claim: u64,
        /// How.
        outcome: Outcome,
    },
    /// The ledger failed: nothing can go on.
    Broken(Trouble),
}

/// What a leg's create needs besides its request.
#[derive(Debug, Clone)]
pub(crate) struct LegFacts {
    /// With the step's number; none for what a dead process has left.
    plan: Option<(Arc<Plan>, usize)>,
    /// Nothing may be created whose price is not known.
    only_priced: bool,
    schema: Option<serde_json::Value>,
    json: Option<serde_json::Value>,
    secrets: Arc<Secrets>,
    task: Option<String>,
    typical_seconds: Option<f64>,
    facts: BTreeMap<ProviderName, Facts>,
}

/// Collects the facts of every step, by the step's number.
pub(crate) async fn facts(
    forecast: &Forecast,
    used: &BTreeSet<ProviderName>,
    providers: &Providers,
    store: &Store,
    wishes: &Wishes,
    secrets: &BTreeMap<usize, Arc<Secrets>>,
) -> Result<BTreeMap<usize, Arc<LegFacts>>, Trouble> {
    let mut all = BTreeMap::new();
    for (number, step) in forecast.plan.graph.predicting() {
        let model = &step.callee.model;
        let mut facts = BTreeMap::new();
        for name in used {
            let terms = providers.get(name)?.terms;
            let seconds = match terms.remote {
                true => history(store, name, &model.reference).await?,
                false => Vec::new(),
            };
            facts.insert(name.clone(), Facts { terms, p25: learned(&seconds) });
        }
        let leg = LegFacts {
            plan: Some((forecast.plan.clone(), number)),
            only_priced: !wishes.allows_unpriced(step.name.as_str()),
            schema: model.schema.clone(),
            json: step.json.as_ref().map(|json| json.schema().clone()),
            secrets: secrets.get(&number).cloned().unwrap_or_default(),
            task: model.task.clone(),
            typical_seconds: model.typical_seconds,
            facts,
        };
        all.insert(number, Arc::new(leg));
    }
    Ok(all)
}

async fn history(store: &Store, provider: &ProviderName, model: &ModelRef) -> Result<Vec<f64>, Trouble> {
    store.ledger().history(&model.path(), provider).await.map_err(crate::ledger::trouble)
}

/// Our clock as it goes on by itself: deadlines must not pass because it is set.
struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { began: Timestamp::now(), since: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.began
            .saturating_add(SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX))
            .unwrap_or(Timestamp::MAX)
    }
}

/// A call, or a wait, that is under way.
type Call = Pin<Box<dyn Future<Output = Result<Told, Trouble>> + Send>>;

/// What this run has heard before of a leg and its model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    /// The number of the claim whose failure a retry overcomes.
    pub(crate) beyond: u64,
    /// How long the fastest quarter of the model's predictions took, when there were enough. It
    /// counts where nothing was known before the run.
    pub(crate) p25: Option<Duration>,
}

/// Sees that a prediction is made, at most once, and tells how it ended.
pub(crate) async fn ensure(
    world: Arc<World>,
    leg: LegId,
    facts: Arc<LegFacts>,
    request: Arc<Request>,
    heard: Heard,
    tell: mpsc::UnboundedSender<Said>,
    stop: mpsc::UnboundedReceiver<Told>,
) {
    let Some(mut known) = facts.facts.get(&request.provider).copied() else {
        let message = format!("nothing is known of the provider `{}`", request.provider);
        drop(tell.send(Said::Broken(Trouble::Bug(message))));
        return;
    };
    if known.terms.remote {
        known.p25 = known.p25.or(heard.p25);
    }
    let order = Order {
        request: request.clone(),
        claim: Claim { only_priced: facts.only_priced, ..world.claim.clone() },
        facts: known,
        since: world.since,
        beyond: heard.beyond,
        account: world.providers.get(&request.provider).ok().and_then(|reached| reached.provider.account()),
        retry_lost: world.retry_lost,
    };
    let hands = Arc::new(Hands { world, facts, request, turn: Mutex::default() });
    drive(leg, hands, Prediction::start(order), tell, stop).await;
}

/// Has a prediction stopped that a dead process has left, where its provider can, and tells
/// how it ended. Nothing is created.
pub(crate) async fn stop_orphan(
    world: Arc<World>,
    leg: LegId,
    entry: Entry,
    tell: mpsc::UnboundedSender<Said>,
) {
    let order = Order {
        request: entry.request.clone(),
        claim: world.claim.clone(),
        facts: Facts { terms: entry.terms, p25: None },
        since: world.since,
        beyond: 0,
        account: None,
        retry_lost: false,
    };
    let facts = LegFacts {
        plan: None,
        only_priced: true,
        schema: None,
        json: None,
        secrets: Arc::default(),
        task: None,
        typical_seconds: None,
        facts: BTreeMap::new(),
    };
    let (facts, request) = (Arc::new(facts), order.request.clone());
    let hands = Arc::new(Hands { world, facts, request, turn: Mutex::default() });
    let (_goes_on, stop) = mpsc::unbounded_channel();
    drive(leg, hands, Prediction::stop_orphan(order), tell, stop).await;
}

async fn drive(
    leg: LegId,
    hands: Arc<Hands>,
    (mut prediction, mut dos): (Prediction, Vec<Do>),
    tell: mpsc::UnboundedSender<Said>,
    mut stop: mpsc::UnboundedReceiver<Told>,
) {
    let clock = Clock::start();
    let mut under_way: FuturesUnordered<Call> = FuturesUnordered::new();
    // A prediction waits for one thing at a time: a new wait takes the place of the old one.
    let mut wait: Option<Call> = None;
    // True while the next thing would lead to a create.
    let mut unsent = false;
    let mut stopping = hands.world.stopping.subscribe();
    loop {
        for act in dos.drain(..) {
            match act {
                Do::Report(progress) => drop(tell.send(said_of(leg, progress))),
                Do::Finish(finished) => {
                    let claim = finished.claim;
                    let outcome = outcome(*finished);
                    drop(tell.send(Said::Ended { leg, claim, outcome }));
                    return;
                }
                Do::Prepare | Do::Search { .. } | Do::Get { .. } | Do::Rest(_) | Do::WaitForOwner => {
                    unsent = matches!(act, Do::Prepare | Do::Search { .. } | Do::Rest(_));
                    wait = Some(Box::pin(hands.clone().carry_out(act)));
                }
                other => under_way.push(Box::pin(hands.clone().carry_out(other))),
            }
        }
        let waits = wait.is_some();
        let told = tokio::select! {
            // What leads to a create must not win over the word to stop.
            biased;
            Some(told) = under_way.next() => Some(told),
            Ok(_) = stopping.wait_for(|stopping| *stopping), if unsent => {
                wait = None;
                unsent = false;
                Some(Ok(Told::Stop))
            }
            Some(how) = stop.recv() => Some(Ok(how)),
            told = async { wait.as_mut().expect("looked at before").await }, if waits => {
                wait = None;
                unsent = false;
                Some(told)
            }
            else => None,
        };
        match told {
            Some(Ok(told)) => dos = prediction.handle(told, clock.now()),
            Some(Err(trouble)) => {
                drop(tell.send(Said::Broken(trouble)));
                return;
            }
            None => {
                let message = "a prediction waits for nothing and has not ended".to_owned();
                drop(tell.send(Said::Broken(Trouble::Bug(message))));
                return;
            }
        }
    }
}

fn said_of(leg: LegId, progress: Progress) -> Said {
    let word = |text: &str| Said::Input(Input::Progress(leg, text.to_owned(), None));
    match progress {
        Progress::Created { prediction, adopted, .. } => {
            Said::Input(Input::Created(leg, prediction, adopted))
        }
        Progress::Status(status) => {
            let status = serde_json::to_value(&status).ok();
            word(status.as_ref().and_then(|s| s.as_str()).unwrap_or("running"))
        }
        Progress::Fraction(fraction) => {
            Said::Input(Input::Progress(leg, "processing".to_owned(), Some(fraction)))
        }
        Progress::Logs(_) => word("processing"),
        Progress::WaitingForOwner => word("is being made already"),
        Progress::SentAgain { after, why } => {
            word(&format!("asking again in {:.1} s: {why}", after.as_secs_f64()))
        }
        Progress::Searching { provider, .. } => {
            word(&format!("looking for its lost request in the list of `{provider}`"))
        }
        Progress::FetchedAgain { after, why } => {
            word(&format!("downloading again in {:.1} s: {why}", after.as_secs_f64()))
        }
        Progress::Canceling => word("canceling"),
    }
}

/// The end of a prediction as the run sees it.
fn outcome(finished: Finished) -> Outcome {
    let Finished { outcome, source, prediction, predict_seconds, cost, logs, .. } = finished;
    let failed = |status, mut failure: Failure| {
        failure.logs = failure.logs.or(logs);
        Outcome::Failed { status, failure, prediction: prediction.clone(), cost }
    };
    match outcome {
        End::Succeeded(output) => {
            Outcome::Succeeded { output, reused: source == Source::Reused, prediction, cost, predict_seconds }
        }
        End::Failed(failure) => failed(LegStatus::Failed, failure),
        End::Canceled(failure) => failed(LegStatus::Canceled, failure),
        End::Expired(failure) => failed(LegStatus::Expired, failure),
        End::InDoubt(doubt) => {
            let message = format!("{doubt}; {}", doubt.hint());
            failed(LegStatus::InDoubt, Failure::new(FailureKind::Other, message))
        }
        End::Refused(refusal) => {
            let message = format!("{refusal}; {}", refusal.hint());
            failed(LegStatus::Refused, Failure::new(FailureKind::Other, message))
        }
    }
}

/// How many creates are on their way: sent, and not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Creating(AtomicUsize);

/// One create on its way.
struct OneCreate<'a>(&'a Creating);

impl Creating {
    fn one(&self) -> OneCreate<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        OneCreate(self)
    }

    /// True when no answer is outstanding.
    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

impl Drop for OneCreate<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What carries out one leg's calls.
struct Hands {
    world: Arc<World>,
    facts: Arc<LegFacts>,
    request: Arc<Request>,
    turn: Mutex<Turn>,
}

/// What was prepared for the next create.
#[derive(Default)]
struct Turn {
    /// The place among the predictions in flight.
    slot: Option<Slot>,
    links: Links,
    /// The claim that may create, for the attempt's name.
    claim: u64,
    /// Known before its time only where a test has broken [`Rule::Intent`].
    answer: Option<Result<Snapshot, CallFault>>,
}

/// How long to wait before something is done.
fn delay(act: &Do) -> Duration {
    match act {
        Do::Search { after, .. } | Do::Get { after, .. } | Do::Fetch { after, .. } => *after,
        _ => Duration::ZERO,
    }
}

impl Hands {
    async fn carry_out(self: Arc<Self>, act: Do) -> Result<Told, Trouble> {
        let (place, delay) = (Place::of(&act), delay(&act));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if is_broken(Rule::Intent) && matches!(place, Some(Place::Claim)) {
            let answer = self.create().await;
            self.turn().answer = Some(answer);
        }
        place.inspect(|place| failpoint::reach(*place, Side::Before));
        let told = self.told(act).await;
        place.inspect(|place| failpoint::reach(*place, Side::After));
        match told? {
            Some(told) => Ok(told),
            None => std::future::pending().await,
        }
    }

    /// Does what is to be done now; none where nothing is told of it.
    async fn told(&self, act: Do) -> Result<Option<Told>, Trouble> {
        Ok(Some(match act {
            Do::Commit { claim, ask } => Told::Verdict(self.commit(claim, ask).await?),
            Do::Prepare => Told::Prepared(self.prepare().await),
            Do::Search { provider, search, .. } => Told::Searched(self.search(&provider, &search).await),
            Do::Create => {
                let _creating = self.world.creating.one();
                let early = self.turn().answer.take();
                Told::Created(match early {
                    Some(answer) => answer,
                    None => self.create().await,
                })
            }
            Do::Get { provider, prediction, named, .. } => {
                Told::Got(self.get(&provider, &prediction, named.as_deref()).await)
            }
            Do::Fetch { provider, snapshot, .. } => Told::Fetched(self.fetch(&provider, &snapshot).await),
            Do::Rest(after) => {
                tokio::time::sleep(after).await;
                Told::Rested
            }
            Do::WaitForOwner => {
                // Whoever is waited for may need it.
                self.turn().slot = None;
                let key = [self.request.key];
                self.world.store.ledger().changed(&key).await.map_err(crate::ledger::trouble)?;
                Told::Changed
            }
            Do::Cancel { provider, prediction } => {
                if let Ok(reached) = self.reached(&provider) {
                    cancel(&reached.provider, &prediction).await;
                }
                // What became of it is read by the next poll.
                return Ok(None);
            }
            Do::Report(_) | Do::Finish(_) => unreachable!("told to the driver, not carried out"),
        }))
    }

    /// An output whose files are not in the store, as one that was imported, is none: it is
    /// fetched again where the provider still has it.
    async fn commit(&self, claim: Claim, ask: Ask) -> Result<Verdict, Trouble> {
        let verdict = self.judged(claim.clone(), ask.clone()).await?;
        match (&ask, &verdict) {
            (Ask::Claim { .. }, Verdict::Reuse(entry)) if !self.has_files(entry) => {
                let former = Claim { number: entry.claim.number, ..claim.clone() };
                self.judged(former, Ask::Missing).await?;
                self.judged(claim, ask).await
            }
            _ => Ok(verdict),
        }
    }

    fn has_files(&self, entry: &Entry) -> bool {
        let blobs = self.world.store.blobs();
        entry.output.iter().flat_map(|output| output.raw.media()).all(|file| blobs.has(file))
    }

    async fn judged(&self, claim: Claim, ask: Ask) -> Result<Verdict, Trouble> {
        let created = match &ask {
            Ask::Created(prediction) => Some(prediction.clone()),
            _ => None,
        };
        let asks = vec![(self.request.key, claim, ask)];
        let verdicts = self.world.store.ledger().commit(asks).await.map_err(|error| {
            let trouble = crate::ledger::trouble(error);
            match created {
                Some(prediction) => trouble.about(&format!(
                    "`{}` accepted the prediction `{prediction}`, and that could not be written down",
                    self.request.provider
                )),
                None => trouble,
            }
        })?;
        let verdict = verdicts
            .into_iter()
            .next()
            .ok_or_else(|| Trouble::Bug("the ledger answered nothing".to_owned()))?;
        if let Verdict::Create(claim) = &verdict {
            self.turn().claim = claim.number;
        }
        Ok(verdict)
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self, name: &ProviderName) -> Result<Arc<Reached>, CallFault> {
        self.world.providers.get(name).map_err(|trouble| CallFault::Refused {
            status: 0,
            message: format!("it is at provider `{name}`, which cannot be asked: {trouble}"),
        })
    }

    /// Files where the provider can read them, and a turn.
    async fn prepare(&self) -> Result<Sent, CallFault> {
        // The disk may have filled up since the run began: nothing is paid for then.
        self.world.store.check_free().map_err(stored)?;
        let reached = self.reached(&self.request.provider)?;
        let links = self.links(&reached).await?;
        let input = reached.provider.sent(&Create { links: &links, ..self.call() })?;
        self.turn().links = links;
        if !self.is_made().await? {
            if self.turn().slot.is_none() {
                let slot = reached.limits.slot().await;
                self.turn().slot = slot;
            }
            reached.limits.create.turn().await;
        }
        let (clock, account) = (reached.provider.clock(), reached.provider.account());
        Ok(Sent { input: Arc::new(input), clock, account })
    }

    /// True when there is nothing left to create: what is paid for does not wait for a turn.
    async fn is_made(&self) -> Result<bool, CallFault> {
        let briefs = self.world.store.ledger().briefs(&[self.request.key]).await.map_err(stored)?;
        let states = briefs.into_iter().flatten().map(|brief| brief.state);
        Ok(states.into_iter().any(|state| matches!(state, State::Created | State::Succeeded)))
    }

    /// Where the provider finds the files of the input by itself; what is too large to
    /// travel inside the request is uploaded.
    async fn links(&self, reached: &Reached) -> Result<Links, CallFault> {
        let known = self.world.store.links();
        let (now, whose) = (Timestamp::now(), reached.whose(&self.request.provider));
        let files = self.request.input.values().flat_map(Value::media);
        let mut links: Links =
            files.filter_map(|file| Some((file.digest, known.find(&file.digest, &whose, now)?))).collect();
        let uploads: Vec<Artifact> = reached
            .provider
            .uploads(&Create { links: &links, ..self.call() })?
            .into_iter()
            .cloned()
            .collect();
        for file in uploads {
            let stored = Stored(&self.world.store);
            let upload = reached.limits.read.call(reached.provider.upload(&file, &stored));
            let link = reached.uploads.once(file.digest, upload).await?;
            known.put(&file.digest, &whose, &link.url, uploads::until(&link));
            links.insert(file.digest, link.url);
        }
        Ok(links)
    }

    async fn create(&self) -> Result<Snapshot, CallFault> {
        let (links, claim) = {
            let turn = self.turn();
            (turn.links.clone(), turn.claim)
        };
        let name = |number: u64| key::attempt(&self.request.key, number);
        let (attempt, former) = (name(claim), (claim > 1).then(|| name(claim - 1)));
        let create = Create { links: &links, attempt: &attempt, former: former.as_deref(), ..self.call() };
        let media = Stored(&self.world.store);
        let reached = self.reached(&self.request.provider)?;
        let answer = self.facts.secrets.out_of(reached.provider.create(&create, &media).await);
        reached.limits.create.hear(&answer);
        answer
    }

    /// The create, but for what is known only when it is sent.
    fn call(&self) -> Create<'_> {
        Create {
            deployment: self.request.deployment.as_deref(),
            secrets: &self.facts.secrets,
            draw: &self.request.draw,
            schema: self.facts.schema.as_ref(),
            json: self.facts.json.as_ref(),
            task: self.facts.task.as_deref(),
            typical_seconds: self.facts.typical_seconds,
            cancel_after: START + self.request.timeout + MARGIN,
            ..Create::new(&self.request.model, &self.request.input, self.request.output)
        }
    }

    async fn search(&self, provider: &ProviderName, search: &Search) -> Result<Found, CallFault> {
        let reached = self.reached(provider)?;
        reached.limits.read.call(reached.provider.search(search)).await
    }

    async fn get(
        &self,
        provider: &ProviderName,
        prediction: &PredictionId,
        named: Option<&Named>,
    ) -> Result<Snapshot, CallFault> {
        let reached = self.reached(provider)?;
        let answer = match named {
            Some(named) => reached.limits.read.call(reached.provider.get_named(prediction, named)).await,
            None => reached.limits.read.call(reached.provider.get(prediction)).await,
        };
        self.facts.secrets.out_of(answer)
    }

    /// Downloads every file of an output into the store.
    async fn fetch(&self, name: &ProviderName, snapshot: &Snapshot) -> Result<Fetched, CallFault> {
        let bad = |e: wire::BadOutput| CallFault::BadOutput { message: e.to_string(), retry: false };
        let reached = self.reached(name)?;
        let output = snapshot.output.clone().unwrap_or_default();
        let mut artifacts: BTreeMap<String, Artifact> = BTreeMap::new();
        for uri in wire::files(&output, self.request.output).map_err(bad)? {
            let incoming = self.world.store.blobs().incoming();
            reached.provider.fetch(&uri, incoming.path()).await?;
            let artifact = tokio::task::spawn_blocking(move || incoming.finish())
                .await
                .map_err(|e| CallFault::Io(e.to_string()))?
                .map_err(stored)?;
            if reached.terms.remote && is_web(&uri) {
                let ours =
                    |theirs: Timestamp| theirs.checked_sub(reached.provider.clock().unwrap_or_default());
                let completed = snapshot.completed_at.and_then(|theirs| ours(theirs).ok());
                let now = Timestamp::now();
                let until = completed.map_or(now, |completed| completed.min(now)) + OUTPUTS_FRESH;
                self.world.store.links().put(&artifact.digest, &reached.whose(name), &uri, Some(until));
            }
            artifacts.insert(uri, artifact);
        }
        let output =
            wire::assemble(output, self.request.output, &|uri| artifacts.get(uri).cloned()).map_err(bad)?;
        let cost = if reached.terms.bills {
            let observed = Observed::of(snapshot.metrics.as_ref(), &output);
            let plan = self.facts.plan.as_ref();
            plan.and_then(|(plan, step)| plan.settle(*step, &self.request, name, &observed))
        } else {
            Some(MicroUsd::ZERO)
        };
        Ok(Fetched { output, cost })
    }
}

/// Tells a provider to stop a prediction, several times when it does not hear. Too late is as
/// good: what became of it is read afterwards.
async fn cancel(provider: &Provider, prediction: &PredictionId) {
    for wait in CANCEL_AGAIN {
        match provider.cancel(prediction).await {
            Err(fault) if fault.is_transient() => tokio::time::sleep(wait).await,
            _ => return,
        }
    }
}

fn is_web(uri: &str) -> bool {
    uri.starts_with("https://") || uri.starts_with("http://")
}

/// The store as the place where the bytes of inputs are.
struct Stored<'a>(&'a Store);

impl MediaSource for Stored<'_> {
    fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>> {
        self.0.blobs().read(artifact).map_err(std::io::Error::other)
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn stored(e: castline_store::StoreError) -> CallFault {
    CallFault::Io(e.to_string())
}
