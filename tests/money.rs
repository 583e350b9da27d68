//! Money over real sockets: prices, budgets, settlements, drift, and the ledger's commands.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use common::castline;
use common::server::Server;

/// A project whose provider is a server on loopback.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(server: &Server, more: &str, workflow: &str) -> Self {
        Self::of_kind("replicate", server, more, workflow)
    }

    fn of_kind(kind: &str, server: &Server, more: &str, workflow: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Self { folder };
        let base_url = server.base_url();
        project.write(
            "castline.yaml",
            &format!(
                "provider: local\nproviders:\n  local: {{ kind: {kind}, base_url: \"{base_url}\", token_env: LOCAL_TOKEN }}\n{more}"
            ),
        );
        project.write("flow.yaml", workflow);
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(self.path(), arguments);
        command.env("LOCAL_TOKEN", "secret-token-for-loopback").env("TZ", "UTC");
        command
    }

    /// Runs castline, which must end with this code; its stdout and stderr.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.command(arguments).output().expect("castline runs");
        let (out, err) = words(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (out, err) = self.ends(code, &[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}\n{err}"))
    }

    fn run_json(&self, code: i32) -> Value {
        self.json(code, &["run", "flow.yaml", "--yes"])
    }
}

fn words(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// So many legs of one step, each with a prompt of its own and so many pictures.
fn legs(count: usize, pictures: usize) -> String {
    let words: Vec<_> = (0..count).map(|i| format!("w{i}")).collect();
    format!(
        "name: flow\nsteps:\n  a:\n    uses: flux-schnell\n    each: {{ word: [{}] }}\n    with: {{ prompt: 'a {{{{ each.word }}}}', megapixels: '0.25', num_outputs: {pictures} }}\n",
        words.join(", ")
    )
}

const FOUR_CENTS: &str = "prices: { flux-schnell: { usd: 0.04, per: image } }\n";

#[test]
fn a_price_of_the_project_is_called_yours() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", &legs(1, 2));
    let (plan, _) = project.ends(0, &["plan", "flow.yaml"]);
    assert!(plan.contains("0.006 USD") && !plan.contains("yours"), "{plan}");
    assert_eq!(project.json(0, &["plan", "flow.yaml"])["legs"][0]["price_from"], "preset");
    let project = Project::new(&server, FOUR_CENTS, &legs(1, 2));
    let (plan, _) = project.ends(0, &["plan", "flow.yaml"]);
    assert!(plan.contains("0.08 USD (yours)"), "{plan}");
    assert_eq!(project.json(0, &["plan", "flow.yaml"])["legs"][0]["price_from"], "project");
    assert_eq!(server.creates(), 0);
}

#[test]
fn a_price_belongs_to_a_provider() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", "steps: { a: { uses: mine, with: { prompt: a } } }\n");
    fs::create_dir(project.path().join("presets")).expect("made");
    project.write(
        "presets/mine.yaml",
        "castline: 1\nname: mine\ndescription: A test.\nmodel: acme/mine\ninput: { type: object, required: [prompt], properties: { prompt: { type: string } } }\noutput: { type: image }\nprice: { usd: 0.03, per: image }\nroutes: { replicate: {}, cometapi: { price: { usd: 0.05, per: run } } }\n",
    );
    let plan =
        |provider: &str| project.json(0, &["plan", "flow.yaml", "--provider", provider])["legs"][0].clone();
    for (provider, usd, from) in
        [("replicate", 0.03, "preset"), ("cometapi", 0.05, "route"), ("local", 0.03, "preset")]
    {
        let leg = plan(provider);
        assert_eq!((&leg["max_usd"], &leg["price_from"]), (&json!(usd), &json!(from)), "{leg}");
    }
}

