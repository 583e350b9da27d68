//! What a provider runs, and which cache its results belong to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a provider: `sandbox`, `replicate`, or one of the project's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderName(pub Arc<str>);

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ProviderName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Which cache a provider's results belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    /// `replicate` and `cometapi`: the same weights.
    Public,
    /// The embedded stand-ins, by revision of the way they draw.
    Sandbox(u32),
    /// The local image tools, by revision of what they do.
    Std(u32),
    /// A provider of the user's own, by name.
    Own(ProviderName),
}

/// A model: `owner/name`, with a version where it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelRef {
    /// Who made it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// For a community model: its version id, or `latest`.
    pub version: Option<String>,
}

/// A text that names no model.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a model of the form owner/name or owner/name:version")]
pub struct BadModel(String);

impl ModelRef {
    /// The version that stands for the newest.
    pub const LATEST: &str = "latest";

    /// True when the newest version is meant, whichever that is.
    pub(crate) fn is_latest(&self) -> bool {
        self.version.as_deref() == Some(Self::LATEST)
    }

    /// The id of the version; none for the newest, and where no version is named.
    pub fn version_id(&self) -> Option<&str> {
        self.version.as_deref().filter(|version| *version != Self::LATEST)
    }

    /// `owner/name` without the version.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        self.version.as_ref().map_or(Ok(()), |v| write!(f, ":{v}"))
    }
}

impl FromStr for ModelRef {
    type Err = BadModel;

    fn from_str(text: &str) -> Result<Self, BadModel> {
        let plain = |s: &str| {
            !s.is_empty()
                && s.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
                && s.chars().any(|c| c != '.')
        };
        let (path, version) = match text.split_once(':') {
            Some((path, version)) => (path, Some(version)),
            None => (text, None),
        };
        match path.split_once('/') {
            Some((owner, name)) if plain(owner) && plain(name) && version.is_none_or(plain) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
                version: version.map(str::to_owned),
            }),
            _ => Err(BadModel(text.to_owned())),
        }
    }
}

impl From<ModelRef> for String {
    fn from(model: ModelRef) -> Self {
        model.to_string()
    }
}

impl TryFrom<String> for ModelRef {
    type Error = BadModel;

    fn try_from(text: String) -> Result<Self, BadModel> {
        text.parse()
    }
}
