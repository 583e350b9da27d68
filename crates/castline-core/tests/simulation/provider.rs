//! A service of the prediction API in virtual time, with everything that can go wrong with one.
//!
//! What it has received and what it bills is the truth that castline's word is held against. A
//! prediction's state is a function of time, so that nothing happens between two looks at it.
//!
//! Start reading at [`Provider::create`].

use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::Terms;
use castline_core::prediction::{CallFault, Candidate, Found, Search};
use castline_core::snapshot::Status;
use castline_core::{Artifact, Digest, Key, MicroUsd, Output, PredictionId, ProviderName, Request, Snapshot};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::chance::Chance;
use crate::common::picture;
use crate::planted::Bug;
use crate::workflows::{Faults, Profile};

/// Outputs and inputs are deleted an hour after the end.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// What a search allows for drifting clocks.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);
/// The longest way of a request.
pub const LONGEST_WAY: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

/// How a prediction ends when nobody stops it.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Output,
    /// With files that are no pictures.
    BadOutput,
    Fails(&'static str),
}

/// A prediction that was received.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: PredictionId,
    pub key: Key,
    /// Which create of the key, as the ledger counts them.
    pub attempt: u64,
    pub request: Arc<Request>,
    /// Of which account. Another does not see it.
    token: &'static str,
    pub arrived: Timestamp,
    /// What its list shows of the input.
    shown: Json,
    starts: Timestamp,
    ends: Timestamp,
    fate: Fate,
    listed: Timestamp,
    stopped: Option<(Timestamp, Status)>,
    pub metrics: Json,
    /// What it costs when it is not aborted.
    pub bill: MicroUsd,
    /// castline has heard its end from us, or a person said to create it again.
    pub released: bool,
}

impl Made {
    pub fn status(&self, now: Timestamp) -> Status {
        match (&self.stopped, &self.fate) {
            (Some((at, status)), _) if now >= *at => status.clone(),
            _ if now < self.starts => Status::Starting,
            _ if now < self.ends => Status::Processing,
            (_, Fate::Fails(_)) => Status::Failed,
            (_, Fate::Output | Fate::BadOutput) => Status::Succeeded,
        }
    }

    /// It gave something that can still be had.
    pub fn is_worth_something(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Succeeded && self.fate == Fate::Output && !self.is_deleted(now)
    }

    pub fn billed(&self, now: Timestamp) -> MicroUsd {
        if self.status(now) == Status::Aborted { MicroUsd::ZERO } else { self.bill }
    }

    fn over(&self) -> Timestamp {
        self.stopped.as_ref().map_or(self.ends, |(at, _)| *at)
    }

    fn is_deleted(&self, now: Timestamp) -> bool {
        self.status(now).is_terminal() && now > self.over() + KEPT
    }

    /// What it gives is decided by the request that went over the wire, and by nothing else.
    pub fn output(&self) -> Output {
        output_of(&self.request)
    }
}

/// The output of a request.
pub fn output_of(request: &Request) -> Output {
    let count = castline_core::price::images_asked(&request.input).unwrap_or(1) as usize;
    picture(request.output, &wire(request, Files::Known), count)
}

/// How the files of an input go over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// By a digest, as only we know them.
    Known,
    /// Inside the request.
    Inside,
    /// By an address.
    Uploaded,
}

/// The input as it is sent.
pub fn input_of(request: &Request, files: Files) -> Json {
    let mut file = |artifact: &Artifact| match files {
        Files::Known => json!(artifact.digest.to_string()),
        Files::Inside => json!(format!("data:{}", artifact.digest)),
        Files::Uploaded => json!(format!("https://files.test/{}", artifact.digest.hex())),
    };
    request.input.iter().map(|(name, value)| (name.clone(), value.to_json(&mut file))).collect()
}

/// Model and input in one line.
pub fn wire(request: &Request, files: Files) -> String {
    format!("{} {}", request.model, input_of(request, files))
}

