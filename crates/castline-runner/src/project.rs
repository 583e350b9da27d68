//! The project around a workflow: its folder, its settings, its places on disk.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use castline_spec::{Code, Diagnostic, Diagnostics, Project as Document, Source};
use castline_store::{Store, StoreError};

use crate::disk;
use crate::trouble::Trouble;

/// The file that makes a folder a project.
pub const FILE: &str = "castline.yaml";

/// What people call it that is not read.
pub(crate) const MISSPELT: &str = "castline.yml";

/// A project, or the folder of a workflow without one.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of `castline.yaml`, else of the workflow; absolute.
    pub root: PathBuf,
    /// `castline.yaml`, when there is one that can be read.
    pub document: Option<Document>,
}

impl Project {
    /// The project of a file or folder, found upward. Above the folder a file of another user is a
    /// finding, and is not used: it could choose where tokens and money go.
    pub fn near(place: &Path) -> (Self, Diagnostics) {
        let absolute = std::path::absolute(place).unwrap_or_else(|_| place.to_owned());
        let start = if absolute.is_dir() { absolute } else { parent(&absolute) };
        let of_project =
            |folder: &Path| [FILE, MISSPELT].map(|name| folder.join(name)).into_iter().find(is_there);
        let Some(file) = start.ancestors().find_map(of_project) else {
            return (Self { root: start, document: None }, Diagnostics::default());
        };
        let root = parent(&file);
        if root != start
            && let Some(finding) = of_a_stranger(&file, &start)
        {
            return (Self { root: start, document: None }, Diagnostics { list: vec![finding] });
        }
        if let Some(finding) = misspelt(&root) {
            return (Self { root, document: None }, Diagnostics { list: vec![finding] });
        }
        let (document, found) = match read_own(&root, &file) {
            Ok(source) => {
                let (document, mut found) = Document::parse(&source);
                let leaves = document.as_ref().and_then(|document| store_that_leaves(document, &source));
                leaves.into_iter().for_each(|finding| found.push(finding));
                (document, found)
            }
            Err(finding) => (None, Diagnostics { list: vec![*finding] }),
        };
        (Self { root, document }, found)
    }

    /// Where outputs go; `out` of the project, else `out`.
    pub fn out(&self) -> PathBuf {
        let own = self.document.as_ref().and_then(|d| d.out.as_ref());
        self.root.join(own.map_or("out", |out| out.value.as_str()))
    }

