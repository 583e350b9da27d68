//! Where the schema of a model is read: a file, a running Cog server, or a provider.
//!
//! Start reading at [`fetch`].

use std::io::Read as _;
use std::path::{Path, PathBuf};

use castline_core::routing::Serves;
use castline_core::{ModelRef, ProviderName};
use castline_provider::cog::{CogOptions, CogProvider};
use castline_provider::{CallFault, Described, Provider};
use castline_spec::project::ProviderKind;
use serde_json::Value as Json;

use super::json;
use crate::project::{Project, shown};
use crate::providers::{self, Providers};
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// Larger files describe no model.
const MOST_BYTES: u64 = 16 << 20;

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Stdin,
    File(PathBuf),
    Server(String),
    Model(ModelRef),
}

/// What a place said.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The OpenAPI document.
    pub document: Json,
    /// Where it comes from, in words.
    pub origin: String,
    /// What a preset of it calls, where the place says so.
    pub model: Option<ModelRef>,
    /// What is to be looked at about that.
    pub model_note: Option<String>,
    /// The id of the version that it describes.
    pub version: Option<String>,
    /// What the model does, in its owner's words.
    pub description: Option<String>,
    /// True for what runs behind the API of a public host.
    pub is_hosted: bool,
    /// The Cog server's address.
    pub server: Option<String>,
}

/// Reads the schema at a source: a file, `-`, the URL of a Cog server, or `owner/name[:version]`.
pub(crate) async fn fetch(
    project: &Project,
    source: &str,
    provider: Option<&str>,
) -> Result<Fetched, Trouble> {
    match place(source)? {
        Place::Stdin => {
            of_bytes("the standard input", &limited(std::io::stdin().lock(), "the standard input")?)
        }
        Place::File(path) => of_file(&path),
        Place::Server(url) => of_server(project, &url).await,
        Place::Model(model) => of_model(project, &model, provider).await,
    }
}

fn place(source: &str) -> Result<Place, Trouble> {
    let path = Path::new(source);
    let is_path = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
        || source.starts_with("./")
        || source.starts_with("../")
        || path.is_absolute();
    if source == "-" {
        Ok(Place::Stdin)
    } else if source.starts_with("http://") || source.starts_with("https://") {
        Ok(Place::Server(source.to_owned()))
    } else if is_path || path.is_file() {
        Ok(Place::File(path.to_owned()))
    } else {
        source.parse().map(Place::Model).map_err(|_| {
            Trouble::usage(
                format!("`{source}` is no file, no URL and no model"),
                "give an `openapi.json`, the URL of a running Cog server, or `owner/name[:version]`",
            )
        })
    }
}

fn of_file(path: &Path) -> Result<Fetched, Trouble> {
    let name = shown(path);
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Trouble::usage(
            format!("there is no file `{name}`"),
            "a schema is the model's `openapi.json`, from its page or its Cog server",
        ),
        _ => unreadable(&name, &error),
    })?;
    of_bytes(&format!("`{name}`"), &limited(file, &name)?)
}

fn unreadable(name: &str, error: &std::io::Error) -> Trouble {
    Trouble::usage(format!("`{name}` cannot be read: {error}"), "name a file that can be read")
}

fn limited(file: impl std::io::Read, name: &str) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("`{name}` is larger than 16 MiB, which no schema is");
        return Err(Trouble::usage(message, "give the schema of one model alone"));
    }
    Ok(bytes)
}

fn of_bytes(name: &str, bytes: &[u8]) -> Result<Fetched, Trouble> {
    const TAKES: &str =
        "it has to be the model's OpenAPI document, as a Cog server gives it at `/openapi.json`";
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(Trouble::usage(format!("{name} is a web page, not JSON"), TAKES));
    }
    let json = json::parse(bytes)
        .map_err(|error| Trouble::usage(format!("{name} is not JSON that can be used: {error}"), TAKES))?;
    Ok(Fetched {
        document: within(json),
        origin: name.to_owned(),
        model: None,
        model_note: None,
        version: None,
        description: None,
        is_hosted: true,
        server: None,
    })
}

/// A model or a version as the API gives them has the document inside.
fn within(mut json: Json) -> Json {
    for pointer in ["/openapi_schema", "/latest_version/openapi_schema"] {
        if let Some(document) = json.pointer_mut(pointer).filter(|document| document.is_object()) {
            return document.take();
        }
    }
    json
}