#[test]
fn a_price_that_depends_on_nothing_that_comes_first_is_in_the_plan() {
    let server = Server::start(&[]);
    let workflow = "steps:\n  a: { uses: flux-schnell, with: { prompt: a } }\n  b: { uses: flux-kontext-pro, from: a, with: { prompt: b } }\n  c: { uses: flux-schnell, with: { prompt: '{{ steps.b.image.width }}' } }\n  d: { uses: flux-schnell, with: { prompt: d, num_outputs: '{{ 1 + steps.b.image.width % 2 }}' } }\n";
    let plan = Project::new(&server, "", workflow).json(0, &["plan", "flow.yaml"]);
    let most: Vec<_> =
        plan["legs"].as_array().expect("legs").iter().map(|leg| leg["max_usd"].clone()).collect();
    assert_eq!(most, [json!(0.003), json!(0.04), json!(0.003), Value::Null], "{plan}");
    assert_eq!((&plan["min_usd"], &plan["unpriced"]), (&json!(0.003), &json!(1)));
}

/// The choice is the sandbox, but a provider of the project claims a model.
#[test]
fn a_run_on_the_sandbox_that_pays_for_a_model_says_so_at_once() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", &legs(1, 1));
    let base_url = server.base_url();
    project.write(
        "castline.yaml",
        &format!(
            "providers:\n  local: {{ kind: replicate, base_url: \"{base_url}\", token_env: LOCAL_TOKEN, models: [black-forest-labs/flux-schnell] }}\n"
        ),
    );
    let (_, said) = project.ends(0, &["run", "flow.yaml", "--yes"]);
    assert!(said.starts_with("flow on sandbox (stand-ins; some models run live)\n"), "{said}");
    assert!(said.contains("1 ran; cost 0.003 USD"), "{said}");
    let (shown, _) = project.ends(0, &["runs", "show"]);
    assert!(shown.contains("flow on sandbox (stand-ins; some models run live)"), "{shown}");
    assert_eq!(server.creates(), 1);
}

#[test]
fn the_budget_refuses_all_or_goes_as_far_as_it_does() {
    let server = Server::start(&[]);
    let project = Project::new(&server, FOUR_CENTS, &legs(20, 1));
    let (_, err) = project.ends(3, &["run", "flow.yaml", "--yes", "--budget", "0.10"]);
    assert!(err.contains("costs at least 0.80 USD, and its budget is 0.10 USD"), "{err}");
    assert_eq!(server.creates(), 0);
    let (_, err) = project.ends(3, &["run", "flow.yaml", "--yes", "--budget", "0.10", "--partial"]);
    assert!(err.contains("up to 0.04 USD are needed and the budget of this run has 0.02 USD left"), "{err}");
    assert_eq!(server.creates(), 2);
}

