//! Why a leg would run, or be reused: its ingredients, and how they differ from those of the
//! nearest former request.

use std::path::Path;

use castline_core::Key;
use castline_core::forecast::{Fate, Forecast};
use castline_core::key::{Difference, Ingredients, differences};
use castline_core::ledger::{Entry, State};
use castline_core::legs::LegId;
use castline_core::plan::Ready;
use castline_store::Store;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::job::Job;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// So many former requests are compared.
const MOST: usize = 200;

/// What is said of one leg.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// `styled[style=linocut]`.
    pub leg: String,
    /// `reused`, or `runs: ...`.
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
    let found: Vec<_> = (0..plan.legs.len())
        .map(LegId)
        .filter(|leg| {
            plan.graph.steps[plan.legs.step(*leg)].name.as_str() == wanted || plan.leg_name(*leg) == wanted
        })
        .collect();
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
            nearest(ready, &ingredients, &former)
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
            let needs = forecast.plan.needs(leg).iter().filter(|n| forecast.results.get(**n).is_none());
            let names: Vec<_> = needs.map(|n| format!("`{}`", forecast.plan.leg_name(*n))).take(3).collect();
            (format!("runs, or not: that is known once {} ran", names.join(", ")), None)
        }
        Fate::Broken => ("cannot run: its values do not fit".to_owned(), None),
        Fate::Out => ("takes no part in this run".to_owned(), None),
    }
}

fn ingredients(ready: &Ready) -> IndexMap<String, String> {
    Ingredients::from(&ready.request).explain()
}

/// The former request with the fewest differences; of equals the newest.
fn nearest(ready: &Ready, now: &IndexMap<String, String>, former: &[Entry]) -> Option<Nearest> {
    former
        .iter()
        .filter(|entry| entry.key() != ready.request.key && entry.state == State::Succeeded)
        .map(|entry| {
            let then = Ingredients::from(&*entry.request).explain();
            Nearest { key: entry.request.key, when: entry.intended, changed: differences(&then, now) }
        })
        .min_by_key(|nearest| nearest.changed.len())
}
