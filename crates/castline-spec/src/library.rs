//! Libraries: what a project names under `libraries`, and the document `library.yaml`.
//!
//! Only what is written is known here. What a place holds, and what of it is pinned, is the work
//! of `castline-library`.
//!
//! Start reading at [`Library::parse`] and [`Place`].

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostics};
use crate::document::{Fields, Reader};
use crate::name::Name;
use crate::raw::{Key, Node};
use crate::span::{Source, Span, Spanned};

/// The keys of `library.yaml`.
pub const KEYS: &[&str] = &["castline", "name", "version", "description", "licence", "libraries"];

/// The keys of a place.
pub(crate) const PLACE_KEYS: &[&str] = &["path", "git", "rev", "folder", "oci"];

/// Names that no library can have, because they begin names of castline's own.
const RESERVED: &[&str] = &["std", "model"];

/// The document `library.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Library {
    /// The text it came from.
    pub source: Source,
    /// `name`: what its presets and workflows are called by, `name/preset`.
    pub name: Spanned<String>,
    /// `version`, for people.
    pub version: Spanned<String>,
    /// `description`, for people.
    pub description: Option<String>,
    /// `licence`, for people.
    pub licence: Option<String>,
    /// `libraries`: what it is made of, by name.
    pub libraries: IndexMap<String, Wanted>,
}

/// A library as a document names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where its name stands.
    pub name_span: Span,
    /// Where its place stands.
    pub span: Span,
    /// Where it comes from.
    pub place: Place,
}

/// Where a library comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder, absolute or relative to the document.
    Path(String),
    /// A git repository.
    Git(GitPlace),
    /// An OCI registry.
    Oci(OciPlace),
}

/// A library in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitPlace {
    /// Its address, or a path.
    pub url: String,
    /// A tag, a branch or a commit; without it what the repository calls its head.
    pub rev: Option<String>,
    /// The folder in it; without it the whole.
    pub folder: Option<String>,
}

/// A library in an OCI registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciPlace {
    /// The host, with its port where it says one.
    pub host: String,
    /// The name there, such as `team/presets`.
    pub repository: String,
    /// Which of its versions.
    pub version: OciVersion,
}

/// Which version of a repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OciVersion {
    /// A name that may come to mean another one.
    Tag(String),
    /// `sha256:` and 64 digits: always the same.
    Digest(String),
}

impl Library {
    /// Reads a `library.yaml`. It comes with all findings, and is there when it has a name and a version.
    pub fn parse(source: &Source) -> (Option<Self>, Diagnostics) {
        Reader::document(source, Reader::library)
    }
}

/// Why a text cannot be the name of a library; none when it can.
pub fn bad_name(name: &str) -> Option<&'static str> {
    match () {
        () if RESERVED.contains(&name) => Some("names of castline's own begin with it"),
        () if !Name::is_document_name(name) => {
            Some("such names are lower case letters, digits, `-`, `_` and `.`")
        }
        () => None,
    }
}

impl Place {
    /// True for a place on this machine: a folder, or a repository in one.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Path(_) => true,
            Self::Git(git) => git.local_path().is_some(),
            Self::Oci(_) => false,
        }
    }

    /// The host that it is fetched from; none for a local one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Path(_) => None,
            Self::Oci(oci) => Some(&oci.host),
            Self::Git(git) if git.local_path().is_some() => None,
            Self::Git(git) => {
                let rest = git.url.split_once("://").map_or(git.url.as_str(), |(_, rest)| rest);
                let host = rest.split('/').next()?.rsplit('@').next()?;
                // `git@host:path` as ssh has it.
                Some(if git.url.contains("://") { host } else { host.split(':').next()? })
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Git(git) => {
                f.write_str(&git.url)?;
                git.folder.iter().try_for_each(|folder| write!(f, " {folder}"))?;
                git.rev.iter().try_for_each(|rev| write!(f, " at {rev}"))
            }
            Self::Oci(oci) => oci.fmt(f),
        }
    }
}

impl GitPlace {
    /// The path of a repository on this machine, as it is written.
    pub fn local_path(&self) -> Option<&str> {
        let is_path = self.url.starts_with("./") || self.url.starts_with("../") || self.url.starts_with('/');
        if is_path { Some(&self.url) } else { self.url.strip_prefix("file://") }
    }

