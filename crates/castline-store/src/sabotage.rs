//! Breaks a rule of the ledger on purpose, so that a test can show that it would be noticed.
//!
//! `CASTLINE_BREAK=intent` has no effect in release builds.

/// A rule that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `intent`: a create is sent after its intent is on the disk.
    Intent,
    /// `claim`: who was replaced cannot write any more.
    Claim,
    /// `reservation`: a create is refused that its accounts have no room for.
    Reservation,
}

/// True while this rule does not hold.
#[cfg(debug_assertions)]
pub fn is_broken(rule: Rule) -> bool {
    static BROKEN: std::sync::OnceLock<Option<Rule>> = std::sync::OnceLock::new();
    let read = || match std::env::var("CASTLINE_BREAK").as_deref() {
        Ok("intent") => Some(Rule::Intent),
        Ok("claim") => Some(Rule::Claim),
        Ok("reservation") => Some(Rule::Reservation),
        _ => None,
    };
    *BROKEN.get_or_init(read) == Some(rule)
}

/// True while this rule does not hold.
#[cfg(not(debug_assertions))]
pub fn is_broken(_: Rule) -> bool {
    false
}
