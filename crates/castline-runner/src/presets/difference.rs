//! What is different between two versions of a document that is called, and what that does to those
//! who call it.
//!
//! A preset is held against the one that it becomes, by an update of its library or by what its
//! host says today. Only words that mean something to a caller are told apart; the rest is said to
//! be different.
//!
//! Start reading at [`inputs`].

use castline_core::field::types;
use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json, json};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is different: "input `style` is gone".
    pub words: String,
    /// What that means for who calls it.
    pub effect: Effect,
    /// The input that it is about.
    pub input: Option<String>,
}

/// What a difference means for who calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What was given is not taken any more.
    Gone,
    /// No request is taken without it.
    Needed,
    /// Some of what was taken is refused.
    Narrower,
    /// What it gives is something else.
    Other,
    /// More is taken than before.
    Wider,
    /// What is not given is something else now.
    Default,
    /// Only words for people are different.
    Wording,
}

impl Effect {
    /// True when a call that worked may not work any more.
    pub fn breaks(self) -> bool {
        matches!(self, Self::Gone | Self::Needed | Self::Narrower | Self::Other)
    }
}

/// Inputs, and those of them that have to be given.
pub(crate) struct Inputs<'a> {
    pub schemas: &'a Map<String, Json>,
    pub required: Vec<&'a str>,
}

impl<'a> Inputs<'a> {
    /// Those of a schema of an object.
    pub fn of_schema(schema: &'a Json) -> Self {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        Self { schemas: schema["properties"].as_object().unwrap_or(none()), required: required.collect() }
    }

    /// Those that a document declares by itself: needed unless they have a default.
    pub fn declared(inputs: &'a Json) -> Self {
        let schemas = inputs.as_object().unwrap_or(none());
        let needed = schemas.iter().filter(|(_, schema)| schema.get("default").is_none());
        Self { schemas, required: needed.map(|(name, _)| name.as_str()).collect() }
    }

    fn needs(&self, name: &str) -> bool {
        self.required.contains(&name)
    }
}

fn none() -> &'static Map<String, Json> {
    static NONE: std::sync::OnceLock<Map<String, Json>> = std::sync::OnceLock::new();
    NONE.get_or_init(Map::new)
}

/// What is different between inputs.
pub(crate) fn inputs(before: &Inputs<'_>, now: &Inputs<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    let new = now.schemas.keys().filter(|name| !before.schemas.contains_key(*name));
    for name in before.schemas.keys().chain(new) {
        let mut add = |effect, words: String| {
            found.push(Difference {
                words: format!("input `{name}` {words}"),
                effect,
                input: Some(name.clone()),
            });
        };
        match (before.schemas.get(name), now.schemas.get(name)) {
            (None, _) if now.needs(name) => add(Effect::Needed, "is new, and has to be given".to_owned()),
            (None, _) => add(Effect::Wider, "is new".to_owned()),
            (_, None) => add(Effect::Gone, "is gone".to_owned()),
            (Some(old), Some(new)) => {
                match (before.needs(name), now.needs(name)) {
                    (false, true) => add(Effect::Needed, "has to be given now".to_owned()),
                    (true, false) => add(Effect::Wider, "can be left out now".to_owned()),
                    _ => {}
                }
                schema(old, new).into_iter().for_each(|(effect, words)| add(effect, words));
            }
        }
    }
    found
}

/// What is different between the schemas of one input, to be read after its name.
fn schema(before: &Json, now: &Json) -> Vec<(Effect, String)> {
    let mut found = Vec::new();
    if before == now {
        return found;
    }
    kind(before, now, &mut found);
    // Of another kind everything else is different as well.
    if found.is_empty() {
        words(before, now, &mut found);
        for (key, is_least) in LIMITS {
            limit(before, now, key, *is_least, &mut found);
        }
        for key in ["pattern", "format", "multipleOf", "const", "uniqueItems"] {
            let (old, new) = (before.get(key), now.get(key));
            match (old, new) {
                (old, new) if old == new => {}
                (_, None) => found.push((Effect::Wider, format!("has no `{key}` any more"))),
                (_, Some(new)) => found.push((Effect::Narrower, format!("has the `{key}` {}", short(new)))),
            }
        }
        let none = json!({});
        let items = |schema: &Json| schema.get("items").unwrap_or(&none).clone();
        let of_items = schema(&items(before), &items(now)).into_iter();
        found.extend(of_items.map(|(effect, words)| (effect, format!("has items of which each {words}"))));
    }
    default(before, now, &mut found);
    if found.is_empty() {
        found.push(rest(before, now));
    }
    found
}

/// Keywords that bound a value, and whether they say the least.
const LIMITS: &[(&str, bool)] = &[
    ("minimum", true),
    ("exclusiveMinimum", true),
    ("minLength", true),
    ("minItems", true),
    ("minProperties", true),
    ("maximum", false),
    ("exclusiveMaximum", false),
    ("maxLength", false),
    ("maxItems", false),
    ("maxProperties", false),
];

fn kind(before: &Json, now: &Json, found: &mut Vec<(Effect, String)>) {
    let (old, new) = (kinds(before), kinds(now));
    let takes = |kind: &String, all: &[String]| {
        all.is_empty() || all.contains(kind) || (kind == "integer" && all.contains(&"number".to_owned()))
    };
    let lost = if old.is_empty() { !new.is_empty() } else { old.iter().any(|kind| !takes(kind, &new)) };
    let gained = !old.is_empty() && (new.is_empty() || new.iter().any(|kind| !takes(kind, &old)));
    let list = |kinds: &[String]| if kinds.is_empty() { "anything".to_owned() } else { kinds.join(" or ") };
    if lost || gained {
        let effect = if lost { Effect::Narrower } else { Effect::Wider };
        found.push((effect, format!("took {} and takes {}", list(&old), list(&new))));
    }
}

