//! The cache key: the digest of everything that decides a prediction's output.
//!
//! The ingredients are walked once, by `walk`; one visitor digests them, another prints
//! them for `castline why`, so that the explanation cannot disagree with the key.

mod canonical;

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::digest::Digest;
use crate::model::{ModelRef, Realm};
use crate::request::{Key, Request};
use crate::value::Value;

/// Raised when the canonical form changes.
const FORMAT: u32 = 1;

/// Everything that decides a prediction's output. Nothing else is: not names, order,
/// comments, provider, price or the preset's text.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// Which cache it belongs to.
    pub realm: &'a Realm,
    /// What runs, with its pinned version.
    pub model: &'a ModelRef,
    /// The resolved input as it will be sent.
    pub input: &'a IndexMap<String, Value>,
    /// What tells it apart from the same request elsewhere.
    pub draw: &'a [Value],
}

impl<'a> From<&'a Request> for Ingredients<'a> {
    fn from(request: &'a Request) -> Self {
        Self { realm: &request.realm, model: &request.model, input: &request.input, draw: &request.draw }
    }
}

impl Ingredients<'_> {
    /// The key.
    pub fn key(&self) -> Key {
        Key(Digest::of(&self.canonical()))
    }

    /// The canonical form (RFC 8785) of the ingredients as one map.
    fn canonical(&self) -> Vec<u8> {
        let mut ingredients = Vec::with_capacity(self.input.len() + 5);
        walk(self, &mut |path, ingredient| ingredients.push((path, ingredient)));
        let mut to = Vec::with_capacity(512);
        canonical::map(&mut to, ingredients, |to, ingredient| ingredient.write(to));
        to
    }

    /// Each ingredient by a readable path, `input.prompt`, with its value for people.
    pub fn explain(&self) -> IndexMap<String, String> {
        let mut lines = IndexMap::new();
        walk(self, &mut |path, ingredient| drop(lines.insert(path.concat(), ingredient.shown())));
        lines
    }
}

/// What a key is made of that is not the same in two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The ingredient, `input.prompt`.
    pub path: String,
    /// Its value then; none where it was not there.
    pub before: Option<String>,
    /// Its value now.
    pub now: Option<String>,
}

/// What is different between two explanations of [`Ingredients::explain`], in the order of
/// the newer one.
pub fn differences(before: &IndexMap<String, String>, now: &IndexMap<String, String>) -> Vec<Difference> {
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let differ = |path: &&String| before.get(*path) != now.get(*path);
    let difference = |path: &String| Difference {
        path: path.clone(),
        before: before.get(path).cloned(),
        now: now.get(path).cloned(),
    };
    now.keys().chain(gone).filter(differ).map(difference).collect()
}

