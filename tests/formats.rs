//! What castline writes and reads again: files of every version that was released, kept in
//! `tests/formats/VERSION`, are read by this one, and files of a version that is to come are
//! refused with the cure.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use castline_core::event::Entry;
use castline_core::provenance::container;
use regex::Regex;
use serde_json::Value;

use common::{Folder, castline, copy};

/// A project as a version of castline left it.
struct Kept {
    folder: Folder,
}

/// The folders of all versions, the oldest first.
fn versions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats");
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let mut versions: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    versions.sort();
    assert!(!versions.is_empty(), "no version has left anything");
    versions
}

fn all() -> impl Iterator<Item = Kept> {
    versions().into_iter().map(|version| Kept::of(&version))
}

fn newest() -> Kept {
    Kept::of(&versions().pop().expect("there is one"))
}

impl Kept {
    fn of(version: &Path) -> Self {
        let folder = Folder::new();
        copy(version, &folder.at("project"), &["README.md", "store", "trust.yaml"]);
        copy(&version.join("store"), &folder.at("project/.castline"), &[]);
        let trust = fs::read_to_string(version.join("trust.yaml")).expect("readable");
        let kept = Self { folder };
        kept.folder.write(Self::TRUST, &trust);
        kept.keep_to_the_user();
        kept
    }

    /// The user's own file, from the folder of a test.
    const TRUST: &str = "config/castline/trust.yaml";

    /// What others could write does not count.
    fn keep_to_the_user(&self) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(self.folder.at(Self::TRUST), mode).expect("it is ours");
        }
    }

    /// Runs something that has to end with this code. What it prints, and what it says.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        self.ends_in("project", code, arguments)
    }

    fn ends_in(&self, folder: &str, code: i32, arguments: &[&str]) -> (String, String) {
        let output = castline(&self.folder.at(folder), arguments)
            .env("YARD_TOKEN", "a-token-for-loopback")
            .env("XDG_CONFIG_HOME", self.folder.at("config"))
            .env_remove("CASTLINE_STORE")
            .env_remove("CASTLINE_TRUST")
            .output()
            .expect("castline runs");
        let [printed, said] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}{said}");
        (printed, said)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (printed, said) = self.ends(code, arguments);
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {printed}{said}"))
    }

    fn read(&self, path: &str) -> String {
        self.folder.read(&format!("project/{path}"))
    }

    fn write(&self, path: &str, text: &str) {
        self.folder.write(&format!("project/{path}"), text);
    }

    /// The lines of the export.
    fn exported(&self) -> Vec<Value> {
        lines(&self.read("ledger.jsonl"))
    }

    /// The paths of all files of that name in the records of runs.
    fn of_runs(&self, name: &str) -> Vec<String> {
        let runs = fs::read_dir(self.folder.at("project/.castline/runs")).expect("readable");
        let runs = runs.map(|run| run.expect("readable").file_name().to_string_lossy().into_owned());
        let files = runs.map(|run| format!(".castline/runs/{run}/{name}"));
        files.filter(|file| self.folder.at(&format!("project/{file}")).is_file()).collect()
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.folder.at(&format!("project/{path}"))).expect("it was there");
    }

    /// Changes a text file of the project.
    fn change(&self, path: &str, change: impl Fn(&str) -> String) {
        self.write(path, &change(&self.read(path)));
    }

    /// Changes what a picture carries.
    fn change_note(&self, path: &str, change: impl Fn(&str) -> String) {
        let path = self.folder.at(&format!("project/{path}"));
        let taken = container::take(&fs::read(&path).expect("readable")).expect("it carries a note");
        let with = container::embed(&taken.picture, &change(&taken.text)).expect("it has room for one");
        fs::write(&path, with).expect("written");
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn list<'a>(json: &'a Value, name: &str) -> &'a Vec<Value> {
    json[name].as_array().unwrap_or_else(|| panic!("no list `{name}` in {json:#}"))
}

fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {json:#}"))
}

