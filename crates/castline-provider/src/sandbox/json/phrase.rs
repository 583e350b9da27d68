//! Words for the texts of an answer: they belong to the prompt's subject, to the name of
//! the place where they stand, and in a list to their neighbours.
//!
//! Start reading at [`phrase`].

use super::maker::Place;
use super::subject::Subject;
use crate::sandbox::dice::Dice;
use crate::sandbox::theme::Theme;

/// What a text is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What is to be seen: good as a prompt for a picture.
    Scene,
    /// What is told.
    Story,
    Title,
    Slug,
    One(&'static [&'static str]),
    /// Anything else.
    Other,
}

const STYLES: &[&str] = &[
    "watercolor",
    "linocut",
    "ukiyo-e",
    "claymation",
    "oil painting",
    "pencil sketch",
    "pixel art",
    "risograph",
];
const MOODS: &[&str] = &["calm", "hopeful", "tense", "playful", "melancholic", "bright", "solemn", "curious"];
const COLORS: &[&str] =
    &["amber", "teal", "crimson", "violet", "moss green", "cobalt blue", "ochre", "ivory"];
const CAMERAS: &[&str] = &[
    "slow pan left",
    "static",
    "slow zoom in",
    "tracking shot",
    "crane up",
    "handheld",
    "slow zoom out",
    "tilt down",
];
const PLACES: &[&str] = &[
    "a quiet shore",
    "the edge of a forest",
    "an old harbor",
    "a narrow street",
    "a wide meadow",
    "a mountain pass",
    "a kitchen table",
    "a rooftop",
];
const HOURS: &[&str] = &["dawn", "sunrise", "morning", "noon", "afternoon", "sunset", "dusk", "night"];
const WEATHERS: &[&str] =
    &["clear", "mist", "light rain", "snow", "high clouds", "fog", "a storm far away", "wind"];
const PEOPLE: &[&str] = &[
    "Mara Lindqvist",
    "Tomas Reyes",
    "Aiko Mori",
    "Ben Okafor",
    "Ines Duarte",
    "Jonas Vale",
    "Lea Brandt",
    "Sami Haddad",
];
const CITIES: &[&str] = &["Lisbon", "Kyoto", "Bergen", "Valparaíso", "Tallinn", "Trieste", "Cork", "Porto"];
const LANGUAGES: &[&str] = &["en", "de", "fr", "ja", "es", "pt", "it", "sv"];
const MUSIC: &[&str] = &[
    "solo piano",
    "soft strings",
    "slow guitar",
    "hand drums",
    "a music box",
    "low brass",
    "a choir, far away",
    "silence",
];
const TAGS: &[&str] =
    &["light", "water", "journey", "morning", "quiet", "paper", "wind", "home", "shadow", "distance"];
const UNITS: &[&str] = &["5 s", "4 s", "6 s", "3 s", "8 s", "7 s"];

