//! Inputs that only the environment fills.

use indexmap::IndexMap;
use serde_json::Value;

use crate::diagnostic::Code;
use crate::document::Reader;
use crate::raw::Node;
use crate::schema::MediaKind;
use crate::span::Span;

/// An input that is filled from the environment when a request is sent, and that no step gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where its field stands under `secrets`.
    pub span: Span,
    /// The environment variable that holds it.
    pub variable: String,
    /// True when the model takes no request without it.
    pub required: bool,
}

impl Reader<'_> {
    /// Takes the fields that only the environment fills out of the schema, so that nobody else can.
    pub(super) fn secrets(
        &mut self,
        node: &Node,
        schema: &mut Value,
        spans: &mut IndexMap<String, Span>,
    ) -> IndexMap<String, Secret> {
        let mut secrets = IndexMap::new();
        for (key, node) in self.entries(node, "`secrets`").unwrap_or_default() {
            self.known_input(key, spans.keys().map(String::as_str));
            let variable = self.variable(node);
            let Some(property) = schema["properties"].get(&key.value) else { continue };
            if property["type"] != "string" || MediaKind::of_schema(property).is_some() {
                let message = format!("`{}` takes no text, and a secret is one", key.value);
                self.push(self.error(Code::InvalidValue, key.span, message));
            }
            let required = is_required(schema, &key.value);
            forget(schema, &key.value);
            spans.shift_remove(&key.value);
            if let Some(variable) = variable {
                secrets.insert(key.value.clone(), Secret { span: key.span, variable, required });
            }
        }
        secrets
    }

    /// The name of an environment variable. What else stands there may be the secret itself.
    fn variable(&mut self, node: &Node) -> Option<String> {
        let variable = self.string(node, "a secret")?;
        let mut letters = variable.chars();
        let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some(variable);
        }
        let message = "a secret is the name of the environment variable that holds it";
        let finding = self.error(Code::InvalidValue, node.span, message);
        self.push(
            finding.hint("such as `openai_api_key: OPENAI_API_KEY`; the secret itself stands in no file"),
        );
        None
    }
}

fn is_required(schema: &Value, input: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == input))
}

/// Takes a property out of a schema.
fn forget(schema: &mut Value, input: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| name != input);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != input);
    }
}
