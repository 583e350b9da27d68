//! One input for whatever a server answers, over a real socket.
//!
//! The first byte of an input is the call, the second says how the server is and how its answers are
//! written, and the rest is what it answers: to the first question what stands before the first
//! [`NEXT`], and so on; the last answer is given to all questions after it. See [`Habits`] for how
//! one is written.
//!
//! Whatever is answered, the call ends, and before any of its limits. What is said of it to people has
//! a length, and nowhere in it is the token that was sent. No answer leads a call off its route, no
//! download carries the token, and a file that is fetched is in its place and no larger than it may be.
//!
//! Start reading at [`answer`].

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{Artifact, Digest, MediaType, ModelRef, PredictionId, Snapshot, Value};
use castline_provider::cog::{CogOptions, CogProvider};
use castline_provider::http::data_uri::is_data_uri;
use castline_provider::http::{Dialect, HttpOptions, HttpProvider, Limits, Token};
use castline_provider::{CallFault, Create, Fetched, Found, MediaSource, Pong, Search};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Longer inputs say nothing new and take longer.
pub const MOST_BYTES: usize = 64 << 10;
/// Stands between two answers.
pub const NEXT: u8 = 0x1e;
/// Stands in an answer for the time at which it is given.
const NOW: &[u8] = b"@NOW@";
/// What is sent as the token, and never said.
const TOKEN: &str = "r8_Fuzz-Token-0123456789";
/// More characters than these are nothing for people.
const LONGEST: usize = 2_000;
/// The largest output that is fetched.
const MOST_FETCHED: u64 = 4_096;
/// Every limit in time of a call. The server answers at once, so that none is ever reached.
const LIMIT: Duration = Duration::from_secs(6);
/// A whole input takes no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be called, by the first byte; another byte is one of them too.
const CALLS: &[u8] = b"cvdgxslmnpufwtkKqohz";
/// With which status a plain answer comes, by its first byte counted from `0`.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 301, 302, 307, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 500,
    502, 503, 504,
];

/// Makes a call, and gives it these answers.
pub fn answer(input: &[u8]) {
    let [call, habits, rest @ ..] = input else { return };
    if input.len() > MOST_BYTES {
        return;
    }
    let call = if CALLS.contains(call) { *call } else { CALLS[usize::from(*call) % CALLS.len()] };
    let habits = Habits::of(*habits);
    static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(Mutex::default);
    // An input that made it panic before has left nothing behind that counts.
    let mut bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    bench.turn += 1;
    bench.runtime.block_on(async {
        let whole = tokio::time::timeout(PATIENCE, bench.try_call(call, habits, rest)).await;
        whole.expect("every call ends");
    });
    bench.check_asked(call);
}

/// How the server is, and how its answers are written.
#[derive(Debug, Clone, Copy)]
struct Habits {
    dialect: Dialect,
    /// An answer is everything that is sent: status, headers and all. Else its first byte is the
    /// status, and the rest the body.
    raw: bool,
}

impl Habits {
    fn of(byte: u8) -> Self {
        let dialect = match byte | 0x20 {
            b'c' => Dialect::CometApi,
            _ => Dialect::Replicate,
        };
        Self { dialect, raw: byte & 0x20 == 0 }
    }
}

/// A server of canned answers, and who asks it. Both are on one thread.
struct Bench {
    runtime: Runtime,
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    /// Where outputs are fetched to.
    folder: TempDir,
    /// Which input this is. It is part of every address, so that nothing is taken for an answer to
    /// what the input before it asked.
    turn: u64,
}

/// What the server answers, and what it was asked.
#[derive(Default)]
struct Script {
    turn: u64,
    answers: Vec<Vec<u8>>,
    asked: Vec<String>,
}

impl Default for Bench {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let script = Arc::new(Mutex::default());
        runtime.spawn(listen(listener, Arc::clone(&script)));
        Self { runtime, address, script, folder: tempfile::tempdir().expect("a folder"), turn: 0 }
    }
}

async fn listen(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&script)));
    }
}

