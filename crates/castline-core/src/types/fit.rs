//! Whether a value of a type fits an input, decided before there is a value.
//!
//! Containment of schemas is the jsonschema crate's answer. What a run does to a value on its
//! way into an input is done to its type here: nones are left out, numbers and booleans become
//! text where only text is taken.
//!
//! Start reading at [`Fitting::fit`].

use std::collections::BTreeMap;
use std::sync::Arc;

use castline_spec::schema::MediaKind;
use jsonschema::Draft;
use jsonschema::canonical::{self, CanonicalSchema, Containment, Satisfiability};
use serde_json::{Map, Value as Json, json};

use super::{Kinds, MOST_VALUES, Type, alternatives, items, media, union, values, with_media, without_null};
use crate::field::{Field, Misfit};
use crate::graph::is_path;

/// Whether values of a type fit.
#[derive(Debug, Clone, PartialEq)]
pub enum Fit {
    /// Every one does.
    Proved,
    /// It depends on the value, which is checked before its create.
    Open,
    /// None does; with the reason, when the one value that it can be is known.
    Never(Option<Misfit>),
    /// These values do not, others do.
    Partly(Vec<(Json, Misfit)>),
}

/// Answers what fits what, and remembers it.
#[derive(Debug, Default)]
pub struct Fitting {
    schemas: BTreeMap<(String, bool), Option<Arc<CanonicalSchema>>>,
    answers: BTreeMap<(String, String), Relation>,
}

/// How the values of two schemas lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Covered,
    Disjoint,
    Unknown,
}

impl Fitting {
    /// Whether values of a type fit an input.
    pub fn fit(&mut self, given: &Type, field: &Field) -> Fit {
        if given.is_any() {
            return if field.schema == Json::Bool(true) { Fit::Proved } else { Fit::Open };
        }
        let mut schema = settle(&given.schema);
        if schema == Json::Bool(false) {
            // Nothing but none: the input is left out.
            return if field.required { Fit::Open } else { Fit::Proved };
        }
        if field.takes_text_only() && field.media.is_none() {
            schema = as_text(&schema);
        }
        let mut open = !given.is_sure() || (field.required && given.kinds().any(Kinds::NULL));
        if let Some(takes) = field.media {
            let with_paths = paths_as_media(&schema, takes.kind);
            open |= with_paths != schema;
            schema = with_paths;
        } else if holds_media(&schema) {
            return self.media_in_text(&schema, field);
        }
        let fit = match values(&schema).filter(|_| field.media.is_none()) {
            Some(values) => one_by_one(&values, field),
            None => self.related(&schema, &target(field)),
        };
        if open && fit == Fit::Proved { Fit::Open } else { fit }
    }

    /// True when no value satisfies a schema.
    pub(crate) fn takes_nothing(&mut self, schema: &Json) -> bool {
        let schema = with_media(schema, &|_| true);
        let plain = |key: &String| matches!(key.as_str(), "type" | "items");
        if schema.as_object().is_none_or(|map| map.keys().all(plain)) {
            return false;
        }
        let canonical = self.canonical(&schema.to_string(), &schema, crate::field::draft([&schema]));
        canonical.is_some_and(|schema| schema.satisfiability() == Satisfiability::No)
    }

    /// Media where the schema takes none by itself: refused in a text of its own, accepted where
    /// nothing is said, and as an address inside of maps.
    fn media_in_text(&mut self, schema: &Json, field: &Field) -> Fit {
        let own = Kinds::of(schema);
        let lists = own.any(Kinds::LIST) && Kinds::of(&field.schema).any(Kinds::LIST);
        if super::has_reference(&field.schema) {
            return Fit::Open;
        }
        if !(lists || own.any(Kinds::MEDIA)) {
            return match self.related(&addresses(schema), &target(field)) {
                Fit::Proved => Fit::Open,
                other => other,
            };
        }
        if field.types().is_empty() || !own.only(Kinds::MEDIA) { Fit::Open } else { Fit::Never(None) }
    }

    fn related(&mut self, given: &Json, target: &Json) -> Fit {
        match self.relation(given, target) {
            Relation::Covered => Fit::Proved,
            Relation::Disjoint => Fit::Never(None),
            Relation::Unknown if self.items_never_fit(given, target) => Fit::Never(None),
            Relation::Unknown => Fit::Open,
        }
    }

