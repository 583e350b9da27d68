//! One call of a preset, without a file: the workflow of one step that it is.
//!
//! Start reading at [`Call::new`].

use std::fmt::Write as _;
use std::path::PathBuf;

use castline_core::ModelRef;
use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::{Body, ModelPreset};
use castline_spec::{Name, Preset, Source};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::presets;
use crate::project::Project;
use crate::trouble::Trouble;

/// The name of the one step, and of its file.
const STEP: &str = "output";

/// A call, as a workflow that stands nowhere.
#[derive(Debug)]
pub struct Call {
    /// The workflow's text. Its paths are relative to where the user stands.
    pub source: Source,
    /// Values for its inputs, as `-i` takes them.
    pub inputs: Vec<String>,
}

impl Call {
    /// The step whose draw is another one when the call is drawn again.
    pub const STEP: &'static str = STEP;

    /// A call of a preset, named as a step names it, with `name=value` for each input.
    pub fn new(project: &Project, uses: &str, pairs: &[String]) -> Result<Self, Trouble> {
        let takes = Takes::of(project, uses)?;
        let (mut with, mut inputs) = (IndexMap::new(), IndexMap::new());
        let mut values = Vec::new();
        for pair in pairs {
            let (field, value) = pair.split_once('=').ok_or_else(|| {
                let example = "write `NAME=VALUE`, such as `prompt=\"A boat.\"`";
                Trouble::usage(format!("`{pair}` gives no value"), example)
            })?;
            let field = field.trim();
            let schema = takes.schema(uses, field)?;
            // A model's own names need not be such that templates can say.
            let own = Name::is_identifier(field);
            let input = if own { field.to_owned() } else { format!("input_{}", with.len()) };
            // Of a field that is given twice the last value counts, as with `-i`.
            let input = with.entry(field.to_owned()).or_insert(input).clone();
            values.push(format!("{input}={value}"));
            inputs.insert(input, schema);
        }
        takes.check_complete(uses, pairs)?;
        let text = text(&takes.name, uses, &with, &inputs);
        let here = PathBuf::from(format!("castline predict {}", uses.replace(['/', '\\'], " ")));
        Ok(Self { source: Source::new(crate::project::shown(&here), text), inputs: values })
    }
}

/// The workflow, with every input on a line of its own for messages about it.
fn text(name: &str, uses: &str, with: &IndexMap<String, String>, inputs: &IndexMap<String, Json>) -> String {
    let mut text = format!("name: {}\nsteps:\n  {STEP}:\n    uses: {}\n", json!(name), json!(uses));
    if !with.is_empty() {
        text.push_str("    with:\n");
    }
    for (field, input) in with {
        let _ = writeln!(text, "      {}: \"{{{{ inputs.{input} }}}}\"", json!(field));
    }
    if !inputs.is_empty() {
        text.push_str("inputs:\n");
    }
    for (input, schema) in inputs {
        let _ = writeln!(text, "  {input}: {schema}");
    }
    text
}

/// What a call takes.
struct Takes {
    /// The workflow's name: that of the preset.
    name: String,
    /// None for a raw model, of which nothing is known.
    fields: Option<Map<String, Json>>,
    required: Vec<String>,
    /// With the variable that fills it.
    secrets: Vec<(String, String)>,
}

impl Takes {
    fn of(project: &Project, uses: &str) -> Result<Self, Trouble> {
        if let Some(model) = uses.strip_prefix("model:") {
            let model: ModelRef = model.parse().map_err(|e| {
                Trouble::usage(format!("{e}"), "write `model:owner/name`, or the name of a preset")
            })?;
            let name = model.name.to_lowercase();
            return Ok(Self { name, fields: None, required: Vec::new(), secrets: Vec::new() });
        }
        let (preset, found) = presets::find(project, uses).ok_or_else(|| presets::unknown(project, uses))?;
        if found.has_errors() {
            return Err(Trouble::Diagnostics(found));
        }
        let name = preset.name.replace('/', "-");
        Ok(Self { name, ..Self::of_preset(&preset) })
    }

    fn of_preset(preset: &Preset) -> Self {
        let name = String::new();
        match &preset.body {
            Body::Model(model) => Self { name, ..Self::of_model(model) },
            Body::Derived(derived) => {
                let fields = derived.inputs.iter();
                let fields =
                    fields.map(|(name, input)| (name.to_string(), input.schema.json.clone())).collect();
                let required = derived.inputs.iter().filter(|(_, input)| input.default.is_none());
                let required = required.map(|(name, _)| name.to_string()).collect();
                Self { name, fields: Some(fields), required, secrets: Vec::new() }
            }
        }
    }