/// Our own name for one attempt at a key: 26 characters of lower-case base32, as providers
/// that take a name want it. The same for the same claim, so that it is known after a crash.
pub fn attempt(key: &Key, claim: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Digest::of(format!("{} {claim}", key.0.hex()).as_bytes());
    digest.as_bytes().iter().take(26).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// One ingredient. In the canonical form each value is tagged with its kind, so that no text
/// can pass for media or a number.
enum Ingredient<'a> {
    Format(u32),
    Text(Cow<'a, str>),
    Value(&'a Value),
    Draw(&'a [Value]),
}

/// Visits every ingredient, with a readable path: where it belongs, and its name there.
fn walk<'a>(ingredients: &Ingredients<'a>, visit: &mut dyn FnMut([&'a str; 2], Ingredient<'a>)) {
    visit(["format", ""], Ingredient::Format(FORMAT));
    visit(["realm", ""], Ingredient::Text(realm(ingredients.realm)));
    visit(["model", ""], Ingredient::Text(ingredients.model.path().into()));
    if let Some(version) = &ingredients.model.version {
        visit(["version", ""], Ingredient::Text(version.as_str().into()));
    }
    for (name, value) in ingredients.input {
        visit(["input.", name], Ingredient::Value(value));
    }
    if !ingredients.draw.is_empty() {
        visit(["draw", ""], Ingredient::Draw(ingredients.draw));
    }
}

fn realm(realm: &Realm) -> Cow<'_, str> {
    match realm {
        Realm::Public => "public".into(),
        Realm::Sandbox(revision) => format!("sandbox/{revision}").into(),
        Realm::Std(revision) => format!("std/{revision}").into(),
        Realm::Own(name) => format!("own/{name}").into(),
    }
}

impl Ingredient<'_> {
    /// Its canonical form.
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Format(format) => {
                canonical::tagged(to, "number", |to| canonical::number(to, &(*format).into()));
            }
            Self::Text(text) => canonical::tagged(to, "string", |to| canonical::text(to, text)),
            Self::Value(value) => canonical::value(to, value),
            Self::Draw(values) => canonical::list(to, values),
        }
    }

    /// For people.
    fn shown(&self) -> String {
        let plain = |value: &Value| value.to_json(&mut |a| a.digest.to_string().into());
        let json = match self {
            Self::Format(format) => (*format).into(),
            Self::Text(text) => return text.to_string(),
            Self::Value(value) => plain(value),
            Self::Draw(values) => values.iter().map(plain).collect(),
        };
        match json {
            Json::String(text) => text,
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(realm: &Realm, input: Json, draw: &[Value]) -> Key {
        let Value::Map(input) = Value::from_json(input) else { unreachable!("a map") };
        let model = "black-forest-labs/flux-schnell".parse().unwrap();
        Ingredients { realm, model: &model, input: &input, draw }.key()
    }

    #[test]
    fn an_attempt_has_a_name_of_its_own_which_stays_the_same() {
        let [one, other] = ["a", "b"].map(|text| key(&Realm::Public, json!({ "prompt": text }), &[]));
        let names = [attempt(&one, 1), attempt(&one, 2), attempt(&other, 1)];
        assert!(names.iter().all(|name| {
            name.len() == 26 && name.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c))
        }));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
        assert_eq!(attempt(&one, 1), names[0]);
    }

    #[test]
    fn the_order_of_inputs_does_not_count() {
        assert_eq!(
            key(&Realm::Public, json!({"a": 1, "b": {"x": 1, "y": 2}}), &[]),
            key(&Realm::Public, json!({"b": {"y": 2, "x": 1}, "a": 1}), &[])
        );
    }

    #[test]
    fn kinds_realms_and_draws_count() {
        let base = key(&Realm::Public, json!({"a": 1}), &[]);
        assert_ne!(base, key(&Realm::Public, json!({"a": "1"}), &[]));
        assert_ne!(base, key(&Realm::Sandbox(1), json!({"a": 1}), &[]));
        assert_ne!(base, key(&Realm::Public, json!({"a": 1}), &["x".into()]));
    }

    #[test]
    fn a_text_that_looks_like_media_is_text() {
        let digest = Digest::of(b"x");
        let artifact = crate::media::Artifact::describe(digest, 1, b"x");
        let model = "a/b".parse().unwrap();
        let of = |value: Value| {
            let input = IndexMap::from([("image".to_owned(), value)]);
            Ingredients { realm: &Realm::Public, model: &model, input: &input, draw: &[] }.key()
        };
        assert_ne!(of(Value::Media(artifact)), of(Value::String(digest.to_string())));
    }

    #[test]
    fn the_explanation_names_every_ingredient() {
        let Value::Map(input) = Value::from_json(json!({"prompt": "boat", "n": [1, "x"]})) else {
            unreachable!()
        };
        let model = "a/b:v1".parse().unwrap();
        let ingredients =
            Ingredients { realm: &Realm::Sandbox(1), model: &model, input: &input, draw: &["t".into()] };
        let lines: Vec<_> = ingredients.explain().into_iter().map(|(k, v)| format!("{k} = {v}")).collect();
        assert_eq!(
            lines,
            [
                "format = 1",
                "realm = sandbox/1",
                "model = a/b",
                "version = v1",
                "input.prompt = boat",
                "input.n = [1,\"x\"]",
                "draw = [\"t\"]"
            ]
        );
    }
}