    /// A list of things that the other list never takes fits only while it is empty.
    fn items_never_fit(&mut self, given: &Json, target: &Json) -> bool {
        let lists = |schema| alternatives(schema).into_iter().all(|part| Kinds::of(part).only(Kinds::LIST));
        if !lists(given) || !lists(target) {
            return false;
        }
        let of = |schema| {
            let found = alternatives(schema).into_iter().filter_map(Json::as_object).map(items);
            Type::union(&found.collect::<Vec<_>>())
        };
        let (given, target) = (of(given), of(target));
        !given.is_any()
            && !target.is_any()
            && *given.schema != Json::Bool(false)
            && self.relation(&given.schema, &target.schema) == Relation::Disjoint
    }

    fn relation(&mut self, given: &Json, target: &Json) -> Relation {
        if *target == Json::Bool(true) || given == target {
            return Relation::Covered;
        }
        if Kinds::of(given).and(Kinds::of(target)) == Kinds::NONE {
            return Relation::Disjoint;
        }
        let key = (given.to_string(), target.to_string());
        if let Some(known) = self.answers.get(&key) {
            return *known;
        }
        let draft = crate::field::draft([given, target]);
        let answer = match (self.canonical(&key.0, given, draft), self.canonical(&key.1, target, draft)) {
            (Some(given), Some(target)) => relate(&given, &target),
            _ => Relation::Unknown,
        };
        self.answers.insert(key, answer);
        answer
    }

    /// Schemas of two drafts cannot be compared.
    fn canonical(&mut self, key: &str, schema: &Json, draft: Draft) -> Option<Arc<CanonicalSchema>> {
        let key = (key.to_owned(), draft == Draft::Draft7);
        if let Some(known) = self.schemas.get(&key) {
            return known.clone();
        }
        let found = canonicalize(schema, draft).map(Arc::new);
        self.schemas.insert(key, found.clone());
        found
    }
}

/// A schema in the form in which schemas are compared; none when it is beyond that.
pub(crate) fn canonicalize(schema: &Json, draft: Draft) -> Option<CanonicalSchema> {
    canonical::options().offline().with_draft(draft).should_validate_formats(false).canonicalize(schema).ok()
}

fn relate(given: &CanonicalSchema, target: &CanonicalSchema) -> Relation {
    if matches!(target.covers(given), Ok(Containment::Yes)) {
        return Relation::Covered;
    }
    match target.intersect(given).map(|both| both.satisfiability()) {
        Ok(Satisfiability::No) => Relation::Disjoint,
        _ => Relation::Unknown,
    }
}

/// What an input takes, media written as objects. Inside of maps media are addresses.
pub fn target(field: &Field) -> Json {
    with_media(&field.schema, &|_| false)
}

fn one_by_one(values: &[Json], field: &Field) -> Fit {
    let misfits: Vec<_> = values
        .iter()
        .filter_map(|value| Some((value.clone(), field.misfits_json(value).into_iter().next()?)))
        .collect();
    match (misfits.len(), values.len()) {
        (0, _) => Fit::Proved,
        (_, 1) => Fit::Never(misfits.into_iter().next().map(|(_, misfit)| misfit)),
        (bad, all) if bad == all => Fit::Never(None),
        _ => Fit::Partly(misfits),
    }
}

/// What is left of a type once nones are left out, of lists and maps too.
fn settle(schema: &Json) -> Json {
    let schema = without_null(schema);
    let Json::Object(map) = &schema else { return schema };
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("anyOf", Json::Array(parts)) => parts.iter().map(settle).collect(),
            ("const", value) => prune(value),
            ("enum", Json::Array(values)) => values.iter().map(prune).collect(),
            ("items", Json::Object(_)) => settle(value),
            ("properties", Json::Object(named)) => {
                Json::Object(named.iter().map(|(name, schema)| (name.clone(), settle(schema))).collect())
            }
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    let nulls = |value: &Json| Kinds::of(value).any(Kinds::NULL);
    if map.get("items").is_some_and(nulls) && Kinds::of(&schema).only(Kinds::LIST) {
        out.remove("minItems");
    }
    if let (Some(Json::Object(named)), Some(Json::Array(required))) =
        (map.get("properties"), out.get_mut("required"))
    {
        required.retain(|name| {
            name.as_str().and_then(|name| named.get(name)).is_none_or(|schema| !nulls(schema))
        });
    }
    Json::Object(out)
}

