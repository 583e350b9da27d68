//! Libraries from folders and from git: over the file system, and over HTTP with git's own server.

mod common;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use common::{Place, commit, git, library, serve, write};

#[test]
fn a_folder_is_what_it_is_now() {
    let mut place = Place::new();
    library(&place.beside("brand"), "brand", "1", "");
    let first = place.lock("{brand: {path: ../brand}}", &[]);
    assert_eq!(first.pins["brand"].version, "1");
    assert!(place.shelf.open("brand", &first.pins["brand"].digest).is_ok());
    write(&place.beside("brand/presets/hero.yaml"), "extends: flux-dev\n");
    let second = place.lock("{brand: {path: ../brand}}", &[]);
    assert_ne!(first.pins["brand"].digest, second.pins["brand"].digest);
}

#[test]
fn a_repository_stays_at_its_commit_until_it_is_updated() {
    let mut place = Place::new();
    let repository = place.beside("brand");
    library(&repository, "brand", "1", "");
    let first = commit(&repository);
    git(&repository, &["tag", "-a", "v1", "-m", "x"]);
    let at = |rev: &str| format!("{{brand: {{git: 'file://{}'{rev}}}}}", repository.display());
    let locked = place.lock(&at(""), &[]);
    assert_eq!(locked.pins["brand"].commit.as_deref(), Some(first.as_str()));

    library(&repository, "brand", "2", "");
    let second = commit(&repository);
    let same = place.lock(&at(""), &[]);
    assert_eq!(same.pins, locked.pins);
    // What was lost is fetched again, as it was.
    fs::remove_dir_all(place.root().join(".castline")).expect("removed");
    assert_eq!(place.lock(&at(""), &[]).pins, locked.pins);
    assert!(place.shelf.has(&locked.pins["brand"].digest));

    let updated = place.lock(&at(""), &["brand"]);
    assert_eq!(updated.pins["brand"].commit.as_deref(), Some(second.as_str()));
    assert_eq!(updated.pins["brand"].version, "2");
    for rev in [", rev: v1", &format!(", rev: {first}")] {
        assert_eq!(place.lock(&at(rev), &[]).pins["brand"].commit.as_deref(), Some(first.as_str()), "{rev}");
    }
    assert_eq!(place.lock(&at(", rev: main"), &[]).pins["brand"].commit.as_deref(), Some(second.as_str()));
}

#[test]
fn the_folder_of_a_repository_is_the_library_and_a_path_is_an_address() {
    let mut place = Place::new();
    let repository = place.beside("all");
    library(&repository.join("libraries/brand"), "brand", "1", "");
    write(&repository.join("notes.md"), "not of the library");
    commit(&repository);
    let found = place.lock("{brand: {git: ../all, folder: libraries/brand}}", &[]);
    let files: Vec<_> = found.trees["brand"].files().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(files, ["library.yaml", "presets/hero.yaml"]);
    let wrong = place.fails("{brand: {git: ../all, folder: libraries/brant}}");
    assert!(wrong.contains("there is no folder `libraries/brant` in it"), "{wrong}");
    let wrong = place.fails("{brand: {git: ../all}}");
    assert!(wrong.contains("is no library: it has no `library.yaml`"), "{wrong}");
}

#[test]
fn nothing_of_a_repository_runs_and_what_is_no_file_is_refused() {
    let place = Place::new();
    let (repository, other) = (place.beside("brand"), place.beside("other"));
    let ran = place.beside("ran");
    library(&other, "other", "1", "");
    commit(&other);
    library(&repository, "brand", "1", "");
    write(&repository.join(".gitattributes"), "* filter=evil\n");
    commit(&repository);
    git(&repository, &["config", "filter.evil.smudge", &format!("touch {}", ran.display())]);
    for hook in ["post-checkout", "reference-transaction", "pre-upload-pack", "post-merge"] {
        let file = repository.join(".git/hooks").join(hook);
        write(&file, &format!("#!/bin/sh\ntouch {}\n", ran.display()));
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    }
    place.resolve("{brand: {git: ../brand}}", &[]).unwrap_or_else(|e| panic!("{e}"));
    assert!(!ran.exists());

    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", repository.join("presets/secret.txt")).expect("linked");
    git(&repository, &["submodule", "--quiet", "add", &other.display().to_string(), "inner"]);
    commit(&repository);
    let wrong = place.fails("{brand: {git: ../brand}}");
    assert!(wrong.contains("`inner` is another repository"), "{wrong}");
    assert!(wrong.contains("`presets/secret.txt` is a link"), "{wrong}");
}

