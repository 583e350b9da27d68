//! Plans that are made one after the other, as `castline watch` does.

use castline_core::MicroUsd;
use castline_core::ledger::{Account, RunId};
use castline_store::Store;

use crate::trouble::Trouble;

/// What such plans have in common.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    /// What all of it may spend; none for as much as the other budgets allow.
    pub(crate) budget: Option<MicroUsd>,
    /// Makes the draws of all its plans, so that an edit draws nothing anew.
    pub(crate) draws: String,
}

impl Session {
    /// Whose money it is.
    pub(crate) fn account(&self) -> Account {
        Account::Watch(RunId::from(self.id.as_str()))
    }

    /// Spent and reserved so far.
    pub(crate) async fn held(&self, store: Option<&Store>) -> Result<MicroUsd, Trouble> {
        match store {
            Some(store) => {
                Ok(store.ledger().spent(&self.account()).await.map_err(crate::ledger::trouble)?.held)
            }
            None => Ok(MicroUsd::ZERO),
        }
    }
}
