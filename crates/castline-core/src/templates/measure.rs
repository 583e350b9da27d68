//! How much a value is once it is written out, and that it is not too much.
//!
//! The engine repeats lists without copying them and counts what its filters write only when it is
//! written, so that a short template could ask for more text or values than there is memory. Here they
//! are counted before.
//!
//! Start reading at [`guard`].

use std::sync::LazyLock;

use minijinja::value::{Rest, Value as Jinja, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State};

use super::FUEL;

/// The units of a unit of work; the engine counts in them.
const UNITS: u64 = 64;
/// What a value costs beside its text.
const VALUE: u64 = 16;
/// Most lists and maps in each other; documents and JSON nest 128 deep at most.
const DEEPEST: usize = 256;

/// What a value that leaves the engine may come to: more than is written, as tables are large.
const MOST: u64 = 4 * FUEL * UNITS;

/// The filters that write all of a value as text. None of them calls another one.
const WHOLE: &[&str] = &[
    "capitalize",
    "e",
    "escape",
    "format",
    "indent",
    "join",
    "lower",
    "pprint",
    "replace",
    "safe",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
];

/// The engine's own filters.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    super::behave(&mut env);
    env
});

/// Has the filters that write all of their values count them first.
pub(super) fn guard(env: &mut Environment<'_>) {
    for name in WHOLE {
        env.add_filter(*name, |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            let indent = if *name == "tojson" { indent(&arguments) } else { 0 };
            measure(state, &arguments, indent)?;
            let mut engine = ENGINE.empty_state();
            let result = engine.apply_filter(name, &arguments);
            let (used, _) = engine.fuel_levels().unwrap_or_default();
            state.consume_fuel(used)?;
            result
        });
    }
}

/// Refuses values that are more than the state's fuel can pay for.
pub(super) fn measure(state: &State, values: &[Jinja], indent: u64) -> Result<(), Error> {
    let (_, fuel) = state.fuel_levels().unwrap_or((0, FUEL));
    let mut measure = Measure { left: fuel.saturating_mul(UNITS), indent };
    values.iter().try_for_each(|value| measure.whole(value))
}

/// The same for a value that leaves the engine.
pub(super) fn measure_result(value: &Jinja) -> Result<(), Error> {
    Measure { left: MOST, indent: 0 }.whole(value)
}

/// The blanks before what is one list or map deep; what is no number, the filter itself refuses.
fn indent(arguments: &[Jinja]) -> u64 {
    let by_name = arguments.iter().skip(1).find_map(|named| named.get_attr("indent").ok());
    let given = by_name.filter(|value| !value.is_undefined()).or_else(|| arguments.get(1).cloned());
    given.and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}

struct Measure {
    left: u64,
    indent: u64,
}

impl Measure {
    /// A value that is there; only what is in it is yet to be written.
    fn whole(&mut self, value: &Jinja) -> Result<(), Error> {
        if value.as_object().is_some() { self.take(value, 0) } else { Ok(()) }
    }

