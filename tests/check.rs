//! `check` for programs, and what `check --fix` does to files.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::castline;

/// Certain mistakes of several kinds between comments, with a byte order mark and `\r\n`.
const WRONG: &str = "\u{feff}# a boat: on 船\r\ncastline: '1'\r\nname: boat\r\n\r\ninputs: { who: { type: string, default: A boat } }\r\nsteps:   # two\r\n  \
    draft:\r\n    uses: flux-schnell\r\n    with:\r\n      prompt: {{ inputs.who }} on water  # drawn, not \"said\"\r\n      \
    megapixels: 1   # the model takes text\r\n      go_fast: true\r\n\r\n    cache: yes\r\n";
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

#[test]
fn fix_changes_no_byte_outside_of_the_mistakes() {
    let folder = folder(&[("flow.yaml", WRONG)]);
    let output = check(folder.path(), &["flow.yaml", "--fix"]);
    assert_eq!(read(&folder.path().join("flow.yaml")), RIGHT, "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        "flow.yaml:10:15: wrote `\"{{ inputs.who }} on water\"` for `{{ inputs.who }} on water`\n\
         flow.yaml:2:11: wrote `1` for `'1'`\n\
         flow.yaml:11:19: wrote `\"1\"` for `1`\n\
         flow.yaml:14:12: wrote `true` for `yes`\n\
         \n\
         1 file, nothing found\n"
    );
    let names: Vec<_> = fs::read_dir(folder.path()).expect("readable").collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
}

#[test]
fn without_fix_nothing_is_written() {
    let folder = folder(&[("flow.yaml", WRONG)]);
    let output = check(folder.path(), &["flow.yaml"]);
    assert_eq!(read(&folder.path().join("flow.yaml")), WRONG);
    assert!(stdout(&output).contains("can be cured by `castline check --fix`"), "{}", stdout(&output));
}

#[test]
fn what_is_not_certain_stays_and_is_reported() {
    let text = "steps:\n  a: { uses: flux-schnel, cache: yes, with: { prompt: x } }\n";
    let folder = folder(&[("flow.yaml", text)]);
    let output = check(folder.path(), &["flow.yaml", "--fix", "--format", "json"]);
    assert_eq!(read(&folder.path().join("flow.yaml")), text.replace("yes", "true"));
    assert_eq!(output.status.code(), Some(2));
    let answer = json(&output);
    assert_eq!(answer["valid"], false);
    let fixed = answer["fixed"].as_array().expect("a list");
    let yes = fixed.iter().find(|change| change["was"] == "yes").expect("it was written");
    assert_eq!(
        (&yes["code"], &yes["file"], &yes["text"]),
        (&"wrong-type".into(), &"flow.yaml".into(), &"true".into())
    );
    assert_eq!(yes["span"]["line"], 2);
    let left = answer["diagnostics"].as_array().expect("a list");
    assert!(left.iter().any(|finding| finding["code"] == "unknown-preset"), "{answer:#}");
}

#[test]
fn programs_hear_of_changes_on_stderr() {
    for format in ["sarif", "github"] {
        let folder = folder(&[("flow.yaml", WRONG)]);
        let output = check(folder.path(), &["flow.yaml", "--fix", "--format", format]);
        assert_eq!(read(&folder.path().join("flow.yaml")), RIGHT);
        assert!(stderr(&output).contains("flow.yaml:14:12: wrote `true` for `yes`"), "{}", stderr(&output));
        assert!(!stdout(&output).contains("wrote"), "{}", stdout(&output));
    }
}

#[test]
fn fix_finds_the_file_from_elsewhere() {
    let folder = folder(&[("art/flow.yaml", WRONG), ("other/x.txt", "")]);
    let file = folder.path().join("art/flow.yaml");
    let other = folder.path().join("other");
    for name in ["../art/flow.yaml", "./../other/../art/./flow.yaml", &file.to_string_lossy()] {
        fs::write(&file, WRONG).expect("written");
        let output = check(&other, &[name, "--fix"]);
        assert_eq!(read(&file), RIGHT, "{name}: {}", stdout(&output));
    }
}

#[test]
fn a_file_that_is_named_twice_is_changed_once() {
    let folder = folder(&[("flow.yaml", WRONG)]);
    let output = check(folder.path(), &["flow.yaml", "./flow.yaml", "--fix"]);
    assert_eq!(read(&folder.path().join("flow.yaml")), RIGHT);
    assert_eq!(stdout(&output).matches("for `yes`").count(), 1, "{}", stdout(&output));
}

