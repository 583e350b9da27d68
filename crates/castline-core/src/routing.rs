//! Which provider runs which model, and which cache its results belong to.

use std::collections::BTreeSet;

use crate::callee::Model;
use crate::model::{ModelRef, ProviderName, Realm};

/// A provider as the plan knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: ProviderName,
    /// Which cache its results belong to.
    pub realm: Realm,
    /// Which models it serves.
    pub serves: Serves,
    /// Predictions cost money.
    pub bills: bool,
    /// Most predictions in flight.
    pub parallel: usize,
}

/// Which models a provider serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// Every model.
    Everything,
    /// Presets that name it under `routes`, and raw models.
    Routed,
    /// These, by `owner/name`, whatever provider is chosen.
    Models(BTreeSet<String>),
}

/// The providers of a project, and the chosen one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// The chosen one.
    pub chosen: Route,
    /// The local image tools.
    pub std: Route,
    /// Providers that claim models.
    pub claims: Vec<Route>,
}

impl Routing {
    /// The provider for a model; the message says why there is none.
    pub fn route(&self, model: &Model, reference: &ModelRef) -> Result<&Route, String> {
        if reference.owner == "std" {
            return Ok(&self.std);
        }
        let path = reference.path();
        let claims = |r: &&Route| matches!(&r.serves, Serves::Models(models) if models.contains(&path));
        if let Some(route) = self.claims.iter().find(claims) {
            return Ok(route);
        }
        let name = &self.chosen.name;
        match &self.chosen.serves {
            Serves::Everything => Ok(&self.chosen),
            Serves::Routed if model.is_raw() || model.routes.contains_key(&*name.0) => Ok(&self.chosen),
            Serves::Routed => {
                let others: Vec<_> = model.routes.keys().map(|r| format!("`{r}`")).collect();
                Err(format!("`{name}` does not serve it; its preset names {}", others.join(", ")))
            }
            Serves::Models(_) => Err(format!("`{name}` serves only the models that the project gives it")),
        }
    }

    /// The provider for a model as its preset names it, where there is one.
    pub fn of(&self, model: &Model) -> Option<&Route> {
        self.route(model, &model.reference).ok()
    }

    /// True when a provider takes money.
    pub fn is_live(&self) -> bool {
        self.all().any(|route| route.bills)
    }

    /// The names of the providers that take none.
    pub fn free(&self) -> BTreeSet<String> {
        self.all().filter(|route| !route.bills).map(|route| route.name.to_string()).collect()
    }

    /// Every provider, once.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Route> {
        [&self.chosen, &self.std].into_iter().chain(&self.claims)
    }
}
