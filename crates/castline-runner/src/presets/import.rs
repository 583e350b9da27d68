//! A preset from a host's own schema.
//!
//! A schema is read from a file, a running Cog server or a provider (`source`), said in the words
//! of presets (`flat`, `schema`, `keywords`, `fields`), completed by guesses about what goes in and comes out
//! (`kinds`, `ports`, `output`), and written as text with a remark at every guess (`text`, `yaml`). What
//! comes out passes `castline preset check`, or nothing is written.
//!
//! Start reading at [`import`].

mod example;
mod fields;
mod flat;
mod json;
mod keywords;
mod kinds;
mod output;
mod ports;
mod schema;
pub(super) mod source;
mod text;
mod yaml;

use std::path::PathBuf;

use castline_core::ModelRef;
use castline_spec::preset::Body;
use castline_spec::{Preset, Source};
use serde_json::{Map, Value as Json};

use self::flat::{Flaw, Rewriter};
use self::source::Fetched;
use self::text::{Draft, REVIEW, text};
pub(super) use self::yaml::{flow, flow_of_schema, scalar};
use super::check::check_text;
use super::place::{Other, Place};
use crate::project::{Project, shown};
use crate::trouble::Trouble;

/// What to import, and where to.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// A file, `-`, the URL of a Cog server, or `owner/name[:version]`.
    pub source: String,
    /// What the preset calls, `owner/name[:version]`.
    pub model: Option<String>,
    /// The preset's name.
    pub name: Option<String>,
    /// The file to write; `-` writes none.
    pub output: Option<PathBuf>,
    /// Write over a file that is there.
    pub force: bool,
    /// Who is asked for a model.
    pub provider: Option<String>,
}

/// A preset that was made.
#[derive(Debug, Clone)]
pub struct Imported {
    /// By which steps call it.
    pub name: String,
    /// Its file; none when it was not to be written.
    pub file: Option<PathBuf>,
    /// The document.
    pub text: String,
    /// How many inputs it has.
    pub inputs: usize,
    /// What is to be looked at: the line, from 1, and the remark.
    pub reviews: Vec<(usize, String)>,
    /// Values to try it with; none when there are no obvious ones.
    pub example: Option<Map<String, Json>>,
    /// The Cog server that runs it, and the model by which the project names it.
    pub server: Option<(String, String)>,
}

/// Makes a preset of what a model's host says about it, and writes it.
pub async fn import(project: &Project, wish: &Import) -> Result<Imported, Trouble> {
    let fetched = source::fetch(project, &wish.source, wish.provider.as_deref()).await?;
    let (model, model_note) = model(wish, &fetched)?;
    let place = Place::new(project, wish.name.as_deref(), wish.output.as_deref(), &model.name, Other::Flag)?;
    place.check_free(project, wish.force)?;
    let draft = draft(&fetched, place.name.clone(), model, model_note)?;
    let text = text(&draft);
    check(project, &place, &draft, &text)?;
    place.write(&text, wish.force)?;
    let remark = |(number, line): (usize, &str)| {
        let (_, remark) = line.split_once(&format!("# {REVIEW} "))?;
        Some((number + 1, remark.to_owned()))
    };
    let reviews = text.lines().enumerate().filter_map(remark).collect();
    Ok(Imported {
        name: place.name,
        file: place.file,
        inputs: draft.fields.len(),
        reviews,
        example: draft.example,
        server: fetched.server.map(|server| (server, draft.model.path())),
        text,
    })
}

/// The preset of a document that nobody writes, to be compared with another one.
pub(super) fn as_preset(fetched: &Fetched, model: ModelRef) -> Result<Preset, Trouble> {
    let text = text(&draft(fetched, "live".to_owned(), model, None)?);
    let (preset, _) = Preset::parse(&Source::new("live.yaml", text));
    preset.ok_or_else(|| Trouble::Bug(format!("what was made of {} is no preset", fetched.origin)))
}

/// Year and month, as presets say when a schema was read.
pub(super) fn month() -> String {
    jiff::Timestamp::now().strftime("%Y-%m").to_string()
}

/// A value with which an input can be tried; none when there is no obvious one.
pub(super) fn sample(name: &str, schema: &Json) -> Option<Json> {
    let schema = schema.as_object().cloned().unwrap_or_default();
    let (name, required, secret, notes) = (name.to_owned(), true, None, Vec::new());
    example::value(&fields::Field { name, schema, required, secret, notes })
}

