//! Compiled templates, and how they become values.
//!
//! A [`Bound`] is a document's value whose templates are compiled; [`Templates::render`]
//! turns it into a [`Value`] in a [`Scope`]. What templates can say is minijinja's own
//! language less its statements for files and macros, plus the filters below.

mod measure;
mod quick;

use std::sync::Arc;

use castline_spec::template::tree::Body;
use castline_spec::template::{Dynamic, DynamicKind, Reference, Shape, Target, Template};
use castline_spec::{Code, Source, Span};
use indexmap::IndexMap;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use crate::scope::{Absent, Scope};
use crate::value::Value;
pub(crate) use quick::Plain;

/// Work that one rendering may do; one unit is one instruction or 64 bytes.
const FUEL: u64 = 2_000_000;

/// A value of a document, its templates compiled.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The text it was written in.
    pub source: Source,
    /// Where it was written.
    pub span: Span,
    /// What it is.
    pub kind: BoundKind,
}

/// What a [`Bound`] is.
#[derive(Debug, Clone)]
pub enum BoundKind {
    /// A value without templates in it.
    Literal(Value),
    /// A template, by its name in [`Templates`].
    Template(Arc<str>, Arc<Template>),
    /// A list.
    List(Vec<Bound>),
    /// A map.
    Map(IndexMap<String, Bound>),
}

impl Bound {
    /// Everything that its templates refer to, in the order of the text.
    pub fn references(&self) -> Vec<&Reference> {
        match &self.kind {
            BoundKind::Literal(_) => Vec::new(),
            BoundKind::Template(_, template) => template.references.iter().collect(),
            BoundKind::List(items) => items.iter().flat_map(Self::references).collect(),
            BoundKind::Map(map) => map.values().flat_map(Self::references).collect(),
        }
    }
}

/// Why a template gave no value.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// It really read a value that is absent.
    Absent(Absent),
    /// It reads something that is not known yet.
    Pending,
    /// It failed.
    Failed {
        /// What kind of finding it is.
        code: Code,
        /// The text it was written in.
        source: Source,
        /// Where.
        span: Span,
        /// What went wrong.
        message: String,
    },
}

/// The compiled templates of one workflow.
pub struct Templates {
    env: Environment<'static>,
    count: usize,
}

impl Default for Templates {
    fn default() -> Self {
        Self { env: environment(), count: 0 }
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Templates({})", self.count)
    }
}

impl Templates {
    /// Compiles every template of a value. They were parsed before, with the document.
    pub fn bind(&mut self, dynamic: &Dynamic, source: &Source) -> Bound {
        let kind = match &dynamic.kind {
            DynamicKind::Literal(json) => BoundKind::Literal(Value::from_json(json.clone())),
            // There is a finding, so that nobody renders it.
            DynamicKind::Broken => BoundKind::Literal(Value::Null),
            DynamicKind::Template(template) => {
                BoundKind::Template(self.add(template), Arc::new(template.clone()))
            }
            DynamicKind::List(items) => {
                BoundKind::List(items.iter().map(|item| self.bind(item, source)).collect())
            }
            DynamicKind::Map(map) => BoundKind::Map(
                map.iter().map(|(key, (_, item))| (key.clone(), self.bind(item, source))).collect(),
            ),
        };
        Bound { source: source.clone(), span: dynamic.span, kind }
    }

    /// Compiles a path: values in it cannot make folders, and the whole is always text.
    pub fn bind_path(&mut self, dynamic: &Dynamic, source: &Source) -> Bound {
        let DynamicKind::Template(template) = &dynamic.kind else { return self.bind(dynamic, source) };
        self.count += 1;
        let name = format!("{PATH}{}", self.count);
        let code = match template.shape {
            Shape::Lone => format!("{LONE}{}}}}}", template.code),
            Shape::Text => template.code.to_string(),
        };
        self.env.add_template_owned(name.clone(), code).expect("parsed with the document");
        let mut template = template.clone();
        template.shape = Shape::Text;
        Bound {
            source: source.clone(),
            span: dynamic.span,
            kind: BoundKind::Template(name.into(), Arc::new(template)),
        }
    }

