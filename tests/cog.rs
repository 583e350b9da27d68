//! Real Cog servers of both generations, with two small models of our own in `tests/cog/`.
//!
//! `.ci/cog` installs the servers. Where it was not called these tests are skipped with a
//! line that says so, unless `CASTLINE_NEED_COG=1`.

#![cfg(unix)] // process groups

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use castline_core::request::OutputShape;
use castline_core::{Artifact, ModelRef, PredictionId, Snapshot, Status, Value};
use castline_provider::cog::{CogOptions, CogProvider, WebhookOptions};
use castline_provider::{CallFault, Create, MediaSource};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use serde_json::Value as Json;

const CASTLINE: &str = env!("CARGO_BIN_EXE_castline");
const PATIENCE: Duration = Duration::from_mins(1);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Generation {
    /// `coglet`, written in Rust.
    Newer,
    /// The last one written in Python.
    Older,
}

use Generation::{Newer, Older};

impl Generation {
    fn environment(self) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
        target.join(if self == Newer { "cog-venv" } else { "cog-venv-old" })
    }
}

/// True when the servers are there, or must be.
fn installed() -> bool {
    let missing = [Newer, Older].into_iter().find(|g| !g.environment().join("installed.txt").exists());
    let Some(missing) = missing else { return true };
    let folder = missing.environment().display().to_string();
    let needed = std::env::var("CASTLINE_NEED_COG").is_ok_and(|need| need == "1");
    assert!(!needed, "there is no Cog server in {folder}: run .ci/cog");
    eprintln!("skipped: there is no Cog server in {folder}; .ci/cog installs it");
    false
}

