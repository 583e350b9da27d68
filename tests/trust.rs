//! What leaves this machine, and when it stops: trust, tokens, `doctor`, cancel, the disk.
//!
//! Over real sockets, against the sandbox behind the Replicate routes.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::castline;
use common::server::Server;

const CASTLINE: &str = env!("CARGO_BIN_EXE_castline");
const TOKEN: &str = "r8_Zebra-Quartz-0123456789";

/// How many predictions were asked for by their ids: the client knows them then.
fn followed(server: &Server) -> usize {
    let all = server.get("/_sandbox/requests");
    let paths = all.as_array().expect("a list").iter().filter(|r| r["method"] == "GET");
    let paths = paths.filter_map(|r| r["path"].as_str()).filter(|p| p.contains("/predictions/"));
    paths.collect::<std::collections::BTreeSet<_>>().len()
}

/// A project with one provider, and a home of its own.
struct Project {
    folder: tempfile::TempDir,
    home: tempfile::TempDir,
}

impl Project {
    fn at(kind: &str, base_url: &str, workflow: &str) -> Self {
        let (folder, home) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let project = format!(
            "provider: own\nproviders:\n  own: {{ kind: {kind}, base_url: \"{base_url}\", token_env: OWN_TOKEN }}\n"
        );
        fs::write(folder.path().join("castline.yaml"), project).expect("written");
        fs::write(folder.path().join("flow.yaml"), workflow).expect("written");
        Self { folder, home }
    }

    fn on(server: &Server, kind: &str, workflow: &str) -> Self {
        Self::at(kind, &server.base_url(), workflow)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(self.path(), arguments);
        command
            .env_remove("CASTLINE_TRUST")
            .env_remove("REPLICATE_API_TOKEN")
            .env_remove("COMETAPI_KEY")
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("OWN_TOKEN", TOKEN);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("castline runs")
    }

    /// Runs something that must end with this code; its stdout as JSON.
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one object on stdout")
    }

    /// A run in a process of its own, once the server was asked for this many predictions.
    fn start(&self, server: &Server, predictions: usize) -> Child {
        let run = self
            .command(&["run", "flow.yaml", "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("castline runs");
        until("every prediction is followed", || followed(server) >= predictions);
        run
    }
}

/// So many legs of one step, each with a prompt of its own.
fn legs(count: usize) -> String {
    let words: Vec<_> = (0..count).map(|i| format!("w{i}")).collect();
    format!(
        "steps:\n  a:\n    uses: flux-schnell\n    each: {{ word: [{}] }}\n    with: {{ prompt: 'a {{{{ each.word }}}}', megapixels: '0.25' }}\n",
        words.join(", ")
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ends(canceled: &Value) -> Vec<&str> {
    let legs = canceled["legs"].as_array().expect("a list");
    legs.iter().map(|leg| leg["end"].as_str().expect("a word")).collect()
}

// Trust.

#[test]
fn a_token_goes_nowhere_until_the_user_allows_it() {
    let project = Project::at("replicate", "https://gateway.invalid/v1", &legs(1));
    let refused = |output: &Output, pair: &str| {
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("`castline trust {pair}`")), "{said}");
    };
    let run = || project.run(&["run", "flow.yaml", "--yes"]);
    refused(&run(), "OWN_TOKEN@gateway.invalid");

    // What lies in the project allows nothing, wherever it lies.
    let recorded = "castline: 1\ntrust: [\"OWN_TOKEN@gateway.invalid\"]\n";
    for place in ["trust.yaml", ".castline/trust.yaml", ".config/castline/trust.yaml", "castline/trust.yaml"]
    {
        let path = project.path().join(place);
        fs::create_dir_all(path.parent().expect("in the project")).expect("made");
        fs::write(path, recorded).expect("written");
    }
    refused(&run(), "OWN_TOKEN@gateway.invalid");

    let is_trusted = |command: &mut Command| {
        let output = command.output().expect("castline runs");
        let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(seen["providers"][0]["name"], "own");
        (seen["providers"][0]["token"]["trusted"] == true, output.status.code())
    };
    let look = || project.command(&["doctor", "--offline", "--json"]);
    assert_eq!(is_trusted(&mut look()), (false, Some(5)));
    let listed = "OTHER@host.invalid, OWN_TOKEN@gateway.invalid";
    assert_eq!(is_trusted(look().env("CASTLINE_TRUST", listed)), (true, Some(0)));

    let allowed = project.run(&["trust", "OWN_TOKEN@gateway.invalid"]);
    assert!(allowed.status.success(), "{}", text(&allowed.stderr));
    assert_eq!(is_trusted(&mut look()), (true, Some(0)));
    let pairs = project.json(0, &["trust", "--json"]);
    let own = pairs["pairs"].as_array().expect("a list").iter().find(|p| p["variable"] == "OWN_TOKEN");
    assert_eq!(own.expect("recorded")["origin"], "user");

    // Without TLS anybody on the way reads it: that is another pair.
    let file = project.path().join("castline.yaml");
    let plain = fs::read_to_string(&file).expect("readable").replace("https://", "http://");
    fs::write(&file, plain).expect("written");
    refused(&run(), "OWN_TOKEN@http://gateway.invalid");

    assert!(project.run(&["trust", "--remove", "OWN_TOKEN@gateway.invalid"]).status.success());
    let again = project.run(&["trust", "--remove", "OWN_TOKEN@gateway.invalid"]);
    assert_eq!(again.status.code(), Some(2));
}

#[test]
fn a_built_in_token_stays_with_its_host() {
    let project = Project::at("replicate", "https://api.replicate.com.evil.invalid/v1", &legs(1));
    let file = project.path().join("castline.yaml");
    let stolen = fs::read_to_string(&file).expect("readable").replace("OWN_TOKEN", "REPLICATE_API_TOKEN");
    fs::write(&file, stolen).expect("written");
    let output = project
        .command(&["run", "flow.yaml", "--yes"])
        .env("REPLICATE_API_TOKEN", TOKEN)
        .output()
        .expect("castline runs");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("castline trust REPLICATE_API_TOKEN@api.replicate.com.evil.invalid"), "{said}");
}

