//! The workflow document.
//!
//! From YAML to a [`Workflow`]: every key known, every value of its type, every template parsed.
//! Whether the steps, presets and inputs that it names exist is the core's question. All findings
//! come in one go, and as much of the document as could be read comes with them.
//!
//! Start reading at [`Workflow::parse`].

use std::time::Duration;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::document::{Fields, Reader, is_list_like};
use crate::name::Name;
use crate::raw::{Key, Node, NodeKind, Text};
use crate::schema::Schema;
use crate::span::{Source, Span, Spanned};
use crate::template::{All, Dynamic, Scope, Template};

/// The keys of a workflow.
pub const KEYS: &[&str] = &["castline", "name", "description", "inputs", "vars", "steps", "outputs"];

/// The keys of a step.
pub(crate) const STEP_KEYS: &[&str] = &[
    "uses",
    "with",
    "from",
    "each",
    "where",
    "if",
    "after",
    "json",
    "draw",
    "retry",
    "timeout",
    "cache",
    "on_error",
    "save",
    "legs",
    "version",
    "description",
];

/// The keys of `retry`.
pub(crate) const RETRY_KEYS: &[&str] = &["times", "on"];

/// A workflow as written: every key known and typed, every template parsed, nothing resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// The text it came from.
    pub source: Source,
    /// `name`, else the file's stem.
    pub name: Name,
    /// `description`.
    pub description: Option<String>,
    /// `inputs`, in the order of the file.
    pub inputs: IndexMap<Name, Input>,
    /// `vars`.
    pub vars: IndexMap<Name, Binding>,
    /// `steps`, in the order of the file.
    pub steps: IndexMap<Name, Step>,
    /// `outputs`.
    pub outputs: IndexMap<Name, Binding>,
    /// True when `inputs`, `vars` or `steps` could not be read, so that what they name is not known.
    pub incomplete: bool,
}

/// A declared input of a workflow or of a derived preset.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Where the name stands.
    pub name_span: Span,
    /// What values it takes, media shorthands expanded.
    pub schema: Schema,
    /// `default`; `Some(null)` makes the input optional.
    pub default: Option<Spanned<serde_json::Value>>,
    /// The values of `enum`, of the items' for a list, each with its place.
    pub listed: Vec<Spanned<serde_json::Value>>,
    /// `examples` of the schema, each with its place.
    pub examples: Vec<Spanned<serde_json::Value>>,
}

/// A name bound to a value with templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Where the name stands.
    pub name_span: Span,
    /// What it is bound to.
    pub value: Dynamic,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where the name stands.
    pub name_span: Span,
    /// What it calls; a preset without a name when it says none, which is a finding.
    pub uses: Spanned<Uses>,
    /// `with`, by the model's field names.
    pub with: IndexMap<String, Binding>,
    /// Where `with` stands, when it does.
    pub with_span: Option<Span>,
    /// `from`.
    pub from: Option<From>,
    /// `each`: own axes in their order.
    pub each: IndexMap<Name, Binding>,
    /// `where`: drops combinations of axes; a lone template, braces optional in the file.
    pub r#where: Option<Dynamic>,
    /// `if`: a lone template, braces optional in the file.
    pub condition: Option<Dynamic>,
    /// `after`.
    pub after: Vec<Spanned<Name>>,
    /// `draw`.
    pub draw: Option<Dynamic>,
    /// `json`: the schema that the step's text must match once parsed.
    pub json: Option<Spanned<serde_json::Value>>,
    /// `retry`.
    pub retry: Retry,
    /// `timeout` of one prediction's running; default 30 min.
    pub timeout: Option<Duration>,
    /// `cache: false` gives `false`.
    pub cache: bool,
    /// `on_error`.
    pub on_error: OnError,
    /// `save`: a path template.
    pub save: Option<Dynamic>,
    /// `legs`: the axes that readers may rely on.
    pub legs: Option<Spanned<Vec<Name>>>,
    /// `version` of the model.
    pub version: Option<Spanned<String>>,
    /// `description`.
    pub description: Option<String>,
    /// True when its `with` or `from` could not be read, so that what it lacks is not known.
    pub incomplete: bool,
}

/// What a step calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uses {
    /// A preset by name, `flux-schnell`, `std/contact-sheet` or `library/name`.
    Preset(String),
    /// A preset file, `./presets/house.yaml`, relative to the workflow.
    Path(String),
    /// `model:owner/name[:version]`: a raw model, its inputs unchecked.
    Model(String),
}

