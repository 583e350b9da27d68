//! Libraries in registries: one written here that asks for a login in both ways in which real
//! ones do, and Debian's where it is installed.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use castline_library::{Tree, document};
use castline_spec::library::OciPlace;
use futures_util::StreamExt;

use common::{Place, library, serve};

/// How a registry asks who is there.
#[derive(Clone, Copy, PartialEq)]
enum Auth {
    Basic,
    Bearer,
}

#[derive(Clone)]
struct Server {
    address: SocketAddr,
    auth: Auth,
    /// Blobs and manifests, by the end of their path.
    kept: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// What happens to a blob on its way: nothing, a changed byte, or an end in the middle.
    harm: Arc<Mutex<Harm>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Harm {
    None,
    ChangedByte,
    DiesInTheMiddle,
}

impl Server {
    fn start(auth: Auth) -> Self {
        let (kept, harm) = (Arc::default(), Arc::new(Mutex::new(Harm::None)));
        let of = |address| Self { address, auth, kept: Arc::clone(&kept), harm: Arc::clone(&harm) };
        let address = serve(|address| Router::new().fallback(answer).with_state(of(address)));
        of(address)
    }

    fn challenge(&self) -> String {
        match self.auth {
            Auth::Basic => "Basic realm=\"here\"".to_owned(),
            Auth::Bearer => format!("Bearer realm=\"http://{}/token\",service=\"here\"", self.address),
        }
    }

