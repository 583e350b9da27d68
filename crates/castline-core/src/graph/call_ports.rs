//! The outputs of a called workflow as the ports of the step that calls it.

use std::collections::BTreeSet;

use castline_spec::Name;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;

use super::Output;
use crate::types::{Kinds, Type};

/// What an output or a port is: the kind of file, none for text, and whether it is a list.
pub(super) type Shape = (Option<MediaKind>, bool);

fn shape_of(gives: &Type) -> Option<Shape> {
    let one = |gives: &Type| match gives.media_kind() {
        Some(kind) => Some(Some(kind)),
        None => gives.kinds().only(Kinds::TEXT).then_some(None),
    };
    let gives = gives.when_there().without_null();
    match gives.kinds().only(Kinds::LIST) {
        true => Some((one(&innermost(&gives))?, true)),
        false => Some((one(&gives)?, false)),
    }
}

/// What the items of a list are, however many lists are in each other.
fn innermost(gives: &Type) -> Type {
    let items = gives.items();
    if items.kinds().only(Kinds::LIST) { innermost(&items) } else { items }
}

/// The name of a port of this shape.
pub(super) fn word(shape: Shape) -> String {
    let (kind, many) = shape;
    format!("{}{}", kind.map_or("text", MediaKind::as_str), if many { "s" } else { "" })
}

/// The output of a called workflow that a port such as `image` or `texts` means: the one of this
/// name, else the only one that is such.
pub(crate) fn output_for<'o>(outputs: &'o IndexMap<Name, Output>, port: &str) -> Option<&'o Name> {
    if let Some((name, _)) = outputs.get_key_value(port) {
        return Some(name);
    }
    let one = port.strip_suffix('s').unwrap_or(port);
    let kind = if one == "text" { None } else { Some(MediaKind::of_name(one)?) };
    let of_kind = |(name, output): (&'o Name, &Output)| {
        let (given, many) = shape_of(&output.gives)?;
        let fits = match (kind, given) {
            (Some(kind), Some(given)) => kind.accepts(given),
            (kind, given) => kind == given,
        };
        fits.then_some((name, many))
    };
    let found: Vec<_> = outputs.iter().filter_map(of_kind).collect();
    let many = one != port;
    let exact: Vec<_> = found.iter().filter(|(_, list)| *list == many).collect();
    match (&exact[..], &found[..]) {
        ([(name, _)], _) | (_, [(name, _)]) => Some(name),
        _ => None,
    }
}

/// What one output of a called workflow is when nobody says which: the kind of its outputs, when
/// they are of one kind, or of the only ones that are files.
pub(super) fn main_shape(outputs: &IndexMap<Name, Output>) -> Option<Shape> {
    let kinds: BTreeSet<Option<MediaKind>> =
        outputs.values().filter_map(|output| Some(shape_of(&output.gives)?.0)).collect();
    let files: Vec<_> = kinds.iter().copied().flatten().collect();
    match (&files[..], kinds.len()) {
        ([kind], _) => Some((Some(*kind), false)),
        ([], 1) => Some((None, false)),
        _ => None,
    }
}

/// `` `sheet` (image), `title` (text) ``: for messages.
pub(crate) fn outputs_in_words(outputs: &IndexMap<Name, Output>) -> String {
    let one = |(name, output): (&Name, &Output)| match shape_of(&output.gives) {
        Some(shape) => format!("`{name}` ({})", word(shape)),
        None => format!("`{name}`"),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}
