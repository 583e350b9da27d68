//! Secrets of presets: they reach the model that they were allowed for, and nothing else.
//!
//! Over real sockets, against the sandbox behind the Replicate routes.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::castline;
use common::server::Server;

const SECRET: &str = "sk-Zebra-Quartz-0123456789";
const PAIR: &str = "MY_OPENAI@openai/gpt-image-1";

/// A preset like `gpt-image-1`, whose variable has no name that sounds like a secret's.
const PRESET: &str = "
model: openai/gpt-image-1
input:
  type: object
  required: [openai_api_key, prompt]
  properties:
    openai_api_key: { type: string }
    prompt: { type: string }
    megapixels: { type: string, default: \"0.25\" }
output: { type: image, many: true }
secrets: { openai_api_key: MY_OPENAI }
price: { usd: 0.01, per: run }
";

/// A project whose provider is at an address, and a home of its own.
struct Project {
    folder: tempfile::TempDir,
    home: tempfile::TempDir,
}

impl Project {
    fn at(base_url: &str) -> Self {
        let (folder, home) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        fs::create_dir(folder.path().join("presets")).expect("made");
        write(
            "castline.yaml",
            &format!("providers:\n  own: {{ kind: replicate, base_url: \"{base_url}\" }}\n"),
        );
        write("presets/painter.yaml", PRESET);
        write("flow.yaml", "steps:\n  a: { uses: painter, with: { prompt: A boat. } }\n");
        Self { folder, home }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(self.path(), arguments);
        command.env("XDG_CONFIG_HOME", self.home.path());
        for variable in ["CASTLINE_TRUST", "MY_OPENAI", "OPENAI_API_KEY", "REPLICATE_API_TOKEN"] {
            command.env_remove(variable);
        }
        command
    }

    /// A live run with the secret set.
    fn run(&self, trust: &str) -> Output {
        let mut command = self.command(&["run", "flow.yaml", "--provider", "own", "--yes", "-vv", "--json"]);
        command.env("MY_OPENAI", SECRET).env("CASTLINE_TRUST", trust).output().expect("castline runs")
    }
}

/// A version decides what runs, whatever name stands before it.
#[test]
fn a_secret_that_is_allowed_for_a_model_goes_to_no_version_of_it() {
    let server = Server::start(&[]);
    let project = Project::at(&server.base_url());
    let version = "f".repeat(64);
    let write = |text: &str| fs::write(project.path().join("flow.yaml"), text).expect("written");
    write(&format!("steps:\n  a: {{ uses: painter, version: {version}, with: {{ prompt: A boat. }} }}\n"));
    let refused = project.run(PAIR);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains(&format!("castline trust {PAIR}:{version}")), "{}", said(&refused));
    assert_eq!(server.creates(), 0);
    let allowed = project.run(&format!("{PAIR}:{version}"));
    // It is asked, and knows no such version.
    assert!(said(&allowed).contains("Invalid version"), "{}", said(&allowed));
    write("steps:\n  a: { uses: painter, with: { prompt: Another boat. } }\n");
    assert_eq!(project.run(&format!("{PAIR}:{version}")).status.code(), Some(2));
    assert_eq!(server.creates(), 0);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The files under a folder in which a text stands.
fn holding(folder: &Path, text: &str, found: &mut Vec<String>) {
    for path in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            holding(&path, text, found);
        } else {
            let bytes = fs::read(&path).expect("readable");
            let holds = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(holds.then(|| path.display().to_string()));
        }
    }
}

