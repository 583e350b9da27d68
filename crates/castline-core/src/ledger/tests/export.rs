//! Entries as text, and on their way to another ledger.

use super::*;

#[test]
fn an_entry_survives_its_text() {
    for state in State::ALL {
        let entry = entry_in(state, LISTS);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}

/// An entry on its way to another ledger, changed by `change`.
fn exported(state: State, change: impl Fn(&mut serde_json::Value)) -> Result<Exported, BadExport> {
    let mut entry = entry_in(state, LIVE);
    let request = Request::clone(&entry.request);
    let ingredients = crate::key::Ingredients {
        realm: &request.realm,
        model: &request.model,
        input: &request.input,
        draw: &request.draw,
    };
    entry.request = Arc::new(Request { key: ingredients.key(), ..request.clone() });
    let mut line = serde_json::to_value(Exported::new(entry, vec![])).unwrap();
    change(&mut line);
    Exported::read(&line.to_string())
}

#[test]
fn an_entry_of_another_ledger_is_in_nobodys_hands() {
    for state in State::ALL {
        let exported = exported(state, |line| line["entry"]["unsent"] = true.into()).unwrap();
        assert!(exported.entry.claim.owner.is_nobody());
        assert!(!exported.entry.unsent, "it may have been sent since");
        assert_eq!(exported.entry.state, state);
    }
}

#[test]
fn a_line_that_cannot_be_trusted_is_not_taken() {
    let refused =
        |state, change: fn(&mut serde_json::Value)| exported(state, change).unwrap_err().to_string();
    insta::assert_snapshot!([
        refused(State::Failed, |line| line["schema_version"] = 2.into()),
        refused(State::Failed, |line| line["schema_version"] = "1".into()),
        refused(State::Failed, |line| line["entry"]["state"] = "done".into()),
        refused(State::Succeeded, |line| line["entry"]["request"]["model"] = "a/other".into()),
        refused(State::Succeeded, |line| drop(line["entry"].as_object_mut().unwrap().remove("output"))),
        refused(State::Created, |line| drop(line["entry"].as_object_mut().unwrap().remove("prediction"))),
    ].join("\n"), @r"
    it has version 2, and this castline knows version 1: update castline
    it is not an entry of a ledger: it has no `schema_version`
    it is not an entry of a ledger: unknown variant `done`, expected one of `intended`, `created`, `succeeded`, `failed`, `canceled`, `aborted`, `expired`, `in-doubt`
    its key is not that of its request
    it is succeeded and does not say what it gave
    it is created and does not say the prediction's id
    ");
}