/// A create on its way.
#[derive(Debug, Clone)]
pub struct Create {
    pub key: Key,
    pub attempt: u64,
    pub request: Arc<Request>,
    /// With which account it is sent.
    pub token: &'static str,
    /// It does not get through.
    pub unreached: bool,
}

/// What became of a create.
pub struct Received {
    pub answer: Result<Snapshot, CallFault>,
    /// When the answer leaves.
    pub at: Timestamp,
    /// The prediction that was made, by its place.
    pub made: Option<usize>,
}

/// A service.
pub struct Provider {
    pub profile: Profile,
    pub made: Vec<Made>,
    faults: Faults,
    chance: Chance,
    seed: u64,
    planted: Option<Bug>,
}

impl Provider {
    pub fn new(profile: Profile, faults: Faults, seed: u64, planted: Option<Bug>) -> Self {
        let chance = Chance::new(seed, profile.name);
        Self { profile, made: vec![], faults, chance, seed, planted }
    }

    pub fn name(&self) -> ProviderName {
        self.profile.name.into()
    }

    pub fn terms(&self) -> Terms {
        self.profile.terms
    }

    /// Nothing goes wrong from now on.
    pub fn calm_down(&mut self) {
        self.faults = Faults::default();
    }

    fn lost(&self, cause: &str) -> CallFault {
        CallFault::Lost { host: self.profile.name.to_owned(), cause: cause.to_owned() }
    }

    fn server(&self, refused: bool) -> CallFault {
        CallFault::Server { message: format!("{}: 500", self.profile.name), refused }
    }

    fn busy(&mut self) -> CallFault {
        let retry_after = *self.chance.one_of(&[None, Some(SECOND), Some(10 * SECOND)]);
        CallFault::Busy { message: "429".to_owned(), retry_after }
    }

    /// A create arrives.
    pub fn create(&mut self, create: &Create, now: Timestamp) -> Received {
        let soon = now + self.chance.time(Duration::from_millis(5), Duration::from_millis(900));
        let late = now + self.chance.time(SECOND, 60 * SECOND);
        let not_made = |answer, at| Received { answer: Err(answer), at, made: None };
        // What is built in fails in its predictions alone.
        let over_a_wire = self.terms() != Terms::LOCAL;
        if over_a_wire && self.chance.happens(self.faults.creates) {
            match self.chance.below(7) {
                0 => return not_made(self.lost("reset"), late),
                1 | 2 => return not_made(self.busy(), soon),
                3 => return not_made(self.server(false), soon),
                4 => return not_made(self.server(true), soon),
                5 => {
                    let message = "422".to_owned();
                    return not_made(CallFault::Refused { status: 422, message }, soon);
                }
                _ => {}
            }
            let number = self.make(create, now);
            let answer = if self.chance.happens(500) { self.lost("reset") } else { self.server(false) };
            return Received { answer: Err(answer), at: late, made: Some(number) };
        }
        let number = self.make(create, now);
        // Who cannot be asked again answers when it is done.
        let at = if self.terms().get { soon } else { self.made[number].over().max(soon) };
        Received { answer: Ok(self.snapshot(number, at)), at, made: Some(number) }
    }

