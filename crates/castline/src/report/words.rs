//! Two texts as one: what was taken away in `[-brackets-]`, what came in `{+braces+}`, and of
//! what stayed only what is near.
//!
//! The signs are those of `git diff --word-diff`, so that the line makes sense without colors.

use similar::{ChangeTag, TextDiff};

use crate::screen::{self, BAD, GOOD, printable};

/// Characters of what stayed that are shown on either side of a change.
const NEAR: usize = 30;
/// Longer texts are not compared word by word.
const LONGEST: usize = 20_000;
/// With less in common than this two texts are shown one after the other.
const ALIKE: f32 = 0.3;
/// Columns of a text that is shown whole.
const WIDTH: usize = 160;

/// The difference of two values as text, on one line.
pub(crate) fn difference(left: &str, right: &str) -> String {
    let (left, right) = (short_digests(left), short_digests(right));
    if left.len().max(right.len()) > LONGEST {
        return both(&left, &right);
    }
    let diff = TextDiff::from_words(&left, &right);
    if diff.ratio() < ALIKE {
        return both(&left, &right);
    }
    let mut parts: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match parts.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => parts.push((change.tag(), change.value().to_owned())),
        }
    }
    let last = parts.len().saturating_sub(1);
    let parts = parts.iter().enumerate().map(|(i, (tag, text))| match tag {
        ChangeTag::Delete => format!("{BAD}[-{}-]{BAD:#}", one_line(text)),
        ChangeTag::Insert => format!("{GOOD}{{+{}+}}{GOOD:#}", one_line(text)),
        ChangeTag::Equal => near(&one_line(text), i > 0, i < last),
    });
    parts.collect()
}

fn both(left: &str, right: &str) -> String {
    let side = |text: &str| screen::short(text, WIDTH);
    format!("{BAD}[-{}-]{BAD:#} {GOOD}{{+{}+}}{GOOD:#}", side(left), side(right))
}

fn one_line(text: &str) -> String {
    printable(&text.replace('\n', "\\n"))
}

/// What stayed, without what is far from the changes before and after it.
fn near(text: &str, before: bool, after: bool) -> String {
    let all: Vec<char> = text.chars().collect();
    let (head, tail) = (if before { NEAR } else { 0 }, if after { NEAR } else { 0 });
    if all.len() <= head + tail + "...".len() {
        return text.to_owned();
    }
    let (head, tail): (String, String) =
        (all[..head].iter().collect(), all[all.len() - tail..].iter().collect());
    format!("{head}...{tail}")
}

/// Digests are cut to what tells them apart.
fn short_digests(text: &str) -> String {
    const SIGN: &str = "sha256:";
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SIGN) {
        let (before, digest) = rest.split_at(at + SIGN.len());
        let digits = digest.bytes().take_while(u8::is_ascii_hexdigit).count();
        short.push_str(before);
        short.push_str(&digest[..digits.min(12)]);
        rest = &digest[digits..];
    }
    short.push_str(rest);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(left: &str, right: &str) -> String {
        console::strip_ansi_codes(&difference(left, right)).into_owned()
    }

    #[test]
    fn changed_words_stand_in_signs_among_those_that_stayed() {
        assert_eq!(
            plain("Redo as linocut. Keep the composition.", "Redo as bauhaus. Keep the composition."),
            "Redo as [-linocut.-]{+bauhaus.+} Keep the composition."
        );
        assert_eq!(plain("a boat", "a paper boat"), "a {+paper +}boat");
    }

    #[test]
    fn what_is_far_from_a_change_is_left_out() {
        let (head, tail) = ("one two three ".repeat(20), " four five six".repeat(20));
        let shown = plain(&format!("{head}boat{tail}"), &format!("{head}kite{tail}"));
        assert_eq!(
            shown,
            "...e one two three one two three [-boat-]{+kite+} four five six four five six f..."
        );
    }

    #[test]
    fn texts_with_little_in_common_stand_one_after_the_other() {
        assert_eq!(plain("7", "8"), "[-7-] {+8+}");
        let digest = |c: char| format!("sha256:{}", c.to_string().repeat(64));
        assert_eq!(plain(&digest('a'), &digest('b')), "[-sha256:aaaaaaaaaaaa-] {+sha256:bbbbbbbbbbbb+}");
    }

    #[test]
    fn lines_and_escape_codes_do_not_break_the_line() {
        assert_eq!(plain("one\ntwo \u{1b}[2J", "one\nsix \u{1b}[2J"), "one\\n[-two-]{+six+} \u{241b}[2J");
    }
}
