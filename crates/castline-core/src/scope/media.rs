//! A picture or another file in a template.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value as Jinja};

use crate::media::Artifact;

/// An artifact in a template.
#[derive(Debug)]
struct MediaView(Artifact);

impl Object for MediaView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match key.as_str()? {
            "media_type" => Some(Jinja::from(self.0.media_type.as_str())),
            "width" => self.0.width.map(Jinja::from),
            "height" => self.0.height.map(Jinja::from),
            "bytes" => Some(Jinja::from(self.0.bytes)),
            "digest" => Some(Jinja::from(self.0.digest.to_string())),
            _ => None,
        }
    }

    /// What filters write that are told to make text of it.
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.digest.to_string())
    }
}

/// An artifact as templates see it.
pub(crate) fn media(artifact: &Artifact) -> Jinja {
    Jinja::from_object(MediaView(artifact.clone()))
}

/// The artifact, when the value is one.
pub(crate) fn as_artifact(value: &Jinja) -> Option<Artifact> {
    value.downcast_object_ref::<MediaView>().map(|view| view.0.clone())
}