    /// Compiles an expression that castline itself wrote.
    pub(crate) fn bind_expression(&mut self, code: &str, source: &Source, span: Span) -> Bound {
        let map = castline_spec::template::PositionMap::default();
        let body = Arc::new(Body::Text(Vec::new()));
        let template = Template { code: code.into(), shape: Shape::Lone, body, references: Vec::new(), map };
        let name = self.add(&template);
        Bound { source: source.clone(), span, kind: BoundKind::Template(name, Arc::new(template)) }
    }

    fn add(&mut self, template: &Template) -> Arc<str> {
        self.count += 1;
        let (name, code) = match template.shape {
            Shape::Lone => (format!("lone{}", self.count), format!("{LONE}{}}}}}", template.code)),
            Shape::Text => (format!("text{}", self.count), template.code.to_string()),
        };
        self.env
            .add_template_owned(name.clone(), code)
            .expect("the document's own parser compiled the same text");
        name.into()
    }

    /// Renders a value in a scope.
    pub fn render(&self, bound: &Bound, scope: &Arc<Scope>) -> Result<Value, Stop> {
        match &bound.kind {
            BoundKind::Literal(value) => Ok(value.clone()),
            BoundKind::Template(name, template) => self.run(name, template, bound, scope),
            BoundKind::List(items) => {
                items.iter().map(|item| self.render(item, scope)).collect::<Result<_, _>>().map(Value::List)
            }
            BoundKind::Map(map) => map
                .iter()
                .map(|(key, item)| Ok((key.clone(), self.render(item, scope)?)))
                .collect::<Result<_, _>>()
                .map(Value::Map),
        }
    }

    /// Renders a condition: what an `if` makes of the value.
    pub(crate) fn render_truth(&self, bound: &Bound, scope: &Arc<Scope>) -> Result<bool, Stop> {
        match self.render(bound, scope) {
            Ok(value) => Ok(truth(&value)),
            // An absent value that is the whole condition is false, as it is for `not`.
            Err(Stop::Absent(_)) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    fn run(&self, name: &str, template: &Template, at: &Bound, scope: &Arc<Scope>) -> Result<Value, Stop> {
        if let Some(value) = Plain::from(&**scope).run(name, template) {
            return Ok(value);
        }
        let scope = Arc::new(scope.fresh());
        let compiled = self.env.get_template(name).expect("added by `bind`");
        let result =
            compiled.render_captured(Jinja::from_dyn_object(scope.clone())).and_then(
                |captured| match template.shape {
                    Shape::Text => Ok(Value::String(captured.output().to_owned())),
                    Shape::Lone => from_jinja(&captured.state().get_temp(LONE).unwrap_or(Jinja::from(()))),
                },
            );
        let reads = scope.take_reads();
        if reads.pending {
            return Err(Stop::Pending);
        }
        match result {
            Ok(value) => match reads.absent.into_iter().find(|absent| reads_it(template, absent)) {
                Some(absent) => Err(Stop::Absent(absent)),
                None => Ok(value),
            },
            // What cannot be done with nothing fails in many words; the absent value is why.
            Err(error) => {
                let undefined = is_undefined(&error);
                match reads.absent.into_iter().find(|absent| undefined || reads_it(template, absent)) {
                    Some(absent) => Err(Stop::Absent(absent)),
                    None => Err(failed(&error, template, at)),
                }
            }
        }
    }
}

/// What an `if` makes of a value.
pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Media(_) => true,
    }
}

/// How the names of paths' templates begin.
const PATH: &str = "path";

/// How the code of a lone template begins; also the name under which its value is kept.
const LONE: &str = "{{ ";

/// True when the template reads the absent value where it is not merely looked at.
fn reads_it(template: &Template, absent: &Absent) -> bool {
    template.references.iter().any(|r| {
        !r.guarded
            && match (&r.target, absent) {
                (Target::Step { step, attribute, .. }, Absent::Step { step: name, attribute: read, .. }) => {
                    step.value == name.as_str()
                        && attribute.as_ref().is_none_or(|a| read.is_empty() || a.value == *read)
                }
                (Target::Var(var), Absent::Var { var: name, .. }) => var.value == name.as_str(),
                _ => false,
            }
    })
}

