//! How built-in providers serve a preset.

use indexmap::IndexMap;

use super::PriceRule;
use crate::diagnostic::{Code, did_you_mean};
use crate::document::Reader;
use crate::raw::{Key, Node};
use crate::span::Spanned;

/// The providers that castline brings along and a preset can have a route to.
pub const ROUTES: &[&str] = &["replicate", "cometapi", "std", "sandbox"];

/// The keys of a route.
pub const ROUTE_KEYS: &[&str] = &["price", "deployment"];

/// How a built-in provider serves a preset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Route {
    /// Its own price rules; empty means the preset's.
    pub price: Vec<PriceRule>,
    /// `owner/name` of a deployment that runs it there, instead of the public model.
    pub deployment: Option<Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn routes(&mut self, node: &Node) -> IndexMap<String, Route> {
        let entries = self.entries(node, "`routes`").unwrap_or_default();
        entries.iter().map(|(key, node)| (key.value.clone(), self.route(key, node))).collect()
    }

    fn route(&mut self, key: &Key, node: &Node) -> Route {
        if !ROUTES.contains(&key.value.as_str()) {
            let message = format!("there is no built-in provider `{}`", key.value);
            let hint = did_you_mean("a provider", &key.value, ROUTES.iter().copied());
            self.push(self.error(Code::UnknownProvider, key.span, message).maybe_hint(hint));
        }
        let fields = self.fields(node, "a route", ROUTE_KEYS);
        let get = |name| fields.as_ref().and_then(|fields| fields.get(name));
        let price = get("price").map(|node| self.prices(node));
        let deployment = get("deployment").and_then(|node| self.deployment(node));
        Route { price: price.unwrap_or_default(), deployment }
    }

    fn deployment(&mut self, node: &Node) -> Option<Spanned<String>> {
        let deployment = self.spanned(node, "`deployment`")?;
        let parts: Vec<&str> = deployment.value.split('/').collect();
        let plain = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if parts.len() != 2 || !parts.iter().all(plain) {
            let message = format!("`deployment` cannot be `{}`", deployment.value);
            let finding = self.error(Code::InvalidValue, deployment.span, message);
            self.push(finding.hint("it is `owner/name`, as on the deployment's page"));
            return None;
        }
        Some(deployment)
    }
}
