//! Why a leg would run or be reused, or why it did: its ingredients, and how they differ from
//! those of the nearest former request.
//!
//! Start reading at [`why`], and at [`why_then`] for a leg of a former run.

use std::path::Path;

use castline_core::event::RequestRecord;
use castline_core::forecast::{Fate, Forecast};
use castline_core::key::{Difference, Ingredients, differences};
use castline_core::ledger::{Entry, State};
use castline_core::legs::LegId;
use castline_core::plan::{LegName, Ready, is_label};
use castline_core::record::{LegRecord, RunRecord};
use castline_core::results::LegStatus;
use castline_core::summary::RunSummary;
use castline_core::{Key, Realm, Value, plain};
use castline_spec::Name;
use castline_store::Store;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::history;
use crate::job::{Job, labels, store_to_look_at};
use crate::project::Project;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// So many former requests are compared.
const MOST: usize = 200;

/// What is said of one leg.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// `styled[style=linocut]`.
    pub leg: String,
    /// `reused`, or `runs: ...`; of a former run `was reused: ...`.
    pub verdict: String,
    /// Its key, when it is known.
    pub key: Option<Key>,
    /// What the key is made of, by path.
    pub ingredients: IndexMap<String, String>,
    /// The nearest former request of the same model.
    pub nearest: Option<Nearest>,
}

/// A former request, and what is different now.
#[derive(Debug, Clone)]
pub struct Nearest {
    /// Its key.
    pub key: Key,
    /// When it was asked.
    pub when: Timestamp,
    /// In which ingredients.
    pub changed: Vec<Difference>,
}

/// Explains every leg of a step, or the one leg `STEP[axis=value]`.
pub async fn why(file: &Path, wishes: &Wishes, wanted: &str) -> Result<Vec<Explanation>, Trouble> {
    let job = Job::plan(file, wishes).await?;
    job.check_offline()?;
    let Some(forecast) = job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics)) };
    let legs = legs(&forecast, wanted)?;
    let mut explanations = Vec::new();
    for leg in legs {
        explanations.push(explain(&forecast, leg, job.store.as_ref()).await?);
    }
    Ok(explanations)
}

fn legs(forecast: &Forecast, wanted: &str) -> Result<Vec<LegId>, Trouble> {
    let plan = &forecast.plan;
    let LegName { step: name, pairs, .. } = LegName::read(wanted);
    let is_wanted = |leg: &LegId| {
        let number = plan.legs.step(*leg);
        let step = plan.graph.steps[number].name.as_str();
        // Of a call all that it makes.
        let called = || step.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let own = plan.legs.labels(*leg);
        let has_all = || {
            let is_own =
                |(axis, said): (&Name, &String)| own.get(axis).is_some_and(|own| is_label(own, said));
            labels(&plan.graph, number, &pairs).is_some_and(|labels| labels.iter().all(is_own))
        };
        plan.leg_name(*leg) == wanted || (step == name || called()) && has_all()
    };
    let found: Vec<_> = plan.predictions().filter(is_wanted).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<_> = plan.graph.names.keys().map(castline_spec::Name::as_str).collect();
    Err(Trouble::Usage {
        message: format!("workflow `{}` has no step or leg `{wanted}`", plan.graph.name),
        hint: castline_spec::diagnostic::did_you_mean("the step", wanted, names.iter().copied()),
    })
}

async fn explain(forecast: &Forecast, leg: LegId, store: Option<&Store>) -> Result<Explanation, Trouble> {
    let (verdict, ready) = verdict(forecast, leg);
    let Some(ready) = ready else {
        let leg = forecast.plan.leg_name(leg);
        return Ok(Explanation { leg, verdict, key: None, ingredients: IndexMap::new(), nearest: None });
    };
    let ingredients = ingredients(ready);
    let hit = matches!(forecast.fate(leg), Fate::Hit(..));
    let nearest = match store.filter(|_| !hit) {
        Some(store) => {
            let former = store.ledger().nearest(&ready.request.model.path(), MOST).await;
            let former = former.map_err(crate::ledger::trouble)?;
            nearest(ready.request.key, &ingredients, former.iter())
        }
        None => None,
    };
    let leg = forecast.plan.leg_name(leg);
    Ok(Explanation { leg, verdict, key: Some(ready.request.key), ingredients, nearest })
}