async fn of_server(project: &Project, url: &str) -> Result<Fetched, Trouble> {
    let url = base(url);
    let declared = project.document.iter().flat_map(|document| &document.providers);
    let own = declared
        .filter(|(_, own)| own.kind == ProviderKind::Cog)
        .find(|(_, own)| base(&own.base_url.value) == url);
    let described = if let Some((name, _)) = own {
        asked(project, name, None).await?
    } else {
        let server = CogProvider::new(CogOptions::new(url.as_str(), url.as_str()))
            .map_err(|error| Trouble::usage(error.to_string(), "give it as `http://127.0.0.1:5000`"))?;
        server.describe().await.map_err(|fault| not_described(&fault))?
    };
    let models = own.map(|(_, own)| own.models.as_slice()).unwrap_or_default();
    let model = if let [one] = models { one.parse().ok() } else { None };
    let fetched = of_described(described, format!("the Cog server at {url}"))?;
    Ok(Fetched { model, is_hosted: false, server: Some(url), ..fetched })
}

/// The address of a server, however much of it was copied from a browser.
fn base(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    let url = url.strip_suffix("/openapi.json").or_else(|| url.strip_suffix("/docs")).unwrap_or(url);
    url.trim_end_matches('/').to_owned()
}

async fn of_model(project: &Project, model: &ModelRef, provider: Option<&str>) -> Result<Fetched, Trouble> {
    let wishes = Wishes { provider: provider.map(str::to_owned), ..Wishes::default() };
    let routing = providers::routing(project, &wishes)?;
    let claims = |serves: &Serves| matches!(serves, Serves::Models(models) if models.contains(&model.path()));
    let claim = routing.claims.iter().find(|claim| provider.is_none() && claims(&claim.serves));
    let name = claim.map_or(&routing.chosen.name, |claim| &claim.name).to_string();
    if name == "sandbox" {
        return Err(Trouble::usage(
            format!("the sandbox cannot tell what `{}` takes", model.path()),
            "name the provider to ask with `--provider replicate`; asking costs nothing",
        ));
    }
    let described = asked(project, &name, Some(model)).await?;
    let public = providers::own_host(project, &name).is_none();
    if described.schema.is_none() {
        return Err(Trouble::usage(
            format!("`{name}` shows no schema of `{model}`"),
            format!(
                "save the schema from the model's page as `openapi.json`, then \
                 `castline preset import openapi.json --model {model}`"
            ),
        ));
    }
    let (called, model_note) = called(model, &described);
    let version = described.version.clone();
    let of = version.as_ref().map_or_else(String::new, |version| format!(", version {version}"));
    let fetched = of_described(described, format!("`{}` at {name}{of}", model.path()))?;
    Ok(Fetched { model: Some(called), model_note, version, is_hosted: public, ..fetched })
}

/// How the model is called: an official one by its name, another one by the version that was
/// described.
fn called(asked: &ModelRef, described: &Described) -> (ModelRef, Option<String>) {
    let named = |version: Option<String>| ModelRef { version, ..asked.clone() };
    let note = |text: &str| Some(text.to_owned());
    match (asked.version.as_deref(), described.official, &described.version) {
        (Some(_), _, _) => (asked.clone(), None),
        (None, Some(true), _) | (None, None, None) => (named(None), None),
        (None, Some(false), Some(id)) => (named(Some(id.clone())), None),
        (None, None, Some(id)) => {
            (named(Some(id.clone())), note("an official model is called without a version"))
        }
        (None, Some(false), None) => {
            (named(Some(ModelRef::LATEST.to_owned())), note("the host hides its versions"))
        }
    }
}

async fn asked(project: &Project, name: &str, model: Option<&ModelRef>) -> Result<Described, Trouble> {
    let providers = Providers::new(project);
    let reached = providers.get(&ProviderName::from(name))?;
    let described = match (&reached.provider, model) {
        (Provider::Cog(server), _) => server.describe().await,
        (provider, Some(model)) => provider.describe(model).await,
        (_, None) => return Err(Trouble::Bug(format!("`{name}` was asked for no model"))),
    };
    described.map_err(|fault| not_described(&fault))
}

fn not_described(fault: &CallFault) -> Trouble {
    let hint = match fault {
        CallFault::NotSent { .. } | CallFault::Lost { .. } => "is it running, and is that its address?",
        CallFault::Busy { .. } => "ask again a little later",
        _ => {
            "save the model's schema as `openapi.json`, then `castline preset import openapi.json --model owner/name`"
        }
    };
    Trouble::usage(fault.to_string(), hint)
}

fn of_described(described: Described, origin: String) -> Result<Fetched, Trouble> {
    let Some(document) = described.schema else {
        return Err(Trouble::usage(
            format!("{origin} shows no schema"),
            "save the model's schema as `openapi.json` and import that file",
        ));
    };
    Ok(Fetched {
        document,
        origin,
        model: None,
        model_note: None,
        version: described.version,
        description: described.description,
        is_hosted: false,
        server: None,
    })
}
