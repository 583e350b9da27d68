//! Proof by faults: real processes of castline against `castline sandbox-server`, which goes
//! wrong in every way that is known, while castline is killed at every transition.
//!
//! The creates are counted by the server alone. They are never more than the legs and the paid
//! retries that were asked for; no succeeded output is ever missing; no account ever holds more
//! than its budget. A test is a group of faults with all transitions on their way, or a scene.
//!
//! Start reading at [`matrix::GROUPS`] and [`kills::way`].

#[path = "faults/broken.rs"]
mod broken;
mod common;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/matrix.rs"]
mod matrix;
#[path = "faults/scenes.rs"]
mod scenes;
#[path = "faults/stage.rs"]
mod stage;
#[path = "faults/states.rs"]
mod states;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use castline_core::ledger::State;
use castline_runner::failpoint::{Place, Side};
use libtest_mimic::{Arguments, Failed, Trial};

use stage::{Played, must};

/// Cases of one test that are played at once. They wait more than they work.
const TOGETHER: usize = 12;

fn main() {
    let arguments = Arguments::from_args();
    eprintln!("{}", sum());
    let mut trials =
        vec![Trial::test("every transition has a case", || failed(every_transition_has_a_case()))];
    trials.extend(matrix::GROUPS.iter().map(|(about, rows)| {
        let cells = rows.iter().flat_map(matrix::Row::cells).map(|cell| (cell.name(), move || cell.play()));
        let cells: Vec<_> = cells.collect();
        Trial::test(format!("matrix: {about}"), move || failed(all(&cells)))
    }));
    let own = kills::CASES.iter().map(|case| (case.name(), || case.play()));
    let own: Vec<_> = own.collect();
    trials.push(Trial::test("matrix: people and other processes", move || failed(all(&own))));
    let states = State::ALL.map(|state| (state.to_string(), move || states::play(state)));
    trials.push(Trial::test("every state of the ledger is met", move || failed(all(&states))));
    trials.extend(scenes::ALL.iter().map(|(name, play)| Trial::test(*name, || failed(play()))));
    trials.extend(broken::all().into_iter().map(|(name, play)| Trial::test(name, move || failed(play()))));
    libtest_mimic::run(&arguments, trials).exit();
}

fn failed(played: Played) -> Result<(), Failed> {
    played.map_err(Failed::from)
}

/// `324 cases of the fault matrix: ...`
fn sum() -> String {
    let cells: usize = matrix::rows().map(|row| row.cells().len()).sum();
    format!(
        "{} cases of the fault matrix: {cells} of {} faults times the transitions on their way, and {} of their own; \
         {} scenes besides",
        cells + kills::CASES.len(),
        matrix::rows().count(),
        kills::CASES.len(),
        scenes::ALL.len()
    )
}

/// The places come from matches on the core's own types, so that a new transition does not
/// compile without one; here it fails without a case.
fn every_transition_has_a_case() -> Played {
    let cells = matrix::rows().flat_map(matrix::Row::cells).map(|cell| (cell.place, cell.side));
    let own = kills::CASES.iter().map(|case| (case.place, case.side));
    let (cells, own): (BTreeSet<_>, BTreeSet<_>) = (cells.collect(), own.collect());
    for place in Place::ALL {
        for side in Side::ALL {
            let there = match kills::way(*place) {
                kills::Way::Rows => cells.contains(&(*place, *side)),
                kills::Way::Own => own.contains(&(*place, *side)),
            };
            must(there, || format!("nothing dies at {}.{}", place.word(), side.word()))?;
        }
    }
    println!("{}", sum());
    Ok(())
}

/// Plays cases a few at a time, and names those that failed.
fn all<C: Fn() -> Played + Sync>(cases: &[(String, C)]) -> Played {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let play = || {
        while let Some((name, play)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = play() {
                wrong.lock().expect("nobody panics while holding it").push(format!("{name}: {why}"));
            }
        }
    };
    thread::scope(|scope| {
        (0..TOGETHER.min(cases.len())).for_each(|_| drop(scope.spawn(play)));
    });
    let wrong = wrong.into_inner().expect("nobody panics while holding it");
    must(wrong.is_empty(), || format!("{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n")))
}