/// Commits a tree that is there a hundred million times, ten in each that is around it.
fn nested(repository: &Path, innermost: &str) {
    let mktree = |lines: &str| {
        let mut git = Command::new("git")
            .arg("-C")
            .arg(repository)
            .arg("mktree")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git runs");
        git.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
        let output = git.wait_with_output().expect("it ends");
        String::from_utf8(output.stdout).expect("a digest").trim().to_owned()
    };
    let mut tree = mktree(innermost);
    for _ in 0..8 {
        let ten = (0..10).fold(String::new(), |lines, n| lines + &format!("040000 tree {tree}\t{n}\n"));
        tree = mktree(&ten);
    }
    git(repository, &["read-tree", "--empty"]);
    let commit = git(repository, &["commit-tree", "-m", "x", &tree]);
    git(repository, &["update-ref", "HEAD", commit.trim()]);
}

#[test]
fn a_small_repository_that_lists_without_end_is_left() {
    let place = Place::new();
    let repository = place.beside("brand");
    library(&repository, "brand", "1", "");
    commit(&repository);
    let blob = git(&repository, &["rev-parse", "HEAD:library.yaml"]);
    for mode in ["100644", "120000"] {
        let entry = format!("{mode} blob {blob}\t");
        nested(&repository, &format!("{entry}x\n{entry}y\n"));
        let wrong = place.fails("{brand: {git: ../brand}}");
        assert!(wrong.contains("is one file more than 4096"), "{wrong}");
    }
    nested(&repository, "");
    let wrong = place.fails("{brand: {git: ../brand}}");
    assert!(wrong.contains("is one folder more than 4096"), "{wrong}");
}

#[test]
fn libraries_of_libraries_are_pinned_too() {
    let mut place = Place::new();
    let base = place.beside("base");
    library(&base, "base", "1", "");
    let commit = commit(&base);
    let needs = format!("libraries: {{base: {{git: 'file://{}'}}}}\n", base.display());
    library(&place.beside("brand"), "brand", "1", &needs);
    library(&place.beside("shop"), "shop", "1", "libraries: {brand: {path: ../brand}}\n");
    let found = place.lock("{shop: {path: ../shop}}", &[]);
    assert_eq!(found.pins.keys().collect::<Vec<_>>(), ["base", "brand", "shop"]);
    assert_eq!(found.pins["base"].commit, Some(commit));
    assert_eq!(found.pins["brand"].libraries, ["base"]);
}

#[test]
fn two_libraries_of_one_name_are_shown_with_the_ways_to_them() {
    let place = Place::new();
    for version in ["1", "2"] {
        library(&place.beside(&format!("base{version}")), "base", version, "");
    }
    library(&place.beside("brand"), "brand", "1", "libraries: {base: {path: ../base1}}\n");
    library(&place.beside("shop"), "shop", "1", "libraries: {base: {path: ../base2}}\n");
    let error = place.fails("{brand: {path: ../brand}, shop: {path: ../shop}}");
    assert_eq!(
        error,
        "there can be one library `base`, and here are two:\n  castline.yaml -> brand wants ../base1\n  \
         castline.yaml -> shop wants ../base2"
    );
    // Two places that hold the same are one library.
    library(&place.beside("base2"), "base", "1", "");
    assert!(place.resolve("{brand: {path: ../brand}, shop: {path: ../shop}}", &[]).is_ok());
}

