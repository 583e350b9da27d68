//! Every built-in preset works: each of its examples has a price and runs on the sandbox, and what comes
//! out is what the preset says that it gives.
//!
//! All examples are steps of one workflow, so that castline is started once. The files that they name
//! are made here: small pictures, and a film and a sound from the sandbox.
//!
//! The page of all of them is made here too. `CASTLINE_ACCEPT=1` writes it anew, except in CI.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use castline_runner::presets;
use castline_spec::Source;
use castline_spec::preset::{Body, Confidence, ModelPreset, OutputKind, Preset, PriceRule};
use castline_spec::schema::MediaKind;
use serde_json::{Map, Value, json};

use common::castline;

/// The inputs of a step.
type With = Map<String, Value>;

/// An example of a built-in preset, as a step.
struct Called {
    /// The step's name.
    step: String,
    preset: Preset,
    with: With,
}

impl Called {
    fn model(&self) -> &ModelPreset {
        match &self.preset.body {
            Body::Model(model) => model,
            Body::Derived(_) => panic!("{} is not over another preset", self.preset.name),
        }
    }

    /// For messages.
    fn shown(&self) -> String {
        format!("{} with {}", self.preset.name, Value::Object(self.with.clone()))
    }
}

fn built_in() -> Vec<Preset> {
    let parsed = |name: &String| {
        let text = presets::built_in_text(name).expect("it has a text");
        Preset::parse(&Source::new(format!("{name}.yaml"), text)).0.expect("it can be used")
    };
    presets::built_in_names().iter().map(parsed).collect()
}

fn examples() -> Vec<Called> {
    let mut all = Vec::new();
    for (number, preset) in built_in().into_iter().enumerate() {
        for (index, example) in preset.examples.iter().enumerate() {
            let step = format!("p{number}_e{index}");
            all.push(Called { step, preset: preset.clone(), with: example.value.clone() });
        }
        assert!(!preset.examples.is_empty(), "`{}` has an example", preset.name);
    }
    all
}

/// A project with one step for each call and the files that they name.
fn project(called: &[Called]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let step = |called: &Called| json!({ "uses": called.preset.name, "with": called.with });
    let steps: With = called.iter().map(|called| (called.step.clone(), step(called))).collect();
    write_workflow(folder.path(), "examples", &steps);
    let named: BTreeSet<&str> =
        called.iter().flat_map(|called| called.with.values()).flat_map(files).collect();
    let recorded = recorded(folder.path());
    for name in named {
        make(&folder.path().join(name), &recorded);
    }
    folder
}

fn write_workflow(folder: &Path, name: &str, steps: &With) {
    let text = json!({ "steps": steps }).to_string();
    fs::write(folder.join(format!("{name}.yaml")), text).expect("written");
}

/// The relative paths in a value.
fn files(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.starts_with("./") => vec![text],
        Value::Array(items) => items.iter().flat_map(files).collect(),
        _ => Vec::new(),
    }
}

/// A film and a sound of a second, by the kind of file.
fn recorded(folder: &Path) -> BTreeMap<MediaKind, Vec<u8>> {
    let film = json!({ "uses": "seedance-1-lite", "with": { "prompt": "A boat.", "duration": 2, "resolution": "480p" } });
    let sound = json!({ "uses": "stable-audio-2.5", "with": { "prompt": "A harp.", "duration": 1 } });
    let steps = With::from_iter([("film".to_owned(), film), ("sound".to_owned(), sound)]);
    write_workflow(folder, "recorded", &steps);
    answer(folder, &["run", "recorded.yaml", "--json"]);
    let read = |name: &str| fs::read(folder.join("out/recorded").join(name)).expect("it was made");
    BTreeMap::from([(MediaKind::Video, read("film.webm")), (MediaKind::Audio, read("sound.wav"))])
}

fn make(path: &Path, recorded: &BTreeMap<MediaKind, Vec<u8>>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    match path.extension().and_then(|extension| extension.to_str()).expect("an extension") {
        "png" | "jpg" | "webp" => {
            // The local tools are exact, so that their examples count pixels.
            let scale = if path.parent().is_some_and(|folder| folder.ends_with("pictures")) { 9 } else { 1 };
            let inside = |x, y| (24..72).contains(&(x / scale)) && (16..48).contains(&(y / scale));
            // What is white in a mask is painted anew; each other picture has a color of its own.
            let ground = if name.contains("mask") { [0; 3] } else { name.bytes().fold([90, 120, 150], tint) };
            let color = |x, y| image::Rgb(if inside(x, y) { [255; 3] } else { ground });
            image::RgbImage::from_fn(96 * scale, 64 * scale, color).save(path).expect("written");
        }
        "mp4" | "webm" | "mov" => fs::write(path, &recorded[&MediaKind::Video]).expect("written"),
        "wav" | "mp3" => fs::write(path, &recorded[&MediaKind::Audio]).expect("written"),
        other => panic!("`{name}`: nobody makes files that end in `{other}`"),
    }
}