/// Where a step's media come from.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// `from: a` or `from: [a, b.all]`: into the one port of the media's kind.
    Steps(Vec<Spanned<Piped>>),
    /// `from: {mask: a}`: into the named ports.
    Ports(IndexMap<String, (Span, Vec<Spanned<Piped>>)>),
}

/// One source of media.
#[derive(Debug, Clone, PartialEq)]
pub struct Piped {
    /// The step.
    pub step: Spanned<Name>,
    /// `.all` or `.all('axis')`.
    pub all: Option<All>,
}

/// `retry`: how often a failed prediction is created again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retry {
    /// How many further creates; default 0.
    pub times: u32,
    /// For which failures; empty means `platform` alone.
    pub on: Vec<Spanned<FailureKind>>,
}

/// What kind of failure a prediction ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The model or host refused the content.
    Moderation,
    /// The host's own fault.
    Platform,
    /// The input was not acceptable.
    Input,
    /// A deadline passed.
    Timeout,
    /// The output is empty, broken, gone or does not match.
    Output,
    /// Paid, and the outputs can no longer be had.
    Expired,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// Every kind with its word.
    pub const ALL: &'static [(&'static str, FailureKind)] = &[
        ("moderation", Self::Moderation),
        ("platform", Self::Platform),
        ("input", Self::Input),
        ("timeout", Self::Timeout),
        ("output", Self::Output),
        ("expired", Self::Expired),
        ("other", Self::Other),
    ];
}

/// `on_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Dependents are not run; independent branches go on.
    #[default]
    Stop,
    /// The failure is absent for readers and not the run's failure.
    Skip,
}

impl Workflow {
    /// Reads a workflow. It comes with all findings, and is there as often as the text is a map;
    /// with errors among the findings it cannot be used, only looked at.
    pub fn parse(source: &Source) -> (Option<Self>, Diagnostics) {
        Reader::document(source, Reader::workflow)
    }
}

