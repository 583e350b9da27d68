//! Libraries: presets and workflows that others share, and what of them a project has pinned.
//!
//! A library is a folder with a `library.yaml`. It comes from a folder, from git, or from an OCI
//! registry, always as a [`Tree`]: files by name, in memory, every limit checked before one of them
//! is written. The digest of the tree is what a lock pins. Trees are kept on a [`Shelf`] by their
//! digests, and the digest is computed anew whenever one is taken from it.
//!
//! What a document in a library means is not known here, nor what a run is.
//!
//! Start reading at [`resolve`].

mod archive;
mod error;
mod git;
mod oci;
mod pin;
mod place;
mod resolve;
mod shelf;
mod tree;

pub use archive::unpack;
pub use error::{LibraryError, Refusal};
pub use git::Objects;
pub use oci::{Registry, layer, pack};
pub use pin::Pin;
pub use place::{clean, pinned_place, way};
pub use resolve::{Looked, Resolved, Resolver, document, resolve};
pub use shelf::{Shelf, Shelved};
pub use tree::{FILE, Tree};
