//! Where secrets may go: pairs of a variable and a host, or a variable and a model.
//!
//! A secret leaves only along a pair that the *user* allowed: built in, recorded with
//! `castline trust` in the user's configuration folder, or listed in `CASTLINE_TRUST`. No
//! file of a project can allow anything. Without TLS a host is whoever is on the wire, so
//! that a pair for `http` says so itself: `TOKEN@http://host`.
//!
//! Start reading at [`Trust::allows`].

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use castline_core::ModelRef;
use castline_provider::http::host;
use serde::{Deserialize, Serialize};

use crate::providers;
use crate::trouble::Trouble;

/// Pairs for machines that have no configuration folder, as in CI: separated by commas.
pub const VARIABLE: &str = "CASTLINE_TRUST";

/// A secret and where it may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The environment variable that holds the secret.
    pub variable: String,
    /// Where it may go.
    pub to: Target,
}

/// Where a secret may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A host, over TLS.
    Host(String),
    /// A host, readable for everybody on the way.
    PlainHost(String),
    /// A model that takes it as an input: `owner/name`, which is called by that name, or
    /// `owner/name:version`.
    Model(String),
}

/// Who allowed a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// castline.
    BuiltIn,
    /// The user, with `castline trust`.
    User,
    /// `CASTLINE_TRUST`.
    Environment,
}

/// A text that is no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a pair of a variable and where it may go: {why}")]
pub struct BadPair {
    text: String,
    why: &'static str,
}

impl BadPair {
    /// What a pair looks like.
    pub const HINT: &'static str =
        "write `VARIABLE@host` for a provider, or `VARIABLE@owner/name` for a model that takes the secret";
}

impl Pair {
    /// The pair that a provider's token needs.
    pub(crate) fn for_base_url(
        variable: &str,
        base_url: &str,
    ) -> Result<Self, castline_provider::http::BadBaseUrl> {
        // The host that is really connected to: what a URL looks like is not to be trusted.
        let host = host(base_url)?;
        let plain = !base_url.trim_start().to_ascii_lowercase().starts_with("https:");
        let to = if plain { Target::PlainHost(host) } else { Target::Host(host) };
        Ok(Self { variable: variable.to_owned(), to })
    }
}

impl FromStr for Pair {
    type Err = BadPair;

    fn from_str(text: &str) -> Result<Self, BadPair> {
        let text = text.trim();
        let bad = |why: &'static str| BadPair { text: text.to_owned(), why };
        let (variable, target) = text.split_once('@').ok_or(bad("there is no `@` in it"))?;
        if !is_variable(variable) {
            return Err(bad("before the `@` stands the name of an environment variable"));
        }
        let to = Target::parse(target).map_err(bad)?;
        Ok(Self { variable: variable.to_owned(), to })
    }
}

fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Target {
    /// A model in the version that runs.
    pub(crate) fn model(model: &ModelRef) -> Self {
        Self::Model(match model.version_id() {
            Some(version) => format!("{}:{version}", model.path()),
            None => model.path(),
        })
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('*') {
            return Err("after the `@` stands one host or one model, without `*`");
        }
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("https://") || lower.starts_with("http://") {
            let host = host(text).map_err(|_| "after the `@` stands a URL that cannot be called")?;
            return Ok(if lower.starts_with("https") { Self::Host(host) } else { Self::PlainHost(host) });
        }
        if text.contains('/') {
            let model: ModelRef =
                text.parse().map_err(|_| "after the `@` stands `owner/name` or a host without a path")?;
            return Ok(Self::model(&model));
        }
        // A port is no part of it: whoever has the host's certificate is the host.
        match host(&format!("https://{text}")) {
            Ok(host) if !text.is_empty() => Ok(Self::Host(host)),
            _ => Err("after the `@` stands a host or `owner/name`"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(text) | Self::Model(text) => f.write_str(text),
            Self::PlainHost(host) => write!(f, "http://{host}"),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.variable, self.to)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "built in",
            Self::User => "you",
            Self::Environment => VARIABLE,
        })
    }
}

/// Every pair that is allowed, and who allowed it.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pairs: Vec<(Pair, Origin)>,
}

