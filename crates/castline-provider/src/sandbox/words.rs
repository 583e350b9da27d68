//! Answers in words, and as objects: always the same for the same question.

use serde_json::{Value as Json, json};

use super::dice::Dice;
use super::sources::Sources;
use super::video::Video;
use crate::std_tools::picture::{self, Picture};

/// How much of the question is said back.
const MOST_CHARACTERS: usize = 240;

const OPENINGS: [&str; 5] = [
    "This is the sandbox's answer to",
    "No model was asked; the sandbox answers",
    "Here is a stand-in for an answer to",
    "The sandbox read",
    "A rehearsed answer to",
];

const MIDDLES: [&str; 6] = [
    "It begins quietly, turns once in the middle, and ends where it began.",
    "Three things matter here: what is given, what is asked, and what may be left out.",
    "Morning light, a calm surface, and one clear shape carry the whole scene.",
    "The short version is enough; the long one adds only color.",
    "Seen from close by it is detail, seen from afar it is pattern.",
    "Keep the subject, change the style, and leave room at the edges.",
];

const ENDINGS: [&str; 5] = [
    "Ask a live provider for the real words.",
    "The same question gives the same text every time.",
    "Change the prompt and this text changes with it.",
    "Nothing was sent anywhere.",
    "A live model will say it better.",
];

/// A few sentences that mention what was asked and what came in.
pub(crate) fn answer(prompt: &str, sources: &Sources, dice: &Dice) -> String {
    let mut dice = dice.fork("words");
    let mut sentences = Vec::new();
    let asked = shortened(prompt);
    if !asked.is_empty() {
        sentences.push(format!("{} \u{201c}{asked}\u{201d}.", dice.pick(&OPENINGS)));
    }
    for source in &sources.pictures {
        sentences.push(seen(&source.picture));
    }
    sentences.extend(sources.videos.iter().filter_map(filmed));
    sentences.push((*dice.pick(&MIDDLES)).to_owned());
    sentences.push((*dice.pick(&ENDINGS)).to_owned());
    sentences.join(" ")
}

/// A small object around the answer.
pub(crate) fn object(prompt: &str, sources: &Sources, dice: &Dice) -> Json {
    json!({ "text": answer(prompt, sources, dice), "prompt": prompt, "sandbox": true })
}

fn seen(picture: &Picture) -> String {
    let (width, height) = picture.dimensions();
    format!("The picture is {}, {width} by {height} pixels, on average {}.", shape(picture), mean(picture))
}

/// None for a film that is broken.
fn filmed(video: &Video) -> Option<String> {
    let (first, last) = (video.at(0.0).ok()?, video.at(1.0).ok()?);
    let (width, height) = first.dimensions();
    Some(format!(
        "The video is {}, {width} by {height} pixels, {} seconds long, and goes from {} to {}.",
        shape(&first),
        (video.seconds() * 10.0).round() / 10.0,
        mean(&first),
        mean(&last)
    ))
}

fn shape(picture: &Picture) -> &'static str {
    match picture.width().cmp(&picture.height()) {
        std::cmp::Ordering::Less => "upright",
        std::cmp::Ordering::Equal => "square",
        std::cmp::Ordering::Greater => "wide",
    }
}

/// The color that all pixels make together.
fn mean(picture: &Picture) -> String {
    let mean = *picture::resize(picture, 1, 1).get_pixel(0, 0);
    format!("#{:02x}{:02x}{:02x}", mean[0], mean[1], mean[2])
}

fn shortened(prompt: &str) -> String {
    let prompt = prompt.trim().trim_end_matches(['.', '!', '?']);
    match prompt.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}\u{2026}", prompt[..end].trim_end()),
        None => prompt.to_owned(),
    }
}
