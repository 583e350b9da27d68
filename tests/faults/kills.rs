//! Transitions that no fault of the server leads to: a person stops a run or rules, files are
//! lost, another process is at it.
//!
//! Start reading at [`way`].

use std::fs;

use castline_runner::failpoint::Place::{
    self, Absent, Cancel, Claim, Create, Created, End, Ended, Fetch, Fetched, Found, Get, Left, Missing,
    Prepare, Resend, Rest, Ruled, Save, Search, Stop, Unclear, Unsent, Unwanted, Wait,
};
use castline_runner::failpoint::Side;
use serde_json::Value;

use crate::stage::{Played, Project, Server, check, legs, must, until};

/// How a place is come to.
pub enum Way {
    /// Rows of the matrix lead there.
    Rows,
    /// A case of its own does.
    Own,
}

/// How a place is come to. A new transition of the core has to be named here.
pub fn way(place: Place) -> Way {
    match place {
        Claim | Unsent | Resend | Created | Unclear | Found | Ended | Fetched | Left | Prepare | Create
        | Search | Get | Fetch | Rest | Save | End => Way::Rows,
        Absent | Stop | Unwanted | Missing | Ruled | Wait | Cancel => Way::Own,
    }
}

/// A death that needs a scene of its own.
pub struct Case {
    about: &'static str,
    pub place: Place,
    pub side: Side,
    scene: fn(Place, Side) -> Played,
}

impl Case {
    pub fn name(&self) -> String {
        format!("{} x {}.{}", self.about, self.place.word(), self.side.word())
    }

    pub fn play(&self) -> Played {
        (self.scene)(self.place, self.side)
    }
}

macro_rules! both_sides {
    ($($about:literal, $place:ident, $scene:path;)*) => {
        &[$(
            Case { about: $about, place: $place, side: Side::Before, scene: $scene },
            Case { about: $about, place: $place, side: Side::After, scene: $scene },
        )*]
    };
}

/// Each place on both sides.
pub const CASES: &[Case] = both_sides! {
    "Ctrl-C before anything was received", Absent, stopped_before_it_was_received;
    "Ctrl-C while it is billed by time", Stop, stopped_while_it_runs;
    "Ctrl-C while it is billed by time", Cancel, stopped_while_it_runs;
    "Ctrl-C while another process is at it", Unwanted, stopped_while_it_waits;
    "another process is at it", Wait, another_is_at_it;
    "files are gone from the store", Missing, files_are_gone;
    "a person decides", Ruled, a_person_decides;
};

/// Ctrl-C cancels such a prediction.
pub const BILLED_BY_TIME: &str = "prices: { sketch: { usd: 0.003, per: gpu-second } }";

/// A project whose predictions are billed by time, at a server where they take so long.
pub fn billed_by_time(latency: &str) -> (Server, Project) {
    let server = Server::start(&[], latency);
    let mut project = Project::with(&server, "replicate", BILLED_BY_TIME, &legs(2));
    project.run.push("--allow-unpriced");
    (server, project)
}

fn stopped_before_it_was_received(place: Place, side: Side) -> Played {
    let server = Server::start(&["create:429=5*2"], "0s");
    let project = Project::at(&server, &legs(2));
    let run = project.start_at(&project.run, place, side);
    // All pause when one is refused, so that the other may not have been sent.
    until("one is put off", || server.count("create_requests") >= 1)?;
    run.signal("INT");
    run.wait().died(place, side)?;
    project.settle()?.with(0)?;
    check(&server, &project, 2)
}

fn stopped_while_it_runs(place: Place, side: Side) -> Played {
    let (server, project) = billed_by_time("4s");
    let run = project.start_at(&project.run, place, side);
    until("both are created", || project.in_state("created") == 2)?;
    run.signal("INT");
    run.wait().died(place, side)?;
    project.settle()?.with(0)?;
    let canceled = server.predictions().iter().filter(|p| p["status"] == "canceled").count() as u64;
    check(&server, &project, 2 + canceled)
}

fn stopped_while_it_waits(place: Place, side: Side) -> Played {
    let (server, project) = billed_by_time("4s");
    let first = project.start(&project.run);
    until("both are created", || project.in_state("created") == 2)?;
    let second = project.start_at(&project.run, place, side);
    until("the second waits for both", || project.waiting() == 2)?;
    second.signal("INT");
    second.wait().died(place, side)?;
    first.wait().with(0)?;
    project.settle()?.with(0)?;
    check(&server, &project, 2)
}

fn another_is_at_it(place: Place, side: Side) -> Played {
    let server = Server::start(&[], "4s");
    let project = Project::at(&server, &legs(2));
    let first = project.start(&project.run);
    until("both are received", || server.creates() == 2)?;
    project.die(place, side)?;
    first.wait().with(0)?;
    project.settle()?.with(0)?;
    check(&server, &project, 2)
}

fn files_are_gone(place: Place, side: Side) -> Played {
    let server = Server::start(&[], "0s");
    let project = Project::at(&server, &legs(2));
    project.go().with(0)?;
    for folder in [".castline/blobs", "out"] {
        fs::remove_dir_all(project.path().join(folder)).map_err(|e| format!("{folder}: {e}"))?;
    }
    project.die(place, side)?;
    project.settle()?.with(0)?;
    let succeeded = project.in_state("succeeded");
    must(succeeded == 2, || format!("{succeeded} succeeded"))?;
    check(&server, &project, 2)
}

fn a_person_decides(place: Place, side: Side) -> Played {
    let server = Server::start(&["create:drop-after*1"], "0s");
    let limits = "limits: { budget_usd: 0.009, budget_usd_per_day: 0.009 }";
    let project = Project::with(&server, "cometapi", limits, &legs(2));
    project.go().with(4)?;
    let listed = project.say(&["ledger", "list", "--json"]).with(4)?;
    let listed: Value = serde_json::from_str(&listed.said).map_err(|e| e.to_string())?;
    let key = listed["entries"][0]["key"].as_str().ok_or("no key")?.to_owned();
    project.die_in(&["ledger", "retry", &key], place, side)?;
    if side == Side::Before {
        project.go().with(4)?;
        project.say(&["ledger", "retry", &key]).with(0)?;
    }
    project.settle()?.with(0)?;
    check(&server, &project, 3)
}
