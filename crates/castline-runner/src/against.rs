//! A plan held against another one: that of the same workflow at a revision of git, or that of
//! another file. Both ask the same ledger, with the same inputs and draws.
//!
//! Start reading at [`against`].

use std::path::Path;

use castline_core::comparison::Comparison;
use castline_spec::Diagnostics;

use crate::job::{Basis, Job};
use crate::revision::Revision;
use crate::trouble::Trouble;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// What the edit from there to here does.
    Compared(Box<Comparison>),
    /// The other one cannot be planned.
    Broken(Diagnostics),
}

/// Compares a job with what `other` names: a file when there is one, else a revision.
pub async fn against(job: &Job, file: &Path, other: &str) -> Result<Outcome, Trouble> {
    let path = Path::new(other);
    if path.is_file() {
        return compare(job, path, None).await;
    }
    if path.extension().is_some_and(|e| e == "yaml" || e == "yml") && !Revision::is_there(file, other) {
        return Err(Trouble::usage(
            format!("there is no file `{other}`"),
            "name a workflow, or a revision of git",
        ));
    }
    let revision = Revision::open(file, other)?;
    let compared = compare(job, &revision.workflow(), Some(&revision)).await;
    match compared {
        Ok(Outcome::Broken(found)) => Ok(Outcome::Broken(revision.named(found))),
        Err(Trouble::Usage { message, hint }) => {
            Err(Trouble::Usage { message: revision.in_words(&message), hint })
        }
        other => other,
    }
}

async fn compare(job: &Job, other: &Path, revision: Option<&Revision>) -> Result<Outcome, Trouble> {
    let Some(now) = &job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics.clone())) };
    let fetch = |path: &Path| {
        if let Some(revision) = revision {
            revision.fetch(path);
        }
    };
    let basis = Basis {
        draws: Some(&now.plan.choices.run),
        fetch: Some(&fetch),
        store: Some(&job.store),
        lenient: true,
        ..Basis::default()
    };
    let before = Job::plan_again(&basis, other, &job.wishes).await?;
    Ok(match &before.forecast {
        Some(before) => Outcome::Compared(Box::new(Comparison::of(before, now))),
        None => Outcome::Broken(before.diagnostics),
    })
}
