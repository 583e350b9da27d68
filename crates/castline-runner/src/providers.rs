//! The providers of a project: which there are, and how they are reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use castline_core::ledger::Terms;
use castline_core::routing::{Route, Routing, Serves};
use castline_core::{MicroUsd, ProviderName, Realm};
use castline_provider::cog::{CogOptions, CogProvider, WebhookOptions};
use castline_provider::http::{self, Dialect, HttpOptions, HttpProvider, Token, host};
use castline_provider::sandbox::{REVISION as SANDBOX_REVISION, Sandbox, SandboxOptions};
use castline_provider::std_tools::{REVISION as STD_REVISION, StdTools};
use castline_provider::{Capabilities, Provider};
use castline_spec::diagnostic::did_you_mean;
use castline_spec::project::{Provider as Declared, ProviderKind};

use crate::limiter::Limits;
use crate::project::Project;
use crate::trouble::Trouble;
use crate::trust::{self, Pair};
use crate::uploads::Uploads;
use crate::wishes::Wishes;

/// Predictions in flight when nobody says otherwise.
const PARALLEL: usize = 16;
/// CometAPI's own advice.
const COMETAPI_PARALLEL: usize = 5;

/// A built-in live provider.
struct BuiltIn {
    name: &'static str,
    dialect: Dialect,
    base_url: &'static str,
    token_env: &'static str,
    parallel: usize,
    /// Creates, and other calls, a minute, as the service publishes them.
    rate: [Option<f64>; 2],
}

const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "replicate",
        dialect: Dialect::Replicate,
        base_url: "https://api.replicate.com/v1",
        token_env: "REPLICATE_API_TOKEN",
        parallel: usize::MAX,
        rate: [Some(600.0), Some(3000.0)],
    },
    BuiltIn {
        name: "cometapi",
        dialect: Dialect::CometApi,
        base_url: "https://api.cometapi.com/replicate/v1",
        token_env: "COMETAPI_KEY",
        parallel: COMETAPI_PARALLEL,
        rate: [None, None],
    },
];

/// The name of the provider that is chosen: flag, environment, project, `sandbox`.
pub fn chosen(project: &Project, wishes: &Wishes) -> String {
    let own = || project.document.as_ref()?.provider.as_ref().map(|p| p.value.clone());
    let environment = || std::env::var("CASTLINE_PROVIDER").ok().filter(|p| !p.is_empty());
    wishes.provider.clone().or_else(environment).or_else(own).unwrap_or_else(|| "sandbox".to_owned())
}

/// A provider as `doctor` looks at it.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Where it is called; none for the embedded ones.
    pub(crate) base_url: Option<String>,
    pub(crate) token_env: Option<String>,
    /// Some models go to it whatever the choice.
    pub(crate) claims: bool,
}

/// Every provider that a run in this project could go to.
pub(crate) fn described(project: &Project) -> Vec<Described> {
    let declared = project.document.as_ref().map(|d| &d.providers);
    let own = declared.into_iter().flatten().map(|(name, p)| Described {
        name: name.clone(),
        kind: match p.kind {
            ProviderKind::Replicate => "replicate",
            ProviderKind::CometApi => "cometapi",
            ProviderKind::Cog => "cog",
        },
        base_url: Some(p.base_url.value.trim().trim_end_matches('/').to_owned()),
        token_env: p.token_env.as_ref().map(|t| t.value.clone()),
        claims: !p.models.is_empty(),
    });
    let built_in = BUILT_IN.iter().filter(|b| declared.is_none_or(|d| !d.contains_key(b.name)));
    let built_in = built_in.map(|b| Described {
        name: b.name.to_owned(),
        kind: match b.dialect {
            Dialect::Replicate => "replicate",
            Dialect::CometApi => "cometapi",
        },
        base_url: Some(b.base_url.to_owned()),
        token_env: Some(b.token_env.to_owned()),
        claims: false,
    });
    let sandbox = Described {
        name: "sandbox".to_owned(),
        kind: "embedded",
        base_url: None,
        token_env: None,
        claims: false,
    };
    std::iter::once(sandbox).chain(own).chain(built_in).collect()
}

