//! Scenes: what happens once, told from its beginning to its end.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kills::billed_by_time;
use crate::stage::{
    DEAR, Ended, Named, Played, Project, Running, Says, Server, Variables, check, legs, must, until,
};

/// By their names.
pub const ALL: &[Named] = &[
    ("a create whose answer is lost is adopted through the list", a_lost_create_is_adopted),
    ("without a list a lost create is in doubt and names three ways on", a_lost_create_is_in_doubt),
    ("list items without an input are in doubt", list_items_without_an_input_are_in_doubt),
    ("a request with a file is recognised though the list shows another address", a_file_is_recognised),
    ("lost creates of one wire request take one prediction each", draws_take_one_each),
    ("what another client made in a browser is not adopted", the_web_is_left_alone),
    ("a kill between the request and its answer creates nothing twice", killed_before_the_answer),
    ("a stopped process stays the owner and creates nothing twice", a_stopped_process_stays_the_owner),
    ("two terminals on one file create each leg once", two_terminals),
    ("three processes share one daily budget", three_processes_share_a_day),
    ("twenty legs are refused before the first create", twenty_legs_are_refused),
    ("twenty legs go as far as the money does", twenty_legs_in_part),
    ("a lost create that the project wants retried is paid once more", a_retry_that_was_asked_for),
    ("a prediction stuck in its start is left and adopted", stuck_and_adopted),
    ("an output on a private address is refused", a_private_address_is_refused),
    ("a run that others wait for is left to them", left_to_those_who_wait),
    ("a full budget does not keep a killed run from its own predictions", a_full_budget_adopts),
];

fn a_lost_create_is_adopted() -> Played {
    let server = Server::start(&["create:drop-after*1"], "0s");
    let project = Project::at(&server, &legs(1));
    let record = record(&project.say(&["run", "flow.yaml", "--yes", "--json"]).with(0)?)?;
    let only = &server.predictions()[0]["id"];
    must(record["steps"][0]["prediction"] == *only, || format!("{record}"))?;
    check(&server, &project, 1)
}

fn a_lost_create_is_in_doubt() -> Played {
    let server = Server::start(&["create:drop-after*1"], "0s");
    let project = Project::with(&server, "cometapi", "", &legs(1));
    for _ in 0..2 {
        let ended = project.go().with(4)?;
        for word in [
            "a[word=w0]",
            "`acme/sketch`",
            "0.003 USD",
            "castline ledger adopt",
            "castline ledger forgive",
            "castline ledger retry",
        ] {
            must(ended.told.contains(word), || format!("`{word}` is missing: {}", ended.told))?;
        }
        check(&server, &project, 1)?;
    }
    Ok(())
}

fn list_items_without_an_input_are_in_doubt() -> Played {
    let server = Server::start(&["list:no-input", "create:drop-after*1"], "0s");
    let project = Project::at(&server, &legs(1));
    let ended = project.go().with(4)?;
    must(ended.told.contains("input"), || ended.told.clone())?;
    check(&server, &project, 1)
}

fn a_file_is_recognised() -> Played {
    let server = Server::start(&["list:rewritten", "create:drop-after*1"], "0s");
    let workflow = "inputs:\n  picture: { type: image, default: ./boat.png }\nsteps:\n  a:\n    \
                    uses: flux-kontext-pro\n    with: { prompt: at night, input_image: '{{ inputs.picture }}' }\n";
    let project = Project::at(&server, workflow);
    image::RgbImage::new(48, 48).save(project.path().join("boat.png")).map_err(|e| e.to_string())?;
    project.go().with(0)?;
    let sent = server.get("/_sandbox/requests").to_string();
    must(sent.contains("data:image/png;base64,"), || format!("no data URI was sent: {sent}"))?;
    check(&server, &project, 1)
}

