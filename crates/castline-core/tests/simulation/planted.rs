//! Bugs that are planted in the world around the core, one of each kind, to show that the
//! simulation finds them. None of them is in castline.

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
    /// Things happen in the order of a hash map.
    OrderOfAHashMap,
    /// The provider lists a prediction later than it says: not castline's fault, but what its
    /// promise rests on.
    LateList,
}
