//! Whether castline can work here: providers, the store's place, locks, the way out.
//!
//! Everything is looked at and nothing is changed; what was found is drawn elsewhere. A
//! secret is only ever said to be set.
//!
//! Start reading at [`providers()`] and [`machine`].

use std::io;
use std::path::Path;
use std::time::Duration;

use castline_core::ProviderName;
use castline_provider::Pong;
use castline_store::{LockProbe, Place, Store, is_held};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::lock::{self, Lock};
use crate::project::Project;
use crate::providers::{self, Described, Providers};
use crate::trouble::Trouble;
use crate::trust::{Pair, Trust};
use crate::wishes::Wishes;

/// How long a provider may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A clock that is further off can hide a lost create, whose time is compared with the list.
const OFFSET: SignedDuration = SignedDuration::from_secs(30);

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It was not looked at, because nothing needs it.
    Unneeded,
    /// As it should be.
    Good,
    /// It works, and should be known.
    Warning,
    /// Something will not work.
    Problem,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub about: String,
    /// How it stands.
    pub health: Health,
    /// In words.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What was found about a provider.
#[derive(Debug, Clone)]
pub struct ProviderFinding {
    /// Its name.
    pub name: String,
    /// `replicate`, `cometapi`, `cog`, or `embedded`.
    pub kind: &'static str,
    /// Where it is called, as it really is; none for the embedded ones.
    pub base_url: Option<String>,
    /// Its token, when it takes one.
    pub token: Option<TokenFinding>,
    /// True when runs go to it unless told otherwise.
    pub chosen: bool,
    /// What it said of itself.
    pub pong: Option<Pong>,
    /// How it stands.
    pub found: Finding,
}

/// What is known of a provider's token; never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFinding {
    /// The variable that holds it.
    pub variable: String,
    /// True when the variable is set to something.
    pub set: bool,
    /// True when the user allows it to go to that provider.
    pub trusted: bool,
}

impl Finding {
    fn new(about: &str, health: Health, message: impl Into<String>) -> Self {
        Self { about: about.to_owned(), health, message: message.into(), hint: None }
    }

    fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn of(about: &str, trouble: &Trouble) -> Self {
        let found = Self::new(about, Health::Problem, trouble.to_string());
        Self { hint: trouble.hint().map(str::to_owned), ..found }
    }
}

/// Asks every provider that can be used, all at once; with `offline` none.
pub async fn providers(project: &Project, wishes: &Wishes, offline: bool) -> Vec<ProviderFinding> {
    let reached = Providers::new(project);
    let chosen = providers::chosen(project, wishes);
    let mut all = providers::described(project);
    if !all.iter().any(|p| p.name == chosen) {
        // A name that nobody has; asking for it says so.
        all.insert(
            0,
            Described {
                name: chosen.clone(),
                kind: "unknown",
                base_url: None,
                token_env: None,
                claims: false,
            },
        );
    }
    all.sort_by_key(|p| p.name != chosen);
    join_all(all.into_iter().map(|p| {
        let chosen = p.name == chosen;
        provider(&reached, p, chosen, offline)
    }))
    .await
}

async fn provider(reached: &Providers, p: Described, chosen: bool, offline: bool) -> ProviderFinding {
    let (token, pair) = token(&p);
    let usable = reached.get(&ProviderName::from(p.name.as_str()));
    let needed = chosen || p.claims;
    let unset = token.as_ref().is_some_and(|t| !t.set);
    let (pong, found) = match usable {
        Err(trouble) if needed => (None, Finding::of(&p.name, &trouble)),
        Err(_) if unset => {
            let variable = token.as_ref().map_or("", |t| t.variable.as_str());
            (None, Finding::new(&p.name, Health::Unneeded, format!("not in use: `{variable}` is not set")))
        }
        Err(trouble) => (None, Finding { health: Health::Warning, ..Finding::of(&p.name, &trouble) }),
        Ok(_) if p.base_url.is_none() => {
            (None, Finding::new(&p.name, Health::Good, "embedded: needs nobody"))
        }
        Ok(_) if offline => (None, Finding::new(&p.name, Health::Unneeded, "not asked")),
        Ok(reached) => match tokio::time::timeout(DEADLINE, reached.provider.ping()).await {
            Ok(Ok(pong)) => {
                let found = answered(&p.name, &pong);
                (Some(pong), found)
            }
            Ok(Err(fault)) => (None, silent(&p.name, &fault.to_string())),
            Err(_) => (None, silent(&p.name, &format!("no answer within {} s", DEADLINE.as_secs()))),
        },
    };
    let token = token.map(|t| TokenFinding { trusted: pair.is_some_and(|pair| is_trusted(&pair)), ..t });
    let base_url = p.base_url.as_deref().map(without_credentials);
    ProviderFinding { name: p.name, kind: p.kind, base_url, token, chosen, pong, found }
}