/// What the preset calls: what the user says, else what the source says.
fn model(wish: &Import, fetched: &Fetched) -> Result<(ModelRef, Option<String>), Trouble> {
    if let Some(text) = &wish.model {
        let model: ModelRef = text.parse().map_err(|_| {
            Trouble::usage(
                format!("`{text}` cannot be a model"),
                "a model is `owner/name` or `owner/name:version`",
            )
        })?;
        return Ok((model, None));
    }
    if let Some(model) = &fetched.model {
        return Ok((model.clone(), fetched.model_note.clone()));
    }
    let stem = wish.output.as_ref().and_then(|file| file.file_stem()?.to_str());
    let name = wish.name.as_deref().or(stem.filter(|stem| *stem != "-"));
    match (&fetched.server, name) {
        (Some(_), name) => {
            let model = format!("cog/{}", name.unwrap_or("model"));
            let model = model.parse().map_err(|_| {
                Trouble::usage(
                    format!("`{model}` cannot be a model"),
                    "say what to call with `--model owner/name`",
                )
            })?;
            Ok((model, Some("the name by which the project's provider claims it".to_owned())))
        }
        (None, _) => Err(Trouble::usage(
            format!("{} does not say which model it describes", fetched.origin),
            "name it with `--model owner/name`, or `--model owner/name:version` for a community model",
        )),
    }
}

fn draft(
    fetched: &Fetched,
    name: String,
    model: ModelRef,
    model_note: Option<String>,
) -> Result<Draft, Trouble> {
    let flawed = |flaw: Flaw| Trouble::usage(format!("{}: {}", fetched.origin, flaw.message), flaw.hint);
    let schemas = fetched.document.pointer("/components/schemas");
    let Some(input) = schemas.and_then(|schemas| schemas.get("Input")) else {
        let what =
            if fetched.document.is_object() { "is no OpenAPI document of a model" } else { "is no map" };
        return Err(Trouble::usage(
            format!("{} {what}: it has no `components.schemas.Input`", fetched.origin),
            "it has to be the document that a Cog server gives at `/openapi.json`",
        ));
    };
    let about = format!("{} {}", model.name, fetched.description.as_deref().unwrap_or_default());
    let rewriter = &mut Rewriter::new(&fetched.document);
    let fields = fields::fields(rewriter, input).map_err(flawed)?;
    let output = schemas.and_then(|schemas| schemas.get("Output"));
    let output = output::output(rewriter, output, &fields, &about).map_err(flawed)?;
    let (ports, portless) = ports::ports(&fields, output.output.kind);
    let is_file = fetched.is_hosted && fetched.model.is_none();
    Ok(Draft {
        name,
        origin: fetched.origin.clone(),
        description: fetched.description.clone(),
        task: output::task(&output.output, &fields, &about),
        model,
        model_note,
        as_of: month(),
        example: example::example(&fields),
        fields,
        output,
        ports,
        portless,
        route: fetched.is_hosted.then_some("replicate"),
        route_note: is_file.then(|| "which built-in provider serves it is not said".to_owned()),
    })
}

/// What is about to be written is the schema that was read, and has no mistakes.
fn check(project: &Project, place: &Place, draft: &Draft, text: &str) -> Result<(), Trouble> {
    let path = place.file.clone().unwrap_or_else(|| project.presets().join(format!("{}.yaml", place.name)));
    let source = Source::new(format!("{} (not written)", shown(&path)), text);
    let (preset, found) = check_text(&source, &path, project);
    if found.has_errors() {
        return Err(Trouble::Diagnostics(found));
    }
    let Some(Body::Model(written)) = preset.map(|preset| preset.body) else {
        return Err(Trouble::Bug(format!("what was made of {} is no preset", draft.origin)));
    };
    let none = Map::new();
    let written = written.input.value["properties"].as_object().unwrap_or(&none);
    let open = draft.fields.iter().filter(|field| field.secret.is_none());
    let wrong = open.filter(|field| written.get(&field.name) != Some(&Json::Object(field.schema.clone())));
    match wrong.map(|field| field.name.as_str()).next() {
        Some(name) => Err(Trouble::Bug(format!(
            "input `{name}` of {} is written otherwise than it was read",
            draft.origin
        ))),
        None => Ok(()),
    }
}