fn is_undefined(error: &Error) -> bool {
    let mut error: &dyn std::error::Error = error;
    loop {
        if error.downcast_ref::<Error>().is_some_and(|e| e.kind() == ErrorKind::UndefinedError) {
            return true;
        }
        match error.source() {
            Some(source) => error = source,
            None => return false,
        }
    }
}

fn failed(error: &Error, template: &Template, at: &Bound) -> Stop {
    let shift = if template.shape == Shape::Lone { LONE.len() } else { 0 };
    let span = error
        .range()
        .map(|r| r.start.saturating_sub(shift)..r.end.saturating_sub(shift).min(template.code.len()))
        .filter(|r| r.start < r.end)
        .map_or(at.span, |r| template.map.span(r));
    let message = match error.kind() {
        ErrorKind::OutOfFuel => "the template does more work than one template may".to_owned(),
        ErrorKind::UndefinedError => "a value in it is not defined".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    let of_text = error.detail().is_some_and(|detail| NOT_TEXT.iter().any(|(_, words)| *words == detail));
    let code = match error.kind() {
        ErrorKind::TemplateNotFound => Code::Unreadable,
        _ if of_text => Code::TextOfNonText,
        _ => Code::TemplateFailed,
    };
    Stop::Failed { code, source: at.source.clone(), span, message }
}

/// How the engine treats what is missing, and how much it may do.
fn behave(env: &mut Environment<'_>) {
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
}

pub(crate) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    behave(&mut env);
    measure::guard(&mut env);
    env.set_debug(true);
    env.set_syntax(
        SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the usual delimiters"),
    );
    env.set_formatter(|out, state, value| {
        if state.name().starts_with("lone") {
            state.set_temp(LONE, value.clone());
            return Ok(());
        }
        match not_text(value) {
            Some(what) => Err(Error::new(ErrorKind::InvalidOperation, what)),
            None if state.name().starts_with(PATH) => {
                Ok(out.write_str(&crate::save::file_name_part(&value.to_string()))?)
            }
            None => Ok(write!(out, "{value}")?),
        }
    });
    env.remove_global("debug");
    env.add_filter("json", |state: &mut State, value: Jinja| -> Result<String, Error> {
        measure::measure(state, std::slice::from_ref(&value), 0)?;
        let json = from_jinja(&value)?.to_json(&mut |a| a.digest.to_string().into());
        Ok(json.to_string())
    });
    env.add_filter("from_json", |text: &str| -> Result<Jinja, Error> {
        serde_json::from_str(text)
            .map(|json| to_jinja(&Value::from_json(json)))
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, format!("the text is not JSON: {e}")))
    });
    env.add_filter("regex_search", regex_search);
    env.add_filter("regex_replace", |text: &str, pattern: &str, by: &str| -> Result<String, Error> {
        Ok(regex(pattern)?.replace_all(text, by).into_owned())
    });
    env.add_filter("slug", slug);
    env.add_filter("basename", |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
    for (name, wanted) in [
        ("succeeded", crate::results::LegStatus::Succeeded),
        ("failed", crate::results::LegStatus::Failed),
        ("skipped", crate::results::LegStatus::Skipped),
    ] {
        env.add_test(name, move |step: &Jinja| crate::scope::has_status(step, wanted));
    }
    env
}

/// What cannot stand inside longer text, and what to do.
const NOT_TEXT: &[(ValueKind, &str)] = &[
    (ValueKind::None, "the value is none, which cannot stand inside text; add `| default('', true)`"),
    (ValueKind::Seq, "a list cannot stand inside text; add `| join(', ')` or `| json`"),
    (ValueKind::Map, "a map cannot stand inside text; name one of its keys or add `| json`"),
    (ValueKind::Bytes, "media cannot stand inside text; pipe it with `from` or a field of its own"),
    (ValueKind::Plain, "the value is a step or a function; name one of its attributes, such as `.text`"),
];

