//! Which workflow is meant when none is named: the project's only one.

use std::path::{Path, PathBuf};

use castline_runner::{PROJECT_FILE, Project, Trouble, files_in, own_text, shown};
use castline_spec::Diagnostics;

/// The named workflow, else the only one of the project that the user stands in.
pub(crate) fn or_only_one(named: Option<&PathBuf>) -> Result<PathBuf, Trouble> {
    match named {
        Some(file) => Ok(file.clone()),
        None => only_one(&Project::near(Path::new(".")).0.root),
    }
}

fn only_one(root: &Path) -> Result<PathBuf, Trouble> {
    let mut found = workflows(root)?;
    match found.len() {
        0 => Err(Trouble::usage(
            format!("there is no workflow in `{}` or its folder `workflows`", root.display()),
            "name a file, or begin with `castline init`",
        )),
        1 => Ok(found.remove(0)),
        _ => {
            let names: Vec<_> = found.iter().map(|file| format!("`{}`", shown(file))).collect();
            Err(Trouble::usage(
                "there is more than one workflow",
                format!("name one of {}", names.join(", ")),
            ))
        }
    }
}

/// Every workflow directly in a project's folder or in its `workflows`.
pub(super) fn workflows(root: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let files = |folder: &Path| {
        files_in(folder).map_err(|finding| Trouble::Diagnostics(Diagnostics { list: vec![*finding] }))
    };
    let mut found = files(root)?;
    found.extend(files(&root.join("workflows"))?);
    found.retain(|path| is_workflow(root, path));
    found.sort();
    Ok(found.into_iter().map(|path| PathBuf::from(shown(&path))).collect())
}

/// What leads out of the project is none of it.
fn is_workflow(root: &Path, path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    is_yaml
        && path.file_name() != Some(PROJECT_FILE.as_ref())
        && own_text(root, path).is_some_and(|text| text.lines().any(|line| line.starts_with("steps:")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("workflows")).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    #[test]
    fn the_only_workflow_is_meant() {
        let folder = folder(&[
            ("castline.yaml", "out: out\nsteps: 1\n"),
            ("notes.yaml", "a: 1\n"),
            ("workflows/hello.yaml", "steps:\n  a: {}\n"),
        ]);
        assert_eq!(only_one(folder.path()).unwrap(), folder.path().join("workflows/hello.yaml"));
    }

    #[test]
    fn of_several_one_must_be_named() {
        let folder = folder(&[("a.yaml", "steps: {}\n"), ("workflows/b.yml", "steps: {}\n")]);
        let trouble = only_one(folder.path()).unwrap_err();
        assert_eq!(trouble.exit_code(), 2);
        assert!(trouble.hint().unwrap().contains("a.yaml"), "{trouble:?}");
        assert!(trouble.hint().unwrap().contains("b.yml"), "{trouble:?}");
    }

    #[test]
    fn without_a_workflow_it_says_how_to_begin() {
        let trouble = only_one(folder(&[]).path()).unwrap_err();
        assert!(trouble.hint().unwrap().contains("castline init"), "{trouble:?}");
    }
}
