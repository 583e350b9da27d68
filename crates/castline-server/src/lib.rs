//! HTTP routes of castline: the sandbox behind the prediction API, and pages for browsers.
//!
//! A [`SandboxServer`] answers like Replicate on loopback and draws with the embedded
//! stand-ins, so that castline's HTTP provider can be rehearsed and tested without a
//! network and without money. With [`Fault`]s it plays services that are slow, down,
//! throttled or wrong. It refuses to be more than that: it checks no input against its
//! schema, keeps everything in memory and forgets it at its end.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use castline_server::{SandboxServer, ServerOptions};
//! # async fn example() -> std::io::Result<()> {
//! let mut options = ServerOptions::new(Arc::new(|model| { /* look into the presets */ None }));
//! options.faults.push("create:503*2".parse().expect("a fault"));
//! let server = SandboxServer::bind(([127, 0, 0, 1], 0).into(), options)?;
//! println!("{}", server.base_url());
//! server.run(std::future::pending()).await
//! # }
//! ```
//!
//! A [`PageServer`] shows on loopback what happens in this process.
//!
//! Start reading at [`SandboxServer::run`], then in `api.rs`; the pages are in `page_server.rs`.

mod api;
mod create;
mod drawing;
mod fault;
mod limit;
mod list;
mod odd;
mod options;
mod outputs;
mod page_server;
mod prediction;
mod predictions;
mod problem;
mod requests;
mod sandbox_server;

pub use fault::{BadFault, Fault};
pub use limit::{BadLimit, Limit};
pub use options::{ModelInfo, ServerOptions};
pub use page_server::{News, Page, PageServer};
pub use sandbox_server::SandboxServer;
