//! Writes the cures that are certain into the documents: what `check --fix` does.
//!
//! A pass takes every cure of one check that overlaps no other, writes the files, and has
//! everything checked again, because one mistake can hide others. Outside of the stretches that
//! are replaced not a byte changes. What to check and how to say it is the caller's.
//!
//! Start reading at [`fix`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use castline_core::graph::Proofs;
use castline_spec::{Code, Diagnostic, Diagnostics, Fix, Severity, Source, Span};

use crate::files::is_inside;
use crate::presets;

/// A parser stops at some mistakes, so that each pass finds one of them; there is an end to it.
const MOST_PASSES: usize = 100;

/// What one check of some files found.
#[derive(Debug, Default)]
pub struct Look {
    /// The folders of the projects that were checked. Nothing outside of them is written.
    pub roots: Vec<PathBuf>,
    /// The findings.
    pub found: Diagnostics,
    /// How many inputs are known to fit.
    pub proofs: Proofs,
}

/// What was written, and what remains.
#[derive(Debug, Default)]
pub struct Fixed {
    /// What was written, in this order.
    pub changes: Vec<Change>,
    /// Files with cures that were not written.
    pub left: Vec<Left>,
    /// What is found now.
    pub now: Look,
}

/// A stretch that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The code of the finding.
    pub code: Code,
    /// The file, as messages show it.
    pub file: String,
    /// Where it stood when it was found.
    pub span: Span,
    /// What stood there.
    pub was: String,
    /// What stands there now.
    pub text: String,
}

/// A file that was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file, as messages show it.
    pub file: String,
    /// Why.
    pub why: String,
}

/// The findings whose cures `check --fix` would write. What looks wrong in a document of a later
/// language may be right there.
pub fn fixable(found: &Diagnostics) -> impl Iterator<Item = &Diagnostic> {
    let newer = found.list.iter().filter(|finding| finding.code == Code::NewerLanguage);
    let newer: BTreeSet<&str> = newer.map(|finding| &*finding.source.name).collect();
    let is_known = move |finding: &Diagnostic| !newer.contains(&*finding.source.name);
    found.list.iter().filter(move |finding| is_fixable(finding) && is_known(finding))
}

fn is_fixable(finding: &Diagnostic) -> bool {
    finding.fix.as_ref().is_some_and(|fix| fix.certain) && !presets::is_built_in(&finding.source)
}

/// Writes cures until a check finds none that is certain.
pub fn fix(mut check: impl FnMut() -> Look) -> Fixed {
    let mut files = Files::default();
    let mut changes = Vec::new();
    let mut now = check();
    for _ in 0..MOST_PASSES {
        let written = files.write(&now);
        if written.is_empty() {
            break;
        }
        let after = check();
        let (worse, better): (Vec<_>, Vec<_>) =
            written.into_iter().partition(|file| is_worse(&now.found, &after.found, &file.path));
        changes.extend(better.into_iter().flat_map(|file| file.changes));
        now = if worse.is_empty() {
            after
        } else {
            worse.into_iter().for_each(|file| files.take_back(file));
            check()
        };
    }
    Fixed { changes, left: files.left, now }
}

/// True when a file has more errors than before.
fn is_worse(before: &Diagnostics, after: &Diagnostics, path: &Path) -> bool {
    let read_until = errors_of(before, path)
        .filter(|finding| depth(finding.code) == 0)
        .filter_map(|finding| finding.span)
        .map(|span| span.end.line)
        .max();
    let until = read_until.unwrap_or(u32::MAX);
    count(after, path, until) > count(before, path, until)
}

/// How many errors a file has up to a line: those that keep it from being read, those of its
/// form, all others. Curing one of the first brings the others to light, and what stands behind
/// it, which is no harm done.
fn count(found: &Diagnostics, path: &Path, until: u32) -> [usize; 3] {
    let mut counts = [0; 3];
    errors_of(found, path)
        .filter(|finding| finding.span.is_none_or(|span| span.start.line <= until))
        .for_each(|finding| counts[depth(finding.code)] += 1);
    counts
}

fn errors_of<'a>(found: &'a Diagnostics, path: &Path) -> impl Iterator<Item = &'a Diagnostic> {
    found.list.iter().filter(move |finding| {
        finding.severity == Severity::Error && real(&finding.source).as_deref() == Some(path)
    })
}

fn depth(code: Code) -> usize {
    match code {
        Code::Unreadable | Code::YamlSyntax | Code::YamlTrap => 0,
        Code::DuplicateKey
        | Code::UnknownKey
        | Code::WrongType
        | Code::MissingKey
        | Code::InvalidName
        | Code::InvalidValue
        | Code::NewerLanguage
        | Code::TemplateSyntax => 1,
        _ => 2,
    }
}

