//! `castline schema`: JSON Schemas of the documents, for editors.

use std::path::Path;

use castline_runner::{Project, Trouble, presets};
use castline_spec::json_schema;

use crate::cli::{Document, Schema};
use crate::exit::Exit;
use crate::report::json::print;

/// Prints the schema of a document.
pub(crate) fn schema(flags: &Schema) -> Result<Exit, Trouble> {
    print(&match (flags.document, flags.with_presets) {
        (Document::Workflow, true) => {
            // A project whose file is broken has its presets all the same.
            let (project, _) = Project::near(Path::new("."));
            json_schema::workflow_with(&presets::known(&project))
        }
        (_, true) => {
            return Err(Trouble::usage(
                "`--with-presets` is for the schema of a workflow",
                "write `castline schema workflow --with-presets`",
            ));
        }
        (Document::Workflow, false) => json_schema::workflow(),
        (Document::Preset, false) => json_schema::preset(),
        (Document::Project, false) => json_schema::project(),
        (Document::Library, false) => json_schema::library(),
    })?;
    Ok(Exit::Done)
}