/// The last word of a name that is known says what the text is.
const KINDS: &[(Kind, &[&str])] = &[
    (
        Kind::Scene,
        &[
            "scene",
            "prompt",
            "visual",
            "image",
            "picture",
            "shot",
            "description",
            "action",
            "frame",
            "panel",
            "view",
            "illustration",
            "photo",
            "composition",
            "drawing",
            "setup",
            "visuals",
            "imagery",
        ],
    ),
    (
        Kind::Story,
        &[
            "text",
            "narration",
            "voiceover",
            "voice",
            "caption",
            "line",
            "dialogue",
            "summary",
            "story",
            "content",
            "body",
            "paragraph",
            "sentence",
            "script",
            "plot",
            "beat",
            "answer",
            "logline",
            "synopsis",
            "verse",
            "intro",
            "outro",
            "copy",
            "subtitle",
            "transcript",
            "message",
            "explanation",
            "reason",
            "note",
            "notes",
            "fact",
            "tagline",
        ],
    ),
    (
        Kind::Title,
        &[
            "title", "name", "headline", "label", "heading", "chapter", "topic", "subject", "product",
            "brand", "idea",
        ],
    ),
    (Kind::Slug, &["slug", "id", "key", "file", "filename", "identifier", "code", "handle"]),
    (Kind::One(STYLES), &["style", "genre", "medium", "technique", "aesthetic"]),
    (Kind::One(MOODS), &["mood", "tone", "emotion", "feeling", "atmosphere", "sentiment"]),
    (Kind::One(COLORS), &["color", "colour", "palette", "tint"]),
    (Kind::One(CAMERAS), &["camera", "movement", "motion", "angle", "transition"]),
    (Kind::One(PLACES), &["location", "place", "setting", "background", "environment", "where"]),
    (Kind::One(HOURS), &["hour", "light", "lighting", "daytime", "when", "time"]),
    (Kind::One(WEATHERS), &["weather"]),
    (
        Kind::One(PEOPLE),
        &["character", "person", "author", "artist", "speaker", "narrator", "hero", "protagonist"],
    ),
    (Kind::One(CITIES), &["city", "town"]),
    (Kind::One(LANGUAGES), &["language", "locale", "lang"]),
    (Kind::One(MUSIC), &["music", "sound", "audio", "soundtrack", "instrument"]),
    (Kind::One(TAGS), &["tag", "keyword", "hashtag", "category", "theme", "word"]),
    (Kind::One(UNITS), &["duration", "length"]),
];

const SHOTS: [&str; 8] = [
    "Wide shot",
    "Close view",
    "Low angle",
    "Seen from above",
    "Long shot",
    "Over the shoulder",
    "Detail",
    "Tracking shot",
];
const LIGHTS: [&str; 8] = [
    "before dawn",
    "at sunrise",
    "in morning light",
    "under a high sun",
    "in the late afternoon",
    "at sunset",
    "at dusk",
    "at night",
];
const AIRS: [&str; 8] = [
    "thin mist",
    "long shadows",
    "a light wind",
    "soft rain",
    "clear air",
    "dust in the light",
    "birds far away",
    "still water nearby",
];
/// From the first of a list to the last.
const BEATS: [[&str; 3]; 4] = [
    ["is seen for the first time", "waits, and nothing moves yet", "sets out"],
    ["goes on, a little further each moment", "finds a companion", "passes a place it knows"],
    ["meets a change in the weather", "is nearly lost", "has to turn around once"],
    ["comes to rest", "is home at last", "becomes small in the distance"],
];
const ADJECTIVES: [&str; 8] = ["quiet", "long", "first", "hidden", "bright", "slow", "last", "patient"];

/// A text for a place. `least` and `most` are characters.
pub(crate) fn phrase(
    subject: &Subject,
    place: &Place,
    said: &[&str],
    least: usize,
    most: usize,
    dice: &Dice,
) -> String {
    let voice = Voice { subject, place, common: dice.fork(&place.scene), own: dice.fork(&place.common) };
    let mut text = match kind(place, said) {
        Kind::Scene => voice.scene(),
        Kind::Story => voice.story(),
        Kind::Title => voice.title(),
        Kind::Slug => format!("{}-{}", subject.slug(), place.turn + 1),
        Kind::One(list) => voice.nth(list, &voice.own, "one").to_owned(),
        Kind::Other => voice.other(),
    };
    if place.again > 0 && text.chars().count() < most {
        text = format!("{text} {}", voice.nth(&ADJECTIVES, &voice.own, "again"));
    }
    let mut more = 0;
    while text.chars().count() < least {
        let beat = BEATS[more % BEATS.len()];
        text =
            format!("{}. {} {}", text.trim_end_matches('.'), capital(&subject.about), beat[(more / 4) % 3]);
        more += 1;
    }
    cut(text, most)
}

