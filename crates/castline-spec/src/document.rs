//! Reads the values of documents: the right type or a finding, and on to the next.
//!
//! A [`Reader`] never stops at a mistake and never says the same twice: what is broken is left
//! out, and what depended on it stays silent. Which keys there are, each document kind says in
//! its own module.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::name::Name;
use crate::outside::{At, DataFormat};
use crate::raw::{self, Key, Node, NodeKind, Text};
use crate::schema::{MediaKind, Schema};
use crate::span::{Source, Span, Spanned};
use crate::template::{Dynamic, DynamicKind, Scope, Shape};
use crate::workflow::{Binding, Input};

/// The version of the language that this castline knows.
const LANGUAGE: u64 = 1;

/// One document on its way, with the findings about it.
pub(crate) struct Reader<'a> {
    pub source: &'a Source,
    pub found: Diagnostics,
}

/// The entries of a map whose keys were looked at.
pub(crate) struct Fields<'n> {
    /// Where the map stands.
    pub span: Span,
    entries: &'n [(Key, Node)],
    /// Keys that were probably meant by ones that do not exist.
    meant: Vec<String>,
}

impl<'n> Fields<'n> {
    pub fn none(span: Span) -> Self {
        Self { span, entries: &[], meant: Vec::new() }
    }

    pub fn keys(&self) -> impl Iterator<Item = &'n Key> + use<'n> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// True when a key that does not exist was probably meant to be this one.
    pub fn means(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }

    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node)
    }

    pub fn entry(&self, key: &str) -> Option<(&'n Key, &'n Node)> {
        self.entries.iter().find(|(k, _)| k.value == key).map(|(k, node)| (k, node))
    }
}

impl<'a> Reader<'a> {
    /// Reads the text and then the document in it. The findings come in the order of the file.
    pub fn document<T>(
        source: &'a Source,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> (Option<T>, Diagnostics) {
        let (root, found) = raw::read(source);
        let mut reader = Self { source, found };
        let document = root.and_then(|root| read(&mut reader, &root));
        reader.found.sort();
        (document, reader.found)
    }

    pub fn push(&mut self, finding: Diagnostic) {
        self.found.push(finding);
    }