    fn make(&mut self, create: &Create, now: Timestamp) -> usize {
        let Create { key, attempt, request, token, .. } = create.clone();
        let number = self.made.len();
        let mut seconds = self.chance.time(SECOND / 2, 20 * SECOND);
        let mut waits = self.chance.time(Duration::ZERO, 5 * SECOND);
        let mut fate = self.lasting_fate(&request);
        if self.chance.happens(self.faults.predictions) {
            match self.chance.below(4) {
                0 | 1 => fate = Fate::Fails("Director: unexpected error (E9828)"),
                2 => seconds = self.chance.time(60 * SECOND, 7200 * SECOND),
                _ => waits = self.chance.time(60 * SECOND, 1800 * SECOND),
            }
        }
        // A request may have been on its way for a while, and is in the list in time all the same.
        let lag = Duration::from_secs(self.profile.terms.list_lag.into()).saturating_sub(LONGEST_WAY);
        let mut listed = now + self.chance.time(Duration::ZERO, lag);
        if self.planted == Some(Bug::LateList) {
            listed = now + 10 * lag + 120 * SECOND;
        }
        let starts = now + waits;
        let times = if self.chance.happens(self.faults.overcharges) { 3 } else { 1 };
        let count = castline_core::price::images_asked(&request.input).unwrap_or(1);
        self.made.push(Made {
            id: PredictionId(format!("{}-{number}", self.profile.name)),
            key,
            attempt,
            shown: input_of(&request, self.profile.files),
            request,
            token,
            arrived: now,
            starts,
            ends: starts + seconds,
            fate,
            listed,
            stopped: None,
            metrics: json!({ "predict_time": seconds.as_secs_f64(), "image_count": count * times }),
            bill: MicroUsd::ZERO,
            released: false,
        });
        number
    }

    /// What the model does with a request whenever it is asked.
    fn lasting_fate(&self, request: &Request) -> Fate {
        let digest = Digest::of(format!("{} {}", self.seed, wire(request, Files::Known)).as_bytes());
        let share = u32::from(digest.as_bytes()[0]) * 1000 / 256;
        match share {
            _ if share >= self.profile.refuses => Fate::Output,
            _ if digest.as_bytes()[1] < 128 => Fate::BadOutput,
            _ => Fate::Fails("NSFW content detected (E005)"),
        }
    }

    fn snapshot(&self, number: usize, now: Timestamp) -> Snapshot {
        let made = &self.made[number];
        let status = made.status(now);
        let over = status.is_terminal();
        let removed = made.is_deleted(now);
        let theirs = |time: Timestamp| Some(time + self.profile.clock);
        Snapshot {
            id: made.id.clone(),
            output: (status == Status::Succeeded && !removed).then(|| json!("https://out.test/0")),
            error: match (&status, &made.fate) {
                (Status::Failed, Fate::Fails(why)) => Some((*why).to_owned()),
                _ => None,
            },
            logs: None,
            metrics: over.then(|| made.metrics.clone()),
            created_at: theirs(made.arrived),
            started_at: (now >= made.starts).then_some(made.starts + self.profile.clock),
            completed_at: over.then_some(made.over() + self.profile.clock),
            data_removed: removed,
            status,
        }
    }

    pub fn find(&self, id: &PredictionId) -> Option<usize> {
        self.made.iter().position(|made| made.id == *id)
    }

    fn passing_fault(&mut self) -> Option<CallFault> {
        if !self.chance.happens(self.faults.calls) {
            return None;
        }
        Some(match self.chance.below(3) {
            0 => self.lost("timeout"),
            1 => self.server(false),
            _ => self.busy(),
        })
    }

    /// A get arrives.
    pub fn get(&mut self, id: &PredictionId, token: &str, now: Timestamp) -> Result<Snapshot, CallFault> {
        if let Some(fault) = self.passing_fault() {
            return Err(fault);
        }
        let number = self.find(id).ok_or(CallFault::Gone)?;
        if self.made[number].token != token {
            return Err(CallFault::Gone);
        }
        let young = now < self.made[number].arrived + 3 * SECOND;
        if young && self.chance.happens(self.faults.calls) {
            return Err(CallFault::Gone);
        }
        Ok(self.snapshot(number, now))
    }

    /// It is told to stop, and may not hear.
    pub fn cancel(&mut self, id: &PredictionId, now: Timestamp) {
        let deaf = self.chance.happens(self.faults.calls);
        let Some(number) = self.find(id).filter(|_| self.terms().cancel && !deaf) else { return };
        let at = now + self.chance.time(Duration::ZERO, 5 * SECOND);
        let (status, early) = (self.made[number].status(at), self.chance.happens(500));
        let stopped = match status {
            Status::Starting if early => Status::Aborted,
            Status::Starting | Status::Processing => Status::Canceled,
            _ => return,
        };
        self.made[number].stopped.get_or_insert((at, stopped));
    }

