//! What the templates of one document see of its steps and vars.

use std::sync::Arc;

use castline_spec::template::{Reference, Target};
use castline_spec::{Name, Source};
use indexmap::{IndexMap, IndexSet};

use crate::templates::Bound;

/// What the templates of one document see of its steps and vars.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The document.
    pub source: Source,
    /// Its vars, compiled.
    pub vars: Arc<IndexMap<Name, Bound>>,
    /// Step numbers by the names that it uses.
    pub names: Arc<IndexMap<Name, usize>>,
    /// What the names of its steps and axes begin with among those of all: `hero/`; nothing for
    /// the workflow itself.
    pub prefix: Arc<str>,
    /// The step that calls it; none for the workflow itself.
    pub call: Option<usize>,
}

impl Frame {
    /// What a value refers to, what the vars in it refer to included.
    pub fn references<'a>(&'a self, values: impl IntoIterator<Item = &'a Bound>) -> Vec<&'a Reference> {
        let mut found = Vec::new();
        let mut vars: IndexSet<&str> = IndexSet::new();
        let mut values: Vec<&Bound> = values.into_iter().collect();
        while let Some(value) = values.pop() {
            for reference in value.references() {
                if let Target::Var(var) = &reference.target
                    && let Some(bound) = self.vars.get(var.value.as_str())
                    && vars.insert(&var.value)
                {
                    values.push(bound);
                }
                found.push(reference);
            }
        }
        found
    }

    /// The name of an axis as this document writes it; none for the axes of others.
    pub fn axis<'a>(&self, axis: &'a Name) -> Option<&'a str> {
        axis.as_str().strip_prefix(&*self.prefix).filter(|own| !own.contains('/'))
    }
}

/// The last part of a name: an axis or step as its own document calls it.
pub fn own_name(name: &Name) -> &str {
    name.as_str().rsplit('/').next().unwrap_or_default()
}

/// How many calls deep the document of a step or axis is.
pub fn depth(name: &Name) -> usize {
    name.as_str().matches('/').count()
}
