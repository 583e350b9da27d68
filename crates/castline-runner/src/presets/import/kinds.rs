//! What kind of file a field takes or a model gives, by its name and by what is said about it.

use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json};

/// Words that speak of a kind, as they begin.
const WORDS: &[(MediaKind, &[&str])] = &[
    (
        MediaKind::Image,
        &["image", "img", "photo", "picture", "mask", "portrait", "face", "sketch", "depth", "canny", "logo"],
    ),
    (MediaKind::Video, &["video", "clip", "movie", "film"]),
    (
        MediaKind::Audio,
        &["audio", "voice", "speech", "song", "sound", "music", "wav", "mp3", "speaker", "vocal", "melody"],
    ),
];

/// A frame is a picture where nothing else is spoken of.
const WEAK: &[&str] = &["frame"];

/// The kind that a field's file has, with a note where that is a guess.
pub(super) fn of_field(name: &str, flat: &Map<String, Json>) -> (MediaKind, Option<String>) {
    let accepted = flat.get("x-cog-accept").map(accepted).unwrap_or_default();
    if let Some(kind) = one_family(&accepted) {
        let types = accepted.join(", ");
        let whole = accepted.iter().all(|media| media.ends_with("/*"));
        return (kind, (!whole).then(|| format!("of the types {types}, which no preset can say")));
    }
    let description = flat.get("description").and_then(Json::as_str).unwrap_or_default();
    match (of_words(name), of_words(description)) {
        (Some(kind), _) => (kind, Some(format!("{} by the field's name", kind.noun()))),
        (None, Some(kind)) => (kind, Some(format!("{} by the description", kind.noun()))),
        (None, None) => (MediaKind::File, Some("which kind of file is not said".to_owned())),
    }
}

/// The one kind that a text speaks of; none when it speaks of several or of nothing.
pub(super) fn of_words(text: &str) -> Option<MediaKind> {
    let words = words(text);
    let mut kinds = WORDS.iter().filter(|(_, list)| begins(&words, list)).map(|(kind, _)| *kind);
    match (kinds.next(), kinds.next()) {
        (Some(one), None) => Some(one),
        (None, _) if begins(&words, WEAK) => Some(MediaKind::Image),
        _ => None,
    }
}

/// The words of a name or a sentence in small letters: `input_image`, `inputImage` and
/// `input image` have the same.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// True when one of the words begins like one of a list.
pub(super) fn begins(words: &[String], list: &[&str]) -> bool {
    words.iter().any(|word| list.iter().any(|begin| word.starts_with(begin)))
}

/// `image/png,image/jpeg`, or a list of these.
fn accepted(value: &Json) -> Vec<String> {
    let texts: Vec<&str> = match value {
        Json::String(text) => text.split(',').collect(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    texts.into_iter().map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty()).collect()
}

fn one_family(types: &[String]) -> Option<MediaKind> {
    let family = |text: &String| MediaKind::of_name(text.split('/').next().unwrap_or_default());
    let first = family(types.first()?)?;
    types.iter().all(|text| family(text) == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(name: &str, schema: &Json) -> (MediaKind, String) {
        let (kind, note) = of_field(name, schema.as_object().unwrap());
        (kind, note.unwrap_or_default())
    }

    #[test]
    fn a_name_says_more_than_a_description() {
        let about = |text: &str| json!({ "description": text });
        assert_eq!(
            kind("input_image", &about("For the video.")),
            (MediaKind::Image, "an image by the field's name".into())
        );
        assert_eq!(
            kind("source", &about("The video to cut.")),
            (MediaKind::Video, "a video by the description".into())
        );
        assert_eq!(kind("first_frame", &json!({})).0, MediaKind::Image);
        assert_eq!(kind("video_frames", &json!({})).0, MediaKind::Video);
        assert_eq!(kind("inputAudio", &json!({})).0, MediaKind::Audio);
        assert_eq!(kind("image_or_video", &json!({})).0, MediaKind::File);
        assert_eq!(
            kind("lora_weights", &json!({})),
            (MediaKind::File, "which kind of file is not said".into())
        );
    }

    #[test]
    fn what_the_host_says_is_no_guess() {
        assert_eq!(kind("source", &json!({ "x-cog-accept": "video/*" })), (MediaKind::Video, String::new()));
        let two = json!({ "x-cog-accept": ["image/png", "image/jpeg"] });
        assert_eq!(kind("source", &two).1, "of the types image/png, image/jpeg, which no preset can say");
        assert_eq!(kind("source", &json!({ "x-cog-accept": "image/png,video/mp4" })).0, MediaKind::File);
    }
}