#[test]
fn a_library_is_called_what_it_calls_itself() {
    let place = Place::new();
    library(&place.beside("brand"), "brand", "1", "");
    let error = place.fails("{style: {path: ../brand}}");
    assert_eq!(error, "the library in ../brand calls itself `brand`, and is named `style` here");
    write(&place.beside("brand/library.yaml"), "name: brand\n");
    assert!(place.fails("{brand: {path: ../brand}}").contains("`library.yaml` of ../brand is wrong"));
}

/// A repository's history that is not the one that was pinned.
#[test]
fn a_commit_that_is_gone_is_named() {
    let mut place = Place::new();
    let repository = place.beside("brand");
    library(&repository, "brand", "1", "");
    let first = commit(&repository);
    place.lock("{brand: {git: ../brand}}", &[]);
    fs::remove_dir_all(repository.join(".git")).expect("removed");
    library(&repository, "brand", "2", "");
    commit(&repository);
    fs::remove_dir_all(place.root().join(".castline")).expect("removed");
    let error = place.fails("{brand: {git: ../brand}}");
    assert!(error.contains(&first), "{error}");
}

/// Git's own server behind a small one of HTTP.
struct GitServer {
    address: SocketAddr,
}

impl GitServer {
    fn start(root: PathBuf) -> Self {
        Self { address: serve(|_| Router::new().fallback(backend).with_state(root)) }
    }
}

/// `git http-backend` is asked by the rules of CGI.
async fn backend(State(root): State<PathBuf>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("short");
    let header =
        |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut git = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("HTTP_GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git runs");
    let mut stdin = git.stdin.take().expect("a pipe");
    stdin.write_all(&body).expect("it reads");
    drop(stdin);
    let output = git.wait_with_output().expect("it ends").stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let mut answer = Response::new(Body::from(output[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        if name == "Status" {
            let code = value.split(' ').next().and_then(|code| code.parse().ok()).expect("a code");
            *answer.status_mut() = StatusCode::from_u16(code).expect("a code");
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            answer.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
        }
    }
    answer
}

fn bare(place: &Place, name: &str) -> PathBuf {
    let to = place.beside(&format!("served/{name}.git"));
    fs::create_dir_all(to.parent().expect("in a folder")).expect("made");
    let from = place.beside(name).display().to_string();
    git(Path::new("."), &["clone", "--quiet", "--bare", &from, &to.display().to_string()]);
    to
}

#[test]
fn a_repository_is_fetched_over_http() {
    let mut place = Place::new();
    library(&place.beside("brand"), "brand", "1", "");
    let first = commit(&place.beside("brand"));
    git(&place.beside("brand"), &["tag", "v1"]);
    library(&place.beside("brand"), "brand", "2", "");
    let second = commit(&place.beside("brand"));
    bare(&place, "brand");
    let server = GitServer::start(place.beside("served"));
    let at = |rev: &str| format!("{{brand: {{git: 'http://{}/brand.git'{rev}}}}}", server.address);
    assert_eq!(place.lock(&at(""), &[]).pins["brand"].commit, Some(second));
    assert_eq!(place.lock(&at(", rev: v1"), &[]).pins["brand"].commit.as_deref(), Some(first.as_str()));
    // A commit that no branch ends at.
    let by_commit = format!(", rev: {first}");
    assert_eq!(place.lock(&at(&by_commit), &[]).pins["brand"].commit, Some(first));
    let error = place.fails(&at(", rev: v9"));
    assert!(error.contains("v9"), "{error}");
    let error = place.fails(&format!("{{brand: {{git: 'http://{}/none.git'}}}}", server.address));
    assert!(error.contains("cannot be fetched"), "{error}");
}

#[test]
fn what_came_over_http_names_nothing_of_this_machine() {
    let place = Place::new();
    library(&place.beside("secret"), "secret", "1", "");
    library(
        &place.beside("brand"),
        "brand",
        "1",
        &format!("libraries: {{secret: {{path: {}}}}}\n", place.beside("secret").display()),
    );
    commit(&place.beside("brand"));
    bare(&place, "brand");
    let server = GitServer::start(place.beside("served"));
    let error = place.fails(&format!("{{brand: {{git: 'http://{}/brand.git'}}}}", server.address));
    assert!(error.starts_with("library `brand` may not name `/"), "{error}");
}
