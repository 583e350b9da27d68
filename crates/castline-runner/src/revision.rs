//! A project as it was at a revision of git, in a folder of its own.
//!
//! Git is asked for objects and for nothing else: neither the working tree nor the index is
//! read or written, and no hook, filter or pager runs. Documents and texts are there from the
//! beginning; pictures and the like come when a plan asks for them.
//!
//! Start reading at [`Revision::open`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use castline_core::Digest;
use castline_library::Objects;
use castline_spec::Diagnostics;
use tempfile::TempDir;

use crate::project::{FILE as PROJECT_FILE, Project, absolute, clean, parent, shown};
use crate::trouble::Trouble;

/// What may be a document, or a text that one names.
const TEXTS: &[&str] = &["yaml", "yml", "lock", "csv", "jsonl", "json", "txt", "md"];

/// Larger texts are none that castline reads.
const MOST_TEXT: u64 = 16 << 20;

/// So many links lead from one to the next.
const MOST_LINKS: usize = 16;

/// A project at a revision.
pub(crate) struct Revision {
    /// As the user named it.
    name: String,
    folder: TempDir,
    /// The same without links in it.
    place: PathBuf,
    /// The repository's folder.
    top: PathBuf,
    /// Where its objects of Git LFS are.
    large: PathBuf,
    /// The workflow's path in the repository.
    workflow: String,
    /// Every file of the revision by its path.
    files: BTreeMap<String, Blob>,
    objects: Mutex<Objects>,
}

/// A file of a revision.
struct Blob {
    id: String,
    bytes: u64,
    is_link: bool,
}

impl Revision {
    /// True when a repository around the workflow has a revision of that name.
    pub(crate) fn is_there(workflow: &Path, name: &str) -> bool {
        commit(&parent(&absolute(workflow)), name).is_ok()
    }

    /// Opens a revision of the repository around a workflow.
    pub(crate) fn open(workflow: &Path, name: &str) -> Result<Self, Trouble> {
        let beside = parent(&absolute(workflow));
        let beside = beside.canonicalize().unwrap_or(beside);
        let top = PathBuf::from(ask(&beside, &["rev-parse", "--show-toplevel"])?.map_err(|why| {
            Trouble::usage(
                format!("`{}` is in no git repository: {why}", shown(workflow)),
                "`--against` takes a revision of git, or another workflow file",
            )
        })?);
        let top = top.canonicalize().unwrap_or(top);
        let commit = commit(&beside, name)?;
        let own = beside.join(workflow.file_name().unwrap_or_default());
        let path = inside(&top, &own).unwrap_or_default();
        let files = files(&top, &commit)?;
        if !files.contains_key(&path) {
            return Err(Trouble::usage(
                format!("`{path}` is not in the revision `{name}`"),
                format!("`git log --oneline -- {path}` lists the revisions that have it"),
            ));
        }
        let common =
            ask(&top, &["rev-parse", "--git-common-dir"])?.map(|dir| top.join(dir)).unwrap_or_default();
        let folder = tempfile::Builder::new().prefix("castline-").tempdir().map_err(|e| cannot_keep(&e))?;
        let place = folder.path().canonicalize().map_err(|e| cannot_keep(&e))?;
        let objects = Mutex::new(Objects::open(git(&top)).map_err(|e| no_git(&e))?);
        let large = common.join("lfs").join("objects");
        let revision =
            Self { name: name.to_owned(), folder, place, top, large, workflow: path, files, objects };
        revision.put_documents()?;
        Ok(revision)
    }

    /// The workflow's file in the revision's folder.
    pub(crate) fn workflow(&self) -> PathBuf {
        self.place.join(&self.workflow)
    }

    /// Puts a file into its place, if the revision has it; else it is missed there.
    pub(crate) fn fetch(&self, path: &Path) {
        let Some(wanted) = inside(&self.place, &clean(path)) else { return };
        if self.place.join(&wanted).exists() {
            return;
        }
        if let Err(e) = self.put(&wanted) {
            tracing::warn!("`{}:{wanted}` cannot be read: {e}", self.name);
        }
    }

    /// Findings with names as the user knows them.
    pub(crate) fn named(&self, mut found: Diagnostics) -> Diagnostics {
        for finding in &mut found.list {
            finding.message = self.in_words(&finding.message);
            finding.source.name = self.in_words(&finding.source.name).into();
            for label in &mut finding.labels {
                label.source.name = self.in_words(&label.source.name).into();
            }
        }
        found
    }

    /// A text in which paths are as the user knows them: `HEAD~1:flow.yaml`.
    pub(crate) fn in_words(&self, text: &str) -> String {
        let place = format!("{}/", shown(&self.place));
        text.replace(&place, &format!("{}:", self.name))
    }

    /// Documents and texts of the project. It needs a document of its own, so that none further
    /// up is taken for it.
    fn put_documents(&self) -> Result<(), Trouble> {
        let folder = parent(Path::new(&self.workflow));
        let has = |folder: &&Path| self.files.contains_key(&slashes(&folder.join(PROJECT_FILE)));
        let root = folder.ancestors().find(has);
        let below = root.unwrap_or(&folder);
        let is_text = |path: &str| {
            Path::new(path).extension().and_then(OsStr::to_str).is_some_and(|e| TEXTS.contains(&e))
        };
        let texts = self.files.iter().filter(|(path, blob)| {
            let vendored = Path::new(path).starts_with(below.join("vendor"));
            Path::new(path).starts_with(below) && (is_text(path) || vendored) && blob.bytes <= MOST_TEXT
        });
        for (path, _) in texts {
            self.put(path).map_err(|e| cannot_keep(&e))?;
        }
        self.put(&self.workflow).map_err(|e| cannot_keep(&e))?;
        self.share_libraries(below).map_err(|e| cannot_keep(&e))?;
        if root.is_none() {
            std::fs::write(self.place.join(below).join(PROJECT_FILE), "").map_err(|e| cannot_keep(&e))?;
        }
        Ok(())
    }