// Doctor.

#[test]
fn doctor_asks_the_provider_and_never_shows_the_token() {
    let server = Server::start(&["--token", TOKEN]);
    let project = Project::on(&server, "replicate", &legs(1));
    let seen = project.json(0, &["doctor", "--json"]);
    let provider = &seen["providers"][0];
    assert_eq!((&provider["name"], &provider["health"]), (&"own".into(), &"good".into()), "{seen:#}");
    assert_eq!(provider["about"], "sandbox (user)");
    assert!(provider["latency_seconds"].is_f64() && provider["clock_offset_seconds"].is_i64(), "{provider}");
    let checks = seen["checks"].as_array().expect("a list");
    let locks = checks.iter().find(|c| c["check"] == "locks between processes").expect("tried");
    assert_eq!(locks["health"], "good", "{locks}");
    assert!(!seen.to_string().contains(TOKEN));
    let drawn = project.run(&["doctor", "-vv"]);
    let drawn = text(&drawn.stdout) + &text(&drawn.stderr);
    assert!(drawn.contains("everything is fine") && !drawn.contains(TOKEN), "{drawn}");
    assert!(!project.path().join(".castline").exists(), "looking makes no store");
}

#[test]
fn doctor_ends_with_5_when_something_will_not_work() {
    let server = Server::start(&["--token", "another"]);
    let project = Project::on(&server, "replicate", &legs(1));
    let seen = project.json(5, &["doctor", "--json"]);
    assert_eq!(seen["providers"][0]["health"], "problem");
    assert!(!seen.to_string().contains(TOKEN), "{seen}");
    let unset = project.command(&["doctor", "--offline"]).env_remove("OWN_TOKEN").output().expect("runs");
    assert_eq!(unset.status.code(), Some(5));
    assert!(text(&unset.stdout).contains("OWN_TOKEN"), "{}", text(&unset.stdout));
    assert_eq!(project.run(&["doctor", "--offline"]).status.code(), Some(0));
    assert_eq!(project.run(&["doctor", "--provider", "nobody"]).status.code(), Some(5));
    drop(server);
    assert_eq!(project.run(&["doctor"]).status.code(), Some(5));
}

// Cancel.

