//! One leg's prediction: makes the calls that the core's procedure asks for.
//!
//! Start reading at [`ensure`].

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use castline_core::forecast::Forecast;
use castline_core::ledger::{Ask, Claim, Terms, Verdict};
use castline_core::legs::LegId;
use castline_core::prediction::{
    CallFault, Do, Facts, Fetched, Finished, Order, Outcome as End, Prediction, Progress, START, Source,
    Told, learned, wire,
};
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use castline_core::run::{Input, Outcome};
use castline_core::{Artifact, Failure, ModelRef, ProviderName, Request, Snapshot};
use castline_provider::{Capabilities, Create, Links, MediaSource, Provider};
use castline_store::Store;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::World;
use crate::trouble::Trouble;

/// Beyond waiting and running, the provider ends it.
const MARGIN: Duration = Duration::from_mins(1);

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
        outcome: Box<Outcome>,
    },
    /// The ledger failed: nothing can go on.
    Broken(Trouble),
}

/// What a leg's create needs besides its request.
#[derive(Debug, Clone)]
pub(crate) struct LegFacts {
    schema: Option<serde_json::Value>,
    task: Option<String>,
    typical_seconds: Option<f64>,
    facts: BTreeMap<ProviderName, Facts>,
}

/// Collects the facts of every step, by the step's number.
pub(crate) async fn facts(
    forecast: &Forecast,
    providers: &BTreeMap<ProviderName, Provider>,
    store: &Store,
) -> Result<BTreeMap<usize, Arc<LegFacts>>, Trouble> {
    let mut all = BTreeMap::new();
    for (number, step) in forecast.plan.graph.steps.iter().enumerate() {
        let model = &step.callee.model;
        let mut facts = BTreeMap::new();
        for (name, provider) in providers {
            let terms = terms(provider.capabilities());
            let seconds = match terms.remote {
                true => history(store, name, &model.reference).await?,
                false => Vec::new(),
            };
            facts.insert(name.clone(), Facts { terms, p25: learned(&seconds) });
        }
        let leg = LegFacts {
            schema: model.schema.clone(),
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

fn terms(capabilities: &Capabilities) -> Terms {
    Terms {
        bills: capabilities.bills,
        get: capabilities.get,
        cancel: capabilities.cancel,
        list: capabilities.list,
        remote: capabilities.remote,
    }
}

/// A call, or a wait, that is under way.
type Call = Pin<Box<dyn Future<Output = Result<Told, Trouble>> + Send>>;

/// Sees that a prediction is made, at most once, and tells how it ended.
pub(crate) async fn ensure(
    world: Arc<World>,
    leg: LegId,
    facts: Arc<LegFacts>,
    request: Arc<Request>,
    beyond: u64,
    tell: mpsc::UnboundedSender<Said>,
    stop: oneshot::Receiver<()>,
) {
    let known = facts.facts.get(&request.provider).copied();
    let order = Order {
        request: request.clone(),
        claim: world.claim.clone(),
        facts: known.unwrap_or(Facts { terms: Terms::LOCAL, p25: None }),
        since: world.since,
        beyond,
    };
    // Yields once when the run wants it stopped, and never when it goes on.
    let mut stopped =
        std::pin::pin!(stop.into_stream().filter_map(|told| std::future::ready(told.ok())).fuse());
    let hands = Arc::new(Hands { world, facts, request });
    let (mut prediction, mut dos) = Prediction::start(order);
    let mut under_way: FuturesUnordered<Call> = FuturesUnordered::new();
    // A prediction waits for one thing at a time: a new wait takes the place of the old one.
    let mut wait: Option<Call> = None;
    // True while the next thing would be a create.
    let mut resting = false;
    let mut stopping = hands.world.stopping.subscribe();
    loop {
        for act in dos.drain(..) {
            match act {
                Do::Report(progress) => drop(tell.send(said_of(leg, progress))),
                Do::Finish(finished) => {
                    let claim = finished.claim;
                    let outcome = Box::new(outcome(*finished));
                    drop(tell.send(Said::Ended { leg, claim, outcome }));
                    return;
                }
                Do::Get { .. } | Do::Rest(_) | Do::WaitForOwner => {
                    resting = matches!(act, Do::Rest(_));
                    wait = Some(Box::pin(hands.clone().carry_out(act)));
                }
                other => under_way.push(Box::pin(hands.clone().carry_out(other))),
            }
        }
        let waits = wait.is_some();
        let told = tokio::select! {
            Some(told) = under_way.next() => Some(told),
            told = async { wait.as_mut().expect("looked at before").await }, if waits => {
                wait = None;
                resting = false;
                Some(told)
            }
            Ok(_) = stopping.wait_for(|stopping| *stopping), if resting => {
                wait = None;
                resting = false;
                Some(Ok(Told::Stop))
            }
            Some(()) = stopped.next() => Some(Ok(Told::Stop)),
            else => None,
        };
        match told {
            Some(Ok(told)) => dos = prediction.handle(told, Timestamp::now()),
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
        Progress::WaitingForOwner => word("another castline is making it"),
        Progress::SentAgain { after, why } => {
            word(&format!("asking again in {:.1} s: {why}", after.as_secs_f64()))
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
            failed(LegStatus::Refused, Failure::new(FailureKind::Other, refusal.to_string()))
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
}

impl Hands {
    async fn carry_out(self: Arc<Self>, act: Do) -> Result<Told, Trouble> {
        Ok(match act {
            Do::Commit { claim, ask } => Told::Verdict(self.commit(claim, ask).await?),
            Do::Create => {
                let _creating = self.world.creating.one();
                Told::Created(self.create().await)
            }
            Do::Get { provider, prediction, after } => {
                tokio::time::sleep(after).await;
                let got = match self.provider(&provider) {
                    Ok(provider) => provider.get(&prediction).await,
                    Err(fault) => Err(fault),
                };
                Told::Got(got)
            }
            Do::Fetch { provider, snapshot, after } => {
                tokio::time::sleep(after).await;
                Told::Fetched(self.fetch(&provider, &snapshot).await)
            }
            Do::Rest(after) => {
                tokio::time::sleep(after).await;
                Told::Rested
            }
            Do::WaitForOwner => {
                let key = [self.request.key];
                self.world.store.ledger().changed(&key).await.map_err(crate::ledger::trouble)?;
                Told::Changed
            }
            Do::Cancel { provider, prediction } => {
                if let Ok(provider) = self.provider(&provider) {
                    let _ = provider.cancel(&prediction).await;
                }
                // What became of it is read by the next poll.
                std::future::pending().await
            }
            Do::Report(_) | Do::Finish(_) => unreachable!("told to the driver, not carried out"),
        })
    }

    async fn commit(&self, claim: Claim, ask: Ask) -> Result<Verdict, Trouble> {
        let asks = vec![(self.request.key, claim, ask)];
        let verdicts = self.world.store.ledger().commit(asks).await.map_err(crate::ledger::trouble)?;
        verdicts.into_iter().next().ok_or_else(|| Trouble::Bug("the ledger answered nothing".to_owned()))
    }

    fn provider(&self, name: &ProviderName) -> Result<&Provider, CallFault> {
        self.world.providers.get(name).ok_or_else(|| CallFault::Refused {
            status: 0,
            message: format!("it was created at provider `{name}`, which this run does not use; choose it with `--provider {name}`"),
        })
    }

    async fn create(&self) -> Result<Snapshot, CallFault> {
        let create = Create {
            model: &self.request.model,
            deployment: None,
            attempt: "",
            former: None,
            input: &self.request.input,
            links: &Links::new(),
            draw: &self.request.draw,
            schema: self.facts.schema.as_ref(),
            task: self.facts.task.as_deref(),
            output: self.request.output,
            typical_seconds: self.facts.typical_seconds,
            cancel_after: START + self.request.timeout + MARGIN,
        };
        let media = Stored(&self.world.store);
        self.provider(&self.request.provider)?.create(&create, &media).await
    }

    /// Downloads every file of an output into the store.
    async fn fetch(&self, provider: &ProviderName, snapshot: &Snapshot) -> Result<Fetched, CallFault> {
        let bad = |e: wire::BadOutput| CallFault::BadOutput { message: e.to_string(), retry: false };
        let provider = self.provider(provider)?;
        let output = snapshot.output.clone().unwrap_or_default();
        let mut artifacts: BTreeMap<String, Artifact> = BTreeMap::new();
        for uri in wire::files(&output, self.request.output).map_err(bad)? {
            let incoming = self.world.store.blobs().incoming();
            provider.fetch(&uri, incoming.path()).await?;
            let artifact = tokio::task::spawn_blocking(move || incoming.finish())
                .await
                .map_err(|e| CallFault::Io(e.to_string()))?
                .map_err(stored)?;
            artifacts.insert(uri, artifact);
        }
        let output =
            wire::assemble(output, self.request.output, &|uri| artifacts.get(uri).cloned()).map_err(bad)?;
        Ok(Fetched { output, cost: self.request.price })
    }
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