fn tint([red, green, blue]: [u8; 3], byte: u8) -> [u8; 3] {
    [green, blue, red.wrapping_mul(31).wrapping_add(byte)]
}

/// What castline prints, as JSON.
fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = castline(folder, arguments).output().expect("castline runs");
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {said}"))
}

/// The objects of a list by what they say under a key.
fn by<'a>(list: &'a Value, key: &str) -> BTreeMap<&'a str, &'a Value> {
    list.as_array().into_iter().flatten().map(|item| (item[key].as_str().expect("text"), item)).collect()
}

#[test]
fn every_example_runs_on_the_sandbox_and_gives_what_its_preset_says() {
    let called = examples();
    let folder = project(&called);
    let record = answer(folder.path(), &["run", "examples.yaml", "--json"]);
    let legs = by(&record["steps"], "step");
    let wrong = |called: &Called| {
        let leg = legs[called.step.as_str()];
        let why = match leg["status"].as_str() {
            Some("succeeded") => misfit(called.model(), &leg["output"])?,
            _ => format!("{}: {}", leg["status"], leg["error"]),
        };
        Some(format!("{}: {why}", called.shown()))
    };
    let wrong: Vec<String> = called.iter().filter_map(wrong).collect();
    assert_eq!(wrong, Vec::<String>::new(), "of {} examples", called.len());
    assert_eq!(record["status"], "succeeded");
}

/// Why an output is not what the model is said to give.
fn misfit(model: &ModelPreset, output: &Value) -> Option<String> {
    let kind = model.output.kind;
    let is_right = |one: &Value| match kind {
        OutputKind::Text => one.as_str().is_some_and(|text| !text.trim().is_empty()),
        OutputKind::Json => !one.is_null(),
        OutputKind::File => one["bytes"].as_u64().is_some_and(|bytes| bytes > 0),
        OutputKind::Image | OutputKind::Video | OutputKind::Audio => {
            let media = kind.media().expect("it is media").as_str();
            let named = one["media_type"].as_str().is_some_and(|name| name.starts_with(media));
            named && one["bytes"].as_u64().is_some_and(|bytes| bytes > 0)
        }
    };
    let fits = match output {
        Value::Array(items) if kind != OutputKind::Json => !items.is_empty() && items.iter().all(is_right),
        one => is_right(one),
    };
    (!fits).then(|| format!("not {kind:?}: {output}"))
}

#[test]
fn every_example_has_a_price_for_every_word_that_decides_about_it() {
    let called: Vec<Called> = examples().into_iter().flat_map(|example| variants(&example)).collect();
    let folder = project(&called);
    let plan = answer(folder.path(), &["plan", "examples.yaml", "--json"]);
    let legs = by(&plan["legs"], "step");
    let wrong = |called: &Called| {
        let leg = legs[called.step.as_str()];
        let (least, most) = (leg["min_usd"].as_f64(), leg["max_usd"].as_f64());
        let free = called.preset.name.starts_with("std/");
        let is_price = least <= most && most.is_some_and(|usd| (usd > 0.0 || free) && usd < 1000.0);
        // A step that asks for the same as an earlier one has no price of its own.
        let told = leg["fate"] != "run" || is_price || !is_told(called.model());
        (!told).then(|| format!("{}: {least:?} to {most:?}", called.shown()))
    };
    let wrong: Vec<String> = called.iter().filter_map(wrong).collect();
    assert_eq!(wrong, Vec::<String>::new(), "of {} requests", called.len());
    let priced = legs.values().filter(|leg| leg["max_usd"].as_f64().is_some_and(|usd| usd > 0.0)).count();
    assert!(priced > 200, "only {priced} of {} requests have a price", called.len());
}

/// True when inputs alone tell the price, at least as a range.
fn is_told(model: &ModelPreset) -> bool {
    let after = ["gpu-second", "kilotoken", "input-kilotoken"];
    let told = |rule: &PriceRule| rule.quantity.is_some() || !after.contains(&rule.per.as_str());
    !model.price.is_empty() && model.price.iter().all(told)
}

