//! The checker's word against the sandbox: generated workflows whose every input is proved run
//! there.
//!
//! What it refuses is held against a run in `castline-core/tests/soundness.rs`, where a run can go
//! on whatever is refused.

mod common;
#[path = "../crates/castline-core/tests/common/generated.rs"]
mod generated;

use std::fs;

use common::castline;
use generated::{PRESETS, part, yaml};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

#[test]
fn what_is_proved_runs_on_the_sandbox() {
    let mut runner = TestRunner::deterministic();
    let parts = prop::collection::vec(part(), 1..4);
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("presets")).expect("writable");
    for (name, text) in PRESETS {
        fs::write(folder.path().join(format!("presets/{name}.yaml")), text).expect("writable");
    }
    let (mut ran, mut open, mut refused) = (0, 0, 0);
    while ran < 15 {
        let text = yaml(&parts.new_tree(&mut runner).expect("a value").current());
        fs::write(folder.path().join("flow.yaml"), &text).expect("writable");
        let check = castline(folder.path(), &["check", "-v", "flow.yaml"]).output().expect("castline runs");
        if !check.status.success() {
            refused += 1;
            continue;
        }
        // What depends on a value of a run may still fail there.
        if String::from_utf8_lossy(&check.stdout).contains("checked at run time") {
            open += 1;
            continue;
        }
        let run = castline(folder.path(), &["run", "flow.yaml"]).output().expect("castline runs");
        assert!(
            run.status.success(),
            "every input is proved, and it fails:\n{text}\n{}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
        ran += 1;
    }
    assert!(refused > 5 && open > 0, "{refused} refused, {open} open");
}