/// Reads one request, answers it, and ends the connection.
async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let answer = {
        let mut script = lock(&script);
        let asked = String::from_utf8_lossy(&bytes).into_owned();
        if !asked.contains(&format!(" /{}/", script.turn)) && !asked.contains(" /elsewhere") {
            return;
        }
        script.asked.push(asked);
        let nth = script.asked.len().min(script.answers.len());
        script.answers[nth - 1].clone()
    };
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

/// True when a request is there with its body.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    bytes.len() >= end + 4 + length.unwrap_or(0)
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    async fn try_call(&self, call: u8, habits: Habits, rest: &[u8]) {
        let mut parts = rest.splitn(2, |byte| *byte == NEXT);
        let (first, answers) = match call {
            // The first is not an answer, but what is fetched.
            b'w' => (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()),
            _ => (&[][..], rest),
        };
        let answers: Vec<_> = answers.split(|byte| *byte == NEXT).map(|one| written(one, habits)).collect();
        let fetches = b"fw".contains(&call);
        let leads_away = fetches && answers.iter().any(|answer| self.leads_away(answer));
        *lock(&self.script) = Script { turn: self.turn, answers, asked: Vec::new() };
        if leads_away {
            return;
        }
        match call {
            b'c' | b'v' | b'd' => self.create(call, habits).await,
            b's' => check(self.http(habits).search(&Self::search()).await, found),
            b'f' | b't' | b'w' => self.fetch(call, habits, first, rest).await,
            b'k' | b'K' | b'q' | b'o' | b'h' | b'z' => self.ask_cog(call).await,
            _ => self.ask(call, habits).await,
        }
    }

    async fn ask(&self, call: u8, habits: Habits) {
        let provider = self.http(habits);
        let model = |text: &str| text.parse::<ModelRef>().expect("a model");
        let id = PredictionId("p1".to_owned());
        match call {
            b'g' => check(provider.get(&id).await, |found| {
                assert_eq!(found.id, id, "it answers for another one");
                snapshot(&found);
            }),
            b'x' => check(provider.cancel(&id).await, |()| {}),
            b'l' => check(provider.latest_version(&model("acme/paint")).await, |version| {
                let whole = format!("acme/paint:{version}");
                assert_eq!(whole.parse::<ModelRef>().map(|m| m.to_string()).ok(), Some(whole), "no version");
            }),
            b'm' => check(provider.describe(&model("acme/paint")).await, |said| {
                words(said.description.as_deref());
            }),
            b'n' => check(provider.describe(&model("acme/paint:3f0e")).await, |said| {
                words(said.description.as_deref());
            }),
            b'p' => check(provider.ping().await, pong),
            _ => check(provider.upload(&picture(), &Picture).await, |link| {
                assert!(
                    ["http://", "https://"].iter().any(|scheme| link.url.starts_with(scheme)),
                    "{link:?}"
                );
            }),
        }
    }

    /// Creates a prediction, then asks for what it was called, and has that canceled.
    async fn create(&self, call: u8, habits: Habits) {
        let model: ModelRef = match call {
            b'v' => "acme/paint:3f0e",
            _ => "acme/paint",
        }
        .parse()
        .expect("a model");
        let input = input();
        let deployment = (call == b'd').then_some("acme/fast");
        let create = Create { deployment, ..Create::new(&model, &input, PICTURES) };
        let provider = self.http(habits);
        let made = provider.create(&create, &Picture).await;
        if let Ok(Snapshot { id, .. }) = &made {
            let base = format!("/{}/v1/predictions/", self.turn);
            check(provider.get(id).await, |found| snapshot(&found));
            self.check_route("GET", &base, "", id);
            if provider.capabilities().cancel {
                check(provider.cancel(id).await, |()| {});
                self.check_route("POST", &base, "/cancel", id);
            }
        }
        check(made, |made| snapshot(&made));
    }

    /// Downloads an output.
    async fn fetch(&self, call: u8, habits: Habits, path: &[u8], text: &[u8]) {
        let uri = match call {
            b'f' => format!("http://{}/{}/out/a.png", self.address, self.turn),
            b'w' => format!("http://{}/{}/{}", self.address, self.turn, String::from_utf8_lossy(path)),
            _ => String::from_utf8_lossy(text).into_owned(),
        };
        // Nobody else is asked, whatever stands in the input.
        let plain: String = uri.chars().filter(char::is_ascii_graphic).take(4).collect();
        if call == b't' && !is_data_uri(&uri) && plain.eq_ignore_ascii_case("http") {
            return;
        }
        let to = self.folder.path().join("output");
        let fetched = match habits.dialect {
            Dialect::Replicate => self.http(habits).fetch(&uri, &to).await,
            // It has the same downloads.
            Dialect::CometApi => self.cog().fetch(&uri, &to).await,
        };
        let there = fs::read_dir(self.folder.path()).expect("readable");
        let there: Vec<PathBuf> = there.map(|entry| entry.expect("readable").path()).collect();
        let sizes: Vec<_> = there.iter().map(|path| fs::metadata(path).map(|meta| meta.len()).ok()).collect();
        there.iter().for_each(|path| fs::remove_file(path).expect("a file"));
        match &fetched {
            Ok(Fetched { bytes }) => {
                assert_eq!((there, sizes), (vec![to], vec![Some(*bytes)]), "it is not where it should be");
                assert!((1..=MOST_FETCHED).contains(bytes), "{bytes} bytes were fetched");
            }
            Err(_) => assert!(there.is_empty(), "something is left of it: {there:?}"),
        }
        check(fetched, |_| {});
    }

    async fn ask_cog(&self, call: u8) {
        let provider = self.cog();
        let id = PredictionId("p1".to_owned());
        match call {
            b'q' => check(provider.describe().await, |said| words(said.description.as_deref())),
            b'o' => check(provider.openapi().await, |_| {}),
            b'h' => check(provider.ping().await, pong),
            b'z' => check(provider.cancel(&id).await, |()| {}),
            _ => {
                let (model, input) = ("acme/paint".parse().expect("a model"), input());
                let former = (call == b'K').then_some("p0");
                let wish = Create::new(&model, &input, PICTURES);
                // A server that is busy for ever is waited for no longer.
                let cancel_after = Duration::from_millis(120);
                let made = provider.create(&Create { former, cancel_after, ..wish }, &Picture).await;
                let mut last = made.as_ref().ok().cloned();
                while let Some(now) = last.take_if(|now| !now.status.is_terminal()) {
                    match provider.get(&now.id).await {
                        Ok(now) => last = Some(now),
                        Err(fault) => panic!("its end is not known: {fault}"),
                    }
                }
                last.iter().for_each(snapshot);
                check(made, |made| snapshot(&made));
            }
        }
    }

    fn http(&self, habits: Habits) -> HttpProvider {
        let options = HttpOptions {
            name: "acme".into(),
            dialect: habits.dialect,
            base_url: format!("http://{}/{}/v1", self.address, self.turn),
            token: Some(Token::new(TOKEN).expect("a token")),
            token_env: Some("ACME_KEY".to_owned()),
            uploads: true,
            limits: limits(),
        };
        HttpProvider::new(options).expect("a base URL")
    }

    fn cog(&self) -> CogProvider {
        let mut options = CogOptions::new("studio", format!("http://{}/{}/v1", self.address, self.turn));
        options.token = Some(Token::new(TOKEN).expect("a token"));
        options.limits = limits();
        options.setup = Duration::from_millis(80);
        CogProvider::new(options).expect("a base URL")
    }

    fn search() -> Search {
        let now = Timestamp::now();
        Search {
            model: "acme/paint".parse().expect("a model"),
            deployment: None,
            sent: json!({ "prompt": "a red kite", "image": format!("data:{}", picture().digest) }).into(),
            account: None,
            from: now - SignedDuration::from_secs(20),
            until: now,
            clock: Some(SignedDuration::ZERO),
        }
    }

    /// True for an answer that may lead a download to another host, which is not asked.
    fn leads_away(&self, answer: &[u8]) -> bool {
        let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
        text.match_indices("location").any(|(at, _)| {
            let value = text[at..].split_once(':').map_or("", |(_, rest)| rest);
            let value: String = value.lines().next().unwrap_or_default().replace('\t', "");
            let to = value.trim();
            let stays = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\");
            !stays && !to.starts_with(&format!("http://{}/", self.address))
        })
    }

    /// The last question was about this prediction and nothing else.
    fn check_route(&self, method: &str, base: &str, end: &str, id: &PredictionId) {
        let script = lock(&self.script);
        let line = script.asked.last().and_then(|asked| asked.lines().next()).unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let part = path.strip_prefix(base).and_then(|rest| rest.strip_suffix(end)).unwrap_or_default();
        let one = !part.is_empty() && !part.contains(['/', '?', '#']);
        assert!(one && line.starts_with(method), "{id:?} leads off its route: {line}");
    }

    /// Who was asked what.
    fn check_asked(&self, call: u8) {
        for asked in &lock(&self.script).asked {
            let has_header = asked.to_ascii_lowercase().contains("\r\nauthorization:");
            let carries = asked.contains(TOKEN) || has_header;
            // An address that the server itself made may hold whatever the server knows.
            let below = asked.split_once("\r\n").map_or("", |(_, below)| below);
            match b"fw".contains(&call) {
                true => {
                    assert!(!has_header && !below.contains(TOKEN), "a download carries the token:\n{asked}");
                }
                false => assert!(
                    carries && asked.contains(&format!(" /{}/v1/", self.turn)),
                    "a call leads off its route, or goes without the token:\n{asked}"
                ),
            }
        }
    }
}

