//! Where files go: paths of `save` and of outputs, relative to `<out>/<workflow>/`.
//!
//! Paths are decided here and written by the runner. They can never leave their folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use castline_spec::file_name::{UNUSABLE, is_device};
use castline_spec::{Code, Diagnostic, Diagnostics, Name};
use unicode_normalization::UnicodeNormalization;

use crate::files::{FileRef, NoFile, Origin, Want};
use crate::graph::{Mention, Role};
use crate::legs::{Coords, LegId};
use crate::media::{Artifact, MediaType};
use crate::plan::Plan;
use crate::results::Results;
use crate::scope::Scope;
use crate::templates::Stop;
use crate::value::Value;

/// A file to write.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedFile {
    /// Relative to `<out>/<workflow>/`, with `/` between folders.
    pub path: String,
    /// What to write there.
    pub artifact: Artifact,
}

/// A value as part of a file name: what no file system takes becomes a hyphen.
pub(crate) fn file_name_part(value: &str) -> String {
    let clean: String =
        value.nfc().map(|c| if UNUSABLE.contains(&c) || c.is_control() { '-' } else { c }).collect();
    let clean = clean.trim().trim_end_matches('.');
    clean.chars().take(120).collect()
}

/// Checks a path and gives it its extension; the message says what is wrong.
pub fn path(text: &str, media: &MediaType) -> Result<String, String> {
    let text: String = text.trim().nfc().collect();
    for part in text.split('/') {
        check_part(part).map_err(|why| format!("`{text}` cannot be a path to save to: {why}"))?;
    }
    let last = text.rsplit('/').next().unwrap_or(&text);
    let written = last.rsplit_once('.').and_then(|(_, ext)| MediaType::of_extension(ext));
    match written {
        Some(written) if written == *media => Ok(text),
        Some(written) => {
            Err(format!("`{text}` ends like {written}, and the file is {media}; leave the extension out"))
        }
        None => Ok(format!("{text}.{}", media.extension())),
    }
}

fn check_part(part: &str) -> Result<(), String> {
    if part.is_empty() {
        Err("a name in it is empty".to_owned())
    } else if part == "." || part == ".." {
        Err("it leaves its folder".to_owned())
    } else if is_device(part) {
        Err(format!("`{part}` is a reserved name on some systems"))
    } else if part.contains(UNUSABLE) || part.chars().any(char::is_control) {
        Err(format!("`{part}` has a character that some systems cannot have in a name"))
    } else if part.ends_with(['.', ' ']) || part.starts_with(' ') {
        Err(format!("`{part}` begins or ends with a space or a dot"))
    } else if part.len() > 255 {
        Err("a name in it is longer than 255 bytes".to_owned())
    } else {
        Ok(())
    }
}

/// The form in which paths collide: without case, in NFC.
pub fn collision_key(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).collect()
}

/// A list of files that come out of a step.
struct List {
    /// The step whose legs name them.
    step: Option<usize>,
    /// Where its reader stands.
    at: Coords,
    /// The document in which it is read.
    frame: usize,
}

impl Plan {
    /// The files that a finished leg saves; the message says why it cannot.
    pub fn saves(&self, leg: LegId, results: &Arc<Results>) -> Result<Vec<SavedFile>, String> {
        let step = &self.graph.steps[self.legs.step(leg)];
        let (Some(save), Some(result)) = (&step.save, results.get(leg)) else { return Ok(Vec::new()) };
        let files = result.output.as_ref().map(|o| o.raw.media()).unwrap_or_default();
        let scope = self.scope_of_save(leg, results);
        // The outputs of a call, where there are several, and the items of a list are in folders.
        let mut folder = String::new();
        let mut labels = Vec::new();
        if let (Role::Gives(output, name), Some(Value::List(_))) =
            (&step.role, result.output.as_ref().map(|output| &*output.raw))
        {
            folder = name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
            let list = List { step: output.labels, at: self.legs.coords(leg), frame: step.frame };
            labels = self.labels(&list, files.len(), results);
        } else if let Role::Gives(_, Some(name)) = &step.role {
            folder = format!("/{name}");
        }
        let mut saved: Vec<SavedFile> = Vec::new();
        for (index, artifact) in files.into_iter().enumerate() {
            let scope = Arc::new(Scope { file: Some(index), ..(*scope).clone() });
            let text = match self.graph.templates.render(save, &scope) {
                Ok(value) => {
                    let label = labels.get(index).map(|label| format!("/{label}"));
                    text_of(&value) + &folder + &label.unwrap_or_default()
                }
                Err(Stop::Failed { message, .. }) => return Err(message),
                Err(Stop::Absent(_) | Stop::Pending) => {
                    return Err("its path reads a leg without output".to_owned());
                }
            };
            let path = path(&text, &artifact.media_type)?;
            if saved.iter().any(|s| collision_key(&s.path) == collision_key(&path)) {
                return Err(format!(
                    "it yields several files, all saved as `{path}`; add `{{{{ file.index }}}}`"
                ));
            }
            saved.push(SavedFile { path, artifact: artifact.clone() });
        }
        Ok(saved)
    }