    /// Its list is read, by whoever has a clock that is off by `wall`.
    pub fn list(
        &mut self,
        search: &Search,
        token: &str,
        now: Timestamp,
        wall: SignedDuration,
    ) -> Result<Found, CallFault> {
        if let Some(fault) = self.passing_fault() {
            return Err(fault);
        }
        let clock = self.profile.clock;
        // Either offset of the clocks may hold at both ends of the window.
        let offset = clock - wall;
        let then = search.clock.unwrap_or(offset);
        let from = search.from + then.min(offset) - MARGIN;
        let until = search.until.max(search.from) + then.max(offset) + MARGIN;
        let doubt = |why: &str| Some(why.to_owned());
        if (now + clock).duration_since(from) > KEPT {
            return Ok(Found { candidates: vec![], incomplete: doubt("the create is an hour old or more") });
        }
        let mut incomplete = None;
        if self.chance.happens(self.profile.gaps) {
            incomplete = doubt("it is longer than 50 pages");
        }
        if search.account.as_ref().is_some_and(|account| account != token) {
            incomplete = doubt("it was sent with another token");
        }
        let mut candidates = vec![];
        let in_time = |made: &&Made| (from..=until).contains(&(made.arrived + clock));
        let ours = |made: &&Made| made.request.model.path() == search.model.path();
        let seen = |made: &&Made| made.token == token && made.listed <= now;
        for made in self.made.iter().filter(seen).filter(ours).filter(in_time) {
            match likeness(&search.sent, &made.shown, self.profile.hides_files) {
                _ if made.is_deleted(now) => incomplete = doubt("an input was deleted"),
                None => {}
                Some(exact) => candidates.push((!exact, made.arrived, made.id.clone())),
            }
        }
        candidates.sort();
        let candidates = candidates.into_iter().map(|(hidden, _, id)| Candidate { id, exact: !hidden });
        Ok(Found { candidates: candidates.collect(), incomplete })
    }

    /// The files of an output are fetched.
    pub fn fetch(&mut self, id: &PredictionId, now: Timestamp) -> Result<Output, CallFault> {
        if self.chance.happens(self.faults.calls) {
            return Err(match self.chance.below(3) {
                0 => CallFault::incomplete_output("it ended early"),
                1 => self.lost("timeout"),
                _ => CallFault::Io("no space left on device".to_owned()),
            });
        }
        let made = &self.made[self.find(id).ok_or(CallFault::Gone)?];
        match made.fate {
            _ if made.is_deleted(now) => Err(CallFault::Gone),
            Fate::Output => Ok(made.output()),
            _ => Err(CallFault::bad_output("the model gave text/html instead of an image")),
        }
    }
}

/// Whether what is listed can be what was sent, and whether that is certain.
fn likeness(sent: &Json, shown: &Json, hides: bool) -> Option<bool> {
    match (sent, shown) {
        (Json::String(sent), Json::String(shown)) if sent.starts_with("data:") && hides => {
            shown.starts_with("data:").then_some(false)
        }
        (Json::Array(sent), Json::Array(shown)) => {
            all(sent.len() == shown.len(), sent.iter().zip(shown).map(|(s, l)| likeness(s, l, hides)))
        }
        (Json::Object(sent), Json::Object(shown)) => {
            let field = |(name, value): (&String, &Json)| likeness(value, shown.get(name)?, hides);
            all(sent.len() == shown.len(), sent.iter().map(field))
        }
        _ => (sent == shown).then_some(true),
    }
}

fn all(same_size: bool, mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut exact = same_size.then_some(true)?;
    parts.try_for_each(|part| part.map(|part| exact &= part))?;
    Some(exact)
}
