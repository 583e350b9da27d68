//! Reporters: what castline knows, drawn for people and written for programs.
//!
//! A reporter listens; it decides nothing. Each file here is one kind of report.

pub(crate) mod comparison;
pub(crate) mod diagnostic;
pub(crate) mod diff;
pub(crate) mod entry;
pub(crate) mod files;
pub(crate) mod gc;
pub(crate) mod github;
pub(crate) mod graph;
pub(crate) mod hints;
pub(crate) mod json;
pub(crate) mod money;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod reroll;
pub(crate) mod sarif;
pub(crate) mod terminal;
#[cfg(test)]
mod testing;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod words;
