//! Runs over real sockets, against the sandbox behind the Replicate routes.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use common::castline;
use common::server::Server;

/// A project whose provider is a server on loopback.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(server: &Server, workflow: &str) -> Self {
        Self::at(&server.base_url(), workflow)
    }

    fn at(base_url: &str, workflow: &str) -> Self {
        Self::of_kind("replicate", base_url, workflow)
    }

    /// Behind the routes of CometAPI, which has no list of predictions.
    fn without_list(server: &Server, workflow: &str) -> Self {
        Self::of_kind("cometapi", &server.base_url(), workflow)
    }

    fn of_kind(kind: &str, base_url: &str, workflow: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = format!(
            "provider: local\nproviders:\n  local: {{ kind: {kind}, base_url: \"{base_url}\", token_env: LOCAL_TOKEN }}\n"
        );
        fs::write(folder.path().join("castline.yaml"), project).expect("written");
        fs::write(folder.path().join("flow.yaml"), workflow).expect("written");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(self.path(), arguments);
        command.env("LOCAL_TOKEN", "secret-token-for-loopback");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("castline runs")
    }

    /// `run --json`, which must end with this code.
    fn run_json(&self, code: i32) -> Value {
        let output = self.run(&["run", "flow.yaml", "--json", "--yes"]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one object on stdout")
    }

    fn outputs(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), files) } else { files.push(entry.path()) }
            }
        }
        let mut files = Vec::new();
        walk(&self.path().join("out"), &mut files);
        files.retain(|f| f.extension().is_none_or(|e| e != "html"));
        files.sort();
        files
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until something holds, with a deadline.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const SEED_REQUEST: &str = r#"
steps:
  boat:
    uses: flux-schnell
    with:
      prompt: A paper boat floating on calm water at sunrise.
      aspect_ratio: "1:1"
      output_format: webp
      output_quality: 80
      seed: null
outputs:
  boat: "{{ steps.boat.image }}"
"#;

/// So many legs of one step, each with a prompt of its own.
fn legs(count: usize) -> String {
    let words: Vec<_> = (0..count).map(|i| format!("w{i}")).collect();
    format!(
        "steps:\n  a:\n    uses: flux-schnell\n    each: {{ word: [{}] }}\n    with: {{ prompt: 'a {{{{ each.word }}}}', megapixels: '0.25' }}\n",
        words.join(", ")
    )
}

#[test]
fn the_seed_request_is_sent_to_the_letter() {
    let server = Server::start(&["--foreign-urls"]);
    let project = Project::new(&server, SEED_REQUEST);
    let record = project.run_json(0);
    assert_eq!(record["status"], "succeeded");
    let creates = server.requests("POST", "/replicate/v1/models/black-forest-labs/flux-schnell/predictions");
    assert_eq!(creates.len(), 1);
    assert_eq!(
        creates[0]["body"],
        json!({"input": {
            "prompt": "A paper boat floating on calm water at sunrise.",
            "aspect_ratio": "1:1",
            "output_format": "webp",
            "output_quality": 80
        }})
    );
    let id = record["steps"][0]["prediction"].as_str().expect("an id");
    assert!(
        !server.requests("GET", &format!("/replicate/v1/predictions/{id}")).is_empty(),
        "polled at the base"
    );
    let files = project.outputs();
    assert_eq!(files.len(), 1);
    assert!(files[0].ends_with("boat.webp"), "{files:?}");
    assert_eq!(&fs::read(&files[0]).expect("readable")[8..12], b"WEBP");
}

#[test]
fn without_a_word_on_the_seed_a_derived_one_is_sent() {
    let server = Server::start(&[]);
    let project = Project::new(&server, &SEED_REQUEST.replace("      seed: null\n", ""));
    project.run_json(0);
    let creates = server.requests("POST", "/predictions");
    assert!(creates[0]["body"]["input"]["seed"].is_u64(), "{creates:?}");
}

