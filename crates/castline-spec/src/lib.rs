//! Documents of castline: YAML text to checked structures with spans, and the
//! diagnostics that speak of them.
//!
//! The way of the data is text, [`raw::Node`] (YAML with a span for every value), then a
//! [`Workflow`], [`Preset`], [`Project`] or [`Library`], each free of the former's doubts. Everything
//! here is pure: no files, no clocks, no other crate of castline.
//!
//! Start reading at [`Workflow::parse`].

pub mod diagnostic;
mod document;
pub mod file_name;
pub mod json_schema;
pub mod library;
mod name;
pub mod outside;
pub mod preset;
pub mod project;
pub mod raw;
pub mod schema;
mod span;
pub mod template;
pub mod workflow;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Fix, Label, Severity};
pub use library::Library;
pub use name::Name;
pub use preset::Preset;
pub use project::Project;
pub use span::{Pos, Source, Span, Spanned};
pub use template::{Dynamic, DynamicKind, Template};
pub use workflow::Workflow;

#[cfg(test)]
mod testing;
