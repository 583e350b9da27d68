//! A finding about a document: code, message, labelled spans, hint.
//!
//! Findings are data; only the command draws them.

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde::Serialize;

use crate::span::{Source, Span};

macro_rules! codes {
    ($($variant:ident = $code:literal, $title:literal;)*) => {
        /// What kind of finding it is. Each code has a page in `docs/errors/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable name, as printed in brackets: `unknown-input`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// One line that says what the code means.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }
        }
    };
}

codes! {
    // The text itself
    Unreadable = "unreadable", "A file is missing or cannot be read.";
    YamlSyntax = "yaml-syntax", "The text is not valid YAML.";
    DuplicateKey = "duplicate-key", "A key stands twice in one map.";
    UnknownKey = "unknown-key", "A key that this document does not have.";
    WrongType = "wrong-type", "A value of another type than the key takes.";
    MissingKey = "missing-key", "A key that this document needs is not there.";
    InvalidName = "invalid-name", "A name with characters that names cannot have.";
    InvalidValue = "invalid-value", "A value that the key cannot take.";
    YamlTrap = "yaml-trap", "YAML reads this otherwise than it looks.";
    NewerLanguage = "newer-language", "The document is of a later castline language.";
    // Templates
    TemplateSyntax = "template-syntax", "The template cannot be parsed.";
    UnknownFilter = "unknown-filter", "A filter, test or function that castline does not have.";
    UnknownName = "unknown-name", "A name in a template that is not in scope.";
    UnknownAttribute = "unknown-attribute", "A step or artifact does not offer this attribute.";
    ComputedStep = "computed-step", "A step is referred to by a computed name.";
    TextOfNonText = "text-of-non-text", "A list, map, none or media stands inside longer text.";
    TemplateFailed = "template-failed", "The template failed with real values.";
    // References
    UnknownStep = "unknown-step", "A step that this workflow does not have.";
    UnknownPreset = "unknown-preset", "A preset that cannot be found.";
    UnknownInput = "unknown-input", "An input that the model or workflow does not take.";
    UnknownPort = "unknown-port", "A port that the preset does not have.";
    UnknownAxis = "unknown-axis", "An axis that the step does not have.";
    UnknownProvider = "unknown-provider", "A provider that is not configured.";
    Cycle = "cycle", "Steps, vars or presets wait for each other.";
    // Values against schemas
    InvalidInput = "invalid-input", "A value that the model's schema does not take.";
    MissingInput = "missing-input", "A required input has no value.";
    RuleBroken = "rule-broken", "Inputs that the model does not take together.";
    TypeMismatch = "type-mismatch", "A value of a type that the input can never take.";
    MediaMismatch = "media-mismatch", "Media of another kind than the port takes.";
    AmbiguousPort = "ambiguous-port", "Media could go to more than one port.";
    DoubleFilled = "double-filled", "An input is filled twice.";
    InvalidSchema = "invalid-schema", "A schema that is not valid JSON Schema.";
    BadMedia = "bad-media", "A file that is not the media it should be.";
    BadData = "bad-data", "A file of values that cannot be read as what it is.";
    NoMatch = "no-match", "A pattern that no file matches.";
    // Axes
    AxisClash = "axis-clash", "One axis name over different lists in one step.";
    AxisNotClosed = "axis-not-closed", "A step with axes is read where one value is needed.";
    LegsMismatch = "legs-mismatch", "The step's axes are not those that `legs` says.";
    NeedlessAll = "needless-all", "`.all` of a step without axes.";
    // Conditions
    ConstantCondition = "constant-condition", "An `if` that is the same whatever comes.";
    NeverRuns = "never-runs", "A step reads one that never runs.";
    // Saving and the project
    SaveCollision = "save-collision", "Two files would be saved under one name.";
    InvalidPath = "invalid-path", "A path that leaves its root or cannot be a file name.";
    NotServed = "not-served", "The provider does not serve this preset.";
    UnlockedLibrary = "unlocked-library", "A library that `castline.lock` does not pin.";
    UnusableLibrary = "unusable-library", "A library that is missing, changed or broken.";
    Unused = "unused", "Nothing uses this.";
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document works, but probably not as meant.
    Warning,
}

