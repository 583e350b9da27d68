//! Input values as people give them: `-i name=value` and `--inputs FILE`.
//!
//! A value `@PATH` goes on as it is; the core asks for the file.

use std::path::Path;

use castline_core::files::Origin;
use castline_core::inputs::Given;
use castline_spec::Workflow;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::listing::may_be_files;
use crate::project::shown;
use crate::trouble::Trouble;

/// Reads values: files first, so that `-i` wins. A text for a string input stays as it is
/// (`007`); anything else is read as YAML.
pub(crate) fn read(
    workflow: &Workflow,
    files: &[std::path::PathBuf],
    pairs: &[String],
) -> Result<IndexMap<String, Given>, Trouble> {
    let mut given = IndexMap::new();
    for file in files {
        given.extend(from_file(file)?);
    }
    for pair in pairs {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Trouble::usage(format!("`{pair}` gives no value"), "write `-i name=value`"))?;
        let schema = workflow.inputs.get(name.trim()).map(|input| &input.schema.json);
        let value = value(name, text, schema)?;
        given.insert(name.trim().to_owned(), Given { value, from: Origin::CommandLine });
    }
    Ok(given)
}

fn value(name: &str, text: &str, schema: Option<&Json>) -> Result<Json, Trouble> {
    let Some(schema) = schema else { return Ok(text.into()) };
    let textual = schema.get("type") == Some(&"string".into()) || MediaKind::of_schema(schema).is_some();
    let files = || MediaKind::of_list(schema).is_some() && may_be_files(text);
    // What `@` means, and which files match, is the core's question.
    if textual || text.starts_with('@') || files() {
        return Ok(text.into());
    }
    if text.parse::<u64>().is_err() && text.parse::<i64>().is_err() && text.parse::<i128>().is_ok() {
        return Err(Trouble::usage(
            format!("input `{name}`: `{text}` is a whole number of more than 64 bits"),
            format!("give one up to {}", u64::MAX),
        ));
    }
    serde_yaml::from_str(text).map_err(|e| {
        Trouble::usage(format!("input `{name}`: `{text}` is not YAML: {e}"), "quote the value for your shell")
    })
}

fn from_file(path: &Path) -> Result<IndexMap<String, Given>, Trouble> {
    let name = shown(path);
    let text = crate::disk::text_within(path).map_err(|e| {
        Trouble::usage(format!("`{name}` cannot be read: {e}"), "give the path of a YAML file")
    })?;
    let map: IndexMap<String, Json> = serde_yaml::from_str(&text).map_err(|e| {
        Trouble::usage(format!("`{name}` is no map of input values: {e}"), "write one `name: value` a line")
    })?;
    let from = Origin::Given(name.as_str().into());
    Ok(map.into_iter().map(|(key, value)| (key, Given { value, from: from.clone() })).collect())
}
