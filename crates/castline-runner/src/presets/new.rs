//! The text of a preset to begin with.
//!
//! Start reading at [`new`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use castline_core::ModelRef;
use castline_spec::preset::Body;
use castline_spec::{Name, Preset, Source};
use serde_json::{Map, Value as Json, json};

use super::check::check_text;
use super::import::{flow, flow_of_schema, month, sample, scalar};
use super::place::{Other, Place};
use super::{find, is_file, unknown};
use crate::plan_file::named_from;
use crate::project::{Project, absolute, parent, shown};
use crate::trouble::Trouble;

/// What to begin with.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// The preset's name.
    pub name: String,
    /// The file to write; `-` writes none.
    pub output: Option<PathBuf>,
    /// The preset that it is over.
    pub extends: Option<String>,
    /// The model that it calls.
    pub model: Option<String>,
    /// Write over a file that is there.
    pub force: bool,
}

/// A preset to begin with.
#[derive(Debug, Clone)]
pub struct Begun {
    /// By which steps call it.
    pub name: String,
    /// Its file; none when it was not to be written.
    pub file: Option<PathBuf>,
    /// The document.
    pub text: String,
    /// Values to try it with.
    pub example: Map<String, Json>,
}

/// A text, and values to try it with.
type Candidate = (String, Map<String, Json>);

/// What a preset is over when nothing is said.
const BASE: &str = "flux-schnell";

/// Writes a preset to begin with: over another one, or of a model.
pub fn new(project: &Project, wish: &New) -> Result<Begun, Trouble> {
    let place = Place::new(project, Some(&wish.name), wish.output.as_deref(), &wish.name, Other::Word)?;
    place.check_free(project, wish.force)?;
    let candidates = match &wish.model {
        Some(model) => vec![of_model(&place.name, model)?],
        None => over(project, &place, wish.extends.as_deref().unwrap_or(BASE))?,
    };
    let (text, example) = first_without_mistakes(project, &place, candidates)?;
    place.write(&text, wish.force)?;
    Ok(Begun { name: place.name, file: place.file, text, example })
}

/// The first text that passes `preset check`, else what is wrong with the first of all.
fn first_without_mistakes(
    project: &Project,
    place: &Place,
    candidates: Vec<Candidate>,
) -> Result<Candidate, Trouble> {
    let path = place.file.clone().unwrap_or_else(|| project.presets().join(format!("{}.yaml", place.name)));
    let mut wrong = None;
    for (text, example) in candidates {
        let source = Source::new(format!("{} (not written)", shown(&path)), text.as_str());
        let (_, found) = check_text(&source, &path, project);
        if !found.has_errors() {
            return Ok((text, example));
        }
        wrong.get_or_insert(found);
    }
    Err(Trouble::Diagnostics(wrong.unwrap_or_default()))
}

fn of_model(name: &str, model: &str) -> Result<Candidate, Trouble> {
    let model: ModelRef = model.parse().map_err(|_| {
        Trouble::usage(
            format!("`{model}` cannot be a model"),
            "a model is `owner/name` or `owner/name:version`",
        )
    })?;
    let text = include_str!("new/model.yaml")
        .replace("[name]", &scalar(name))
        .replace("[path]", &model.path())
        .replace("[model]", &model.to_string())
        .replace("[month]", &month());
    let example = json!({ "prompt": "A heron at the edge of a pond." });
    Ok((text, example.as_object().cloned().unwrap_or_default()))
}

/// A field of the preset that is extended.
struct Field {
    name: String,
    schema: Json,
    needed: bool,
}

/// A preset over another one, with the inputs that this one needs; where it has a rule that asks for
/// more, with one more of its inputs.
fn over(project: &Project, place: &Place, base: &str) -> Result<Vec<Candidate>, Trouble> {
    let (preset, found) = find(project, base).ok_or_else(|| unknown(project, base))?;
    if found.has_errors() {
        return Err(Trouble::Diagnostics(found));
    }
    let fields = fields(&preset);
    let extends = if is_file(base) { beside(place, base) } else { base.to_owned() };
    let more = fields.iter().filter(|field| !field.needed).map(Some);
    let candidate = |more: Option<&Field>| {
        let (lines, has_prompt) = lines(&preset, &fields, more);
        (lines.text(&place.name, &extends, has_prompt), lines.example)
    };
    Ok(std::iter::once(None).chain(more).map(candidate).collect())
}

fn lines(preset: &Preset, fields: &[Field], more: Option<&Field>) -> (Lines, bool) {
    let prompt = prompt(fields);
    let mut lines = Lines::default();
    if let Some(prompt) = prompt {
        lines
            .inputs
            .push("  subject: { type: string, minLength: 1, description: What it shows. }".to_owned());
        lines
            .with
            .push(format!("  {}: \"{{{{ inputs.subject }}}}, {{{{ vars.style }}}}.\"", scalar(&prompt.name)));
        lines.port(&prompt.name, "subject", preset);
        lines.example.insert("subject".to_owned(), json!("A heron at the edge of a pond"));
    }
    // What is piped into the other preset can be piped into this one.
    let piped = preset.ports.values().next().map(|port| &port.field.value);
    let is_piped =
        |field: &Field| Some(&field.name) == piped && more.is_none_or(|more| more.name != field.name);
    let needed = fields.iter().filter(|field| field.needed).chain(more).map(|field| (field, true));
    let handed_on = needed
        .chain(fields.iter().filter(|field| !field.needed && is_piped(field)).map(|field| (field, false)));
    for (field, needed) in
        handed_on.filter(|(field, _)| prompt.is_none_or(|prompt| prompt.name != field.name))
    {
        lines.pass(field, needed, preset);
    }
    let fixed = fields.iter().find(|field| {
        let free = !field.needed && more.is_none_or(|more| more.name != field.name);
        free && field.schema.get("default").is_some() && field.schema.get("enum").is_some()
    });
    if let Some(field) = fixed {
        let value = flow(&field.schema["default"]);
        lines.with.push(format!("  {}: {value} # the same in every call", scalar(&field.name)));
    }
    (lines, prompt.is_some())
}

