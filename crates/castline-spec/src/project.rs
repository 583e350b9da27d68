//! The project document, `castline.yaml`.
//!
//! From YAML to a [`Project`], with all findings in one go. What the environment or the command
//! line say instead is not known here.
//!
//! Start reading at [`Project::parse`].

use std::time::Duration;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostics};
use crate::document::Reader;
use crate::library::Wanted;
use crate::preset::PriceRule;
use crate::raw::{Key, Node};
use crate::span::{Source, Span, Spanned};

/// The keys of a project.
pub const KEYS: &[&str] = &[
    "castline",
    "provider",
    "providers",
    "libraries",
    "limits",
    "prices",
    "sandbox",
    "out",
    "store",
    "when_lost",
];

/// The keys of a provider.
pub(crate) const PROVIDER_KEYS: &[&str] = &[
    "kind",
    "base_url",
    "token_env",
    "models",
    "parallel",
    "realm",
    "rate",
    "upload",
    "list",
    "list_lag",
    "webhook",
];

/// The keys of a provider's `rate`.
pub(crate) const RATE_KEYS: &[&str] = &["create", "read"];

/// The keys of `limits`.
pub(crate) const LIMITS_KEYS: &[&str] =
    &["budget_usd", "budget_usd_per_day", "parallel", "confirm_above_usd"];

/// The keys of `sandbox`.
pub(crate) const SANDBOX_KEYS: &[&str] = &["latency", "fail"];

/// The providers that castline brings along.
pub(crate) const BUILT_IN_PROVIDERS: &[&str] = &["sandbox", "std", "cometapi", "replicate"];

/// A project as written; everything is optional.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The text it came from.
    pub source: Source,
    /// `provider`: the default provider's name.
    pub provider: Option<Spanned<String>>,
    /// `providers`.
    pub providers: IndexMap<String, Provider>,
    /// `libraries`, by name.
    pub libraries: IndexMap<String, Wanted>,
    /// `limits`.
    pub limits: Limits,
    /// `out`: the folder of outputs, relative to the project; default `out`.
    pub out: Option<Spanned<String>>,
    /// `store`: the folder of the ledger and artifacts; default `.castline`.
    pub store: Option<Spanned<String>>,
    /// `prices`: by preset or model name, they win over the preset's.
    pub prices: IndexMap<String, Vec<PriceRule>>,
    /// `sandbox`: how the stand-in models behave.
    pub sandbox: Sandbox,
    /// `when_lost: retry`: a create of which nobody can tell whether it was received is sent
    /// again, and the first counts as spent. Else a person is asked.
    pub retry_lost: bool,
}

/// A provider that the user defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Where its name stands.
    pub name_span: Span,
    /// `kind`.
    pub kind: ProviderKind,
    /// `base_url`, `/v1` included where the service has it.
    pub base_url: Spanned<String>,
    /// `token_env`: the variable that holds the token.
    pub token_env: Option<Spanned<String>>,
    /// `models`: it claims these whatever the choice.
    pub models: Vec<String>,
    /// `parallel`: most predictions in flight.
    pub parallel: Option<u32>,
    /// `realm: public` shares results with the public providers.
    pub public_realm: bool,
    /// `rate`: how often it may be called.
    pub rate: Rate,
    /// `upload: data-uri`: files travel inside requests only.
    pub data_uris_only: bool,
    /// `list: false`: its list of predictions is not to be relied on, or is not there.
    pub list: bool,
    /// `list_lag`: how long a prediction may be missing in its list.
    pub list_lag: Option<Duration>,
    /// `webhook`: host and port where a Cog server reaches us; without it requests block.
    pub webhook: Option<Spanned<String>>,
}

/// `rate` of a provider; unlimited where absent, until it answers 429.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rate {
    /// Creates a minute.
    pub create: Option<f64>,
    /// Other calls a minute.
    pub read: Option<f64>,
}

/// Which dialect of the prediction API a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Replicate, or anything with its routes.
    Replicate,
    /// CometAPI: create and query only.
    CometApi,
    /// A self-hosted Cog server.
    Cog,
}

/// `limits`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// USD a run.
    pub budget_usd: Option<Spanned<f64>>,
    /// USD in any 24 hours of the project.
    pub budget_usd_per_day: Option<Spanned<f64>>,
    /// Most predictions in flight; default 16.
    pub parallel: Option<Spanned<u32>>,
    /// USD above which a live run asks first; default 1.00.
    pub confirm_above_usd: Option<Spanned<f64>>,
}

/// `sandbox`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sandbox {
    /// `latency: realistic` waits as long as the preset's `typical_seconds`.
    pub realistic_latency: bool,
    /// `fail`: model name, or `*`, to the error text that its predictions end with.
    pub fail: IndexMap<String, String>,
}

