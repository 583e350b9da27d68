//! Texts that a pattern matches.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::sandbox::dice::Dice;

/// Longer texts come from patterns that nobody means.
const LONGEST: usize = 4_096;

/// A text that the pattern matches, of about `wanted` characters where it may be longer;
/// none where the pattern is not one that we read.
pub(crate) fn text(pattern: &str, wanted: usize, dice: &mut Dice) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, wanted, dice, &mut text)?;
    Some(text)
}

fn write(hir: &Hir, wanted: usize, dice: &mut Dice, text: &mut String) -> Option<()> {
    if text.len() > LONGEST {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(one_of(class, dice)?),
        HirKind::Repetition(repetition) => {
            for _ in 0..times(repetition, wanted, dice) {
                write(&repetition.sub, wanted, dice, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, wanted, dice, text)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, wanted, dice, text)?;
            }
        }
        HirKind::Alternation(branches) => write(dice.pick(branches), wanted, dice, text)?,
    }
    Some(())
}

fn times(repetition: &Repetition, wanted: usize, dice: &mut Dice) -> u32 {
    let more = dice.below(wanted.min(LONGEST) + 3) as u32;
    let least = repetition.min.max(u32::from(repetition.max != Some(0)));
    (least + more).min(repetition.max.unwrap_or(u32::MAX)).max(repetition.min)
}

/// Letters and digits before signs, signs before the rest.
fn one_of(class: &Class, dice: &mut Dice) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|r| (r.start(), r.end())).collect(),
        Class::Bytes(class) => {
            class.ranges().iter().map(|r| (char::from(r.start()), char::from(r.end()))).collect()
        }
    };
    let holds = |c: &char| ranges.iter().any(|(from, to)| (from..=to).contains(&c));
    let lower: Vec<char> = ('a'..='z').chain('0'..='9').filter(holds).collect();
    let upper: Vec<char> = ('A'..='Z').filter(holds).collect();
    let signs: Vec<char> = (' '..='~').filter(holds).collect();
    let found = [lower, upper, signs].into_iter().find(|chars| !chars.is_empty());
    found.map_or_else(|| ranges.first().map(|(from, _)| *from), |chars| Some(*dice.pick(&chars)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_text_matches_its_pattern() {
        for pattern in [
            "^[A-Z]{2}-\\d{4}$",
            "^(red|green|blue)s?$",
            "^.{3,5}$",
            "a+b*c?",
            "^#[0-9a-f]{6}$",
            "^$",
            "^[äöü]+$",
        ] {
            let whole =
                castline_core::graph::JsonSchema::new(serde_json::json!({ "pattern": pattern })).unwrap();
            for throw in 0..20 {
                let text = text(pattern, 0, &mut Dice::of(&throw.to_string())).unwrap();
                assert_eq!(whole.misfit(&text.clone().into()), None, "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn what_is_no_plain_pattern_is_not_guessed_at() {
        assert_eq!(text("^(?!x)a$", 0, &mut Dice::of("")), None);
    }
}
