//! The JSON Schemas that editors are given: fresh, valid, and of one mind with castline about every
//! document that is shipped.
//!
//! Two readers look at each: `jsonschema`, and `boon`, which shares nothing with it. `CASTLINE_ACCEPT=1`
//! writes the files in `docs/schemas` anew, except in CI.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use castline_spec::Source;
use serde_json::{Value, json};

use common::castline;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// What `castline schema` prints in a folder.
fn schema(folder: &Path, words: &[&str]) -> String {
    let words: Vec<&str> = ["schema"].iter().chain(words).copied().collect();
    let output = castline(folder, &words).output().expect("castline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A schema as two readers have it.
struct Both {
    first: jsonschema::Validator,
    second: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Both {
    fn new(schema: &Value) -> Self {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "not a schema");
        let first = jsonschema::draft202012::new(schema).expect("a schema");
        let (mut second, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.set_default_draft(boon::Draft::V2020_12);
        compiler.add_resource("castline.json", schema.clone()).expect("a schema");
        let index = compiler.compile("castline.json", &mut second).unwrap_or_else(|e| panic!("{e:#}"));
        Self { first, second, index }
    }

    /// Why a document is refused; the readers must agree.
    fn refusal(&self, document: &Value) -> Option<String> {
        let first = self.first.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path()));
        let first: Vec<String> = first.collect();
        let second = self.second.validate(document, self.index).err().map(|e| format!("{e:#}"));
        assert_eq!(first.is_empty(), second.is_none(), "{first:?} but {second:?}");
        (!first.is_empty()).then(|| first.join("; "))
    }

    fn takes(&self, text: &str) -> Result<(), String> {
        match self.refusal(&read(text)) {
            None => Ok(()),
            Some(why) => Err(format!("{why}\n{text}")),
        }
    }
}

fn read(text: &str) -> Value {
    let source = Source::new("document.yaml", text);
    castline_spec::raw::parse(&source).unwrap_or_else(|found| panic!("{found:?}")).to_json()
}

fn documents(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join(folder)).expect("readable").map(|e| e.expect("readable").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("readable"))).collect()
}

#[test]
fn the_schemas_in_the_docs_are_fresh_and_valid() {
    for document in ["workflow", "preset", "project", "library"] {
        let printed = schema(&root(), &[document]);
        common::keep(&root().join(format!("docs/schemas/{document}.schema.json")), &printed);
        let schema: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        Both::new(&schema);
    }
}

fn kept(document: &str) -> Both {
    let file = root().join(format!("docs/schemas/{document}.schema.json"));
    Both::new(&serde_json::from_str(&fs::read_to_string(file).expect("readable")).expect("JSON"))
}

#[test]
fn every_shipped_document_fits_its_schema() {
    let (workflow, preset) = (kept("workflow"), kept("preset"));
    for (path, text) in documents("workflows") {
        assert_eq!(workflow.takes(&text), Ok(()), "{}", path.display());
    }
    for folder in ["presets", "presets/std", "workflows/presets"] {
        for (path, text) in documents(folder) {
            assert_eq!(preset.takes(&text), Ok(()), "{}", path.display());
        }
    }
}

#[test]
fn a_document_that_castline_refuses_by_its_keys_and_types_is_refused() {
    let wrong: &[(&str, &[&str])] = &[
        (
            "workflow",
            &[
                "steps: {}\n",
                "name: only\n",
                "steps: { a: {} }\n",
                "steps: { Bad-Name: { uses: flux-dev } }\n",
                "steps: { a: { uses: flux-dev, wiht: {} } }\n",
                "steps: { a: { uses: flux-dev, retry: { times: 1, on: never } } }\n",
                "castline: 2\nsteps: { a: { uses: flux-dev } }\n",
            ],
        ),
        (
            "preset",
            &[
                "model: a/b\noutputs: {}\n",
                "model: a/b\noutput: { type: picture }\n",
                "model: a/b\nports: { pictures: x }\n",
                "model: a/b\nprice: { usd: free, per: image }\n",
                "model: a/b\nroutes: { replicat: {} }\n",
            ],
        ),
        (
            "project",
            &[
                "limits: { budget: 5 }\n",
                "providers: { mine: { kind: other, base_url: http://x } }\n",
                "when_lost: never\n",
                "castline: one\n",
                "libraries: { std: { path: ./x } }\n",
                "libraries: { a: { path: ./x, git: ../y } }\n",
                "libraries: { a: { path: ./x, rev: v1 } }\n",
            ],
        ),
        (
            "library",
            &["name: brand\n", "name: Brand\nversion: '1'\n", "name: a\nversion: '1'\nlicense: MIT\n"],
        ),
    ];
    for (document, texts) in wrong {
        let schema = kept(document);
        for text in *texts {
            assert!(schema.refusal(&read(text)).is_some(), "{document}: {text}");
        }
    }
}