impl Trust {
    /// What the user allows on this machine.
    pub fn of_user() -> Result<Self, Trouble> {
        let own = match file() {
            Some(path) => read(&path)?,
            None => BTreeSet::new(),
        };
        Self::new(own, std::env::var(VARIABLE).ok().as_deref())
    }

    fn new(own: BTreeSet<Pair>, environment: Option<&str>) -> Result<Self, Trouble> {
        let listed =
            environment.unwrap_or_default().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let listed = listed.map(Pair::from_str).collect::<Result<Vec<_>, _>>();
        let listed = listed.map_err(|e| Trouble::usage(format!("{VARIABLE}: {e}"), BadPair::HINT))?;
        let pairs = providers::built_in_tokens()
            .map(|pair| (pair, Origin::BuiltIn))
            .chain(own.into_iter().map(|pair| (pair, Origin::User)))
            .chain(listed.into_iter().map(|pair| (pair, Origin::Environment)))
            .collect();
        Ok(Self { pairs })
    }

    /// True when the secret may go there.
    pub fn allows(&self, wanted: &Pair) -> bool {
        stays_here(wanted) || self.pairs.iter().any(|(pair, _)| pair == wanted)
    }

    /// Every pair, but for loopback, where all may go.
    pub fn pairs(&self) -> &[(Pair, Origin)] {
        &self.pairs
    }
}

/// Any secret may go to this machine.
fn stays_here(pair: &Pair) -> bool {
    match &pair.to {
        Target::Host(host) | Target::PlainHost(host) => {
            let plain = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            host == "localhost" || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Target::Model(_) => false,
    }
}

/// Refuses to send a secret where the user did not allow it.
pub(crate) fn check(what: &str, wanted: &Pair) -> Result<(), Trouble> {
    // The usual pairs need no file, so that a broken one stops nobody who does not need it.
    let usual = Trust::new(BTreeSet::new(), None)?;
    if usual.allows(wanted) || Trust::of_user()?.allows(wanted) {
        return Ok(());
    }
    let Pair { variable, to } = wanted;
    let open = if matches!(to, Target::PlainHost(_)) { ", readable for everybody on the way" } else { "" };
    Err(Trouble::usage(
        format!("{what} would send `{variable}` to `{to}`{open}, which you have not allowed"),
        format!("if that is meant, allow it with `castline trust {wanted}`"),
    ))
}

/// Records that a secret may go somewhere; false when it was allowed before.
pub fn add(pair: &Pair) -> Result<bool, Trouble> {
    if Trust::of_user()?.allows(pair) {
        return Ok(false);
    }
    let path = own_file()?;
    let mut own = read(&path)?;
    own.insert(pair.clone());
    write(&path, &own)?;
    Ok(true)
}

/// Takes back what [`add`] recorded.
pub fn remove(pair: &Pair) -> Result<(), Trouble> {
    let path = own_file()?;
    let mut own = read(&path)?;
    if own.remove(pair) {
        return write(&path, &own);
    }
    let elsewhere = Trust::of_user()?.pairs.into_iter().find(|(known, _)| known == pair);
    Err(match elsewhere {
        _ if stays_here(pair) => Trouble::usage(
            format!("`{pair}` is not recorded: secrets may always go to this machine"),
            "unset the variable, and it goes nowhere",
        ),
        Some((_, Origin::Environment)) => Trouble::usage(
            format!("`{pair}` is not recorded: {VARIABLE} allows it"),
            format!("take it out of {VARIABLE}"),
        ),
        Some((_, Origin::BuiltIn)) => {
            Trouble::usage(format!("`{pair}` is built in"), "unset the variable, and it goes nowhere")
        }
        Some((_, Origin::User)) | None => {
            Trouble::usage(format!("`{pair}` is not recorded"), "`castline trust` lists all pairs")
        }
    })
}

/// The file of recorded pairs, where the system says that there is one.
pub fn file() -> Option<PathBuf> {
    Some(configuration()?.join("castline").join("trust.yaml"))
}

fn own_file() -> Result<PathBuf, Trouble> {
    file().ok_or_else(|| {
        Trouble::usage(
            "there is no folder for your configuration: HOME is not set",
            format!("set HOME or XDG_CONFIG_HOME, or list the pairs in {VARIABLE}"),
        )
    })
}

/// Where this system keeps a user's configuration.
fn configuration() -> Option<PathBuf> {
    let absolute =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|path| path.is_absolute());
    // Who sets it means it, on every system.
    absolute("XDG_CONFIG_HOME").or_else(|| {
        if cfg!(windows) {
            absolute("APPDATA")
        } else if cfg!(target_os = "macos") {
            Some(home()?.join("Library/Application Support"))
        } else {
            Some(home()?.join(".config"))
        }
    })
}

