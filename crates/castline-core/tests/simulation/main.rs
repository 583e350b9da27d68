//! A simulation of castline's core: runs, predictions and the judge of the ledger, driven by a
//! seeded scheduler in virtual time, with everything going wrong that can.
//!
//! One seed is one scenario, and the same seed is the same simulation to the last event. What it
//! models and how to run it longer stands in `docs/reference/simulation.md`.
//!
//! Start reading at [`world::simulate`].

#![allow(missing_docs)]

mod chance;
#[path = "../common/mod.rs"]
mod common;
mod driver;
mod invariants;
mod ledger;
mod planted;
mod process;
mod provider;
mod scheduler;
mod workflows;
mod world;

use workflows::Scenario;
use world::simulate;

#[test]
fn try_it() {
    let from: u64 = std::env::var("FROM").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("COUNT").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let mut bad = 0;
    let mut skipped = 0;
    let mut events = 0;
    let mut hours = 0.0;
    for seed in from..from + count {
        let Some(scenario) = Scenario::of(seed) else { skipped += 1; continue };
        let show = count == 1;
        if show { eprintln!("{}", scenario.describe()); }
        let played = simulate(&scenario, None, show);
        events += played.happenings;
        hours += played.lasted.as_secs_f64() / 3600.0;
        if let Err(broken) = played.outcome {
            bad += 1;
            let text = broken.to_string();
            println!("seed {seed}: {}", &text[..text.len().min(600)]);
        }
    }
    println!("{bad} bad, {skipped} skipped of {count}, {events} events, {hours:.0} hours");
    assert!(bad == 0);
}