#[test]
fn three_processes_share_one_day() {
    let server = Server::start(&["--latency", "200ms"]);
    let day = format!("{FOUR_CENTS}limits: {{ budget_usd_per_day: 0.10 }}\n");
    let project = Project::new(&server, &day, &legs(20, 1));
    for n in 0..3 {
        project.write(&format!("flow{n}.yaml"), &legs(20, 1).replace("'a ", &format!("'{n} ")));
    }
    let start = |n: usize| {
        let mut command = project.command(&["run", &format!("flow{n}.yaml"), "--yes", "--partial"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("castline runs")
    };
    let processes: Vec<_> = (0..3).map(start).collect();
    for process in processes {
        let output = process.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(3), "{}", words(&output).1);
    }
    assert_eq!(server.creates(), 2);
    let (_, err) = project.ends(3, &["run", "flow.yaml", "--yes"]);
    assert!(err.contains("0.02 USD are left of the project's 0.10 USD for 24 hours"), "{err}");
}

#[test]
fn what_has_no_price_is_refused_wherever_it_is_found_out() {
    let server = Server::start(&[]);
    let one =
        "steps:\n  a: { uses: flux-schnell, with: { prompt: a } }\n  b: { uses: real-esrgan, from: a }\n";
    let project = Project::new(&server, "", one);
    let (_, err) = project.ends(3, &["run", "flow.yaml", "--yes"]);
    assert!(err.contains("the price of `b` is not known") && err.contains("--allow-unpriced=b"), "{err}");
    assert_eq!(server.creates(), 0, "nothing that comes before it is paid for");

    let tiers = "prices: { flux-schnell: { usd: 0.003, per: image, if: input.num_outputs < 2 } }\n";
    let two = "steps:\n  a: { uses: flux-schnell, with: { prompt: a } }\n  b: { uses: flux-schnell, with: { prompt: b, num_outputs: '{{ 2 + steps.a.image.width * 0 }}' } }\n";
    let project = Project::new(&server, tiers, two);
    let record = project.run_json(3);
    assert_eq!(record["steps"][1]["status"], "refused", "{record}");
    assert!(record["steps"][1]["error"].to_string().contains("price is not known"), "{record}");
    assert_eq!(server.creates(), 1);
    let record = project.json(0, &["run", "flow.yaml", "--yes", "--allow-unpriced=b"]);
    assert_eq!((&record["unpriced"], &record["steps"][1]["cost_usd"]), (&json!(1), &Value::Null));
    assert_eq!(server.creates(), 2);
    let (table, _) = project.ends(0, &["cost"]);
    assert!(table.contains("total 0.003 USD and 1 of unknown price"), "{table}");
}

#[test]
fn what_was_observed_is_settled_and_what_does_not_fit_is_reported() {
    let server = Server::start(&[]);
    let price = "prices: { flux-schnell: { usd: 0.04, per: image, quantity: 2 } }\n";
    let project = Project::new(&server, price, &legs(2, 1));
    let (_, err) = project.ends(0, &["run", "flow.yaml", "--yes"]);
    assert!(
        err.contains("price drift: 2 predictions of `black-forest-labs/flux-schnell` at `local` cost 0.08 USD instead of 0.16 USD"),
        "{err}"
    );
    project.write("flow.yaml", &legs(1, 1).replace("'a ", "'b "));
    let record = project.run_json(0);
    let drift = json!([{
        "model": "black-forest-labs/flux-schnell", "provider": "local", "legs": 1,
        "min_usd": 0.08, "max_usd": 0.08, "cost_usd": 0.04,
    }]);
    assert_eq!((&record["drift"], &record["steps"][0]["drift"]), (&drift, &json!(true)));
    assert_eq!(record["cost_usd"], 0.04);
    let cost = project.json(0, &["cost"]);
    assert_eq!(
        cost["total"],
        json!({ "creates": 3, "settled_usd": 0.12, "reserved_usd": 0.0, "unknown": 0 })
    );
}

#[test]
fn what_fits_is_no_drift() {
    let server = Server::start(&["--latency", "300ms"]);
    let price = "prices: { flux-schnell: { usd: 0.001, per: gpu-second, quantity: '[0.1, 60]' } }\n";
    let project = Project::new(&server, price, &legs(1, 1));
    let record = project.run_json(0);
    let cost = record["cost_usd"].as_f64().expect("a cost");
    assert!(
        cost > 0.0001 && cost < 0.01,
        "by the provider's `predict_time`, not the 0.06 reserved: {record}"
    );
    assert_eq!(record["drift"], json!([]));
    assert_eq!(record["steps"][0]["max_usd"], 0.06);
}

#[test]
fn an_overcharge_is_booked_and_the_run_creates_nothing_more() {
    let server = Server::start(&[]);
    let price = "prices: { flux-schnell: { usd: 0.04, per: image, quantity: 1 } }\n";
    let project = Project::new(&server, price, &legs(4, 2));
    let record = project.json(3, &["run", "flow.yaml", "--yes", "--parallel", "1"]);
    assert_eq!((server.creates(), &record["cost_usd"]), (1, &json!(0.08)));
    assert_eq!(record["drift"][0]["cost_usd"], 0.08);
    let error = record["steps"][1]["error"].to_string();
    assert!(error.contains("charged 0.04 USD more than was reserved"), "{error}");
}

#[test]
fn money_is_summed_up_by_model_workflow_and_day() {
    let server = Server::start(&[]);
    let project = Project::new(&server, FOUR_CENTS, &legs(2, 1));
    let (_, err) = project.ends(0, &["cost"]);
    assert!(err.contains("nothing was asked of a provider that takes money"), "{err}");
    project.run_json(0);
    project.write("other.yaml", &legs(1, 1).replace("'a ", "'b ").replace("name: flow", "name: other"));
    project.ends(0, &["run", "other.yaml", "--yes"]);
    let parts = |by: &str| project.json(0, &["cost", "--by", by])["parts"].clone();
    let spent = |creates: u64, usd: f64| json!({ "creates": creates, "settled_usd": usd, "reserved_usd": 0.0, "unknown": 0 });
    let with = |mut spent: Value, name: &str, value: Value| {
        spent[name] = value;
        spent
    };
    let model = with(spent(3, 0.12), "model", json!("black-forest-labs/flux-schnell"));
    assert_eq!(parts("model"), json!([with(model, "provider", json!("local"))]));
    assert_eq!(
        parts("workflow"),
        json!([
            with(spent(2, 0.08), "workflow", json!("flow")),
            with(spent(1, 0.04), "workflow", json!("other"))
        ])
    );
    let days = parts("day");
    assert_eq!(days.as_array().map(Vec::len), Some(1), "{days}");
    assert_eq!(project.json(0, &["cost", "--by", "day", "--days", "1"])["parts"], days);
    project.ends(2, &["cost", "--days", "0"]);
}

#[test]
fn an_entry_is_shown_whole_with_what_to_do_next() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", &legs(1, 1));
    let record = project.run_json(0);
    let key = record["steps"][0]["key"].as_str().expect("a key");
    let shown = project.json(0, &["ledger", "show", &key[..20]]);
    assert_eq!(shown["key"], key);
    assert_eq!((&shown["state"], &shown["settled_usd"]), (&json!("succeeded"), &json!(0.003)));
    assert_eq!(shown["input"]["prompt"], "a w0");
    assert_eq!(shown["prediction"], record["steps"][0]["prediction"]);
    assert_eq!(shown["missing_files"], 0);
    let (text, _) = project.ends(0, &["ledger", "show", &key[..20]]);
    for word in [key, "flux-schnell", "0.003 USD", "prompt: a w0", "next: it is reused"] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    let (_, err) = project.ends(2, &["ledger", "show", "ffffffffffff"]);
    assert!(err.contains("no key"), "{err}");
}