    /// Why git is not asked for this address; none when it is.
    fn bad_url(&self) -> Option<&'static str> {
        let url = self.url.as_str();
        let scheme = url.split_once("://");
        match scheme {
            _ if url.starts_with('-') || url.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Some("an address neither begins with `-` nor has blanks")
            }
            _ if url.split("://").next().is_some_and(|before| before.contains("::")) => {
                Some("addresses that run a helper of git are not taken")
            }
            _ if self.local_path().is_some() => None,
            Some(("https" | "http", rest)) if rest.split('/').next().is_some_and(|h| h.contains('@')) => {
                Some("a password does not belong in a file: git asks your credential helper")
            }
            Some(("https" | "ssh", rest)) if has_host_and_path(rest, '/') => None,
            Some(("http", rest)) if is_loopback(rest.split('/').next().unwrap_or_default()) => None,
            Some(("http", _)) => Some("without TLS anybody on the way can change it: write `https://`"),
            None if url.contains('@') && has_host_and_path(url, ':') => None,
            _ => {
                Some("it begins with `https://`, `ssh://`, `file://`, `./` or `../`, or is `user@host:path`")
            }
        }
    }
}

fn has_host_and_path(rest: &str, between: char) -> bool {
    let parts = rest.split_once(between);
    parts.is_some_and(|(host, path)| {
        !host.is_empty() && !host.starts_with('-') && !host.contains("@-") && !path.is_empty()
    })
}

/// True for a host, with or without a port, that is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<core::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl OciPlace {
    /// What stands after the name on the wire: the tag or the digest.
    pub fn reference(&self) -> &str {
        match &self.version {
            OciVersion::Tag(text) | OciVersion::Digest(text) => text,
        }
    }
}

impl fmt::Display for OciPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if matches!(self.version, OciVersion::Digest(_)) { '@' } else { ':' };
        write!(f, "{}/{}{between}{}", self.host, self.repository, self.reference())
    }
}

impl FromStr for OciPlace {
    type Err = &'static str;

    /// `host/name:tag` or `host/name@sha256:...`, with `oci://` before it or not.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "write `registry.example.com/team/presets:1.4`, or `...@sha256:` and the digest";
        let text = text.strip_prefix("oci://").unwrap_or(text);
        let (host, rest) = text.split_once('/').ok_or(FORM)?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if !(host.contains(['.', ':']) || host == "localhost") || !host.chars().all(is_host) {
            return Err(FORM);
        }
        let (repository, version) = if let Some((name, digest)) = rest.split_once('@') {
            (name, OciVersion::Digest(digest.to_owned()))
        } else {
            let (name, tag) = rest.rsplit_once(':').ok_or(FORM)?;
            (name, OciVersion::Tag(tag.to_owned()))
        };
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_part = |part: &str| {
            part.starts_with(lower)
                && part.ends_with(lower)
                && part.chars().all(|c| lower(c) || "._-".contains(c))
        };
        let fits = match &version {
            OciVersion::Digest(digest) => is_digest(digest),
            OciVersion::Tag(tag) => {
                tag.len() <= 128
                    && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            }
        };
        match fits && repository.split('/').all(is_part) {
            true => Ok(Self { host: host.to_owned(), repository: repository.to_owned(), version }),
            false => Err(FORM),
        }
    }
}

/// True for `sha256:` and 64 lower case hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

