//! Derived presets: their own inputs, and what they send to the preset that they extend.

use std::collections::BTreeSet;

use castline_spec::outside::{At, is_pattern, path_hint};
use castline_spec::preset::DerivedPreset;
use castline_spec::template::{Dynamic, DynamicKind, Shape, Target};
use castline_spec::{Code, Diagnostic};
use serde_json::Value as Json;

use super::places::{join, path};
use super::{Check, a};
use crate::callee::Callee;
use crate::field::{Field, type_words};
use crate::graph::is_path;

impl Check<'_> {
    /// The inputs of a derived preset, their defaults and the ports onto them.
    pub(super) fn inputs(&mut self, derived: &DerivedPreset) {
        for (name, input) in &derived.inputs {
            let at = path(&["inputs", name.as_str()]);
            if !self.schema(&input.schema.json, &at) {
                continue;
            }
            let one = Json::Object([(name.to_string(), input.schema.json.clone())].into_iter().collect());
            self.each_fits(&one, &path(&["inputs"]));
            let from_file = |value: &Json| value.as_str().is_some_and(|text| At::of(text).is_some());
            let default = input.default.as_ref();
            let default = default.filter(|default| !default.value.is_null() && !from_file(&default.value));
            let field = Field::new(&input.schema.json, self.source, input.name_span, false).ok();
            if let (Some(default), Some(field)) = (default, field) {
                let files = field.media.is_some() && default.value.as_str().is_some_and(is_pattern);
                let misfits = if files { Vec::new() } else { field.misfits_json(&default.value) };
                self.misfits(&format!("{name}.default"), misfits, default.span, &field);
            }
        }
        let compiled = |(name, input): (&castline_spec::Name, &castline_spec::workflow::Input)| {
            let field = Field::new(&input.schema.json, self.source, input.name_span, false).ok()?;
            Some((name.to_string(), field))
        };
        let fields = derived.inputs.iter().filter_map(compiled).collect();
        self.ports(&fields);
        self.unused(derived);
    }

    /// Inputs and vars that nothing reads.
    fn unused(&mut self, derived: &DerivedPreset) {
        let (mut inputs, mut vars) = (BTreeSet::new(), BTreeSet::new());
        let all = derived.with.values().chain(derived.vars.values());
        for reference in all.flat_map(|binding| binding.value.references()) {
            match &reference.target {
                Target::Input(name, _) => drop(inputs.insert(name.value.clone())),
                Target::Var(name) => drop(vars.insert(name.value.clone())),
                _ => {}
            }
        }
        let unread_inputs = derived.inputs.iter().filter(|(name, _)| !inputs.contains(name.as_str()));
        let unread_vars = derived.vars.iter().filter(|(name, _)| !vars.contains(name.as_str()));
        let unread = unread_inputs
            .map(|(name, input)| (format!("nothing uses the input `{name}`"), input.name_span))
            .chain(unread_vars.map(|(name, var)| (format!("nothing uses the var `{name}`"), var.name_span)));
        for (message, span) in unread.collect::<Vec<_>>() {
            self.found.push(Diagnostic::warning(Code::Unused, self.source, span, message));
        }
    }

    /// What it sends fits the inputs of the next preset, as far as that is known without values.
    pub(super) fn derived(&mut self, derived: &DerivedPreset, callee: &Callee) {
        let next = match callee.layers.len() {
            0 | 1 => callee.model_fields(),
            _ => callee.layer_fields(1),
        };
        for (name, binding) in &derived.with {
            if let Some(field) = next.get(name) {
                self.sent(name, &binding.value, field, derived);
            }
        }
    }

    fn sent(&mut self, name: &str, value: &Dynamic, field: &Field, derived: &DerivedPreset) {
        if let Some(json) = value.as_literal() {
            // A path is a file of the project, and looked for with the examples.
            let is_file = |json: &Json| json.as_str().is_some_and(is_path);
            let files = field.media.is_some()
                && (is_file(&json) || json.as_array().is_some_and(|items| items.iter().all(is_file)));
            if !json.is_null() && !files {
                let place = join(&path(&["with"]), [name]);
                self.misfits(name, field.misfits_json(&json), self.places.value(&place), field);
                self.no_file(name, &json, value, field);
            }
            return;
        }
        let DynamicKind::Template(template) = &value.kind else { return };
        let types = field.types();
        let takes = match field.media {
            Some(media) => a(media.kind).to_owned(),
            None => type_words(&types),
        };
        let given = match template.shape {
            Shape::Text if field.media.is_some() || !types.is_empty() && !types.contains(&"string") => {
                Some(("this template is always text".to_owned(), value.span))
            }
            Shape::Lone => self.given(template, field, derived),
            Shape::Text => None,
        };
        if let Some((given, span)) = given {
            let message = format!("`{name}` takes {takes}, and {given}");
            let finding = Diagnostic::error(Code::TypeMismatch, self.source, span, message);
            self.found.push(finding.label(&field.source, field.span, "declared here"));
        }
    }

    fn no_file(&mut self, name: &str, json: &Json, value: &Dynamic, field: &Field) {
        if let (Some(_), Json::String(text)) = (field.media, json) {
            let message = format!("`{name}` takes a file, and `{text}` is no path");
            let finding = Diagnostic::error(Code::InvalidInput, self.source, value.span, message);
            self.found.push(finding.hint(path_hint(text)));
        }
    }

    /// What a bare `{{ inputs.x }}` is, where the field can never take it.
    fn given(
        &self,
        template: &castline_spec::Template,
        field: &Field,
        derived: &DerivedPreset,
    ) -> Option<(String, castline_spec::Span)> {
        let [reference] = template.references.as_slice() else { return None };
        let Target::Input(name, rest) = &reference.target else { return None };
        if !reference.whole || !rest.is_empty() || template.code.contains('|') {
            return None;
        }
        let input = derived.inputs.get(name.value.as_str())?;
        let own = Field::new(&input.schema.json, self.source, input.name_span, false).ok()?;
        let wrong = match (own.media, field.media) {
            (Some(own), Some(takes)) => own.many != takes.many || !takes.kind.accepts(own.kind),
            (Some(_), None) => !field.types().is_empty(),
            (None, Some(_)) => !own.types().is_empty(),
            (None, None) => return None,
        };
        let words = match own.media {
            Some(media) if media.many => {
                format!("`{name}` is a list of {}s", media.kind.as_str(), name = name.value)
            }
            Some(media) => format!("`{}` is {}", name.value, a(media.kind)),
            None => format!("`{}` is {}", name.value, type_words(&own.types())),
        };
        wrong.then_some((words, reference.span))
    }
}