#[test]
fn with_presets_every_workflow_of_the_folder_fits() {
    let folder = root().join("workflows");
    let schema =
        Both::new(&serde_json::from_str(&schema(&folder, &["workflow", "--with-presets"])).expect("JSON"));
    for (path, text) in documents("workflows") {
        assert_eq!(schema.takes(&text), Ok(()), "{}", path.display());
    }
    for (path, text) in documents("presets").into_iter().chain(documents("presets/std")) {
        let preset = read(&text);
        for example in preset["examples"].as_array().into_iter().flatten() {
            let step = json!({ "uses": preset["name"], "with": example["with"] });
            assert_eq!(schema.refusal(&json!({ "steps": { "a": step } })), None, "{}", path.display());
        }
    }
}

#[test]
fn with_presets_a_step_is_held_against_the_preset_that_it_uses() {
    let folder = root().join("workflows");
    let schema =
        Both::new(&serde_json::from_str(&schema(&folder, &["workflow", "--with-presets"])).expect("JSON"));
    let step = |step: &str| schema.refusal(&read(&format!("steps: {{ a: {{ {step} }} }}\n")));
    let right = [
        "uses: flux-schnell, with: { prompt: A boat., aspect_ratio: '16:9', num_outputs: 2 }",
        "uses: flux-schnell, with: { prompt: '{{ inputs.x }}', num_outputs: '{{ inputs.n }}', seed: null }",
        "uses: flux-schnell, with: { aspect_ratio: '{% if inputs.wide %}16:9{% else %}1:1{% endif %}' }",
        "uses: flux-kontext-pro, with: { input_image: ./photo.png }",
        "uses: flux-kontext-pro, with: { input_image: '{{ steps.b.image }}' }, from: b",
        "uses: std/contact-sheet, with: { images: [./a.png, '{{ inputs.b }}', null], captions: '{{ inputs.c }}' }",
        "uses: linocut-poster, with: { ink: vermilion }",
        "uses: ./presets/linocut-poster.yaml, with: { subject: A heron }",
        "uses: ../elsewhere/other.yaml, with: { anything: 1 }",
        "uses: 'model:acme/new', with: { anything: 1 }",
        "uses: real-esrgan, from: b",
    ];
    for text in right {
        assert_eq!(step(text), None, "{text}");
    }
    let wrong = [
        "uses: flux-schnell, with: { promt: A boat. }",
        "uses: flux-schnell, with: { aspect_ratio: '16:10' }",
        "uses: flux-schnell, with: { num_outputs: four }",
        "uses: flux-schnell, with: { num_outputs: 5 }",
        "uses: flux-schnell, with: { megapixels: 1 }",
        "uses: flux-schnell, with: [prompt]",
        "uses: flux-kontext-pro, with: { input_image: photo.png }",
        "uses: std/contact-sheet, with: { images: ./a.png }",
        "uses: std/contact-sheet, with: { images: [7] }",
        "uses: linocut-poster, with: { ink: green }",
        "uses: ./presets/linocut-poster.yaml, with: { prompt: A heron }",
        "uses: flux-schnel, with: { prompt: A boat. }",
    ];
    for text in wrong {
        assert!(step(text).is_some(), "{text}");
    }
}

#[test]
fn no_built_in_preset_has_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = castline(folder.path(), &["preset", "check", "--built-in", "--format", "json"]).output();
    let output = output.expect("castline runs");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer, json!({ "schema_version": 1, "valid": true, "diagnostics": [] }));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn only_a_workflow_has_presets() {
    let output = castline(&root(), &["schema", "preset", "--with-presets"]).output().expect("castline runs");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("castline schema workflow --with-presets"), "{text}");
}