impl Reader<'_> {
    fn library(&mut self, root: &Node) -> Option<Library> {
        if self.is_another(root, "library", "version") {
            return None;
        }
        let fields = self.fields(root, "a library", KEYS)?;
        self.language(&fields);
        for key in ["name", "version"].into_iter().filter(|key| fields.get(key).is_none()) {
            self.missing(&fields, "a library", key);
        }
        let name = fields.get("name").and_then(|node| self.spanned(node, "`name`"));
        let name = name.filter(|name| self.library_name(name));
        let version = fields.get("version").and_then(|node| self.spanned(node, "`version`"));
        let version = version.filter(|version| self.library_version(version));
        let description = fields.get("description").and_then(|node| self.string(node, "`description`"));
        let licence = fields.get("licence").and_then(|node| self.string(node, "`licence`"));
        let libraries = fields.get("libraries").map(|node| self.libraries(node)).unwrap_or_default();
        Some(Library {
            source: self.source.clone(),
            name: name?,
            version: version?,
            description,
            licence,
            libraries,
        })
    }

    fn library_name(&mut self, name: &Spanned<String>) -> bool {
        let why = bad_name(&name.value);
        if let Some(why) = why {
            let message = format!("`{}` cannot be the name of a library", name.value);
            self.push(self.error(Code::InvalidName, name.span, message).hint(why));
        }
        why.is_none()
    }

    fn library_version(&mut self, version: &Spanned<String>) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
        let good = !version.value.is_empty() && version.value.chars().all(fits);
        if !good {
            let message = format!("`version` cannot be `{}`", version.value);
            self.push(self.error(Code::InvalidValue, version.span, message).hint("write it as `1.4.0`"));
        }
        good
    }

    /// `libraries`, of a project or of a library.
    pub(crate) fn libraries(&mut self, node: &Node) -> IndexMap<String, Wanted> {
        let entries = self.entries(node, "`libraries`").unwrap_or_default();
        let wanted = |(key, node): &(Key, Node)| {
            let named = self.library_name(key);
            let place = self.place(key, node)?;
            let wanted = Wanted { name_span: key.span, span: node.span, place };
            named.then(|| (key.value.clone(), wanted))
        };
        entries.iter().filter_map(wanted).collect()
    }

    fn place(&mut self, key: &Key, node: &Node) -> Option<Place> {
        let what = format!("library `{}`", key.value);
        let fields = self.fields(node, &what, PLACE_KEYS)?;
        let kinds: Vec<_> = ["path", "git", "oci"].into_iter().filter(|k| fields.get(k).is_some()).collect();
        match kinds[..] {
            ["path"] => self.path(&fields),
            ["git"] => self.git(&fields),
            ["oci"] => self.oci(&fields),
            [] if ["path", "git", "oci"].iter().any(|kind| fields.means(kind)) => None,
            [] => {
                let message = format!("{what} needs `path`, `git` or `oci`");
                self.push(self.error(Code::MissingKey, key.span, message));
                None
            }
            _ => {
                let message = format!("{what} comes from one place, and here are {}", kinds.len());
                self.push(self.error(Code::InvalidValue, key.span, message).hint("keep one of them"));
                None
            }
        }
        .filter(|place| matches!(place, Place::Git(_)) || !self.only_for_git(&fields))
    }

    fn only_for_git(&mut self, fields: &Fields<'_>) -> bool {
        let keys: Vec<_> = ["rev", "folder"].into_iter().filter_map(|key| fields.entry(key)).collect();
        for (key, _) in &keys {
            let message = format!("`{}` belongs to `git`", key.value);
            self.push(self.error(Code::UnknownKey, key.span, message));
        }
        !keys.is_empty()
    }

    fn path(&mut self, fields: &Fields<'_>) -> Option<Place> {
        let path = self.spanned(fields.get("path")?, "`path`")?;
        if path.value.starts_with("./") || path.value.starts_with("../") || path.value.starts_with('/') {
            return Some(Place::Path(path.value));
        }
        let message = format!("`path` cannot be `{}`", path.value);
        let finding = self.error(Code::InvalidPath, path.span, message);
        let finding = finding.hint("a relative path begins with `./` or `../`");
        let plain = path.value.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        self.push(match plain && !path.value.is_empty() {
            true => finding.suggest(path.span, format!("./{}", path.value)),
            false => finding,
        });
        None
    }

    fn git(&mut self, fields: &Fields<'_>) -> Option<Place> {
        let url = self.spanned(fields.get("git")?, "`git`")?;
        let rev = fields.get("rev").map(|node| self.spanned(node, "`rev`"));
        let folder = fields.get("folder").map(|node| self.spanned(node, "`folder`"));
        let (rev, folder) = (rev.unwrap_or_default(), folder.unwrap_or_default());
        let mut fits = true;
        if let Some(rev) = rev.as_ref().filter(|rev| !is_revision(&rev.value)) {
            let message = format!("`rev` cannot be `{}`", rev.value);
            self.push(self.error(Code::InvalidValue, rev.span, message).hint("a tag, a branch or a commit"));
            fits = false;
        }
        if let Some(folder) = folder.as_ref().filter(|folder| !is_folder(&folder.value)) {
            let message = format!("`folder` cannot be `{}`", folder.value);
            let hint = "a folder of the repository, as `presets/brand`";
            self.push(self.error(Code::InvalidPath, folder.span, message).hint(hint));
            fits = false;
        }
        let (rev, folder) = (rev.map(|rev| rev.value), folder.map(|folder| folder.value));
        let git = GitPlace { url: url.value, rev, folder };
        if let Some(why) = git.bad_url() {
            // What stands before `@` is not shown: it may be a password.
            let secret = git.url.contains("://") && git.url.contains('@');
            let shown = if secret { "this".to_owned() } else { format!("`{}`", git.url) };
            let message = format!("`git` cannot be {shown}");
            self.push(self.error(Code::InvalidValue, url.span, message).hint(why));
            fits = false;
        }
        fits.then_some(Place::Git(git))
    }

    fn oci(&mut self, fields: &Fields<'_>) -> Option<Place> {
        let text = self.spanned(fields.get("oci")?, "`oci`")?;
        match text.value.parse() {
            Ok(place) => Some(Place::Oci(place)),
            Err(why) => {
                let message = format!("`oci` cannot be `{}`", text.value);
                self.push(self.error(Code::InvalidValue, text.span, message).hint(why));
                None
            }
        }
    }
}

/// What git takes for the name of a tag or a branch, or a commit, and nothing that it computes.
fn is_revision(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['-', '/', '+'])
        && !text.contains("..")
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\@{".contains(c))
}

/// A relative path that goes nowhere but down.
fn is_folder(text: &str) -> bool {
    text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !text.starts_with('-')
        && !text.contains(|c: char| c == '\\' || c == ':' || c.is_control())
}

#[cfg(test)]
mod tests;