/// Why a value cannot stand inside longer text; none when it can.
fn not_text(value: &Jinja) -> Option<&'static str> {
    let kind = match value.kind() {
        _ if crate::scope::as_artifact(value).is_some() => ValueKind::Bytes,
        ValueKind::String | ValueKind::Number | ValueKind::Bool => return None,
        ValueKind::None | ValueKind::Undefined => ValueKind::None,
        ValueKind::Seq | ValueKind::Iterable => ValueKind::Seq,
        ValueKind::Map => ValueKind::Map,
        _ => ValueKind::Plain,
    };
    NOT_TEXT.iter().find(|(of, _)| *of == kind).map(|(_, words)| *words)
}

pub(crate) fn regex(pattern: &str) -> Result<regex::Regex, Error> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, format!("not a regular expression: {e}")))
}

/// Named groups as a map, else the first group, else the match; no match is undefined.
fn regex_search(text: &str, pattern: &str) -> Result<Jinja, Error> {
    let regex = regex(pattern)?;
    let Some(found) = regex.captures(text) else { return Ok(Jinja::UNDEFINED) };
    let group = |m: Option<regex::Match<'_>>| m.map_or(Jinja::from(()), |m| Jinja::from(m.as_str()));
    let named: Vec<_> =
        regex.capture_names().flatten().map(|n| (n.to_owned(), group(found.name(n)))).collect();
    Ok(if !named.is_empty() {
        Jinja::from_pairs(named)
    } else if found.len() > 1 {
        group(found.get(1))
    } else {
        group(found.get(0))
    })
}

/// Lower-case letters and digits with single hyphens between, as file names like them.
fn slug(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let words = text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c));
    let dashed: String =
        words.flat_map(char::to_lowercase).map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A value as templates see it.
pub(crate) fn to_jinja(value: &Value) -> Jinja {
    match value {
        Value::Null => Jinja::from(()),
        Value::Bool(b) => Jinja::from(*b),
        Value::Number(n) => n
            .as_i64()
            .map(Jinja::from)
            .or_else(|| n.as_u64().map(Jinja::from))
            .unwrap_or_else(|| Jinja::from(n.as_f64().unwrap_or(f64::NAN))),
        Value::String(s) => Jinja::from(s.as_str()),
        Value::List(items) => items.iter().map(to_jinja).collect(),
        Value::Map(map) => Jinja::from_pairs(map.iter().map(|(k, v)| (k.clone(), to_jinja(v)))),
        Value::Media(artifact) => crate::scope::media(artifact),
    }
}

/// What a template gave, as a value. Undefined anywhere in it is an error.
pub(crate) fn from_jinja(value: &Jinja) -> Result<Value, Error> {
    measure::measure_result(value)?;
    taken(value)
}

fn taken(value: &Jinja) -> Result<Value, Error> {
    if let Some(artifact) = crate::scope::as_artifact(value) {
        return Ok(Value::Media(artifact));
    }
    let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidOperation, what.to_owned()));
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Value::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.checked().map(|item| taken(&item?)).collect::<Result<_, _>>().map(Value::List)
        }
        ValueKind::Map => value
            .try_iter()?
            .checked()
            .map(|key| {
                let key = key?;
                Ok((key.to_string(), taken(&value.get_item(&key)?)?))
            })
            .collect::<Result<_, Error>>()
            .map(Value::Map),
        ValueKind::Plain => {
            wrong("this is a step, not a value; name what you want of it, such as `.image` or `.text`")
        }
        ValueKind::Bytes => wrong("bytes are no value of a workflow"),
        // An invalid value carries the error that made it; iterating takes it out.
        _ => value.try_iter().map_or_else(Err, |_| wrong("this is no value of a workflow")),
    }
}

fn number(value: &Jinja) -> Result<Value, Error> {
    if let (true, Some(i)) = (value.is_integer(), value.as_i64()) {
        return Ok(Value::Number(i.into()));
    }
    let float: f64 = value.clone().try_into()?;
    let number = serde_json::Number::from_f64(float)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the number is not finite"))?;
    Ok(Value::from_json(number.into()))
}
