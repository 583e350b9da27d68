//! Changes `libraries` in the text of `castline.yaml`, and nothing else in it.
//!
//! What comes out is read again and has to name what was meant, so that a text of an odd form is
//! left alone rather than spoilt.

use std::fs;
use std::path::Path;

use castline_spec::library::Place;
use castline_spec::raw::{self, Key, Node, NodeKind};
use castline_spec::{Project as Document, Source};

use super::{Given, from_project};
use crate::project::{FILE, Project, shown};
use crate::trouble::Trouble;

/// What stands for a library under `libraries`, and what that means.
pub(super) fn entry(project: &Project, given: &Given) -> Result<(String, Place), Trouble> {
    let pairs = pairs(project, given);
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}: {}", scalar(value))).collect();
    let entry = format!("{{ {} }}", pairs.join(", "));
    let source = Source::new("the command line", format!("libraries: {{ it: {entry} }}"));
    let (document, found) = Document::parse(&source);
    let place = document.and_then(|mut document| document.libraries.shift_remove("it"));
    match place.filter(|_| !found.has_errors()) {
        Some(wanted) => Ok((entry, wanted.place)),
        None => Err(found.list.into_iter().next().map_or_else(
            || Trouble::Bug(format!("`{entry}` names no library")),
            |finding| Trouble::Usage { message: finding.message, hint: finding.hint },
        )),
    }
}

fn pairs(project: &Project, given: &Given) -> Vec<(&'static str, String)> {
    let text = given.place.as_str();
    if text.starts_with("oci://") {
        return vec![("oci", text.trim_start_matches("oci://").to_owned())];
    }
    let is_address = text.contains("://") || (text.contains('@') && text.contains(':'));
    let in_git = given.rev.is_some()
        || given.folder.is_some()
        || Path::new(text).extension().is_some_and(|ending| ending == "git");
    let path = || from_project(project, text);
    if !is_address && !in_git {
        return vec![("path", path())];
    }
    let mut pairs = vec![("git", if is_address { text.to_owned() } else { path() })];
    pairs.extend(given.rev.iter().map(|rev| ("rev", rev.clone())));
    pairs.extend(given.folder.iter().map(|folder| ("folder", folder.clone())));
    pairs
}

/// A text as YAML, in quotes only where it needs them.
fn scalar(text: &str) -> String {
    let safe = text.chars().all(|c| c.is_ascii_alphanumeric() || "._/@:+-".contains(c));
    let plain = serde_yaml::from_str::<serde_yaml::Value>(&format!("[{text}]")).ok();
    let same = plain.is_some_and(|value| value[0].as_str() == Some(text));
    if safe && same { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// The text of `castline.yaml` with one more library.
pub(super) fn with_library(project: &Project, name: &str, entry: &str) -> Result<String, Trouble> {
    let before = text(project)?;
    let line = format!("{name}: {entry}");
    let after = inserted(&before, &line);
    accept(&before, after, &format!("write `{line}` under `libraries` yourself"), |document| {
        document.libraries.contains_key(name)
    })
}

/// The text of `castline.yaml` without a library.
pub(super) fn without_library(project: &Project, name: &str) -> Result<String, Trouble> {
    if !project.names_library(name) {
        return Err(Trouble::usage(
            format!("castline.yaml names no library `{name}`"),
            "`castline library list` shows those that it names",
        ));
    }
    let before = text(project)?;
    let after = removed(&before, name);
    accept(&before, after, &format!("take `{name}` out of `libraries` yourself"), |document| {
        !document.libraries.contains_key(name)
    })
}

fn text(project: &Project) -> Result<String, Trouble> {
    let file = project.root.join(FILE);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(Trouble::usage(format!("`{}` cannot be read: {e}", file.display()), "is it text?")),
    }
}

/// The new text, if it says what was meant and nothing else.
fn accept(
    before: &str,
    after: Option<String>,
    instead: &str,
    holds: impl Fn(&Document) -> bool,
) -> Result<String, Trouble> {
    let rest = |text: &str| {
        let mut json = raw::parse(&Source::new(FILE, text)).ok()?.to_json();
        json.as_object_mut().map(|map| map.shift_remove("libraries"));
        Some(json).filter(|json| !json.is_null() && *json != serde_json::json!({}))
    };
    let good = after.filter(|after| {
        let (document, found) = Document::parse(&Source::new(FILE, after.as_str()));
        !found.has_errors()
            && rest(after) == rest(before)
            && document.is_some_and(|document| holds(&document))
    });
    good.ok_or_else(|| {
        Trouble::usage(format!("`{FILE}` is written in a way that castline does not edit"), instead)
    })
}

fn root(text: &str) -> Option<Node> {
    raw::parse(&Source::new(FILE, text)).ok()
}

fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.kind {
        NodeKind::Map(entries) => entries,
        _ => &[],
    }
}