#[test]
fn ten_legs_killed_in_the_middle_are_ten_creates_in_all() {
    let server = Server::start(&["--latency", "400ms"]);
    let project = Project::new(&server, &legs(10));
    let mut first = project
        .command(&["run", "flow.yaml", "--yes", "--parallel", "4"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("castline runs");
    until("six creates", || server.creates() >= 6);
    // The answers of these creates are written down before the process is killed.
    until("six polls", || {
        let gets = server.requests("GET", "");
        let ids: std::collections::BTreeSet<_> = gets.iter().filter_map(|r| r["path"].as_str()).collect();
        ids.iter().filter(|p| p.contains("/predictions/")).count() >= 6
    });
    first.kill().expect("killed");
    first.wait().expect("reaped");
    let output = project.run(&["run", "flow.yaml", "--yes"]);
    let doubtful = output.status.code() == Some(4);
    assert!(output.status.success() || doubtful, "{}", stderr(&output));
    // A leg killed between intent and answer may be in doubt; none is ever created twice.
    assert!(server.creates() == 10 || (doubtful && server.creates() < 10), "{} creates", server.creates());
    if !doubtful {
        assert_eq!(project.outputs().len(), 10);
        let again = project.run_json(0);
        assert!(again["steps"].as_array().expect("legs").iter().all(|s| s["reused"] == true));
        assert_eq!(server.creates(), 10);
    }
}

#[test]
fn two_processes_at_once_share_one_flight() {
    let server = Server::start(&["--latency", "300ms"]);
    let project = Project::new(&server, &legs(4));
    let start = || {
        project
            .command(&["run", "flow.yaml", "--yes"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("castline runs")
    };
    let (one, two) = (start(), start());
    for process in [one, two] {
        let output = process.wait_with_output().expect("ends");
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(server.creates(), 4);
}

/// Runs the seed request against a server with a fault.
fn with_fault(fault: &str, code: i32) -> (Server, Value, String) {
    let server = Server::start(&["--fault", fault]);
    let project = Project::new(&server, SEED_REQUEST);
    let output = project.run(&["run", "flow.yaml", "--json", "--yes"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{fault}: {text}");
    assert!(!text.contains("secret-token"), "a token is on the screen: {text}");
    let record = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (server, record, text)
}

#[test]
fn passing_faults_are_waited_out() {
    for fault in ["get:500*3", "get:html*2", "create:429=1*1", "output:truncated*1", "status:unknown*2"] {
        let (server, record, text) = with_fault(fault, 0);
        assert_eq!(record["status"], "succeeded", "{fault}: {text}");
        assert_eq!(record["steps"][0]["status"], "succeeded", "{fault}");
        assert!(server.creates() >= 1);
    }
}

#[test]
fn lasting_faults_fail_with_the_servers_words() {
    for (fault, word) in [
        ("create:401", "401"),
        ("create:402", "402"),
        ("predict:fail=The input was flagged as sensitive. (E005)", "flagged as sensitive"),
        ("predict:fail-null", "without a reason"),
        ("output:404", "no longer at the provider"),
        ("output:null", "output"),
        ("output:wrong-type", "text/plain"),
    ] {
        let (_server, record, text) = with_fault(fault, 1);
        assert_eq!(record["status"], "failed", "{fault}: {text}");
        let error = record["steps"][0]["error"].to_string();
        assert!(error.contains(word) || text.contains(word), "{fault}: {error}\n{text}");
    }
}

#[test]
fn a_create_whose_answer_is_lost_is_found_in_the_list() {
    let (server, record, text) = with_fault("create:drop-after*1", 0);
    assert_eq!(record["status"], "succeeded", "{text}");
    let listed = server.get("/v1/predictions");
    assert_eq!(record["steps"][0]["prediction"], listed["results"][0]["id"]);
    assert_eq!(server.creates(), 1);
}

#[test]
fn without_a_list_a_lost_answer_is_in_doubt_and_never_sent_again() {
    let server = Server::start(&["--fault", "create:drop-after*1"]);
    let project = Project::without_list(&server, SEED_REQUEST);
    for _ in 0..2 {
        let output = project.run(&["run", "flow.yaml", "--yes"]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert_eq!(server.creates(), 1);
        let told = ["boat is in doubt", "`black-forest-labs/flux-schnell`", "0.003 USD"];
        let ways = ["castline ledger adopt", "castline ledger forgive", "castline ledger retry"];
        for word in told.into_iter().chain(ways) {
            assert!(text.contains(word), "`{word}` is missing: {text}");
        }
    }
}

#[test]
fn a_list_that_is_not_to_be_relied_on_is_not_read() {
    let server = Server::start(&["--fault", "create:drop-after*1"]);
    let project = Project::new(&server, SEED_REQUEST);
    let file = project.path().join("castline.yaml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("token_env", "list: false, token_env")).expect("written");
    project.run_json(4);
    assert_eq!((server.creates(), server.count("lists")), (1, 0));
}

#[test]
fn a_person_settles_what_is_in_doubt() {
    for (ruling, creates) in [("adopt", 1), ("forgive", 2), ("retry", 2)] {
        let server = Server::start(&["--fault", "create:drop-after*1"]);
        let project = Project::without_list(&server, SEED_REQUEST);
        project.run_json(4);
        let listed = project.run(&["ledger", "list", "--json"]);
        assert_eq!(listed.status.code(), Some(4), "{}", stderr(&listed));
        let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        let key = listed["entries"][0]["key"].as_str().expect("a key").to_owned();
        let page = server.get("/v1/predictions");
        let id = page["results"][0]["id"].as_str().expect("the one prediction").to_owned();
        let mut arguments = vec!["ledger", ruling, &key[..20]];
        if ruling == "adopt" {
            arguments.push(&id);
        }
        let ruled = project.run(&arguments);
        assert!(ruled.status.success(), "{ruling}: {}", stderr(&ruled));
        project.run_json(0);
        assert_eq!(server.creates(), creates, "{ruling}");
        assert_eq!(project.run(&["ledger", "list"]).status.code(), Some(0));
    }
}

/// The key of the only entry that is in doubt.
fn in_doubt(project: &Project) -> String {
    let listed = project.run(&["ledger", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["entries"][0]["state"], "in-doubt", "{listed}");
    listed["entries"][0]["key"].as_str().expect("a key").to_owned()
}

#[test]
fn an_adopted_prediction_that_is_another_one_is_not_taken() {
    let server = Server::start(&["--fault", "create:drop-after*1"]);
    let project = Project::without_list(&server, SEED_REQUEST);
    project.run_json(4);
    let key = in_doubt(&project);
    let ids = || {
        let page = server.get("/v1/predictions");
        let all = page["results"].as_array().expect("a list").clone();
        all.into_iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let ours = ids()[0].clone();
    let other = Project::without_list(&server, &SEED_REQUEST.replace("prompt: ", "prompt: not "));
    other.run_json(0);
    let theirs = ids().into_iter().find(|id| *id != ours).expect("a second prediction");
    assert!(project.run(&["ledger", "adopt", &key, &theirs]).status.success());
    for _ in 0..2 {
        let output = project.run(&["run", "flow.yaml", "--yes"]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains(&format!("`{theirs}` was adopted for it and is another prediction")), "{text}");
        assert!(text.contains("its input `prompt` is"), "{text}");
        assert!(text.contains("castline ledger adopt"), "{text}");
        assert_eq!(in_doubt(&project), key);
        assert_eq!(server.creates(), 2);
    }
    assert!(project.run(&["ledger", "adopt", &key, &ours]).status.success());
    project.run_json(0);
    assert_eq!(server.creates(), 2);
}

#[test]
fn a_plan_shows_what_stands_in_the_way_of_another_create_and_no_price_for_it() {
    let server = Server::start(&["--fault", "create:drop-after*1"]);
    let project = Project::without_list(&server, SEED_REQUEST);
    let leg = || {
        let output = project.run(&["plan", "flow.yaml", "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(plan["max_usd"], plan["legs"][0]["max_usd"], "{plan}");
        plan["legs"][0].clone()
    };
    assert_eq!((&leg()["fate"], &leg()["max_usd"]), (&json!("run"), &json!(0.003)));
    project.run_json(4);
    let doubtful = leg();
    assert_eq!((&doubtful["fate"], &doubtful["max_usd"]), (&json!("in-doubt"), &json!(0.0)));
    assert!(doubtful["why"].as_str().expect("words").contains("castline ledger list"), "{doubtful}");
    let file = project.path().join("castline.yaml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, format!("{text}when_lost: retry\n")).expect("written");
    assert_eq!((&leg()["fate"], &leg()["max_usd"]), (&json!("run"), &json!(0.003)));
    fs::write(&file, text).expect("written");
    let key = in_doubt(&project);
    assert!(project.run(&["ledger", "retry", &key]).status.success());
    assert_eq!((&leg()["fate"], &leg()["max_usd"]), (&json!("run"), &json!(0.003)));

    let server = Server::start(&["--fault", "output:404"]);
    let project = Project::new(&server, SEED_REQUEST);
    project.run_json(1);
    let output = project.run(&["plan", "flow.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("expired") && text.contains("castline ledger retry"), "{text}");
    assert!(!text.contains("0.003 USD"), "{text}");
    let creates = server.creates();
    project.run_json(1);
    assert_eq!(server.creates(), creates);
}

#[test]
fn a_refused_create_is_not_counted() {
    let server = Server::start(&["--fault", "create:402"]);
    let project = Project::new(&server, SEED_REQUEST);
    project.run_json(1);
    let output = project.run(&["cost", "--json"]);
    let cost: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&cost["total"]["creates"], &cost["total"]["settled_usd"]), (&json!(0), &json!(0.0)));
}

#[test]
fn outputs_that_cannot_be_saved_are_a_failure_and_the_next_run_saves_them_for_nothing() {
    let server = Server::start(&[]);
    let project = Project::new(&server, SEED_REQUEST);
    let out = project.path().join("out");
    fs::write(&out, "in the way").expect("written");
    let output = project.run(&["run", "flow.yaml", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("`out` is a file") && stderr(&output).contains("--out DIR"));
    assert_eq!(server.creates(), 0);

    fs::remove_file(&out).expect("removed");
    fs::create_dir_all(out.join("flow/boat.webp")).expect("a folder in the way");
    let output = project.run(&["run", "flow.yaml", "--yes"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for word in ["was not saved", "1 file is not in `out/flow`", "kept in `.castline`", "failed after"] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    fs::remove_dir(out.join("flow/boat.webp")).expect("removed");
    project.run_json(0);
    assert_eq!((server.creates(), project.outputs().len()), (1, 1));
}

#[test]
fn a_step_that_cannot_run_because_what_it_needs_takes_no_part_is_a_failure() {
    let server = Server::start(&[]);
    let flow = "steps:\n  a: { uses: flux-schnell, with: { prompt: a boat } }\n  \
                b: { uses: std/crop, from: a, with: { width: 8, height: 8 } }\n";
    let project = Project::new(&server, flow);
    let output = project.run(&["run", "flow.yaml", "--yes", "--only", "b"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("it needs `a`, which takes no part in this run"), "{text}");
    assert!(text.contains("`--until b` makes it too"), "{text}");
    assert_eq!(project.run(&["run", "flow.yaml", "--yes", "--only", "a"]).status.code(), Some(0));
    assert_eq!(project.run(&["run", "flow.yaml", "--yes", "--only", "b"]).status.code(), Some(0));
}

#[test]
fn a_dead_server_is_named_and_nothing_is_spent() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound").port()
    };
    let project = Project::at(&format!("http://127.0.0.1:{port}/v1"), SEED_REQUEST);
    let output = project.command(&["run", "flow.yaml", "--yes"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("127.0.0.1:{port}")), "{}", stderr(&output));
}

#[test]
fn a_missing_token_is_named_before_anything_is_sent() {
    let server = Server::start(&[]);
    let project = Project::new(&server, SEED_REQUEST);
    let output =
        project.command(&["run", "flow.yaml", "--yes"]).env_remove("LOCAL_TOKEN").output().expect("runs");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("LOCAL_TOKEN"), "{}", stderr(&output));
    assert_eq!(server.creates(), 0);
}

#[test]
fn a_flag_chooses_who_is_asked_before_the_environment_and_that_before_the_project() {
    for (flag, variable, asked) in
        [(None, None, 0), (None, Some("second"), 1), (Some("third"), Some("second"), 2)]
    {
        let servers = [Server::start(&[]), Server::start(&[]), Server::start(&[])];
        let project = Project::new(&servers[0], SEED_REQUEST);
        let mut text = "provider: first\nproviders:\n".to_owned();
        for (name, server) in ["first", "second", "third"].iter().zip(&servers) {
            let base_url = server.base_url();
            let line = format!(
                "  {name}: {{ kind: replicate, base_url: \"{base_url}\", token_env: LOCAL_TOKEN }}\n"
            );
            text.push_str(&line);
        }
        fs::write(project.path().join("castline.yaml"), text).expect("written");
        let mut run = project.command(&["run", "flow.yaml", "--yes"]);
        run.args(flag.iter().flat_map(|name| ["--provider", *name]));
        run.envs(variable.map(|name| ("CASTLINE_PROVIDER", name)));
        let output = run.output().expect("castline runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let mut creates = [0; 3];
        creates[asked] = 1;
        assert_eq!(servers.each_ref().map(Server::creates), creates, "{flag:?} {variable:?}");
    }
}

#[test]
fn with_an_error_anywhere_nothing_is_created() {
    let server = Server::start(&[]);
    let broken =
        format!("{}  b:\n    uses: flux-schnell\n    with: {{ prompt: b, aspect_ration: '1:1' }}\n", legs(2));
    let project = Project::new(&server, &broken);
    let output = project.run(&["run", "flow.yaml", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("unknown-input"), "{}", stderr(&output));
    assert_eq!(server.creates(), 0);
}

#[test]
fn a_budget_that_is_too_small_refuses_before_the_first_create() {
    let server = Server::start(&[]);
    let project = Project::new(&server, &legs(4));
    let output = project.run(&["run", "flow.yaml", "--yes", "--budget", "0.01"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(server.creates(), 0);
    let output = project.run(&["run", "flow.yaml", "--yes", "--budget", "0.01", "--partial"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(server.creates(), 3, "three at 0.003 USD fit into 0.01 USD");
}

#[test]
fn ctrl_c_sends_nothing_that_was_not_sent() {
    let server = Server::start(&["--fault", "create:429=60"]);
    let project = Project::new(&server, SEED_REQUEST);
    let mut run = project
        .command(&["run", "flow.yaml", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("castline runs");
    until("a create is refused", || server.get("/_sandbox/counts")["create_requests"].as_u64() == Some(1));
    let interrupt = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    until("castline ends", || run.try_wait().expect("its state").is_some());
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    assert_eq!(server.creates(), 0);
}

#[test]
fn the_projects_day_is_one_budget_for_all_its_runs() {
    let server = Server::start(&[]);
    let project = Project::new(&server, &legs(2));
    let file = project.path().join("castline.yaml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, format!("{text}limits: {{ budget_usd_per_day: 0.007 }}\n")).expect("written");
    project.run_json(0);
    fs::write(project.path().join("flow.yaml"), legs(2).replace("'a ", "'another ")).expect("written");
    let output = project.run(&["run", "flow.yaml", "--yes"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("0.001 USD are left"), "{}", stderr(&output));
    assert_eq!(server.creates(), 2);
}

#[test]
fn pitfall_10_a_rate_is_kept_by_two_processes_together() {
    // Each at the whole rate would send 100 while the server takes 90; a stall of this machine is no such thing.
    let server = Server::start(&["--limit", "600/min+40"]);
    let project = Project::new(&server, &legs(50));
    let file = project.path().join("castline.yaml");
    let text = fs::read_to_string(&file).expect("readable");
    let rate = "rate: { create: 600/min }, token_env";
    fs::write(&file, text.replace("token_env", rate)).expect("written");
    fs::write(project.path().join("other.yaml"), legs(50).replace("'a ", "'another ")).expect("written");
    let start = |flow: &str| {
        let mut command = project.command(&["run", flow, "--yes", "--parallel", "50", "--budget", "1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("castline runs")
    };
    for process in [start("flow.yaml"), start("other.yaml")] {
        let output = process.wait_with_output().expect("ends");
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let counts = server.get("/_sandbox/counts");
    assert_eq!((&counts["creates"], &counts["refused"]), (&json!(100), &json!(0)), "{counts}");
}

#[test]
fn pitfall_9_a_refusal_pauses_everybody_for_as_long_as_the_server_says() {
    let server = Server::start(&["--limit", "60/min"]);
    let project = Project::new(&server, &legs(5));
    let output = project.run(&["run", "flow.yaml", "--yes", "--parallel", "3"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let counts = server.get("/_sandbox/counts");
    assert_eq!(counts["creates"], 5);
    // Only those that were on their way already when the first was refused.
    assert!(counts["early"].as_u64() <= Some(1), "{counts}");
}

/// An edit of a picture, and another of that picture.
const TWO_EDITS: &str = "
inputs:
  photo: { type: image, default: ./photo.png }
steps:
  first:
    uses: flux-kontext-pro
    with: { prompt: Make the sky violet., input_image: '{{ inputs.photo }}' }
  second:
    uses: flux-kontext-pro
    from: first
    with: { prompt: Add a moon. }
";

/// More than travels inside a request, and never the same byte twice in a row.
fn photo(project: &Project) {
    let noise: Vec<u8> = (0..400 * 300 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let picture = image::RgbImage::from_raw(400, 300, noise).expect("as many bytes as pixels");
    picture.save(project.path().join("photo.png")).expect("written");
}

#[test]
fn a_large_file_is_uploaded_once_and_an_output_goes_on_by_its_address() {
    let server = Server::start(&[]);
    let project = Project::new(&server, TWO_EDITS);
    photo(&project);
    project.run_json(0);
    assert_eq!(server.get("/_sandbox/counts")["uploads"], 1);
    let sent: Vec<_> = server.requests("POST", "/predictions");
    for (create, place) in sent.iter().zip(["/outputs/", "/outputs/"]) {
        let image = create["body"]["input"]["input_image"].as_str().expect("an address");
        assert!(image.starts_with("http://") && image.contains(place), "{image}");
    }
    let text = TWO_EDITS.replace("violet", "green");
    fs::write(project.path().join("flow.yaml"), text).expect("written");
    project.run_json(0);
    assert_eq!(server.count("uploads"), 1, "the link is still good");
}

#[test]
fn pitfall_28_the_polls_of_all_predictions_share_one_rate() {
    let server = Server::start(&["--latency", "600ms"]);
    let project = Project::new(&server, &legs(8));
    let file = project.path().join("castline.yaml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("token_env", "rate: { read: 240/min }, token_env")).expect("written");
    let began = Instant::now();
    project.run_json(0);
    let allowed = 4.0 + 4.0 * began.elapsed().as_secs_f64();
    let gets = server.get("/_sandbox/counts")["gets"].as_f64().expect("a count");
    assert!(gets <= allowed, "{gets} polls where {allowed:.0} are allowed");
}

#[test]
fn legs_that_send_one_large_file_upload_it_once() {
    let server = Server::start(&[]);
    let text = TWO_EDITS.replace("    with: { prompt: Make the sky violet., input", "    each: { color: [violet, green, gold, grey] }\n    with: { prompt: 'Make the sky {{ each.color }}.', input");
    let project = Project::new(&server, &text);
    photo(&project);
    project.run_json(0);
    assert_eq!((server.creates(), server.count("uploads")), (8, 1));
}