fn token(p: &Described) -> (Option<TokenFinding>, Option<Pair>) {
    let Some(variable) = p.token_env.clone() else { return (None, None) };
    let set = std::env::var_os(&variable).is_some_and(|value| !value.is_empty());
    let pair = p.base_url.as_ref().and_then(|url| Pair::for_base_url(&variable, url).ok());
    (Some(TokenFinding { variable, set, trusted: false }), pair)
}

fn is_trusted(pair: &Pair) -> bool {
    Trust::of_user().is_ok_and(|trust| trust.allows(pair))
}

fn answered(name: &str, pong: &Pong) -> Finding {
    let message = format!("answers in {} ms: {}", pong.took.as_millis(), pong.about);
    if let Some(why) = &pong.broken {
        return Finding::new(name, Health::Problem, format!("{message}; it runs no predictions: {why}"))
            .hinted("look at its log, and start it again");
    }
    match pong.clock.filter(|offset| offset.abs() > OFFSET) {
        None => Finding::new(name, Health::Good, message),
        Some(offset) => {
            let (by, way) =
                (offset.abs().as_secs(), if offset.is_negative() { "behind" } else { "ahead of" });
            Finding::new(name, Health::Warning, format!("{message}; its clock is {by} s {way} this one"))
                .hinted("set this machine's clock; castline finds lost creates by their time")
        }
    }
}

fn silent(name: &str, why: &str) -> Finding {
    Finding::new(name, Health::Problem, why)
        .hinted("is the address right, the network up, and the token valid?")
}

/// Looks at this machine. `probe` starts a second process of castline, which says whether it
/// sees that the file is locked.
pub fn machine(project: &Project, probe: impl Fn(&Path) -> io::Result<bool>) -> Vec<Finding> {
    let place = Place::of(&project.store());
    let mut all = vec![disk(&place), file_system(&place), locks(&place, probe)];
    all.extend(ledger(project));
    all.extend(trust());
    all.extend(pins(project));
    all.extend(proxies(&environment));
    all.extend(certificates(&environment));
    all
}

fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn disk(place: &Place) -> Finding {
    const ABOUT: &str = "disk of the store";
    match (&place.usable, place.free_mib) {
        (Err(error), _) => Finding::of(ABOUT, &crate::ledger::trouble(error.clone())),
        (Ok(()), Some(free)) => Finding::new(ABOUT, Health::Good, format!("writable, {} free", size(free))),
        (Ok(()), None) => Finding::new(ABOUT, Health::Good, "writable"),
    }
}

/// `412 MiB`, `31.5 GiB`.
fn size(mib: u64) -> String {
    if mib < 1024 { format!("{mib} MiB") } else { format!("{:.1} GiB", mib as f64 / 1024.0) }
}

fn file_system(place: &Place) -> Finding {
    const ABOUT: &str = "file system of the store";
    let kind = place.kind.as_deref().unwrap_or("of a kind that is not told here");
    match &place.local {
        Ok(()) => Finding::new(ABOUT, Health::Good, kind),
        Err(error) => Finding::of(ABOUT, &crate::ledger::trouble(error.clone())),
    }
}