#[test]
fn a_run_is_canceled_from_another_process_and_at_its_provider() {
    let server = Server::start(&["--latency", "120s"]);
    let project = Project::on(&server, "replicate", &legs(3));
    let run = project.start(&server, 3);
    let canceled = project.json(0, &["runs", "cancel", "--json"]);
    assert_eq!(canceled["was_going_on"], true);
    assert_eq!(ends(&canceled), ["canceled"; 3], "{canceled:#}");
    let run = run.wait_with_output().expect("ends");
    assert_eq!(run.status.code(), Some(130), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("canceled: 3 predictions are under way"), "{}", text(&run.stderr));
    assert_eq!((server.count("creates"), server.count("cancels")), (3, 3));
    let id = canceled["run"].as_str().expect("an id");
    let journal = fs::read_to_string(project.path().join(".castline/runs").join(id).join("journal.jsonl"));
    assert!(journal.expect("a journal").contains(r#""type":"stopping","why":"canceled""#));
    // Nothing is left to cancel.
    assert_eq!(project.run(&["runs", "cancel"]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_stopped_is_said_to_go_on_and_is_adopted() {
    let server = Server::start(&["--latency", "6s"]);
    let project = Project::on(&server, "cometapi", &legs(1));
    let run = project.start(&server, 1);
    let output = project.run(&["runs", "cancel"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    for word in ["goes on", "black-forest-labs/flux-schnell at own", "up to 0.003 USD", "is billed"] {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
    let run = run.wait_with_output().expect("ends");
    assert_eq!(run.status.code(), Some(130), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("cannot be told to stop"), "{}", text(&run.stderr));
    let again = project.json(0, &["run", "flow.yaml", "--json", "--yes"]);
    assert_eq!(again["status"], "succeeded");
    assert_eq!(server.count("creates"), 1);
}

#[test]
fn what_a_dead_run_left_is_stopped_at_its_provider() {
    let server = Server::start(&["--latency", "120s"]);
    let project = Project::on(&server, "replicate", &legs(2));
    let mut run = project.start(&server, 2);
    // The ids are on the disk a moment after they are first asked for.
    until("both are written down", || {
        let listed = project.run(&["ledger", "list"]);
        text(&listed.stdout).matches("created").count() == 2
    });
    run.kill().expect("killed");
    run.wait().expect("reaped");
    let listed = text(&project.run(&["ledger", "list"]).stdout);
    assert!(
        listed.lines().all(|line| line.contains("  kept until ") && line.ends_with(" at least")),
        "{listed}"
    );
    let canceled = project.json(0, &["runs", "cancel", "--json"]);
    assert_eq!(canceled["was_going_on"], false);
    assert_eq!(ends(&canceled), ["canceled"; 2], "{canceled:#}");
    assert_eq!((server.count("creates"), server.count("cancels")), (2, 2));
    assert!(text(&project.run(&["ledger", "list"]).stdout).is_empty());
}

#[test]
fn what_a_dead_run_left_at_a_provider_without_cancel_is_named() {
    let server = Server::start(&["--latency", "120s"]);
    let project = Project::on(&server, "cometapi", &legs(1));
    let mut run = project.start(&server, 1);
    until("it is written down", || text(&project.run(&["ledger", "list"]).stdout).contains("created"));
    run.kill().expect("killed");
    run.wait().expect("reaped");
    let canceled = project.json(1, &["runs", "cancel", "last", "--json"]);
    assert_eq!(ends(&canceled), ["goes-on"], "{canceled:#}");
    assert_eq!(canceled["legs"][0]["cost_usd"], 0.003);
    assert_eq!(server.count("creates"), 1);
}

#[cfg(unix)]
fn signal(run: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &run.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[cfg(unix)]
#[test]
fn ctrl_c_waits_for_what_is_paid_and_says_what_that_is() {
    let server = Server::start(&["--latency", "4s"]);
    let project = Project::on(&server, "replicate", &legs(2));
    let run = project.start(&server, 2);
    signal(&run, "INT");
    let run = run.wait_with_output().expect("ends");
    let said = text(&run.stderr);
    assert_eq!(run.status.code(), Some(130).filter(|_| !said.contains("done in")).or(Some(0)), "{said}");
    assert!(said.contains("stopping: 2 predictions are under way and paid for, 0.006 USD at most"), "{said}");
    assert!(said.contains("of black-forest-labs/flux-schnell at own, 0.003 USD at most"), "{said}");
    let again = project.json(0, &["run", "flow.yaml", "--json", "--yes"]);
    assert!(again["steps"].as_array().expect("legs").iter().all(|leg| leg["reused"] == true), "{again:#}");
    assert_eq!((server.count("creates"), server.count("cancels")), (2, 0));
}

#[cfg(unix)]
#[test]
fn whoever_must_leave_does_so_within_a_second_and_the_next_run_adopts() {
    for (signals, code) in [(&["INT", "INT"][..], 130), (&["TERM"][..], 143), (&["HUP"][..], 129)] {
        let server = Server::start(&["--latency", "5s"]);
        let project = Project::on(&server, "replicate", &legs(1));
        let run = project.start(&server, 1);
        let asked = Instant::now();
        for (i, name) in signals.iter().enumerate() {
            if i > 0 {
                std::thread::sleep(Duration::from_millis(200));
            }
            signal(&run, name);
        }
        let run = run.wait_with_output().expect("ends");
        // A second, and what a busy machine takes to notice.
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        assert_eq!(run.status.code(), Some(code), "{}", text(&run.stderr));
        assert!(text(&run.stderr).contains("leaving: 1 prediction"), "{}", text(&run.stderr));
        let again = project.json(0, &["run", "flow.yaml", "--json", "--yes"]);
        assert_eq!(again["status"], "succeeded");
        assert_eq!(server.count("creates"), 1, "{signals:?}");
    }
}

// Tokens.

/// Every file below a folder that holds the token, or a part of it that gives it away.
fn holding(folder: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable").map(|e| e.expect("readable").path()) {
        if entry.is_dir() {
            found.extend(holding(&entry, secret));
        } else {
            let bytes = fs::read(&entry).expect("readable");
            if bytes.windows(secret.len()).any(|part| part == secret.as_bytes()) {
                found.push(entry.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_token_is_in_nothing_that_a_run_writes() {
    let echo = format!("predict:fail=the key {TOKEN} is not allowed to do this");
    let encoded = format!("predict:fail=https://h/?key={}", TOKEN.replace('-', "%2D"));
    for (fault, code) in [
        ("create:echo", 1),
        ("get:echo*1", 1),
        ("create:echo*1", 1),
        (echo.as_str(), 1),
        (encoded.as_str(), 1),
        ("status:unknown*1", 0),
    ] {
        let server = Server::start(&["--fault", fault]);
        let project = Project::on(&server, "replicate", &legs(2));
        let output = project.run(&[
            "run",
            "flow.yaml",
            "--yes",
            "-vv",
            "--json",
            "--report",
            "--embed",
            "--events",
            "events.jsonl",
        ]);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{fault}: {err}");
        assert!(err.contains("DEBUG") || err.contains("TRACE"), "-vv says something: {err}");
        fs::write(project.path().join("stdout"), &out).expect("written");
        fs::write(project.path().join("stderr"), &err).expect("written");
        for arguments in
            [&["runs", "show", "--json"][..], &["ledger", "list", "--json"], &["doctor", "--json"]]
        {
            let shown = project.run(arguments);
            let name = arguments.concat();
            fs::write(project.path().join(&name), [shown.stdout, shown.stderr].concat()).expect("written");
        }
        assert!(project.path().join(".castline/ledger.db").exists());
        assert_eq!(holding(project.path(), TOKEN), [""; 0], "{fault}");
        assert_eq!(holding(project.path(), "Zebra-Quartz"), [""; 0], "{fault}");
        assert_eq!(holding(project.path(), "Zebra%2DQuartz"), [""; 0], "{fault}");
    }
}

#[test]
fn a_token_that_was_copied_wrong_is_refused_before_anything_is_sent() {
    let server = Server::start(&["--token", TOKEN]);
    let project = Project::on(&server, "replicate", &legs(1));
    for wrong in ["", "  \n", "r8_Zebra Quartz", "r8_Zebra\nQuartz", "r8_Zebr\u{e4}"] {
        let output =
            project.command(&["run", "flow.yaml", "--yes"]).env("OWN_TOKEN", wrong).output().expect("runs");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {said}");
        assert!(said.contains("OWN_TOKEN") && !said.contains("Zebr"), "{wrong:?}: {said}");
    }
    assert_eq!(server.count("create_requests"), 0);
    let around = format!(" {TOKEN}\n");
    let output =
        project.command(&["run", "flow.yaml", "--yes"]).env("OWN_TOKEN", around).output().expect("runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_token_in_an_input_is_refused_before_it_is_written_down() {
    let server = Server::start(&[]);
    let workflow = "inputs: { words: { type: string } }\nsteps:\n  a:\n    uses: flux-schnell\n    with: { prompt: 'a {{ inputs.words }}' }\n";
    let project = Project::on(&server, "replicate", workflow);
    let output = project.run(&["run", "flow.yaml", "--yes", "-vv", "-i", &format!("words=key {TOKEN}")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`OWN_TOKEN` as an input") && !said.contains(TOKEN), "{said}");
    assert_eq!(holding(project.path(), TOKEN), [""; 0]);
    assert_eq!(server.count("create_requests"), 0);
}

// The disk.

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_paid_for_when_the_disk_is_almost_full() {
    let server = Server::start(&[]);
    let project = Project::on(&server, "replicate", &legs(1));
    let disk = project.path().join("disk");
    fs::create_dir(&disk).expect("made");
    // A file system of 48 MiB, seen by this one process and gone with it.
    let script = "mount -t tmpfs -o size=48m none disk || exit 99; exec \"$0\" run flow.yaml --yes";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, CASTLINE])
        .envs(project.command(&[]).get_envs().filter_map(|(k, v)| Some((k, v?))))
        .env_remove("CASTLINE_PROVIDER")
        .env("CASTLINE_STORE", &disk)
        .current_dir(project.path())
        .output();
    let said = match &output {
        Ok(output) => text(&output.stderr),
        Err(e) => e.to_string(),
    };
    match output.ok().and_then(|output| output.status.code()) {
        Some(2) => {
            assert!(said.contains("MiB are free") && said.contains("nothing was sent"), "{said}");
            assert_eq!(server.count("create_requests"), 0);
        }
        Some(code @ (0 | 1 | 3 | 4)) if !said.contains("unshare") => panic!("ended with {code}: {said}"),
        _ => println!("skipped: no file system can be mounted here ({})", said.trim()),
    }
}
