//! Findings as SARIF 2.1.0, for code scanning.
//!
//! Braces in messages stay as they are: a message without arguments has no placeholders to any
//! reader we know of, and doubled ones would be shown doubled.
//!
//! Start reading at [`log`].

use std::collections::BTreeSet;

use castline_spec::{Code, Diagnostic, Diagnostics, Fix, Label, Source, Span};
use serde_json::{Value as Json, json};

use super::diagnostic::Cure;
use super::pages::page;
use super::place::{Base, Place};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What paths of files are relative to; the name is the one that readers know.
const ROOT: &str = "%SRCROOT%";
/// What the presets that are part of castline are relative to.
const BUILT_IN: &str = "CASTLINE";

/// All findings, with the rules they are found by.
pub(crate) fn log(found: &Diagnostics, base: &Base) -> Json {
    let codes: BTreeSet<Code> = found.list.iter().map(|finding| finding.code).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "castline",
                "version": VERSION,
                "semanticVersion": VERSION,
                "informationUri": REPOSITORY,
                "rules": codes.iter().copied().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "newlineSequences": ["\r\n", "\n", "\r"],
            "originalUriBaseIds": {
                ROOT: { "description": { "text": "The folder that was checked." } },
                BUILT_IN: { "description": { "text": "Presets that are part of castline." } },
            },
            "results": found.list.iter().map(|finding| result(finding, &codes, base)).collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: Code) -> Json {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": description(code) },
        "help": { "text": page(code), "markdown": with_whole_links(page(code)) },
        "helpUri": format!("{}/errors/{}.md", docs(), code.as_str()),
    })
}

/// The documentation of this version.
fn docs() -> String {
    format!("{REPOSITORY}/blob/v{VERSION}/docs")
}

/// What the page says before its first heading, as plain text.
fn description(code: Code) -> String {
    let mut text: &str = page(code);
    text = text.split_once('\n').map_or(text, |(_, rest)| rest);
    text = text.split("\n## ").next().unwrap_or(text);
    let paragraphs = text.trim().split("\n\n").map(|p| p.lines().collect::<Vec<_>>().join(" "));
    let mut text = paragraphs.collect::<Vec<_>>().join("\n\n");
    // Of a link only its words.
    while let Some((from, until)) = link(&text) {
        let words = text[from..until].split("](").next().unwrap_or_default()[1..].to_owned();
        text.replace_range(from..until, &words);
    }
    text
}

/// The first link of a text.
fn link(text: &str) -> Option<(usize, usize)> {
    let middle = text.find("](")?;
    Some((text[..middle].rfind('[')?, middle + text[middle..].find(')')? + 1))
}

/// Links of a page lead to its neighbours, which a reader of SARIF does not have.
fn with_whole_links(page: &str) -> String {
    let docs = docs();
    page.replace("](../", &format!("]({docs}/"))
}

fn result(finding: &Diagnostic, codes: &[Code], base: &Base) -> Json {
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": codes.iter().position(|code| *code == finding.code),
        "level": finding.severity.as_str(),
        "message": { "text": message(finding, base) },
        "locations": [{ "physicalLocation": physical(&finding.source, finding.span, base) }],
    });
    if !finding.labels.is_empty() {
        let labels = finding.labels.iter().enumerate();
        result["relatedLocations"] = labels.map(|(i, label)| related(i + 1, label, base)).collect();
    }
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([self::fix(finding, fix, base)]);
    }
    result
}

/// The message, the hint, and a link to every second place in a file: code scanning shows only
/// those that the text links to.
fn message(finding: &Diagnostic, base: &Base) -> String {
    let mut lines = vec![without_links(&finding.message)];
    lines.extend(finding.hint.as_ref().map(|hint| format!("hint: {}", without_links(hint))));
    for (i, label) in finding.labels.iter().enumerate() {
        if !matches!(base.place(&label.source), Place::BuiltIn(_)) {
            let words = label.message.replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]");
            lines.push(format!("see [{words}]({})", i + 1));
        }
    }
    lines.join("\n")
}

/// Text that happens to look like a link is none.
fn without_links(text: &str) -> String {
    text.replace("](", r"\](")
}

fn related(id: usize, label: &Label, base: &Base) -> Json {
    json!({
        "id": id,
        "physicalLocation": physical(&label.source, Some(label.span), base),
        "message": { "text": without_links(&label.message) },
    })
}

fn physical(source: &Source, span: Option<Span>, base: &Base) -> Json {
    let mut location = json!({ "artifactLocation": artifact(source, base) });
    if let Some(span) = span.filter(|span| span.start.line > 0) {
        location["region"] = region(span);
    }
    location
}

fn artifact(source: &Source, base: &Base) -> Json {
    let place = base.place(source);
    match place {
        Place::Inside(_) => json!({ "uri": place.uri(), "uriBaseId": ROOT }),
        Place::BuiltIn(_) => json!({ "uri": place.uri(), "uriBaseId": BUILT_IN }),
        Place::Outside(_) => json!({ "uri": place.uri() }),
    }
}

fn region(span: Span) -> Json {
    json!({
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
    })
}

fn fix(finding: &Diagnostic, fix: &Fix, base: &Base) -> Json {
    let mut replacement = json!({ "deletedRegion": region(fix.span) });
    if !fix.text.is_empty() {
        replacement["insertedContent"] = json!({ "text": fix.text });
    }
    json!({
        "description": { "text": without_links(&Cure::of(finding, fix).text) },
        "artifactChanges": [{
            "artifactLocation": artifact(&finding.source, base),
            "replacements": [replacement],
        }],
        "properties": { "certain": fix.certain },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_its_places_and_its_cure() {
        let source = Source::new("a b.yaml", "steps:\n  船: 1\n  a[1](2): x\n");
        let (first, again) = (source.span(9..12), source.span(18..25));
        let finding = Diagnostic::error(Code::DuplicateKey, &source, again, "`a[1](2)` stands twice")
            .label(&source, first, "first [here]")
            .hint("take one out")
            .suggest(again, "");
        let whole = Diagnostic::of_file(Code::Unreadable, &source, "`a b.yaml` cannot be read");
        let log = log(&Diagnostics { list: vec![finding, whole] }, &Base::find());
        insta::assert_json_snapshot!(log["runs"][0]["results"]);
    }

    #[test]
    fn every_rule_is_described_in_plain_text() {
        for code in Code::ALL {
            let text = description(*code);
            assert!(!text.is_empty() && !text.contains("](") && !text.contains("```"), "{code:?}: {text}");
            let help = rule(*code)["help"]["markdown"].as_str().unwrap().to_owned();
            assert!(!help.contains("](../"), "{code:?}: {help}");
        }
        assert!(description(Code::UnknownKey).ends_with("reference: workflow, preset, project."));
    }
}
