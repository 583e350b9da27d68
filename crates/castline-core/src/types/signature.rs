//! What filters take and give.
//!
//! Only what surely fails is refused: a filter that takes anything that can be written as text
//! takes a number too. A test calls every filter of the engine with values of every kind and
//! holds its answers against these.
//!
//! Start reading at [`filter`].

use castline_spec::diagnostic::nearest;
use serde_json::{Value as Json, json};

use super::{Inner, Kinds, Type};

/// What a filter takes, in which number, and what comes out.
pub(super) struct Signature {
    /// The kinds of values that it can work on.
    pub takes: Kinds,
    /// How those are called in a message.
    pub wants: &'static str,
    /// Arguments by position, at least and at most.
    pub arguments: (usize, usize),
    /// Arguments by name.
    pub names: &'static [&'static str],
}

const SCALAR: Kinds = Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::BOOLEAN);
/// What can be gone through, one by one; the engine takes none for an empty list.
const ITERABLE: Kinds = Kinds::LIST.or(Kinds::MAP).or(Kinds::TEXT).or(Kinds::NULL);
/// Everything that can be written as text; media cannot.
const TEXTUAL: Kinds = SCALAR.or(Kinds::LIST).or(Kinds::MAP).or(Kinds::NULL);
const MANY: usize = usize::MAX;

/// The signature of a filter that castline has.
#[expect(clippy::match_same_arms, reason = "a table, a line for each kind of filter")]
pub(super) fn filter(name: &str) -> Option<Signature> {
    let of = |takes, wants, arguments, names| Some(Signature { takes, wants, arguments, names });
    match name {
        "abs" => of(Kinds::NUMBER, "a number", (0, 0), &[]),
        "attr" => of(Kinds::ALL, "", (1, 1), &[]),
        "basename" | "slug" => of(Kinds::TEXT, "text", (0, 0), &[]),
        "batch" => of(ITERABLE, "a list", (1, 2), &[]),
        "slice" => of(ITERABLE, "a list", (1, 2), &[]),
        "bool" | "string" | "pprint" | "safe" | "escape" | "e" => of(Kinds::ALL, "", (0, 0), &[]),
        "capitalize" | "lower" | "upper" | "title" => of(TEXTUAL, "text", (0, 0), &[]),
        "chain" => of(Kinds::ALL, "", (0, MANY), &[]),
        "zip" => of(ITERABLE, "a list", (0, MANY), &[]),
        "length" | "count" => of(ITERABLE, "text, a list or a map", (0, 0), &[]),
        "default" | "d" => of(Kinds::ALL, "", (0, 2), &[]),
        "dictsort" => of(Kinds::MAP, "a map", (0, 0), &["by", "case_sensitive", "reverse"]),
        "items" => of(Kinds::MAP, "a map", (0, 0), &[]),
        "first" | "last" => of(ITERABLE, "a list or text", (0, 0), &[]),
        "int" => of(SCALAR.or(Kinds::NULL), "a number or text", (0, 2), &["default", "base"]),
        "float" => of(SCALAR.or(Kinds::NULL), "a number or text", (0, 1), &["default"]),
        "format" => of(Kinds::TEXT, "text", (0, MANY), &["*"]),
        "from_json" => of(Kinds::TEXT, "text", (0, 0), &[]),
        "groupby" => of(ITERABLE, "a list", (0, 2), &["attribute", "default", "case_sensitive"]),
        "indent" => of(TEXTUAL, "text", (0, 3), &["width", "first", "blank"]),
        "join" => of(ITERABLE, "a list", (0, 2), &["d", "attribute"]),
        "json" => of(Kinds::ALL, "", (0, 0), &[]),
        "tojson" => of(Kinds::ALL, "", (0, 1), &["indent"]),
        "lines" => of(Kinds::TEXT, "text", (0, 0), &[]),
        "list" => of(ITERABLE, "a list", (0, 0), &[]),
        "map" => of(ITERABLE, "a list", (0, MANY), &["*"]),
        "max" | "min" => of(ITERABLE, "a list", (0, 0), &["attribute", "case_sensitive"]),
        "regex_replace" => of(Kinds::TEXT, "text", (2, 2), &[]),
        "regex_search" => of(Kinds::TEXT, "text", (1, 1), &[]),
        "reject" | "select" => of(ITERABLE, "a list", (0, MANY), &[]),
        "rejectattr" | "selectattr" => of(ITERABLE, "a list", (1, MANY), &[]),
        "replace" => of(TEXTUAL, "text", (2, 3), &["old", "new", "count"]),
        "reverse" => of(ITERABLE, "a list or text", (0, 0), &[]),
        "round" => of(Kinds::NUMBER, "a number", (0, 2), &["precision", "method"]),
        "sort" => of(ITERABLE, "a list", (0, 0), &["attribute", "reverse", "case_sensitive"]),
        "split" => of(Kinds::TEXT, "text", (0, 2), &[]),
        "sum" => of(ITERABLE, "a list of numbers", (0, 2), &["attribute", "start"]),
        "trim" => of(TEXTUAL, "text", (0, 1), &[]),
        "unique" => of(ITERABLE, "a list", (0, 0), &["attribute", "case_sensitive"]),
        _ => None,
    }
}

