//! Looks through a provider's list of predictions for a create of which nothing was heard.
//!
//! What is in the list can be adopted. What is not there was not received, but only if the
//! list is complete: read to the beginning of the window, with an input for everything that
//! can be it. [`Found::incomplete`] says why it is not.

use std::collections::{BTreeMap, BTreeSet};

use castline_core::PredictionId;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde_json::{Map, Value as Json};

use super::HttpProvider;
use super::base_url::is_segment;
use super::likeness::{Likeness, extra, holds, likeness};
use super::prediction::time;
use super::refusal::Call;
use crate::call::{CallFault, Candidate, Found, Search};

/// A hundred predictions each.
const PAGES: usize = 50;

/// What the provider's clock may have drifted since it was compared with ours, and what a
/// create may take to be received.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// The same where the clocks were compared only now: ours may have been set since.
const WIDE_MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// Inputs are deleted an hour after a prediction is completed.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

impl HttpProvider {
    /// Looks for a create in the list of predictions.
    pub async fn search(&self, search: &Search) -> Result<Found, CallFault> {
        if !self.capabilities.list {
            return Err(crate::none("list of predictions"));
        }
        if search.clock.is_none() || self.clock().is_none() {
            // Only for the date of its answer.
            self.ask(Call::List, &self.base.predictions()).await?;
        }
        let window = Window::of(search, self.clock());
        let mut reading = Reading::new(search, window);
        if search.account.as_ref().is_some_and(|account| *account != self.account()) {
            reading.doubt("it was sent with another token, or to another address".to_owned());
        }
        let mut url = self.base.predictions();
        url.query_pairs_mut()
            .append_pair("created_after", &window.from.to_string())
            .append_pair("created_before", &window.until.to_string());
        for _ in 0..PAGES {
            let page = self.ask(Call::List, &url).await?;
            match reading.read(&page) {
                // Its host is not asked: it may be another one, which must not see the token.
                Step::Next(query) => url.set_query(Some(&query)),
                Step::Done => return Ok(self.found(reading)),
                Step::NoList => {
                    let message = format!("{} answered without a list of predictions", self.options.name);
                    return Err(CallFault::Server { message, refused: false });
                }
            }
        }
        reading.doubt(format!("it is longer than {PAGES} pages"));
        Ok(self.found(reading))
    }

    /// What a list shows; the reason why it proves nothing may be in words that stand in it.
    fn found(&self, reading: Reading<'_>) -> Found {
        let found = reading.found(self.clock());
        Found { incomplete: found.incomplete.map(|why| self.refusals().shown(&why)), ..found }
    }
}

/// When the create can have been received, by the provider's clock.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    /// `now` is the offset of the provider's clock that its answers show now. That from before the
    /// create was decided may be an old one by then, where our clock was set in between: either may
    /// hold, at both ends of the window.
    fn of(search: &Search, now: Option<SignedDuration>) -> Self {
        let margin = if search.clock.is_some() { MARGIN } else { WIDE_MARGIN };
        let then = search.clock.or(now).unwrap_or_default();
        let (first, last) = now.map_or((then, then), |now| (now.min(then), now.max(then)));
        let from = search.from.saturating_add(first - margin).unwrap_or(Timestamp::MIN);
        let until = search.until.max(search.from).saturating_add(last + margin).unwrap_or(Timestamp::MAX);
        Self { from, until }
    }

    fn holds(&self, time: Timestamp) -> bool {
        (self.from..=self.until).contains(&time)
    }
}

/// A prediction of the list that may be of the model.
struct Listed {
    id: PredictionId,
    version: Option<String>,
    created: Timestamp,
    input: Map<String, Json>,
    removed: bool,
}

/// What a page leads to.
#[derive(Debug, PartialEq)]
enum Step {
    /// The page with this query.
    Next(String),
    /// Everything was read.
    Done,
    /// It is no page of a list.
    NoList,
}

/// A list while it is read.
struct Reading<'a> {
    search: &'a Search,
    window: Window,
    seen: BTreeSet<String>,
    listed: Vec<Listed>,
    incomplete: Option<String>,
}

impl<'a> Reading<'a> {
    fn new(search: &'a Search, window: Window) -> Self {
        Self { search, window, seen: BTreeSet::new(), listed: Vec::new(), incomplete: None }
    }

    /// The first reason is enough.
    fn doubt(&mut self, why: String) {
        self.incomplete.get_or_insert(why);
    }

    fn read(&mut self, page: &Json) -> Step {
        let Some(items) = page.get("results").and_then(Json::as_array) else { return Step::NoList };
        for item in items {
            self.item(item);
        }
        match page.get("next").and_then(Json::as_str) {
            None => Step::Done,
            Some(_) if self.is_past(items) => Step::Done,
            Some(next) => self.next(next),
        }
    }

    fn next(&mut self, next: &str) -> Step {
        match query(next) {
            Some(query) if self.seen.insert(query.clone()) => Step::Next(query),
            _ => {
                self.doubt(format!("it does not lead back to {}", self.window.from));
                Step::Done
            }
        }
    }

    /// True when a page, and with it all that follow, is older than the window. A list that
    /// is not newest first is read to its end.
    fn is_past(&self, items: &[Json]) -> bool {
        let dates: Option<Vec<_>> = items.iter().map(|item| item.get("created_at").and_then(time)).collect();
        dates.is_some_and(|dates| {
            dates.first().is_some_and(|newest| *newest < self.window.from)
                && dates.is_sorted_by(|later, earlier| later >= earlier)
        })
    }