impl Reader<'_> {
    fn workflow(&mut self, root: &Node) -> Option<Workflow> {
        if self.is_another(root, "workflow", "steps") {
            return None;
        }
        let fields = self.fields(root, "a workflow", KEYS)?;
        self.language(&fields);
        let odd = |key: &str| {
            fields.get(key).is_some_and(|node| !matches!(node.kind, NodeKind::Map(_) | NodeKind::Null))
        };
        let misspelt = ["inputs", "vars", "steps"].iter().any(|key| fields.means(key));
        let incomplete = misspelt
            || ["inputs", "vars", "steps"].into_iter().any(odd)
            || self.found.list.iter().any(|finding| finding.code == Code::DuplicateKey);
        let mut workflow = Workflow {
            source: self.source.clone(),
            name: self.workflow_name(&fields),
            description: fields.get("description").and_then(|node| self.string(node, "`description`")),
            inputs: fields.get("inputs").map(|node| self.inputs(node)).into_iter().flatten().collect(),
            vars: self.named_bindings(&fields, "vars", "a var", Scope::STEP),
            steps: self.steps(&fields),
            outputs: self.named_bindings(&fields, "outputs", "an output", Scope::OUTPUT),
            incomplete,
        };
        self.say_where_names_are(&mut workflow);
        Some(workflow)
    }

    fn workflow_name(&mut self, fields: &Fields<'_>) -> Name {
        let written = fields.get("name").and_then(|node| self.spanned(node, "`name`"));
        let Some(name) = written else { return Name::new(self.source.stem()) };
        self.document_name(&name, "a workflow");
        if name.value.contains('/') && name.value.split('/').all(Name::is_document_name) {
            let message = format!("`{}` cannot be the name of a workflow: it has a `/`", name.value);
            self.push(self.error(Code::InvalidName, name.span, message));
        }
        Name::new(name.value)
    }

    fn named_bindings(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        what: &str,
        scope: Scope,
    ) -> IndexMap<Name, Binding> {
        let node = fields.get(key);
        node.map(|node| self.bindings(node, &format!("`{key}`"), what, scope)).into_iter().flatten().collect()
    }

    fn steps(&mut self, fields: &Fields<'_>) -> IndexMap<Name, Step> {
        let Some(node) = fields.get("steps") else {
            self.missing(fields, "a workflow", "steps");
            return IndexMap::new();
        };
        let entries = self.entries(node, "`steps`").unwrap_or_default();
        if matches!(&node.kind, NodeKind::Null) || matches!(&node.kind, NodeKind::Map(e) if e.is_empty()) {
            self.push(self.error(Code::InvalidValue, node.span, "a workflow needs at least one step"));
        }
        entries.iter().map(|(key, node)| (self.name(key, "a step"), self.step(key, node))).collect()
    }

    fn step(&mut self, key: &Key, node: &Node) -> Step {
        let what = format!("step `{}`", key.value);
        let otherwise = "inputs of the model stand under `with`";
        let before = self.found.list.len();
        let fields = self.fields_or_hint(node, &what, STEP_KEYS, Some(otherwise));
        let is_map = fields.is_some();
        let fields = fields.unwrap_or(Fields::none(node.span));
        let odd =
            |key: &str, fits: fn(&NodeKind) -> bool| fields.get(key).is_some_and(|node| !fits(&node.kind));
        let incomplete = odd("with", |kind| matches!(kind, NodeKind::Map(_) | NodeKind::Null))
            || odd("from", |kind| match kind {
                NodeKind::Map(entries) => !entries.is_empty(),
                NodeKind::List(items) => !items.is_empty(),
                kind => matches!(kind, NodeKind::Text(_)),
            });
        Step {
            name_span: key.span,
            uses: self.uses(key, &fields, is_map),
            with: fields.get("with").map(|node| self.with(node, Scope::STEP)).into_iter().flatten().collect(),
            with_span: fields.get("with").map(|node| node.span),
            from: fields.get("from").and_then(|node| self.from(node)),
            each: fields.get("each").map(|node| self.each(node)).unwrap_or_default(),
            r#where: fields.get("where").and_then(|node| self.condition(node, "`where`")),
            condition: fields.get("if").and_then(|node| self.condition(node, "`if`")),
            after: fields.get("after").map(|node| self.after(node)).unwrap_or_default(),
            draw: fields.get("draw").map(|node| self.dynamic(node, Scope::STEP)),
            json: fields.get("json").map(|node| Spanned::new(Schema::read(node, self).json, node.span)),
            retry: fields.get("retry").map(|node| self.retry(node)).unwrap_or_default(),
            timeout: fields.get("timeout").and_then(|node| self.duration(node, "`timeout`")),
            cache: fields.get("cache").and_then(|node| self.boolean(node, "`cache`")).unwrap_or(true),
            on_error: fields.get("on_error").and_then(|node| self.on_error(node)).unwrap_or_default(),
            save: fields.get("save").and_then(|node| self.text_template(node, "`save`", Scope::SAVE)),
            legs: fields.get("legs").and_then(|node| self.legs(node)),
            version: fields.get("version").and_then(|node| self.spanned(node, "`version`")),
            description: fields.get("description").and_then(|node| self.string(node, "`description`")),
            incomplete: incomplete || self.found.list[before..].iter().any(|f| f.code == Code::UnknownKey),
        }
    }

    fn uses(&mut self, key: &Key, fields: &Fields<'_>, is_map: bool) -> Spanned<Uses> {
        let nothing = || Spanned::new(Uses::Preset(String::new()), key.span);
        let Some(node) = fields.get("uses") else {
            if is_map {
                self.missing_at(fields, key.span, &format!("step `{}`", key.value), "uses");
            }
            return nothing();
        };
        let Some(text) = self.text(node, "`uses`") else { return nothing() };
        match self.used(text) {
            Ok(uses) => Spanned::new(uses, node.span),
            Err(finding) => {
                self.push(*finding);
                nothing()
            }
        }
    }

    fn used(&self, text: &Text) -> Result<Uses, Box<Diagnostic>> {
        let value = &*text.value;
        let refuse = |message: &str, hint: &str| {
            let message = format!("`uses` cannot be `{value}`: {message}");
            Box::new(self.error(Code::InvalidValue, text.span, message).hint(hint))
        };
        if value.contains("{{") {
            return Err(refuse(
                "templates are not read here",
                "call each preset in a step of its own, with `if`",
            ));
        }
        if let Some(model) = value.strip_prefix("model:") {
            let hint = "`model:owner/name` or `model:owner/name:version`";
            let refused = || refuse("a model is `owner/name`", hint);
            return is_model(model).then(|| Uses::Model(model.to_owned())).ok_or_else(refused);
        }
        if value.starts_with("./") || value.starts_with("../") {
            return Ok(Uses::Path(value.to_owned()));
        }
        let parts: Vec<_> = value.split('/').collect();
        if parts.len() <= 2 && parts.iter().all(|part| Name::is_document_name(part)) {
            return Ok(Uses::Preset(value.to_owned()));
        }
        Err(refuse(
            "this is neither a preset nor a path",
            "`flux-schnell`, `library/name`, `./file.yaml` or `model:owner/name`",
        ))
    }

    fn from(&mut self, node: &Node) -> Option<From> {
        let empty = match &node.kind {
            NodeKind::List(items) => items.is_empty(),
            NodeKind::Map(entries) => entries.is_empty(),
            _ => false,
        };
        if empty {
            self.push(
                self.error(Code::InvalidValue, node.span, "`from` names no step")
                    .hint("name one, or leave `from` out"),
            );
            return None;
        }
        match &node.kind {
            NodeKind::Text(_) | NodeKind::List(_) => Some(From::Steps(self.piped_from(node))),
            NodeKind::Map(entries) => {
                let port = |(key, node): &(Key, Node)| {
                    let piped = self.piped_from(node);
                    (self.name(key, "a port").as_str().to_owned(), (key.span, piped))
                };
                Some(From::Ports(entries.iter().map(port).collect()))
            }
            _ => {
                self.wrong_type(node, "`from`", "a step, a list of steps, or a map of ports to steps");
                None
            }
        }
    }

    fn piped_from(&mut self, node: &Node) -> Vec<Spanned<Piped>> {
        let nodes = Self::one_or_list(node).iter();
        let piped = |node: &Node| {
            let text = self.text(node, "`from`")?;
            let piped = self.piped(text)?;
            Some(Spanned::new(piped, node.span))
        };
        nodes.filter_map(piped).collect()
    }

    /// `draft`, `styled.all` or `styled.all('seed', 'style')`.
    fn piped(&mut self, text: &Text) -> Option<Piped> {
        let map = text.map(self.source);
        let value = &*text.value;
        let (name, rest) = value.split_at(value.find('.').unwrap_or(value.len()));
        let step = Spanned::new(name.to_owned(), map.span(0..name.len()));
        let all = match rest.strip_prefix(".all") {
            _ if rest.is_empty() => Ok(None),
            Some("") => Ok(Some(All::Every)),
            Some(axes) => axes_of(axes, |range| {
                let start = value.len() - axes.len();
                map.span(start + range.start..start + range.end)
            })
            .map(|axes| Some(All::Named(axes)))
            .ok_or("axes are named in quotes, `styled.all('seed')`".to_owned()),
            None => Err(hint_for_piped(name, rest)),
        };
        match all {
            Ok(all) => {
                let name = self.name(&step, "a step");
                Some(Piped { step: Spanned::new(name, step.span), all })
            }
            Err(hint) => {
                let message = format!("`from` cannot be `{}`", value.trim());
                self.push(self.error(Code::InvalidValue, text.span, message).hint(hint));
                None
            }
        }
    }

    fn each(&mut self, node: &Node) -> IndexMap<Name, Binding> {
        let axes = self.bindings(node, "`each`", "an axis", Scope::STEP);
        let before = self.found.list.len();
        for (name, axis) in &axes {
            if !is_list_like(&axis.value) && !self.has_error_at(axis.value.span, before) {
                let message = format!("axis `{name}` takes a list or one `{{{{ }}}}` expression");
                self.push(self.error(Code::WrongType, axis.value.span, message));
            }
        }
        axes.into_iter().collect()
    }

    /// True when something was said about a value already.
    fn has_error_at(&self, span: Span, until: usize) -> bool {
        let inside = |s: Span| span.start <= s.start && s.end <= span.end;
        self.found.list[..until].iter().any(|finding| finding.span.is_some_and(inside))
    }

    fn condition(&mut self, node: &Node, what: &str) -> Option<Dynamic> {
        match &node.kind {
            NodeKind::Text(text) => match Template::expression(text, self.source, Scope::STEP) {
                Ok(template) => Some(Dynamic::of_template(template, node.span)),
                Err(findings) => {
                    self.found.extend(findings);
                    None
                }
            },
            NodeKind::Bool(_) => Some(self.dynamic(node, Scope::STEP)),
            _ => {
                self.wrong_type(node, what, "an expression");
                None
            }
        }
    }

    fn after(&mut self, node: &Node) -> Vec<Spanned<Name>> {
        let nodes = Self::one_or_list(node).iter();
        nodes.filter_map(|node| self.reference(node, "`after`", "a step")).collect()
    }

    fn retry(&mut self, node: &Node) -> Retry {
        if let NodeKind::Number(times) = &node.kind {
            let fix = format!("{{ times: {times} }}");
            let finding = self.error(
                Code::WrongType,
                node.span,
                format!("`retry` takes a map, not the number {times}"),
            );
            self.push(finding.hint(format!("write `{fix}`")).fix(node.span, fix));
            return Retry::default();
        }
        let Some(fields) = self.fields(node, "`retry`", RETRY_KEYS) else { return Retry::default() };
        let times = fields.get("times").map(|node| self.whole(node, "`times`", 0));
        if times.is_none() {
            self.missing(&fields, "`retry`", "times");
        }
        let on = fields.get("on").map(|node| self.failures(node)).unwrap_or_default();
        Retry { times: times.flatten().unwrap_or_default(), on }
    }

    fn failures(&mut self, node: &Node) -> Vec<Spanned<FailureKind>> {
        let nodes = Self::one_or_list(node).iter();
        let kind = |node: &Node| Some(Spanned::new(self.choice(node, "`on`", FailureKind::ALL)?, node.span));
        nodes.filter_map(kind).collect()
    }

    fn on_error(&mut self, node: &Node) -> Option<OnError> {
        self.choice(node, "`on_error`", &[("stop", OnError::Stop), ("skip", OnError::Skip)])
    }

    fn legs(&mut self, node: &Node) -> Option<Spanned<Vec<Name>>> {
        let items = self.list(node, "`legs`")?;
        let axes = items.iter().filter_map(|item| self.reference(item, "`legs`", "an axis"));
        let axes = axes.map(|axis| axis.value).collect();
        Some(Spanned::new(axes, node.span))
    }

    /// A name out of scope that a step or an input has is most likely meant to be that one.
    fn say_where_names_are(&mut self, workflow: &mut Workflow) {
        for finding in &mut self.found.list {
            let (Code::UnknownName, Some(span)) = (finding.code, finding.span) else { continue };
            let name = self.source.slice(span);
            let root = [
                ("steps", workflow.steps.contains_key(name)),
                ("inputs", workflow.inputs.contains_key(name)),
                ("vars", workflow.vars.contains_key(name)),
                ("each", workflow.steps.values().any(|step| step.each.contains_key(name))),
            ];
            if let Some((root, _)) = root.iter().find(|(_, known)| *known) {
                let path = format!("{root}.{name}");
                finding.hint = Some(format!("write `{path}`"));
                finding.fix = Some(crate::diagnostic::Fix { span, text: path, certain: true });
            }
        }
    }
}

