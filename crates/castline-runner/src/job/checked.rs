//! What can be found in a workflow without a store.

use std::path::Path;

use castline_core::graph::Proofs;
use castline_core::plan::Choices;
use castline_spec::{Code, Diagnostic, Diagnostics, Source, Workflow};
use indexmap::IndexMap;

use super::Job;
use super::loaded::{Missing, load, without_ledger};
use crate::looked::Looked;
use crate::project::{Project, read};
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// What was found in a workflow.
#[derive(Debug)]
pub struct Checked {
    /// The project around it.
    pub project: Project,
    /// The findings, in the order of the file.
    pub found: Diagnostics,
    /// How many inputs are known to fit.
    pub proofs: Proofs,
}

impl Job {
    /// Finds everything that can be found without a store.
    pub fn check(file: &Path) -> Checked {
        let (project, found) = Project::near(file);
        match read(file) {
            Ok(source) => Self::check_text(&source, project, found),
            Err(finding) => {
                let mut found = found;
                found.push(*finding);
                Checked { project, found, proofs: Proofs::default() }
            }
        }
    }

    /// Finds everything that can be found in a text, which need not be that of its file: an
    /// editor's. What is found in the project's own document is handed in.
    pub fn check_text(source: &Source, project: Project, mut found: Diagnostics) -> Checked {
        let mut proofs = Proofs::default();
        if let Some(loaded) = load(source, &project, &mut found, &mut Looked::default()) {
            proofs = loaded.graph.proofs();
            let wishes = Wishes::default();
            match providers::routing(&project, &wishes) {
                Ok(routing) => {
                    let given = IndexMap::new();
                    let planned = loaded.plan(
                        &project,
                        None,
                        &given,
                        &routing,
                        &Choices::default(),
                        Missing::Fine,
                        &|_| {},
                    );
                    found.extend(planned.found);
                    found.extend(
                        planned.plan.map(|plan| without_ledger(&plan, &project, None)).unwrap_or_default(),
                    );
                }
                Err(trouble) => found.push(about_provider(&project, &loaded.workflow, &trouble)),
            }
        }
        found.extend(crate::presets::unknown_prices(&project));
        crate::libraries::without_fixes(&mut found, &project);
        settle(&mut found);
        Checked { project, found, proofs }
    }
}

/// Puts findings in order. What nothing uses is known once everything can be read.
pub(super) fn settle(found: &mut Diagnostics) {
    if found.has_errors() {
        found
            .list
            .retain(|finding| !matches!(finding.code, Code::Unused | Code::NeedlessAll | Code::NeverRuns));
    }
    found.sort();
}

/// A wrong provider setting, as a finding about the project or the workflow.
fn about_provider(project: &Project, workflow: &Workflow, trouble: &Trouble) -> Diagnostic {
    let message = trouble.to_string();
    let written = project.document.as_ref().and_then(|d| Some((&d.source, d.provider.as_ref()?.span)));
    let finding = match written {
        Some((source, span)) => Diagnostic::error(Code::UnknownProvider, source, span, message),
        None => Diagnostic::of_file(Code::UnknownProvider, &workflow.source, message),
    };
    finding.maybe_hint(trouble.hint().map(str::to_owned))
}