    /// Finds files that are named and are not there, also where their template or their list waits
    /// for other steps.
    pub fn check_reads(&self) -> Diagnostics {
        let broken = |what: &str, at: &Mention, want: Want| {
            let file = FileRef { from: Origin::document(&at.source), path: at.path.clone(), want };
            match self.files.get(&file) {
                Err(NoFile::Broken(broken)) => Some(broken.finding(what, &at.source, at.span)),
                _ => None,
            }
        };
        let texts = self.graph.reads.iter();
        let texts = texts.filter_map(|at| broken("`read`", at, Want::Text));
        let files = self.graph.files.iter();
        let files = files.filter_map(|at| broken("this", at, Want::Artifact));
        Diagnostics { list: texts.chain(files).collect() }
    }

    /// Finds legs that would save under one name, as far as paths are known before the run.
    pub fn check_saves(&self) -> Diagnostics {
        let mut found = Diagnostics::default();
        let none = Arc::new(Results::new(self.legs.len()));
        let mut taken: BTreeMap<String, LegId> = BTreeMap::new();
        for (number, step) in self.graph.steps.iter().enumerate() {
            // What a call saves are its outputs.
            let Some(save) = step.save.as_ref().filter(|_| step.call().is_none()) else { continue };
            for leg in self.legs.of_step(number) {
                let scope = Arc::new(Scope { file: Some(0), ..(*self.scope_of_save(leg, &none)).clone() });
                let Ok(value) = self.graph.templates.render(save, &scope) else { continue };
                let mut text = text_of(&value);
                if let Role::Gives(_, Some(folder)) = &step.role {
                    text = format!("{text}/{folder}");
                }
                let extension = text.rsplit('/').next().unwrap_or(&text).rsplit_once('.').map(|(_, e)| e);
                let media =
                    extension.and_then(MediaType::of_extension).unwrap_or(MediaType::new("image/png"));
                let at = |code, message| Diagnostic::error(code, &save.source, save.span, message);
                match path(&text, &media) {
                    Err(why) => found.push(at(Code::InvalidPath, why)),
                    Ok(path) => {
                        let key = collision_key(path.strip_suffix(".png").unwrap_or(&path));
                        if let Some(other) = taken.insert(key, leg) {
                            let (a, b) = (self.leg_name(other), self.leg_name(leg));
                            let message = format!("`{a}` and `{b}` would both be saved as `{text}`");
                            found.push(at(Code::SaveCollision, message).hint("name the axis in the path"));
                            break;
                        }
                    }
                }
            }
        }
        found
    }

    /// The files of a workflow output: `NAME.ext`, or `NAME/LABEL.ext` for a list.
    pub fn output_files(&self, name: &Name, value: &Value, results: &Arc<Results>) -> Vec<SavedFile> {
        let file = |path: String, artifact: &Artifact| SavedFile {
            path: format!("{path}.{}", artifact.media_type.extension()),
            artifact: artifact.clone(),
        };
        match value {
            Value::Media(artifact) => vec![file(name.to_string(), artifact)],
            Value::List(items) => {
                let media: Vec<_> = items.iter().flat_map(Value::media).collect();
                // A model that gives lists gave one picture, and nobody wrote a list.
                if let ([one], None, true) =
                    (&media[..], self.graph.outputs[name].labels, self.graph.outputs[name].implied)
                {
                    return vec![file(name.to_string(), one)];
                }
                let list = List { step: self.graph.outputs[name].labels, at: Coords::new(), frame: 0 };
                let labels = self.labels(&list, media.len(), results);
                let mut taken = BTreeMap::new();
                media
                    .into_iter()
                    .zip(labels)
                    .map(|(artifact, label)| {
                        let n: &mut u32 = taken.entry(collision_key(&label)).or_insert(0);
                        *n += 1;
                        let label = if *n > 1 { format!("{label}-{n}") } else { label };
                        file(format!("{name}/{label}"), artifact)
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// A name for each file of a list: its leg's axis values, else its number from 1.
    fn labels(&self, list: &List, count: usize, results: &Arc<Results>) -> Vec<String> {
        let numbers = || (1..=count).map(|i| i.to_string()).collect();
        let Some(step) = list.step else { return numbers() };
        let frame = &self.graph.frames[list.frame];
        let label = |leg: LegId| {
            let labels = self.legs.labels(leg);
            let own = labels.iter().filter(|(axis, _)| frame.axis(axis).is_some());
            own.map(|(_, label)| file_name_part(label)).collect::<Vec<_>>().join("-")
        };
        let legs = self.legs.reading(step, &list.at, &[]).into_iter();
        let legs: Vec<_> =
            legs.filter(|leg| results.get(*leg).is_some_and(|r| r.output.is_some())).map(label).collect();
        if legs.len() == count && legs.iter().all(|l| check_part(l).is_ok()) { legs } else { numbers() }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_json(&mut |a| a.digest.hex().into()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(text: &str) -> Result<String, String> {
        path(text, &MediaType::new("image/png"))
    }

    #[test]
    fn a_path_gets_its_extension_and_stays_in_its_folder() {
        assert_eq!(png("styles/linocut").unwrap(), "styles/linocut.png");
        assert_eq!(png("v1.5").unwrap(), "v1.5.png");
        assert_eq!(png("a.png").unwrap(), "a.png");
        for bad in ["../a", "/etc/passwd", "a//b", "a/./b", "con", "LPT1.png", "a.jpg", "a:b", ""] {
            assert!(png(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_cannot_make_folders() {
        assert_eq!(file_name_part("../../etc/passwd"), "..-..-etc-passwd");
        assert_eq!(file_name_part("16:9"), "16-9");
    }
}