impl Project {
    /// Reads a project. It comes with all findings, and is there as often as the text is a map or
    /// empty; with errors among the findings it cannot be used, only looked at.
    pub fn parse(source: &Source) -> (Option<Self>, Diagnostics) {
        Reader::document(source, Reader::project)
    }
}

impl Reader<'_> {
    fn project(&mut self, root: &Node) -> Option<Project> {
        let fields = self.fields(root, "a project", KEYS)?;
        self.language(&fields);
        let lost = &[("retry", true), ("ask", false)];
        let lost = fields.get("when_lost").and_then(|node| self.choice(node, "`when_lost`", lost));
        Some(Project {
            source: self.source.clone(),
            provider: fields.get("provider").and_then(|node| self.spanned(node, "`provider`")),
            providers: fields.get("providers").map(|node| self.providers(node)).unwrap_or_default(),
            libraries: fields.get("libraries").map(|node| self.libraries(node)).unwrap_or_default(),
            limits: fields.get("limits").map(|node| self.limits(node)).unwrap_or_default(),
            out: fields.get("out").and_then(|node| self.spanned(node, "`out`")),
            store: fields.get("store").and_then(|node| self.spanned(node, "`store`")),
            prices: fields.get("prices").map(|node| self.own_prices(node)).unwrap_or_default(),
            sandbox: fields.get("sandbox").map(|node| self.sandbox(node)).unwrap_or_default(),
            retry_lost: lost.unwrap_or(false),
        })
    }

    fn providers(&mut self, node: &Node) -> IndexMap<String, Provider> {
        let entries = self.entries(node, "`providers`").unwrap_or_default();
        let provider = |(key, node): &(Key, Node)| Some((key.value.clone(), self.provider(key, node)?));
        entries.iter().filter_map(provider).collect()
    }

    fn provider(&mut self, key: &Key, node: &Node) -> Option<Provider> {
        let what = format!("provider `{}`", key.value);
        self.provider_name(key);
        let fields = self.fields(node, &what, PROVIDER_KEYS)?;
        for name in ["kind", "base_url"].into_iter().filter(|name| fields.get(name).is_none()) {
            self.missing_at(&fields, key.span, &what, name);
        }
        let kinds = &[
            ("replicate", ProviderKind::Replicate),
            ("cometapi", ProviderKind::CometApi),
            ("cog", ProviderKind::Cog),
        ];
        let kind = fields.get("kind").and_then(|node| self.choice(node, "`kind`", kinds));
        let base_url = fields.get("base_url").and_then(|node| self.base_url(node));
        let token_env = fields.get("token_env").and_then(|node| self.token_env(node));
        let models = fields.get("models").map(|node| self.models(node)).unwrap_or_default();
        let parallel = fields.get("parallel").and_then(|node| self.whole(node, "`parallel`", 1));
        let realm = fields.get("realm").and_then(|node| self.choice(node, "`realm`", &[("public", true)]));
        let rate = fields.get("rate").map(|node| self.rate(node)).unwrap_or_default();
        let uploads = &[("data-uri", true), ("files", false)];
        let upload = fields.get("upload").and_then(|node| self.choice(node, "`upload`", uploads));
        let list = fields.get("list").and_then(|node| self.boolean(node, "`list`"));
        let list_lag = fields.get("list_lag").and_then(|node| self.duration(node, "`list_lag`"));
        let webhook = fields.get("webhook").and_then(|node| self.spanned(node, "`webhook`"));
        Some(Provider {
            name_span: key.span,
            kind: kind?,
            base_url: base_url?,
            token_env,
            models,
            parallel,
            public_realm: realm.unwrap_or(false),
            rate,
            data_uris_only: upload.unwrap_or(false),
            list: list.unwrap_or(true),
            list_lag,
            webhook,
        })
    }

    fn rate(&mut self, node: &Node) -> Rate {
        let Some(fields) = self.fields(node, "`rate`", RATE_KEYS) else { return Rate::default() };
        let mut calls = |key: &str| {
            let (node, what) = (fields.get(key)?, format!("`{key}`"));
            let text = self.string(node, &what)?;
            let rate = per_minute(&text);
            if rate.is_none() {
                let finding = self.error(Code::InvalidValue, node.span, format!("{what} cannot be `{text}`"));
                self.push(finding.hint("a rate is `600/min` or `10/s`"));
            }
            rate
        };
        Rate { create: calls("create"), read: calls("read") }
    }

    fn provider_name(&mut self, key: &Key) {
        self.document_name(key, "a provider");
        if BUILT_IN_PROVIDERS.contains(&key.value.as_str()) {
            let message = format!("`{}` is a provider that castline brings along", key.value);
            let finding = self.error(Code::InvalidName, key.span, message);
            self.push(finding.hint("give yours another name"));
        }
    }

    fn base_url(&mut self, node: &Node) -> Option<Spanned<String>> {
        let url = self.spanned(node, "`base_url`")?;
        let after = url.value.strip_prefix("https://").or_else(|| url.value.strip_prefix("http://"));
        let host = after.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let port = host.and_then(|host| host.rsplit_once(':')).filter(|(_, port)| !port.ends_with(']'));
        let why = match host {
            None | Some("") => "it begins with `https://` or `http://`",
            // What stands before `@` is not shown: it may be a password.
            Some(host) if host.contains('@') => {
                "a password does not belong in a file: name a variable with `token_env`"
            }
            Some(_) if url.value.contains(char::is_whitespace) => "it has a blank",
            Some(_) if port.is_some_and(|(_, port)| port.parse::<u16>().is_err()) => {
                "a port is a number up to 65535"
            }
            Some(_) => return Some(url),
        };
        let secret = host.is_some_and(|host| host.contains('@'));
        let shown = if secret { "this".to_owned() } else { format!("`{}`", url.value) };
        let message = format!("`base_url` cannot be {shown}");
        self.push(self.error(Code::InvalidValue, url.span, message).hint(why));
        Some(url)
    }

    /// The name of a variable, never the token itself.
    fn token_env(&mut self, node: &Node) -> Option<Spanned<String>> {
        let name = self.spanned(node, "`token_env`")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.value.is_empty()
            || !name.value.chars().all(fits)
            || name.value.starts_with(|c: char| c.is_ascii_digit())
        {
            let message = "`token_env` is the name of an environment variable, and this is none";
            let finding = self.error(Code::InvalidValue, name.span, message);
            self.push(finding.hint("write the name alone, `GATEWAY_KEY`; a token does not belong in a file"));
        }
        Some(name)
    }

    fn models(&mut self, node: &Node) -> Vec<String> {
        let items = self.list(node, "`models`").unwrap_or_default();
        let model = |item: &Node| {
            let model = self.spanned(item, "`models`")?;
            if model.value.split('/').filter(|part| !part.is_empty()).count() != 2 {
                let message = format!("`{}` is no model", model.value);
                self.push(
                    self.error(Code::InvalidValue, model.span, message).hint("a model is `owner/name`"),
                );
            }
            Some(model.value)
        };
        items.iter().filter_map(model).collect()
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let Some(fields) = self.fields(node, "`limits`", LIMITS_KEYS) else { return Limits::default() };
        let mut usd = |key: &str| {
            let node = fields.get(key)?;
            Some(Spanned::new(self.amount(node, &format!("`{key}`"))?, node.span))
        };
        let budget_usd = usd("budget_usd");
        let budget_usd_per_day = usd("budget_usd_per_day");
        let confirm_above_usd = usd("confirm_above_usd");
        let parallel = fields.get("parallel");
        let parallel =
            parallel.and_then(|node| Some(Spanned::new(self.whole(node, "`parallel`", 1)?, node.span)));
        Limits { budget_usd, budget_usd_per_day, parallel, confirm_above_usd }
    }

    fn own_prices(&mut self, node: &Node) -> IndexMap<String, Vec<PriceRule>> {
        let entries = self.entries(node, "`prices`").unwrap_or_default();
        entries.iter().map(|(key, node)| (key.value.clone(), self.prices(node))).collect()
    }

    fn sandbox(&mut self, node: &Node) -> Sandbox {
        let Some(fields) = self.fields(node, "`sandbox`", SANDBOX_KEYS) else { return Sandbox::default() };
        let latencies = &[("realistic", true), ("none", false)];
        let latency = fields.get("latency").and_then(|node| self.choice(node, "`latency`", latencies));
        let fail = fields.get("fail").and_then(|node| self.entries(node, "`fail`")).unwrap_or_default();
        let failure = |(key, node): &(Key, Node)| {
            let error = self.string(node, &format!("the failure of `{}`", key.value))?;
            Some((key.value.clone(), error))
        };
        let fail = fail.iter().filter_map(failure).collect();
        Sandbox { realistic_latency: latency.unwrap_or(false), fail }
    }
}

/// `600/min` or `10/s` as calls a minute.
fn per_minute(text: &str) -> Option<f64> {
    let (calls, unit) = text.split_once('/')?;
    let minutes = match unit.trim() {
        "min" => 1.0,
        "s" => 60.0,
        "h" => 1.0 / 60.0,
        _ => return None,
    };
    let calls: f64 = calls.trim().parse().ok()?;
    Some(calls * minutes).filter(|rate| rate.is_finite() && *rate > 0.0)
}

#[cfg(test)]
mod tests;
