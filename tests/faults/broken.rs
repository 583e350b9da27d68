//! Shows that the proof is one: each rule that it rests on is broken once, and the very check
//! that is green in the matrix turns red.
//!
//! The switches are there in debug builds only, see `castline_store::sabotage`.

use std::fs;

use castline_runner::failpoint::{Place, Side};

use crate::scenes::three_processes;
use crate::stage::{Named, Played, Project, Running, Server, Variables, check, legs, must, until};

/// What was found at the end of a scene, or why there is no end.
type Scene = Result<Played, String>;

/// By their names; none where the switches are not compiled.
pub fn all() -> Vec<Named> {
    if !cfg!(debug_assertions) {
        return vec![];
    }
    vec![
        (
            "broken: a create that is sent before its intent is noticed",
            the_intent_comes_late as fn() -> Played,
        ),
        ("broken: a claim number that nobody looks at is noticed", the_claim_counts_for_nothing),
        ("broken: a reservation that nobody makes is noticed", the_reservation_counts_for_nothing),
    ]
}

/// The same scene must be green while the rule holds, and red when it does not.
fn red_when_broken(rule: &str, complaint: &str, scene: fn(Variables<'_>) -> Scene) -> Played {
    scene(&[])?.map_err(|why| format!("red while nothing is broken: {why}"))?;
    match scene(&[("CASTLINE_BREAK", rule)])? {
        Ok(()) => Err(format!("green although `{rule}` is broken")),
        Err(why) => must(why.contains(complaint), || format!("red for another reason: {why}")),
    }
}

fn the_intent_comes_late() -> Played {
    red_when_broken("intent", "creates, and at most 2", |variables| {
        let server = Server::start(&[], "0s");
        let project = Project::at(&server, &legs(2));
        let failpoint = [("CASTLINE_FAILPOINT", "claim.before")];
        let dying = project.start_with(&project.run, &[variables, &failpoint].concat());
        dying.wait().died(Place::Claim, Side::Before)?;
        project.settle()?;
        Ok(check(&server, &project, 2))
    })
}

/// Without a reservation the third create is one too many.
fn the_reservation_counts_for_nothing() -> Played {
    red_when_broken("reservation", "creates, and at most 2", |variables| {
        let (server, project, _) = three_processes(variables)?;
        Ok(check(&server, &project, 2))
    })?;
    red_when_broken("reservation", "account `day` holds 120000", |variables| {
        let (_server, project, _) = three_processes(variables)?;
        Ok(crate::stage::check_accounts(&project))
    })
}

/// A process that was taken for dead, as on a file system whose locks do not hold, comes back
/// and says that its create was refused for now. It has been replaced, so that the ledger does
/// not listen; else it would send again what the other has sent.
fn the_claim_counts_for_nothing() -> Played {
    red_when_broken("claim", "creates, and at most 1", |variables| {
        let server = Server::start(&["create:429*1", "create:hold=6*1"], "0s");
        let project = Project::at(&server, &legs(1));
        let gate = project.path().join("gate");
        let failpoint = format!("unsent.before@{}", gate.display());
        let held = [("CASTLINE_FAILPOINT", failpoint.as_str())];
        let first = project.start_with(&project.run, &[variables, &held].concat());
        until("the first is held", || gate.with_extension("reached").exists())?;
        let owners = project.path().join(".castline/owners");
        fs::remove_dir_all(&owners).and_then(|()| fs::create_dir(&owners)).map_err(|e| e.to_string())?;
        let mut both = [first, project.start_with(&project.run, variables)];
        until("the second has sent it", || server.creates() == 1)?;
        fs::write(&gate, "").map_err(|e| e.to_string())?;
        until("both are over, or one has sent it again", || {
            server.creates() > 1 || both.iter_mut().all(Running::is_over)
        })?;
        Ok(check(&server, &project, 1))
    })
}
