//! `check` for programs.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::castline;

const RIGHT: &str = "\u{feff}# a boat: on 船\r\ncastline: 1\r\nname: boat\r\n\r\ninputs: { who: { type: string, default: A boat } }\r\nsteps:   # two\r\n  \
    draft:\r\n    uses: flux-schnell\r\n    with:\r\n      prompt: \"{{ inputs.who }} on water\"  # drawn, not \"said\"\r\n      \
    megapixels: \"1\"   # the model takes text\r\n      go_fast: true\r\n\r\n    cache: true\r\n";

/// A folder with files, by name.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = castline(folder, &["check"]);
    command.args(arguments).env_remove("GITHUB_WORKSPACE").output().expect("castline runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("readable")
}

/// The SARIF of a check, which is valid by the schema of the standard.
fn sarif(folder: &Path, arguments: &[&str]) -> Value {
    let log = json(&check(folder, &[arguments, &["--format", "sarif"]].concat()));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas/sarif-2.1.0.json");
    // A bracket too many in the standard's pattern for languages, of which we name none.
    let text = read(&schema).replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}?$");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    let wrong: Vec<_> = validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{}\n{log:#}", wrong.join("\n"));
    log
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

#[test]
fn sarif_of_every_example_is_valid() {
    let pages = fs::read_dir(repository().join("docs/errors")).expect("readable");
    let mut files = Vec::new();
    for page in pages.map(|e| e.expect("readable").path()) {
        let text = read(&page);
        for (i, block) in text.split("```yaml wrong\n").skip(1).enumerate() {
            let name = format!("{}-{i}.yaml", page.file_stem().expect("a name").display());
            files.push((name, block.split("```").next().unwrap_or_default().to_owned()));
        }
    }
    assert!(files.len() > 30, "{}", files.len());
    let named: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let folder = folder(&named);
    let log = sarif(folder.path(), &names);
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("a list");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    assert!(results.len() >= files.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let used = |rule: &Value| results.iter().any(|result| result["ruleId"] == rule["id"]);
    assert!(rules.iter().all(used), "every rule is used");
}

#[test]
fn sarif_of_a_clean_file_has_no_results() {
    let folder = folder(&[("flow.yaml", RIGHT)]);
    let log = sarif(folder.path(), &["flow.yaml"]);
    assert_eq!(log["runs"][0]["results"], Value::Array(vec![]));
}

#[test]
fn sarif_has_the_place_the_other_places_and_the_cure() {
    let text = "steps:\n  a: { uses: flux-schnell, with: { prompt: 紙の船, megapixels: 1 } }\n";
    let folder = folder(&[("my flows/100%.yaml", text)]);
    let log = sarif(folder.path(), &["my flows/100%.yaml", "gone.yaml"]);
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let result = results.iter().find(|r| r["ruleId"] == "invalid-input").expect("there is one");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20flows/100%25.yaml");
    // Columns count characters, not bytes.
    let region = serde_json::json!({ "startLine": 2, "startColumn": 61, "endLine": 2, "endColumn": 62 });
    assert_eq!(place["region"], region);
    assert_eq!(log["runs"][0]["columnKind"], "unicodeCodePoints");
    let fix = &result["fixes"][0]["artifactChanges"][0];
    assert_eq!(fix["artifactLocation"], place["artifactLocation"]);
    assert_eq!(fix["replacements"][0]["deletedRegion"], region);
    assert_eq!(fix["replacements"][0]["insertedContent"]["text"], "\"1\"");
    let related = &result["relatedLocations"][0];
    assert_eq!(related["id"], 1);
    assert_eq!(
        related["physicalLocation"]["artifactLocation"]["uri"],
        "built-in%20presets/flux-schnell.yaml"
    );
    assert!(result["message"]["text"].as_str().expect("text").contains("\nhint: "), "{result:#}");
    let gone = results.iter().find(|r| r["ruleId"] == "unreadable").expect("there is one");
    let place = &gone["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "gone.yaml");
    assert!(place.get("region").is_none());
}

#[test]
fn a_step_with_a_name_that_is_none_is_a_finding() {
    for name in ["船", "my-step", "\"a b\"", "'\"'"] {
        let text = format!("steps:\n  {name}: {{ uses: flux-schnell, with: {{ prompt: x }} }}\n");
        let folder = folder(&[("flow.yaml", &text)]);
        let output = check(folder.path(), &["flow.yaml", "--format", "json"]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert_eq!(json(&output)["diagnostics"][0]["code"], "invalid-name");
    }
}

#[test]
fn paths_are_those_of_the_repository_on_github() {
    let folder = folder(&[("art/flow.yaml", "steps:\n  a: { uses: flux-schnell, wth: 1 }\n")]);
    let art = folder.path().join("art");
    let run = |format: &str| {
        let mut command = castline(&art, &["check", "flow.yaml", "--format", format]);
        command.env("GITHUB_WORKSPACE", folder.path()).output().expect("castline runs")
    };
    let lines = stdout(&run("github"));
    assert!(lines.lines().all(|line| line.starts_with("::error file=art/flow.yaml,line=2,")), "{lines}");
    let log = json(&run("sarif"));
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "art/flow.yaml");
}

#[test]
fn github_annotations_are_one_escaped_line_each() {
    let text = "steps:\n  a: { uses: flux-schnell, with: { prompt: \"{{ 50 %, }}\" } }\n  b:\n    uses: flux-schnell\n    from: aa\n";
    let folder = folder(&[("a,b:c.yaml", text)]);
    let output = check(folder.path(), &["a,b:c.yaml", "--format", "github"]);
    assert_eq!(output.status.code(), Some(2));
    let lines = stdout(&output);
    for line in lines.lines() {
        assert!(line.starts_with("::error file=a%2Cb%3Ac.yaml,line="), "{line}");
    }
    let step = lines.lines().find(|line| line.contains("title=unknown-step::")).expect("there is one");
    assert!(step.contains(",line=5,endLine=5,col=11,endColumn=13,title=unknown-step::"), "{step}");
    assert!(step.contains("%0Ahint: there is a step `a`"), "{step}");
}

#[test]
fn a_clean_file_has_no_annotations() {
    let folder = folder(&[("flow.yaml", RIGHT)]);
    let output = check(folder.path(), &["flow.yaml", "--format", "github"]);
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("", Some(0)));
}
