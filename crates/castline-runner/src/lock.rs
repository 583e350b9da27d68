//! `castline.lock`: what a project has pinned, so that it stays the same everywhere.
//!
//! A community model runs by the id of a version. A preset that knows none says
//! `version: latest`; the first live use asks the provider and pins what it answers here.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use castline_core::ModelRef;
use castline_library::Pin;
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::project::{Project, shown};
use crate::providers::Providers;
use crate::trouble::Trouble;

/// The file's name in the project's folder.
pub const FILE: &str = "castline.lock";
const LANGUAGE: u32 = 1;

/// What is pinned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    castline: u32,
    /// The ids of versions, by `owner/name`.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// The libraries that the project needs, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub libraries: BTreeMap<String, Pin>,
}

/// The version alone.
#[derive(Deserialize)]
struct Written {
    castline: u32,
}

impl Default for Lock {
    fn default() -> Self {
        Self { castline: LANGUAGE, models: BTreeMap::new(), libraries: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads the project's lock; an empty one when there is none.
    pub fn read(project: &Project) -> Result<Self, Trouble> {
        let path = path(project);
        if !crate::files::is_inside(&project.root, &path) {
            return Err(unusable(&path, "it is a link that leads outside of the project's folder"));
        }
        if path.metadata().is_ok_and(|meta| !meta.is_file()) {
            return Err(unusable(&path, "it is no plain file"));
        }
        let text = match disk::text_within(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unusable(&path, &error.to_string())),
        };
        Self::parse(&path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Trouble> {
        if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
            return Err(Trouble::usage(
                format!("`{}` has both sides of a merge in it, from line {} on", shown(path), line + 1),
                "keep the lines of one side; what is missing then is pinned anew, libraries by `castline library \
                 lock`",
            ));
        }
        let wrong = |error: serde_yaml::Error| unusable(path, &error.to_string());
        // First of all: what else stands in a newer one may be anything.
        let written: Written = serde_yaml::from_str(text).map_err(wrong)?;
        match written.castline {
            LANGUAGE => {}
            0 => return Err(unusable(path, "`castline` in it is the number of a language, from 1 on")),
            newer => return Err(Trouble::newer(path, newer, LANGUAGE)),
        }
        let lock: Self = serde_yaml::from_str(text).map_err(wrong)?;
        // A name and a digest become a path.
        if let Some(why) = lock.libraries.iter().find_map(|(name, pin)| pin.problem(name)) {
            return Err(unusable(path, &why));
        }
        Ok(lock)
    }

    /// All that is pinned, as a plan keeps it.
    pub(crate) fn pins(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a lock is plain data")
    }

    /// Pins the latest versions of these models, which the providers are asked for, and
    /// writes the lock. Returns what is new.
    pub(crate) async fn pin(
        &mut self,
        project: &Project,
        models: Vec<(ModelRef, castline_core::ProviderName)>,
    ) -> Result<BTreeMap<String, String>, Trouble> {
        let providers = Providers::new(project);
        let mut new = BTreeMap::new();
        for (model, provider) in models {
            let reached = providers.get(&provider)?;
            let version = reached.provider.latest_version(&model).await.map_err(|fault| {
                Trouble::usage(
                    format!(
                        "`{}` runs by the id of a version, and `{provider}` gave none: {fault}",
                        model.path()
                    ),
                    "give the step a `version:` with the id from the model's page",
                )
            })?;
            new.insert(model.path(), version);
        }
        self.models.extend(new.clone());
        self.write(project)?;
        Ok(new)
    }

    /// Writes the whole file or nothing.
    pub(crate) fn write(&self, project: &Project) -> Result<(), Trouble> {
        let path = path(project);
        let failed = |error: &dyn std::fmt::Display| unusable(&path, &error.to_string());
        let text = serde_yaml::to_string(self).map_err(|error| failed(&error))?;
        let mut new = tempfile::Builder::new();
        // It is as much for others as the project is.
        #[cfg(unix)]
        new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = new.tempfile_in(&project.root).map_err(|error| failed(&error))?;
        let head = "# What this project has pinned. Written by castline; keep it with the project.\n";
        file.write_all(head.as_bytes()).map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        file.persist(&path).map_err(|error| failed(&error))?;
        Ok(())
    }
}

pub(crate) fn path(project: &Project) -> PathBuf {
    project.root.join(FILE)
}

fn unusable(path: &Path, why: &str) -> Trouble {
    Trouble::usage(format!("`{}` cannot be used: {why}", shown(path)), "correct it, or remove it to pin anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_link_out_of_the_project_is_not_read() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(other.path(), "secret: told").unwrap();
        let project = Project::near(folder.path()).0;
        for to in [other.path(), Path::new("/dev/zero")] {
            std::os::unix::fs::symlink(to, path(&project)).unwrap();
            let trouble = Lock::read(&project).unwrap_err().to_string();
            assert!(trouble.contains("leads outside") && !trouble.contains("secret"), "{trouble}");
            std::fs::remove_file(path(&project)).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(path(&project)).status().unwrap().success());
        assert!(Lock::read(&project).unwrap_err().to_string().contains("no plain file"));
    }

    #[test]
    fn a_newer_lock_is_called_newer_whatever_stands_in_it() {
        let says = |text: &str| {
            let trouble = Lock::parse(Path::new("castline.lock"), text).unwrap_err();
            format!("{trouble}; {}", trouble.hint().unwrap())
        };
        let newer = "`castline.lock` has version 2, and this castline knows versions up to 1; \
                     a newer castline wrote it: update castline";
        assert_eq!(says("castline: 2\nmodels: {}\n"), newer);
        assert_eq!(says("castline: 2\nmodels: [a]\npinned: {}\n"), newer);
        assert!(says("castline: 1\npinned: {}\n").contains("unknown field `pinned`"));
        for text in ["castline: 0\n", "castline: '1'\n", "models: {}\n", "castline: [", ""] {
            assert!(says(text).ends_with("remove it to pin anew"), "{text}");
        }
        assert!(Lock::parse(Path::new("castline.lock"), "castline: 1\n").is_ok());
        let both = "castline: 1\nmodels:\n<<<<<<< HEAD\n  a/b: c\n=======\n  a/b: d\n>>>>>>> other\n";
        assert!(says(both).contains("both sides of a merge in it, from line 3 on"), "{}", says(both));
    }
}
