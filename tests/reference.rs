//! The reference is written from the code, or held against it.
//!
//! Two pages are made here, of what castline prints: every key of every document, and the help of every
//! command. `CASTLINE_ACCEPT=1` writes them anew, except in CI. People write the others: their lists are
//! the code's, their expressions have the values that stand beside them, and their examples of JSON have
//! the keys that the commands print.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::mem::discriminant;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use castline_spec::template::{FILTERS, FUNCTIONS, TESTS};
use serde_json::{Map, Value, json};

use common::server::Server;
use common::watching::{DEADLINE, Watch};
use common::{Folder, castline, keep};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn reference(name: &str) -> PathBuf {
    root().join("docs/reference").join(name)
}

/// A page of the reference.
fn page(name: &str) -> String {
    fs::read_to_string(reference(name)).expect("readable")
}

/// A text of the code.
fn code(path: &str) -> String {
    fs::read_to_string(root().join("crates").join(path)).expect("readable")
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
    for (name, schema) in documents.iter().filter_map(|document| document["$defs"].as_object()).flatten() {
        let known = keys.0.insert(name.clone(), schema.clone());
        assert!(known.is_none_or(|known| known == *schema), "two documents have a `{name}` each");
    }
    keep(&reference("keys.md"), &keys.page(&documents));
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
    // `help` has the help of the others.
    names.filter(|name| !["", "help"].contains(name)).map(str::to_owned).collect()
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
    keep(&reference("command-line.md"), &page);
}

