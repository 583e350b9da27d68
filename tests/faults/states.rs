//! Every state that an entry of the ledger can be in, come to by real processes, and what the
//! next run makes of it.

use castline_core::ledger::State;
use castline_runner::failpoint::{Place, Side};
use serde_json::Value;

use crate::stage::{Played, Project, Server, check, legs, must};

/// How a state is come to, and what follows.
struct Story {
    faults: &'static [&'static str],
    kind: &'static str,
    scene: fn(&Project) -> Played,
    /// How the next run ends.
    next: i32,
    /// All creates of the story.
    creates: u64,
}

/// A new state of the core has to be told of here.
fn story(state: State) -> Story {
    let dead = |scene| Story { faults: &[], kind: "replicate", scene, next: 0, creates: 1 };
    let ended = |faults, next, creates| Story {
        faults,
        next,
        creates,
        ..dead(|project| project.go().with(1).map(drop))
    };
    match state {
        State::Intended => dead(|project| project.die(Place::Create, Side::After)),
        State::Created => dead(|project| project.die(Place::Created, Side::After)),
        State::Succeeded => dead(|project| project.go().with(0).map(drop)),
        State::Failed => ended(&["predict:fail-null*1"], 0, 2),
        State::Canceled => ended(&["predict:cancel*1"], 0, 2),
        State::Expired => ended(&["output:404"], 1, 1),
        State::Aborted => Story { scene: forgiven, next: 0, creates: 2, ..lost() },
        State::InDoubt => lost(),
    }
}

/// A create whose answer is lost at a provider without a list.
fn lost() -> Story {
    Story {
        faults: &["create:drop-after*1"],
        kind: "cometapi",
        scene: |project| project.go().with(4).map(drop),
        next: 4,
        creates: 1,
    }
}

/// A person says that it was never received, and is wrong: it is sent again.
fn forgiven(project: &Project) -> Played {
    project.go().with(4)?;
    let listed = project.say(&["ledger", "list", "--json"]).with(4)?;
    let listed: Value = serde_json::from_str(&listed.said).map_err(|e| e.to_string())?;
    let key = listed["entries"][0]["key"].as_str().ok_or("no key")?;
    project.say(&["ledger", "forgive", key]).with(0).map(drop)
}

/// Comes to a state, and goes on.
pub fn play(state: State) -> Played {
    let Story { faults, kind, scene, next, creates } = story(state);
    let server = Server::start(faults, "0s");
    let project = Project::with(&server, kind, "", &legs(1));
    scene(&project)?;
    must(project.in_state(state.word()) == 1, || format!("{:?}", project.states()))?;
    project.go().with(next)?;
    must(server.creates() == creates, || format!("{} creates and not {creates}", server.creates()))?;
    check(&server, &project, creates)
}