#[test]
fn presets_and_the_project_are_cured_with_the_workflow() {
    let preset = "castline: '1' # kept\nextends: flux-schnell\ninputs:\n  tone: { type: string }\nwith: { prompt: \"{{ inputs.tone }}\" }\n";
    let folder = folder(&[
        ("castline.yaml", "castline: '1' # ours\n"),
        ("presets/house.yaml", preset),
        ("flows/flow.yaml", "steps:\n  a: { uses: house, cache: yes, with: { tone: x } }\n"),
    ]);
    check(folder.path(), &["flows/flow.yaml", "--fix"]);
    assert_eq!(read(&folder.path().join("castline.yaml")), "castline: 1 # ours\n");
    assert_eq!(
        read(&folder.path().join("flows/flow.yaml")),
        "steps:\n  a: { uses: house, cache: true, with: { tone: x } }\n"
    );
    let after = read(&folder.path().join("presets/house.yaml"));
    assert_eq!(after, preset.replace("'1'", "1"));
}

#[test]
fn every_tab_of_a_file_is_found_in_turn() {
    let lines = |indent: &str| {
        (0..30).fold("steps:\n".to_owned(), |text, n| {
            format!("{text}  s{n}:\n{indent}uses: flux-schnell\n{indent}with: {{ prompt: x }} # {n}\n")
        })
    };
    let folder = folder(&[("flow.yaml", &lines("\t\t"))]);
    let output = check(folder.path(), &["flow.yaml", "--fix"]);
    assert_eq!(read(&folder.path().join("flow.yaml")), lines("    "), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn mistakes_behind_a_tab_are_cured_too() {
    let text = "steps:\n  a:\n\t\tuses: flux-schnell\n    with: { prompt: x }\n  b:\n    uses: flux-schnell\n    \
        with:\n      prompt: {{ steps.a.image.width }}\n  c:\n    uses: flux-schnell\n    with:\n      \
        prompt: {{ steps.b.image.width }}\n    cache: yes\n";
    let folder = folder(&[("flow.yaml", text)]);
    let output = check(folder.path(), &["flow.yaml", "--fix"]);
    let right = text.replace("\t\t", "    ").replace("yes", "true");
    let right = right.replace(": {{", ": \"{{").replace("}}", "}}\"");
    assert_eq!(read(&folder.path().join("flow.yaml")), right, "{}", stdout(&output));
}

#[test]
fn what_is_not_a_file_is_not_read() {
    let folder = folder(&[("flow.yaml", RIGHT)]);
    for (name, why) in
        [("-", "does not exist, and the standard input is not read"), ("/dev/null", "is no plain file")]
    {
        for flags in [&[name][..], &["flow.yaml", name, "--fix"]] {
            let output = check(folder.path(), flags);
            assert_eq!(output.status.code(), Some(2));
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains(&format!("`{name}` {why}")), "{said}");
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn fix_keeps_the_permissions_and_writes_through_a_link() {
        let folder = folder(&[("real/flow.yaml", WRONG)]);
        let (real, link) = (folder.path().join("real/flow.yaml"), folder.path().join("flow.yaml"));
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("set");
        symlink("real/flow.yaml", &link).expect("linked");
        let before = fs::metadata(&real).expect("there");
        check(folder.path(), &["flow.yaml", "--fix"]);
        let after = fs::metadata(&real).expect("there");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(read(&real), RIGHT);
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    }

    #[test]
    fn fix_leaves_alone_what_is_read_only_or_outside() {
        let folder = folder(&[("mine/castline.yaml", ""), ("mine/flow.yaml", WRONG), ("theirs.yaml", WRONG)]);
        let mine = folder.path().join("mine");
        fs::set_permissions(mine.join("flow.yaml"), fs::Permissions::from_mode(0o444)).expect("set");
        symlink("../theirs.yaml", mine.join("link.yaml")).expect("linked");
        let output = check(&mine, &["flow.yaml", "link.yaml", "--fix"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(read(&mine.join("flow.yaml")), WRONG);
        assert_eq!(read(&folder.path().join("theirs.yaml")), WRONG);
        let said = stderr(&output);
        assert!(said.contains("`flow.yaml` was left as it is: it is read-only"), "{said}");
        assert!(said.contains("`link.yaml` was left as it is: "), "{said}");
        assert!(said.contains("is outside of the project's folder"), "{said}");
        assert!(stdout(&output).contains("errors"), "{}", stdout(&output));
    }
}
