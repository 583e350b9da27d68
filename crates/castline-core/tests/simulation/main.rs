//! A simulation of castline's core: runs, predictions and the judge of the ledger, driven by a
//! seeded scheduler in virtual time, with everything going wrong that can.
//!
//! One seed is one scenario, and the same seed is the same simulation to the last event. What it
//! models, and how it is run longer, stands in `docs/reference/simulation.md`.
//!
//! Start reading at [`world::simulate`].

mod calls;
mod chance;
#[path = "../common/mod.rs"]
mod common;
mod disasters;
mod driver;
mod figures;
mod invariants;
mod ledger;
mod planted;
mod process;
mod provider;
mod scheduler;
mod workflows;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use figures::Figures;
use invariants::{Broken, Holds, Invariant, must};
use planted::Bug;
use workflows::Scenario;
use world::simulate;

/// Seeds of every `cargo test`, always the same.
const SEEDS: u64 = 1_000;

/// Plays one seed.
fn play(seed: u64, planted: Option<Bug>, show: bool) -> (Figures, Holds) {
    let Some(scenario) = Scenario::of(seed) else { return (Figures::default(), Ok(())) };
    if show {
        eprintln!("{}", scenario.describe());
    }
    let played = simulate(&scenario, planted, show);
    (Figures::of(&scenario, &played), played.outcome)
}

/// Plays a seed twice: the same must happen.
fn play_twice(seed: u64, planted: Option<Bug>) -> Holds {
    let Some(scenario) = Scenario::of(seed) else { return Ok(()) };
    let [one, two] = [(); 2].map(|()| simulate(&scenario, planted, false));
    must(one.digest == two.digest, Invariant::SameEvents, || {
        format!("{} events and {}", one.happenings, two.happenings)
    })
}

/// How a seed is played again, event by event.
fn replay(seed: u64, broken: &Broken) -> String {
    format!(
        "seed {seed}: {broken}\nreplay it with: \
         CASTLINE_SIM_SEED={seed} cargo test -p castline-core --test simulation every_seed -- --nocapture"
    )
}

/// A number of the environment.
fn wish(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, and not `{text}`")))
}

/// Plays seeds on every core until there are no more, or the time is over. Of those that break
/// something the smallest is answered.
fn play_many(seeds: u64, time: Option<Duration>) -> (Figures, Option<(u64, Broken)>) {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let all = Mutex::new((Figures::default(), None::<(u64, Broken)>));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let more = seed < seeds || time.is_some_and(|time| began.elapsed() < time);
        if !more || all.lock().is_ok_and(|all| all.1.is_some()) {
            return;
        }
        let (figures, outcome) = play(seed, None, false);
        let mut all = all.lock().expect("nobody panics with it");
        all.0.add(&figures);
        if let Err(broken) = outcome
            && all.1.as_ref().is_none_or(|(smallest, _)| seed < *smallest)
        {
            all.1 = Some((seed, broken));
        }
    };
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().expect("nobody panics with it")
}

#[test]
fn every_seed_keeps_what_must_hold() {
    if let Some(seed) = wish("CASTLINE_SIM_SEED") {
        let (figures, outcome) = play(seed, None, true);
        eprintln!("{figures}");
        return outcome.unwrap_or_else(|broken| panic!("{}", replay(seed, &broken)));
    }
    let time = wish("CASTLINE_SIM_SECONDS").map(Duration::from_secs);
    let began = Instant::now();
    let (figures, broken) = play_many(SEEDS, time);
    println!("{figures}in {:.0} s", began.elapsed().as_secs_f64());
    if let Some((seed, broken)) = broken {
        panic!("{}", replay(seed, &broken));
    }
    // What never happens is not tried.
    assert_eq!(figures.missing(), [""; 0]);
}

#[test]
fn the_same_seed_is_the_same_simulation() {
    for seed in 0..60 {
        play_twice(seed, None).unwrap_or_else(|broken| panic!("{}", replay(seed, &broken)));
    }
}