    fn of_model(model: &ModelPreset) -> Self {
        let schema = &model.input.value;
        let definitions =
            ["$defs", "definitions"].into_iter().filter_map(|key| Some((key, schema.get(key)?)));
        let definitions: Vec<_> = definitions.collect();
        let with_definitions = |(name, property): (&String, &Json)| {
            let mut property = property.clone();
            for (key, value) in &definitions {
                property[*key] = (*value).clone();
            }
            (name.clone(), property)
        };
        let properties = schema["properties"].as_object().into_iter().flatten();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let required = required.filter(|name| !model.defaults.contains_key(*name));
        Self {
            name: String::new(),
            fields: Some(properties.map(with_definitions).collect()),
            required: required.map(str::to_owned).collect(),
            secrets: model.secrets.iter().map(|(name, s)| (name.clone(), s.variable.clone())).collect(),
        }
    }

    /// The schema of one input.
    fn schema(&self, uses: &str, field: &str) -> Result<Json, Trouble> {
        let Some(fields) = &self.fields else { return Ok(json!({})) };
        if let Some((_, variable)) = self.secrets.iter().find(|(secret, _)| secret == field) {
            return Err(Trouble::usage(
                format!("`{field}` is a secret, which no command line gives"),
                format!("set `{variable}` in the environment: it is filled in when the request is sent"),
            ));
        }
        let mut schema = fields.get(field).cloned().ok_or_else(|| Trouble::Usage {
            message: format!("`{uses}` has no input `{field}`"),
            hint: did_you_mean("an input", field, fields.keys().map(String::as_str))
                .or_else(|| Some(format!("`castline preset show {uses}` shows all inputs"))),
        })?;
        // It would only fill the lines that messages show.
        schema.as_object_mut().into_iter().for_each(|schema| schema.retain(|key, _| key != "description"));
        Ok(schema)
    }

    fn check_complete(&self, uses: &str, pairs: &[String]) -> Result<(), Trouble> {
        let given = |name: &String| {
            pairs.iter().any(|pair| pair.split_once('=').is_some_and(|(field, _)| field.trim() == name))
        };
        let missing: Vec<_> = self.required.iter().filter(|name| !given(name)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
        Err(Trouble::usage(
            format!("`{uses}` needs {}", names.join(", ")),
            format!("add `{first}=...`; `castline preset show {uses}` shows all inputs"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use castline_spec::Workflow;

    use super::*;

    fn call(uses: &str, pairs: &[&str]) -> Result<Call, Trouble> {
        let (project, _) = Project::near(Path::new("/"));
        Call::new(&project, uses, &pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_call_is_a_workflow_of_one_step() {
        for (uses, pairs) in [
            ("flux-schnell", vec!["prompt=a = b", "num_outputs=2"]),
            ("std/resize", vec!["image=a.png", "scale=0.5"]),
            ("model:Owner/Name", vec!["someField=1"]),
        ] {
            let call = call(uses, &pairs).unwrap();
            let (workflow, found) = Workflow::parse(&call.source);
            assert!(!found.has_errors(), "{found:?}\n{}", call.source.text);
            let workflow = workflow.unwrap();
            assert_eq!((workflow.steps.len(), workflow.inputs.len()), (1, pairs.len()));
        }
        assert_eq!(call("flux-schnell", &["prompt=a = b"]).unwrap().inputs, ["prompt=a = b"]);
        let twice = call("flux-schnell", &["prompt=a", "prompt=b"]).unwrap();
        assert!(!Workflow::parse(&twice.source).1.has_errors(), "{}", twice.source.text);
        assert_eq!(call("model:o/n", &["someField=1"]).unwrap().inputs, ["input_0=1"]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_said_at_once() {
        let said = |uses: &str, pairs: &[&str]| {
            let trouble = call(uses, pairs).unwrap_err();
            format!("{trouble}; {}", trouble.hint().unwrap_or_default())
        };
        let show = "`castline preset show flux-schnell` shows all inputs";
        assert_eq!(
            said("flux-schnell", &[]),
            format!("`flux-schnell` needs `prompt`; add `prompt=...`; {show}")
        );
        assert_eq!(
            said("flux-schnell", &["promt=x"]),
            "`flux-schnell` has no input `promt`; there is an input `prompt`"
        );
        assert!(said("flux-schnell", &["prompt"]).starts_with("`prompt` gives no value"));
        assert!(said("flux-shnell", &["prompt=x"]).ends_with("there is the preset `flux-schnell`"));
        assert!(said("gpt-image-1", &["openai_api_key=sk-1"]).ends_with("when the request is sent"));
        assert!(said("model:x", &[]).ends_with("or the name of a preset"));
    }
}
