//! What a prompt is about, as far as its words tell.

use crate::sandbox::theme;

/// Longer subjects are cut.
const MOST_WORDS: usize = 12;

/// What a prompt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// `a paper boat on a river`.
    pub(crate) about: String,
    /// `paper boat`.
    pub(crate) noun: String,
    /// The words of the whole prompt, in lower case.
    words: Vec<String>,
}

/// Words that ask, and are not about anything.
const ASKING: &[&str] = &[
    "write", "give", "list", "describe", "create", "generate", "make", "tell", "draw", "plan", "return",
    "please", "answer", "suggest", "invent", "propose", "show", "name", "find", "think", "imagine", "me",
    "us", "up", "out", "design", "can", "could", "would", "you", "i", "need", "want",
];

/// Words before which a noun with its adjectives ends.
const AFTER_NOUN: &[&str] = &[
    "on", "in", "at", "of", "with", "under", "over", "from", "to", "into", "through", "by", "near", "and",
    "that", "who", "which", "for", "floating", "sailing", "standing", "sitting", "flying", "is", "are", "as",
    "along", "beside", "between", "across", "against", "behind", "during", "before", "after", "without",
    "like",
];

const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];

impl Subject {
    /// Reads a prompt.
    pub(crate) fn of(prompt: &str) -> Self {
        // What stands in braces is an example of the answer.
        let words = prompt.split(['{', '[']).next().unwrap_or_default();
        let about = quoted(words).or_else(|| named(words)).unwrap_or_else(|| first_sentence(words));
        let about = shortened(&about);
        let about = if about.is_empty() { "something quiet".to_owned() } else { about };
        let noun = noun(&about);
        Self { about, noun, words: theme::words(prompt) }
    }

    /// How many of something the prompt asks for: `four scenes`, `5 short scenes`.
    pub(crate) fn count(&self, name: &[String]) -> Option<usize> {
        let stem = |word: &str| word.trim_end_matches('s').to_owned();
        let wanted: Vec<String> = name.iter().map(|word| stem(word)).collect();
        self.words.iter().enumerate().find_map(|(index, word)| {
            let number = NUMBERS.iter().position(|n| n == word).or_else(|| word.parse().ok())?;
            let close = self.words.iter().skip(index + 1).take(3);
            close.into_iter().any(|next| wanted.contains(&stem(next))).then_some(number)
        })
    }

    /// The noun as one word of small letters, digits and hyphens.
    pub(crate) fn slug(&self) -> String {
        let plain = self.noun.to_lowercase();
        let parts: Vec<&str> =
            plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "item".to_owned() } else { parts.join("-") }
    }
}

/// A phrase in quotes: several words, and no JSON.
fn quoted(prompt: &str) -> Option<String> {
    [('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{201e}', '\u{201c}'), ('\u{ab}', '\u{bb}')]
        .into_iter()
        .find_map(|(open, close)| {
            let (_, rest) = prompt.split_once(open)?;
            let (inside, _) = rest.split_once(close)?;
            let plain = inside.split_whitespace().count() >= 2 && !inside.contains(['{', '}', '[', ':']);
            plain.then(|| inside.trim().trim_end_matches('.').to_owned())
        })
}

/// What follows `about`, else a colon, else `of` or `for`.
fn named(prompt: &str) -> Option<String> {
    let lower = prompt.to_ascii_lowercase();
    [" about ", ": ", " of ", " for "].into_iter().find_map(|word| {
        let start = lower.find(word)? + word.len();
        let found = sentence(&prompt[start..]);
        (!found.is_empty()).then_some(found)
    })
}

fn first_sentence(prompt: &str) -> String {
    let sentence = sentence(prompt.trim());
    let asking = |word: &&str| ASKING.contains(&word.to_lowercase().as_str());
    sentence.split_whitespace().skip_while(asking).collect::<Vec<_>>().join(" ")
}

/// Up to the end of the sentence, and to a comma behind which only how it is wanted is said.
fn sentence(text: &str) -> String {
    let text = text.trim_start();
    let ends = |(_, c): &(usize, char)| matches!(c, '.' | '!' | '?' | ';' | '\n' | '{' | '"');
    let end = text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let lower = text.to_ascii_lowercase();
    let how =
        [", in ", ", as ", " as json", " in json", ", with ", ", each", ", and give", ", and answer", " - "];
    let end = how.iter().filter_map(|how| lower.find(how)).min().unwrap_or(text.len());
    text[..end].trim().trim_end_matches([',', ':']).to_owned()
}

fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut about = words[..words.len().min(MOST_WORDS)].join(" ");
    let article = ["A ", "An ", "The ", "One ", "Two ", "Three ", "My ", "Our "];
    if article.iter().any(|article| about.starts_with(article)) {
        about[..1].make_ascii_lowercase();
    }
    about
}

/// Up to three words of the thing itself.
fn noun(about: &str) -> String {
    let article = |word: &&str| {
        matches!(word.to_lowercase().as_str(), "a" | "an" | "the" | "one" | "my" | "our" | "some")
    };
    let words: Vec<&str> =
        about.split_whitespace().map(|word| word.trim_matches(',')).skip_while(article).collect();
    let end = words
        .iter()
        .position(|word| AFTER_NOUN.contains(&word.to_lowercase().as_str()))
        .filter(|end| *end > 0);
    let thing = &words[..end.unwrap_or(words.len())];
    let noun = thing[thing.len().saturating_sub(3)..].join(" ");
    if noun.is_empty() { about.to_owned() } else { noun }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_the_prompt_is_about() {
        let read = |prompt: &str| {
            let subject = Subject::of(prompt);
            format!("{} | {}", subject.about, subject.noun)
        };
        assert_eq!(
            read("Write a storyboard in 4 scenes about a paper boat on a river. Answer as JSON."),
            "a paper boat on a river | paper boat"
        );
        assert_eq!(read("A fox in an autumn forest"), "a fox in an autumn forest | fox");
        assert_eq!(read("List three names for a small bakery, as JSON."), "a small bakery | small bakery");
        assert_eq!(
            read("Plan a film: the old lighthouse keeper"),
            "the old lighthouse keeper | old lighthouse keeper"
        );
        assert_eq!(
            read("Split \u{201c}A paper boat sails.\u{201d} into scenes"),
            "a paper boat sails | paper boat sails"
        );
        assert_eq!(read("Return {\"a\": 1}"), "something quiet | something quiet");
        assert_eq!(read("日の出の紙の舟"), "日の出の紙の舟 | 日の出の紙の舟");
        assert_eq!(read(""), "something quiet | something quiet");
    }

    #[test]
    fn a_number_before_a_name_says_how_many() {
        let count = |prompt: &str| Subject::of(prompt).count(&["scenes".to_owned()]);
        assert_eq!(count("a storyboard of four short scenes"), Some(4));
        assert_eq!(count("6 scenes, each of 5 seconds"), Some(6));
        assert_eq!(count("two cats in a scene"), None);
        assert_eq!(count("a film"), None);
    }
}
