//! Single keywords of a host's schema in today's words: types, words, limits, formats and patterns.

use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json, json};

use super::flat::type_of;
use super::kinds;
use super::schema::Rewritten;

impl Rewritten {
    pub fn types(&mut self, flat: &Map<String, Json>) {
        const TYPES: &[&str] = &["string", "number", "integer", "boolean", "array", "object"];
        let named: Vec<&str> = match flat.get("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
            _ => return self.type_of_words(flat),
        };
        self.nullable |= named.len() > 1 && named.contains(&"null");
        let unknown: Vec<_> = named.iter().filter(|name| !TYPES.contains(name) && **name != "null").collect();
        if !unknown.is_empty() || named == ["null"] {
            let names = named.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            self.notes
                .push(format!("the host's type {names} is none that a value can have, so anything is taken"));
            return;
        }
        let real: Vec<_> = named.into_iter().filter(|name| *name != "null").collect();
        let word = match real.as_slice() {
            [one] => json!(one),
            _ => json!(real),
        };
        self.schema.insert("type".to_owned(), word);
    }

    /// An enum without a type has that of its words.
    fn type_of_words(&mut self, flat: &Map<String, Json>) {
        let words = flat.get("enum").and_then(Json::as_array);
        let mut real = words.into_iter().flatten().filter(|word| !word.is_null());
        let Some(first) = real.next().and_then(type_of) else { return };
        if real.all(|word| type_of(word) == Some(first)) {
            self.schema.insert("type".to_owned(), json!(first));
        }
    }

    pub fn values(&mut self, flat: &Map<String, Json>) {
        let Some(words) = flat.get("enum").and_then(Json::as_array) else { return };
        let mut own: Vec<Json> = Vec::new();
        for word in words {
            match word {
                Json::Null => self.nullable = true,
                word if own.contains(word) => {}
                word => own.push(word.clone()),
            }
        }
        match own.is_empty() {
            true => self.notes.push("the host lists no word that it takes".to_owned()),
            false => _ = self.schema.insert("enum".to_owned(), own.into()),
        }
    }

    /// In OpenAPI 3.0 a limit is exclusive by a `true` beside it.
    pub fn bounds(&mut self, flat: &Map<String, Json>) {
        for (key, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            let bound = |key: &str| flat.get(key).filter(|bound| bound.is_number()).map(whole);
            let is_exclusive = flat.get(exclusive) == Some(&json!(true));
            let inclusive = bound(key).filter(|_| !is_exclusive);
            let exclusive_bound = if is_exclusive { bound(key) } else { bound(exclusive) };
            self.schema.extend(inclusive.map(|bound| (key.to_owned(), bound)));
            self.schema.extend(exclusive_bound.map(|bound| (exclusive.to_owned(), bound)));
        }
    }

    /// A text of format `uri` is a file, whose kind hosts hardly ever say.
    pub fn format(&mut self, flat: &Map<String, Json>, name: &str) {
        let Some(format) = flat.get("format").filter(|format| !self.secret && format.is_string()) else {
            return;
        };
        let is_text = self.schema.get("type").is_some_and(|kind| kind == "string");
        let is_word = self.schema.contains_key("enum");
        match format == "uri" && is_text {
            true if is_word => self.notes.push("the host's words are addresses of files".to_owned()),
            true => {
                let said = MediaKind::of_schema(&Json::Object(flat.clone()));
                let said = said.filter(|_| flat.contains_key("contentMediaType"));
                let (kind, note) = said.map_or_else(|| kinds::of_field(name, flat), |kind| (kind, None));
                self.schema.insert("format".to_owned(), json!("uri"));
                self.schema.insert("contentMediaType".to_owned(), json!(kind.content_type()));
                self.notes.extend(note);
            }
            false => _ = self.schema.insert("format".to_owned(), format.clone()),
        }
    }

    /// Patterns are written as Python reads them.
    pub fn pattern(&mut self, flat: &Map<String, Json>) {
        let Some(pattern) = flat.get("pattern").and_then(Json::as_str) else { return };
        let ours = pattern.replace("(?P<", "(?<").replace(r"\A", "^").replace(r"\Z", "$");
        let schema = json!({ "pattern": ours });
        match super::fields::compiled(&schema) {
            Ok(_) => _ = self.schema.insert("pattern".to_owned(), json!(ours)),
            Err(_) => {
                self.notes.push(format!("the host's pattern cannot be read and was left out: {pattern}"));
            }
        }
    }
}

/// A number without the fraction that some generations of Cog write after every limit: `16.0`.
pub(super) fn whole(number: &Json) -> Json {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < LARGEST) {
        Some(value) => json!(value as i64),
        None => number.clone(),
    }
}
