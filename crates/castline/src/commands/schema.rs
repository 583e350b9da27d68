//! `castline schema`: JSON Schemas of the documents, for editors.

use castline_runner::Trouble;
use castline_spec::json_schema;

use crate::cli::Document;
use crate::exit::Exit;
use crate::report::json::print;

/// Prints the schema of a document.
pub(crate) fn schema(document: Document) -> Result<Exit, Trouble> {
    print(&match document {
        Document::Workflow => json_schema::workflow(),
        Document::Preset => json_schema::preset(),
        Document::Project => json_schema::project(),
    })?;
    Ok(Exit::Done)
}
