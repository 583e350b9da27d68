//! What a model gives, as a preset says it, guessed where the schema leaves it open.

use castline_spec::preset::{Output, OutputKind};
use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json};

use super::fields::Field;
use super::flat::{Flaw, Rewriter};
use super::kinds;

/// What a model gives, with a note where that is a guess.
pub(super) struct Given {
    pub output: Output,
    pub note: Option<String>,
}

/// Reads the schema of the output. `about` is what else is known of the model: its name and what
/// it does.
pub(super) fn output(
    rewriter: &mut Rewriter<'_>,
    schema: Option<&Json>,
    fields: &[Field],
    about: &str,
) -> Result<Given, Flaw> {
    let given = |kind, many, note: Option<&str>| Given {
        output: Output { kind, many },
        note: note.map(str::to_owned),
    };
    let Some(schema) = schema else {
        return Ok(given(OutputKind::File, false, Some("the document does not say what the model gives")));
    };
    let flat = rewriter.flat(schema, "Output")?;
    let is_list = flat.get("type").is_some_and(|kind| kind == "array");
    let item = match flat.get("items").filter(|_| is_list) {
        Some(items) => rewriter.flat(items, "Output.items")?,
        None => flat.clone(),
    };
    let pieces = flat.get("x-cog-array-display").is_some_and(|how| how == "concatenate");
    let grows = flat.get("x-cog-array-type").is_some_and(|how| how == "iterator");
    let is_text = item.get("type").is_some_and(|kind| kind == "string");
    let is_file = is_text && item.get("format").is_some_and(|format| format == "uri");
    Ok(match (is_file, is_text, is_list) {
        (true, ..) => {
            let (kind, why) = kind(&flat, &item, fields, about);
            let last = if grows { ", one after the other: the last one may be the result" } else { "" };
            let note = format!("{why}{last}");
            Given { output: Output { kind: of_media(kind), many: is_list }, note: Some(note) }
        }
        (false, true, false) => given(OutputKind::Text, false, None),
        (false, true, true) if pieces => given(OutputKind::Text, true, None),
        (false, true, true) => given(
            OutputKind::Json,
            false,
            Some("a list of texts; `{ type: text, many: true }` if they are the pieces of one"),
        ),
        (false, false, _) => given(OutputKind::Json, false, None),
    })
}

fn of_media(kind: MediaKind) -> OutputKind {
    match kind {
        MediaKind::Image => OutputKind::Image,
        MediaKind::Video => OutputKind::Video,
        MediaKind::Audio => OutputKind::Audio,
        MediaKind::File => OutputKind::File,
    }
}

/// The kind of the files: by what is said of the output, by the formats that can be chosen, by
/// what is known of the model, by inputs that only models of a kind have.
fn kind(
    flat: &Map<String, Json>,
    item: &Map<String, Json>,
    fields: &[Field],
    about: &str,
) -> (MediaKind, &'static str) {
    let said: Vec<&str> = [flat, item]
        .into_iter()
        .flat_map(|map| ["title", "description"].map(|key| map.get(key).and_then(Json::as_str)))
        .flatten()
        .filter(|text| *text != "Output")
        .collect();
    if let Some(kind) = kinds::of_words(&said.join(" ")) {
        return (kind, "by the words of the output");
    }
    if let Some(kind) = fields.iter().filter(|field| field.name.contains("format")).find_map(of_formats) {
        return (kind, "by the formats that can be chosen");
    }
    if let Some(kind) = kinds::of_words(about) {
        return (kind, "by the words about the model");
    }
    let has = |names: &[&str]| fields.iter().any(|field| names.contains(&field.name.as_str()));
    let takes = |kind| fields.iter().any(|field| field.media() == Some(kind));
    let pictures =
        has(&["aspect_ratio", "resolution", "size", "width", "num_inference_steps", "guidance_scale"])
            || takes(MediaKind::Image);
    let frames = fields.iter().any(|field| field.name.contains("frame"))
        || has(&["fps", "start_image", "end_image"])
        || (has(&["duration"]) && pictures)
        || (takes(MediaKind::Video) && !fields.iter().any(|field| field.name.contains("prompt")));
    match (frames, has(&["voice", "voice_id", "speaker", "sample_rate", "bitrate"]), pictures) {
        (true, _, _) => return (MediaKind::Video, "by the inputs, which speak of films"),
        (_, true, _) => return (MediaKind::Audio, "by the inputs, which speak of sound"),
        (_, _, true) => return (MediaKind::Image, "by the inputs, which speak of pictures"),
        _ => {}
    }
    (MediaKind::File, "which kind of file is not said")
}

fn of_formats(field: &Field) -> Option<MediaKind> {
    let words = field.schema.get("enum")?.as_array()?;
    let any = |list: &[&str]| words.iter().filter_map(Json::as_str).any(|word| list.contains(&word));
    let kinds = [
        (MediaKind::Image, any(&["png", "jpg", "jpeg", "webp"])),
        (MediaKind::Video, any(&["mp4", "webm", "mov"])),
        (MediaKind::Audio, any(&["mp3", "wav", "flac", "ogg"])),
    ];
    kinds.into_iter().find(|(_, is)| *is).map(|(kind, _)| kind)
}

/// The task, by what goes in and what comes out; none where that does not say.
pub(super) fn task(output: &Output, fields: &[Field], about: &str) -> Option<&'static str> {
    let words = kinds::words(about);
    let says = |list: &[&str]| kinds::begins(&words, list);
    let needs = |kind| fields.iter().any(|field| field.required && field.media() == Some(kind));
    let has_prompt = fields.iter().any(|field| field.name.contains("prompt"));
    let has_mask = fields.iter().any(super::ports::is_mask);
    let named = |names: &[&str]| fields.iter().any(|field| names.contains(&field.name.as_str()));
    let edits = fields.iter().any(|field| {
        let media = field.media().or_else(|| field.list_of_media());
        media == Some(MediaKind::Image)
            && kinds::words(field.description()).iter().any(|w| w.starts_with("edit"))
    });
    match output.kind {
        OutputKind::Image if says(&["upscal", "esrgan", "superres", "enlarge"]) => Some("upscale"),
        OutputKind::Image if says(&["rembg", "background", "bg"]) && !has_prompt => {
            Some("background-removal")
        }
        OutputKind::Image if has_mask && needs(MediaKind::Image) => Some("inpaint"),
        OutputKind::Image if needs(MediaKind::Image) || (has_prompt && edits) => Some("image-edit"),
        OutputKind::Image if has_prompt => Some("text-to-image"),
        OutputKind::Video if says(&["upscal", "enlarge"]) => Some("video-upscale"),
        OutputKind::Video if needs(MediaKind::Image) => Some("image-to-video"),
        OutputKind::Video if needs(MediaKind::Video) => Some("video-edit"),
        OutputKind::Video if has_prompt => Some("text-to-video"),
        OutputKind::Audio if says(&["music", "song"]) => Some("music"),
        OutputKind::Audio
            if says(&["speech", "tts", "voice", "speak"]) || named(&["voice", "voice_id", "speaker"]) =>
        {
            Some("speech")
        }
        OutputKind::Text | OutputKind::Json if needs(MediaKind::Audio) => Some("transcription"),
        OutputKind::Text if needs(MediaKind::Image) => Some("caption"),
        OutputKind::Text if has_prompt => Some("text"),
        _ => None,
    }
}