    /// The libraries of then are found by their digests where those of now are.
    fn share_libraries(&self, project: &Path) -> std::io::Result<()> {
        let (now, _) = Project::near(&self.top.join(&self.workflow));
        let (then, _) = Project::near(&self.place.join(&self.workflow));
        let (now, then) = (now.store().join("libraries"), then.store().join("libraries"));
        let own = then.starts_with(self.place.join(project));
        if !own || then.exists() || !now.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(parent(&then))?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(now, then)?;
        Ok(())
    }

    /// Writes a file of the revision. A link becomes what it leads to, inside the repository.
    fn put(&self, path: &str) -> std::io::Result<()> {
        let Some(bytes) = self.bytes(path)? else { return Ok(()) };
        let to = self.place.join(path);
        std::fs::create_dir_all(parent(&to))?;
        std::fs::write(to, bytes)
    }

    fn bytes(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let link = prefixes(&path).find(|part| self.files.get(part).is_some_and(|blob| blob.is_link));
            let Some(link) = link else {
                let Some(blob) = self.files.get(&path) else { return Ok(None) };
                let bytes = self.object(&blob.id)?;
                return Ok(Some(self.large(&path, &bytes).unwrap_or(bytes)));
            };
            let target = String::from_utf8_lossy(&self.object(&self.files[&link].id)?).into_owned();
            let rest = path[link.len()..].trim_start_matches('/').to_owned();
            let Some(next) = inside_repository(&parent(Path::new(&link)).join(target).join(rest)) else {
                return Ok(None);
            };
            path = next;
        }
        Ok(None)
    }

    fn object(&self, id: &str) -> std::io::Result<Vec<u8>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).get(id)
    }

    /// What a pointer of Git LFS stands for, where it is on this machine.
    fn large(&self, path: &str, pointer: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(pointer).ok().filter(|t| t.starts_with("version https://git-lfs"))?;
        let digest: Digest = text.lines().find_map(|line| line.strip_prefix("oid "))?.trim().parse().ok()?;
        let hex = digest.hex();
        let kept = self.large.join(&hex[..2]).join(&hex[2..4]).join(&hex);
        let there = [kept, self.top.join(path)];
        there.iter().find_map(|file| std::fs::read(file).ok().filter(|bytes| Digest::of(bytes) == digest))
    }
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} in {}", self.name, self.workflow, self.folder.path().display())
    }
}

/// Git in a folder, silent and without anything that a repository could have it run.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    git.args([
        "--no-pager",
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
    ]);
    // Inside a hook these are another repository's, or paths from another folder.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        git.env_remove(name);
    }
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
    git.stdin(Stdio::null());
    git
}

/// One line of git's, or why there is none.
fn ask(folder: &Path, words: &[&str]) -> Result<Result<String, String>, Trouble> {
    let output = git(folder).args(words).output().map_err(|e| no_git(&e))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    let why = text(&output.stderr);
    Ok(Err(why.lines().next().unwrap_or("git does not say why").trim_start_matches("fatal: ").to_owned()))
}

/// The commit of a name.
fn commit(folder: &Path, name: &str) -> Result<String, Trouble> {
    let wanted = format!("{name}^{{commit}}");
    ask(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])?.map_err(|_| {
        Trouble::usage(
            format!("`{name}` is neither a file nor a revision of git"),
            "name a workflow file, or a commit, branch or tag: `git log --oneline` lists commits",
        )
    })
}

/// `MODE TYPE ID BYTES<tab>PATH`, each up to a NUL.
fn files(top: &Path, commit: &str) -> Result<BTreeMap<String, Blob>, Trouble> {
    let output = git(top)
        .args(["ls-tree", "-r", "-z", "-l", "--full-tree", commit])
        .output()
        .map_err(|e| no_git(&e))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Trouble::usage(
            format!("git cannot list the files of {commit}: {why}"),
            "try `git fsck`",
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let blob = |line: &str| {
        let (facts, path) = line.split_once('\t')?;
        let facts: Vec<_> = facts.split_whitespace().collect();
        let [mode, "blob", id, bytes] = facts[..] else { return None };
        let path = inside_repository(Path::new(path)).filter(|clean| clean == path)?;
        let blob = Blob { id: id.to_owned(), bytes: bytes.parse().unwrap_or(0), is_link: mode == "120000" };
        Some((path, blob))
    };
    Ok(text.split('\0').filter_map(blob).collect())
}

fn no_git(e: &std::io::Error) -> Trouble {
    match e.kind() {
        std::io::ErrorKind::NotFound => Trouble::usage(
            "`git` is not there, and it knows what the files were",
            "install git, or compare with another file: `--against other.yaml`",
        ),
        _ => Trouble::usage(
            format!("`git` cannot be run: {e}"),
            "compare with another file: `--against other.yaml`",
        ),
    }
}

fn cannot_keep(e: &std::io::Error) -> Trouble {
    Trouble::usage(
        format!("the revision cannot be laid out in a temporary folder: {e}"),
        "is there room in the folder that TMPDIR names?",
    )
}

/// `a`, `a/b`, `a/b/c`.
fn prefixes(path: &str) -> impl Iterator<Item = String> + '_ {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| path[..end].to_owned())
}

/// The path without `.` and `..`; none when it leads out.
fn inside_repository(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

fn inside(folder: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(folder).ok().map(slashes)
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
