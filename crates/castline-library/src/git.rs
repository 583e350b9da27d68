//! Libraries in git repositories, fetched with the user's `git`.
//!
//! Git fetches one commit into an empty repository of its own and is then asked for objects.
//! Nothing is checked out: no hook, filter or submodule has a place where it could run. Which
//! keys and passwords are used is the user's configuration of git, as for any clone.
//!
//! Start reading at [`fetch`].

mod listing;
mod objects;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use castline_spec::library::GitPlace;

use crate::error::{LibraryError, same};
use crate::tree::{Growing, MOST_FILES, Tree};
use listing::{Listing, Next};
pub use objects::Objects;

/// Fetches a commit: the pinned one, else what the place means now. A path is one from the root.
pub(crate) fn fetch(place: &GitPlace, pinned: Option<&str>) -> Result<(Tree, String), LibraryError> {
    let what = shown(place);
    let folder = tempfile::Builder::new()
        .prefix("castline-git-")
        .tempdir()
        .map_err(LibraryError::disk("no temporary folder"))?;
    let repository =
        Repository { folder: folder.path().to_owned(), what: what.clone(), protocols: protocols(place) };
    repository.run(&["init", "--quiet", "--bare", "--template=", "."])?;
    let wanted = pinned.or(place.rev.as_deref()).unwrap_or("HEAD");
    let commit = repository.fetch(&place.url, wanted)?;
    if let Some(pinned) = pinned {
        same(&what, pinned, &commit)?;
    }
    let tree = repository.tree(&commit, place.folder.as_deref())?;
    Ok((tree, commit))
}

fn shown(place: &GitPlace) -> String {
    match &place.folder {
        Some(folder) => format!("`{folder}` of {}", place.url),
        None => place.url.clone(),
    }
}

/// What git may speak for an address. The user's configuration may have one stand for another,
/// as `ssh` for `https`.
fn protocols(place: &GitPlace) -> &'static str {
    match place.url.split_once("://").map(|(scheme, _)| scheme) {
        _ if place.local_path().is_some() => "file",
        Some("http") => "http",
        _ => "https:ssh",
    }
}

struct Repository {
    folder: PathBuf,
    what: String,
    protocols: &'static str,
}

impl Repository {
    /// Fetches what is wanted, alone where the server allows that. Returns its commit.
    fn fetch(&self, url: &str, wanted: &str) -> Result<String, LibraryError> {
        let alone =
            self.run(&["fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", url, wanted]);
        match alone {
            Ok(_) => self.commit("FETCH_HEAD"),
            // Some servers hand out the tips of branches and tags only, and some nothing shallow.
            Err(why) if is_commit(wanted) => {
                let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
                let fetch = ["fetch", "--quiet", "--end-of-options", url, all[0], all[1]];
                self.run(&fetch).map_err(|_| why)?;
                self.commit(wanted).map_err(|_| {
                    LibraryError::fetch(&self.what, format!("it has no commit {wanted}, or not any more"))
                })
            }
            Err(why) => Err(why),
        }
    }

    fn commit(&self, name: &str) -> Result<String, LibraryError> {
        let name = format!("{name}^{{commit}}");
        Ok(self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?.trim().to_owned())
    }

    /// The files of a commit, or of a folder in it.
    fn tree(&self, commit: &str, folder: Option<&str>) -> Result<Tree, LibraryError> {
        let root = folder.map_or(commit.to_owned(), |folder| format!("{commit}:{folder}"));
        let kind = self.run(&["cat-file", "-t", &root]).unwrap_or_default();
        if !["tree", "commit"].contains(&kind.trim()) {
            let why = format!("there is no folder `{}` in it", folder.unwrap_or_default());
            return Err(LibraryError::fetch(&self.what, why));
        }
        let failed = || format!("what is in {} cannot be listed", self.what);
        let mut listing = Listing::open(self.git(), &root).map_err(|e| no_git(&self.what, &e))?;
        let mut tree = Growing::new(&self.what);
        let mut objects = Objects::open(self.git()).map_err(|e| no_git(&self.what, &e))?;
        let mut folders = 0;
        loop {
            let line = match listing.next().map_err(LibraryError::disk(failed()))? {
                Next::Entry(line) => line,
                Next::End => return tree.finish(),
                Next::Failed(said) => return Err(self.unreachable(&said)),
                Next::Long(line) => {
                    let path = entry(&line).map_or("", |(.., path)| path);
                    return Err(tree.enough(path, "has a path of more than 200 bytes"));
                }
            };
            let Some((mode, id, bytes, path)) = entry(&line) else { continue };
            match mode {
                // Trees without files list nothing else, however many there are.
                "040000" => {
                    folders += 1;
                    if folders > MOST_FILES {
                        return Err(tree.enough(path, &format!("is one folder more than {MOST_FILES}")));
                    }
                }
                "120000" | "160000" => {
                    tree.count(path)?;
                    if !crate::tree::is_hidden(path) {
                        let link = mode == "120000";
                        tree.refuse(path, if link { "is a link" } else { "is another repository" });
                    }
                }
                _ if path.contains('\u{fffd}') => {
                    tree.count(path)?;
                    tree.refuse(path, "has a name that is not Unicode");
                }
                _ => {
                    if tree.admit(path, bytes)? {
                        let lost = format!("git hands out nothing of {}", self.what);
                        tree.put(path, objects.get(id).map_err(LibraryError::disk(lost))?)?;
                    }
                }
            }
        }
    }

    fn run(&self, words: &[&str]) -> Result<String, LibraryError> {
        self.bytes(words).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn bytes(&self, words: &[&str]) -> Result<Vec<u8>, LibraryError> {
        let output = self.git().args(words).output().map_err(|e| no_git(&self.what, &e))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(self.unreachable(&String::from_utf8_lossy(&output.stderr)))
    }

    /// Git failed, and said this.
    fn unreachable(&self, said: &str) -> LibraryError {
        let hint = "`git ls-remote` with the same address shows what git can reach";
        LibraryError::fetch_hint(&self.what, reason(said), hint)
    }

    /// Git, silent and with nothing that a repository could have it run.
    fn git(&self) -> Command {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.folder).arg("--no-pager");
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.symlinks=false",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "fetch.writeCommitGraph=false",
            "fetch.unpackLimit=1",
            "gc.auto=0",
            "maintenance.auto=false",
        ] {
            git.args(["-c", setting]);
        }
        // Inside a hook these are another repository's.
        let own = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"];
        for name in own {
            git.env_remove(name);
        }
        git.env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", self.protocols)
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        git
    }
}

/// `MODE TYPE ID BYTES<tab>PATH`.
fn entry(line: &str) -> Option<(&str, &str, u64, &str)> {
    let (facts, path) = line.split_once('\t')?;
    let facts: Vec<_> = facts.split_whitespace().collect();
    let [mode, _, id, bytes] = facts[..] else { return None };
    Some((mode, id, bytes.parse().unwrap_or(0), path))
}

fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// The line of git's that says most.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().find(|line| line.starts_with("fatal: ") || line.starts_with("ERROR: "));
    let line = fatal.or_else(|| lines().next()).unwrap_or("git does not say why");
    crate::tree::printable(line.trim_start_matches("fatal: "))
}

fn no_git(what: &str, e: &std::io::Error) -> LibraryError {
    match e.kind() {
        std::io::ErrorKind::NotFound => {
            LibraryError::fetch_hint(what, "`git` is not there", "install git, or name a folder with `path:`")
        }
        _ => LibraryError::fetch(what, format!("`git` cannot be run: {e}")),
    }
}
