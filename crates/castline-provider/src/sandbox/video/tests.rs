//! What can be relied on when the sandbox films.

use castline_core::{MediaType, Value};
use castline_spec::preset::OutputKind;
use image::Rgba;
use serde_json::json;

use super::webm::Film;
use crate::sandbox::Sandbox;
use crate::std_tools::picture::{self, Picture};
use crate::std_tools::shelf::{Ask, Shelf, error, files};

const BOAT: &str = "A paper boat floating on calm water at sunrise.";

fn seedance(prompt: &str) -> Ask {
    Ask::of("bytedance/seedance-1-lite")
        .task("text-to-video")
        .gives(OutputKind::Video, false)
        .with("prompt", prompt)
}

async fn bytes(ask: &Ask, shelf: &Shelf) -> Vec<u8> {
    let sandbox = Sandbox::default();
    let snapshot = sandbox.create(&ask.create(), shelf).await.unwrap();
    files(&snapshot, sandbox.outputs()).remove(0)
}

async fn filmed(ask: &Ask, shelf: &Shelf) -> Film {
    let bytes = bytes(ask, shelf).await;
    assert_eq!(MediaType::sniff(&bytes).as_str(), "video/webm");
    if let Some(folder) = std::env::var_os("CASTLINE_FILMS") {
        let name = format!("{}.webm", castline_core::Digest::of(&bytes).hex());
        std::fs::write(std::path::Path::new(&folder).join(name), &bytes).unwrap();
    }
    Film::read(&bytes).expect("a film")
}

/// The picture above the band, very small.
fn small(picture: &Picture) -> Picture {
    let height = f64::from(picture.height()) * 0.82;
    let part = picture::Part { x: 0.0, y: 0.0, width: picture.width().into(), height };
    picture::resize_part(picture, part, 24, 24)
}

/// Mean difference of the colors, 0 to 255, the words not counted.
fn difference(a: &Picture, b: &Picture) -> f64 {
    let (a, b) = (small(a), small(b));
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / (24.0 * 24.0 * 3.0)
}

fn plain(width: u32, height: u32, color: [u8; 3]) -> Picture {
    let [red, green, blue] = color;
    Picture::from_fn(width, height, |x, y| {
        let edge = x < 4 || y < 4;
        if edge { Rgba([255, 255, 255, 255]) } else { Rgba([red, green, blue, 255]) }
    })
}

#[tokio::test]
async fn the_same_words_give_the_same_film_and_others_another() {
    let shelf = Shelf::default();
    let ask = seedance(BOAT).with("duration", 2).with("seed", 1);
    assert!(bytes(&ask, &shelf).await == bytes(&ask, &shelf).await);
    let film = filmed(&ask, &shelf).await;
    let fox = filmed(&seedance("A fox in an autumn forest").with("duration", 2), &shelf).await;
    let other = filmed(&ask.clone().with("seed", 2), &shelf).await;
    for another in [fox, other] {
        assert!(difference(&film.at(0).unwrap(), &another.at(0).unwrap()) > 5.0);
    }
}

#[tokio::test]
async fn a_film_moves_slowly_and_keeps_its_words() {
    let film = filmed(&seedance(BOAT), &Shelf::default()).await;
    let pictures: Vec<Picture> = (0..=4).map(|second| film.at(second * 1_000).unwrap()).collect();
    for pair in pictures.windows(2) {
        let moved = difference(&pair[0], &pair[1]);
        assert!((0.2..40.0).contains(&moved), "{moved}");
    }
    let foot = |picture: &Picture| {
        let part = picture::Part { x: 0.0, y: 240.0, width: 480.0, height: 30.0 };
        picture::resize_part(picture, part, 480, 30)
    };
    let (first, last) = (foot(&pictures[0]), foot(&pictures[4]));
    let dark = |picture: &Picture| picture.pixels().filter(|p| p[0] < 110).count();
    assert!(dark(&first) > 60, "{} dark pixels", dark(&first));
    let unlike = first.pixels().zip(last.pixels()).filter(|(a, b)| a[0].abs_diff(b[0]) > 40).count();
    assert!(unlike < 40, "{unlike} pixels of the words differ");
}

