//! What can be relied on when the sandbox draws.

use std::collections::HashSet;

use castline_spec::preset::OutputKind;
use image::Rgba;
use serde_json::json;

use super::plane::Plane;
use super::{Sandbox, SandboxOptions};
use crate::std_tools::format::Format;
use crate::std_tools::picture::{self, Picture};
use crate::std_tools::shelf::{Ask, Shelf, error, files, picture as picture_of};

const BOAT: &str = "A paper boat floating on calm water at sunrise.";

/// Draws at a quarter of a megapixel, which is all that most questions need.
fn schnell(prompt: &str) -> Ask {
    Ask::of("black-forest-labs/flux-schnell").with("prompt", prompt).with("megapixels", "0.25")
}

fn kontext(prompt: &str, shelf: &Shelf, input: &Picture) -> Ask {
    Ask::of("black-forest-labs/flux-kontext-pro")
        .task("image-edit")
        .with("prompt", prompt)
        .with("megapixels", "0.25")
        .given("input_image", shelf.picture(input))
}

async fn drawn(ask: &Ask) -> Picture {
    answered(ask, &Shelf::default()).await
}

async fn answered(ask: &Ask, shelf: &Shelf) -> Picture {
    let sandbox = Sandbox::default();
    let snapshot = sandbox.create(&ask.create(), shelf).await.unwrap();
    picture_of(&snapshot, sandbox.outputs())
}

async fn bytes(ask: &Ask, shelf: &Shelf) -> Vec<u8> {
    let sandbox = Sandbox::default();
    let snapshot = sandbox.create(&ask.create(), shelf).await.unwrap();
    files(&snapshot, sandbox.outputs()).remove(0)
}

/// The picture above the band, very small.
fn small(picture: &Picture) -> Picture {
    let part = picture::Part {
        x: 0.0,
        y: 0.0,
        width: picture.width().into(),
        height: f64::from(picture.height()) * 0.85,
    };
    picture::resize_part(picture, part, 32, 32)
}

/// Mean difference of the colors, 0 to 255, the words not counted.
fn difference(a: &Picture, b: &Picture) -> f64 {
    let (a, b) = (small(a), small(b));
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / (32.0 * 32.0 * 3.0)
}

/// How alike light and dark are distributed, from -1 to 1.
fn correlation(a: &Picture, b: &Picture) -> f64 {
    let [a, b] = [a, b]
        .map(|picture| Plane::luma(&small(picture)).values.into_iter().map(f64::from).collect::<Vec<_>>());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let (mut both, mut own, mut other) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        both += (a - mean_a) * (b - mean_b);
        own += (a - mean_a).powi(2);
        other += (b - mean_b).powi(2);
    }
    both / (own * other).sqrt().max(1e-9)
}