/// An answer as it is sent.
fn written(answer: &[u8], habits: Habits) -> Vec<u8> {
    let now = Timestamp::now();
    let answer = replaced(answer, NOW, now.to_string().as_bytes());
    if habits.raw {
        return answer;
    }
    let (status, body) = answer.split_first().unwrap_or((&b'0', &[]));
    let status = STATUSES[usize::from(status.wrapping_sub(b'0')) % STATUSES.len()];
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let head = format!(
        "HTTP/1.1 {status} .\r\nconnection: close\r\ndate: {date}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

const PICTURES: OutputShape = OutputShape { kind: OutputKind::Image, many: true };

/// A file that is sent, by its first bytes a PNG.
struct Picture;

const BYTES: &[u8] = b"\x89PNG\r\n\x1a\n";

impl MediaSource for Picture {
    fn read(&self, _: &Artifact) -> std::io::Result<Vec<u8>> {
        Ok(BYTES.to_vec())
    }
}

fn picture() -> Artifact {
    Artifact {
        digest: Digest::of(BYTES),
        media_type: MediaType::new("image/png"),
        bytes: BYTES.len() as u64,
        width: None,
        height: None,
    }
}

fn input() -> IndexMap<String, Value> {
    [("prompt", Value::from("a red kite")), ("image", Value::Media(picture()))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn limits() -> Limits {
    Limits {
        connect: LIMIT,
        create: LIMIT,
        get: LIMIT,
        upload: LIMIT,
        idle: LIMIT,
        download: LIMIT,
        output_bytes: MOST_FETCHED,
        ..Limits::default()
    }
}

/// What came of a call.
fn check<T>(outcome: Result<T, CallFault>, fine: impl FnOnce(T)) {
    match outcome {
        Ok(answer) => fine(answer),
        Err(fault) => {
            let late = ["no whole answer within", "nothing came for", "was not there as a whole after"];
            let message = fault.to_string();
            // The server may say the same words: these are at the end, and only where they are castline's.
            let ours = matches!(fault, CallFault::Lost { .. } | CallFault::BadOutput { .. });
            let limit = format!(" {} s", LIMIT.as_secs());
            let waited = ours && late.iter().any(|late| message.ends_with(&format!("{late}{limit}")));
            assert!(!waited, "it waited: {message}");
            said(&message);
            without_token(&format!("{fault:?}"));
        }
    }
}

/// Somebody else's words, for people.
fn said(words: &str) {
    without_token(words);
    let (length, begin) = (words.chars().count(), words.chars().take(200).collect::<String>());
    assert!(length <= LONGEST, "{length} characters are said: {begin:?}");
}

fn words(words: Option<&str>) {
    words.into_iter().for_each(without_token);
}

fn without_token(words: &str) {
    assert!(!words.contains(TOKEN), "the token is said: {words:?}");
}

#[expect(clippy::needless_pass_by_value, reason = "what a call answers is looked at and done with")]
fn pong(pong: Pong) {
    said(&pong.about);
}

#[expect(clippy::needless_pass_by_value, reason = "what a call answers is looked at and done with")]
fn found(found: Found) {
    found.incomplete.iter().for_each(|why| said(why));
    found.candidates.iter().for_each(|one| is_id(&one.id));
}

fn snapshot(found: &Snapshot) {
    is_id(&found.id);
    for words in [&found.error, &found.logs].into_iter().flatten() {
        without_token(words);
    }
    without_token(&format!("{:?}", found.status));
}

fn is_id(id: &PredictionId) {
    assert!(!["", ".", ".."].contains(&&*id.0), "{id:?} is no part of a route");
}

/// Bodies of answers, as services were seen to give them, each by a name; `TOKEN` is the token.
const BODIES: &[(&str, &str)] = &[
    (
        "running",
        r#"{"id":"p1","model":"acme/paint","version":"hidden","status":"starting","output":null,"urls":{"get":"https://api.example.com/v1/predictions/p1"}}"#,
    ),
    (
        "done",
        r#"{"id":"p1","status":"succeeded","output":["https://example.com/a.png"],"error":null,"logs":"0%\n100%","metrics":{"predict_time":0.94},"created_at":"2026-05-04T09:15:02.118Z","started_at":"2026-05-04T09:15:02Z","completed_at":"2026-05-04T09:15:04Z"}"#,
    ),
    ("data", r#"{"id":"p1","status":"succeeded","output":"data:image/png;base64,iVBORw0KGgo="}"#),
    (
        "failed",
        r#"{"id":"p1","status":"failed","error":"bad key TOKEN, data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","logs":"token r8%5fFuzz-Token-0123456789"}"#,
    ),
    (
        "failed-object",
        r#"{"id":"p1","status":"failed","error":{"detail":"no \u001b[31m TOKEN"},"data_removed":true}"#,
    ),
    ("dots", r#"{"id":".\t.","status":"starting"}"#),
    ("odd-id", r#"{"id":"a/../b?c#d\u0000%2e%2e","status":"warming TOKEN"}"#),
    (
        "task",
        r#"{"code":"success","data":{"task_id":"t1","status":"SUCCESS","progress":"100%","fail_reason":"","data":{"id":"p1","status":"succeeded","output":"https://x/out.png","logs":""}}}"#,
    ),
    ("task-alone", r#"{"data":{"task_id":"t1","status":"NOT_START","data":null}}"#),
    (
        "task-failed",
        r#"{"data":{"status":"FAILURE","fail_reason":"flagged (E005) TOKEN","data":{"status":"failed","error":null}}}"#,
    ),
    ("problem", r#"{"title":"Unauthenticated","detail":"Bad token TOKEN.","status":401}"#),
    ("throttled", r#"{"detail":"Throttled. Your rate limit resets in ~30s.","retry_after":5}"#),
    (
        "openai",
        r#"{"error":{"message":"no good (request id: 2026-abc)","type":"api_error","code":"invalid_request"}}"#,
    ),
    ("quota", r#"{"error":{"message":"none left","code":"insufficient_user_quota"}}"#),
    (
        "fastapi",
        r#"{"detail":[{"loc":["body","input","steps"],"msg":"9 is too large"},{"loc":["body",0],"msg":"TOKEN"}]}"#,
    ),
    (
        "page",
        "<!doctype html><html><head><title>413</title></head><body><h1>Too\nlarge: r8_Fuzz<b>-Token-</b>0123456789</h1></body></html>",
    ),
    ("words", "upstream timed out, TOKEN\n"),
    (
        "list",
        r#"{"results":[{"id":"p1","model":"acme/paint","version":"hidden","source":"api","status":"succeeded","created_at":"@NOW@","input":{"prompt":"a red kite","image":"data:image/png;base64,iVBORw0KGgo="}},{"id":"p2","model":"acme/paint","created_at":"@NOW@","input":{"prompt":"a red kite","image":"https://x/y","steps":4}},{"id":"p3","created_at":"@NOW@","data_removed":true}],"next":"https://api.example.com/v1/predictions?cursor=abc","previous":null}"#,
    ),
    ("list-end", r#"{"results":[{"id":"p4","model":"acme/paint","input":{}}],"next":null}"#),
    (
        "model",
        r#"{"owner":"acme","name":"paint","description":"Paints TOKEN.","is_official":false,"latest_version":{"id":"3f0e","created_at":"2026-05-04T09:15:02Z","openapi_schema":{"openapi":"3.0.2"}}}"#,
    ),
    ("model-bare", r#"{"owner":"acme","name":"paint","latest_version":null}"#),
    (
        "versions",
        r#"{"results":[{"id":"3f0e","created_at":"2026-05-04T09:15:02Z"},{"id":"4a1b","created_at":"2026-06-04T09:15:02Z","openapi_schema":{}}],"next":null}"#,
    ),
    ("account", r#"{"type":"organization","username":"acme","name":"Acme TOKEN"}"#),
    (
        "uploaded",
        r#"{"id":"f1","urls":{"get":"https://api.example.com/v1/files/f1"},"expires_at":"2026-05-05T09:15:02Z"}"#,
    ),
    (
        "ready",
        r#"{"status":"READY","setup":{"started_at":"2026-05-04T09:15:02Z","status":"succeeded","logs":""},"version":{"coglet":"0.23.1"}}"#,
    ),
    (
        "setup-failed",
        r#"{"status":"SETUP_FAILED","setup":{"status":"failed","logs":"loading\nno such weights TOKEN\n"}}"#,
    ),
    ("unhealthy", r#"{"status":"UNHEALTHY","user_healthcheck_error":"no more ink TOKEN"}"#),
    ("busy", r#"{"status":"BUSY"}"#),
    (
        "cog-done",
        r#"{"status":"succeeded","output":["data:image/png;base64,iVBORw0KGgo="],"logs":"TOKEN","metrics":{"predict_time":1}}"#,
    ),
    ("cog-path", r#"{"status":"succeeded","output":"file:///tmp/out.png"}"#),
    ("cog-failed", r#"{"status":"failed","error":"Prediction failed: Prediction failed: no TOKEN"}"#),
    ("cog-page", r#"{"cog_version":"0.9 TOKEN","docs_url":"/docs"}"#),
    ("openapi", r#"{"openapi":"3.0.2","components":{"schemas":{"Input":{"properties":{}}}}}"#),
];

/// Whole answers with what only a raw one has.
const RAW: &[(&str, &str)] = &[
    ("retry", "HTTP/1.1 429 x\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"),
    (
        "retry-date",
        "HTTP/1.1 503 x\r\nretry-after: Wed, 21 Oct 2026 07:28:30 GMT\r\ndate: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n",
    ),
    ("moved", "HTTP/1.1 301 x\r\nlocation: /elsewhere?key=TOKEN\r\ncontent-length: 0\r\n\r\n"),
    (
        "chunked",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n1c\r\n:\"p1\",\"status\":\"processing\"}\r\n0\r\n\r\n",
    ),
    ("short", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\":\"p1\"}"),
    (
        "old",
        "HTTP/1.0 200 OK\r\nage: 7\r\ndate: Mon, 04 May 2026 09:15:04 GMT\r\n\r\n{\"id\":\"p1\",\"status\":\"starting\"}",
    ),
    ("early", "HTTP/1.1 103 x\r\nlink: <a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 x\r\n\r\n<html>TOKEN"),
    ("upgrade", "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\n"),
    (
        "packed",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: image/png\r\ncontent-length: 3\r\n\r\n\x1f\x0b\x08",
    ),
    ("png", "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 7\r\n\r\n.PNG\r\n\n"),
    ("empty", "HTTP/1.1 204 x\r\n\r\n"),
    ("two", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    ("no-http", "SSH-2.0-OpenSSH\r\n"),
    ("nothing", ""),
];

/// What an input may be, each by a name.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add =
        |name: String, input: String| seeds.push((name, input.replace("TOKEN", TOKEN).into_bytes()));
    let next = char::from(NEXT);
    for call in "cvdgxslmnpufkKqohz".chars() {
        for (name, answer) in RAW {
            add(format!("{call}-raw-{name}"), format!("{call}R{answer}"));
        }
        for (name, body) in BODIES {
            add(format!("{call}-{name}"), format!("{call}r0{body}"));
        }
        for status in 2..STATUSES.len() as u8 {
            let (status, body) = (char::from(b'0' + status), BODIES[10 + usize::from(status) % 7].1);
            add(format!("{call}-refused-{}", u32::from(status)), format!("{call}r{status}{body}"));
            add(format!("{call}-comet-{}", u32::from(status)), format!("{call}c{status}{body}"));
        }
    }
    for (name, body) in BODIES.iter().filter(|(name, _)| name.starts_with("task") || *name == "done") {
        for call in ["c", "g"] {
            add(format!("{call}-comet-{name}"), format!("{call}c0{body}"));
        }
    }
    let body = |wanted: &str| BODIES.iter().find(|(name, _)| *name == wanted).expect("it is there").1;
    let list = body("list");
    add("s-pages".to_owned(), format!("sr0{list}{next}0{list}{next}0{}", body("list-end")));
    add("l-versions".to_owned(), format!("lr0{}{next}0{}", body("model-bare"), body("versions")));
    add("m-versions".to_owned(), format!("mr0{}{next}0{}", body("model-bare"), body("versions")));
    for end in ["cog-done", "cog-path", "cog-failed", "busy"] {
        add(format!("k-{end}"), format!("kr0{}{next}0{}", body("ready"), body(end)));
        add(format!("k-refused-{end}"), format!("kr0{}{next}?{}", body("ready"), body(end)));
        let ready = format!("0{}{next}", body("ready"));
        add(format!("K-{end}"), format!("Kr{ready}{ready}0{}{next}0{}", body("openapi"), body(end)));
    }
    add("h-page".to_owned(), format!("hr0{}{next}0{}", body("busy"), body("cog-page")));
    add("w-path".to_owned(), format!("wr../a%2e/{}?key=TOKEN#x{next}0picture", "long".repeat(20)));
    for uri in [
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:,a%20b%zz",
        "data:;base64,a",
        "ftp://x",
        "data:text/html,<html>",
    ] {
        add(format!("t-{}", uri.len()), format!("tr{uri}"));
    }
    seeds
}

/// What means something to whoever reads answers.
pub const WORDS: &[&[u8]] = &[
    TOKEN.as_bytes(),
    b"r8_Fuzz",
    b"%72%38",
    b"\\u0072\\u0038",
    NOW,
    &[NEXT],
    b"{\"",
    b"\":",
    b"\"",
    b"null",
    b"[]",
    b"{}",
    b"[{",
    b"}]",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\"id\":\"",
    b"\"status\":\"",
    b"succeeded",
    b"failed",
    b"processing",
    b"\"output\":",
    b"\"error\":",
    b"\"logs\":",
    b"\"detail\":",
    b"\"title\":",
    b"\"message\":",
    b"\"code\":",
    b"\"data\":{",
    b"\"results\":[",
    b"\"next\":\"",
    b"\"created_at\":\"",
    b"\"input\":{",
    b"data:",
    b";base64,",
    b"https://",
    b"..",
    b"/",
    b"\\u0000",
    b"\\u001b[2J",
    b"\xff",
    b"<html>",
    b"<",
    b">",
    b"\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 ",
    b"200",
    b"404",
    b"content-length: ",
    b"location: /",
    b"retry-after: ",
    b"date: ",
    b"transfer-encoding: chunked\r\n",
    b"0\r\n\r\n",
    b" in 9s",
    b"eof",
    b"invalid version",
];
