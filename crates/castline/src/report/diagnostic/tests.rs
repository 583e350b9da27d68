use castline_spec::{Code, Diagnostic, Diagnostics, Source, Span};

use super::{draw, json, summary};

/// The stretch of the first `word` in a text.
fn at(source: &Source, word: &str) -> Span {
    let start = source.text.find(word).expect("the text has the word");
    source.span(start..start + word.len())
}

fn drawn(findings: impl IntoIterator<Item = Diagnostic>) -> String {
    let found = Diagnostics { list: findings.into_iter().collect() };
    let plain = console::strip_ansi_codes(&draw(&found)).into_owned();
    plain.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

const POSTER: &str = "castline: 1
name: poster
steps:
  sketch:
    uses: flux-schnell
    with: { prompt: A boat. }
  upscale:
    uses: real-esrgan
    after: [sketh]
";

#[test]
fn a_finding_shows_its_line_and_what_to_do() {
    let source = Source::new("workflows/poster.yaml", POSTER);
    let finding = Diagnostic::error(
        Code::UnknownStep,
        &source,
        at(&source, "sketh]").to(at(&source, "sketh]")),
        "step `upscale` needs `sketh`, which is not a step of this workflow",
    );
    let span = at(&source, "sketh]");
    let span = Span { start: span.start, end: source.pos(span.end.offset - 1) };
    let finding =
        Diagnostic { span: Some(span), ..finding }.caret("no such step").hint("there is a step `sketch`");

    insta::assert_snapshot!(drawn([finding]));
}

#[test]
fn a_second_place_may_be_in_another_file() {
    let source = Source::new("flow.yaml", "steps:\n  a:\n    uses: house\n    with: { tint: red }\n");
    let preset = Source::new(
        "presets/house.yaml",
        "castline: 1\nextends: flux-dev\ninputs:\n  tone: { type: string }\n",
    );
    let finding =
        Diagnostic::error(Code::UnknownInput, &source, at(&source, "tint"), "`house` has no input `tint`")
            .label(&preset, at(&preset, "tone"), "the preset's inputs")
            .hint("there is an input `tone`");

    insta::assert_snapshot!(drawn([finding]));
}

#[test]
fn two_places_of_one_file_share_a_snippet_when_they_are_near() {
    let source = Source::new("poster.yaml", POSTER);
    let finding = Diagnostic::error(Code::Cycle, &source, at(&source, "sketch"), "steps wait for each other")
        .label(&source, at(&source, "upscale"), "which waits for the first");

    insta::assert_snapshot!(drawn([finding]));
}

#[test]
fn places_far_apart_get_snippets_of_their_own() {
    let text = format!("first: 1\n{}last: 2\n", "# nothing\n".repeat(500));
    let source = Source::new("long.yaml", text);
    let finding = Diagnostic::error(Code::DuplicateKey, &source, at(&source, "last"), "here again").label(
        &source,
        at(&source, "first"),
        "first here",
    );

    insta::assert_snapshot!(drawn([finding]));
}

#[test]
fn a_finding_about_a_whole_file_names_it() {
    let source = Source::new("gone.yaml", "");
    let finding =
        Diagnostic::of_file(Code::Unreadable, &source, "`gone.yaml` does not exist").hint("look at the path");

    insta::assert_snapshot!(drawn([finding]));
}

#[test]
fn tabs_wide_characters_and_many_lines_do_not_move_the_caret() {
    let source = Source::new("wide.yaml", "\u{feff}a: \"紙の船\"\t# 船\r\nb:\r  - one\r  - two\r\n");
    let wide =
        Diagnostic::error(Code::InvalidValue, &source, at(&source, "\"紙の船\""), "too wide").caret("this");
    let start = at(&source, "- one").start;
    let many = Span { start, end: at(&source, "two").end };
    let many = Diagnostic::warning(Code::Unused, &source, many, "nothing uses this").caret("all of it");

    insta::assert_snapshot!(drawn([wide, many]));
}

#[test]
fn a_very_long_line_is_cut_around_the_mistake() {
    let text = format!("prompt: \"{} wrong {}\"\n", "word ".repeat(400), "tail ".repeat(400));
    let source = Source::new("long.yaml", text);
    let finding =
        Diagnostic::error(Code::UnknownName, &source, at(&source, "wrong"), "no such name").caret("this one");

    let drawn = drawn([finding]);
    assert!(drawn.lines().all(|line| line.chars().count() <= 150), "{drawn}");
    assert!(drawn.contains("wrong") && drawn.contains("this one"), "{drawn}");
    assert!(drawn.contains("long.yaml:1:2011"), "{drawn}");
}

#[test]
fn a_place_that_the_text_does_not_have_is_no_trouble() {
    let source = Source::new("short.yaml", "a: ü\n");
    let outside = castline_spec::Pos { line: 9, column: 9, offset: 900 };
    let inside = castline_spec::Pos { line: 1, column: 4, offset: 4 };
    let findings =
        [Span::at(outside), Span { start: inside, end: inside }, Span { start: outside, end: inside }]
            .map(|span| Diagnostic::error(Code::InvalidValue, &source, span, "wrong"));

    assert_eq!(drawn(findings).matches("error[invalid-value]: wrong").count(), 3);
}

#[test]
fn text_from_a_file_cannot_steer_the_terminal() {
    let source = Source::new("evil\u{1b}[2J.yaml", "a: \u{1b}[31mred\n");
    let finding = Diagnostic::error(Code::InvalidValue, &source, at(&source, "a"), "bad \u{1b}[2J")
        .caret("\u{1b}[2J")
        .hint("\u{1b}[2J")
        .label(&source, at(&source, "red"), "\u{1b}[2J");
    let found = Diagnostics { list: vec![finding] };

    assert!(!draw(&found).contains("\u{1b}[2J"), "{:?}", draw(&found));
}

#[test]
fn the_summary_counts_errors_and_warnings() {
    let source = Source::new("a.yaml", "a: 1\n");
    let error = Diagnostic::error(Code::Cycle, &source, at(&source, "a"), "x");
    let warning = Diagnostic::warning(Code::Unused, &source, at(&source, "a"), "y");
    let of = |list| summary(&Diagnostics { list });

    assert_eq!(
        of(vec![error.clone(), error.clone(), warning.clone()]).as_deref(),
        Some("2 errors, 1 warning")
    );
    assert_eq!(of(vec![warning]).as_deref(), Some("1 warning"));
    assert_eq!(of(vec![]), None);
}

#[test]
fn a_cure_is_shown_unless_the_hint_says_it() {
    let source = Source::new("flow.yaml", "a: yes\nb: [one,\n  two]\nc: stray\nd: x\n");
    let wrong = |word: &str| Diagnostic::error(Code::WrongType, &source, at(&source, word), word);
    let said = wrong("yes").hint("write `true`").fix(at(&source, "yes"), "true");
    let other = wrong("yes").hint("it is untrue").fix(at(&source, "yes"), "true");
    let lines = wrong("one").suggest(at(&source, "[one"), "\n- one\n- two");
    let empty = wrong("stray").fix(at(&source, "stray"), "");
    let end = at(&source, "x").end;
    let more = wrong("x").suggest(Span::at(end), "y\u{1b}[2J");

    let drawn = drawn([said, other, lines, empty, more]);
    let cures: Vec<_> = drawn.lines().filter(|line| line.contains("  = ")).map(str::trim).collect();
    assert_eq!(
        cures,
        [
            "= hint: write `true`",
            "= hint: it is untrue",
            "= fix: write `true`",
            "= try: write `- one` ...",
            "= fix: take out `stray`",
            "= try: put in `y\u{241b}[2J`",
        ]
    );
}

#[test]
fn json_has_every_place_and_the_fix() {
    let source = Source::new("flow.yaml", "steps:\n  a:\n    with: { megapixels: 1 }\n");
    let preset = Source::new("presets/flux.yaml", "input: {}\n");
    let span = at(&source, "1 }");
    let span = Span { start: span.start, end: source.pos(span.start.offset + 1) };
    let finding = Diagnostic::error(Code::TypeMismatch, &source, span, "`megapixels` takes a text")
        .label(&preset, at(&preset, "input"), "the model's input")
        .hint("write `\"1\"`")
        .fix(span, "\"1\"");
    let whole = Diagnostic::of_file(Code::Unreadable, &source, "cannot be read");

    insta::assert_json_snapshot!(json(&Diagnostics { list: vec![finding, whole] }, None));
}