fn is_nowhere(project: &Project, output: &Output) {
    let mut found = Vec::new();
    holding(project.path(), SECRET, &mut found);
    holding(project.home.path(), SECRET, &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert!(!said(output).contains(SECRET), "{}", said(output));
    // What is there can be found.
    holding(project.path(), "A boat.", &mut found);
    assert!(found.iter().any(|path| path.contains(".castline")), "{found:?}");
}

/// The bodies of all creates.
fn creates(server: &Server) -> Vec<String> {
    let requests = server.requests("POST", "/predictions");
    requests.iter().map(|request| request["body"].to_string()).collect()
}

#[test]
fn a_secret_is_sent_and_written_nowhere() {
    let server = Server::start(&["--latency", "1ms"]);
    let project = Project::at(&server.base_url());
    let output = project.run(PAIR);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let sent = creates(&server);
    assert!(sent.len() == 1 && sent[0].contains(SECRET), "{sent:?}");
    is_nowhere(&project, &output);
    // It decides about no output: with another one the same request is reused.
    let mut again = project.command(&["run", "flow.yaml", "--provider", "own", "--yes"]);
    let again = again.env("MY_OPENAI", "sk-another").env("CASTLINE_TRUST", PAIR).output().expect("runs");
    assert_eq!((again.status.code(), creates(&server).len()), (Some(0), 1), "{}", said(&again));
}

#[test]
fn what_a_provider_repeats_of_a_secret_is_taken_out() {
    for fault in [format!("predict:fail=bad key {SECRET}"), "create:echo".to_owned()] {
        let server = Server::start(&["--latency", "1ms", "--fault", &fault]);
        let project = Project::at(&server.base_url());
        let output = project.run(PAIR);
        assert_eq!(output.status.code(), Some(1), "{fault}: {}", said(&output));
        is_nowhere(&project, &output);
    }
}

#[test]
fn a_secret_goes_nowhere_until_the_user_allows_it() {
    let server = Server::start(&[]);
    let project = Project::at(&server.base_url());
    let refused = |output: &Output, words: &str| {
        assert_eq!(output.status.code(), Some(2), "{}", said(output));
        assert!(said(output).contains(words), "{}", said(output));
    };
    refused(&project.run(""), &format!("castline trust {PAIR}"));
    let unset = project.command(&["run", "flow.yaml", "--provider", "own"]).output().expect("runs");
    refused(&unset, "step `a` needs the environment variable `MY_OPENAI`, the `openai_api_key` of `painter`");
    assert_eq!(creates(&server), Vec::<String>::new());
    // A file chose the provider: its host is another pair.
    let elsewhere = Project::at("https://gateway.invalid/v1");
    refused(&elsewhere.run(PAIR), "castline trust MY_OPENAI@gateway.invalid");
    // The sandbox needs none, and a plan neither.
    let local = project.command(&["run", "flow.yaml"]).output().expect("runs");
    assert_eq!(local.status.code(), Some(0), "{}", said(&local));
    let plan = project.command(&["plan", "flow.yaml", "--provider", "own"]).output().expect("runs");
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
}

#[test]
fn an_optional_secret_is_sent_when_it_may_be_and_missed_by_nobody() {
    let server = Server::start(&["--latency", "1ms"]);
    let project = Project::at(&server.base_url());
    let preset = project.path().join("presets/painter.yaml");
    fs::write(&preset, PRESET.replace("[openai_api_key, prompt]", "[prompt]")).expect("written");
    let without = project.run("");
    assert_eq!(without.status.code(), Some(0), "{}", said(&without));
    assert!(creates(&server).iter().all(|body| !body.contains("openai_api_key")));
    let flow = project.path().join("flow.yaml");
    fs::write(&flow, "steps:\n  a: { uses: painter, with: { prompt: A kite. } }\n").expect("written");
    assert_eq!(project.run(PAIR).status.code(), Some(0));
    assert!(creates(&server)[1].contains(SECRET));
}

#[test]
fn no_step_gives_a_secret() {
    let project = Project::at("https://gateway.invalid/v1");
    let flow = project.path().join("flow.yaml");
    fs::write(&flow, "steps:\n  a: { uses: painter, with: { prompt: x, openai_api_key: sk-1 } }\n")
        .expect("written");
    let checked = project.command(&["check", "flow.yaml"]).output().expect("runs");
    assert_eq!(checked.status.code(), Some(2));
    let words = said(&checked);
    assert!(words.contains("`openai_api_key` is a secret, which no document gives"), "{words}");
    assert!(words.contains("set `MY_OPENAI` in the environment"), "{words}");
}
