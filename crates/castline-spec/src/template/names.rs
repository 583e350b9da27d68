//! What a template can say: names in scope, filters, tests, functions, and words for what it cannot.

/// The names that templates of one place may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(pub(super) &'static [&'static str]);

impl Scope {
    /// `with`, `each`, `if`, `draw` and `vars` of a workflow.
    pub const STEP: Self = Self(&["inputs", "vars", "steps", "each", "index"]);
    /// `save`: a file besides.
    pub const SAVE: Self = Self(&["inputs", "vars", "steps", "each", "index", "file"]);
    /// `outputs`: no axes.
    pub const OUTPUT: Self = Self(&["inputs", "vars", "steps"]);
    /// `with` and `vars` of a derived preset.
    pub const DERIVED: Self = Self(&["inputs", "vars"]);
    /// `if` and `quantity` of a price.
    pub const PRICE: Self = Self(&["input"]);

    /// Where a name is in scope that is not in scope here.
    pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
        match name {
            "inputs" | "vars" => Some("in workflows and derived presets"),
            "steps" => Some("in workflows"),
            "each" | "index" => Some("in steps and vars"),
            "file" => Some("in `save`"),
            "input" => Some("in prices"),
            _ => None,
        }
    }
}

/// The filters of castline.
pub const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "basename",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "from_json",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "json",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "regex_replace",
    "regex_search",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "slug",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// The tests of castline, what can stand after `is`.
pub const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "failed",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "skipped",
    "startingwith",
    "string",
    "succeeded",
    "test",
    "true",
    "undefined",
    "upper",
];

/// The functions of castline.
pub const FUNCTIONS: &[&str] = &["dict", "namespace", "range", "read"];

/// Tests that look at an absent value without reading it.
pub(super) const LOOKING_TESTS: &[&str] = &["defined", "undefined", "succeeded", "failed", "skipped"];

/// Tests of how a step ended.
pub(super) const STATUS_TESTS: &[&str] = &["succeeded", "failed", "skipped"];

/// The parser's message in the words of a user.
pub(super) fn syntax_message(detail: &str, code: &str) -> String {
    if let Some(name) = detail.strip_prefix("unknown statement ") {
        return format!("castline's templates have no `{{% {name} %}}`");
    }
    match detail {
        "unexpected end of input, expected end of variable block" => "`{{` is not closed with `}}`".into(),
        "unexpected end of input, expected end of block" if code.rfind("{%") > code.rfind("%}") => {
            "`{%` is not closed with `%}`".into()
        }
        "unexpected end of input, expected end of block" => {
            "a statement is not ended, `{% endif %}` or its like is missing".into()
        }
        "unexpected end of variable block" => "an expression is missing before `}}`".into(),
        "unexpected end of comment" => "`{#` is not closed with `#}`".into(),
        "unexpected end of input, expected expression" => "an expression is missing here".into(),
        _ => {
            detail.replace("end of variable block", "`}}`").replace("end of block", "`%}`").replace('\n', " ")
        }
    }
}

/// What to try instead, by what stands there.
pub(super) fn syntax_hint(detail: &str, there: &str) -> Option<String> {
    let hint = match detail.strip_prefix("unknown statement ") {
        Some("macro" | "call" | "block") => "repeat yourself with `{% for %}`, or bind a value in `vars`",
        Some("include" | "import" | "from" | "extends") => "`read('./file.md')` gives the text of a file",
        Some("raw" | "endraw") => "`{% raw %}` needs its `{% endraw %}`",
        Some(_) => "there are `if`, `for`, `set`, `with` and `filter`",
        None => match there.chars().next() {
            Some('&') => "write `and`",
            Some('|') if detail.contains("expected identifier") => "write `or`",
            Some('!') => "write `not`",
            Some('?') => "write `a if condition else b`",
            Some('=') if detail.contains("`=`") => "two values are compared with `==`",
            _ => return None,
        },
    };
    Some(hint.into())
}