/// By the name, from its last word back; else by what the schema says of the place.
fn kind(place: &Place, said: &[&str]) -> Kind {
    let known = |word: &String| {
        let singular = word
            .strip_suffix("ies")
            .map_or_else(|| word.trim_end_matches('s').to_owned(), |stem| format!("{stem}y"));
        KINDS
            .iter()
            .find(|(_, names)| names.contains(&word.as_str()) || names.contains(&singular.as_str()))
            .map(|e| e.0)
    };
    let words = place.words();
    words
        .iter()
        .rev()
        .find_map(known)
        .or_else(|| said.iter().find_map(|text| crate::sandbox::theme::words(text).iter().find_map(known)))
        .unwrap_or(Kind::Other)
}

/// What speaks of one thing at one place.
struct Voice<'a> {
    subject: &'a Subject,
    place: &'a Place,
    /// The same for all texts of one item.
    common: Dice,
    /// Of this text.
    own: Dice,
}

impl Voice<'_> {
    /// Neighbours in a list take neighbours in the list of words.
    fn nth<'l>(&self, list: &[&'l str], dice: &Dice, part: &str) -> &'l str {
        list[(dice.fork(part).below(list.len()) + self.place.turn) % list.len()]
    }

    fn scene(&self) -> String {
        let shot = self.nth(&SHOTS, &self.common, "shot");
        let air = self.nth(&AIRS, &self.common, "air");
        let about = &self.subject.about;
        match self.light() {
            Some(light) => format!("{shot}: {about} {light}, {air}. It {}.", self.beat()),
            None => format!("{shot}: {about}, {air}. It {}.", self.beat()),
        }
    }

    fn story(&self) -> String {
        let about = &self.subject.about;
        match self.light() {
            Some(light) => format!("{}, {about} {}.", capital(light), self.beat()),
            None => format!("{} {}.", capital(about), self.beat()),
        }
    }

    fn title(&self) -> String {
        let noun = title_case(&self.subject.noun);
        match self.light().filter(|_| self.place.series.is_some()) {
            Some(light) => format!("{noun} {}", title_case(light)),
            None => format!("The {} {noun}", capital(self.nth(&ADJECTIVES, &self.common, "title"))),
        }
    }

    fn other(&self) -> String {
        let name = self.place.words().join(" ");
        let adjective = self.nth(&ADJECTIVES, &self.own, "adjective");
        match name.is_empty() {
            true => self.scene(),
            false => format!("{} {name} for {}", with_article(adjective), self.subject.about),
        }
    }

    /// The hour of an item, later with each; none where the prompt names one.
    fn light(&self) -> Option<&'static str> {
        if Theme::of(&self.subject.about).hour.is_some() {
            return None;
        }
        let offset = self.common.fork("light").below(LIGHTS.len());
        Some(match self.place.series {
            Some((index, many)) if many > 1 => {
                LIGHTS[(index * LIGHTS.len() / many + offset % 2).min(LIGHTS.len() - 1)]
            }
            _ => LIGHTS[(offset + self.place.turn) % LIGHTS.len()],
        })
    }

    fn beat(&self) -> &'static str {
        let act = match self.place.series {
            Some((index, many)) if many > 1 => index * (BEATS.len() - 1) / (many - 1),
            _ => self.common.fork("act").below(BEATS.len()),
        };
        let choice = self.common.fork("beat").below(3) + self.place.again + self.place.turn;
        BEATS[act.min(BEATS.len() - 1)][choice % 3]
    }
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
    format!("{article} {word}")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Small words stay small.
pub(crate) fn title_case(text: &str) -> String {
    let small = ["a", "an", "the", "of", "in", "on", "at", "under", "and", "to"];
    let word = |word: &str| if small.contains(&word) { word.to_owned() } else { capital(word) };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// At most so many characters, whole words where that leaves some.
fn cut(text: String, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let cut = &text[..end];
    let whole =
        if text[end..].starts_with(' ') { Some(cut) } else { cut.rsplit_once(' ').map(|(whole, _)| whole) };
    let trimmed =
        whole.map(|w| w.trim_end_matches([' ', ',', ':', '.'])).filter(|w| w.chars().count() * 2 > most);
    trimmed.unwrap_or(cut).to_owned()
}