/// The token of each built-in provider, and where it may go.
pub(crate) fn built_in_tokens() -> impl Iterator<Item = Pair> {
    BUILT_IN.iter().map(|b| Pair::for_base_url(b.token_env, b.base_url).expect("their addresses are URLs"))
}

/// Where a provider of the project is called; none for those that castline brings along, and for
/// another name of one of their hosts.
pub(crate) fn own_host(project: &Project, name: &str) -> Option<String> {
    let base_url = &project.document.as_ref()?.providers.get(name)?.base_url.value;
    let public = |built_in: &BuiltIn| {
        let of = |url: &str| Pair::for_base_url(built_in.token_env, url).ok();
        of(built_in.base_url) == of(base_url)
    };
    (!BUILT_IN.iter().any(public)).then(|| base_url.clone())
}

/// The settings of a provider that decide where requests go and whose cache the results belong
/// to. Of a token only the name of its variable is among them.
pub(crate) fn deciding_settings(project: &Project, route: &Route) -> BTreeMap<String, String> {
    let declared = project.document.as_ref();
    let own = declared.and_then(|d| d.providers.get(&*route.name.0));
    let realm = match &route.realm {
        Realm::Public => "public",
        Realm::Sandbox(_) | Realm::Std(_) => "local",
        Realm::Own(_) => "own",
    };
    let mut settings = BTreeMap::from([("realm".to_owned(), realm.to_owned())]);
    if let Some(described) = described(project).into_iter().find(|d| d.name == *route.name.0) {
        settings.insert("kind".to_owned(), described.kind.to_owned());
        settings.extend(described.base_url.map(|url| ("base_url".to_owned(), url)));
        settings.extend(described.token_env.map(|variable| ("token_env".to_owned(), variable)));
    }
    if let Some(models) = own.map(|own| own.models.join(", ")).filter(|models| !models.is_empty()) {
        settings.insert("models".to_owned(), models);
    }
    if route.bills && declared.is_some_and(|d| d.retry_lost) {
        settings.insert("when_lost".to_owned(), "retry".to_owned());
    }
    settings
}

/// The tokens that are set, with their variables. A short one would be found in innocent
/// words.
pub(crate) fn tokens(project: &Project) -> Vec<(String, String)> {
    const SHORTEST: usize = 8;
    let variables = described(project).into_iter().filter_map(|p| p.token_env);
    let set = variables.filter_map(|variable| {
        let token = std::env::var(&variable).ok()?.trim().to_owned();
        (token.len() >= SHORTEST).then_some((variable, token))
    });
    set.collect()
}

/// Most predictions in flight, all providers together: flag, project, 16.
pub fn parallel(project: &Project, wishes: &Wishes) -> usize {
    let own = || Some(project.document.as_ref()?.limits.parallel.as_ref()?.value as usize);
    wishes.parallel.or_else(own).unwrap_or(PARALLEL).max(1)
}

/// Who runs what.
pub fn routing(project: &Project, wishes: &Wishes) -> Result<Routing, Trouble> {
    let name = chosen(project, wishes);
    let declared = project.document.as_ref().map(|d| &d.providers);
    let claims = declared
        .into_iter()
        .flatten()
        .filter(|(_, p)| !p.models.is_empty())
        .map(|(name, p)| own_route(name, p))
        .collect();
    let chosen = match (name.as_str(), declared.and_then(|d| d.get(&name))) {
        ("sandbox", _) => local("sandbox", Realm::Sandbox(SANDBOX_REVISION), Serves::Everything),
        (_, Some(own)) => own_route(&name, own),
        _ => match BUILT_IN.iter().find(|b| b.name == name) {
            Some(built_in) => Route {
                name: name.as_str().into(),
                realm: Realm::Public,
                serves: Serves::Routed,
                bills: true,
                parallel: built_in.parallel,
            },
            None => return Err(unknown(&name, project)),
        },
    };
    let std = local("std", Realm::Std(STD_REVISION), Serves::Everything);
    Ok(Routing { chosen, std, claims })
}

fn unknown(name: &str, project: &Project) -> Trouble {
    let own = project.document.iter().flat_map(|d| d.providers.keys().map(String::as_str));
    let built_in = BUILT_IN.iter().map(|b| b.name);
    let known: Vec<_> = std::iter::once("sandbox").chain(built_in).chain(own).collect();
    let hint = did_you_mean("the provider", name, known.iter().copied());
    Trouble::Usage { message: format!("there is no provider `{name}`"), hint }
}

