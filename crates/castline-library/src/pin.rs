//! One library as `castline.lock` has it.

use castline_spec::library::{GitPlace, Place, is_digest};
use serde::{Deserialize, Serialize};

/// What a library was when it was pinned. Its name is the key under which it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// `version` of its `library.yaml`, for people.
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rev: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oci: Option<String>,
    /// The commit, for `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The digest of the manifest, for `oci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The digest of its files, wherever they came from.
    pub digest: String,
    /// The libraries that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
}

impl Pin {
    /// Of a place and of what was there: the commit or the manifest's digest, and the files' digest.
    pub(crate) fn new(place: &Place, version: String, exact: Option<String>, digest: String) -> Self {
        let mut pin = Self {
            version,
            path: None,
            git: None,
            rev: None,
            folder: None,
            oci: None,
            commit: None,
            manifest: None,
            digest,
            libraries: Vec::new(),
        };
        match place {
            Place::Path(path) => pin.path = Some(path.clone()),
            Place::Git(git) => {
                pin.git = Some(git.url.clone());
                pin.rev.clone_from(&git.rev);
                pin.folder.clone_from(&git.folder);
                pin.commit = exact;
            }
            Place::Oci(oci) => {
                pin.oci = Some(oci.to_string());
                pin.manifest = exact;
            }
        }
        pin
    }

    /// The commit or the manifest's digest.
    pub fn exact(&self) -> Option<&str> {
        self.commit.as_deref().or(self.manifest.as_deref())
    }

    /// Where it comes from; none when that cannot be understood.
    pub fn place(&self) -> Option<Place> {
        match (&self.path, &self.git, &self.oci) {
            (Some(path), None, None) => Some(Place::Path(path.clone())),
            (None, Some(url), None) => Some(Place::Git(GitPlace {
                url: url.clone(),
                rev: self.rev.clone(),
                folder: self.folder.clone(),
            })),
            (None, None, Some(oci)) => oci.parse().ok().map(Place::Oci),
            _ => None,
        }
    }

    /// Why a lock with this entry is not believed; none when it is.
    pub fn problem(&self, name: &str) -> Option<String> {
        let hex =
            |text: &String| [40, 64].contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
        let place = self.place();
        let names = std::iter::once(name).chain(self.libraries.iter().map(String::as_str));
        let bad = names.filter(|name| castline_spec::library::bad_name(name).is_some()).collect::<Vec<_>>();
        match () {
            () if !bad.is_empty() => Some(format!("`{}` is no name of a library", bad[0])),
            () if !is_digest(&self.digest) => Some(format!("the digest of `{name}` is none")),
            () if place.is_none() => Some(format!("`{name}` comes from no place")),
            () if self.git.is_some() && !self.commit.as_ref().is_some_and(hex) => {
                Some(format!("the commit of `{name}` is none"))
            }
            () if self.oci.is_some() && !self.manifest.as_ref().is_some_and(|m| is_digest(m)) => {
                Some(format!("the manifest of `{name}` is no digest"))
            }
            () => None,
        }
    }
}