fn draws_take_one_each() -> Played {
    let server = Server::start(&["create:drop-after*2"], "0s");
    let workflow = "steps:\n  a:\n    uses: sketch\n    each: { take: [1, 2] }\n    \
                    with: { prompt: a boat }\n";
    let project = Project::at(&server, workflow);
    let record = record(&project.say(&["run", "flow.yaml", "--yes", "--json"]).with(0)?)?;
    let ids: BTreeSet<_> = (0..2).map(|leg| record["steps"][leg]["prediction"].to_string()).collect();
    must(ids.len() == 2, || format!("both took {ids:?}"))?;
    check(&server, &project, 2)
}

fn the_web_is_left_alone() -> Played {
    let server = Server::start(&["create:twin=web", "create:drop-after*1"], "0s");
    let project = Project::at(&server, &legs(1));
    let record = record(&project.say(&["run", "flow.yaml", "--yes", "--json"]).with(0)?)?;
    let predictions = server.predictions();
    let own = predictions.iter().find(|p| p["source"] == "api").ok_or("nothing was created")?;
    must(record["steps"][0]["prediction"] == own["id"], || format!("{record}"))?;
    check(&server, &project, 1)
}

fn killed_before_the_answer() -> Played {
    let server = Server::start(&["create:hold=30*2"], "0s");
    let project = Project::at(&server, &legs(2));
    let run = project.start(&project.run);
    until("both are received", || server.creates() == 2)?;
    run.signal("KILL");
    must(run.wait().signal == Some(9), || "it was not killed".to_owned())?;
    project.settle()?.with(0)?;
    check(&server, &project, 2)
}

/// Longer than any wait or lag of these runs.
const LONG: Duration = Duration::from_secs(3);

fn a_stopped_process_stays_the_owner() -> Played {
    let server = Server::start(&[], "4s");
    let project = Project::at(&server, &legs(2));
    let first = project.start(&project.run);
    // Not while it writes: nobody else can then.
    until("both are created", || project.in_state("created") == 2)?;
    first.signal("STOP");
    let mut second = project.start(&project.run);
    until("the second waits for both", || project.waiting() == 2)?;
    let since = Instant::now();
    until("a long time has passed", || since.elapsed() >= LONG || second.is_over())?;
    must(!second.is_over(), || "the second did not wait for an owner who lives".to_owned())?;
    must(server.creates() == 2, || "the second created again".to_owned())?;
    first.signal("CONT");
    first.wait().with(0)?;
    second.wait().with(0)?;
    check(&server, &project, 2)
}

fn two_terminals() -> Played {
    let server = Server::start(&[], "200ms");
    let project = Project::at(&server, &legs(6));
    let both = [project.start(&project.run), project.start(&project.run)];
    for run in both {
        run.wait().with(0)?;
    }
    must(server.creates() == 6, || format!("{} creates", server.creates()))?;
    check(&server, &project, 6)
}

/// Three processes with a leg of 0.04 USD each, and 0.10 USD a day for all of them.
pub fn three_processes(variables: Variables<'_>) -> Result<(Server, Project, Vec<Ended>), String> {
    let server = Server::start(&[], "300ms");
    let project = Project::with(
        &server,
        "replicate",
        &format!("{DEAR}limits: {{ budget_usd_per_day: 0.10 }}"),
        &legs(1),
    );
    let files = ["one.yaml", "two.yaml", "three.yaml"];
    for file in files {
        let text = legs(1).replace("'a ", &format!("'{file} "));
        fs::write(project.path().join(file), text).map_err(|e| e.to_string())?;
    }
    let start = |file| project.start_with(&["run", file, "--yes", "--partial"], variables);
    let ended = files.map(start).map(Running::wait).into();
    Ok((server, project, ended))
}

fn three_processes_share_a_day() -> Played {
    let (server, project, ended) = three_processes(&[])?;
    let mut codes: Vec<_> = ended.iter().map(|ended| ended.code).collect();
    codes.sort_unstable();
    must(codes == [Some(0), Some(0), Some(3)], || format!("{ended:?}"))?;
    must(server.creates() == 2, || format!("{} creates", server.creates()))?;
    check(&server, &project, 2)
}