/// The version of the file.
const VERSION: u32 = 1;

/// It alone.
#[derive(Deserialize)]
struct Written {
    castline: u32,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    castline: u32,
    trust: Vec<String>,
}

fn read(path: &Path) -> Result<BTreeSet<Pair>, Trouble> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(unusable(path, &format!("cannot be read: {e}"))),
    };
    check_owner(path)?;
    let wrong = |e: serde_yaml::Error| unusable(path, &format!("is not understood: {e}"));
    // First of all: what else stands in a newer one may be anything.
    let written: Written = serde_yaml::from_str(&text).map_err(wrong)?;
    match written.castline {
        VERSION => {}
        0 => return Err(unusable(path, "is not understood: `castline` in it is a number from 1 on")),
        newer => return Err(Trouble::newer(path, newer, VERSION)),
    }
    let recorded: Recorded = serde_yaml::from_str(&text).map_err(wrong)?;
    let pairs = recorded.trust.iter().map(|pair| pair.parse()).collect::<Result<_, BadPair>>();
    pairs.map_err(|e| unusable(path, &format!("is not understood: {e}")))
}

fn unusable(path: &Path, why: &str) -> Trouble {
    Trouble::usage(
        format!("`{}` {why}", path.display()),
        "correct it, or remove it and allow with `castline trust` what is meant",
    )
}

/// What others could have written says nothing about the user.
#[cfg(unix)]
fn check_owner(path: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Trouble::usage(
        format!("`{}` can be written by others, so that it does not count", path.display()),
        format!("look at what is in it, then `chmod 600 {}`", path.display()),
    ))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn check_owner(_: &Path) -> Result<(), Trouble> {
    Ok(())
}