/// A text in which every version is one that is to come.
fn of_later(text: &str) -> String {
    let version = Regex::new(r#"("schema_version": ?|(?m:^)castline: )\d+"#).expect("a fixed pattern");
    let later = version.replace_all(text, "${1}99").into_owned();
    assert_ne!(later, text, "it has no version");
    later
}

/// A text of JSON with a field that nobody knows.
fn with_more(text: &str) -> String {
    let version = Regex::new(r#""schema_version": ?\d+"#).expect("a fixed pattern");
    let more = version.replace_all(text, r#"${0},"fresh":{"a":[1,"b",null]}"#).into_owned();
    assert_ne!(more, text, "it has no version");
    more
}

#[test]
fn every_entry_of_a_ledger_is_read() {
    for kept in all() {
        let listed = kept.json(4, &["ledger", "list", "--json"]);
        let mut states = BTreeMap::new();
        for entry in list(&listed, "entries") {
            *states.entry(text(entry, "state").to_owned()).or_insert(0) += 1;
        }
        let open = [("created", 3), ("expired", 1), ("in-doubt", 1), ("intended", 1)];
        assert_eq!(states, BTreeMap::from(open.map(|(state, count)| (state.to_owned(), count))));
        let mut seen = BTreeSet::new();
        for line in kept.exported() {
            let (entry, holds) = (&line["entry"], list(&line, "holds"));
            let (key, state) = (text(&entry["request"], "key"), text(entry, "state"));
            let code = if state == "in-doubt" { 4 } else { 0 };
            let shown = kept.json(code, &["ledger", "show", key, "--json"]);
            assert_eq!((text(&shown, "key"), text(&shown, "state")), (key, state));
            assert_eq!(list(&shown, "holds").len(), holds.len(), "{key}");
            assert_eq!(shown["missing_files"], 0, "{key}");
            seen.insert(state.to_owned());
        }
        assert_eq!(seen.len(), 8, "of every state there is one: {seen:?}");
    }
}

#[test]
fn what_was_spent_is_counted() {
    for kept in all() {
        // A create is on more than one account.
        let mut creates = BTreeMap::new();
        for line in kept.exported() {
            for hold in list(&line, "holds") {
                // What was refused was no create.
                if hold["settled"] == 0 && hold["reserved"] != 0 {
                    continue;
                }
                let money = hold["settled"].as_u64().or(hold["reserved"].as_u64());
                creates.insert((text(hold, "key").to_owned(), hold["attempt"].as_u64()), money.unwrap_or(0));
            }
        }
        let cost = kept.json(0, &["cost", "--json"]);
        let total = &cost["total"];
        let usd = |name: &str| total[name].as_f64().expect("an amount");
        assert_eq!(total["creates"], creates.len());
        let micros = ((usd("settled_usd") + usd("reserved_usd")) * 1e6).round() as u64;
        assert_eq!(micros, creates.values().sum::<u64>());
        let parts = kept.json(0, &["cost", "--by", "workflow", "--json"]);
        let named = list(&parts, "parts").iter().filter(|part| part["workflow"].is_string());
        assert_eq!(named.count(), list(&parts, "parts").len(), "the run of each create is known: {parts:#}");
    }
}

#[test]
fn records_and_journals_of_runs_are_read() {
    for kept in all() {
        let (printed, said) = kept.ends(0, &["runs", "list", "--json"]);
        assert_eq!(said, "");
        let listed: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(list(&listed, "runs").len(), kept.of_runs("journal.jsonl").len());
        for run in list(&listed, "runs") {
            let id = text(run, "run");
            let shown = kept.json(0, &["runs", "show", id, "--json"]);
            assert_eq!(shown["status"], run["status"], "{id}");
            let (told, _) = kept.ends(0, &["runs", "show", id]);
            assert!(told.starts_with(&format!("run {id}, ")), "{told}");
        }
        let boats = list(&listed, "runs").iter().filter(|run| run["file"] == "boats.yaml");
        for run in boats {
            let why = kept.json(0, &["why", "boats.yaml", "--run", text(run, "run"), "draft", "--json"]);
            assert_eq!(list(&why, "legs").len(), 2);
        }
        // They tell the same in short, in whole, and event by event.
        for names in [&["summary.json"][..], &["summary.json", "record.json"]] {
            for file in names.iter().flat_map(|name| kept.of_runs(name)) {
                kept.remove(&file);
            }
            assert_eq!(kept.json(0, &["runs", "list", "--json"]), listed, "without {names:?}");
        }
    }
}

#[test]
fn events_are_what_they_were() {
    for kept in all() {
        let text = kept.read("events.jsonl");
        for (n, line) in text.lines().enumerate() {
            let entry: Entry = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert_eq!(entry.seq, n as u64);
        }
        assert!(lines(&kept.read("watch.jsonl")).iter().all(|line| line["schema_version"] == 1));
    }
}

#[test]
fn what_succeeded_is_reused_without_a_create() {
    for kept in all() {
        // Nobody listens at the provider's address, so that a create would fail.
        let flags = ["--provider", "yard", "--yes", "--allow-unpriced", "--json"];
        for (file, legs) in [("sail.yaml", 1), ("watched.yaml", 1), ("twice.yaml", 1), ("boats.yaml", 9)] {
            let run = kept.json(0, &[&["run", file][..], &flags].concat());
            let steps = list(&run, "steps");
            assert_eq!(steps.len(), legs, "{file}");
            for leg in steps.iter().filter(|leg| leg["step"] != "many") {
                assert!(leg["status"] == "succeeded" && leg["reused"] == true, "{leg:#}");
            }
        }
    }
}

#[test]
fn an_export_is_taken_in_whole() {
    for kept in all() {
        kept.folder.write("empty/castline.yaml", "castline: 1\n");
        kept.folder.write("empty/ledger.jsonl", &kept.read("ledger.jsonl"));
        kept.ends_in("empty", 0, &["ledger", "import", "ledger.jsonl"]);
        let told = |line: &Value| {
            let entry = &line["entry"];
            let key = text(&entry["request"], "key").to_owned();
            (key, entry["state"].clone(), entry["output"].clone(), line["holds"].clone())
        };
        let (again, _) = kept.ends_in("empty", 0, &["ledger", "export"]);
        let again: Vec<_> = lines(&again).iter().map(told).collect();
        assert_eq!(again, kept.exported().iter().map(told).collect::<Vec<_>>());
    }
}

#[test]
fn a_plan_is_applied_by_its_own_castline_and_refused_by_others() {
    for kept in all() {
        let plan: Value = serde_json::from_str(&kept.read("sail.plan")).expect("JSON");
        if text(&plan, "castline") == env!("CARGO_PKG_VERSION") {
            let run = kept.json(0, &["apply", "sail.plan", "--json"]);
            assert_eq!(run["steps"][0]["reused"], true, "{run:#}");
        } else {
            let (_, said) = kept.ends(2, &["apply", "sail.plan"]);
            assert!(said.contains("the plan was made by castline"), "{said}");
        }
    }
}

#[test]
fn saved_files_tell_how_they_were_made() {
    for kept in all() {
        for (file, preset) in [("pictures/photo.png", "sketch"), ("pictures/film.webm", "clip")] {
            let told = kept.json(0, &["from", file, "--json"]);
            assert_eq!(list(&told, "missing").len(), 0, "{told:#}");
            assert!(text(&told, "workflow").contains(&format!("uses: {preset}\n")), "{told:#}");
        }
    }
}

#[test]
fn pins_and_trust_are_read() {
    for kept in all() {
        let libraries = kept.json(0, &["library", "list", "--json"]);
        assert_eq!(libraries["libraries"][0]["name"], "shelf", "{libraries:#}");
        assert_eq!(libraries["libraries"][0]["version"], "1.0.0", "{libraries:#}");
        let trust = kept.json(0, &["trust", "--json"]);
        let pair = "YARD_TOKEN@yard.example.com";
        assert!(list(&trust, "pairs").iter().any(|known| known["pair"] == pair), "{trust:#}");
    }
}

/// What is of a later version, how it is made so, and the command that meets it.
type Later = (&'static str, fn(&Kept), &'static [&'static str]);

const LATER: &[Later] = &[
    ("the ledger", |kept| ledger(kept, "PRAGMA user_version = 99"), &["ledger", "list"]),
    ("the ledger of a run", |kept| ledger(kept, "PRAGMA user_version = 99"), &["run", "sail.yaml"]),
    ("a record", |kept| of_later_runs(kept, "record.json"), &["runs", "show", "last", "--json"]),
    ("a journal", |kept| of_later_runs(kept, "journal.jsonl"), &["runs", "show", "last"]),
    ("a plan", |kept| kept.change("sail.plan", of_later), &["apply", "sail.plan"]),
    ("a lock", |kept| kept.change("castline.lock", of_later), &["plan", "sail.yaml"]),
    ("an export", |kept| kept.change("ledger.jsonl", of_later), &["ledger", "import", "ledger.jsonl"]),
    (
        "a note in a picture",
        |kept| kept.change_note("pictures/photo.png", of_later),
        &["from", "pictures/photo.png"],
    ),
    (
        "a note beside a film",
        |kept| kept.change("pictures/film.webm.castline.json", of_later),
        &["from", "pictures/film.webm"],
    ),
    ("what the user trusts", trust, &["trust"]),
    ("a workflow", |kept| kept.change("sail.yaml", of_later), &["run", "sail.yaml"]),
    ("a preset", |kept| kept.change("presets/sketch.yaml", of_later), &["run", "sail.yaml"]),
    ("a project", |kept| kept.change("castline.yaml", of_later), &["run", "sail.yaml"]),
    ("a library", |kept| kept.change("shelf/library.yaml", of_later), &["library", "check", "shelf"]),
];

fn ledger(kept: &Kept, change: &str) {
    let path = kept.folder.at("project/.castline/ledger.db");
    let db = rusqlite::Connection::open(path).expect("a database");
    db.execute_batch(change).expect("changed");
}

fn of_later_runs(kept: &Kept, name: &str) {
    kept.of_runs(name).iter().for_each(|file| kept.change(file, of_later));
}

fn trust(kept: &Kept) {
    kept.folder.write(Kept::TRUST, &of_later(&kept.folder.read(Kept::TRUST)));
    kept.keep_to_the_user();
}

#[test]
fn what_a_later_castline_wrote_is_refused_with_the_cure() {
    for (what, make, arguments) in LATER {
        let kept = newest();
        make(&kept);
        let (printed, said) = kept.ends(2, arguments);
        assert!(format!("{printed}{said}").contains("update castline"), "{what}: {printed}{said}");
    }
}

#[test]
fn a_field_that_is_not_known_hinders_nothing() {
    let kept = newest();
    let before = kept.json(0, &["runs", "list", "--json"]);
    for name in ["summary.json", "record.json", "journal.jsonl"] {
        kept.of_runs(name).iter().for_each(|file| kept.change(file, with_more));
        assert_eq!(kept.json(0, &["runs", "list", "--json"]), before, "{name}");
    }
    kept.ends(0, &["runs", "show", "last"]);
    kept.change("pictures/film.webm.castline.json", with_more);
    kept.ends(0, &["from", "pictures/film.webm"]);
    kept.change_note("pictures/photo.png", with_more);
    kept.ends(0, &["from", "pictures/photo.png"]);
    kept.folder.write("empty/castline.yaml", "castline: 1\n");
    kept.folder.write("empty/ledger.jsonl", &with_more(&kept.read("ledger.jsonl")));
    kept.ends_in("empty", 0, &["ledger", "import", "ledger.jsonl"]);
}

#[test]
fn a_run_that_cannot_be_read_hides_no_other_and_can_be_removed() {
    let changes: [fn(&str) -> String; 2] = [of_later, |text| text[..40].to_owned()];
    for change in changes {
        let kept = newest();
        let all = list(&kept.json(0, &["runs", "list", "--json"]), "runs").len();
        let damaged = kept.of_runs("record.json").pop().expect("there is one");
        kept.change(&damaged, change);
        kept.remove(&damaged.replace("record.json", "summary.json"));
        let (printed, said) = kept.ends(0, &["runs", "list", "--json"]);
        let listed: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(list(&listed, "runs").len(), all - 1);
        assert!(said.starts_with("warning: ") && said.contains("record.json"), "{said}");
        let run = damaged.split('/').nth(2).expect("a run's folder");
        kept.ends(2, &["runs", "show", run, "--json"]);
        kept.ends(0, &["runs", "rm", run]);
        let (_, said) = kept.ends(0, &["runs", "list"]);
        assert_eq!(said, "");
    }
}