/// A path on the command line as a file in another folder has it.
fn beside(place: &Place, base: &str) -> String {
    let folder = place.file.as_ref().map_or_else(|| absolute(Path::new(".")), |file| parent(file));
    named_from(&folder, Path::new(base))
}

fn fields(preset: &Preset) -> Vec<Field> {
    match &preset.body {
        Body::Model(model) => {
            let schema = &model.input.value;
            let needed = |name: &str| {
                let listed = schema["required"].as_array().into_iter().flatten().any(|field| field == name);
                listed && !model.defaults.contains_key(name)
            };
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .map(|(name, schema)| Field {
                    name: name.clone(),
                    schema: schema.clone(),
                    needed: needed(name),
                })
                .collect()
        }
        Body::Derived(derived) => {
            let field = |(name, input): (&Name, &castline_spec::workflow::Input)| {
                let mut schema = input.schema.json.clone();
                if let (Some(map), Some(default)) = (schema.as_object_mut(), &input.default) {
                    map.insert("default".to_owned(), default.value.clone());
                }
                Field { name: name.to_string(), schema, needed: input.default.is_none() }
            };
            derived.inputs.iter().map(field).collect()
        }
    }
}

/// The field for words: the one that is called so, else the first that has to be given.
fn prompt(fields: &[Field]) -> Option<&Field> {
    let is_text = |field: &&Field| {
        field.schema["type"] == "string"
            && field.schema.get("enum").is_none()
            && field.schema.get("format").is_none()
    };
    let named = |name: &str| fields.iter().filter(is_text).find(|field| field.name == name);
    named("prompt")
        .or_else(|| named("text"))
        .or_else(|| fields.iter().filter(is_text).find(|field| field.needed))
}

/// What stands under the keys.
#[derive(Default)]
struct Lines {
    inputs: Vec<String>,
    with: Vec<String>,
    ports: Vec<String>,
    example: Map<String, Json>,
    /// A value for an input was not obvious.
    incomplete: bool,
}

impl Lines {
    /// An input of its own that is handed on as it is.
    fn pass(&mut self, field: &Field, needed: bool, base: &Preset) {
        let own = identifier(&field.name);
        let mut schema = field.schema.clone();
        if let Some(map) = schema.as_object_mut() {
            map.retain(|key, _| !["default", "examples", "title"].contains(&key.as_str()));
            // Without a value it is not sent.
            map.extend((!needed).then(|| ("default".to_owned(), Json::Null)));
        }
        self.inputs.push(format!("  {own}: {}", flow_of_schema(&schema)));
        self.with.push(format!("  {}: \"{{{{ inputs.{own} }}}}\"", scalar(&field.name)));
        self.port(&field.name, &own, base);
        match sample(&field.name, &field.schema) {
            Some(value) if needed => _ = self.example.insert(own, value),
            None if needed => self.incomplete = true,
            _ => {}
        }
    }

    /// The port of the other preset that a field fills, for an input of its own.
    fn port(&mut self, field: &str, own: &str, base: &Preset) {
        let port = base.ports.iter().find(|(_, port)| port.field.value == field);
        self.ports.extend(port.map(|(port, _)| format!("  {port}: {own}")));
    }

    fn text(&self, name: &str, extends: &str, has_prompt: bool) -> String {
        let mut text = format!(
            "# A preset over `{extends}`: a few inputs of its own, and those of `{extends}` computed from them.\n\
             # `castline preset show {extends}` lists everything that can stand under `with`.\n\
             castline: 1\nname: {}\ndescription: What `{extends}` does, in our way. # say which\nextends: {}\n",
            scalar(name),
            scalar(extends)
        );
        let mut part = |head: &str, lines: &[String]| {
            if !lines.is_empty() {
                let _ = write!(text, "\n{head}\n{}\n", lines.join("\n"));
            }
        };
        part("inputs: # what a step gives", &self.inputs);
        let style = "  style: flat colors, bold outlines, no text in the image".to_owned();
        part(
            "vars: # words that the templates below use",
            if has_prompt { std::slice::from_ref(&style) } else { &[] },
        );
        part("with: # what the other preset is sent", &self.with);
        part("ports: # which inputs take what a step is piped with `from`", &self.ports);
        let example: Vec<_> =
            self.example.iter().map(|(name, value)| format!("      {name}: {}", flow(value))).collect();
        if !self.incomplete && !example.is_empty() {
            part("examples: # `castline preset check` tries them\n  - with:", &example);
        }
        text
    }
}

/// A name that templates can say.
fn identifier(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let name: String = letters.collect();
    if Name::is_identifier(&name) { name } else { format!("input_{name}") }
}
