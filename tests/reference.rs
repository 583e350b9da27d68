//! The reference is written from the code, or held against it.
//!
//! Two pages are made here, of what castline prints: every key of every document, and the help of every
//! command. `CASTLINE_ACCEPT=1` writes them anew, except in CI. People write the others: their lists are
//! the code's, and their expressions have the values that stand beside them.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use castline_spec::template::{FILTERS, FUNCTIONS, TESTS};
use serde_json::{Map, Value, json};

use common::{Folder, castline};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A page of the reference.
fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs/reference").join(name)).expect("readable")
}

/// A text of the code.
fn code(path: &str) -> String {
    fs::read_to_string(root().join("crates").join(path)).expect("readable")
}

/// Holds a page that is made here against its file, or writes that.
fn keep(name: &str, made: &str) {
    let file = root().join("docs/reference").join(name);
    if common::accepts() {
        fs::write(&file, made).expect("written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "{} is old: run this test with CASTLINE_ACCEPT=1", file.display());
}

/// What castline prints in the root of the repository.
fn printed(arguments: &[&str]) -> String {
    let output = castline(&root(), arguments).env("COLUMNS", "100").output().expect("castline runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

// Reading pages.

/// What stands under a heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let found = page.split_once(&format!("\n## {heading}\n"));
    let rest = found.unwrap_or_else(|| panic!("no section `{heading}`")).1;
    rest.split("\n## ").next().unwrap_or_default()
}

/// The rows of every table, each with its cells, without the heads.
fn tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for line in text.lines().chain([""]) {
        if line.starts_with('|') {
            open.push(cells(line));
        } else if !open.is_empty() {
            all.push(open.split_off(2));
            open.clear();
        }
    }
    all
}

fn cells(line: &str) -> Vec<String> {
    let whole = line.trim_matches('|').replace("\\|", "\0");
    whole.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// What a cell has in code, when that is all.
fn in_code(cell: &str) -> &str {
    let bare = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    bare.unwrap_or_else(|| panic!("not in code: {cell}"))
}

// Keys.

#[test]
fn the_page_of_keys_is_fresh() {
    let documents = ["workflow", "preset", "project", "library"]
        .map(|document| serde_json::from_str::<Value>(&printed(&["schema", document])).expect("JSON"));
    let mut keys = Keys::default();
    for (name, schema) in documents.iter().flat_map(|document| document["$defs"].as_object()).flatten() {
        let known = keys.0.insert(name.clone(), schema.clone());
        assert!(known.is_none_or(|known| known == *schema), "two documents have a `{name}` each");
    }
    keep("keys.md", &keys.page(&documents));
}

/// The definitions that the schemas refer to.
#[derive(Default)]
struct Keys(BTreeMap<String, Value>);

impl Keys {
    fn page(&self, documents: &[Value]) -> String {
        let mut page = "# Every key\n\n\
             Every key of every document, as `castline schema` tells it to [editors](../guide/editors.md). A test writes this page from\n\
             those schemas. A key with `*` is required, and any other key is an error. What the keys are for is said on the pages of the\n\
             [workflow](workflow.md), the [preset](preset.md), the [project](project.md) and the [library](library.md).\n"
            .to_owned();
        for document in documents {
            page.push_str(&self.section(text(&document["title"]), document));
        }
        for (name, schema) in self.0.iter().filter(|(_, schema)| has_section(schema)) {
            page.push_str(&self.section(name, schema));
        }
        page
    }

    fn section(&self, title: &str, schema: &Value) -> String {
        let has_keys = schema.get("properties").is_some();
        let is_open = has_keys && schema["additionalProperties"] != json!(false);
        let more = if is_open { " Other keys are taken too." } else { "" };
        let table = if has_keys { self.keys(schema) } else { words(schema) };
        format!("\n## {title}\n\n{}{more}\n\n{table}", text(&schema["description"]))
    }

    fn keys(&self, schema: &Value) -> String {
        let mut table = "| key | takes | meaning |\n| --- | --- | --- |\n".to_owned();
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let star = if list(&schema["required"]).contains(&json!(key)) { "*" } else { "" };
            let (takes, meaning) = (either(&self.ways(value)), text(&value["description"]));
            let _ = writeln!(table, "| `{key}`{star} | {} | {} |", cell(&takes), cell(meaning));
        }
        table
    }

    /// What a value may be, each way in words.
    fn ways(&self, schema: &Value) -> Vec<String> {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            let named = &self.0[name];
            return match has_section(named) {
                true => vec![format!("[{name}](#{})", name.to_lowercase())],
                false => self.ways(named),
            };
        }
        if let Some(ways) = schema["anyOf"].as_array() {
            return ways.iter().flat_map(|way| self.ways(way)).collect();
        }
        if let Some(words) = schema["enum"].as_array() {
            return words.iter().map(word).collect();
        }
        let least = &schema["minimum"];
        match schema["type"].as_str() {
            Some("string") => vec!["text".to_owned()],
            Some("number") => vec!["a number".to_owned()],
            Some("integer") if !least.is_null() && *least == schema["maximum"] => vec![word(least)],
            Some("integer") => vec!["a whole number".to_owned()],
            Some("boolean") => vec![word(&json!(true)), word(&json!(false))],
            Some("array") => vec![self.list_of(schema)],
            Some("object") => vec![self.map_of(schema)],
            _ => vec!["anything".to_owned()],
        }
    }

    fn list_of(&self, schema: &Value) -> String {
        if !schema["items"].is_object() {
            return "a list".to_owned();
        }
        let ways: Vec<String> = self.ways(&schema["items"]).iter().map(|way| several(way)).collect();
        let count = match (&schema["minItems"], &schema["maxItems"]) {
            (Value::Number(least), Value::Number(most)) if least == most => format!("{most} "),
            _ => String::new(),
        };
        format!("a list of {count}{}", either(&ways))
    }

    fn map_of(&self, schema: &Value) -> String {
        let values = &schema["additionalProperties"];
        if !values.is_object() {
            return "a map".to_owned();
        }
        let names: Vec<String> = list(&schema["propertyNames"]["enum"]).iter().map(word).collect();
        let names = if names.is_empty() { "names".to_owned() } else { either(&names) };
        format!("a map of {names} to {}", either(&self.ways(values)))
    }
}

/// The words of a schema that has nothing else.
fn words(schema: &Value) -> String {
    let mut table = "| word | meaning |\n| --- | --- |\n".to_owned();
    for one in list(&schema["oneOf"]) {
        let words = one["enum"].as_array().cloned().unwrap_or_else(|| vec![one["const"].clone()]);
        let words: Vec<String> = words.iter().map(word).collect();
        let meaning = one["description"].as_str().unwrap_or_default();
        let _ = writeln!(table, "| {} | {} |", words.join(", "), cell(meaning));
    }
    table
}

/// True for what is more than a word or two: it has a section of its own.
fn has_section(schema: &Value) -> bool {
    schema.get("properties").is_some() || schema.get("oneOf").is_some()
}

fn several(way: &str) -> String {
    match way {
        "text" => "texts".to_owned(),
        "a number" => "numbers".to_owned(),
        "a whole number" => "whole numbers".to_owned(),
        other => other.to_owned(),
    }
}

fn either(ways: &[String]) -> String {
    match ways {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => ways.concat(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("everything has a title and a description")
}

fn word(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

// Commands.

/// Every command that help lists, by its words, each with its help.
fn commands() -> Vec<(Vec<String>, String)> {
    fn visit(words: &[String], all: &mut Vec<(Vec<String>, String)>) {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = printed(&arguments);
        let below = below(&help);
        all.push((words.to_vec(), help));
        for name in below {
            visit(&[words, &[name]].concat(), all);
        }
    }
    let mut all = Vec::new();
    visit(&[], &mut all);
    all
}

/// The commands that a help lists; further lines of what they do stand more to the right.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_command_line_is_fresh() {
    let mut page = "# Command line\n\n\
         What `castline --help` and `castline COMMAND --help` print, 100 columns wide. A test writes this page from them.\n\
         [Commands](commands.md) says more about each.\n"
        .to_owned();
    for (words, help) in commands() {
        let depth = if words.len() > 1 { "###" } else { "##" };
        let name: Vec<&str> = ["castline"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let _ = writeln!(page, "\n{depth} {}\n\n```text", name.join(" "));
        help.lines().for_each(|line| page.extend([line.trim_end(), "\n"]));
        page.push_str("```\n");
    }
    keep("command-line.md", &page);
}

// Templates.

#[test]
fn every_filter_test_and_function_has_an_expression_and_its_value() {
    let page = page("filters.md");
    let mut rows = Vec::new();
    for (heading, names) in [("Filters", FILTERS), ("Tests", TESTS), ("Functions", FUNCTIONS)] {
        let table = tables(section(&page, heading)).concat();
        let told: Vec<&str> = table.iter().map(|row| in_code(&row[0])).collect();
        assert_eq!(told, names, "{heading}");
        rows.extend(table);
    }
    let values = evaluated(rows.iter().map(|row| in_code(&row[2])));
    for (i, row) in rows.iter().enumerate() {
        let told: Value = serde_json::from_str(in_code(&row[3])).expect("JSON");
        assert_eq!(told, values[&nth(i)], "{}", row[2]);
    }
}

/// The name of an expression's output.
fn nth(i: usize) -> String {
    format!("v{i}")
}

/// What the expressions are in a run, by name: with the steps and the file that the page speaks of.
fn evaluated<'e>(expressions: impl Iterator<Item = &'e str>) -> Value {
    let outputs = expressions.enumerate().map(|(i, code)| (nth(i), json!(format!("{{{{ {code} }}}}"))));
    let outputs: Map<String, Value> = outputs.collect();
    let workflow = json!({
        "inputs": { "spared": { "type": "boolean", "default": true } },
        "steps": {
            "boat": { "uses": "flux-schnell", "with": { "prompt": "A boat.", "megapixels": "0.25" } },
            "torn": { "uses": "real-esrgan", "from": "boat", "on_error": "skip" },
            "spare": { "uses": "flux-schnell", "with": { "prompt": "Another." }, "if": "not inputs.spared" },
        },
        "outputs": outputs,
    });
    let place = Place::new("sandbox: { fail: { nightmareai/real-esrgan: CUDA out of memory } }\n");
    place.write("look.txt", "gouache on rough paper");
    place.write("flow.yaml", &workflow.to_string());
    place.json(0, &["run", "flow.yaml", "--json"])["outputs"].take()
}

// Exit codes.

#[test]
fn the_exit_codes_are_those_of_the_code() {
    let arm = regex::Regex::new(r"Self::\w+ => (\d+),").expect("a fixed pattern");
    let code = code("castline/src/exit.rs");
    let codes = arm.captures_iter(&code).map(|found| found[1].parse::<u8>().expect("a small number"));
    let codes: BTreeSet<u8> = codes.collect();
    let table = tables(&page("exit-codes.md")).swap_remove(0);
    let told = table.iter().flat_map(|row| row[0].split(", "));
    let told: Vec<u8> = told.map(|code| code.parse::<u8>().expect("a code")).collect();
    assert_eq!(told, codes.into_iter().collect::<Vec<_>>(), "each once, from the lowest on");
}

/// A project of its own, and a home.
struct Place(Folder);

impl Place {
    fn new(project: &str) -> Self {
        let place = Self(Folder::new());
        place.write("castline.yaml", project);
        place
    }

    fn write(&self, path: &str, text: &str) {
        self.0.write(&format!("project/{path}"), text);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(&self.0.at("project"), arguments);
        for variable in ["REPLICATE_API_TOKEN", "COMETAPI_KEY", "CASTLINE_TRUST", "CASTLINE_STORE"] {
            command.env_remove(variable);
        }
        command.env("XDG_CONFIG_HOME", self.0.at("home")).env("OWN_TOKEN", "secret-token-for-loopback");
        command
    }

    /// Runs something that has to end with this code. What it prints.
    fn run(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("castline runs");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", text[0], text[1]);
        let [out, _] = text;
        out
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let text = self.run(code, arguments);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {text}"))
    }
}