fn local(name: &str, realm: Realm, serves: Serves) -> Route {
    Route { name: name.into(), realm, serves, bills: false, parallel: usize::MAX }
}

fn own_route(name: &str, provider: &Declared) -> Route {
    let models = provider.models.iter().cloned().collect();
    let cog = provider.kind == ProviderKind::Cog;
    Route {
        name: name.into(),
        realm: if provider.public_realm { Realm::Public } else { Realm::Own(name.into()) },
        serves: if provider.models.is_empty() { Serves::Everything } else { Serves::Models(models) },
        bills: !cog,
        parallel: if cog { slots(provider) } else { provider.parallel.map_or(usize::MAX, |n| n as usize) },
    }
}

/// What a Cog server runs at once: one, unless the model says otherwise.
fn slots(provider: &Declared) -> usize {
    provider.parallel.map_or(1, |n| n as usize)
}

/// A provider that is connected.
pub(crate) struct Reached {
    pub(crate) provider: Provider,
    /// What the ledger must know of it.
    pub(crate) terms: Terms,
    /// How often it is called.
    pub(crate) limits: Limits,
    /// What this run has uploaded to it.
    pub(crate) uploads: Uploads,
}

impl Reached {
    /// The provider and the account, for what only that account can use.
    pub(crate) fn whose(&self, name: &ProviderName) -> String {
        format!("{name} {}", self.provider.account().unwrap_or_default())
    }
}

/// The providers of a project, each connected when it is first asked for. Tokens are read
/// then.
pub(crate) struct Providers {
    project: Project,
    reached: Mutex<BTreeMap<ProviderName, Arc<Reached>>>,
}

impl Providers {
    pub(crate) fn new(project: &Project) -> Self {
        Self { project: project.clone(), reached: Mutex::default() }
    }

    /// The provider of this name; entries of former runs may lie with others than the
    /// chosen one.
    pub(crate) fn get(&self, name: &ProviderName) -> Result<Arc<Reached>, Trouble> {
        let mut all = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reached) = all.get(name) {
            return Ok(reached.clone());
        }
        let provider = provider(&self.project, &name.0)?;
        let declared = self.project.document.as_ref().and_then(|d| d.providers.get(&*name.0));
        let lag = declared.and_then(|d| d.list_lag).unwrap_or(LIST_LAG);
        let mut terms = terms(provider.capabilities(), lag);
        terms.list &= declared.is_none_or(|d| d.list);
        let limits = limits(&self.project, &name.0);
        let reached = Arc::new(Reached { provider, terms, limits, uploads: Uploads::default() });
        all.insert(name.clone(), reached.clone());
        Ok(reached)
    }
}

/// How long after its create a prediction may be missing in Replicate's list.
const LIST_LAG: Duration = Duration::from_mins(1);

/// The limits of a provider's credential: two providers that send one token to one host share
/// them.
fn limits(project: &Project, name: &str) -> Limits {
    let own = project.document.as_ref().and_then(|d| d.providers.get(name));
    let (base_url, variable, rate, parallel) = match (own, BUILT_IN.iter().find(|b| b.name == name)) {
        (Some(own), _) => {
            let variable = own.token_env.as_ref().map_or("", |t| t.value.as_str());
            let parallel = own.parallel.map_or(usize::MAX, |n| n as usize);
            (own.base_url.value.as_str(), variable, [own.rate.create, own.rate.read], parallel)
        }
        (None, Some(b)) => (b.base_url, b.token_env, b.rate, b.parallel),
        (None, None) => (name, "", [None, None], usize::MAX),
    };
    let credential = match variable {
        "" => base_url.trim().trim_end_matches('/').to_owned(),
        _ => format!("{variable}@{}", host(base_url).unwrap_or_else(|_| base_url.to_owned())),
    };
    Limits::new(&project.store(), &credential, rate, parallel)
}

fn terms(capabilities: &Capabilities, list_lag: Duration) -> Terms {
    Terms {
        bills: capabilities.bills,
        get: capabilities.get,
        cancel: capabilities.cancel,
        list: capabilities.list,
        list_lag: u32::try_from(list_lag.as_secs()).unwrap_or(u32::MAX),
        remote: capabilities.remote,
    }
}