#[tokio::test]
async fn shape_and_length_are_the_asked_ones_and_the_file_is_small() {
    let shelf = Shelf::default();
    let facts = async |ask: Ask| {
        let film = filmed(&ask, &shelf).await;
        format!("{}x{} {} ms", film.width, film.height, film.length)
    };
    let ask = || seedance("sea");
    assert_eq!(facts(ask()).await, "480x270 5000 ms");
    assert_eq!(facts(ask().with("resolution", "720p").with("duration", 4)).await, "480x270 4000 ms");
    assert_eq!(facts(ask().with("aspect_ratio", "9:16").with("duration", "2s")).await, "270x480 2000 ms");
    assert_eq!(facts(ask().with("aspect_ratio", "1:1").with("duration", 1)).await, "480x480 1000 ms");
    assert_eq!(facts(ask().with("aspect_ratio", "adaptive").with("duration", 1)).await, "480x270 1000 ms");
    assert_eq!(facts(ask().with("size", "480*832").with("duration", 1)).await, "276x480 1000 ms");
    assert_eq!(facts(ask().with("num_frames", 32).with("frames_per_second", 16)).await, "480x270 2000 ms");
    let hunyuan = json!({ "width": { "default": 864 }, "height": { "default": 480 }, "video_length": { "default": 48 }, "fps": { "default": 24 } });
    assert_eq!(facts(ask().takes(&hunyuan)).await, "480x266 2000 ms");
    assert_eq!(facts(ask().with("duration", 20)).await, "480x270 20000 ms");
    let size = bytes(&ask(), &shelf).await.len();
    assert!((20_000..900_000).contains(&size), "{size} bytes");
}

#[tokio::test]
async fn a_film_longer_than_anybody_waits_for_is_refused() {
    let ask = seedance(BOAT).with("duration", 500);
    let snapshot = Sandbox::default().create(&ask.create(), &Shelf::default()).await.unwrap();
    assert_eq!(error(&snapshot), "the sandbox films up to 120 seconds, and 500 are asked for");
}

#[tokio::test]
async fn a_film_begins_with_the_given_picture_and_ends_with_the_last_one() {
    let shelf = Shelf::default();
    let (blue, red) = (plain(600, 400, [20, 40, 200]), plain(600, 400, [200, 30, 20]));
    let ask = seedance("waves")
        .with("duration", 2)
        .with("aspect_ratio", "1:1")
        .given("image", shelf.picture(&blue));
    let film = filmed(&ask, &shelf).await;
    assert_eq!((film.width, film.height), (480, 320), "the shape of the picture");
    let first = film.at(0).unwrap();
    assert!(difference(&first, &picture::resize(&blue, 480, 320)) < 6.0);
    for name in ["last_frame_image", "end_image", "last_image", "last_frame"] {
        let film = filmed(&ask.clone().given(name, shelf.picture(&red)), &shelf).await;
        let color = |at: u64| film.at(at).unwrap().get_pixel(240, 120).0;
        let (first, last) = (color(0), color(1_990));
        assert!(first[2] > 150 && first[0] < 80, "{name}: {first:?}");
        assert!(last[0] > 150 && last[2] < 80, "{name}: {last:?}");
    }
}

#[tokio::test]
async fn references_are_seen_and_are_not_the_first_picture() {
    let shelf = Shelf::default();
    let list = Value::List(vec![
        shelf.picture(&plain(300, 300, [10, 200, 30])),
        shelf.picture(&plain(300, 300, [200, 10, 200])),
    ]);
    let film = filmed(&seedance("").with("duration", 1).given("reference_images", list), &shelf).await;
    assert_eq!((film.width, film.height), (480, 270));
    let picture = film.at(0).unwrap();
    let (left, right) = (picture.get_pixel(100, 100).0, picture.get_pixel(380, 100).0);
    assert!(left[1] > left[0] && right[0] > right[1], "{left:?} {right:?}");
}