/// Two processes must see each other's locks, and see them go.
fn locks(place: &Place, probe: impl Fn(&Path) -> io::Result<bool>) -> Finding {
    const ABOUT: &str = "locks between processes";
    const CURE: &str = "put the store on a local disk with CASTLINE_STORE";
    let bad = |message: String| Finding::new(ABOUT, Health::Problem, message).hinted(CURE);
    let mut lock = match LockProbe::hold(&place.folder) {
        Ok(lock) => lock,
        Err(error) => return bad(format!("cannot be taken: {error}")),
    };
    let held = probe(lock.path());
    lock.release();
    match (held, probe(lock.path())) {
        (Ok(true), Ok(false)) => Finding::new(ABOUT, Health::Good, "a second process sees them come and go"),
        (Ok(false), _) => bad("a second process does not see them: two castlines would pay twice".to_owned()),
        (Ok(true), Ok(true)) => bad("a second process does not see them go".to_owned()),
        (Err(error), _) | (_, Err(error)) => {
            Finding::new(ABOUT, Health::Warning, format!("could not be tried: {error}"))
        }
    }
}

/// What the second process does.
pub fn sees_lock(file: &Path) -> io::Result<bool> {
    is_held(file)
}

/// The ledger can be read.
fn ledger(project: &Project) -> Option<Finding> {
    let found = Store::check(&project.store()).err()?;
    Some(Finding::of("ledger", &crate::ledger::trouble(found)))
}

/// The user's trust can be read; what is in it `castline trust` lists.
fn trust() -> Option<Finding> {
    Trust::of_user().err().map(|trouble| Finding::of("trust", &trouble))
}

/// What the project has pinned can be read.
fn pins(project: &Project) -> Option<Finding> {
    Lock::read(project).err().map(|trouble| Finding::of(lock::FILE, &trouble))
}

/// The proxies that calls to other machines go through. Loopback is never asked for one.
fn proxies(environment: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let first =
        |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, environment(name)?)));
    let mut all = Vec::new();
    for names in [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]] {
        let Some((name, value)) = first(names) else { continue };
        let shown = without_credentials(&value);
        let about = format!("proxy, {name}");
        let scheme = value.split_once("://").map_or("http", |(scheme, _)| scheme).to_ascii_lowercase();
        all.push(match scheme.as_str() {
            "http" | "https" => Finding::new(&about, Health::Good, shown),
            other => {
                Finding::new(&about, Health::Warning, format!("{shown}: castline does not speak {other}"))
                    .hinted("name an http:// proxy")
            }
        });
    }
    if let Some((name, value)) = first(["NO_PROXY", "no_proxy"])
        && !all.is_empty()
    {
        all.push(Finding::new(&format!("no proxy for, {name}"), Health::Good, value));
    }
    all
}

/// A proxy's URL with what stands before the `@` taken out.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
    // A password may hold a `/` or another `@`, unescaped.
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => format!("[hidden]@{host}"),
        None => rest.to_owned(),
    };
    scheme.map_or(rest.clone(), |scheme| format!("{scheme}://{rest}"))
}

/// Which certificates count besides the system's, or instead of them.
fn certificates(environment: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let named =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some((name, environment(name)?)));
    let finding = |(name, value): (&str, String)| {
        let about = format!("certificates, {name}");
        if cfg!(any(windows, target_os = "macos")) {
            let message = format!("{value}: not looked at here; the system's own certificates count");
            return Finding::new(&about, Health::Warning, message).hinted("add yours to the system's");
        }
        let count: usize = match name {
            "SSL_CERT_FILE" => certificates_in(Path::new(&value)),
            _ => std::env::split_paths(&value)
                .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
                .map(|file| certificates_in(&file.path()))
                .sum(),
        };
        match count {
            0 => Finding::new(&about, Health::Problem, format!("{value} holds no certificate in PEM form"))
                .hinted("calls to https:// will fail: correct the variable, or unset it"),
            n => {
                let message = format!("{value}: {n}, which count instead of the system's");
                Finding::new(&about, Health::Good, message)
            }
        }
    };
    named.map(finding).collect()
}