fn provider(project: &Project, name: &str) -> Result<Provider, Trouble> {
    let document = project.document.as_ref();
    match (name, document.and_then(|d| d.providers.get(name))) {
        ("sandbox", _) => {
            let settings = document.map(|d| &d.sandbox);
            Ok(Provider::Sandbox(Sandbox::new(SandboxOptions {
                realistic_latency: settings.is_some_and(|s| s.realistic_latency),
                fail: settings.map(|s| s.fail.clone()).unwrap_or_default(),
            })))
        }
        ("std", _) => Ok(Provider::Std(StdTools::default())),
        (_, Some(own)) => declared(name, own),
        _ => match BUILT_IN.iter().find(|b| b.name == name) {
            Some(b) => {
                let token = Some(token(name, b.token_env, b.base_url)?);
                over_http(HttpOptions {
                    name: name.into(),
                    dialect: b.dialect,
                    base_url: b.base_url.to_owned(),
                    token,
                    token_env: Some(b.token_env.to_owned()),
                    uploads: true,
                    limits: http::Limits::default(),
                })
            }
            None => Err(unknown(name, project)),
        },
    }
}

/// A provider that the project defines.
fn declared(name: &str, own: &Declared) -> Result<Provider, Trouble> {
    let base_url = own.base_url.value.clone();
    let token_env = own.token_env.as_ref().map(|t| t.value.clone());
    let token = token_env.as_ref().map(|variable| token(name, variable, &base_url)).transpose()?;
    let dialect = match own.kind {
        ProviderKind::CometApi => Dialect::CometApi,
        ProviderKind::Replicate => Dialect::Replicate,
        ProviderKind::Cog => {
            let options = CogOptions {
                token,
                slots: slots(own),
                webhook: own.webhook.as_ref().map(|w| WebhookOptions { at: w.value.clone() }),
                ..CogOptions::new(name, base_url)
            };
            return CogProvider::new(options)
                .map(Provider::Cog)
                .map_err(|e| bad_base_url(name, &e.to_string()));
        }
    };
    let (name, uploads, limits) = (name.into(), !own.data_uris_only, http::Limits::default());
    over_http(HttpOptions { name, dialect, base_url, token, token_env, uploads, limits })
}

fn over_http(options: HttpOptions) -> Result<Provider, Trouble> {
    let name = options.name.clone();
    HttpProvider::new(options).map(Provider::Http).map_err(|e| bad_base_url(&name.0, &e.to_string()))
}

fn bad_base_url(name: &str, why: &str) -> Trouble {
    Trouble::usage(format!("provider `{name}`: {why}"), "give `base_url` as http(s)://host/path/v1")
}

/// Reads a token, if it may go to that host.
fn token(name: &str, variable: &str, base_url: &str) -> Result<Token, Trouble> {
    let pair = Pair::for_base_url(variable, base_url).map_err(|e| bad_base_url(name, &e.to_string()))?;
    trust::check(&format!("provider `{name}`"), &pair)?;
    let text = std::env::var(variable).map_err(|_| {
        Trouble::usage(
            format!(
                "provider `{name}` needs a token in the environment variable `{variable}`, which is not set"
            ),
            format!("export {variable}=..., or run on the sandbox with `--provider sandbox`"),
        )
    })?;
    Token::new(&text)
        .map_err(|e| Trouble::usage(format!("`{variable}`: {e}"), format!("export {variable}=...")))
}

/// The budget of a run: flag, project, 5 USD on a live provider, none on a local one.
pub fn budget(project: &Project, wishes: &Wishes, live: bool) -> Option<MicroUsd> {
    let limits = project.document.as_ref().map(|d| &d.limits);
    let own = || MicroUsd::from_usd(limits?.budget_usd.as_ref()?.value);
    wishes.budget.or_else(own).or_else(|| live.then_some(MicroUsd(5_000_000)))
}

/// The project's budget of any 24 hours.
pub(crate) fn day_budget(project: &Project) -> Option<MicroUsd> {
    MicroUsd::from_usd(project.document.as_ref()?.limits.budget_usd_per_day.as_ref()?.value)
}