#[tokio::test]
async fn a_film_can_be_enlarged_described_treated_and_cut() {
    let shelf = Shelf::default();
    let source = bytes(&seedance(BOAT).with("duration", 2), &shelf).await;
    let film = Film::read(&source).unwrap();
    let video = || shelf.file(&source);

    let topaz = Ask::of("topazlabs/video-upscale").task("video-upscale").gives(OutputKind::Video, false);
    let large = filmed(&topaz.clone().given("video", video()), &shelf).await;
    assert_eq!((large.width, large.height, large.length), (960, 540, 2_000));
    assert!(difference(&large.at(1_000).unwrap(), &film.at(1_000).unwrap()) < 6.0);
    let nothing = Sandbox::default().create(&topaz.create(), &shelf).await.unwrap();
    assert_eq!(error(&nothing), "`topazlabs/video-upscale` needs a video, and the input has none");

    let blip = Ask::of("google/gemini").task("text").gives(OutputKind::Text, false);
    let caption = Sandbox::default()
        .create(
            &blip.with("prompt", "What is it?").given("videos", Value::List(vec![video()])).create(),
            &shelf,
        )
        .await
        .unwrap();
    let caption = caption.output.unwrap();
    assert!(
        caption.as_str().unwrap().contains("The video is wide, 480 by 270 pixels, 2 seconds long"),
        "{caption}"
    );

    let reframe = Ask::of("luma/reframe-video").task("video-edit").gives(OutputKind::Video, false);
    let properties = json!({ "video": { "type": "string", "format": "uri" } });
    let square = reframe.takes(&properties).with("aspect_ratio", "1:1").given("video", video());
    let square = filmed(&square, &shelf).await;
    assert_eq!((square.width, square.height, square.length), (480, 480, 2_000));

    let edit = Ask::of("xai/grok-imagine-video").task("video-edit").gives(OutputKind::Video, false);
    let edit = filmed(&edit.with("prompt", "as a linocut").given("video", video()), &shelf).await;
    assert_eq!((edit.width, edit.height, edit.length), (480, 270, 2_000));
    assert!(difference(&edit.at(0).unwrap(), &film.at(0).unwrap()) > 5.0);

    let still =
        Ask::of("a/first-frame").gives(OutputKind::Image, false).with("prompt", "").given("video", video());
    let still = picture::read(&bytes(&still, &shelf).await).unwrap();
    assert!(difference(&still, &film.at(1_000).unwrap()) < 25.0);
}

#[tokio::test]
async fn a_film_that_cannot_be_read_has_a_stand_in() {
    let shelf = Shelf::default();
    let ask = |bytes: &[u8]| {
        Ask::of("luma/reframe-video").gives(OutputKind::Video, false).given("video", shelf.file(bytes))
    };
    let one = filmed(&ask(b"\0\0\0\x18ftypmp42 one"), &shelf).await;
    let other = filmed(&ask(b"\0\0\0\x18ftypmp42 other"), &shelf).await;
    assert!(difference(&one.at(0).unwrap(), &other.at(0).unwrap()) > 5.0);
    assert_eq!(one.length, 5_000);
}

#[tokio::test]
async fn lips_move_as_long_as_the_sound_lasts() {
    let shelf = Shelf::default();
    let voice = Ask::of("a/voice")
        .task("speech")
        .gives(OutputKind::Audio, false)
        .with("text", "Hello there, out at sea.");
    let voice = bytes(&voice, &shelf).await;
    let seconds = crate::sandbox::sound::length(&voice).unwrap();
    let source = bytes(&seedance(BOAT).with("duration", 1), &shelf).await;
    let ask = Ask::of("bytedance/latentsync")
        .gives(OutputKind::Video, false)
        .given("video", shelf.file(&source))
        .given("audio", shelf.file(&voice));
    let film = filmed(&ask, &shelf).await;
    assert_eq!(film.length, (seconds * 1_000.0).round() as u64);
}