/// Numbers and booleans as the texts that they become.
fn as_text(schema: &Json) -> Json {
    let parts = alternatives(schema).into_iter().map(|part| {
        let kinds = Kinds::of(part);
        if !kinds.any(Kinds::NUMBER.or(Kinds::BOOLEAN)) {
            return part.clone();
        }
        if let Some(values) = values(part).or_else(|| integers(part)) {
            let texts: Vec<Json> = values.into_iter().map(text_of).collect();
            return json!({ "enum": texts });
        }
        if kinds.only(Kinds::NUMBER.or(Kinds::BOOLEAN).or(Kinds::TEXT)) {
            return json!({ "type": "string", "minLength": u8::from(!kinds.any(Kinds::TEXT)) });
        }
        Json::Bool(true)
    });
    union(&parts.collect::<Vec<_>>())
}

fn text_of(value: Json) -> Json {
    match value {
        Json::Number(_) => match crate::Value::from_json(value) {
            // A whole number is written without a point.
            crate::Value::Number(number) => number.to_string().into(),
            _ => Json::Null,
        },
        Json::Bool(truth) => truth.to_string().into(),
        other => other,
    }
}

/// Every integer of a small range.
fn integers(schema: &Json) -> Option<Vec<Json>> {
    let map = schema.as_object()?;
    let known = |key: &String| matches!(key.as_str(), "type" | "minimum" | "maximum");
    if map.get("type")? != "integer" || !map.keys().all(known) {
        return None;
    }
    let (least, most) = (map.get("minimum")?.as_i64()?, map.get("maximum")?.as_i64()?);
    let count = most.checked_sub(least)?;
    (0..MOST_VALUES as i64).contains(&count).then(|| (least..=most).map(Json::from).collect())
}

/// Texts that are surely paths of files become media where media are taken: the plan reads them.
fn paths_as_media(schema: &Json, kind: MediaKind) -> Json {
    let is_prefix = |pattern: &str| pattern.starts_with("^\\./") || pattern.starts_with("^\\.\\./");
    let parts = alternatives(schema).into_iter().map(|part| {
        if let Some(lists) = values(part).filter(|lists| lists.iter().all(is_list_of_paths)) {
            let least = lists.iter().filter_map(Json::as_array).map(Vec::len).min();
            return match least {
                Some(least) if least > 0 => {
                    json!({ "type": "array", "items": media(kind), "minItems": least })
                }
                _ => part.clone(),
            };
        }
        if Kinds::of(part).only(Kinds::LIST) {
            let mut list = part.as_object().cloned().unwrap_or_default();
            if let Some(items) = list.get("items").filter(|items| items.is_object()) {
                let items = paths_as_media(items, kind);
                list.insert("items".into(), items);
            }
            return Json::Object(list);
        }
        let all_paths = values(part).is_some_and(|values| {
            !values.is_empty() && values.iter().all(|v| v.as_str().is_some_and(is_path))
        });
        let path = all_paths || part.get("pattern").and_then(Json::as_str).is_some_and(is_prefix);
        if path { media(kind) } else { part.clone() }
    });
    union(&parts.collect::<Vec<_>>())
}

fn is_list_of_paths(value: &Json) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| item.as_str().is_some_and(is_path)))
}

/// True for texts of which nothing says that they are no path of a file.
pub(crate) fn may_be_path(given: &Type) -> bool {
    let open = |part: &Json| {
        let known = values(part).is_some() || part.get("pattern").is_some();
        Kinds::of(part).only(Kinds::TEXT) && !known
    };
    alternatives(&given.without_null().schema).into_iter().all(|part| match part.get("items") {
        Some(items) if Kinds::of(part).only(Kinds::LIST) => alternatives(items).into_iter().all(open),
        _ => open(part),
    })
}

/// A value as a run leaves it: nones of lists and maps are left out.
pub(crate) fn prune(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().filter(|item| !item.is_null()).map(prune).collect(),
        Json::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), prune(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The schema with a text, the address, for each media value.
fn addresses(schema: &Json) -> Json {
    match schema {
        Json::Object(map) if map.get("properties").is_some_and(|own| own.get(super::MEDIA).is_some()) => {
            json!({ "type": "string" })
        }
        Json::Object(map) => {
            Json::Object(map.iter().map(|(key, value)| (key.clone(), addresses(value))).collect())
        }
        Json::Array(items) => items.iter().map(addresses).collect(),
        other => other.clone(),
    }
}

fn holds_media(schema: &Json) -> bool {
    match schema {
        Json::Object(map) => map.contains_key(super::MEDIA) || map.values().any(holds_media),
        Json::Array(items) => items.iter().any(holds_media),
        _ => false,
    }
}