fn verdict(forecast: &Forecast, leg: LegId) -> (String, Option<&Ready>) {
    match forecast.fate(leg) {
        Fate::Hit(ready, _) => {
            ("reused: the ledger has the output of the same request".to_owned(), Some(ready))
        }
        Fate::Run(ready, why) => (format!("runs: {}", why.reason()), Some(ready)),
        Fate::Same(ready, first) => (
            format!("runs once with `{}`: both send the same request", forecast.plan.leg_name(*first)),
            Some(ready),
        ),
        Fate::Skip(skip) => (format!("skipped: {}", skip.reason()), None),
        Fate::Upstream => {
            let needs = forecast.open_needs(leg).into_iter();
            let names: Vec<_> = needs.map(|n| format!("`{}`", forecast.plan.leg_name(n))).take(3).collect();
            (format!("runs, or not: that is known once {} ran", names.join(", ")), None)
        }
        Fate::Done(_) => ("nothing is to be made for it".to_owned(), None),
        Fate::Broken => ("cannot run: its values do not fit".to_owned(), None),
        Fate::Out => ("takes no part in this run".to_owned(), None),
    }
}

fn ingredients(ready: &Ready) -> IndexMap<String, String> {
    Ingredients::from(&*ready.request).explain()
}

/// The former request with the fewest differences; of equals the newest.
fn nearest<'a>(
    key: Key,
    now: &IndexMap<String, String>,
    former: impl Iterator<Item = &'a Entry>,
) -> Option<Nearest> {
    former
        .filter(|entry| entry.key() != key && entry.state == State::Succeeded)
        .map(|entry| Nearest {
            key: entry.key(),
            when: entry.intended,
            changed: differences(&ingredients_of_entry(entry), now),
        })
        .min_by_key(|nearest| nearest.changed.len())
}

fn ingredients_of_entry(entry: &Entry) -> IndexMap<String, String> {
    let r = &entry.request;
    Ingredients { realm: &r.realm, model: &r.model, input: &r.input, draw: &r.draw }.explain()
}

/// What a run recorded of a request. The realm is not among it; the provider is.
pub(crate) fn ingredients_of(record: &RequestRecord) -> IndexMap<String, String> {
    let mut lines = IndexMap::from([("provider".to_owned(), record.provider.to_string())]);
    let Ok(model) = record.model.parse() else { return lines };
    let draw: Vec<Value> = record.draw.iter().cloned().map(plain::parse).collect();
    let realm = Realm::Own(record.provider.clone());
    let ingredients = Ingredients { realm: &realm, model: &model, input: &record.input, draw: &draw };
    let known = ingredients.explain().into_iter();
    lines.extend(known.filter(|(path, _)| path != "realm" && path != "format"));
    lines
}

/// Explains every leg of a step, or the one leg `STEP[axis=value]`, of a former run: its id, the
/// beginning of it, `last` or `last~1`; with a file among the runs of that workflow.
pub async fn why_then(
    project: &Project,
    run: &str,
    file: Option<&Path>,
    wanted: &str,
) -> Result<(RunSummary, Vec<Explanation>), Trouble> {
    let record = match file {
        Some(file) => history::run_of(project, run, file)?,
        None => history::run(project, run)?,
    };
    let legs = record.legs.iter().filter(|leg| leg.leg.step.as_str() == wanted || leg.leg.name == wanted);
    let legs: Vec<&LegRecord> = legs.collect();
    if legs.is_empty() {
        return Err(no_leg(&record, wanted));
    }
    let store = store_to_look_at(project)?;
    let mut explanations = Vec::new();
    for leg in legs {
        explanations.push(explain_then(leg, &record, store.as_ref()).await?);
    }
    Ok((RunSummary::from(&record), explanations))
}