    fn item(&mut self, item: &Json) {
        if !self.can_be_ours(item) {
            return;
        }
        let text = |name: &str| item.get(name)?.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let Some(id) = text("id").filter(|id| is_segment(id)) else {
            return self.doubt("a prediction in it has no id".to_owned());
        };
        let Some(created) = item.get("created_at").and_then(time) else {
            return self.doubt(format!("it does not say when `{id}` was created"));
        };
        self.listed.push(Listed {
            id: PredictionId(id),
            version: text("version"),
            created,
            input: item.get("input").and_then(Json::as_object).cloned().unwrap_or_default(),
            removed: item.get("data_removed").and_then(Json::as_bool).unwrap_or_default(),
        });
    }

    /// Whether an item is of our model, or deployment, and made by a program. Who leaves a name
    /// out denies nothing: its input decides. A deployment may run a model under another name.
    fn can_be_ours(&self, item: &Json) -> bool {
        let text = |name: &str| item.get(name).and_then(Json::as_str);
        let model = &self.search.model;
        let same_model = text("model").is_none_or(|name| name.eq_ignore_ascii_case(&model.path()));
        let other_version = match (&model.version, text("version")) {
            (Some(ours), Some(theirs)) => is_version(ours) && is_version(theirs) && ours != theirs,
            _ => false,
        };
        text("source").is_none_or(|source| source == "api")
            && match (&self.search.deployment, text("deployment")) {
                (Some(ours), theirs) => theirs.is_none_or(|theirs| theirs.eq_ignore_ascii_case(ours)),
                (None, theirs) => theirs.is_none() && same_model && !other_version,
            }
    }

    /// What the list shows; `clock` is the offset of the provider's clock now.
    fn found(mut self, clock: Option<SignedDuration>) -> Found {
        self.check_clock(clock.or(self.search.clock));
        if self.is_old(clock.or(self.search.clock)) {
            let why = "the create is about an hour old or more: inputs are deleted after an hour, and others may \
                       have asked for the same since";
            return Found { candidates: Vec::new(), incomplete: Some(why.to_owned()) };
        }
        let (search, window, listed) = (self.search, self.window, std::mem::take(&mut self.listed));
        // By their ids, because pages move while they are read.
        let mut candidates = BTreeMap::new();
        for one in listed.iter().filter(|one| window.holds(one.created)) {
            match judge(search, one, &listed) {
                Ok(Some(exact)) => drop(candidates.insert(one.id.clone(), (!exact, one.created))),
                Ok(None) => {}
                Err(why) => self.doubt(why),
            }
        }
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_by_key(|(_, order)| *order);
        let candidate =
            |(id, (hidden, _)): (PredictionId, (bool, Timestamp))| Candidate { id, exact: !hidden };
        Found { candidates: candidates.into_iter().map(candidate).collect(), incomplete: self.incomplete }
    }

    fn check_clock(&mut self, clock: Option<SignedDuration>) {
        if clock.is_none() {
            self.doubt("its answers have no date, so its clock is unknown".to_owned());
        }
    }

    fn is_old(&self, clock: Option<SignedDuration>) -> bool {
        let now = Timestamp::now().saturating_add(clock.unwrap_or_default()).unwrap_or(Timestamp::MAX);
        now.duration_since(self.window.from) > KEPT
    }
}

/// Whether a listed prediction can be the one that is looked for, exactly or but for a file that
/// is not shown, or why that cannot be told.
///
/// Fields beyond those that were sent make it another request, unless the server filled in
/// a default. It does so for all predictions of one version or for none: a field that another
/// of them goes without is no default. Where none goes without, nothing can be told.
fn judge(search: &Search, one: &Listed, listed: &[Listed]) -> Result<Option<bool>, String> {
    let Json::Object(sent) = &*search.sent else {
        return Err("it is not known what was sent".to_owned());
    };
    let removed = || Err(format!("the input of `{}` was deleted", one.id));
    if one.input.is_empty() && !sent.is_empty() {
        return removed();
    }
    let likeness = likeness(sent, &one.input);
    match likeness {
        Likeness::Different if one.removed => removed(),
        Likeness::Different => Ok(None),
        Likeness::Unclear => Err(format!("it does not show the files of `{}`", one.id)),
        Likeness::Same | Likeness::Hidden => {
            let extra = extra(sent, &one.input);
            let alike = listed.iter().filter(|other| other.version == one.version && !other.input.is_empty());
            let is_default = |name: &&str| alike.clone().all(|other| holds(&other.input, name));
            match extra.as_slice() {
                [] => Ok(Some(likeness == Likeness::Same)),
                extra if !extra.iter().all(is_default) => Ok(None),
                extra => Err(format!(
                    "`{}` was sent the same and `{}`, and nothing shows whether the provider added that by itself",
                    one.id,
                    extra.join("`, `")
                )),
            }
        }
    }
}

/// True for the id of a version; there are other words in its place, such as `hidden`.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The query of an address, absolute or not.
fn query(next: &str) -> Option<String> {
    let base = Url::parse("http://list.invalid/").expect("it is a URL");
    base.join(next).ok()?.query().filter(|query| !query.is_empty()).map(str::to_owned)
}