    pub fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, span, message)
    }

    /// Says that a value has the wrong type, unless something was said about it before.
    pub fn wrong_type(&mut self, node: &Node, what: &str, takes: &str) {
        if node.kind != NodeKind::Broken {
            let message = format!("{what} takes {takes}, not {}", node.describe());
            self.push(self.error(Code::WrongType, node.span, message));
        }
    }

    /// Says that a key is not there, unless one is there that was probably meant to be it.
    pub fn missing(&mut self, fields: &Fields<'_>, what: &str, key: &str) {
        self.missing_at(fields, fields.span, what, key);
    }

    /// The same, at another place than the map.
    pub fn missing_at(&mut self, fields: &Fields<'_>, span: Span, what: &str, key: &str) {
        if fields.means(key) {
            return;
        }
        let place = if span.start.line == span.end.line { span } else { Span::at(span.start) };
        self.push(self.error(Code::MissingKey, place, format!("{what} needs `{key}`")));
    }

    /// Says what kind of document a map is when it is not the kind that was asked for.
    pub fn is_another(&mut self, root: &Node, what: &str, own: &str) -> bool {
        let has = |key: &str| root.get(key).is_some();
        let kind = match () {
            () if has(own) => return false,
            () if has("steps") => "a workflow, which `castline check` checks",
            () if has("model") && has("input") || has("extends") => {
                "a preset, which `castline preset check` checks"
            }
            () if has("providers") || has("limits") => "a project, which is checked with its workflows",
            () => return false,
        };
        let NodeKind::Map(entries) = &root.kind else { return false };
        let at = entries.first().map_or(root.span, |(key, _)| key.span);
        self.push(self.error(Code::InvalidValue, at, format!("this is no {what} but {kind}")));
        true
    }

    /// A map with a closed set of keys. Nothing at all is an empty map.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<Fields<'n>> {
        self.fields_or_hint(node, what, keys, None)
    }

    /// The same, with a hint for keys that are like no other.
    pub fn fields_or_hint<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: &[&str],
        otherwise: Option<&str>,
    ) -> Option<Fields<'n>> {
        let entries = self.entries(node, what)?;
        let mut fields = Fields { span: node.span, entries, meant: Vec::new() };
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str())) {
            let near = nearest(&key.value, keys.iter().copied());
            fields.meant.extend(near.map(str::to_owned));
            let hint = otherwise.filter(|_| near.is_none()).map(str::to_owned);
            let hint = hint.or_else(|| did_you_mean("a key", &key.value, keys.iter().copied()));
            self.unknown_key(
                key,
                what,
                hint,
                near.filter(|near| !entries.iter().any(|(k, _)| k.value == **near)),
            );
        }
        Some(fields)
    }

    pub fn unknown_key(&mut self, key: &Key, what: &str, hint: Option<String>, meant: Option<&str>) {
        let message = format!("{what} has no key `{}`", key.value);
        let finding = self.error(Code::UnknownKey, key.span, message).maybe_hint(hint);
        self.push(match meant {
            Some(meant) => finding.fix(key.span, meant),
            None => finding,
        });
    }

    /// A map with any keys. Nothing at all is an empty map.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        match &node.kind {
            NodeKind::Map(entries) => Some(entries),
            NodeKind::Null => Some(&[]),
            _ => {
                self.wrong_type(node, what, "a map");
                None
            }
        }
    }

    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Text> {
        match &node.kind {
            NodeKind::Text(text) => return Some(text),
            NodeKind::Bool(_) | NodeKind::Number(_) => {
                let fix = raw::quoted(self.source.slice(node.span));
                let message = format!("{what} takes text, not {}", node.describe());
                let finding = self.error(Code::WrongType, node.span, message);
                self.push(finding.hint("put it in quotes if it is text").fix(node.span, fix));
            }
            _ => self.wrong_type(node, what, "text"),
        }
        None
    }

    pub fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        self.text(node, what).map(|text| text.value.to_string())
    }

    pub fn spanned(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        self.string(node, what).map(|text| Spanned::new(text, node.span))
    }

    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        let meant = match &node.kind {
            NodeKind::Text(text) => match text.value.to_ascii_lowercase().as_str() {
                "yes" | "on" | "true" => Some("true"),
                "no" | "off" | "false" => Some("false"),
                _ => None,
            },
            _ => None,
        };
        let Some(meant) = meant else {
            self.wrong_type(node, what, "`true` or `false`");
            return None;
        };
        let message = format!("{what} takes `true` or `false`, not text");
        let finding = self.error(Code::WrongType, node.span, message);
        self.push(finding.hint(format!("write `{meant}`")).fix(node.span, meant));
        None
    }

    /// A number that is not negative.
    pub fn amount(&mut self, node: &Node, what: &str) -> Option<f64> {
        let value = match &node.kind {
            NodeKind::Number(value) => value.as_f64(),
            _ => None,
        };
        match value {
            Some(value) if value >= 0.0 => Some(value),
            Some(_) => {
                let message = format!("{what} cannot be less than 0");
                self.push(self.error(Code::InvalidValue, node.span, message));
                None
            }
            None => {
                self.wrong_type(node, what, "a number");
                None
            }
        }
    }

    /// A whole number from `least` on.
    pub fn whole(&mut self, node: &Node, what: &str, least: u32) -> Option<u32> {
        let NodeKind::Number(number) = &node.kind else {
            self.wrong_type(node, what, "a whole number");
            return None;
        };
        let value = number.as_u64().and_then(|value| u32::try_from(value).ok()).filter(|v| *v >= least);
        if value.is_none() {
            let message = format!("{what} takes a whole number from {least} on, not {number}");
            self.push(self.error(Code::InvalidValue, node.span, message));
        }
        value
    }

    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        if let NodeKind::List(items) = &node.kind {
            return Some(items);
        }
        self.wrong_type(node, what, "a list");
        if let (NodeKind::Text(text), Some(finding)) = (&node.kind, self.found.list.last_mut())
            && Name::is_document_name(&text.value)
        {
            let list = format!("[{}]", text.value);
            *finding = finding.clone().hint(format!("write `{list}`")).fix(node.span, list);
        }
        None
    }

    /// The items of a list, or one value alone.
    pub fn one_or_list(node: &Node) -> &[Node] {
        match &node.kind {
            NodeKind::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == &*text.value) {
            return Some(*choice);
        }
        let known = choices.iter().map(|(word, _)| *word);
        let hint = did_you_mean("the value", &text.value, known.clone());
        let near = nearest(&text.value, known);
        let message = format!("{what} cannot be `{}`", text.value);
        let mut finding = self.error(Code::InvalidValue, node.span, message).maybe_hint(hint);
        if let Some(near) = near {
            let same = near.eq_ignore_ascii_case(&text.value);
            finding = if same { finding.fix(node.span, near) } else { finding.suggest(node.span, near) };
        }
        self.push(finding);
        None
    }

    /// The name of a step, an input, a var, an axis or an output. A wrong one is taken too, so that
    /// what it names is still looked at.
    pub fn name(&mut self, key: &Key, what: &str) -> Name {
        if !Name::is_identifier(&key.value) {
            let message = format!("`{}` cannot be the name of {what}", key.value);
            let hint = if key.value.contains('-') {
                "names have `_` instead of `-`, which subtracts in a template"
            } else {
                "names are lower case letters, digits and `_`, and begin with a letter"
            };
            let mut finding = self.error(Code::InvalidName, key.span, message).hint(hint);
            if let Some(identifier) = identifier(&key.value) {
                // What refers to it has to be renamed as well.
                finding = finding.suggest(key.span, identifier);
            }
            self.push(finding);
        }
        Name::new(key.value.as_str())
    }

    /// The name of another thing of this document, as a value.
    pub fn reference(&mut self, node: &Node, what: &str, of: &str) -> Option<Spanned<Name>> {
        let text = self.spanned(node, what)?;
        Some(Spanned::new(self.name(&text, of), node.span))
    }

    /// The name of a workflow, a preset or a provider.
    pub fn document_name(&mut self, text: &Spanned<String>, what: &str) {
        if !text.value.split('/').all(Name::is_document_name) {
            let message = format!("`{}` cannot be the name of {what}", text.value);
            let hint = "such names are lower case letters, digits, `-`, `_` and `.`";
            self.push(self.error(Code::InvalidName, text.span, message).hint(hint));
        }
    }

    /// `castline: 1`.
    pub fn language(&mut self, fields: &Fields<'_>) {
        let Some(node) = fields.get("castline") else { return };
        let version = match &node.kind {
            NodeKind::Number(number) => number.as_u64(),
            _ => None,
        };
        match version {
            Some(LANGUAGE) => {}
            Some(version) if version > LANGUAGE => {
                let message =
                    format!("this document is of language {version}, this castline knows {LANGUAGE}");
                let finding = self.error(Code::NewerLanguage, node.span, message);
                self.push(finding.hint("update castline: a later one reads it"));
            }
            _ if node.kind == NodeKind::Broken => {}
            _ => {
                let message = "`castline` takes the number of a language";
                let finding = self.error(Code::InvalidValue, node.span, message);
                self.push(finding.hint(format!("write `{LANGUAGE}`")).fix(node.span, LANGUAGE.to_string()));
            }
        }
    }

    /// `30s`, `10m`, `1h30m`, or a number of seconds.
    pub fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let duration = match &node.kind {
            NodeKind::Number(seconds) => {
                seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            }
            NodeKind::Text(text) => parse_duration(&text.value),
            _ => {
                self.wrong_type(node, what, "a duration");
                return None;
            }
        };
        if duration.is_none_or(|duration| duration.is_zero()) {
            let message = format!("{what} cannot be `{}`", self.source.slice(node.span));
            let finding = self.error(Code::InvalidValue, node.span, message);
            self.push(finding.hint("a duration is `30s`, `10m`, `1h30m`, or a number of seconds"));
            return None;
        }
        duration
    }

    /// A value in which strings may be templates.
    pub fn dynamic(&mut self, node: &Node, scope: Scope) -> Dynamic {
        Dynamic::parse(node, self.source, scope, &mut self.found)
    }

    /// A map of names to values with templates.
    pub fn bindings(&mut self, node: &Node, key: &str, what: &str, scope: Scope) -> Vec<(Name, Binding)> {
        let entries = self.entries(node, key).unwrap_or_default();
        let binding = |(key, node): &(Key, Node)| {
            let name = self.name(key, what);
            (name, Binding { name_span: key.span, value: self.dynamic(node, scope) })
        };
        entries.iter().map(binding).collect()
    }

    /// A map of the model's own field names to values with templates.
    pub fn with(&mut self, node: &Node, scope: Scope) -> Vec<(String, Binding)> {
        let entries = self.entries(node, "`with`").unwrap_or_default();
        let binding = |(key, node): &(Key, Node)| {
            (key.value.clone(), Binding { name_span: key.span, value: self.dynamic(node, scope) })
        };
        entries.iter().map(binding).collect()
    }

    /// A text that may be a template.
    pub fn text_template(&mut self, node: &Node, what: &str, scope: Scope) -> Option<Dynamic> {
        self.text(node, what)?;
        Some(self.dynamic(node, scope))
    }

    /// `inputs` of a workflow or of a derived preset.
    pub fn inputs(&mut self, node: &Node) -> Vec<(Name, Input)> {
        let entries = self.entries(node, "`inputs`").unwrap_or_default();
        entries.iter().map(|(key, node)| (self.name(key, "an input"), self.input(key.span, node))).collect()
    }

    fn input(&mut self, name_span: Span, node: &Node) -> Input {
        let mut schema = Schema::read(node, self);
        let default = node.get("default").filter(|_| schema.json.is_object());
        if let Value::Object(json) = &mut schema.json {
            json.shift_remove("default");
        }
        let default = default.filter(|default| self.default(default, &schema));
        let default = default.map(|node| Spanned::new(node.to_json(), node.span));
        let listed = node.get("enum").or_else(|| node.get("items")?.get("enum"));
        Input {
            name_span,
            schema,
            default,
            listed: values_of(listed),
            examples: values_of(node.get("examples")),
        }
    }

    /// True for a default that can be looked at.
    fn default(&mut self, node: &Node, schema: &Schema) -> bool {
        let NodeKind::Text(text) = &node.kind else { return true };
        if let Some(At::File(path)) = At::of(&text.value) {
            let wrong = self.not_a_file(node.span, &text.value, path, schema);
            let is_file = wrong.is_none();
            self.found.list.extend(wrong);
            return is_file;
        }
        if text.value.contains("{{") {
            let message = "`default` is not a template: this stays as it is";
            self.push(Diagnostic::warning(Code::InvalidValue, self.source, node.span, message));
        }
        true
    }

    /// Why `@PATH` cannot be a default.
    fn not_a_file(&self, span: Span, text: &str, path: &str, schema: &Schema) -> Option<Diagnostic> {
        let message = format!("`default` cannot be `{text}`");
        let error = |why: &str| self.error(Code::InvalidValue, span, format!("{message}: {why}"));
        if let Some(kind) = MediaKind::of_schema(&schema.json) {
            let finding =
                error("a file that is read for its value has an `@`, and this input takes the file");
            let finding = finding.hint(format!("{} is named without it", kind.noun()));
            return Some(finding.fix(span, raw::quoted(path)));
        }
        if DataFormat::of_path(path).is_none() {
            let finding = error(&format!("files with values end in {}", DataFormat::ENDINGS));
            let escaped = format!("@{text}");
            let hint = format!("a text that begins with `@` is written with two: `{escaped}`");
            return Some(finding.hint(hint).suggest(span, raw::quoted(&escaped)));
        }
        let relative = path.starts_with("./") || path.starts_with("../");
        (!relative).then(|| {
            let finding = error("a path in a document begins with `./` or `../`");
            let absolute = path.starts_with('/') || path.contains([':', '\\']);
            let finding = finding.hint("it is relative to this document");
            if absolute { finding } else { finding.fix(span, raw::quoted(&format!("@./{path}"))) }
        })
    }

    /// A map of literal values.
    pub fn literals(&mut self, node: &Node, what: &str) -> Map<String, Value> {
        self.entries(node, what).map(raw::map_to_json).unwrap_or_default()
    }
}

/// The items of a list with their places.
fn values_of(node: Option<&Node>) -> Vec<Spanned<Value>> {
    match node.map(|node| &node.kind) {
        Some(NodeKind::List(items)) => {
            items.iter().map(|item| Spanned::new(item.to_json(), item.span)).collect()
        }
        _ => Vec::new(),
    }
}

/// True for what an axis can be opened over: a list, or one expression.
pub(crate) fn is_list_like(value: &Dynamic) -> bool {
    match &value.kind {
        DynamicKind::Template(template) => template.shape == Shape::Lone,
        DynamicKind::Literal(_) | DynamicKind::Map(_) => false,
        DynamicKind::List(_) | DynamicKind::Broken => true,
    }
}

/// The nearest text that is a name.
fn identifier(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let name: String =
        lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    Name::is_identifier(name).then(|| name.to_owned())
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut last) = (text.trim(), Duration::ZERO, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next().unwrap_or('s');
        let seconds = match unit {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        if seconds >= last {
            return None;
        }
        last = seconds;
        total = total.checked_add(Duration::from_secs(count.checked_mul(seconds)?))?;
        rest = rest.get(digits + 1..).unwrap_or_default();
    }
    (last != u64::MAX).then_some(total)
}