/// True for `owner/name` and `owner/name:version`.
pub(crate) fn is_model(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let (path, version) = text.split_once(':').map_or((text, None), |(path, version)| (path, Some(version)));
    path.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) && version.is_none_or(part)
}

/// The names in `('seed', 'style')`.
fn axes_of(text: &str, place: impl Fn(std::ops::Range<usize>) -> Span) -> Option<Vec<Spanned<String>>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut axes = Vec::new();
    let mut at = 1;
    for part in inner.split(',') {
        let name = part.trim();
        let quote = name.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let bare = name.strip_prefix(quote)?.strip_suffix(quote)?;
        let start = at + part.len() - part.trim_start().len() + 1;
        axes.push(Spanned::new(bare.to_owned(), place(start..start + bare.len())));
        at += part.len() + 1;
    }
    axes.iter().all(|axis| Name::is_identifier(axis)).then_some(axes)
}

fn hint_for_piped(name: &str, rest: &str) -> String {
    match (name, rest.strip_prefix('.')) {
        ("steps", Some(step)) => format!("a step stands here by its name alone: `{step}`"),
        _ if name.contains("{{") => "a step stands here by its name alone, without braces".into(),
        _ => "`from` takes `draft`, `styled.all` or `styled.all('seed')`; one output of a step is piped in `with`".into(),
    }
}

#[cfg(test)]
mod tests;