/// The file that a text was read from, links followed. A text's name is relative to where the
/// user stands.
fn real(source: &Source) -> Option<PathBuf> {
    Path::new(&*source.name).canonicalize().ok()
}

/// What was written to a file in one pass.
struct Written {
    path: PathBuf,
    /// As messages show it.
    name: String,
    before: String,
    after: String,
    changes: Vec<Change>,
}

/// The files that were met, and what became of them.
#[derive(Default)]
struct Files {
    /// Every text that a file had, so that no pass brings one back.
    seen: BTreeMap<PathBuf, BTreeSet<String>>,
    /// Files that are not touched any more.
    closed: BTreeSet<PathBuf>,
    left: Vec<Left>,
}

impl Files {
    /// One pass over all files.
    fn write(&mut self, checked: &Look) -> Vec<Written> {
        let mut by_file: BTreeMap<PathBuf, Vec<&Diagnostic>> = BTreeMap::new();
        for finding in fixable(&checked.found) {
            // A text without a file has nothing that could be written.
            if let Some(path) = real(&finding.source) {
                by_file.entry(path).or_default().push(finding);
            }
        }
        by_file.retain(|path, _| !self.closed.contains(path));
        by_file
            .into_iter()
            .filter_map(|(path, findings)| self.write_one(path, &findings, &checked.roots))
            .collect()
    }

    fn write_one(&mut self, path: PathBuf, findings: &[&Diagnostic], roots: &[PathBuf]) -> Option<Written> {
        let source = &findings.first()?.source;
        let edits = disjoint(findings);
        let after = apply(&source.text, &edits)?;
        let seen = self.seen.entry(path.clone()).or_default();
        seen.insert(source.text.to_string());
        if !seen.insert(after.clone()) {
            self.closed.insert(path);
            return None;
        }
        if let Err(why) = may_write(&path, source, roots).and_then(|()| replace(&path, &after)) {
            self.leave(path, &source.name, why);
            return None;
        }
        let changes = edits.iter().map(|(finding, fix)| change(finding, fix)).collect();
        let (name, before) = (source.name.to_string(), source.text.to_string());
        Some(Written { path, name, before, after, changes })
    }

    /// Puts back what stood in a file before a pass that did it no good.
    fn take_back(&mut self, file: Written) {
        let back = is_still(&file.path, &file.after).and_then(|()| replace(&file.path, &file.before));
        let why = match back {
            Ok(()) => "its cures lead to more errors".to_owned(),
            Err(why) => format!("its cures lead to more errors, and cannot be taken back: {why}"),
        };
        self.leave(file.path, &file.name, why);
    }

    fn leave(&mut self, path: PathBuf, name: &str, why: String) {
        self.closed.insert(path);
        self.left.push(Left { file: name.to_owned(), why });
    }
}

fn change(finding: &Diagnostic, fix: &Fix) -> Change {
    Change {
        code: finding.code,
        file: finding.source.name.to_string(),
        span: fix.span,
        was: finding.source.slice(fix.span).to_owned(),
        text: fix.text.clone(),
    }
}

/// The cures in the order of their places; of those that overlap the first.
fn disjoint<'a>(findings: &[&'a Diagnostic]) -> Vec<(&'a Diagnostic, &'a Fix)> {
    let text = findings.first().map(|finding| &finding.source.text);
    let of_this_text = findings.iter().filter(|finding| Some(&finding.source.text) == text);
    let mut all: Vec<_> = of_this_text.filter_map(|f| Some((*f, f.fix.as_ref()?))).collect();
    all.sort_by_key(|(_, fix)| (fix.span.start.offset, fix.span.end.offset));
    let mut taken: Vec<(&Diagnostic, &Fix)> = Vec::new();
    for (finding, fix) in all {
        let free = taken.last().is_none_or(|(_, last)| {
            last.span.end.offset <= fix.span.start.offset && last.span.start.offset < fix.span.start.offset
        });
        if free {
            taken.push((finding, fix));
        }
    }
    taken
}

/// The text with these stretches replaced; none when a stretch is not one of this text.
fn apply(text: &str, edits: &[(&Diagnostic, &Fix)]) -> Option<String> {
    let mut after = String::with_capacity(text.len());
    let mut done = 0;
    for (_, fix) in edits {
        let range = fix.span.range();
        after.push_str(text.get(done..range.start)?);
        text.get(range.clone())?;
        after.push_str(&fix.text);
        done = range.end;
    }
    after.push_str(text.get(done..)?);
    Some(after)
}

