//! Bugs that are planted in the world around the core, one of each kind, to show that the
//! simulation finds them, and says which invariant they break. None of them is in castline.

use crate::invariants::Invariant;
use crate::{play, play_twice};

/// One thing that is done wrong, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The judge is not shown an intent whose owner is dead.
    ForgottenIntent,
    /// The judge believes whoever speaks that he has the entry.
    StaleClaim,
    /// The judge is not told what accounts hold already.
    NoReservation,
    /// The judge is not told that another entry holds the prediction that was found.
    NoRivals,
    /// The judge is not told that another process waits for what is to be stopped.
    NobodyWaits,
    /// A run whose place is taken is not told what its successor wants.
    NothingIsWanted,
    /// A power cut takes intents and ids with it that were flushed.
    LostFlush,
    /// A create is sent when the ledger is asked, not when it has answered.
    CreateBeforeIntent,
    /// The driver creates a failed prediction again without telling the run.
    UncountedRetry,
    /// Whoever waits for an entry is not woken.
    LostWakeUp,
    /// The ledger hears of an output before its files are in the store.
    DoneBeforeStored,
    /// What was settled is written as nothing.
    SettledAsNothing,
    /// A resumed run believes its former journal instead of the ledger.
    JournalDecides,
    /// The files of another prediction are fetched.
    WrongFiles,
    /// What a run decides is carried out in the order of a hash map.
    OrderOfAHashMap,
    /// The provider lists a prediction later than it says: not castline's fault, but what its
    /// promise rests on.
    LateList,
}

/// So many seeds are enough for each of them.
const WITHIN: u64 = 300;

/// The first seed that notices names one of these.
fn is_found(bug: Bug, names: &[Invariant]) {
    for seed in 0..WITHIN {
        let outcome = match bug {
            Bug::OrderOfAHashMap => play_twice(seed, Some(bug)),
            _ => play(seed, Some(bug), false).1,
        };
        if let Err(broken) = outcome {
            println!("{bug:?} is found with seed {seed}: {broken}");
            assert!(names.contains(&broken.invariant), "{bug:?} is found with seed {seed}, and {broken}");
            return;
        }
    }
    panic!("{bug:?} is not found within {WITHIN} seeds");
}

#[test]
fn an_intent_that_is_forgotten_is_found() {
    is_found(Bug::ForgottenIntent, &[Invariant::PaidOnce, Invariant::Booked]);
}

#[test]
fn a_stale_claim_that_counts_is_found() {
    is_found(Bug::StaleClaim, &[Invariant::Claims]);
}

#[test]
fn an_account_that_reserves_nothing_is_found() {
    is_found(Bug::NoReservation, &[Invariant::Budget]);
}

#[test]
fn a_prediction_that_is_taken_twice_is_found() {
    is_found(Bug::NoRivals, &[Invariant::OneEntry]);
}

#[test]
fn a_cancel_of_what_others_wait_for_is_found() {
    is_found(Bug::NobodyWaits, &[Invariant::NotTakenAway]);
}

#[test]
fn a_run_that_makes_way_and_stops_what_is_wanted_is_found() {
    is_found(Bug::NothingIsWanted, &[Invariant::MakesWay]);
}

#[test]
fn a_flush_that_is_lost_is_found() {
    is_found(Bug::LostFlush, &[Invariant::PaidOnce, Invariant::Booked]);
}

#[test]
fn a_create_before_its_intent_is_found() {
    is_found(Bug::CreateBeforeIntent, &[Invariant::IntentFirst]);
}

#[test]
fn a_retry_that_is_not_counted_is_found() {
    is_found(Bug::UncountedRetry, &[Invariant::AskedFor]);
}

#[test]
fn a_wake_up_that_is_lost_is_found() {
    is_found(Bug::LostWakeUp, &[Invariant::Ends]);
}

#[test]
fn an_output_that_counts_before_it_is_stored_is_found() {
    is_found(Bug::DoneBeforeStored, &[Invariant::StoredFirst]);
}

#[test]
fn money_that_is_not_booked_is_found() {
    is_found(Bug::SettledAsNothing, &[Invariant::Booked]);
}

#[test]
fn a_journal_that_decides_is_found() {
    is_found(Bug::JournalDecides, &[Invariant::SameResult]);
}

#[test]
fn the_files_of_another_prediction_are_found() {
    is_found(Bug::WrongFiles, &[Invariant::RightOutput]);
}

#[test]
fn the_order_of_a_hash_map_is_found() {
    is_found(Bug::OrderOfAHashMap, &[Invariant::SameEvents]);
}

/// The promise rests on what the provider says of its list; were that wrong, money would be lost.
#[test]
fn a_list_that_lags_behind_its_word_is_found() {
    is_found(Bug::LateList, &[Invariant::PaidOnce, Invariant::AskedFor, Invariant::Booked]);
}