/// Writes the file in one step, for nobody else to read.
fn write(path: &Path, pairs: &BTreeSet<Pair>) -> Result<(), Trouble> {
    let recorded = Recorded { castline: VERSION, trust: pairs.iter().map(Pair::to_string).collect() };
    let written = serde_yaml::to_string(&recorded).map_err(std::io::Error::other).and_then(|text| {
        let folder = crate::project::parent(path);
        private_folder(&folder)?;
        // A temporary file has the mode 0600 from its beginning.
        let mut new = tempfile::NamedTempFile::new_in(&folder)?;
        writeln!(new, "# Where castline may send secrets. `castline trust` writes this file.")?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(path).map(drop).map_err(std::io::Error::from)
    });
    written.map_err(|e| {
        Trouble::usage(
            format!("cannot write `{}`: {e}", path.display()),
            format!("make its folder writable, or list the pairs in {VARIABLE}"),
        )
    })
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Pair {
        text.parse().unwrap()
    }

    fn trust(own: &[&str], environment: &str) -> Trust {
        Trust::new(own.iter().map(|text| pair(text)).collect(), Some(environment)).unwrap()
    }

    #[test]
    fn pairs_are_read_as_people_write_them() {
        let shown = |text: &str| match pair(text) {
            Pair { to: Target::Host(host), .. } => format!("host {host}"),
            Pair { to: Target::PlainHost(host), .. } => format!("plain {host}"),
            Pair { to: Target::Model(model), .. } => format!("model {model}"),
        };
        assert_eq!(shown("KEY@gateway.example.com"), "host gateway.example.com");
        assert_eq!(shown(" KEY@Gateway.Example.com:8443 "), "host gateway.example.com");
        assert_eq!(shown("KEY@https://gateway.example.com/replicate/v1"), "host gateway.example.com");
        assert_eq!(shown("KEY@http://10.0.0.5:5000"), "plain 10.0.0.5");
        assert_eq!(shown("KEY@openai/gpt-image-1"), "model openai/gpt-image-1");
        assert_eq!(pair("KEY@http://10.0.0.5").to_string(), "KEY@http://10.0.0.5");
    }

    #[test]
    fn what_is_no_pair_says_why() {
        let why = |text: &str| text.parse::<Pair>().unwrap_err().why;
        assert_eq!(
            ["KEY", "@host", "A KEY@host", "KEY@", "KEY@a/b/c", "KEY@me:pw@host", "KEY@http://"].map(why),
            [
                "there is no `@` in it",
                "before the `@` stands the name of an environment variable",
                "before the `@` stands the name of an environment variable",
                "after the `@` stands a host or `owner/name`",
                "after the `@` stands `owner/name` or a host without a path",
                "after the `@` stands a host or `owner/name`",
                "after the `@` stands a URL that cannot be called",
            ]
        );
    }

    #[test]
    fn a_secret_goes_only_where_it_was_allowed() {
        let trust = trust(&["OWN@gateway.example.com", "KEY@openai/gpt"], "CI@ci.example.com, ");
        let allowed = [
            "REPLICATE_API_TOKEN@api.replicate.com",
            "COMETAPI_KEY@api.cometapi.com",
            "OWN@gateway.example.com",
            "KEY@openai/gpt",
            "CI@ci.example.com",
            "ANY@http://127.0.0.1:5000",
            "ANY@http://localhost",
            "ANY@http://[::1]:80",
        ];
        let refused = [
            "REPLICATE_API_TOKEN@api.cometapi.com",
            "REPLICATE_API_TOKEN@http://api.replicate.com",
            "REPLICATE_API_TOKEN@api.replicate.com.evil.test",
            "OWN@http://gateway.example.com",
            "OTHER@gateway.example.com",
            "KEY@openai/other",
            "ANY@localhost.evil.test",
            "ANY@http://127.0.0.1.evil.test",
        ];
        assert!(allowed.into_iter().all(|text| trust.allows(&pair(text))));
        for text in refused {
            assert!(!trust.allows(&pair(text)), "{text}");
        }
    }

    #[test]
    fn a_base_url_is_judged_by_the_host_that_is_called() {
        let needs = |url: &str| Pair::for_base_url("KEY", url).map(|pair| pair.to_string());
        assert_eq!(needs(" HTTPS://Api.Replicate.com:443/v1").unwrap(), "KEY@api.replicate.com");
        assert_eq!(needs("http://api.replicate.com/v1").unwrap(), "KEY@http://api.replicate.com");
        assert!(needs("https://api.replicate.com@evil.test/v1").is_err());
    }

    #[test]
    fn what_is_recorded_is_read_again_and_is_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("castline/trust.yaml");
        let own: BTreeSet<_> = [pair("B@http://b.example.com"), pair("A@owner/name")].into();
        assert_eq!(read(&path).unwrap(), BTreeSet::new());
        write(&path, &own).unwrap();
        assert_eq!(read(&path).unwrap(), own);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("by others"));
        }
    }

    #[test]
    fn a_file_that_is_not_understood_allows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.yaml");
        for text in [
            "trust: [A@b]",
            "castline: 2\ntrust: []",
            "castline: 1\ntrust: [nothing]",
            "castline: 1\ntrusted: []",
            "castline: 0\ntrust: []",
        ] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn a_newer_file_is_called_newer_whatever_stands_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.yaml");
        for text in ["castline: 2\ntrust: []", "castline: 2\ntrust: { a: b }\nfresh: 1"] {
            fs::write(&path, text).unwrap();
            let trouble = read(&path).unwrap_err();
            assert!(trouble.to_string().ends_with("has version 2, and this castline knows versions up to 1"));
            assert_eq!(trouble.hint(), Some("a newer castline wrote it: update castline"));
        }
    }
}
