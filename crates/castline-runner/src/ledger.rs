//! Troubles with the store, in words for people.

use castline_store::StoreError;

use crate::trouble::Trouble;

/// A store's error as a trouble of the command.
pub(crate) fn trouble(error: StoreError) -> Trouble {
    let hint = error.hint();
    Trouble::Store { message: error.to_string(), hint }
}