#[test]
fn every_command_with_json_has_a_section_about_it() {
    let has_flag = |help: &str| help.lines().any(|line| line.split_whitespace().next() == Some("--json"));
    let flagged = commands().into_iter().filter(|(_, help)| has_flag(help));
    let flagged: BTreeSet<String> = flagged.map(|(words, _)| words.join(" ")).collect();
    let page = page("json.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let headings = headings.filter(|heading| heading.ends_with(" --json"));
    let told: BTreeSet<String> =
        headings.filter_map(|heading| heading.split(" --").next()).map(str::to_owned).collect();
    assert_eq!(told, flagged);
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

// Events.

/// The fields by the type of an event, or of a line of a watch.
type Shapes = BTreeMap<String, BTreeSet<String>>;

/// What a table says, and what every event has besides.
fn told(heading: &str) -> Shapes {
    let page = page("json.md");
    let table = tables(section(&page, heading)).pop().expect("a table");
    let field = regex::Regex::new(r"`(\w+)`").expect("a fixed pattern");
    // What the fields are for stands behind a colon.
    let fields = |row: &str| {
        let names = row.split(": ").next().unwrap_or_default();
        field.captures_iter(names).map(|found| found[1].to_owned()).collect::<BTreeSet<_>>()
    };
    let shapes: Shapes = table.iter().map(|row| (in_code(&row[0]).to_owned(), fields(&row[1]))).collect();
    assert_eq!(shapes.len(), table.len(), "no type stands twice");
    shapes
}

/// Holds what was written against what a table says, and against what every event has.
fn assert_told(shapes: &Shapes, events: &[Value]) {
    let page = page("json.md");
    let always = tables(section(&page, "Events")).swap_remove(0);
    let always: BTreeSet<&str> = always.iter().map(|row| in_code(&row[0])).collect();
    for (seq, event) in events.iter().enumerate() {
        let own = shapes.get(text(&event["type"])).unwrap_or_else(|| panic!("no such type: {event}"));
        let wanted: BTreeSet<&str> = own.iter().map(String::as_str).chain(always.iter().copied()).collect();
        let has: BTreeSet<&str> = event.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(has, wanted, "{event}");
        assert_eq!((&event["schema_version"], &event["seq"]), (&json!(1), &json!(seq)));
    }
}

/// The types that came.
fn types(events: &[Value]) -> BTreeSet<&str> {
    events.iter().map(|event| text(&event["type"])).collect()
}

/// `LegReused` as `leg-reused`.
fn kebab(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

/// The variants of the events, with their fields, out of the text that declares them.
fn declared() -> Shapes {
    let code = code("castline-core/src/event.rs");
    let body = code.split_once("pub enum Event {\n").expect("it is declared").1;
    let body = body.split_once("\n}\n").expect("it ends").0;
    let variant = regex::Regex::new(r"^    (\w+)(?: \{|,)$").expect("a fixed pattern");
    let field = regex::Regex::new(r"^        (\w+): ").expect("a fixed pattern");
    let mut shapes = Shapes::new();
    let mut last = String::new();
    for line in body.lines() {
        if let Some(found) = variant.captures(line) {
            last = kebab(&found[1]);
            shapes.insert(last.clone(), BTreeSet::new());
        } else if let Some(found) = field.captures(line) {
            shapes.entry(last.clone()).or_default().insert(found[1].to_owned());
        }
    }
    shapes
}

#[test]
fn the_events_are_those_of_the_code() {
    assert_eq!(told("Events"), declared());
}

#[test]
fn a_run_writes_what_the_page_says_and_nothing_else() {
    let place = Place::new("sandbox: { fail: { nightmareai/real-esrgan: CUDA out of memory } }\n");
    place.write(
        "flow.yaml",
        "inputs:\n  wanted: { type: boolean, default: false }\n  word: { type: string, default: one }\n\
         steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat., megapixels: '0.25' } }\n  \
         other: { uses: flux-schnell, with: { prompt: '{{ inputs.word }}', megapixels: '0.25' }, save: other }\n  \
         torn: { uses: real-esrgan, from: boat }\n  \
         spare: { uses: flux-schnell, with: { prompt: A spare. }, if: inputs.wanted }\n  \
         after: { uses: std/resize, from: torn, with: { scale: 0.5 } }\n\
         outputs:\n  boat: '{{ steps.boat.image }}'\n  after: '{{ steps.after.image }}'\n  \
         spare: '{{ steps.spare.image }}'\n",
    );
    place.run(1, &["run", "flow.yaml"]);
    place.run(1, &["run", "flow.yaml", "-i", "word=two", "--events", "events.jsonl"]);
    let events = place.read("events.jsonl");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_told(&told("Events"), &events);
    let usual = [
        "run-started",
        "leg-skipped",
        "leg-reused",
        "leg-started",
        "leg-created",
        "leg-progress",
        "leg-succeeded",
        "leg-failed",
        "leg-not-run",
        "saved",
        "output-ready",
        "run-ended",
    ];
    assert_eq!(types(&events), BTreeSet::from(usual));
}

#[test]
fn the_lines_of_a_watch_are_those_of_the_code() {
    let code = code("castline/src/report/watch/json.rs");
    let named = regex::Regex::new(r#"(?:"type": |refused\()"([a-z-]+)""#).expect("a fixed pattern");
    let types: BTreeSet<String> = named.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    assert_eq!(told("watch --json").into_keys().collect::<BTreeSet<_>>(), types);
}

#[test]
fn a_watch_writes_what_the_page_says_and_nothing_else() {
    let folder = Folder::new();
    let workflow = "steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat., megapixels: '0.25' } }\n";
    folder.write("flow.yaml", workflow);
    let mut watch = Watch::start(&folder, &["flow.yaml"]);
    watch.done();
    folder.write("flow.yaml", "steps: [\n");
    watch.event("broken");
    folder.write("flow.yaml", workflow);
    watch.event("repaired");
    let lines = watch.end();
    assert_told(&told("watch --json"), &lines);
    let usual = ["watching", "planned", "run-began", "run-event", "run-ended", "broken", "repaired"];
    assert!(types(&lines).is_superset(&BTreeSet::from(usual)), "{:?}", types(&lines));
}

// JSON.

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

    fn read(&self, path: &str) -> String {
        self.0.read(&format!("project/{path}"))
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

/// An example of the page: under which heading, and the how manieth there.
type Which = (String, usize);

/// The examples of what commands print.
fn examples() -> BTreeMap<Which, Value> {
    let page = page("json.md");
    let mut all = BTreeMap::new();
    for part in page.split("\n## ").skip(1) {
        let (heading, rest) = part.split_once('\n').expect("a section");
        if !heading.ends_with(" --json") && !heading.ends_with(" --format json") {
            continue;
        }
        let blocks = rest.split("\n```json\n").skip(1).filter_map(|block| block.split("\n```\n").next());
        for (nth, block) in blocks.enumerate() {
            let example = serde_json::from_str(block).unwrap_or_else(|e| panic!("{heading}: {e}\n{block}"));
            all.insert((heading.to_owned(), nth), example);
        }
    }
    all
}

/// Something printed, and the example that it has to be like.
struct Print {
    like: Which,
    value: Value,
}

/// What has to be like the first example under a heading.
fn print(heading: &str, value: Value) -> Print {
    Print { like: (heading.to_owned(), 0), value }
}

#[test]
fn every_example_of_json_has_the_keys_that_are_printed() {
    let examples = examples();
    let prints = [of_runs(), of_documents(), of_settings(), of_a_library(), of_money()];
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for print in prints.into_iter().flatten() {
        let example = examples.get(&print.like).unwrap_or_else(|| panic!("no example: {:?}", print.like));
        compare(example, &[&print.value], &print.like.0, &mut found);
        seen.insert(print.like);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let all: BTreeSet<Which> = examples.into_keys().collect();
    assert_eq!(seen, all, "each was printed");
}

/// Maps whose keys are names of the user's.
const NAMED: &[&str] = &["ingredients", "leg", "outputs"];

/// Looks for what printed values of one place have that the example has not, and the other way round.
fn compare(example: &Value, printed: &[&Value], at: &str, found: &mut Vec<String>) {
    let printed: Vec<&Value> = printed.iter().copied().filter(|value| !value.is_null()).collect();
    match example {
        Value::Object(keys) if !keys.is_empty() => {
            if printed.is_empty() {
                found.push(format!("{at}: an object in the example, and none was printed"));
            }
            let names: BTreeSet<&String> = keys.keys().collect();
            let is_named = NAMED.contains(&at.rsplit('.').next().unwrap_or_default());
            for value in &printed {
                let own = value.as_object().map(|own| own.keys().collect::<BTreeSet<_>>());
                if own.as_ref().is_none_or(|own| !is_named && *own != names) {
                    found.push(format!("{at}: {names:?} in the example, and printed was {value}"));
                }
            }
            for (key, one) in keys {
                let values: Vec<&Value> = match is_named {
                    true => {
                        printed.iter().filter_map(|value| value.as_object()).flat_map(Map::values).collect()
                    }
                    false => printed.iter().filter_map(|value| value.get(key)).collect(),
                };
                compare(one, &values, &format!("{at}.{key}"), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for value in &printed {
                if !value.is_array() {
                    found.push(format!("{at}: a list in the example, and printed was {value}"));
                }
            }
            let values: Vec<&Value> = printed.iter().flat_map(|value| list(value)).collect();
            compare(&items[0], &values, &format!("{at}[]"), found);
        }
        // It stands for what is described elsewhere, or is not known in the example.
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            for value in printed {
                if discriminant(value) != discriminant(example) {
                    found.push(format!("{at}: {example} in the example, and printed was {value}"));
                }
            }
        }
    }
}

const BOAT: &str = "name: paper-boat\ninputs: { look: { type: string, default: plain } }\nsteps:\n  \
    styled:\n    uses: flux-schnell\n    each: { style: [linocut] }\n    \
    with: { prompt: 'A boat, {{ each.style }}, {{ inputs.look }}.', megapixels: '0.25' }\n  \
    sheet: { uses: std/contact-sheet, from: styled.all }\n\
    outputs: { sheet: '{{ steps.sheet.image }}' }\n";

/// Of runs, and of what is known before and after them.
fn of_runs() -> Vec<Print> {
    let place = Place::new("out: out\n");
    let file = "workflows/paper-boat.yaml";
    place.write(file, BOAT);
    place.write("workflows/before.yaml", &BOAT.replace("A boat,", "A ship,"));
    image::RgbImage::from_pixel(64, 48, image::Rgb([200, 60, 40]))
        .save(place.0.at("project/photo.png"))
        .expect("written");
    let mut prints = vec![print("run --json", place.json(0, &["run", file, "--json"]))];
    let mut add = |heading: &str, arguments: &[&str]| prints.push(print(heading, place.json(0, arguments)));
    add("plan --json", &["plan", file, "-i", "look=soft", "--json"]);
    add("plan --against --json", &["plan", file, "--against", "workflows/before.yaml", "--json"]);
    place.run(0, &["plan", file, "-i", "look=soft", "-o", "boat.plan"]);
    // These print a run as well.
    add("run --json", &["apply", "boat.plan", "--json"]);
    add("runs diff --json", &["runs", "diff", "--json"]);
    add("run --json", &["runs", "show", "--json"]);
    add("run --json", &["predict", "std/resize", "image=photo.png", "scale=0.5", "--json"]);
    add("runs list --json", &["runs", "list", "--json"]);
    add("why --json", &["why", file, "styled", "-i", "look=dark", "--json"]);
    add("from --json", &["from", "out/paper-boat/sheet.png", "--json"]);
    add("gc --json", &["gc", "--dry-run", "--json"]);
    prints
}

/// Of mistakes, presets and their hosts.
fn of_documents() -> Vec<Print> {
    let place = Place::new("out: out\n");
    let wrong = "steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat., output_format: pgn } }\n";
    place.write("wrong.yaml", wrong);
    place.write("curable.yaml", &wrong.replace("output_format: pgn", "aspect_ration: '16:9'"));
    let check = |code: i32, arguments: &[&str]| {
        place.json(code, &[&["check", "--format", "json"][..], arguments].concat())
    };
    let openapi = fs::read_to_string(root().join("tests/import/inpaint/openapi.json")).expect("readable");
    let mut live: Value = serde_json::from_str(&openapi).expect("JSON");
    place.write("openapi.json", &openapi);
    place.run(0, &["preset", "import", "openapi.json", "--model", "acme/paint:3f0e", "--name", "paint"]);
    let input = &mut live["components"]["schemas"]["Input"]["properties"];
    input.as_object_mut().expect("a map").remove("extra");
    place.write("live.json", &live.to_string());
    let fixed = check(0, &["curable.yaml", "--fix"]);
    let cycle = place.json(0, &["explain", "cycle", "--json"]);
    let refresh = ["preset", "refresh", "paint", "--from", "live.json", "--json"];
    vec![
        print("check --format json", check(2, &["wrong.yaml"])),
        Print { like: ("check --format json".to_owned(), 1), value: fixed },
        print("explain --json", place.json(0, &["explain", "--json"])),
        Print { like: ("explain --json".to_owned(), 1), value: cycle },
        print("preset list --json", place.json(0, &["preset", "list", "--json"])),
        print("preset show --json", place.json(0, &["preset", "show", "flux-schnell", "--json"])),
        print("preset refresh --json", place.json(5, &refresh)),
    ]
}

/// Of what holds on this machine.
fn of_settings() -> Vec<Print> {
    let place = Place::new("out: out\n");
    place.run(0, &["trust", "GATEWAY_KEY@gateway.example.com"]);
    vec![
        print("trust --json", place.json(0, &["trust", "--json"])),
        print("doctor --json", place.json(0, &["doctor", "--offline", "--json"])),
    ]
}

/// Of a library that a project uses, and of what became of it.
fn of_a_library() -> Vec<Print> {
    let place = Place::new("out: out\n");
    let hero = "extends: flux-schnell\ninputs: { product: { type: string } }\nwith: { prompt: '{{ inputs.product }}' }\n";
    let painter = "model: someone/painter\ninput: { properties: { key: { type: string } } }\noutput: { type: image }\nsecrets: { key: PAINTER_KEY }\n";
    let campaign = "inputs: { product: { type: string } }\nsteps:\n  shot: { uses: hero-shot, with: { product: '{{ inputs.product }}' } }\n";
    let brand = |path: &str, text: &str| place.0.write(&format!("brand/{path}"), text);
    brand("library.yaml", "name: brand\nversion: 1.4.0\n");
    brand("presets/hero-shot.yaml", hero);
    brand("presets/painter.yaml", painter);
    brand("workflows/campaign.yaml", campaign);
    place.write("flow.yaml", "steps: { shot: { uses: brand/hero-shot, with: { product: A bottle } } }\n");
    place.write("campaign.yaml", "steps: { all: { uses: brand/campaign, with: { product: A bottle } } }\n");
    place.run(0, &["library", "add", "../brand"]);
    let list = place.json(0, &["library", "list", "--json"]);
    let audit = place.json(0, &["library", "audit", "--provider", "replicate", "--json"]);
    brand("library.yaml", "name: brand\nversion: 2.0.0\n");
    brand("presets/hero-shot.yaml", &hero.replace("product", "item").replace("schnell", "kontext-pro"));
    brand("workflows/campaign.yaml", &campaign.replace("with: { product:", "with: { item:"));
    vec![
        print("library list --json", list),
        print("library audit --json", audit),
        print("library update --json", place.json(0, &["library", "update", "--json"])),
    ]
}

/// Of a run at a provider that takes money, while it goes on.
fn of_money() -> Vec<Print> {
    let server = Server::start(&["--latency", "120s"]);
    let place = Place::new(&format!(
        "provider: own\nproviders:\n  own: {{ kind: replicate, base_url: \"{}\", token_env: OWN_TOKEN }}\n",
        server.base_url()
    ));
    place.write(
        "flow.yaml",
        "steps: { boat: { uses: flux-schnell, with: { prompt: A boat., megapixels: '0.25' } } }\n",
    );
    let mut run = place
        .command(&["run", "flow.yaml", "--yes", "--events", "events.jsonl"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("castline runs");
    let events = place.0.at("project/events.jsonl");
    let began = Instant::now();
    while !fs::read_to_string(&events).is_ok_and(|text| text.contains("leg-created")) {
        assert!(began.elapsed() < DEADLINE, "never: a prediction that is created");
        std::thread::sleep(Duration::from_millis(10));
    }
    let open = place.json(0, &["ledger", "list", "--json"]);
    let key = text(&open["entries"][0]["key"]).to_owned();
    let prints = vec![
        print("ledger list --json", open),
        print("ledger show --json", place.json(0, &["ledger", "show", &key, "--json"])),
        print("cost --json", place.json(0, &["cost", "--json"])),
        print("runs cancel --json", place.json(0, &["runs", "cancel", "--json"])),
    ];
    assert_eq!(run.wait().expect("it ends").code(), Some(130));
    prints
}