/// A server for as long as a test needs it.
struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one with a model and waits until that is loaded.
    fn start(generation: Generation, model: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("server.log");
        let port = free_port();
        let bin = generation.environment().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let out = File::create(&log).expect("created");
        let child = Command::new(bin.join("python"))
            .args(["-m", "cog.server.http", "--host", "127.0.0.1"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cog").join(model))
            // The server starts its worker as plain `python`.
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("PORT", port.to_string())
            .env("COG_PREDICT_TYPE_STUB", "predict.py:Predictor")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", folder.path())
            .stdout(out.try_clone().expect("cloned"))
            .stderr(out)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("python starts");
        let mut server = Self { child, port, log, _folder: folder };
        server.wait_until("READY");
        server
    }

    fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until(&mut self, status: &str) {
        let began = Instant::now();
        while self.health().as_deref() != Some(status) {
            let gone = self.child.try_wait().expect("ours").is_some();
            let late = began.elapsed() > PATIENCE;
            assert!(!gone && !late, "never {status}: {}", fs::read_to_string(&self.log).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn health(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET /health-check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let body: Json = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
        Some(body["status"].as_str()?.to_owned())
    }

    /// Ends it without a chance to say goodbye, and its worker with it.
    fn kill(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn provider(&self) -> CogProvider {
        self.provider_with(|_| {})
    }

    fn provider_with(&self, change: impl FnOnce(&mut CogOptions)) -> CogProvider {
        let mut options = CogOptions::new("studio", self.base_url());
        change(&mut options);
        CogProvider::new(options).expect("a base URL")
    }

    fn provider_by_webhook(&self) -> CogProvider {
        self.provider_with(|options| {
            options.grace = Duration::from_secs(1);
            options.webhook = Some(WebhookOptions { at: "127.0.0.1:0".to_owned() });
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

struct NoMedia;

impl MediaSource for NoMedia {
    fn read(&self, _: &Artifact) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// An input of the model `paint`, written as JSON.
async fn create(provider: &CogProvider, input: &str) -> Result<PredictionId, CallFault> {
    create_after(provider, input, None).await
}

async fn create_after(
    provider: &CogProvider,
    input: &str,
    former: Option<&PredictionId>,
) -> Result<PredictionId, CallFault> {
    let input: IndexMap<String, Json> = serde_json::from_str(input).expect("JSON");
    let input = input.into_iter().map(|(name, value)| (name, Value::from_json(value))).collect();
    let model: ModelRef = "studio/paint".parse().expect("a model");
    let create = Create {
        former: former.map(|id| id.0.as_str()),
        ..Create::new(&model, &input, OutputShape { kind: OutputKind::Image, many: false })
    };
    Ok(provider.create(&create, &NoMedia).await?.id)
}

/// The first state that something holds for.
async fn until(
    provider: &CogProvider,
    id: &PredictionId,
    what: &str,
    holds: impl Fn(&Snapshot) -> bool,
) -> Snapshot {
    let asked = async {
        loop {
            let snapshot = provider.get(id).await.expect("it is ours");
            if holds(&snapshot) {
                return snapshot;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, asked).await;
    found.unwrap_or_else(|_| panic!("never {what}"))
}

async fn end(provider: &CogProvider, id: &PredictionId) -> Snapshot {
    until(provider, id, "over", |snapshot| snapshot.status.is_terminal()).await
}

async fn run(provider: &CogProvider, input: &str) -> Snapshot {
    let id = create(provider, input).await.expect("it is taken");
    end(provider, &id).await
}

async fn running(provider: &CogProvider, id: &PredictionId) {
    until(provider, id, "running", |snapshot| snapshot.status == Status::Processing).await;
}

/// Width and height of the picture that a prediction gave.
async fn size_of(provider: &CogProvider, snapshot: &Snapshot) -> (usize, usize) {
    assert_eq!(snapshot.status, Status::Succeeded, "{:?}", snapshot.error);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("picture");
    let uri = snapshot.output.as_ref().and_then(Json::as_str).expect("one file");
    let fetched = provider.fetch(uri, &file).await.expect("fetched");
    let bytes = fs::read(&file).expect("readable");
    assert_eq!(fetched.bytes, bytes.len() as u64);
    assert!(bytes.starts_with(b"\x89PNG"));
    let size = imagesize::blob_size(&bytes).expect("a picture");
    (size.width, size.height)
}

fn error(snapshot: &Snapshot) -> (Status, &str) {
    (snapshot.status.clone(), snapshot.error.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn a_model_answers_with_a_picture() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let server = Server::start(generation, "paint");
        let provider = server.provider();
        let snapshot = run(&provider, r#"{"prompt": "a paper boat", "size": 48}"#).await;
        assert_eq!(size_of(&provider, &snapshot).await, (48, 48));
        assert!(snapshot.logs.as_deref().is_some_and(|logs| logs.contains("painting a paper boat")));
        assert!(snapshot.predict_seconds().is_some());
        let about = provider.ping().await.expect("it answers").about;
        assert_eq!(about, if generation == Newer { "Cog 0.23.1, READY" } else { "Cog 0.16.12, READY" });
        let document = provider.openapi().await.expect("it answers").expect("it is there");
        let size = &document["components"]["schemas"]["Input"]["properties"]["size"];
        assert_eq!((size["minimum"].as_f64(), size["maximum"].as_f64()), (Some(16.0), Some(1024.0)));
    }
}

#[tokio::test]
async fn pitfall_52_the_models_own_failure_is_told_in_its_words() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let server = Server::start(generation, "paint");
        let failed = run(&server.provider(), r#"{"prompt": "fog", "trouble": "fail"}"#).await;
        let (status, words) = error(&failed);
        assert_eq!(status, Status::Failed);
        let expected = "there is no color for fog";
        assert!(words == expected || words == format!("ValueError: {expected}"), "{words}");
    }
}

#[tokio::test]
async fn an_invalid_input_fails_with_the_servers_finding() {
    if !installed() {
        return;
    }
    for (generation, expected) in [
        (Newer, "studio refused the input with 422: input.size: 5 is less than the minimum of 16"),
        (Older, "studio refused the input with 422: input.size: Input should be greater than or equal to 16"),
    ] {
        let server = Server::start(generation, "paint");
        let failed = run(&server.provider(), r#"{"prompt": "fog", "size": 5}"#).await;
        assert_eq!(error(&failed), (Status::Failed, expected));
    }
}

#[tokio::test]
async fn pitfall_48_two_clients_share_one_slot_without_losing_a_prediction() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let server = Server::start(generation, "paint");
        let (one, two) = (server.provider(), server.provider());
        let input = r#"{"prompt": "rain", "size": 16, "seconds": 0.3}"#;
        let (first, second) = tokio::join!(run(&one, input), run(&two, input));
        assert_eq!((first.status, second.status), (Status::Succeeded, Status::Succeeded));
        // Right after an answer the slot is not free yet.
        for n in 0..20 {
            let snapshot = run(&one, &format!(r#"{{"prompt": "drop {n}", "size": 16}}"#)).await;
            assert_eq!(snapshot.status, Status::Succeeded, "{:?}", snapshot.error);
        }
        let ids = [create(&one, input).await, create(&one, input).await].map(|id| id.expect("taken"));
        for id in &ids {
            assert_eq!(end(&one, id).await.status, Status::Succeeded);
        }
    }
}

#[tokio::test]
async fn a_running_prediction_is_cancelled() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let mut server = Server::start(generation, "paint");
        let provider = server.provider();
        let id = create(&provider, r#"{"prompt": "a mountain", "seconds": 300}"#).await.expect("taken");
        running(&provider, &id).await;
        provider.cancel(&id).await.expect("told");
        assert_eq!(end(&provider, &id).await.status, Status::Canceled);
        server.wait_until("READY");
    }
}

#[tokio::test]
async fn a_cancel_that_overtakes_its_prediction_stops_it_all_the_same() {
    if !installed() {
        return;
    }
    let mut server = Server::start(Newer, "paint");
    let provider = server.provider();
    let id = create(&provider, r#"{"prompt": "a mountain", "seconds": 300}"#).await.expect("taken");
    provider.cancel(&id).await.expect("told");
    let end = end(&provider, &id).await;
    assert!(matches!(end.status, Status::Canceled | Status::Aborted), "{end:?}");
    server.wait_until("READY");
}

#[tokio::test]
async fn pitfall_49_a_server_that_dies_in_the_middle_is_a_fault_of_the_platform() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let mut server = Server::start(generation, "paint");
        let provider = server.provider();
        let id = create(&provider, r#"{"prompt": "a storm", "seconds": 300}"#).await.expect("taken");
        running(&provider, &id).await;
        server.kill();
        let failed = end(&provider, &id).await;
        let (status, words) = error(&failed);
        assert_eq!(status, Status::Failed);
        assert!(words.starts_with("prediction interrupted: "), "{words}");
        assert_eq!(castline_core::prediction::classify(words), castline_core::request::FailureKind::Platform);
        assert!(matches!(create(&provider, r#"{"prompt": "x"}"#).await, Err(CallFault::NotSent { .. })));
    }
}

#[tokio::test]
async fn a_worker_that_dies_fails_its_prediction_and_no_other_waits_for_it() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let mut server = Server::start(generation, "paint");
        let provider = server.provider();
        let failed = run(&provider, r#"{"prompt": "x", "trouble": "crash"}"#).await;
        assert_eq!(failed.status, Status::Failed);
        if generation == Newer {
            server.wait_until("UNHEALTHY");
        }
        match create(&provider, r#"{"prompt": "x"}"#).await {
            // The older one leaves after that.
            Err(CallFault::Server { refused: true, .. } | CallFault::NotSent { .. }) => {}
            other => panic!("{generation:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn by_webhook_a_prediction_ends_as_on_the_line() {
    if !installed() {
        return;
    }
    let mut server = Server::start(Newer, "paint");
    let provider = server.provider_by_webhook();
    let snapshot = run(&provider, r#"{"prompt": "a letter", "size": 32, "seconds": 0.2}"#).await;
    assert_eq!(size_of(&provider, &snapshot).await, (32, 32));
    let failed = run(&provider, r#"{"prompt": "fog", "trouble": "fail"}"#).await;
    assert_eq!(error(&failed), (Status::Failed, "ValueError: there is no color for fog"));
    let id = create(&provider, r#"{"prompt": "a mountain", "seconds": 300}"#).await.expect("taken");
    running(&provider, &id).await;
    provider.cancel(&id).await.expect("told");
    assert_eq!(end(&provider, &id).await.status, Status::Canceled);
    server.wait_until("READY");
}

#[tokio::test]
async fn pitfall_32_no_webhook_is_waited_for_from_a_server_that_is_gone() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let mut server = Server::start(generation, "paint");
        let provider = server.provider_by_webhook();
        let id = create(&provider, r#"{"prompt": "a storm", "seconds": 300}"#).await.expect("taken");
        running(&provider, &id).await;
        server.kill();
        let failed = end(&provider, &id).await;
        let (status, words) = error(&failed);
        assert_eq!(status, Status::Failed);
        assert!(words.starts_with("prediction interrupted: cannot reach 127.0.0.1:"), "{words}");
    }
}

#[tokio::test]
async fn the_older_generation_names_a_path_by_webhook_and_that_is_said() {
    if !installed() {
        return;
    }
    let server = Server::start(Older, "paint");
    let failed = run(&server.provider_by_webhook(), r#"{"prompt": "x", "size": 16}"#).await;
    let (status, words) = error(&failed);
    assert_eq!(status, Status::Failed);
    assert!(words.contains("on its own disk instead of the file"), "{words}");
}

#[tokio::test]
async fn pitfall_50_an_attempt_left_behind_is_waited_for_and_not_run_again() {
    if !installed() {
        return;
    }
    let server = Server::start(Newer, "paint");
    let before = server.provider_by_webhook();
    let left = create(&before, r#"{"prompt": "x", "seconds": 2}"#).await.expect("taken");
    running(&before, &left).await;
    let provider = server.provider();
    let id = create_after(&provider, r#"{"prompt": "y"}"#, Some(&left)).await.expect("taken");
    let first = async {
        let end = end(&before, &left).await;
        (end.status, Instant::now())
    };
    let second = async {
        let end = end(&provider, &id).await;
        (end.status, Instant::now())
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.0, second.0), (Status::Succeeded, Status::Succeeded));
    assert!(first.1 < second.1);
}

const PAINT: &str = r"castline: 1
name: paint
task: text-to-image
model: studio/paint

input:
  type: object
  additionalProperties: false
  required: [prompt]
  properties:
    prompt: { type: string }
    size: { type: integer, minimum: 16, maximum: 1024, default: 128 }

output: { type: image }
";

const ENLARGE: &str = r"castline: 1
name: enlarge
task: upscale
model: studio/enlarge

input:
  type: object
  additionalProperties: false
  required: [image]
  properties:
    image: { type: image }
    scale: { type: integer, minimum: 1, maximum: 4, default: 2 }

output: { type: image }

ports: { image: image }
";

const FLOW: &str = r#"castline: 1
name: postcard

steps:
  sketch:
    uses: paint
    with: { prompt: "{{ each.scene }}", size: 96 }
    each: { scene: [a paper boat, a lighthouse, a red kite] }
  postcard:
    uses: enlarge
    from: sketch
    with: { scale: 2 }
    save: "{{ each.scene }}"

outputs:
  postcards: "{{ steps.postcard.all.image }}"
"#;

#[test]
fn a_workflow_chains_two_servers_one_on_the_line_and_one_by_webhook() {
    if !installed() {
        return;
    }
    let (paint, enlarge) = (Server::start(Newer, "paint"), Server::start(Newer, "enlarge"));
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let project = format!(
        "castline: 1\nprovider: studio\nproviders:\n  studio: {{ kind: cog, base_url: \"{}\", models: [studio/paint] }}\n  \
         press: {{ kind: cog, base_url: \"{}\", models: [studio/enlarge], webhook: \"127.0.0.1:{}\", parallel: 1 }}\n",
        paint.base_url(),
        enlarge.base_url(),
        free_port()
    );
    fs::create_dir(root.join("presets")).expect("made");
    for (name, text) in [
        ("castline.yaml", project.as_str()),
        ("presets/paint.yaml", PAINT),
        ("presets/enlarge.yaml", ENLARGE),
        ("flow.yaml", FLOW),
    ] {
        fs::write(root.join(name), text).expect("written");
    }
    let run = || {
        let said = succeeds(root, &["run", "flow.yaml", "--json", "--yes"]);
        serde_json::from_str::<Json>(&said).expect("one object on stdout")
    };
    let record = run();
    assert_eq!(record["status"], "succeeded");
    let steps = |record: &Json| record["steps"].as_array().expect("legs").clone();
    assert!(steps(&record).iter().all(|step| step["reused"] == false));
    let by = |provider: &str| steps(&record).iter().filter(|step| step["provider"] == provider).count();
    assert_eq!((by("studio"), by("press")), (3, 3));
    let mut pictures: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root.join("out/postcard/postcards")).expect("outputs") {
        pictures.push(entry.expect("readable").path());
    }
    assert_eq!(pictures.len(), 3, "{pictures:?}");
    for picture in pictures {
        let size = imagesize::size(&picture).expect("a picture");
        // Twice as large, in a frame.
        assert_eq!((size.width, size.height), (204, 204));
    }
    assert!(steps(&run()).iter().all(|step| step["reused"] == true));
}

/// Runs castline in a folder. What it prints.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(CASTLINE)
        .args(arguments)
        .current_dir(folder)
        .env_remove("CASTLINE_PROVIDER")
        .env("NO_COLOR", "1")
        .output()
        .expect("castline runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_server_describes_its_model_and_the_preset_of_that_runs_there() {
    if !installed() {
        return;
    }
    for generation in [Newer, Older] {
        let server = Server::start(generation, "paint");
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let url = server.base_url();
        let project = format!(
            "castline: 1\nproviders:\n  studio: {{ kind: cog, base_url: \"{url}\", models: [studio/paint] }}\n"
        );
        fs::write(root.join("castline.yaml"), project).expect("written");
        let castline = |arguments: &[&str]| succeeds(root, arguments);
        castline(&["preset", "import", &url]);
        let preset = fs::read_to_string(root.join("presets/paint.yaml")).expect("written");
        let says = |words: &str| assert!(preset.contains(words), "{generation:?}: {words} in {preset}");
        says("\nmodel: studio/paint\n");
        says("\n  required: [prompt]\n");
        says("\n      minimum: 16\n");
        says("\n      enum: [none, fail, crash]\n");
        castline(&["preset", "check"]);
        let record: Json =
            serde_json::from_str(&castline(&["predict", "paint", "prompt=a kite", "size=32", "--json"]))
                .expect("JSON");
        assert_eq!(
            (&record["status"], &record["steps"][0]["provider"]),
            (&"succeeded".into(), &"studio".into())
        );
        // It asks the server that claims the model.
        assert!(castline(&["preset", "refresh"]).contains("the host says the same"));
    }
}