    /// Refuses a folder of outputs that is not in the project, by its name or through a link. Only
    /// the user leads them elsewhere.
    pub fn check_out(&self, workflow: &str) -> Result<(), Trouble> {
        let own = self.document.as_ref().and_then(|d| d.out.as_ref());
        if let Some(out) = own.filter(|out| !stays(&out.value)) {
            return Err(Trouble::usage(
                format!("`out: {}` in {FILE} leads out of the project's folder", out.value),
                "name a folder in the project there, or give any other yourself with `--out DIR`",
            ));
        }
        match disk::astray(&self.root, &self.out().join(workflow)) {
            Ok(Some(link)) => Err(Trouble::usage(
                format!("`{}` is a link, and outputs are not written through one", shown(&link)),
                "make it a folder, or give any folder yourself with `--out DIR`",
            )),
            // Whoever writes there says what is wrong.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Where the ledger and artifacts are; `CASTLINE_STORE`, `store` of the project, else `.castline`.
    /// Only the user leads them out of the project.
    pub fn store(&self) -> PathBuf {
        self.root.join(chosen_store().as_deref().unwrap_or_else(|| self.own_store()))
    }

    fn own_store(&self) -> &str {
        let own = self.document.as_ref().and_then(|document| document.store.as_ref());
        own.map(|own| own.value.as_str()).filter(|own| stays(own)).unwrap_or(".castline")
    }

    /// Refuses links in the store, and on the way from the project's folder to it unless the user has
    /// chosen the store.
    pub fn check_store(&self) -> Result<(), Trouble> {
        let store = self.store();
        let link = match chosen_store() {
            Some(_) => None,
            // Whoever opens the store says what else is wrong.
            None => disk::astray(&self.root, &store).unwrap_or_default(),
        };
        let checked = link.map_or_else(|| Store::check_plain(&store), |path| Err(StoreError::Link { path }));
        checked.map_err(crate::ledger::trouble)
    }

    /// What is in doubt is created again by itself: `when_lost: retry`.
    pub(crate) fn retries_lost(&self) -> bool {
        self.document.as_ref().is_some_and(|document| document.retry_lost)
    }

    /// A path relative to the project, with `/`, as JSON has it; absolute outside of it.
    pub fn relative(&self, path: &Path) -> String {
        let shown = path.strip_prefix(&self.root).unwrap_or(path);
        shown.to_string_lossy().replace('\\', "/")
    }

    /// The project's own presets.
    pub fn presets(&self) -> PathBuf {
        self.root.join("presets")
    }
}

/// True for anything of that name, also a link that leads nowhere.
fn is_there(path: &PathBuf) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// A file that somebody takes for the project's.
fn misspelt(root: &Path) -> Option<Diagnostic> {
    let (file, right) = (root.join(MISSPELT), root.join(FILE));
    let name = is_there(&file).then(|| shown(&file))?;
    let hint = match is_there(&right) {
        false => format!("call it `{FILE}`"),
        true => format!("put what counts into `{}`, and remove it", shown(&right)),
    };
    let message = format!("`{name}` is not read: the file of a project is called `{FILE}`");
    Some(Diagnostic::of_file(Code::Unreadable, &Source::new(name.as_str(), ""), message).hint(hint))
}

/// What is wrong with a project's file above a folder when somebody else wrote it.
#[cfg(unix)]
fn of_a_stranger(file: &Path, folder: &Path) -> Option<Diagnostic> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let of_folder = std::fs::metadata(folder).ok()?.uid();
    // A link is not its writer's file, but its writer chose it.
    let owners = [std::fs::symlink_metadata(file), std::fs::metadata(file)];
    let stranger =
        owners.into_iter().flatten().map(|of| of.uid()).find(|owner| is_stranger(*owner, user, of_folder))?;
    let name = shown(file);
    let source = Source::new(name.as_str(), "");
    let message =
        format!("`{name}` belongs to another user (uid {stranger}) and is not used below its folder");
    let hint = format!("copy it into `{}`, or `chown` it if you believe it", shown(folder));
    Some(Diagnostic::of_file(Code::Unreadable, &source, message).hint(hint))
}

#[cfg(not(unix))]
fn of_a_stranger(_: &Path, _: &Path) -> Option<Diagnostic> {
    None
}

/// Whoever owns the folder that is worked in could as well have put a file there.
#[cfg(unix)]
fn is_stranger(owner: u32, user: u32, of_folder: u32) -> bool {
    ![user, 0, of_folder].contains(&owner)
}

/// The store that the user has chosen.
fn chosen_store() -> Option<String> {
    std::env::var("CASTLINE_STORE").ok().filter(|chosen| !chosen.is_empty())
}

/// A project may come from a stranger, and castline clears up in its store.
fn store_that_leaves(document: &Document, source: &Source) -> Option<Diagnostic> {
    let own = document.store.as_ref().filter(|own| !stays(&own.value) && chosen_store().is_none())?;
    let message = format!("the store `{}` is outside of the project's folder", own.value);
    let finding = Diagnostic::error(Code::InvalidPath, source, own.span, message);
    Some(finding.hint("name a folder in the project, or give any other yourself with CASTLINE_STORE"))
}

/// True for a path that leads out of no folder, links aside.
fn stays(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The folder that a path is in.
pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// A path from the root.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path from the root without `.` and `..`, by the names alone: links are not followed.
pub(crate) fn clean(path: &Path) -> PathBuf {
    castline_library::clean(&absolute(path))
}

/// A path as messages show it: relative to where the user stands, where that is shorter.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match absolute.strip_prefix(&here).unwrap_or(&absolute) {
        here if here.as_os_str().is_empty() => ".".to_owned(),
        there => there.to_string_lossy().into_owned(),
    }
}

