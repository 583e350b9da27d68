//! Which of the three create routes a request takes. They are not interchangeable, and a
//! second one is never tried: it could create a second prediction.

use std::fmt;

use castline_core::ModelRef;

use crate::call::{CallFault, Create};

/// Where a create goes, by the kind of what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// An official model, by its name.
    Name(&'a ModelRef),
    /// A community model, by its version.
    Version(&'a ModelRef, &'a str),
    /// A deployment, by its owner and name; it fixes model and version by itself.
    Deployment(&'a str, &'a str),
}

impl<'a> Route<'a> {
    /// Decides once; a request that fits no route is refused here.
    pub fn of(create: &Create<'a>) -> Result<Self, CallFault> {
        let model = create.model;
        match (create.deployment, model.version.as_deref()) {
            (Some(deployment), _) => deployment
                .split_once('/')
                .filter(|(owner, name)| [owner, name].iter().all(|part| is_plain(part)))
                .map(|(owner, name)| Self::Deployment(owner, name))
                .ok_or_else(|| {
                    CallFault::BadInput(format!(
                        "the deployment `{deployment}` is not of the form owner/name"
                    ))
                }),
            (None, Some(ModelRef::LATEST)) => Err(CallFault::BadInput(format!(
                "the version of `{}` is not pinned, and there is no version called `latest`",
                model.path()
            ))),
            (None, Some(version)) => Ok(Self::Version(model, version)),
            (None, None) => Ok(Self::Name(model)),
        }
    }

    /// The member `version` of the body.
    pub fn version(self) -> Option<&'a str> {
        match self {
            Self::Version(_, version) => Some(version),
            Self::Name(_) | Self::Deployment(..) => None,
        }
    }
}

impl fmt::Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(model) | Self::Version(model, _) => model.fmt(f),
            Self::Deployment(owner, name) => write!(f, "{owner}/{name}"),
        }
    }
}

/// True for what can stand in a path as it is.
fn is_plain(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) && part.chars().any(|c| c != '.')
}