impl Severity {
    /// In documents and reports: `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A second place that explains a finding, maybe in another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text that the span is in.
    pub source: Source,
    /// Where.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// A cure: replace what the span covers with `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What to replace, in the finding's own text.
    pub span: Span,
    /// What to put there.
    pub text: String,
    /// True when nothing else can be meant, so that `check --fix` applies it. Else it is the
    /// nearest thing that would be taken, and a person decides.
    pub certain: bool,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What is wrong; lower case, no full stop, names in backticks.
    pub message: String,
    /// The text that `span` is in.
    pub source: Source,
    /// The place of the mistake; absent when the whole file is meant.
    pub span: Option<Span>,
    /// A few words under the caret.
    pub caret: Option<String>,
    /// Further places.
    pub labels: Vec<Label>,
    /// What to try.
    pub hint: Option<String>,
    /// A cure, when one edit is enough.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            source: source.clone(),
            span: Some(span),
            caret: None,
            labels: Vec::new(),
            hint: None,
            fix: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, source, span, message) }
    }

    /// An error about a whole file.
    pub fn of_file(code: Code, source: &Source, message: impl Into<String>) -> Self {
        Self { span: None, ..Self::error(code, source, Span::default(), message) }
    }

    /// Adds words under the caret.
    #[must_use]
    pub fn caret(mut self, text: impl Into<String>) -> Self {
        self.caret = Some(text.into());
        self
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// Adds what to try, if there is something.
    #[must_use]
    pub fn maybe_hint(mut self, text: Option<String>) -> Self {
        self.hint = text.or(self.hint);
        self
    }

    /// Adds a certain cure.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, text: text.into(), certain: true });
        self
    }

    /// Adds the nearest thing that would be taken, for a person to decide.
    #[must_use]
    pub fn suggest(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, text: text.into(), certain: false });
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, source: &Source, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { source: source.clone(), span, message: message.into() });
        self
    }
}

/// Findings in the order they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// The findings.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
    }

    /// True when at least one finding is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// Keeps of the findings of one kind at one place the first, and says how many there are: a
    /// value may be wrong in each of a thousand legs.
    pub fn condense(&mut self) {
        let place = |finding: &Diagnostic| (finding.code, finding.source.name.clone(), finding.span);
        let mut first = IndexMap::new();
        let mut more = Vec::new();
        for finding in std::mem::take(&mut self.list) {
            match first.entry(place(&finding)) {
                Entry::Vacant(entry) => {
                    entry.insert(self.list.len());
                    self.list.push(finding);
                    more.push(0);
                }
                Entry::Occupied(entry) => {
                    let at = *entry.get();
                    more[at] += usize::from(self.list[at].message != finding.message);
                }
            }
        }
        for (finding, more) in self.list.iter_mut().zip(more).filter(|(_, more)| *more > 0) {
            let others = format!("{more} more values are wrong here");
            finding.hint = Some(match &finding.hint {
                Some(hint) => format!("{hint}; {others}"),
                None => others,
            });
        }
    }

    /// Orders by file, then place, and drops exact repetitions.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            (&a.source.name, a.span, a.code, &a.message).cmp(&(&b.source.name, b.span, b.code, &b.message))
        });
        self.list.dedup();
    }
}

/// The nearest of some names, when one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| {
            let longest = name.len().max(k.len());
            *distance <= (longest / 3).max(1) && *distance < longest
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// The hint that goes with an unknown name: the nearest one, else the list of all when it is short.
pub fn did_you_mean<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("there is {what} `{near}`"));
    }
    let all: Vec<_> = known.into_iter().collect();
    if all.is_empty() || all.len() > 16 {
        return None;
    }
    Some(format!("known: {}", all.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")))
}
