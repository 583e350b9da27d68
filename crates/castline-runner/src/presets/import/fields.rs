//! The inputs of a model, one by one, as a preset has them.
//!
//! Start reading at [`fields`].

use castline_core::field::Field as Compiled;
use castline_spec::schema::MediaKind;
use castline_spec::{Source, Span};
use serde_json::{Map, Value as Json};

use super::flat::{Flaw, Rewriter};
use super::kinds;
use super::schema::{Rewritten, required};

/// More inputs than any model has.
const MOST_FIELDS: usize = 500;

/// An input of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// The model's own name for it.
    pub name: String,
    /// What it takes.
    pub schema: Map<String, Json>,
    /// True when the model takes no request without it.
    pub required: bool,
    /// The environment variable that fills it.
    pub secret: Option<String>,
    /// What was guessed or left out.
    pub notes: Vec<String>,
}

impl Field {
    /// The kind of media it takes.
    pub fn media(&self) -> Option<MediaKind> {
        MediaKind::of_schema(&Json::Object(self.schema.clone()))
    }

    /// The kind of media that it takes a list of.
    pub fn list_of_media(&self) -> Option<MediaKind> {
        MediaKind::of_list(&Json::Object(self.schema.clone()))
    }

    /// What is said about it.
    pub fn description(&self) -> &str {
        self.schema.get("description").and_then(Json::as_str).unwrap_or_default()
    }

    /// True for plain text.
    pub fn is_text(&self) -> bool {
        self.schema.get("type").is_some_and(|kind| kind == "string")
            && !self.schema.contains_key("enum")
            && self.media().is_none()
            && self.secret.is_none()
    }
}

/// The inputs in the order in which the host shows them.
pub(super) fn fields(rewriter: &mut Rewriter<'_>, input: &Json) -> Result<Vec<Field>, Flaw> {
    let flat = rewriter.flat(input, "Input")?;
    if flat.get("type").is_some_and(|kind| kind != "object") {
        return Err(Flaw::new("`Input` is not the schema of an object"));
    }
    let none = Map::new();
    let properties = match flat.get("properties") {
        Some(Json::Object(properties)) => properties,
        Some(_) => return Err(Flaw::new("`Input.properties` is not a map of schemas")),
        None => &none,
    };
    if properties.len() > MOST_FIELDS {
        let count = properties.len();
        return Err(Flaw::new(format!(
            "`Input` has {count} inputs, and no model has more than {MOST_FIELDS}"
        )));
    }
    let required: Vec<&str> = required(&flat).collect();
    if let Some(missing) = required.iter().find(|name| !properties.contains_key(**name)) {
        return Err(Flaw::new(format!(
            "`Input` requires `{}`, which is not among its properties",
            shown(missing)
        )));
    }
    let mut ordered: Vec<(f64, Field)> = Vec::new();
    for (name, schema) in properties {
        plain_name(name)?;
        let at = format!("Input.{name}");
        let order = rewriter.flat(schema, &at)?.get("x-order").and_then(Json::as_f64).unwrap_or(f64::MAX);
        let rewritten = rewriter.schema(schema, &at, name)?;
        ordered.push((order, field(name, rewritten, required.contains(&name.as_str()))));
    }
    ordered.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Ok(ordered.into_iter().map(|(_, field)| field).collect())
}

/// A name that a document can hold on one line.
fn plain_name(name: &str) -> Result<(), Flaw> {
    const LONGEST: usize = 100;
    let plain = !name.trim().is_empty() && name.len() <= LONGEST && !name.contains(char::is_control);
    if plain {
        return Ok(());
    }
    Err(Flaw::new(format!("`Input` has an input of the name `{}`, which cannot be one", shown(name))))
}

/// A name from elsewhere, for messages.
fn shown(name: &str) -> String {
    name.escape_debug().to_string().chars().take(100).collect()
}

fn field(name: &str, rewritten: Rewritten, required: bool) -> Field {
    let Rewritten { schema, secret, notes, .. } = rewritten;
    let mut field = Field { name: name.to_owned(), schema, required, secret: None, notes };
    field.be_usable();
    field.keep_secret(secret);
    field
}

impl Field {
    /// Leaves out what its own schema refuses.
    fn be_usable(&mut self) {
        let mut bare = self.schema.clone();
        let (words, default) = (bare.shift_remove("enum"), bare.shift_remove("default"));
        let fits = match compiled(&Json::Object(bare)) {
            Ok(fits) => fits,
            Err(why) => {
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                self.notes
                    .push(format!("the host's schema of it cannot be used, so it takes anything: {why}"));
                self.schema.retain(|key, _| key == "description");
                return;
            }
        };
        if let Some(Json::Array(words)) = words {
            let (ours, others): (Vec<_>, Vec<_>) =
                words.into_iter().partition(|word| fits.misfits_json(word).is_empty());
            if !others.is_empty() {
                let others = Json::Array(others);
                self.notes.push(format!("the host lists words that its own schema refuses: {others}"));
            }
            match ours.is_empty() {
                true => drop(self.schema.shift_remove("enum")),
                false => _ = self.schema.insert("enum".to_owned(), ours.into()),
            }
        }
        let Some(default) = default else { return };
        self.schema.shift_remove("default");
        let whole = compiled(&Json::Object(self.schema.clone()));
        let taken = whole.is_ok_and(|whole| whole.misfits_json(&default).is_empty());
        match taken {
            // After what it belongs to, before the words for people.
            true => {
                let description = self.schema.shift_remove("description");
                self.schema.insert("default".to_owned(), default);
                self.schema.extend(description.map(|text| ("description".to_owned(), text)));
            }
            false => self.notes.push(format!("the host's default is none that it takes itself: {default}")),
        }
    }

    /// A secret is filled from the environment; what stands in the schema may be one already.
    fn keep_secret(&mut self, said: bool) {
        let text = self.schema.get("type").is_some_and(|kind| kind == "string");
        if !text || self.media().is_some() || (!said && !sounds_secret(&self.name)) {
            return;
        }
        self.secret = Some(variable(&self.name));
        let had_default = self.schema.shift_remove("default").is_some();
        self.notes.retain(|note| !note.contains("default"));
        if had_default {
            self.notes.push("the host's default of a secret was left out".to_owned());
        }
        if !said {
            self.notes
                .push("a secret by its name; without `secrets` it is an input like any other".to_owned());
        }
    }
}

/// Older models know no secrets and take keys as text.
fn sounds_secret(name: &str) -> bool {
    const ENDS: &[&[&str]] = &[
        &["api", "key"],
        &["apikey"],
        &["secret", "key"],
        &["access", "key"],
        &["api", "token"],
        &["access", "token"],
        &["auth", "token"],
        &["hf", "token"],
        &["password"],
        &["secret"],
    ];
    let words = kinds::words(name);
    ENDS.iter().any(|end| words.len() >= end.len() && words[words.len() - end.len()..] == **end)
}

/// `openai_api_key` is in `OPENAI_API_KEY`.
fn variable(name: &str) -> String {
    let text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

/// A schema, ready to be asked about values.
pub(super) fn compiled(schema: &Json) -> Result<Compiled, String> {
    let nowhere = Source::new("the host's schema", "");
    Compiled::new(schema, &nowhere, Span::default(), false).map_err(|finding| finding.message)
}