/// What a schema takes, in the words of documents: `image`, `integer`; empty for anything.
fn kinds(schema: &Json) -> Vec<String> {
    let short = |name: &str| MediaKind::of_name(name).map(|kind| kind.as_str().to_owned());
    if let Some(kind) = MediaKind::of_schema(schema) {
        return vec![kind.as_str().to_owned()];
    }
    let of_item = |items: &Json| {
        MediaKind::of_schema(items)
            .map(|kind| kind.as_str().to_owned())
            .or_else(|| short(items["type"].as_str()?))
    };
    if let Some(kind) = schema.get("items").and_then(of_item) {
        return vec![format!("list of {kind}")];
    }
    let named = types(schema).into_iter().filter(|name| *name != "null").map(str::to_owned);
    let named: Vec<_> = named.collect();
    let listed = || ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    match listed() {
        Some(alternatives) if named.is_empty() => {
            alternatives.iter().flat_map(kinds).filter(|kind| kind != "null").collect()
        }
        _ => named,
    }
}

fn words(before: &Json, now: &Json, found: &mut Vec<(Effect, String)>) {
    let of = |schema: &Json| schema.get("enum").and_then(Json::as_array).cloned();
    let list = |words: &[&Json]| {
        words.iter().map(|word| format!("`{}`", plain(word))).collect::<Vec<_>>().join(", ")
    };
    match (of(before), of(now)) {
        (None, None) => {}
        (None, Some(new)) => {
            found.push((
                Effect::Narrower,
                format!("takes nothing but {}", list(&new.iter().collect::<Vec<_>>())),
            ));
        }
        (Some(_), None) => found.push((Effect::Wider, "takes other words too".to_owned())),
        (Some(old), Some(new)) => {
            let lost: Vec<_> = old.iter().filter(|word| !new.contains(word)).collect();
            let more: Vec<_> = new.iter().filter(|word| !old.contains(word)).collect();
            if !lost.is_empty() {
                found.push((Effect::Narrower, format!("does not take {} any more", list(&lost))));
            }
            if !more.is_empty() {
                found.push((Effect::Wider, format!("takes {} too", list(&more))));
            }
        }
    }
}

fn limit(before: &Json, now: &Json, key: &str, is_least: bool, found: &mut Vec<(Effect, String)>) {
    let (old, new) = (before.get(key), now.get(key));
    let number = |value: Option<&Json>| value.and_then(Json::as_f64);
    let (effect, words) = match (old, new) {
        (old, new) if old == new || number(old) == number(new) => return,
        (_, None) => (Effect::Wider, format!("has no `{key}` any more")),
        (None, Some(new)) => (Effect::Narrower, format!("has the `{key}` {new}")),
        (Some(old), Some(new)) => {
            let tighter = if is_least { new.as_f64() > old.as_f64() } else { new.as_f64() < old.as_f64() };
            let effect = if tighter { Effect::Narrower } else { Effect::Wider };
            (effect, format!("had the `{key}` {old} and has {new}"))
        }
    };
    found.push((effect, words));
}

fn default(before: &Json, now: &Json, found: &mut Vec<(Effect, String)>) {
    let of = |schema: &Json| schema.get("default").filter(|default| !default.is_null()).cloned();
    let say = |default: &Json| format!("`{}`", short(default));
    let same = |old: &Json, new: &Json| old == new || (old.is_number() && old.as_f64() == new.as_f64());
    match (of(before), of(now)) {
        (None, None) => {}
        (Some(old), Some(new)) if same(&old, &new) => {}
        (Some(old), Some(new)) => {
            found.push((Effect::Default, format!("was {} by default and is {}", say(&old), say(&new))));
        }
        (None, Some(new)) => found.push((Effect::Default, format!("is {} by default", say(&new)))),
        (Some(old), None) => {
            found.push((Effect::Default, format!("has no default any more, which was {}", say(&old))));
        }
    }
}

/// A difference that no other words were found for.
fn rest(before: &Json, now: &Json) -> (Effect, String) {
    let bare = |schema: &Json| {
        let mut schema = schema.clone();
        if let Some(map) = schema.as_object_mut() {
            map.retain(|key, value| {
                let wording = ["description", "title", "examples", "deprecated", "$comment"];
                let is_wording = wording.contains(&key.as_str());
                !(is_wording || (key == "default" && value.is_null()))
            });
        }
        schema
    };
    let (old, new) = (bare(before), bare(now));
    let known: Vec<&str> =
        LIMITS.iter().map(|(key, _)| *key).chain(["type", "enum", "default", "items"]).collect();
    let differs = |key: &String| !known.contains(&key.as_str()) && old.get(key) != new.get(key);
    let keys = |schema: &Json| schema.as_object().unwrap_or(none()).keys().cloned().collect::<Vec<_>>();
    if keys(&old).iter().chain(&keys(&new)).any(differs) {
        return (Effect::Narrower, format!("was {} and is {}", short(&old), short(&new)));
    }
    (Effect::Wording, "is described otherwise".to_owned())
}

/// A value as a document has it, without quotes around a text.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The beginning of a value.
pub(crate) fn short(value: &Json) -> String {
    const MOST: usize = 100;
    let text = if value.is_null() { "none".to_owned() } else { plain(value) };
    match text.chars().count() > MOST {
        true => format!("{}...", text.chars().take(MOST).collect::<String>()),
        false => text,
    }
}

#[cfg(test)]
mod tests;