    fn admits(&self, headers: &HeaderMap, method: &Method) -> bool {
        let said = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match self.auth {
            Auth::Basic => said == basic("anna", "right"),
            Auth::Bearer if *method == Method::GET => said.starts_with("Bearer pull"),
            Auth::Bearer => said == "Bearer pull,push",
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

async fn answer(State(server): State<Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let body = to_bytes(body, 1 << 26).await.expect("short").to_vec();
    if path == "/token" {
        let said = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        if said != Some(&basic("anna", "right")) {
            return plain(StatusCode::UNAUTHORIZED);
        }
        let scope = if query.contains("push") { "pull,push" } else { "pull" };
        return Response::new(Body::from(format!("{{\"token\": \"{scope}\"}}")));
    }
    if !server.admits(&head.headers, &head.method) {
        let mut answer = plain(StatusCode::UNAUTHORIZED);
        answer.headers_mut().insert("www-authenticate", server.challenge().parse().expect("a header"));
        return answer;
    }
    let end = path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut kept = server.kept.lock().expect("nobody panics");
    if path.ends_with("/blobs/uploads/") {
        let mut answer = plain(StatusCode::ACCEPTED);
        answer.headers_mut().insert("location", "/v2/team/presets/uploads/1?x=y".parse().expect("a header"));
        return answer;
    }
    match (head.method.as_str(), kept.get(&end)) {
        ("PUT", _) if path.ends_with("/uploads/1") => {
            let digest = query.split("digest=").nth(1).expect("a digest").replace("%3A", ":");
            kept.insert(digest, body);
            plain(StatusCode::CREATED)
        }
        ("PUT", _) => {
            kept.insert(digest(&body), body.clone());
            kept.insert(end, body);
            plain(StatusCode::CREATED)
        }
        (_, None) => plain(StatusCode::NOT_FOUND),
        ("HEAD", Some(_)) => plain(StatusCode::OK),
        (_, Some(bytes)) => {
            let mut bytes = bytes.clone();
            let harm = *server.harm.lock().expect("nobody panics");
            match harm {
                Harm::ChangedByte if path.contains("/blobs/") => *bytes.last_mut().expect("some") ^= 1,
                Harm::DiesInTheMiddle if path.contains("/blobs/") => {
                    let half = Ok(bytes[..bytes.len() / 2].to_vec());
                    let dead = async {
                        // The server sends what it has as soon as it has to wait.
                        for _ in 0..16 {
                            tokio::task::yield_now().await;
                        }
                        Err(std::io::Error::other("it died"))
                    };
                    let halves = futures_util::stream::iter([half]).chain(futures_util::stream::once(dead));
                    let mut answer = Response::new(Body::from_stream(halves));
                    answer.headers_mut().insert("content-length", bytes.len().into());
                    return answer;
                }
                _ => {}
            }
            Response::new(Body::from(bytes))
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

/// Keeps a login for a host as `docker login` does.
fn log_in(place: &Place, host: &str, password: &str) {
    let auth = BASE64_STANDARD.encode(format!("anna:{password}"));
    let config = format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{auth}\"}}}}}}");
    common::write(&place.beside("docker/config.json"), &config);
}

/// Pushes a library. Returns the digest of its manifest.
fn push(place: &Place, to: &str) -> String {
    library(&place.beside("brand"), "brand", "1", "");
    let tree = Tree::of_folder(&place.beside("brand"), "the library").expect("fine");
    let library = document(&tree, "brand").expect("fine");
    let to: OciPlace = to.parse().expect("a place");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(place.registry.push(&to, &tree, &library)).unwrap_or_else(|e| panic!("{e}"))
}

fn forget(place: &Place) {
    let _ = fs::remove_dir_all(place.root().join(".castline"));
}

fn goes_and_comes(host: &str, password: &str) {
    let mut place = Place::new();
    log_in(&place, host, password);
    let digest = push(&place, &format!("{host}/team/presets:1.4"));
    // What is there already is not sent again.
    assert_eq!(push(&place, &format!("{host}/team/presets:1.4")), digest);
    let by_tag = place.lock(&format!("{{brand: {{oci: '{host}/team/presets:1.4'}}}}"), &[]);
    assert_eq!(by_tag.pins["brand"].manifest.as_deref(), Some(digest.as_str()));
    let tree = Tree::of_folder(&place.beside("brand"), "the library").expect("fine");
    assert_eq!(by_tag.pins["brand"].digest, tree.digest());
    let by_digest = place.resolve(&format!("{{brand: {{oci: '{host}/team/presets@{digest}'}}}}"), &[]);
    assert_eq!(by_digest.unwrap_or_else(|e| panic!("{e}")).trees["brand"], tree);
    // A tag that means something else by now changes nothing.
    fs::write(place.beside("brand/presets/hero.yaml"), "extends: flux-dev\n").expect("written");
    let second = {
        let tree = Tree::of_folder(&place.beside("brand"), "the library").expect("fine");
        let to: OciPlace = format!("{host}/team/presets:1.4").parse().expect("a place");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let library = document(&tree, "brand").expect("fine");
        runtime.block_on(place.registry.push(&to, &tree, &library)).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_ne!(second, digest);
    forget(&place);
    let libraries = format!("{{brand: {{oci: '{host}/team/presets:1.4'}}}}");
    assert_eq!(place.lock(&libraries, &[]).pins, by_tag.pins);
    assert_eq!(place.lock(&libraries, &["brand"]).pins["brand"].manifest.as_deref(), Some(second.as_str()));
    let missing = place.fails(&format!("{{brand: {{oci: '{host}/team/presets:9'}}}}"));
    assert!(missing.contains("404"), "{missing}");
}

#[test]
fn a_library_goes_to_a_registry_with_a_password_and_comes_back() {
    goes_and_comes(&Server::start(Auth::Basic).address.to_string(), "right");
}

#[test]
fn a_library_goes_to_a_registry_with_a_token_server_and_comes_back() {
    goes_and_comes(&Server::start(Auth::Bearer).address.to_string(), "right");
}

#[test]
fn a_wrong_password_and_none_are_refused_and_not_shown() {
    for auth in [Auth::Basic, Auth::Bearer] {
        let server = Server::start(auth);
        let place = Place::new();
        let libraries = format!("{{brand: {{oci: '{}/team/presets:1'}}}}", server.address);
        let none = place.fails(&libraries);
        assert!(none.contains("401"), "{none}");
        log_in(&place, &server.address.to_string(), "wrong-geheim");
        let wrong = place.fails(&libraries);
        assert!(wrong.contains("401") && !wrong.contains("geheim"), "{wrong}");
    }
}

/// Fetches a library to which this happens on the way.
fn fails_by(harm: Harm) -> (Place, String) {
    let server = Server::start(Auth::Basic);
    let place = Place::new();
    log_in(&place, &server.address.to_string(), "right");
    push(&place, &format!("{}/team/presets:1", server.address));
    forget(&place);
    *server.harm.lock().expect("nobody panics") = harm;
    let error = place.fails(&format!("{{brand: {{oci: '{}/team/presets:1'}}}}", server.address));
    (place, error)
}

#[test]
fn one_changed_byte_in_the_registry_is_refused_with_both_digests() {
    let (place, error) = fails_by(Harm::ChangedByte);
    assert!(error.starts_with("the archive of") && error.matches("sha256:").count() == 2, "{error}");
    assert!(!place.root().join(".castline").exists());
}

#[test]
fn another_manifest_under_a_digest_is_refused_with_both_digests() {
    let server = Server::start(Auth::Basic);
    let place = Place::new();
    log_in(&place, &server.address.to_string(), "right");
    let digest = push(&place, &format!("{}/team/presets:1", server.address));
    server.kept.lock().expect("nobody panics").get_mut(&digest).expect("it is there").push(b' ');
    let error = place.fails(&format!("{{brand: {{oci: '{}/team/presets@{digest}'}}}}", server.address));
    assert!(error.contains(&digest) && error.matches("sha256:").count() >= 2, "{error}");
}

#[test]
fn a_registry_that_dies_in_the_middle_leaves_nothing() {
    let (place, error) = fails_by(Harm::DiesInTheMiddle);
    assert!(error.contains("stopped in the middle"), "{error}");
    assert!(!place.root().join(".castline").exists());
}

/// Debian's registry, ended with the test.
struct Debian {
    process: Child,
    address: String,
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `anna` and `right`, as `htpasswd -B` writes it.
const HTPASSWD: &str = "anna:$2y$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC\n";

#[test]
fn a_library_goes_to_the_registry_of_debian_and_comes_back() {
    if Command::new("docker-registry").arg("--version").output().is_err() {
        let needed = std::env::var("CASTLINE_NEED_REGISTRY").is_ok_and(|need| need == "1");
        assert!(!needed, "there is no docker-registry: run `.ci/debian docker-registry`");
        eprintln!("skipped: docker-registry is not installed; `.ci/debian docker-registry` does that");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("htpasswd"), HTPASSWD).expect("written");
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n\
         auth: {{htpasswd: {{realm: here, path: {}}}}}\n",
        at("data").display(),
        at("htpasswd").display()
    );
    fs::write(at("config.yml"), config).expect("written");
    let process = Command::new("docker-registry")
        .arg("serve")
        .arg(at("config.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let registry = Debian { process, address };
    let end = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(&registry.address).is_err() {
        assert!(Instant::now() < end, "the registry does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    goes_and_comes(&registry.address, "right");
}
