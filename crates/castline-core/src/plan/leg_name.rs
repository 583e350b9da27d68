//! How a leg is called: `styled[style=linocut]`.
//!
//! In a called workflow each axis stands with the step whose workflow opens it:
//! `hero[product=2]/large[angle=top]`. A label that would be taken for something else stands in quotes, as
//! JSON writes a text: `boat[mood="calm, at dawn"]`. What is written here can be read here.
//!
//! Start reading at [`leg_name`], then [`LegName::read`].

use castline_spec::Name;
use indexmap::IndexMap;

use crate::graph::{depth, own_name};

/// Of longer labels the rest is left out.
const LONGEST: usize = 32;

/// The name of a step's leg with these labels.
pub fn leg_name(step: &Name, labels: &IndexMap<Name, String>) -> String {
    if labels.is_empty() {
        return step.to_string();
    }
    let part = |(level, name): (usize, &str)| {
        let own = labels.iter().filter(|(axis, _)| depth(axis) == level);
        let own = own.map(|(axis, label)| format!("{}={}", own_name(axis), quoted(&short(label))));
        let own = own.collect::<Vec<_>>().join(",");
        // An output stands after the call that gives it: `hero[product=2].image`.
        let (name, output) =
            name.split_once('.').map_or((name, String::new()), |(name, o)| (name, format!(".{o}")));
        if own.is_empty() { format!("{name}{output}") } else { format!("{name}[{own}]{output}") }
    };
    step.as_str().split('/').enumerate().map(part).collect::<Vec<_>>().join("/")
}

/// True when a label is meant by what stands in the name of a leg.
pub fn is_label(label: &str, said: &str) -> bool {
    label == said || short(label) == said
}

fn short(label: &str) -> String {
    match label.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &label[..at]),
        None => label.to_owned(),
    }
}

fn quoted(label: &str) -> String {
    let is_plain = !label.is_empty()
        && label.trim() == label
        && !label.starts_with('"')
        && !label.contains([',', '[', ']'])
        && !label.contains(char::is_control);
    if is_plain { label.to_owned() } else { serde_json::Value::from(label).to_string() }
}

/// A leg as it is written. Each axis may stand where it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegName {
    /// The step.
    pub step: String,
    /// Axes with their labels.
    pub pairs: Vec<(String, String)>,
    /// Whether every bracket and quote is closed, and none is empty.
    pub is_whole: bool,
}

impl LegName {
    /// Reads a name as far as it can be read.
    pub fn read(text: &str) -> Self {
        let mut name = Self { is_whole: true, ..Self::default() };
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once('[') {
            name.step_part(before);
            rest = name.in_brackets(inside);
        }
        name.step_part(rest);
        name
    }

    fn step_part(&mut self, part: &str) {
        self.is_whole &= !part.contains(']');
        self.step.push_str(part);
    }

    /// Takes pairs up to the end of a bracket, and returns what is after it.
    fn in_brackets<'a>(&mut self, inside: &'a str) -> &'a str {
        let mut rest = inside;
        loop {
            let end = end_of_pair(rest);
            self.pair(&rest[..end]);
            match rest[end..].chars().next() {
                Some(',') => rest = &rest[end + 1..],
                Some(_) => return &rest[end + 1..],
                None => {
                    self.is_whole = false;
                    return "";
                }
            }
        }
    }

    fn pair(&mut self, text: &str) {
        let (axis, said) = text.split_once('=').unwrap_or((text, ""));
        let (axis, said) = (axis.trim(), said.trim());
        let label = match said.starts_with('"') {
            true => serde_json::from_str(said).ok(),
            false => Some(said.to_owned()).filter(|said| !said.contains('[')),
        };
        self.is_whole &= text.contains('=') && label.is_some();
        self.pairs.push((axis.to_owned(), label.unwrap_or_else(|| said.to_owned())));
    }
}

/// Where a pair ends: at a comma or a bracket that is in no quotes.
fn end_of_pair(text: &str) -> usize {
    let (mut quoted, mut escaped, mut begins) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted || begins => quoted = !quoted,
            ',' | ']' if !quoted => return at,
            _ => {}
        }
        begins = c == '=' || begins && c.is_whitespace();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_broken_brackets_is_read_and_is_not_whole() {
        for text in ["a", "a[x=1]", "a[x=1,y=2]", "hero[product=2]/large[angle=top]", r#"a[x="]",y=2]"#] {
            assert!(LegName::read(text).is_whole, "{text}");
        }
        for text in [
            "a[",
            "a[]",
            "a[x=1",
            "a]",
            "a[x=1]]",
            "a[x=[1]",
            "a[x=1]/b[",
            "a[x]",
            r#"a[x="1]"#,
            r#"a[x="1"2]"#,
        ] {
            assert!(!LegName::read(text).is_whole, "{text}");
        }
        let name = LegName::read("hero[product=2]/large[angle=top,size=l");
        let pairs = [("product", "2"), ("angle", "top"), ("size", "l")];
        let pairs = pairs.map(|(axis, label)| (axis.to_owned(), label.to_owned())).to_vec();
        assert_eq!((name.step.as_str(), name.pairs), ("hero/large", pairs));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let labels = [
            "linocut",
            "a=b",
            "it's",
            "say \"a\"",
            "calm, at dawn",
            "[1,2]",
            "a]",
            "\"a\"",
            r"\",
            " a ",
            "",
            "two\nlines",
            r#"{"a":["b"]}"#,
            "ä, ö",
        ];
        for label in labels {
            let both = IndexMap::from([("mood".into(), label.to_owned()), ("take".into(), "2".to_owned())]);
            let read = LegName::read(&leg_name(&"boat".into(), &both));
            let pairs = [("mood", label), ("take", "2")].map(|(a, l)| (a.to_owned(), l.to_owned())).to_vec();
            assert_eq!(read, LegName { step: "boat".to_owned(), pairs, is_whole: true });
        }
        let long = "a small boat on calm water, with one sail";
        let name = leg_name(&"boat".into(), &IndexMap::from([("prompt".into(), long.to_owned())]));
        assert_eq!(name, r#"boat[prompt="a small boat on calm water, with..."]"#);
        assert!(is_label(long, &LegName::read(&name).pairs[0].1));
    }
}