/// The example, and the same with each other word of the inputs that its prices name.
fn variants(example: &Called) -> Vec<Called> {
    let model = example.model();
    let read = regex::Regex::new(r"input\.([a-z_0-9]+)").expect("a pattern");
    let expressions = model.price.iter().flat_map(|rule| [&rule.condition, &rule.quantity]).flatten();
    let named: BTreeSet<String> = expressions
        .flat_map(|code| read.captures_iter(&code.value).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect();
    let mut all = vec![example.with.clone()];
    for name in named {
        let schema = &model.input.value["properties"][&name];
        let words = match (schema["enum"].as_array(), schema["type"].as_str()) {
            (Some(words), _) => words.clone(),
            (None, Some("boolean")) => vec![true.into(), false.into()],
            _ => Vec::new(),
        };
        let with = |word: Value| example.with.clone().into_iter().chain([(name.clone(), word)]).collect();
        all.extend(words.into_iter().map(with).filter(|with| is_taken(model, with)));
    }
    let step = |index: usize| format!("{}_v{index}", example.step);
    let called = |(index, with)| Called { step: step(index), preset: example.preset.clone(), with };
    all.into_iter().enumerate().map(called).collect()
}

/// True when neither the model's schema nor a rule refuses these inputs.
fn is_taken(model: &ModelPreset, with: &With) -> bool {
    let schemas = model.rules.iter().map(|rule| &rule.schema).chain([&model.input.value]);
    let with = Value::Object(with.clone());
    let mut takes = schemas.map(|schema| jsonschema::draft202012::new(schema).expect("a schema"));
    takes.all(|schema| schema.is_valid(&with))
}

/// Models of the reference that have no preset: what is known of them is not enough.
const LEFT_OUT: &[&str] = &[
    "black-forest-labs/flux-krea-dev",
    "bytedance/omni-human",
    "bytedance/seedance-1.5-pro",
    "bytedance/seededit-3.0",
    "flux-kontext-apps/multi-image-kontext-pro",
    "flux-kontext-apps/restore-image",
    "google/nano-banana-2-lite",
    "google/upscaler",
    "ideogram-ai/ideogram-character",
    "minimax/image-01",
    "philz1337x/clarity-pro-upscaler",
    "recraft-ai/recraft-creative-upscale",
    "tencent/hunyuan-image-3",
    "wan-video/wan-2.2-t2v-fast",
];

#[test]
fn the_page_of_built_in_presets_is_fresh() {
    let page = page(&built_in());
    common::keep(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/presets.md"), &page);
}

#[test]
fn what_is_left_out_has_no_preset() {
    let models: Vec<String> = examples().iter().map(|called| called.model().model.value.clone()).collect();
    let both: Vec<_> = LEFT_OUT.iter().filter(|left| models.iter().any(|model| model == *left)).collect();
    assert!(both.is_empty(), "{both:?}");
}

/// Every preset by its task, with what it takes, costs and how sure that is.
fn page(all: &[Preset]) -> String {
    let mut tasks: BTreeMap<&str, Vec<&Preset>> = BTreeMap::new();
    for preset in all {
        tasks.entry(preset.task.as_deref().expect("each has a task")).or_default().push(preset);
    }
    let mut page = format!(
        "# Built-in presets\n\nThe {} presets that castline brings along, by task. A test writes this page from them. \
         `castline preset show NAME` shows\nall of one: types, bounds, defaults, rules and an example to paste; \
         `castline preset list WORD` looks for one.\n\nAn input with `*` is required. Prices are those that the presets know; \
         the first of several stands here with the\nnumber of the others. Confidence is explained \
         [here](preset.md#confidence).\n",
        all.len()
    );
    for (task, presets) in tasks {
        let _ = write!(page, "\n## {task}\n\n| preset | does | inputs | ports | USD | confidence |\n");
        page.push_str("| --- | --- | --- | --- | --- | --- |\n");
        presets.into_iter().for_each(|preset| page.push_str(&row(preset)));
    }
    page.push_str("\n## Left out\n\n");
    page.push_str("Too little is known of these models for a preset; `uses: model:owner/name` calls them unchecked.\n\n");
    for model in LEFT_OUT {
        let _ = writeln!(page, "- `{model}`");
    }
    page
}

fn row(preset: &Preset) -> String {
    let Body::Model(model) = &preset.body else { panic!("{} is not over another preset", preset.name) };
    let schema = &model.input.value;
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let name =
        |name: &String| format!("`{name}`{}", if required.contains(&name.as_str()) { "*" } else { "" });
    let inputs: Vec<String> = schema["properties"].as_object().expect("a map").keys().map(name).collect();
    let secrets = model.secrets.iter().map(|(field, secret)| {
        let star = if secret.required { "*" } else { "" };
        format!("`{field}`{star} from `{}`", secret.variable)
    });
    let inputs: Vec<String> = inputs.into_iter().chain(secrets).collect();
    let ports: Vec<String> = preset.ports.keys().map(|port| format!("`{port}`")).collect();
    let words = [
        format!("`{}`", preset.name),
        preset.description.clone().unwrap_or_default(),
        inputs.join(", "),
        ports.join(", "),
        price(model),
        match model.confidence {
            Confidence::High => String::new(),
            Confidence::Medium => "medium".to_owned(),
        },
    ];
    format!("| {} |\n", words.map(|word| word.replace('|', "\\|")).join(" | "))
}

fn price(model: &ModelPreset) -> String {
    match model.price.as_slice() {
        _ if model.model.value.starts_with("std/") => "free".to_owned(),
        [] => "not known".to_owned(),
        [first, others @ ..] => {
            let [min, max] = [first.usd_min, first.usd_max].map(|usd| usd.to_string());
            let usd = if min == max { max } else { format!("{min} to {max}") };
            let more = if others.is_empty() { String::new() } else { format!(", {} more", others.len()) };
            format!("{usd}/{}{more}", first.per)
        }
    }
}