fn certificates_in(file: &Path) -> usize {
    let text = std::fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&text).matches("-----BEGIN CERTIFICATE-----").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(clock: i64) -> Pong {
        Pong {
            took: Duration::from_millis(12),
            clock: Some(SignedDuration::from_secs(clock)),
            about: "acme (organization)".to_owned(),
            broken: None,
        }
    }

    #[test]
    fn a_clock_that_is_off_is_warned_of() {
        assert_eq!(answered("r", &pong(-30)).health, Health::Good);
        let found = answered("r", &pong(-600));
        assert_eq!(
            (found.health, found.message.as_str()),
            (Health::Warning, "answers in 12 ms: acme (organization); its clock is 600 s behind this one")
        );
        assert!(answered("r", &pong(31)).message.ends_with("31 s ahead of this one"));
    }

    #[test]
    fn a_ledger_that_is_none_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("castline.yaml"), "castline: 1\n").unwrap();
        let (project, _) = Project::near(&folder.path().join("flow.yaml"));
        assert_eq!(ledger(&project), None);
        drop(Store::open(&project.store()).unwrap());
        assert_eq!(ledger(&project), None);
        std::fs::write(castline_store::Layout::of(&project.store()).ledger(), "a text").unwrap();
        assert_eq!(ledger(&project).unwrap().health, Health::Problem);
    }

    #[test]
    fn a_server_that_runs_no_predictions_is_a_problem() {
        let broken = Pong { broken: Some("SETUP_FAILED".to_owned()), ..pong(0) };
        let found = answered("studio", &broken);
        assert_eq!(found.health, Health::Problem);
        assert!(found.message.ends_with("it runs no predictions: SETUP_FAILED"), "{}", found.message);
    }

    #[test]
    fn pitfall_61_proxies_are_shown_without_their_credentials() {
        assert_eq!(without_credentials("http://me:p@ss/w@proxy:8080"), "http://[hidden]@proxy:8080");
        assert_eq!(without_credentials("me:pw@proxy:8080"), "[hidden]@proxy:8080");
        assert_eq!(without_credentials("http://proxy"), "http://proxy");
        let set = |name: &str| match name {
            "https_proxy" => Some("http://me:pw@proxy:8080".to_owned()),
            "ALL_PROXY" => Some("socks5://proxy".to_owned()),
            "NO_PROXY" => Some(".example.com".to_owned()),
            _ => None,
        };
        let found = proxies(&set);
        let shown: Vec<_> = found.iter().map(|f| (f.about.as_str(), f.health)).collect();
        assert_eq!(
            shown,
            [
                ("proxy, https_proxy", Health::Good),
                ("proxy, ALL_PROXY", Health::Warning),
                ("no proxy for, NO_PROXY", Health::Good)
            ]
        );
        assert!(!found.iter().any(|f| f.message.contains("pw")));
    }

    #[test]
    fn a_lock_that_nobody_else_sees_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(folder.path());
        assert_eq!(locks(&place, sees_lock).health, Health::Good);
        assert_eq!(locks(&place, |_| Ok(false)).health, Health::Problem);
        assert_eq!(locks(&place, |_| Ok(true)).health, Health::Problem);
        assert_eq!(locks(&place, |_| Err(io::Error::other("no"))).health, Health::Warning);
    }

    #[test]
    fn a_lock_file_that_cannot_be_read_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("castline.yaml"), "castline: 1\n").unwrap();
        let (project, _) = Project::near(&folder.path().join("flow.yaml"));
        assert_eq!(pins(&project), None);
        std::fs::write(folder.path().join(lock::FILE), "castline: 2\n").unwrap();
        let found = pins(&project).unwrap();
        assert_eq!((found.about.as_str(), found.health), ("castline.lock", Health::Problem));
        assert_eq!(found.hint.as_deref(), Some("a newer castline wrote it: update castline"));
    }

    #[cfg(not(any(windows, target_os = "macos")))]
    #[test]
    fn certificates_that_are_none_are_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").unwrap();
        let named = |path: &Path| {
            let path = path.display().to_string();
            certificates(&move |name| (name == "SSL_CERT_FILE").then(|| path.clone())).remove(0).health
        };
        assert_eq!(named(&file), Health::Good);
        assert_eq!(named(&folder.path().join("none")), Health::Problem);
    }
}