fn twenty_legs_are_refused() -> Played {
    let server = Server::start(&[], "0s");
    let project = Project::with(&server, "replicate", DEAR, &legs(20));
    let ended = project.say(&["run", "flow.yaml", "--yes", "--budget", "0.10"]).with(3)?;
    for word in ["0.80", "0.10"] {
        must(ended.told.contains(word), || format!("`{word}` is missing: {}", ended.told))?;
    }
    check(&server, &project, 0)
}

fn twenty_legs_in_part() -> Played {
    for parallel in ["1", "3", "20"] {
        let server = Server::start(&[], "0s");
        let project = Project::with(&server, "replicate", DEAR, &legs(20));
        let partly = ["run", "flow.yaml", "--yes", "--budget", "0.10", "--partial", "--parallel", parallel];
        project.say(&partly).with(3)?;
        must(server.creates() == 2, || format!("{} creates of {parallel} at once", server.creates()))?;
        check(&server, &project, 2)?;
    }
    Ok(())
}

fn a_retry_that_was_asked_for() -> Played {
    let server = Server::start(&["create:drop-after*1"], "0s");
    let further = "when_lost: retry\nlimits: { budget_usd: 0.009, budget_usd_per_day: 0.009 }";
    let project = Project::with(&server, "cometapi", further, &legs(2));
    project.go().with(0)?;
    must(server.creates() == 3, || format!("{} creates", server.creates()))?;
    check(&server, &project, 3)
}

fn stuck_and_adopted() -> Played {
    let server = Server::start(&["predict:stuck"], "0s");
    let project = Project::at(&server, &legs(2));
    let mut asked = 0;
    for _ in 0..2 {
        let run = project.start(&project.run);
        until("both are asked for", || server.count("gets") >= asked + 4)?;
        run.signal("TERM");
        run.wait().with(143)?;
        asked = server.count("gets");
        must(server.creates() == 2, || format!("{} creates", server.creates()))?;
    }
    must(project.in_state("created") == 2, || format!("{:?}", project.states()))
}

/// On Linux 0.0.0.0 leads to this machine, and is no address of it: castline takes the provider
/// for one elsewhere, whose outputs must not lead into a private network.
fn a_private_address_is_refused() -> Played {
    let inside = Server::start(&[], "0s");
    let fault = format!("output:redirect=http://{}/outputs/secret*1", inside.host);
    let server = Server::start(&[&fault], "0s");
    let base_url = format!("http://{}/v1", server.host.replace("127.0.0.1", "0.0.0.0"));
    let project =
        Project::new(&Says { kind: "replicate", base_url: &base_url, further: "", workflow: &legs(2) });
    let run = project.start_with(&project.run, &[("CASTLINE_TRUST", "LOCAL_TOKEN@http://0.0.0.0")]);
    let ended = run.wait().with(1)?;
    must(ended.told.contains("private network"), || ended.told.clone())?;
    must(inside.count("downloads") == 0, || "the address was asked".to_owned())?;
    check(&server, &project, 2)
}

fn left_to_those_who_wait() -> Played {
    let (server, project) = billed_by_time("4s");
    let first = project.start(&project.run);
    until("both are created", || project.in_state("created") == 2)?;
    let second = project.start(&project.run);
    until("the second waits for both", || project.waiting() == 2)?;
    first.signal("INT");
    first.wait().with(130)?;
    second.wait().with(0)?;
    must(server.count("cancels") == 0, || "it was canceled although another waits for it".to_owned())?;
    check(&server, &project, 2)
}

fn a_full_budget_adopts() -> Played {
    let server = Server::start(&[], "4s");
    let limits = "limits: { budget_usd: 0.006, budget_usd_per_day: 0.006 }";
    let project = Project::with(&server, "replicate", limits, &legs(2));
    let run = project.start(&project.run);
    until("both are created", || project.in_state("created") == 2)?;
    run.signal("KILL");
    run.wait();
    project.go().with(0)?;
    check(&server, &project, 2)
}

fn record(ended: &Ended) -> Result<Value, String> {
    serde_json::from_str(&ended.said).map_err(|e| format!("{e}: {}", ended.said))
}