#[test]
fn an_entry_in_doubt_says_the_three_ways_on() {
    let server = Server::start(&["--fault", "create:drop-after*1"]);
    let project = Project::of_kind("cometapi", &server, "", &legs(1, 1));
    let record = project.run_json(4);
    let key = record["steps"][0]["key"].as_str().expect("a key");
    let (text, _) = project.ends(4, &["ledger", "show", &key[..20]]);
    for word in ["in-doubt", "answer was lost", "ledger adopt", "ledger forgive", "ledger retry", "not yet"] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    let (table, _) = project.ends(0, &["cost"]);
    assert!(table.contains("total 0.00 USD; 0.003 USD reserved"), "{table}");
}

#[test]
fn a_ledger_goes_to_another_project_and_pays_for_nothing_again() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", &legs(2, 1));
    project.run_json(0);
    let (lines, err) = project.ends(0, &["ledger", "export"]);
    assert!(lines.lines().count() == 2 && err.contains("2 entries written"), "{lines}\n{err}");
    assert!(!lines.contains("secret-token"), "{lines}");

    let other = Project::new(&server, "", &legs(2, 1));
    other.write("ledger.jsonl", &lines);
    let (_, err) = other.ends(0, &["ledger", "import", "ledger.jsonl"]);
    assert!(err.contains("2 entries taken in") && err.contains("2 outputs with files that are not"), "{err}");
    let (_, err) = other.ends(0, &["ledger", "import", "ledger.jsonl"]);
    assert!(err.contains("0 entries taken in; 2 are here already"), "{err}");
    assert_eq!(other.json(0, &["cost"])["total"]["settled_usd"], 0.006);

    // Its files are not here, so that it is no cache hit; the provider still has them.
    let plan = other.json(0, &["plan", "flow.yaml"]);
    assert!(plan["legs"].as_array().expect("legs").iter().all(|leg| leg["fate"] == "adopt"), "{plan}");
    assert_eq!(plan["max_usd"], 0.0);
    let record = other.run_json(0);
    assert!(record["steps"].as_array().expect("legs").iter().all(|leg| leg["status"] == "succeeded"));
    assert_eq!(server.creates(), 2, "they were fetched, not made again");
    assert!(other.run_json(0)["steps"].as_array().expect("legs").iter().all(|leg| leg["reused"] == true));
}