/// Reads a document that was found in a folder, and that nobody named: a plain file, links followed
/// within the folder and no further.
pub(crate) fn read_own(root: &Path, path: &Path) -> Result<Source, Box<Diagnostic>> {
    let name = shown(path);
    let finding = |code, why: &str, hint: &str| {
        let source = Source::new(name.as_str(), "");
        Box::new(Diagnostic::of_file(code, &source, format!("`{name}` {why}")).hint(hint))
    };
    if !crate::files::is_inside(root, path) {
        return Err(finding(
            Code::InvalidPath,
            "is a link that leads outside of the project's folder",
            "copy the file into the project",
        ));
    }
    if path.is_symlink() && !path.exists() {
        return Err(finding(Code::Unreadable, "is a link to what is not there", "put a file in its place"));
    }
    if !is_plain(path) {
        return Err(finding(Code::Unreadable, "is no plain file", "put a file in its place"));
    }
    read(path)
}

/// What is in a folder that need not be there. One that may not be looked into is not taken for empty.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => {
            let name = shown(folder);
            let message = format!("the folder `{name}` cannot be read: {e}");
            let finding = Diagnostic::of_file(Code::Unreadable, &Source::new(name.as_str(), ""), message);
            return Err(Box::new(finding.hint("give yourself the right to read it")));
        }
    };
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// The text of a document that was found in a folder; none where there is none that may be read.
pub fn own_text(root: &Path, path: &Path) -> Option<String> {
    read_own(root, path).ok().map(|source| source.text.to_string())
}

/// False for a folder, a pipe, which would be waited for, and a device, which need not end.
fn is_plain(path: &Path) -> bool {
    path.metadata().map_or(true, |meta| meta.is_file())
}

/// True for what names a file that another process has opened, whatever that is.
fn is_opened(path: &Path) -> bool {
    let path = absolute(path);
    ["/dev/stdin", "/dev/fd", "/proc"].iter().any(|place| path.starts_with(place))
}

