//! What flags and the environment ask of a command. What they leave open the project says,
//! and what that leaves open has a default.

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_core::graph::Graph;
use castline_core::plan::LegName;

use crate::trouble::Trouble;

/// What flags and the environment ask for; none where they are silent.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// `--provider`, `CASTLINE_PROVIDER`.
    pub provider: Option<String>,
    /// `--out`.
    pub out: Option<PathBuf>,
    /// `--parallel`: most predictions in flight.
    pub parallel: Option<usize>,
    /// `--budget`: for this run.
    pub budget: Option<MicroUsd>,
    /// `--partial`: go as far as the budget does.
    pub partial: bool,
    /// `--allow-unpriced`: steps that may run without a price on a live provider; empty for all.
    pub allow_unpriced: Option<Vec<String>>,
    /// `--only`: steps that take part.
    pub only: Vec<String>,
    /// `--until`: a step, with all that it needs.
    pub until: Option<String>,
    /// `--reroll STEP[axis=value]`.
    pub reroll: Vec<String>,
    /// `-i name=value`.
    pub inputs: Vec<String>,
    /// `--inputs FILE`.
    pub input_files: Vec<PathBuf>,
    /// `--offline`: nothing but the local providers and what is known already.
    pub offline: bool,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// `--no-provenance`: saved files do not tell how they were made.
    pub no_provenance: bool,
}

impl Wishes {
    /// True when a step may run without a price on a live provider.
    pub(crate) fn allows_unpriced(&self, step: &str) -> bool {
        let named = |steps: &Vec<String>| steps.is_empty() || steps.iter().any(|s| s == step);
        self.allow_unpriced.as_ref().is_some_and(named)
    }

    /// The same without steps that a workflow does not have. It is an error when `--only` or
    /// `--until` then name none: that would be all of them.
    pub(crate) fn known_to(&self, graph: &Graph) -> Result<Self, Trouble> {
        let has = |step: &String| graph.names.contains_key(LegName::read(step).step.as_str());
        let mut known = self.clone();
        known.only.retain(has);
        known.until = known.until.filter(has);
        known.reroll.retain(has);
        // An empty list would be all of them.
        known.allow_unpriced = known.allow_unpriced.filter(|steps| steps.iter().all(has));
        let asks = |wishes: &Self| !wishes.only.is_empty() || wishes.until.is_some();
        if asks(self) && !asks(&known) {
            let named = self.only.iter().chain(&self.until).map(|step| format!("`{step}`"));
            return Err(Trouble::usage(
                format!("workflow `{}` has no step {}", graph.name, named.collect::<Vec<_>>().join(" or ")),
                "leave `--only` and `--until` out to compare all steps",
            ));
        }
        Ok(known)
    }
}