#[test]
fn an_imported_output_that_is_needed_late_is_fetched_as_well() {
    let server = Server::start(&[]);
    let workflow = "steps:\n  a: { uses: flux-schnell, with: { prompt: a } }\n  b: { uses: flux-kontext-pro, from: a, with: { prompt: b } }\noutputs: { b: '{{ steps.b.image }}' }\n";
    let project = Project::new(&server, "", workflow);
    project.run_json(0);
    let (lines, _) = project.ends(0, &["ledger", "export"]);
    let other = Project::new(&server, "", workflow);
    other.write("ledger.jsonl", &lines);
    other.ends(0, &["ledger", "import", "ledger.jsonl"]);
    let record = other.run_json(0);
    assert_eq!(record["status"], "succeeded", "{record}");
    assert_eq!(server.creates(), 2);
    let path = record["outputs"]["b"]["path"].as_str().expect("a path");
    assert!(other.path().join(path).is_file(), "{record}");
}

#[test]
fn a_file_that_is_no_ledger_changes_nothing() {
    let server = Server::start(&[]);
    let project = Project::new(&server, "", &legs(1, 1));
    project.run_json(0);
    let (line, _) = project.ends(0, &["ledger", "export"]);
    let other = Project::new(&server, "", &legs(1, 1));
    for (text, word) in [
        (format!("{line}nonsense\n"), "line 2"),
        (
            format!("{line}{}", line.replacen("\"schema_version\":1", "\"schema_version\":2", 1)),
            "update castline",
        ),
        (line.replace("a w0", "another"), "not that of its request"),
    ] {
        other.write("ledger.jsonl", &text);
        let (_, err) = other.ends(2, &["ledger", "import", "ledger.jsonl"]);
        assert!(err.contains(word), "{err}");
        let (lines, _) = other.ends(0, &["ledger", "export"]);
        assert_eq!(lines, "", "nothing was taken in");
    }
}

#[test]
fn an_attempt_that_failed_and_was_paid_for_counts() {
    let server = Server::start(&["--fault", "predict:fail=boom*1"]);
    let workflow = legs(1, 1).replace("    uses:", "    retry: { times: 1, on: [other] }\n    uses:");
    let project = Project::new(&server, FOUR_CENTS, &workflow);
    let record = project.run_json(0);
    assert_eq!((server.creates(), &record["cost_usd"]), (2, &json!(0.08)), "{record}");
    let step = &record["steps"][0];
    assert_eq!((&step["cost_usd"], &step["failed_attempts_usd"]), (&json!(0.04), &json!(0.04)));
    assert_eq!(project.json(0, &["cost"])["total"]["settled_usd"], 0.08);
    let key = step["key"].as_str().expect("a key");
    let (text, _) = project.ends(0, &["ledger", "show", key]);
    assert!(text.contains("before") && text.contains("create 1 of"), "{text}");
}
