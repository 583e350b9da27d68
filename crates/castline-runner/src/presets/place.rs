//! Where a new preset goes: its name, its file, and that nothing is overwritten.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use castline_spec::Name;

use super::{built_in_text, own_files};
use crate::project::{Project, absolute, parent, shown};
use crate::trouble::Trouble;

/// What a new preset is called, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The name by which steps call it.
    pub name: String,
    /// Its file; none for the standard output.
    pub file: Option<PathBuf>,
    /// How another name is given.
    other: Other,
}

/// How the name of a new preset is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// It stands by itself.
    Word,
    /// With `--name`.
    Flag,
}

impl Other {
    fn hint(self) -> &'static str {
        match self {
            Self::Word => "give it another name",
            Self::Flag => "give it another name with `--name`",
        }
    }
}

impl Place {
    /// By what the user says; `derived` is the name where that says none.
    pub fn new(
        project: &Project,
        name: Option<&str>,
        output: Option<&Path>,
        derived: &str,
        other: Other,
    ) -> Result<Self, Trouble> {
        let to_stdout = output == Some(Path::new("-"));
        let stem = output.filter(|_| !to_stdout).and_then(Path::file_stem).and_then(|stem| stem.to_str());
        let name = match name.or(stem) {
            Some(name) => usable(name)?.to_owned(),
            None => slug(derived)?,
        };
        if built_in_text(&name).is_some() && output.is_none() {
            return Err(Trouble::usage(
                format!("castline brings along a preset `{name}`, and a project's cannot have its name"),
                format!("{}; `castline preset refresh {name}` compares the one that is there", other.hint()),
            ));
        }
        let is_yaml =
            |file: &Path| file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if let Some(file) = output.filter(|file| !to_stdout && !is_yaml(file)) {
            return Err(Trouble::usage(
                format!("`{}` cannot be the file of a preset", shown(file)),
                "its name has to end in `.yaml`",
            ));
        }
        let file = match output {
            _ if to_stdout => None,
            Some(output) => Some(absolute(output)),
            None => Some(project.presets().join(format!("{name}.yaml"))),
        };
        Ok(Self { name, file, other })
    }

    /// That the file may be written.
    pub fn check_free(&self, project: &Project, force: bool) -> Result<(), Trouble> {
        let Some(file) = &self.file else { return Ok(()) };
        if file.is_dir() {
            return Err(Trouble::usage(format!("`{}` is a folder", shown(file)), "name a file with `-o`"));
        }
        if file.exists() && !force {
            return Err(self.exists(file));
        }
        let own = own_files(project);
        let other = own.iter().find(|(name, path)| *name == self.name && path != file);
        match other.filter(|_| parent(file) == project.presets()) {
            Some((_, other)) => Err(Trouble::usage(
                format!("`{}` has the name `{}` already", shown(other), self.name),
                self.other.hint(),
            )),
            None => Ok(()),
        }
    }

    /// Writes the whole file or nothing.
    pub fn write(&self, text: &str, force: bool) -> Result<(), Trouble> {
        let Some(file) = &self.file else { return Ok(()) };
        let folder = parent(file);
        let failed = |error: std::io::Error| {
            let message = format!("`{}` cannot be written: {error}", shown(file));
            Trouble::usage(message, "name a file that may be written with `-o`")
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut new = tempfile::Builder::new();
        new.prefix(".castline-").suffix(".tmp");
        // It is as much for others as the project is.
        #[cfg(unix)]
        new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut new = new.tempfile_in(&folder).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        let done = if force { new.persist(file) } else { new.persist_noclobber(file) };
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(self.exists(file)),
            Err(error) => Err(failed(error.error)),
        }
    }

    fn exists(&self, file: &Path) -> Trouble {
        let other = match self.other {
            Other::Word => "another name",
            Other::Flag => "`--name NAME`",
        };
        Trouble::usage(
            format!("`{}` is there already", shown(file)),
            format!("`--force` writes it anew; `-o FILE` or {other} writes another one"),
        )
    }
}

fn usable(name: &str) -> Result<&str, Trouble> {
    if Name::is_document_name(name) {
        return Ok(name);
    }
    Err(Trouble::usage(
        format!("`{name}` cannot be the name of a preset"),
        format!(
            "a name has small letters, digits, `-`, `_` and `.`{}",
            slug(name).map_or_else(|_| String::new(), |name| format!(", such as `{name}`"))
        ),
    ))
}

/// A name made of another one.
fn slug(text: &str) -> Result<String, Trouble> {
    const LONGEST: usize = 60;
    let letters = text.chars().map(|c| c.to_ascii_lowercase());
    let letters = letters.map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' });
    let name: String = letters.take(LONGEST).collect();
    let name = name.trim_start_matches(['.', '_', '-']).trim_end_matches(['.', '-']).to_owned();
    if Name::is_document_name(&name) {
        return Ok(name);
    }
    Err(Trouble::usage(format!("no name of a preset can be made of `{text}`"), "give one with `--name`"))
}