/// Reads a document that the user named, called as messages show it. What comes through a pipe stands
/// in no folder, and is read only once.
pub(crate) fn read(path: &Path) -> Result<Source, Box<Diagnostic>> {
    let name = shown(path);
    let unreadable = |why: String, hint: Option<&str>| {
        let source = Source::new(name.as_str(), "");
        let finding = Diagnostic::of_file(Code::Unreadable, &source, format!("`{name}` {why}"));
        Box::new(finding.maybe_hint(hint.map(str::to_owned)))
    };
    let save = "save it as a file: what it names is looked for beside it";
    if path.is_dir() {
        return Err(unreadable("is a folder".to_owned(), Some("name a file in it")));
    }
    if !is_plain(path) || is_opened(path) {
        return Err(unreadable("is no plain file".to_owned(), Some(save)));
    }
    let bytes = disk::read_within(path, disk::MOST_BYTES).map_err(|e| match e.kind() {
        ErrorKind::NotFound if path == "-" => {
            unreadable("does not exist, and the standard input is not read".to_owned(), Some(save))
        }
        ErrorKind::NotFound => unreadable("does not exist".to_owned(), None),
        _ => unreadable(format!("cannot be read: {e}"), None),
    })?;
    let bytes =
        bytes.ok_or_else(|| unreadable("is larger than 16 MiB, which no document is".to_owned(), None))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable("is not UTF-8 text".to_owned(), Some("save it as UTF-8")))?;
    Ok(Source::new(name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project_with(text: &str) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let (project, found) = Project::near(folder.path());
        assert!(!found.has_errors());
        (folder, project)
    }

    #[test]
    fn a_project_leads_outputs_nowhere_out_of_its_folder() {
        for out in ["../x", "/elsewhere", "made/../../x"] {
            let (_folder, project) = project_with(&format!("out: {out}\n"));
            let trouble = project.check_out("flow").unwrap_err();
            assert_eq!(trouble.exit_code(), 2);
            assert!(trouble.to_string().contains(&format!("`out: {out}`")), "{trouble}");
            assert!(trouble.hint().unwrap().contains("--out DIR"));
        }
        for text in ["", "out: made\n", "out: ./made/here\n", "out: .\n"] {
            let (_folder, project) = project_with(text);
            assert!(project.check_out("flow").is_ok(), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_found_in_a_project_is_a_plain_file_of_it() {
        use std::os::unix::fs::symlink;
        let (folder, _) = project_with("");
        let at = |name: &str| folder.path().join(name);
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), "secret: told").unwrap();
        symlink(other.path(), at("outside.yaml")).unwrap();
        symlink("/dev/zero", at("endless.yaml")).unwrap();
        symlink(FILE, at("inside.yaml")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe.yaml")).status().unwrap();
        assert!(made.success());
        let says = |name: &str| read_own(folder.path(), &at(name)).unwrap_err().message.clone();
        for name in ["outside.yaml", "endless.yaml"] {
            assert!(says(name).ends_with("is a link that leads outside of the project's folder"));
        }
        assert!(says("pipe.yaml").ends_with("is no plain file"));
        assert!(read_own(folder.path(), &at("inside.yaml")).is_ok());
        symlink("nowhere", at("dangling.yaml")).unwrap();
        assert!(says("dangling.yaml").ends_with("is a link to what is not there"));
        // What the user names is the user's own word, and a plain file all the same.
        assert!(read(&at("outside.yaml")).is_ok());
        for path in [at("endless.yaml"), at("pipe.yaml"), "/dev/stdin".into(), "/dev/fd/0".into()] {
            assert!(read(&path).unwrap_err().message.ends_with("is no plain file"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_project_document_that_is_a_link_out_of_the_project_is_not_read() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(other.path(), "secret: told").unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join(FILE)).unwrap();
        let (project, found) = Project::near(folder.path());
        assert!(project.document.is_none());
        assert_eq!(found.list.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::InvalidPath]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_may_not_be_looked_into_is_not_empty() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let presets = folder.path().join("presets");
        assert_eq!(files_in(&presets).unwrap(), Vec::<PathBuf>::new());
        std::fs::create_dir(&presets).unwrap();
        std::fs::set_permissions(&presets, std::fs::Permissions::from_mode(0o000)).unwrap();
        // Root may look everywhere.
        if std::fs::read_dir(&presets).is_err() {
            assert!(files_in(&presets).unwrap_err().message.contains("presets` cannot be read: "));
        }
    }

    #[test]
    fn what_is_taken_for_the_file_of_a_project_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let says = || {
            let (project, found) = Project::near(&at("deep/flow.yaml"));
            assert_eq!((project.root.as_path(), project.document.is_none()), (folder.path(), true));
            let [finding] = &found.list[..] else { panic!("{found:?}") };
            format!("{} ({})", finding.message, finding.hint.clone().unwrap_or_default())
        };
        std::fs::create_dir(at(FILE)).unwrap();
        assert!(says().ends_with("is no plain file (put a file in its place)"), "{}", says());
        std::fs::remove_dir(at(FILE)).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", at(FILE)).unwrap();
            assert!(says().contains("is a link to what is not there"), "{}", says());
            std::fs::remove_file(at(FILE)).unwrap();
        }
        std::fs::write(at(MISSPELT), "provider: replicate\n").unwrap();
        assert!(says().ends_with(
            "is not read: the file of a project is called `castline.yaml` (call it `castline.yaml`)"
        ));
        std::fs::write(at(FILE), "").unwrap();
        assert!(says().contains("is not read") && says().ends_with("and remove it)"), "{}", says());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_outputs_nowhere() {
        let other = tempfile::tempdir().unwrap();
        for link in ["out", "out/flow"] {
            let (folder, project) = project_with("");
            let link = folder.path().join(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(other.path(), &link).unwrap();
            let trouble = project.check_out("flow").unwrap_err();
            assert!(trouble.to_string().contains("is a link"), "{trouble}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn of_files_above_a_folder_those_of_other_users_are_not_believed() {
        assert!(is_stranger(1002, 1001, 1001));
        assert!(is_stranger(1002, 0, 0), "whoever is root believes nobody else");
        assert!(!is_stranger(1001, 1001, 0) && !is_stranger(0, 1001, 1001), "one's own, and root's");
        assert!(!is_stranger(1001, 0, 1001), "a folder that is mounted into a container");
    }

    #[cfg(unix)]
    #[test]
    fn a_project_of_another_user_further_up_is_a_finding() {
        let shared = tempfile::tempdir().unwrap();
        let own = shared.path().join("own");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(shared.path().join(FILE), "provider: replicate\n").unwrap();
        let (project, found) = Project::near(&own.join("flow.yaml"));
        assert!(project.document.is_some() && found.list.is_empty(), "{found:?}");
        // Only root can give a file away.
        if std::os::unix::fs::chown(shared.path().join(FILE), Some(54_321), None).is_err() {
            return;
        }
        let (project, found) = Project::near(&own.join("flow.yaml"));
        assert!(project.document.is_none() && found.has_errors(), "{found:?}");
        assert_eq!(project.root, own);
        let (project, found) = Project::near(&shared.path().join("flow.yaml"));
        assert!(
            project.document.is_some() && found.list.is_empty(),
            "beside it the user stands in its folder"
        );
    }

    fn found_in(text: &str) -> (tempfile::TempDir, Project, Diagnostics) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let (project, found) = Project::near(folder.path());
        (folder, project, found)
    }

    #[test]
    fn a_project_cannot_choose_a_store_outside_of_its_folder() {
        for store in ["../victim", "/home/victim", "a/../../victim", ".."] {
            let (folder, project, found) = found_in(&format!("store: {store}\n"));
            let [finding] = &found.list[..] else { panic!("{found:?}") };
            assert_eq!(finding.message, format!("the store `{store}` is outside of the project's folder"));
            assert!(finding.hint.as_ref().unwrap().contains("CASTLINE_STORE"));
            assert_eq!(project.store(), folder.path().join(".castline"));
        }
        for store in ["kept", "./kept/here"] {
            let (folder, project, found) = found_in(&format!("store: {store}\n"));
            assert_eq!((found.list, project.store()), (vec![], folder.path().join(store)));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_store_behind_a_link_of_the_project_is_refused() {
        use std::os::unix::fs::symlink;
        let refused = |folder: &Path, project: &Project| {
            let found = crate::job::open_store(project).unwrap_err();
            assert_eq!(found.exit_code(), 2);
            assert_eq!(found.hint(), Some("remove the link: a store is made of plain files"));
            assert_eq!(std::fs::read_dir(folder.join("theirs")).unwrap().count(), 0);
        };
        let (folder, own, _) = found_in("");
        std::fs::create_dir(folder.path().join("theirs")).unwrap();
        symlink("theirs", folder.path().join(".castline")).unwrap();
        refused(folder.path(), &own);

        let (folder, own, _) = found_in("store: a/b/c\n");
        std::fs::create_dir_all(folder.path().join("theirs")).unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        symlink("../theirs", folder.path().join("a/b")).unwrap();
        refused(folder.path(), &own);
        std::fs::remove_file(folder.path().join("a/b")).unwrap();
        drop(crate::job::open_store(&own).unwrap());
    }
}