fn no_leg(record: &RunRecord, wanted: &str) -> Trouble {
    let step = wanted.split('[').next().unwrap_or_default();
    let of_step = record.legs.iter().filter(|leg| leg.leg.step.as_str() == step);
    let legs: Vec<&str> = of_step.map(|leg| leg.leg.name.as_str()).collect();
    let names: Vec<&str> = record.steps.iter().map(|step| step.name.as_str()).collect();
    let hint = match (legs.is_empty(), names.contains(&step)) {
        (false, _) => castline_spec::diagnostic::did_you_mean("the leg", wanted, legs.iter().copied()),
        (true, true) => Some(format!("the run ended before it decided about the legs of `{step}`")),
        (true, false) => castline_spec::diagnostic::did_you_mean("the step", wanted, names.iter().copied()),
    };
    Trouble::Usage { message: format!("run {} has no step or leg `{wanted}`", record.run), hint }
}

async fn explain_then(
    leg: &LegRecord,
    record: &RunRecord,
    store: Option<&Store>,
) -> Result<Explanation, Trouble> {
    let name = leg.leg.name.clone();
    let Some(request) = &leg.request else {
        let verdict = verdict_then(leg, None);
        return Ok(Explanation {
            leg: name,
            verdict,
            key: None,
            ingredients: IndexMap::new(),
            nearest: None,
        });
    };
    let entry = match store {
        Some(store) => {
            let entries = store.ledger().entries(&[request.key]).await.map_err(crate::ledger::trouble)?;
            entries.into_iter().next().flatten()
        }
        None => None,
    };
    // The ledger knows what a record leaves out; what was removed is only in the record.
    let ingredients = entry.as_ref().map_or_else(|| ingredients_of(request), ingredients_of_entry);
    let began = leg.created.or(record.started);
    let nearest = match (store, began) {
        (Some(store), Some(began)) if !leg.reused => {
            let path = request.model.split(':').next().unwrap_or_default();
            let former = store.ledger().nearest(path, MOST).await.map_err(crate::ledger::trouble)?;
            nearest(request.key, &ingredients, former.iter().filter(|entry| entry.intended < began))
        }
        _ => None,
    };
    let maker = entry.filter(|entry| leg.reused && *entry.made_by.0 != *record.run);
    let verdict = verdict_then(leg, maker.as_ref());
    Ok(Explanation { leg: name, verdict, key: Some(request.key), ingredients, nearest })
}

/// What became of a leg and why, as its run recorded it.
fn verdict_then(leg: &LegRecord, maker: Option<&Entry>) -> String {
    let why = leg.why.as_deref();
    let because = |word: &str| why.map_or_else(|| word.to_owned(), |why| format!("{word}: {why}"));
    let error = || leg.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
    match leg.status {
        LegStatus::Succeeded if leg.reused => {
            let by = maker.map(|entry| format!("; run {} made it, {:.0}", entry.made_by, entry.intended));
            format!("{}{}", because("was reused"), by.unwrap_or_default())
        }
        LegStatus::Succeeded => because("ran"),
        LegStatus::Skipped => because("was skipped"),
        LegStatus::NotRun if leg.request.is_some() => because("was begun and not ended"),
        LegStatus::NotRun => because("was not run"),
        LegStatus::Failed => format!("{}; it failed: {}", because("ran"), error()),
        LegStatus::Canceled => format!("{}; it was canceled: {}", because("ran"), error()),
        LegStatus::Expired => format!("{}; it has expired: {}", because("ran"), error()),
        LegStatus::InDoubt => format!("{}; it is in doubt: {}", because("ran"), error()),
        LegStatus::Refused => format!("was refused: {}", error()),
    }
}