    fn take(&mut self, value: &Jinja, depth: usize) -> Result<(), Error> {
        self.pay(VALUE.saturating_add(self.indent.saturating_mul(depth as u64)))?;
        if let Some(text) = value.as_str() {
            return self.pay(text.len() as u64);
        }
        let kind = value.kind();
        if !matches!(kind, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
            return Ok(());
        }
        if depth == DEEPEST {
            let message = format!("a value nests more than {DEEPEST} deep");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        if value.len().is_some_and(|items| (items as u64).saturating_mul(VALUE) > self.left) {
            return self.pay(self.left);
        }
        // What cannot be gone through is for the filter to refuse.
        let Ok(items) = value.try_iter() else { return Ok(()) };
        for item in items {
            self.take(&item, depth + 1)?;
            if kind == ValueKind::Map
                && let Ok(item) = value.get_item(&item)
            {
                self.take(&item, depth + 1)?;
            }
        }
        Ok(())
    }

    fn pay(&mut self, units: u64) -> Result<(), Error> {
        self.left = self.left.saturating_sub(units);
        if self.left == 0 { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{environment, from_jinja};
    use super::*;

    /// What an expression gives, and as it leaves the engine.
    fn value(expression: &str) -> Result<String, String> {
        let words = |e: Error| e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
        let mut env = environment();
        env.add_template_owned("lone", format!("{{{{ {expression} }}}}")).map_err(words)?;
        let compiled = env.get_template("lone").map_err(words)?;
        let captured = compiled.render_captured(()).map_err(words)?;
        let value = captured.state().get_temp(super::super::LONE).unwrap_or_default();
        let value = from_jinja(&value).map_err(words)?;
        Ok(value.to_json(&mut |a| a.digest.to_string().into()).to_string())
    }

    #[test]
    fn what_would_be_too_much_is_refused_before_it_is_written() {
        // Ten thousand million values, which the engine repeats without copying them.
        let many = "([[1] * 100000] * 100000)";
        for filter in WHOLE {
            let expression = match *filter {
                "format" => format!("'%s'|format({many})"),
                "replace" => format!("{many}|replace('a', 'b')"),
                _ => format!("{many}|{filter}"),
            };
            assert_eq!(value(&expression), Err("engine ran out of fuel".to_owned()), "{expression}");
        }
        for expression in [
            many.to_owned(),
            format!("{many}|json"),
            format!("{{'a': {many}}}"),
            "[1] * 100000000".to_owned(),
            "[['x' * 1000000] * 100000]|string".to_owned(),
            "['x' * 1000000] * 100000".to_owned(),
        ] {
            assert_eq!(value(&expression), Err("engine ran out of fuel".to_owned()), "{expression}");
        }
    }

    #[test]
    fn an_indent_is_counted_before_it_is_written() {
        for large in ["(indent=2000000000)", "(2000000000)", "(indent=18446744073709551615)"] {
            let expression = format!("[1, 2, 3]|tojson{large}");
            assert_eq!(value(&expression), Err("engine ran out of fuel".to_owned()), "{expression}");
        }
        assert_eq!(value("[1]|tojson(indent=2)"), Ok(r#""[\n  1\n]""#.to_owned()));
        assert_eq!(value("{'indent': 2000000000}|tojson|length"), Ok("22".to_owned()));
        assert_eq!(value("[1]|tojson(true)"), Ok(r#""[\n  1\n]""#.to_owned()));
    }

    #[test]
    fn small_arguments_that_ask_for_much_are_refused() {
        for expression in [
            "'a'|indent(2000000000, first=true)",
            "'%99999999999d'|format(1)",
            "'%.99999999999f'|format(1.5)",
            "'a' * 2000000000",
            "'abc'|replace('', 'x' * 100000000)",
            "[1]|batch(4000000000, 1)|length",
            "[1]|slice(4000000000, 1)|length",
            "range(100000)|join('x' * 1000000)",
            "'abc'|regex_replace('', 'x' * 200000000)",
        ] {
            assert!(value(expression).is_err(), "{expression}");
        }
        assert!(value("range(2000000000)").is_err_and(|why| why.contains("too many elements")));
        assert!(value("10 ** 2000000000").is_err());
        assert_eq!(value("1.5|round(2000000000)"), Ok("1.5".to_owned()));
    }

    #[test]
    fn what_nests_too_deep_is_refused_before_it_needs_the_stack() {
        let mut env = environment();
        let text = "{% set ns = namespace(x=1) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}\
                    {{ ns.x|string|length }}";
        env.add_template("text", text).expect("it parses");
        let error = env.get_template("text").expect("there").render(()).expect_err("it is too deep");
        assert_eq!(error.detail(), Some("a value nests more than 256 deep"));
    }

    #[test]
    fn what_is_usual_is_what_the_engine_makes_of_it() {
        for (expression, made) in [
            ("['a', 'b']|join(', ')", r#""a, b""#),
            ("'a-b'|replace('-', '', count=1)", r#""ab""#),
            ("[3, 1, 2]|sort(reverse=true)", "[3,2,1]"),
            ("[1, [2]]|string", r#""[1, [2]]""#),
            ("'%s-%d'|format('a', 2)", r#""a-2""#),
            ("('x' * 100000)|upper|length", "100000"),
            ("([1] * 100000)|join|length", "100000"),
            ("range(3)|map('string')|list", r#"["0","1","2"]"#),
        ] {
            assert_eq!(value(expression).as_deref(), Ok(made), "{expression}");
        }
    }
}
