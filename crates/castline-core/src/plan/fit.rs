//! A rendered value on its way into a field.

use castline_spec::outside::is_pattern;
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic, Source, Spanned};
use serde_json::Value as Json;

use crate::field::{Field, type_words};
use crate::files::{Broken, Files, NoFile, Origin};
use crate::graph::{is_path, misfit_finding};
use crate::inputs::{Given, NoValue, listing, media, value_of};
use crate::templates::{Bound, BoundKind};
use crate::value::Value;

/// Why a value is not to be had.
#[derive(Debug)]
pub(super) enum Misfit {
    /// A file is not loaded yet.
    NotYet,
    /// It does not fit.
    Wrong(Vec<Diagnostic>),
}

/// Makes a rendered value fit its field where that is safe. None stays none.
pub(super) fn fitting(
    name: &str,
    value: Value,
    bound: &Bound,
    field: Option<&Field>,
    files: &Files,
) -> Result<Value, Misfit> {
    let value = prune(value);
    let Some(field) = field.filter(|_| !value.is_null()) else { return Ok(value) };
    let value = media_in(value, bound, field, files).map_err(|no_file| match no_file {
        NoFile::NotYet => Misfit::NotYet,
        NoFile::Broken(broken) => {
            Misfit::Wrong(vec![broken.finding(&format!("`{name}`"), &bound.source, bound.span)])
        }
    })?;
    let typed = matches!(bound.kind, BoundKind::Template(..));
    let value = if typed { as_text(value, field) } else { value };
    if let Some(finding) = wrong_media(name, &value, bound, field) {
        return Err(Misfit::Wrong(vec![finding]));
    }
    let misfits = field.misfits(&value);
    if misfits.is_empty() {
        return Ok(value);
    }
    let finding = |misfit| misfit_finding(name, misfit, &bound.source, bound.span, Some(field), !typed);
    Err(Misfit::Wrong(misfits.into_iter().map(finding).collect()))
}

/// What a declared input is when nothing is given for it.
pub(super) fn default_of(
    default: &Spanned<Json>,
    source: &Source,
    field: &Field,
    files: &Files,
) -> Result<Value, NoValue> {
    let given = Given { value: default.value.clone(), from: Origin::document(source) };
    value_of(field, &given, default.value.is_null(), files)
}

/// Paths become artifacts where the field takes media, and a pattern the files that match.
fn media_in(value: Value, bound: &Bound, field: &Field, files: &Files) -> Result<Value, NoFile> {
    let from = Origin::document(&bound.source);
    let Some(takes) = field.media else { return inner_media(value, &field.schema, &from, files) };
    match value {
        Value::String(path) if takes.many && is_written_pattern(bound, &path) => {
            let paths = listing(&path, &from, files)?;
            let found = paths.iter().map(|path| media(path, takes.kind, &from, files).map(Value::Media));
            all(found).map(Value::List)
        }
        Value::String(path) if is_path(&path) => media(&path, takes.kind, &from, files).map(Value::Media),
        Value::String(text) => Err(NoFile::Broken(Broken::new(
            Code::BadMedia,
            format!("takes a file, and `{text}` is no path that begins with `./` or `../`"),
        ))),
        Value::List(items) if takes.many => {
            all(items.into_iter().map(|item| media_in(item, bound, field, files))).map(Value::List)
        }
        other => Ok(other),
    }
}

/// The same inside of maps, and of lists of them, by the schema of each place.
fn inner_media(value: Value, schema: &Json, from: &Origin, files: &Files) -> Result<Value, NoFile> {
    match value {
        Value::String(path) if is_path(&path) => match MediaKind::of_schema(schema) {
            Some(kind) => media(&path, kind, from, files).map(Value::Media),
            None => Ok(Value::String(path)),
        },
        Value::List(items) if schema["items"].is_object() => {
            all(items.into_iter().map(|item| inner_media(item, &schema["items"], from, files)))
                .map(Value::List)
        }
        Value::Map(entries) if schema["properties"].is_object() => {
            let (names, values): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
            let inner = |(name, value)| inner_media(value, &schema["properties"][name], from, files);
            let values = all(names.iter().zip(values).map(inner))?;
            Ok(Value::Map(names.into_iter().zip(values).collect()))
        }
        other => Ok(other),
    }
}

/// Typed numbers and booleans become text where only text is taken; no file is called `2`.
fn as_text(value: Value, field: &Field) -> Value {
    match value {
        other if field.media.is_some() => other,
        Value::Number(n) if field.takes_text_only() => Value::String(n.to_string()),
        Value::Bool(b) if field.takes_text_only() => Value::String(b.to_string()),
        other => other,
    }
}

/// A pattern of files that stands in the document itself.
fn is_written_pattern(bound: &Bound, text: &str) -> bool {
    matches!(bound.kind, BoundKind::Literal(_)) && is_path(text) && is_pattern(text)
}

/// All of them, each asked for before the first that cannot be had is told.
fn all(found: impl Iterator<Item = Result<Value, NoFile>>) -> Result<Vec<Value>, NoFile> {
    found.collect::<Vec<_>>().into_iter().collect()
}

/// True when a template's value is taken by a field.
#[cfg(test)]
pub(crate) fn takes(value: Value, field: &Field) -> bool {
    let value = as_text(prune(value), field);
    let bound =
        Bound { source: field.source.clone(), span: field.span, kind: BoundKind::Literal(Value::Null) };
    let no_path = |value: &Value| matches!(value, Value::String(text) if !is_path(text));
    let no_file = match &value {
        Value::List(items) => items.iter().any(no_path),
        one => no_path(one),
    };
    value.is_null()
        || !(field.media.is_some() && no_file)
            && wrong_media("", &value, &bound, field).is_none()
            && field.misfits(&value).is_empty()
}

/// Artifacts of a kind that the field does not take.
fn wrong_media(name: &str, value: &Value, bound: &Bound, field: &Field) -> Option<Diagnostic> {
    let error = |code, message: String| {
        let finding = Diagnostic::error(code, &bound.source, bound.span, message);
        Some(finding.label(&field.source, field.span, "declared here"))
    };
    let Some(media) = field.media else {
        let text = !field.types().is_empty() && matches!(value, Value::Media(_));
        return text.then(|| {
            error(Code::TypeMismatch, format!("`{name}` takes {}, not media", type_words(&field.types())))
        })?;
    };
    let other = value.media().into_iter().find(|a| !media.kind.accepts(a.kind()))?;
    error(Code::MediaMismatch, format!("`{name}` takes {}, not {}", media.kind.as_str(), other.media_type))
}

/// Leaves out nones in maps and lists, at any depth below the value itself.
fn prune(value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().filter(|v| !v.is_null()).map(prune).collect()),
        Value::Map(map) => {
            Value::Map(map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, prune(v))).collect())
        }
        other => other,
    }
}