/// Refuses what is not a file of the project that the user may write, or is not what was checked.
fn may_write(path: &Path, source: &Source, roots: &[PathBuf]) -> Result<(), String> {
    let about = |e: &io::Error| format!("it cannot be written: {e}");
    if !roots.iter().any(|root| is_inside(root, path)) {
        return Err(format!("`{}` is outside of the project's folder", path.display()));
    }
    let meta = fs::metadata(path).map_err(|e| about(&e))?;
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    if meta.permissions().readonly() {
        return Err("it is read-only".to_owned());
    }
    // A rename asks only for the folder's permission.
    OpenOptions::new().write(true).open(path).map_err(|e| about(&e))?;
    is_still(path, &source.text)
}

/// Refuses a file that somebody else writes to as well.
fn is_still(path: &Path, text: &str) -> Result<(), String> {
    match fs::read(path) {
        Ok(bytes) if bytes == text.as_bytes() => Ok(()),
        Ok(_) => Err("it was changed meanwhile".to_owned()),
        Err(e) => Err(format!("it cannot be read: {e}")),
    }
}

/// Puts another text in the place of a file, all of it or nothing; whoever reads sees the one or
/// the other.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), String> {
    replace_file(path, text).map_err(|e| format!("it cannot be written: {e}"))
}

fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let meta = fs::metadata(path)?;
    let mut file = tempfile::Builder::new().prefix(".castline-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    keep_owner(file.path(), &meta);
    file.as_file().set_permissions(meta.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Root leaves a file to whom it belongs; for others it is theirs already, or they cannot.
#[cfg(unix)]
fn keep_owner(path: &Path, meta: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    let _ = std::os::unix::fs::chown(path, Some(meta.uid()), Some(meta.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finding whose cure replaces the first `was` of a text.
    fn cure(source: &Source, code: Code, was: &str, text: &str) -> Diagnostic {
        let start = source.text.find(was).expect("the text has it");
        let span = source.span(start..start + was.len());
        Diagnostic::error(code, source, span, "wrong").fix(span, text)
    }

    fn applied(source: &Source, findings: &[Diagnostic]) -> Option<String> {
        apply(&source.text, &disjoint(&findings.iter().collect::<Vec<_>>()))
    }

    /// A check that finds, for each word of a list that a file has, that another is meant.
    fn checking(file: &Path, words: &'static [(Code, &'static str, &'static str)]) -> impl FnMut() -> Look {
        let file = file.to_owned();
        move || {
            let text = fs::read_to_string(&file).expect("readable");
            let source = Source::new(file.to_string_lossy(), text);
            let wrong = words.iter().filter(|(_, was, _)| source.text.contains(was));
            let list = wrong.map(|(code, was, text)| cure(&source, *code, was, text)).collect();
            Look {
                roots: vec![crate::project::parent(&file)],
                found: Diagnostics { list },
                ..Look::default()
            }
        }
    }

    fn fixed(text: &str, words: &'static [(Code, &'static str, &'static str)]) -> (String, Fixed) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("flow.yaml");
        fs::write(&file, text).expect("written");
        let fixed = fix(checking(&file, words));
        (fs::read_to_string(&file).expect("readable"), fixed)
    }

    #[test]
    fn nothing_changes_outside_of_what_is_replaced() {
        let source = Source::new("flow.yaml", "\u{feff}a: yes # 船\r\nb: off\rc:\tx\r\n");
        let findings =
            [cure(&source, Code::WrongType, "off", "false"), cure(&source, Code::WrongType, "yes", "true")];
        assert_eq!(
            applied(&source, &findings).as_deref(),
            Some("\u{feff}a: true # 船\r\nb: false\rc:\tx\r\n")
        );
    }

    #[test]
    fn of_cures_that_overlap_the_first_is_taken_and_of_two_alike_one() {
        let source = Source::new("flow.yaml", "one two three");
        let cure = |was, text| cure(&source, Code::InvalidValue, was, text);
        assert_eq!(applied(&source, &[cure("two three", "3"), cure("one two", "2")]).unwrap(), "2 three");
        assert_eq!(applied(&source, &[cure("two", "2"), cure("two", "2")]).unwrap(), "one 2 three");
        assert_eq!(
            applied(&source, &[cure("", "1"), cure("", "2"), cure("two", "2")]).unwrap(),
            "1one 2 three"
        );
    }

    #[test]
    fn a_place_that_the_text_does_not_have_changes_nothing() {
        let source = Source::new("flow.yaml", "a: ü\n");
        for (start, end) in [(3, 4), (3, 900), (900, 901), (4, 3)] {
            let pos = |offset| castline_spec::Pos { line: 1, column: 1, offset };
            let span = Span { start: pos(start), end: pos(end) };
            let finding = Diagnostic::error(Code::InvalidValue, &source, span, "wrong").fix(span, "x");
            assert_eq!(applied(&source, &[finding]), None);
        }
    }

    #[test]
    fn a_cure_may_bring_the_next_one_to_light() {
        let words = &[(Code::YamlTrap, "tab", "blank"), (Code::WrongType, "blank", "space")];
        let (text, fixed) = fixed("a: tab\n", words);
        assert_eq!(text, "a: space\n");
        assert_eq!(
            fixed.changes.iter().map(|c| (&*c.was, &*c.text)).collect::<Vec<_>>(),
            [("tab", "blank"), ("blank", "space")]
        );
        assert!(fixed.left.is_empty() && fixed.now.found.list.is_empty());
    }

    #[test]
    fn cures_that_undo_each_other_end() {
        let words = &[(Code::WrongType, "this", "that"), (Code::WrongType, "that", "this")];
        let (text, fixed) = fixed("a: this\n", words);
        assert_eq!(text, "a: that\n");
        assert_eq!(fixed.changes.len(), 1);
        assert_eq!(fixed.now.found.list.len(), 1);
    }

    #[test]
    fn a_cure_that_leads_to_more_errors_is_taken_back() {
        let words = &[
            (Code::UnknownInput, "bad", "worse worst"),
            (Code::UnknownInput, "worse", "x"),
            (Code::UnknownInput, "worst", "y"),
        ];
        let (text, fixed) = fixed("a: bad\n", words);
        assert_eq!(text, "a: bad\n");
        assert!(fixed.changes.is_empty());
        assert_eq!(fixed.left.len(), 1);
        assert_eq!(fixed.now.found.list.len(), 1);
    }

    #[test]
    fn errors_that_were_hidden_by_one_of_form_are_no_harm() {
        let words = &[
            (Code::YamlTrap, "bad", "worse worst"),
            (Code::UnknownInput, "worse", "x"),
            (Code::UnknownInput, "worst", "y"),
        ];
        assert_eq!(fixed("a: bad\n", words).0, "a: x y\n");
    }

    #[test]
    fn errors_behind_one_that_ends_the_reading_are_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("flow.yaml");
        fs::write(&file, "a: bad\nb: worse\nc: worst\n").expect("written");
        let words = &[
            (Code::YamlTrap, "bad", "good"),
            (Code::YamlTrap, "worse", "better"),
            (Code::YamlTrap, "worst", "best"),
        ];
        let mut all = checking(&file, words);
        let fixed = fix(|| {
            let mut checked = all();
            let list = &mut checked.found.list;
            if list.len() == 3 {
                list.truncate(1);
            }
            checked
        });
        assert_eq!(fs::read_to_string(&file).expect("readable"), "a: good\nb: better\nc: best\n");
        assert!(fixed.left.is_empty());
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("flow.yaml");
        fs::write(&file, "a: bad\n").expect("written");
        let mut check = checking(&file, &[(Code::YamlTrap, "bad", "good")]);
        let fixed = fix(|| {
            let checked = check();
            fs::write(&file, "a: bad # mine\n").expect("written");
            checked
        });
        assert_eq!(fs::read_to_string(&file).expect("readable"), "a: bad # mine\n");
        assert_eq!(fixed.left[0].why, "it was changed meanwhile");
    }

    #[test]
    fn a_document_of_a_later_language_is_left_alone() {
        let words =
            &[(Code::UnknownKey, "var:", "vars:"), (Code::NewerLanguage, "castline: 2", "castline: 1")];
        let (text, fixed) = fixed("castline: 2\nvar: a\n", words);
        assert_eq!(text, "castline: 2\nvar: a\n");
        assert!(fixed.changes.is_empty() && fixed.left.is_empty());
        assert_eq!(fixable(&fixed.now.found).count(), 0);
    }

    #[test]
    fn a_nearest_guess_and_an_embedded_preset_are_left_alone() {
        let source = Source::new("flow.yaml", "a: one\n");
        let span = source.span(3..6);
        let guess = Diagnostic::error(Code::InvalidValue, &source, span, "wrong").suggest(span, "two");
        assert!(!is_fixable(&guess));
        let name = "flux-schnell";
        let text = presets::built_in_text(name).expect("there is one");
        let source = Source::new(format!("built-in presets/{name}.yaml"), text);
        assert!(!is_fixable(&cure(&source, Code::InvalidValue, "castline", "x")));
    }
}