/// What comes out of a filter; each argument is given by its position.
pub(super) fn result(name: &str, value: &Type, arguments: &[Type], named: bool) -> Type {
    let found = outcome(name, value, arguments, named);
    if is_safe(name, arguments, named) { found } else { found.or_failure() }
}

/// True for calls whose arguments surely do not make them fail.
fn is_safe(name: &str, arguments: &[Type], named: bool) -> bool {
    let texts = arguments.iter().all(|argument| argument.kinds().only(Kinds::TEXT) && argument.is_sure());
    match name {
        "default" | "d" => !named,
        "join" | "split" | "trim" => texts && arguments.len() <= 1 && !named,
        "replace" => texts && arguments.len() == 2 && !named,
        _ => arguments.is_empty() && !named,
    }
}

fn outcome(name: &str, value: &Type, arguments: &[Type], named: bool) -> Type {
    let plain = arguments.is_empty() && !named;
    let when_there = value.when_there();
    match name {
        "basename" | "capitalize" | "e" | "escape" | "format" | "indent" | "join" | "lower" | "pprint"
        | "regex_replace" | "replace" | "safe" | "slug" | "string" | "title" | "trim" | "upper" => {
            Type::text()
        }
        "json" | "tojson" => Type::encoded(json!({ "type": "string", "minLength": 1 })),
        "length" | "count" => Type::count(),
        "bool" => Type::of_type("boolean"),
        "int" if plain => converted(value, "integer"),
        "float" if plain => converted(value, "number"),
        "abs" if value.kinds().only(Kinds::NUMBER) => number_like(value),
        "round" if plain && value.kinds().only(Kinds::NUMBER) => Type::of_type("number"),
        "lines" | "split" => Type::list(&Type::text()),
        "list" | "select" | "reject" | "selectattr" | "rejectattr" | "unique" | "sort" => {
            Type::list(&value.items())
        }
        "reverse" => when_there.slice(),
        "first" | "last" => match value.item(if name == "first" { Some(0) } else { Some(-1) }) {
            Inner::Known(item) => item,
            Inner::Never => Type::unknown(),
        },
        "min" | "max" => value.items().or_missing().or_failure(),
        "map" if named || arguments.len() != 1 => Type::encoded(json!({ "type": "array" })).or_failure(),
        "map" => match arguments[0].value() {
            Some(Json::String(filter)) if takes_no_argument(&filter) => {
                Type::list(&result(&filter, &value.items(), &[], false))
            }
            _ => Type::encoded(json!({ "type": "array" })).or_failure(),
        },
        "batch" | "slice" | "groupby" | "dictsort" | "items" | "zip" => {
            Type::encoded(json!({ "type": "array" })).or_failure()
        }
        "default" | "d" => default(value, arguments, named),
        _ => Type::unknown().or_failure(),
    }
}

fn takes_no_argument(filter: &str) -> bool {
    self::filter(filter).is_some_and(|signature| signature.arguments.0 == 0)
}

/// Text may be no number.
fn converted(value: &Type, to: &str) -> Type {
    let sure = value.kinds().only(Kinds::NUMBER.or(Kinds::BOOLEAN).or(Kinds::NULL));
    if sure { Type::of_type(to) } else { Type::of_type(to).or_failure() }
}

fn number_like(value: &Type) -> Type {
    let integer =
        value.kinds().only(Kinds::NUMBER) && value.schema.get("type") == Some(&Json::from("integer"));
    Type::of_type(if integer { "integer" } else { "number" })
}

/// `default(x)` stands in for what is missing; `default(x, true)` for everything false, too.
fn default(value: &Type, arguments: &[Type], named: bool) -> Type {
    if named {
        return Type::any();
    }
    let other = arguments.first().cloned().unwrap_or_else(|| Type::literal(&"".into()));
    let falsy_too = arguments.get(1).is_some_and(|second| second.value() != Some(Json::Bool(false)));
    let kept = if falsy_too { value.without_null() } else { value.clone() };
    let always_null = falsy_too && kept.schema.as_ref() == &Json::Bool(false);
    if always_null { other } else { kept.when_there().or(&other) }
}

/// The nearest name of an argument.
pub(super) fn nearest_argument<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    nearest(name, names.iter().copied())
}