/// The least difference between any two.
fn least_difference(pictures: &[Picture]) -> f64 {
    let pairs = (0..pictures.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.map(|(i, j)| difference(&pictures[i], &pictures[j])).fold(f64::MAX, f64::min)
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes() {
    let shelf = Shelf::default();
    let ask = schnell(BOAT).with("seed", 7);
    let first = bytes(&ask, &shelf).await;
    assert!(first == bytes(&ask, &shelf).await);
    let input = picture::read(&first).unwrap();
    for style in ["linocut", "claymation", "ukiyo-e", "watercolor", "oil painting", "make the sky violet"] {
        let edit = kontext(style, &shelf, &input);
        assert!(bytes(&edit, &shelf).await == bytes(&edit, &shelf).await, "{style}");
    }
}

#[tokio::test]
async fn the_order_of_inputs_does_not_matter_and_neither_does_a_default_spelled_out() {
    let schema = json!({ "prompt": { "type": "string" }, "steps": { "type": "integer", "default": 4 } });
    let shelf = Shelf::default();
    let ask = |ask: Ask| ask.takes(&schema).with("megapixels", "0.25");
    let one = ask(Ask::of("a/b")).with("prompt", "boat").with("seed", 1);
    let other = ask(Ask::of("a/b")).with("seed", 1).with("steps", 4).with("prompt", "boat");
    assert!(bytes(&one, &shelf).await == bytes(&other, &shelf).await);
}

#[tokio::test]
async fn different_prompts_give_visibly_different_pictures() {
    let mut pictures = Vec::new();
    for prompt in
        [BOAT, "A fox in an autumn forest", "Tokyo at night", "A teapot on a table", "Ein Zebra tanzt", ""]
    {
        pictures.push(drawn(&schnell(prompt)).await);
    }
    assert!(least_difference(&pictures) > 12.0, "{}", least_difference(&pictures));
}

#[tokio::test]
async fn different_seeds_give_visibly_different_pictures() {
    for prompt in [BOAT, "mountains", "portrait of a woman", "a ceramic vase"] {
        let mut pictures = Vec::new();
        for seed in 1..=4 {
            pictures.push(drawn(&schnell(prompt).with("seed", seed)).await);
        }
        assert!(least_difference(&pictures) > 5.0, "{prompt}: {}", least_difference(&pictures));
    }
}

#[tokio::test]
async fn any_other_input_changes_the_picture_too() {
    let pictures = [
        drawn(&schnell(BOAT)).await,
        drawn(&schnell(BOAT).with("guidance", 3.5)).await,
        drawn(&schnell(BOAT).with("steps", 9)).await,
    ];
    assert!(least_difference(&pictures) > 5.0, "{}", least_difference(&pictures));
}

#[tokio::test]
async fn every_picture_of_one_prediction_is_another_one() {
    let sandbox = Sandbox::default();
    let ask = schnell(BOAT).with("num_outputs", 3).gives(OutputKind::Image, true);
    let snapshot = sandbox.create(&ask.create(), &Shelf::default()).await.unwrap();
    let pictures: Vec<_> =
        files(&snapshot, sandbox.outputs()).iter().map(|bytes| picture::read(bytes).unwrap()).collect();
    assert_eq!(pictures.len(), 3);
    assert!(least_difference(&pictures) > 5.0, "{}", least_difference(&pictures));
}

#[tokio::test]
async fn a_model_that_gives_a_list_gives_one_for_a_single_picture_too() {
    let sandbox = Sandbox::default();
    let answer =
        async |ask: Ask| sandbox.create(&ask.create(), &Shelf::default()).await.unwrap().output.unwrap();
    assert!(answer(schnell(BOAT).gives(OutputKind::Image, true)).await.is_array());
    assert!(answer(schnell(BOAT)).await.is_string());
}

#[tokio::test]
async fn words_are_set_on_the_picture() {
    let band = |picture: &Picture| {
        let part = picture::Part { x: 0.0, y: 452.0, width: 512.0, height: 56.0 };
        let luma = Plane::luma(&picture::resize_part(picture, part, 512, 56));
        luma.values.iter().filter(|&&value| value < 128).count()
    };
    let (none, some) =
        (band(&drawn(&schnell("")).await), band(&drawn(&schnell("日の出の紙の舟 καράβι قارب лодка")).await));
    assert!(some > none + 300, "{none} and {some} dark pixels");
}

#[tokio::test]
async fn sizes_follow_the_ratio_and_the_many_spellings_of_size() {
    let size = async |ask: Ask| {
        let (width, height) = drawn(&ask).await.dimensions();
        format!("{width}x{height}")
    };
    let flux = || Ask::of("black-forest-labs/flux-dev").with("prompt", "sea");
    let ratio = |ratio: &str| flux().with("aspect_ratio", ratio);
    assert_eq!(size(ratio("1:1")).await, "1024x1024");
    assert_eq!(size(ratio("16:9")).await, "1344x768");
    assert_eq!(size(ratio("9:16")).await, "768x1344");
    assert_eq!(size(ratio("21:9")).await, "1536x640");
    assert_eq!(size(ratio("3:4")).await, "896x1152");
    assert_eq!(size(ratio("2:1")).await, "1456x720");
    assert_eq!(size(ratio("16:9").with("megapixels", "0.25")).await, "672x384");
    assert_eq!(size(ratio("1:1").with("output_megapixels", 0.25)).await, "512x512");
    assert_eq!(size(ratio("16:9").with("resolution", "720p")).await, "1280x720");
    assert_eq!(size(ratio("1:1").with("resolution", "0.5 MP")).await, "720x720");
    assert_eq!(size(ratio("1:1").with("size", "1K")).await, "1024x1024");
    assert_eq!(size(ratio("Not set").with("size", "1365x1024")).await, "1365x1024");
    assert_eq!(size(ratio("1:1").with("resolution", "640x480")).await, "640x480");
    assert_eq!(size(flux().with("size", "1280*720")).await, "1280x720");
    assert_eq!(size(flux().with("width", 700).with("height", 500)).await, "700x500");
    assert_eq!(size(ratio("custom").with("width", 704).with("height", 512)).await, "704x512");
    let defaults = json!({ "width": { "default": 768 }, "height": { "default": 640 } });
    assert_eq!(size(flux().takes(&defaults)).await, "768x640");
    let default_ratio = json!({ "aspect_ratio": { "default": "16:9" }, "megapixels": { "default": "0.25" } });
    assert_eq!(size(flux().takes(&default_ratio)).await, "672x384");
    assert_eq!(size(flux().with("width", 64).with("height", 48)).await, "64x48");
}

#[tokio::test]
async fn an_edit_keeps_the_shape_of_its_input_unless_told() {
    let shelf = Shelf::default();
    let input = drawn(&schnell(BOAT).with("aspect_ratio", "16:9")).await;
    let size = async |ask: Ask| answered(&ask, &shelf).await.dimensions();
    assert_eq!(size(kontext("linocut", &shelf, &input)).await, (672, 384));
    assert_eq!(
        size(kontext("linocut", &shelf, &input).with("aspect_ratio", "match_input_image")).await,
        (672, 384)
    );
    assert_eq!(size(kontext("linocut", &shelf, &input).with("aspect_ratio", "1:1")).await, (512, 512));
}

#[tokio::test]
async fn a_picture_larger_than_anybody_could_draw_is_refused() {
    let sandbox = Sandbox::default();
    let ask = Ask::of("a/b").with("prompt", "sea").with("width", 30_000).with("height", 20);
    let snapshot = sandbox.create(&ask.create(), &Shelf::default()).await.unwrap();
    assert_eq!(
        error(&snapshot),
        "a picture of 30000x20 pixels is too large: the sandbox draws 100 megapixels and 16383 a side at most"
    );
}

#[tokio::test]
async fn the_format_is_the_one_asked_else_the_schemas() {
    let shelf = Shelf::default();
    let format = async |ask: Ask| Format::sniff(&bytes(&ask, &shelf).await).unwrap();
    assert_eq!(format(schnell(BOAT)).await, Format::Png);
    for (name, wanted) in
        [("webp", Format::Webp), ("jpg", Format::Jpeg), ("jpeg", Format::Jpeg), ("png", Format::Png)]
    {
        assert_eq!(format(schnell(BOAT).with("output_format", name)).await, wanted);
        assert_eq!(format(schnell(BOAT).takes(&json!({ "format": { "default": name } }))).await, wanted);
    }
}

#[tokio::test]
async fn a_lower_quality_gives_a_smaller_file_and_the_same_picture() {
    let shelf = Shelf::default();
    for format in ["jpg", "webp"] {
        let ask = |quality: u32| schnell(BOAT).with("output_format", format).with("output_quality", quality);
        let [low, high] = [bytes(&ask(20), &shelf).await, bytes(&ask(95), &shelf).await];
        assert!(low.len() * 2 < high.len(), "{format}: {} and {} bytes", low.len(), high.len());
        assert!(difference(&picture::read(&low).unwrap(), &picture::read(&high).unwrap()) < 3.0);
    }
}

#[tokio::test]
async fn an_edit_resembles_its_own_input_more_than_another() {
    let shelf = Shelf::default();
    let boat = drawn(&schnell(BOAT).with("seed", 1)).await;
    let others = [drawn(&schnell("A teapot on a table")).await, drawn(&schnell("mountains at night")).await];
    for style in [
        "ukiyo-e",
        "linocut",
        "claymation",
        "bauhaus",
        "watercolor",
        "pencil sketch",
        "pixel art",
        "stained glass",
        "risograph",
        "oil painting",
        "make the sky violet",
        "at night",
        "replace the hat",
        "remove the birds",
    ] {
        let edit = answered(&kontext(style, &shelf, &boat), &shelf).await;
        let own = correlation(&edit, &boat);
        let next = others.iter().map(|other| correlation(&edit, other)).fold(f64::MIN, f64::max);
        assert!(own > 0.5 && own > next + 0.1, "{style}: {own:.2} like its own, {next:.2} like another");
    }
}

#[tokio::test]
async fn other_words_make_another_edit_of_the_same_picture() {
    let shelf = Shelf::default();
    let boat = drawn(&schnell(BOAT).with("seed", 1)).await;
    let mut edits = vec![boat.clone()];
    for style in
        ["ukiyo-e", "linocut", "neon", "bauhaus", "pencil sketch", "make the sky violet", "at night", "green"]
    {
        edits.push(answered(&kontext(style, &shelf, &boat), &shelf).await);
    }
    assert!(least_difference(&edits) > 9.0, "{}", least_difference(&edits));
}

#[tokio::test]
async fn an_edit_does_not_repeat_the_words_of_its_input() {
    let shelf = Shelf::default();
    let boat = drawn(&schnell(BOAT)).await;
    let edit = answered(&kontext("", &shelf, &boat), &shelf).await;
    assert_eq!(edit.dimensions(), boat.dimensions());
    let rows = |picture: &Picture| picture::resize(picture, 1, 64).pixels().map(|p| p[0]).collect::<Vec<_>>();
    let paper = |rows: &[u8]| rows.iter().rev().take_while(|&&v| v > 180).count();
    assert!(paper(&rows(&edit)) <= paper(&rows(&boat)) + 1);
}

#[tokio::test]
async fn strength_goes_from_the_input_to_the_edit() {
    let shelf = Shelf::default();
    let boat = drawn(&schnell(BOAT).with("seed", 1)).await;
    let mut away = Vec::new();
    for strength in [0.1, 0.5, 1.0] {
        let edit =
            answered(&kontext("linocut", &shelf, &boat).with("prompt_strength", strength), &shelf).await;
        away.push(difference(&edit, &boat));
    }
    assert!(away[0] * 2.0 < away[1] && away[1] * 1.3 < away[2], "{away:?}");
}

#[tokio::test]
async fn several_inputs_are_all_seen() {
    let shelf = Shelf::default();
    let plain = |red, green, blue| Picture::from_pixel(256, 256, Rgba([red, green, blue, 255]));
    let inputs = [plain(250, 20, 20), plain(20, 20, 250), plain(20, 250, 20), plain(250, 250, 20)];
    for count in [2, 3, 4] {
        let images = inputs[..count].iter().map(|input| shelf.picture(input)).collect();
        let ask = Ask::of("a/b")
            .with("prompt", "")
            .with("aspect_ratio", "1:1")
            .with("megapixels", 0.25)
            .given("input_images", castline_core::Value::List(images));
        let small = picture::resize(&answered(&ask, &shelf).await, 12, 12);
        let seen: HashSet<_> = small.pixels().map(|p| [p[0] > 128, p[1] > 128, p[2] > 128]).collect();
        for input in &inputs[..count] {
            let color = input.get_pixel(0, 0);
            assert!(
                seen.contains(&[color[0] > 128, color[1] > 128, color[2] > 128]),
                "{count} inputs: {seen:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_upscaler_really_enlarges() {
    let shelf = Shelf::default();
    let input = Picture::from_fn(60, 40, |x, y| {
        Rgba([(x * 4) as u8, (y * 6) as u8, 90, if x < 30 { 0 } else { 255 }])
    });
    let esrgan = || Ask::of("nightmareai/real-esrgan").task("upscale").given("image", shelf.picture(&input));
    let defaults = json!({ "image": { "format": "uri" }, "scale": { "type": "number", "default": 4 } });
    for (ask, factor) in [
        (esrgan().with("scale", 2), 2),
        (esrgan().with("scale", 2.5), 0),
        (esrgan().takes(&defaults), 4),
        (esrgan().with("upscale_factor", "x4"), 4),
        (esrgan().with("upscale_factor", "None"), 1),
        (esrgan(), 2),
    ] {
        let large = answered(&ask, &shelf).await;
        let wanted = if factor == 0 { (150, 100) } else { (60 * factor, 40 * factor) };
        assert_eq!(large.dimensions(), wanted);
        let back = picture::resize(&large, 60, 40);
        let pixel = back.get_pixel(45, 20);
        assert!(pixel[0].abs_diff(180) < 6 && pixel[1].abs_diff(120) < 6 && pixel[3] == 255, "{pixel:?}");
        assert_eq!(back.get_pixel(5, 5)[3], 0);
    }
}

#[tokio::test]
async fn an_upscaler_refuses_what_nobody_could_store() {
    let shelf = Shelf::default();
    let ask = Ask::of("a/esrgan")
        .task("upscale")
        .with("scale", 10)
        .given("image", shelf.picture(&Picture::from_pixel(1000, 20, Rgba([1, 2, 3, 255]))));
    let snapshot = Sandbox::default().create(&ask.create(), &shelf).await.unwrap();
    assert_eq!(
        error(&snapshot),
        "`scale: 10` would make 10000x200 pixels of 1000x20: the sandbox enlarges to 8192 a side and 64 megapixels at most"
    );
}

/// A red disc on a ground that is lighter at the top.
fn disc() -> Picture {
    Picture::from_fn(200, 200, |x, y| {
        let away = (f64::from(x) - 100.0).hypot(f64::from(y) - 100.0);
        if away < 50.0 { Rgba([200, 30, 40, 255]) } else { Rgba([230 - (y / 10) as u8, 235, 240, 255]) }
    })
}

#[tokio::test]
async fn a_cut_out_keeps_the_subject_and_lets_the_background_go() {
    let shelf = Shelf::default();
    let remover =
        || Ask::of("lucataco/remove-bg").task("background-removal").given("image", shelf.picture(&disc()));
    let alpha = |picture: &Picture, x, y| picture.get_pixel(x, y)[3];
    let cut = answered(&remover(), &shelf).await;
    assert_eq!((alpha(&cut, 100, 100), alpha(&cut, 5, 5), alpha(&cut, 195, 150)), (255, 0, 0));
    let reversed = answered(&remover().with("reverse", true), &shelf).await;
    assert_eq!((alpha(&reversed, 100, 100), alpha(&reversed, 5, 5)), (0, 255));
    let hard = answered(&remover().with("threshold", 0.5), &shelf).await;
    assert!(hard.pixels().all(|pixel| pixel[3] == 0 || pixel[3] == 255));
    let green = answered(&remover().with("background_type", "green"), &shelf).await;
    assert_eq!(
        (green.get_pixel(5, 5).0, green.get_pixel(100, 100).0),
        ([0, 255, 0, 255], [200, 30, 40, 255])
    );
    let white = answered(&remover().with("background_type", "white"), &shelf).await;
    assert_eq!(white.get_pixel(5, 5).0, [255; 4]);
    let blurred = answered(&remover().with("background_type", "blur"), &shelf).await;
    assert_eq!((alpha(&blurred, 5, 5), blurred.get_pixel(100, 100).0), (255, [200, 30, 40, 255]));
    let map = answered(&remover().with("background_type", "map"), &shelf).await;
    assert_eq!((map.get_pixel(100, 100).0, map.get_pixel(5, 5).0), ([255; 4], [0, 0, 0, 255]));
    let snapshot = Sandbox::default()
        .create(&remover().with("background_type", "plaid").create(), &shelf)
        .await
        .unwrap();
    assert!(error(&snapshot).starts_with("`background_type: plaid` is unknown"));
}

#[tokio::test]
async fn the_cut_out_of_a_drawn_picture_has_no_words() {
    let shelf = Shelf::default();
    let vase = drawn(&schnell("a ceramic vase")).await;
    let cut =
        answered(&Ask::of("a/b").task("background-removal").given("image", shelf.picture(&vase)), &shelf)
            .await;
    assert_eq!(cut.dimensions(), vase.dimensions());
    assert!(cut.rows().rev().take(50).flatten().all(|pixel| pixel[3] == 0));
    assert!(cut.pixels().any(|pixel| pixel[3] == 255));
}

fn fill(shelf: &Shelf, description: &str) -> Ask {
    let mask = Picture::from_fn(200, 200, |x, _| if x < 100 { Rgba([255; 4]) } else { Rgba([0, 0, 0, 255]) });
    Ask::of("black-forest-labs/flux-fill-pro")
        .task("inpaint")
        .takes(
            &json!({ "mask": { "format": "uri", "description": description }, "image": { "format": "uri" } }),
        )
        .with("prompt", "sea")
        .given("image", shelf.picture(&Picture::from_pixel(200, 200, Rgba([9, 99, 9, 255]))))
        .given("mask", shelf.picture(&mask))
}

#[tokio::test]
async fn inpainting_changes_only_what_the_mask_marks() {
    let shelf = Shelf::default();
    let untouched = |picture: &Picture, x: std::ops::Range<u32>| {
        x.flat_map(|x| (0..200).map(move |y| (x, y)))
            .all(|(x, y)| picture.get_pixel(x, y).0 == [9, 99, 9, 255])
    };
    let white =
        answered(&fill(&shelf, "Black-and-white mask; white marks the part to repaint."), &shelf).await;
    assert!(untouched(&white, 100..200) && !untouched(&white, 0..100));
    let black =
        answered(&fill(&shelf, "Black-and-white mask; black marks the part to repaint."), &shelf).await;
    assert!(untouched(&black, 0..100) && !untouched(&black, 100..200));
}

#[tokio::test]
async fn outpainting_keeps_the_picture_and_draws_around_it() {
    let shelf = Shelf::default();
    let larger = answered(&fill(&shelf, "").with("outpaint", "Zoom out 2x"), &shelf).await;
    assert_eq!(larger.dimensions(), (400, 400));
    assert_eq!(
        (larger.get_pixel(100, 100).0, larger.get_pixel(299, 299).0),
        ([9, 99, 9, 255], [9, 99, 9, 255])
    );
    assert_ne!(larger.get_pixel(20, 20).0, [9, 99, 9, 255]);
}

#[tokio::test]
async fn an_input_that_is_no_image_fails_and_names_its_field() {
    let shelf = Shelf::default();
    let ask = Ask::of("a/b").with("prompt", "x").given("input_image", shelf.file(b"just words"));
    let snapshot = Sandbox::default().create(&ask.create(), &shelf).await.unwrap();
    assert_eq!(
        error(&snapshot),
        "`input_image` is not an image that can be read: it is text/plain, and only png, jpeg, webp and gif can be read"
    );
    let list =
        castline_core::Value::List(vec![shelf.picture(&disc()), shelf.file(b"\x89PNG\r\n\x1a\nbroken")]);
    let ask = Ask::of("a/b").with("prompt", "x").given("images", list);
    let snapshot = Sandbox::default().create(&ask.create(), &shelf).await.unwrap();
    assert!(
        error(&snapshot).starts_with("`images[1]` is not an image that can be read: "),
        "{}",
        error(&snapshot)
    );
}

#[tokio::test]
async fn an_image_at_a_url_is_drawn_and_not_fetched() {
    let shelf = Shelf::default();
    let ask = |url: &str| kontext("linocut", &shelf, &disc()).with("input_image", url);
    let [one, other] = [ask("https://example.invalid/boat.png"), ask("https://example.invalid/forest.png")];
    let pictures = [answered(&one, &shelf).await, answered(&other, &shelf).await];
    assert!(least_difference(&pictures) > 5.0);
}

#[tokio::test]
async fn text_models_answer_in_words_that_mention_the_prompt() {
    let sandbox = Sandbox::default();
    let answer =
        async |ask: Ask| sandbox.create(&ask.create(), &Shelf::default()).await.unwrap().output.unwrap();
    let llama = |prompt: &str| {
        Ask::of("meta/llama").task("text").with("prompt", prompt).gives(OutputKind::Text, false)
    };
    let text = answer(llama("Why is the sea salt?")).await;
    assert!(text.as_str().unwrap().contains("Why is the sea salt"), "{text}");
    assert_eq!(text, answer(llama("Why is the sea salt?")).await);
    assert_ne!(text, answer(llama("Why is the sky blue?")).await);
    let pieces = answer(llama("Why?").gives(OutputKind::Text, true)).await;
    assert!(pieces.as_array().unwrap().len() > 3);
    let object = answer(llama("Why?").gives(OutputKind::Json, false)).await;
    assert!(object["text"].as_str().unwrap().contains("Why"));
}

#[tokio::test]
async fn a_caption_tells_what_the_picture_is_like() {
    let shelf = Shelf::default();
    let ask = Ask::of("salesforce/blip")
        .task("caption")
        .gives(OutputKind::Text, false)
        .given("image", shelf.picture(&disc()));
    let snapshot = Sandbox::default().create(&ask.create(), &shelf).await.unwrap();
    assert!(snapshot.output.unwrap().as_str().unwrap().contains("square, 200 by 200 pixels"));
}

#[tokio::test]
async fn a_text_model_answers_as_json_where_a_step_wants_it() {
    let schema = json!({ "type": "array", "minItems": 2, "items": { "type": "string" } });
    let ask = Ask::of("meta/llama").with("prompt", "Names for a fox").answers(schema);
    for many in [false, true] {
        let ask = ask.clone().gives(OutputKind::Text, many);
        let output =
            Sandbox::default().create(&ask.create(), &Shelf::default()).await.unwrap().output.unwrap();
        let text = match output.as_array() {
            Some(pieces) => pieces.iter().map(|piece| piece.as_str().unwrap()).collect(),
            None => output.as_str().unwrap().to_owned(),
        };
        let names: Vec<String> = serde_json::from_str(&text).unwrap();
        assert!(names.len() >= 2 && names[0] != names[1], "{names:?}");
    }
}

#[tokio::test]
async fn sound_lasts_as_long_as_asked() {
    let ask = Ask::of("a/b").task("music").with("prompt", "x").gives(OutputKind::Audio, false);
    let file = bytes(&ask.clone().with("duration", 2), &Shelf::default()).await;
    assert_eq!(
        (castline_core::MediaType::sniff(&file).as_str(), file.len()),
        ("audio/wav", 44 + 2 * 2 * 22_050)
    );
    let endless =
        Sandbox::default().create(&ask.with("duration", 9_999).create(), &Shelf::default()).await.unwrap();
    assert_eq!(error(&endless), "the sandbox plays from 0 to 600 seconds, not 9999");
}

#[tokio::test]
async fn a_file_of_any_kind_is_what_its_input_and_task_say() {
    let shelf = Shelf::default();
    let ask = |task| Ask::of("a/b").task(task).gives(OutputKind::File, false).with("prompt", "rain");
    let film = bytes(&ask("x").gives(OutputKind::Video, false).with("duration", 1), &shelf).await;
    let kind =
        async |ask: Ask| castline_core::MediaType::sniff(&bytes(&ask, &shelf).await).as_str().to_owned();
    assert_eq!(kind(ask("video-to-audio").given("video", shelf.file(&film))).await, "video/webm");
    for task in ["video-to-audio", "music", "text-to-speech"] {
        assert_eq!(kind(ask(task).with("duration", 1)).await, "audio/wav", "{task}");
    }
    assert_eq!(kind(ask("text-to-image")).await, "image/png");
}

#[tokio::test]
async fn models_fail_as_they_are_told() {
    let fail = |name: &str| {
        let fail = [(name.to_owned(), "NSFW content detected".to_owned())].into_iter().collect();
        Sandbox::new(SandboxOptions { fail, ..SandboxOptions::default() })
    };
    let status = async |sandbox: Sandbox| {
        sandbox.create(&schnell(BOAT).create(), &Shelf::default()).await.unwrap().error
    };
    assert_eq!(
        status(fail("black-forest-labs/flux-schnell")).await.as_deref(),
        Some("NSFW content detected")
    );
    assert_eq!(status(fail("flux-schnell")).await.as_deref(), Some("NSFW content detected"));
    assert_eq!(status(fail("*")).await.as_deref(), Some("NSFW content detected"));
    assert_eq!(status(fail("someone/else")).await, None);
}

#[tokio::test]
async fn answers_have_ids_of_their_own_and_say_how_long_they_took() {
    let sandbox = Sandbox::default();
    let ask = schnell("x").with("width", 64).with("height", 64);
    let one = sandbox.create(&ask.create(), &Shelf::default()).await.unwrap();
    let other = sandbox.create(&ask.create(), &Shelf::default()).await.unwrap();
    assert_ne!(one.id, other.id);
    assert!(one.predict_seconds().is_some_and(|seconds| seconds >= 0.0));
}
