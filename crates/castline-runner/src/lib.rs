//! Carries out what the core decides: projects, presets, files, the local driver.
//!
//! What a workflow means is decided in `castline-spec` and `castline-core`; here are the
//! clock, the file system and the tasks. Nothing here draws on a terminal.
//!
//! Start reading at [`Job::plan`], then [`Job::run`].

pub mod against;
pub mod cancel;
pub mod cost;
pub mod diff;
pub mod disk;
pub mod doctor;
#[doc(hidden)] // for tests
pub mod failpoint;
mod files;
pub mod fix;
pub mod from;
pub mod gc;
mod given;
pub mod history;
mod job;
pub mod ledger;
mod libraries;
pub mod library;
mod limiter;
mod listing;
mod local;
mod lock;
mod looked;
mod output;
pub mod plan_file;
pub mod predict;
pub mod presets;
mod project;
mod provenance;
pub mod providers;
mod revision;
mod secrets;
pub mod settled;
mod stamp;
pub mod target;
mod trouble;
pub mod trust;
mod uploads;
pub mod watch;
pub mod why;
mod wishes;

pub use castline_store::{Layout, user_file};
pub use job::{Checked, Cost, Job};
pub use local::{Interrupt, Listener, Over, Prepared};
pub use project::{FILE as PROJECT_FILE, Project, files_in, own_text, shown};
pub use trouble::Trouble;
pub use wishes::Wishes;
