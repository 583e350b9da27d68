//! What the tests with real parts need.

#![allow(dead_code)] // no test needs all of it

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::Router;
use castline_library::{LibraryError, Pin, Registry, Resolved, Resolver, Shelf, resolve};
use castline_spec::{Project, Source};
use tempfile::TempDir;

/// Serves on this machine, in a thread of its own.
pub fn serve(app: impl FnOnce(SocketAddr) -> Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let address = listener.local_addr().expect("bound");
    let app = app(address);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await.expect("it serves");
        });
    });
    address
}

/// A project, and a folder beside it for everything else.
pub struct Place {
    folder: TempDir,
    pub shelf: Shelf,
    pub registry: Registry,
    pub before: BTreeMap<String, Pin>,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("project");
        fs::create_dir(&root).expect("made");
        let shelf = Shelf::new(&root.join(".castline"), &root.join("vendor"));
        let registry = Registry::new(Some(folder.path().join("docker")));
        Self { folder, shelf, registry, before: BTreeMap::new() }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// A path beside the project.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Resolves what stands under `libraries`, with these libraries anew.
    pub fn resolve(&self, libraries: &str, anew: &[&str]) -> Result<Resolved, LibraryError> {
        let text = format!("libraries: {libraries}");
        let (project, found) = Project::parse(&Source::new("castline.yaml", text));
        assert!(found.list.is_empty(), "{found:?}");
        let wanted = project.expect("a project").libraries;
        let resolver = Resolver {
            root: &self.root(),
            shelf: &self.shelf,
            registry: &self.registry,
            before: &self.before,
            anew: &anew.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(resolve(&resolver, &wanted))
    }

    /// The same, and what it pins is what was pinned before from then on.
    pub fn lock(&mut self, libraries: &str, anew: &[&str]) -> Resolved {
        let found = self.resolve(libraries, anew).unwrap_or_else(|e| panic!("{e}"));
        self.before.clone_from(&found.pins);
        found
    }

    pub fn fails(&self, libraries: &str) -> String {
        self.resolve(libraries, &[]).expect_err("it is refused").to_string()
    }
}

/// Writes a library of one preset.
pub fn library(folder: &Path, name: &str, version: &str, more: &str) {
    write(&folder.join("library.yaml"), &format!("name: {name}\nversion: '{version}'\n{more}"));
    write(&folder.join("presets/hero.yaml"), &format!("extends: flux-schnell # {name} {version}\n"));
}

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

/// Git as nobody has configured it.
pub fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"])
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Anna")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "anna@example.com")))
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a repository of a folder, or adds a commit to it. Returns the commit.
pub fn commit(folder: &Path) -> String {
    if !folder.join(".git").exists() {
        git(folder, &["init", "--quiet"]);
    }
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
    git(folder, &["rev-parse", "HEAD"])
}