/// With a line under `libraries`, in the style that stands there.
fn inserted(text: &str, line: &str) -> Option<String> {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let root = if text.trim().is_empty() { None } else { root(text) };
    let own = root.as_ref().and_then(|root| entries(root).iter().find(|(key, _)| key.value == "libraries"));
    let Some((key, node)) = own else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { ending };
        return Some(format!("{text}{gap}libraries:{ending}  {line}{ending}"));
    };
    let flow = text.get(node.span.range()).is_some_and(|there| there.starts_with('{'));
    let all = entries(node);
    match all.last() {
        _ if flow => {
            let end = node.span.end.offset.checked_sub(1)?;
            let between = if all.is_empty() { " " } else { ", " };
            let head = text[..end].trim_end();
            Some(format!("{head}{between}{line} {}", &text[end..]))
        }
        Some((first, last)) => {
            let indent = " ".repeat(first.span.start.column as usize - 1);
            let at = end_of_line(text, last.span.end.offset.max(first.span.end.offset));
            let gap = if text[..at].ends_with('\n') { "" } else { ending };
            Some(format!("{}{gap}{indent}{line}{ending}{}", &text[..at], &text[at..]))
        }
        None => {
            let at = end_of_line(text, key.span.end.offset);
            let gap = if text[..at].ends_with('\n') { "" } else { ending };
            Some(format!("{}{gap}  {line}{ending}{}", &text[..at], &text[at..]))
        }
    }
}

/// Without an entry of `libraries`, and without `libraries` when nothing else is in it.
fn removed(text: &str, name: &str) -> Option<String> {
    let root = root(text)?;
    let (key, node) = entries(&root).iter().find(|(key, _)| key.value == "libraries")?;
    let all = entries(node);
    let at = all.iter().position(|(key, _)| key.value == name)?;
    let lines = |from: usize, to: usize| {
        let from = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
        Some(format!("{}{}", &text[..from], &text[end_of_line(text, to)..]))
    };
    let end = |(key, node): &(Key, Node)| node.span.end.offset.max(key.span.end.offset);
    if all.len() == 1 {
        return lines(key.span.start.offset, node.span.end.offset.max(end(&all[0])));
    }
    if text.get(node.span.range())?.starts_with('{') {
        let (from, to) = match all.get(at + 1) {
            Some((next, _)) => (all[at].0.span.start.offset, next.span.start.offset),
            None => (end(&all[at - 1]), end(&all[at])),
        };
        return Some(format!("{}{}", &text[..from], &text[to..]));
    }
    lines(all[at].0.span.start.offset, end(&all[at]))
}

/// The place behind the line that a place is in. Where a value ends at the beginning of a line, it
/// ended with the line before.
fn end_of_line(text: &str, at: usize) -> usize {
    if at > 0 && text[..at].ends_with('\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// Writes `castline.yaml`: the whole file or nothing.
pub(super) fn write(project: &Project, text: &str) -> Result<(), Trouble> {
    let file = project.root.join(FILE);
    let written = match file.is_file() {
        true => crate::fix::replace(&file, text),
        false => fs::write(&file, text).map_err(|e| format!("it cannot be written: {e}")),
    };
    written.map_err(|why| Trouble::usage(format!("`{}`: {why}", shown(&file)), "may you write there?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> String {
        inserted(text, "new: { path: ./new }").expect("it can be edited")
    }

    #[test]
    fn a_library_is_added_in_the_style_that_is_there() {
        assert_eq!(with(""), "libraries:\n  new: { path: ./new }\n");
        assert_eq!(with("# mine\nout: x"), "# mine\nout: x\nlibraries:\n  new: { path: ./new }\n");
        assert_eq!(
            with("libraries: # ours\n    a: { path: ./a } # first\n\n# then\nout: x\n"),
            "libraries: # ours\n    a: { path: ./a } # first\n    new: { path: ./new }\n\n# then\nout: x\n"
        );
        assert_eq!(
            with("libraries:\n  a:\n    git: x\n    rev: v1 # why\nout: x\n"),
            "libraries:\n  a:\n    git: x\n    rev: v1 # why\n  new: { path: ./new }\nout: x\n"
        );
        assert_eq!(
            with("libraries: { a: { path: ./a } }\n"),
            "libraries: { a: { path: ./a }, new: { path: ./new } }\n"
        );
        assert_eq!(with("libraries: {}\n"), "libraries: { new: { path: ./new } }\n");
        assert_eq!(with("libraries:\r\nout: x\r\n"), "libraries:\r\n  new: { path: ./new }\r\nout: x\r\n");
    }

    #[test]
    fn a_library_is_taken_out_with_its_lines() {
        let without = |text: &str| removed(text, "a").expect("it can be edited");
        assert_eq!(without("out: x\nlibraries:\n  a: { path: ./a }\n# end\n"), "out: x\n# end\n");
        assert_eq!(
            without("libraries:\n  a:\n    git: x\n    rev: v1\n  b: { path: ./b } # other\n"),
            "libraries:\n  b: { path: ./b } # other\n"
        );
        assert_eq!(
            without("libraries: { a: { path: ./a }, b: { path: ./b } }\n"),
            "libraries: { b: { path: ./b } }\n"
        );
        assert_eq!(
            without("libraries: { b: { path: ./b }, a: { path: ./a } }\n"),
            "libraries: { b: { path: ./b } }\n"
        );
    }

    #[test]
    fn what_was_not_understood_is_left_alone() {
        let odd = |before: &str, after: &str| {
            accept(before, Some(after.to_owned()), "do it yourself", |_| true).is_err()
        };
        assert!(odd("out: x\n", "out: y\n"));
        assert!(odd("out: x\n", "out: [\n"));
        assert!(!odd("out: x\n", "# new\nout: x\n"));
    }

    #[test]
    fn a_text_is_in_quotes_where_it_needs_them() {
        for plain in ["https://a.b/x.git", "git@a.b:x", "v1.4", "../x", "registry.a.b/x:1.4"] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in ["1.4", "true", "a b", "#x", "a: b", "null"] {
            assert_eq!(scalar(quoted), format!("\"{quoted}\""));
        }
    }
}
