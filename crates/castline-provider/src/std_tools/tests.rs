//! What can be relied on when the local tools work.

use image::Rgba;
use serde_json::json;

use super::StdTools;
use super::format::{self, Format};
use super::picture::{self, Picture};
use super::shelf::{Ask, Shelf, error, files, picture as picture_of};
use crate::std_tools::color::Color;

const RED: Rgba<u8> = Rgba([255, 0, 0, 255]);
const BLUE: Rgba<u8> = Rgba([0, 0, 255, 255]);

fn plain(width: u32, height: u32, color: Rgba<u8>) -> Picture {
    Picture::from_pixel(width, height, color)
}

/// Every pixel tells where it was.
fn places(width: u32, height: u32) -> Picture {
    Picture::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, 7, 255]))
}

async fn made(ask: &Ask, shelf: &Shelf) -> Picture {
    let tools = StdTools::default();
    let snapshot = tools.create(&ask.create(), shelf).await.unwrap();
    picture_of(&snapshot, tools.outputs())
}

async fn bytes(ask: &Ask, shelf: &Shelf) -> Vec<u8> {
    let tools = StdTools::default();
    let snapshot = tools.create(&ask.create(), shelf).await.unwrap();
    files(&snapshot, tools.outputs()).remove(0)
}

async fn fault(ask: &Ask, shelf: &Shelf) -> String {
    error(&StdTools::default().create(&ask.create(), shelf).await.unwrap()).to_owned()
}

fn list(shelf: &Shelf, pictures: &[Picture]) -> castline_core::Value {
    castline_core::Value::List(pictures.iter().map(|picture| shelf.picture(picture)).collect())
}

#[tokio::test]
async fn resizing_gives_exactly_the_size_that_follows() {
    let shelf = Shelf::default();
    let resize = || Ask::of("std/resize").given("image", shelf.picture(&places(200, 100)));
    let size = async |ask: Ask| made(&ask, &shelf).await.dimensions();
    assert_eq!(size(resize().with("scale", 0.5)).await, (100, 50));
    assert_eq!(size(resize().with("scale", 2)).await, (400, 200));
    assert_eq!(size(resize().with("width", 50)).await, (50, 25));
    assert_eq!(size(resize().with("height", 300)).await, (600, 300));
    assert_eq!(size(resize().with("width", 90).with("height", 90)).await, (90, 45));
    assert_eq!(size(resize().with("width", 90).with("height", 90).with("fit", "cover")).await, (90, 90));
    assert_eq!(size(resize().with("width", 90).with("height", 90).with("fit", "fill")).await, (90, 90));
}

#[tokio::test]
async fn covering_cuts_and_filling_squeezes() {
    let shelf = Shelf::default();
    let halves = Picture::from_fn(200, 100, |x, _| if (50..150).contains(&x) { RED } else { BLUE });
    let ask = |fit: &str| {
        Ask::of("std/resize")
            .given("image", shelf.picture(&halves))
            .with("width", 100)
            .with("height", 100)
            .with("fit", fit)
    };
    let cover = made(&ask("cover"), &shelf).await;
    assert!(cover.pixels().all(|pixel| *pixel == RED));
    let fill = made(&ask("fill"), &shelf).await;
    assert_eq!(
        (*fill.get_pixel(10, 50), *fill.get_pixel(50, 50), *fill.get_pixel(90, 50)),
        (BLUE, RED, BLUE)
    );
}

#[tokio::test]
async fn resizing_says_what_is_missing_or_too_much() {
    let shelf = Shelf::default();
    let resize = || Ask::of("std/resize").given("image", shelf.picture(&places(20, 10)));
    assert_eq!(fault(&resize(), &shelf).await, "the size is missing: give `scale`, `width` or `height`");
    assert_eq!(
        fault(&resize().with("scale", 2).with("width", 5), &shelf).await,
        "`scale` and `width` or `height` exclude each other: leave one of them out"
    );
    assert_eq!(
        fault(&resize().with("width", 5).with("fit", "cover"), &shelf).await,
        "`fit: cover` needs both `width` and `height`"
    );
    assert_eq!(
        fault(&resize().with("scale", 90).with("format", "gif"), &shelf).await,
        "`format: gif` cannot be written: use png, jpg or webp"
    );
    assert_eq!(fault(&Ask::of("std/resize").with("scale", 2), &shelf).await, "`image` needs an image");
    assert_eq!(
        fault(
            &Ask::of("std/resize").given("image", shelf.picture(&plain(2000, 2000, RED))).with("scale", 9),
            &shelf
        )
        .await,
        "the result would have 18000x18000 pixels: 16383 a side and 100 megapixels are the most"
    );
}

#[tokio::test]
async fn cropping_keeps_every_pixel_of_the_part() {
    let shelf = Shelf::default();
    let crop = || Ask::of("std/crop").given("image", shelf.picture(&places(200, 100)));
    let first = async |ask: Ask| {
        let part = made(&ask, &shelf).await;
        (part.dimensions(), [part.get_pixel(0, 0)[0], part.get_pixel(0, 0)[1]])
    };
    let sized = |width: u32, height: u32| crop().with("width", width).with("height", height);
    assert_eq!(first(sized(30, 20).with("x", 10).with("y", 5)).await, ((30, 20), [10, 5]));
    assert_eq!(first(sized(30, 20)).await, ((30, 20), [85, 40]));
    assert_eq!(first(sized(30, 20).with("gravity", "bottom-right")).await, ((30, 20), [170, 80]));
    assert_eq!(first(crop().with("x", 150).with("y", 60)).await, ((50, 40), [150, 60]));
    assert_eq!(first(crop().with("aspect_ratio", "1:1")).await, ((100, 100), [50, 0]));
    assert_eq!(first(crop().with("aspect_ratio", "1:1").with("gravity", "left")).await, ((100, 100), [0, 0]));
    assert_eq!(
        first(crop().with("aspect_ratio", "4:1").with("gravity", "bottom")).await,
        ((200, 50), [0, 50])
    );
}

#[tokio::test]
async fn cropping_says_what_does_not_fit() {
    let shelf = Shelf::default();
    let crop = || Ask::of("std/crop").given("image", shelf.picture(&places(200, 100)));
    assert_eq!(
        fault(&crop().with("x", 190).with("y", 0).with("width", 30).with("height", 10), &shelf).await,
        "30x10 pixels at 190,0 do not lie within the image, which has 200x100"
    );
    assert_eq!(
        fault(&crop().with("aspect_ratio", "wide"), &shelf).await,
        "`aspect_ratio: wide` must look like \"16:9\""
    );
    assert_eq!(
        fault(&crop().with("aspect_ratio", "1:1").with("width", 9), &shelf).await,
        "`aspect_ratio` cuts by shape alone: leave out `x`, `y`, `width` and `height`"
    );
    assert_eq!(
        fault(&crop(), &shelf).await,
        "what to cut is missing: give `width` and `height`, or `aspect_ratio`"
    );
    assert_eq!(
        fault(&crop().with("width", 9).with("gravity", "middle"), &shelf).await,
        "`gravity: middle` is unknown: use center, top, bottom, left, right, or a corner such as top-left"
    );
}

#[tokio::test]
async fn the_format_stays_unless_another_one_is_asked() {
    let shelf = Shelf::default();
    for own in [Format::Png, Format::Jpeg, Format::Webp] {
        let file = shelf.file(&format::encode(&places(40, 40), own, 90, Color::WHITE).unwrap());
        let crop = Ask::of("std/crop").given("image", file.clone()).with("aspect_ratio", "2:1");
        assert_eq!(Format::sniff(&bytes(&crop, &shelf).await), Some(own));
        for (name, wanted) in [("png", Format::Png), ("jpg", Format::Jpeg), ("webp", Format::Webp)] {
            let convert = Ask::of("std/convert").given("image", file.clone()).with("format", name);
            assert_eq!(Format::sniff(&bytes(&convert, &shelf).await), Some(wanted));
        }
    }
}

#[tokio::test]
async fn converting_lays_clear_pixels_on_the_ground() {
    let shelf = Shelf::default();
    let half = Picture::from_fn(40, 40, |x, _| if x < 20 { RED } else { Rgba([0, 0, 0, 0]) });
    let convert =
        |format: &str| Ask::of("std/convert").given("image", shelf.picture(&half)).with("format", format);
    let grounded = made(&convert("png").with("background", "#0000ff"), &shelf).await;
    assert_eq!((*grounded.get_pixel(5, 5), *grounded.get_pixel(30, 5)), (RED, BLUE));
    let kept = made(&convert("png"), &shelf).await;
    assert_eq!(kept.get_pixel(30, 5)[3], 0);
    let white = made(&convert("jpg"), &shelf).await;
    assert!(white.get_pixel(35, 5).0.iter().all(|&channel| channel > 245));
    assert_eq!(
        fault(&convert("jpg").with("background", "reddish"), &shelf).await,
        "`background: reddish` is no color: write #rrggbb in quotes, a name such as white, or transparent"
    );
}

#[tokio::test]
async fn overlaying_puts_one_picture_where_it_is_told() {
    let shelf = Shelf::default();
    let compose = || {
        Ask::of("std/compose")
            .given("image", shelf.picture(&plain(100, 60, RED)))
            .given("over", shelf.picture(&plain(20, 10, BLUE)))
    };
    let blue = |picture: &Picture| {
        let of = |(x, y, pixel): (u32, u32, &Rgba<u8>)| (*pixel == BLUE).then_some((x, y));
        let all: Vec<_> = picture.enumerate_pixels().filter_map(of).collect();
        (all.len(), all.first().copied())
    };
    assert_eq!(blue(&made(&compose(), &shelf).await), (200, Some((40, 25))));
    let corner = compose().with("position", "bottom-right").with("margin", 4);
    assert_eq!(blue(&made(&corner, &shelf).await), (200, Some((76, 46))));
    let wide = compose().with("over_width", 0.5).with("position", "top-left");
    assert_eq!(blue(&made(&wide, &shelf).await), (50 * 25, Some((0, 0))));
    let faint = made(&compose().with("opacity", 0.5), &shelf).await;
    assert_eq!(*faint.get_pixel(50, 30), Rgba([128, 0, 128, 255]));
}

#[tokio::test]
async fn joining_matches_the_sides_and_keeps_the_gap() {
    let shelf = Shelf::default();
    let compose = |mode: &str| {
        Ask::of("std/compose")
            .given("image", shelf.picture(&plain(100, 60, RED)))
            .given("over", shelf.picture(&plain(20, 30, BLUE)))
            .with("mode", mode)
    };
    let beside = made(&compose("side-by-side").with("gap", 6).with("background", "#00ff00"), &shelf).await;
    assert_eq!(beside.dimensions(), (100 + 6 + 40, 60));
    let row: Vec<_> = [99, 100, 105, 106].map(|x| *beside.get_pixel(x, 30)).into();
    assert_eq!(row, [RED, Rgba([0, 255, 0, 255]), Rgba([0, 255, 0, 255]), BLUE]);
    let stacked = made(&compose("stack"), &shelf).await;
    assert_eq!(
        (stacked.dimensions(), *stacked.get_pixel(0, 59), *stacked.get_pixel(0, 60)),
        ((100, 210), RED, BLUE)
    );
    assert_eq!(
        fault(&compose("stack").with("opacity", 0.5), &shelf).await,
        "`opacity` means nothing with `mode: stack`: leave it out, or change the mode"
    );
    assert_eq!(
        fault(&compose("pile"), &shelf).await,
        "`mode: pile` is unknown: use overlay, side-by-side or stack"
    );
}

#[tokio::test]
async fn a_contact_sheet_keeps_ratios_and_order() {
    let shelf = Shelf::default();
    let colors = [RED, BLUE, Rgba([0, 200, 0, 255])];
    let pictures = [plain(200, 100, colors[0]), plain(100, 100, colors[1]), plain(400, 200, colors[2])];
    let sheet = Ask::of("std/contact-sheet")
        .given("images", list(&shelf, &pictures))
        .with("cell", 100)
        .with("gap", 10)
        .with("columns", 2)
        .with("background", "#ffffff");
    let sheet = made(&sheet, &shelf).await;
    assert_eq!(sheet.dimensions(), (10 + 100 + 10 + 100 + 10, 10 + 100 + 10 + 50 + 10));
    let found = colors.map(|color| {
        let all: Vec<_> =
            sheet.enumerate_pixels().filter(|(.., pixel)| **pixel == color).map(|(x, y, _)| (x, y)).collect();
        (all.len(), all[0])
    });
    assert_eq!(found, [(5_000, (10, 35)), (10_000, (120, 10)), (5_000, (10, 120))]);
}

#[tokio::test]
async fn captions_stand_below_their_pictures() {
    let shelf = Shelf::default();
    let pictures = [plain(100, 100, RED), plain(100, 100, BLUE)];
    let sheet = || {
        Ask::of("std/contact-sheet")
            .given("images", list(&shelf, &pictures))
            .with("cell", 200)
            .with("background", "white")
    };
    let bare = made(&sheet(), &shelf).await;
    let captioned = made(&sheet().with("captions", json!(["浮世絵", ""])), &shelf).await;
    assert!(captioned.height() > bare.height());
    let dark = |left: u32| {
        let rows = bare.height() - 9..captioned.height();
        rows.flat_map(|y| (left..left + 180).map(move |x| (x, y)))
            .filter(|&(x, y)| captioned.get_pixel(x, y)[1] < 100)
            .count()
    };
    assert!(dark(15) > 25, "{}", dark(15));
    assert_eq!(dark(captioned.width() / 2 + 10), 0);
    assert_eq!(
        fault(&sheet().with("captions", json!(["one", "two", "three"])), &shelf).await,
        "`captions` has 3 texts and `images` has 2: give one text for each image, or leave `captions` out"
    );
}

#[tokio::test]
async fn a_contact_sheet_needs_images_that_can_be_read() {
    let shelf = Shelf::default();
    assert_eq!(fault(&Ask::of("std/contact-sheet"), &shelf).await, "`images` needs at least one image");
    let broken = castline_core::Value::List(vec![shelf.picture(&plain(9, 9, RED)), shelf.file(b"<html>")]);
    assert_eq!(
        fault(&Ask::of("std/contact-sheet").given("images", broken), &shelf).await,
        "`images[1]` is not an image that can be read: it is text/html, and only png, jpeg, webp and gif can be read"
    );
}

#[tokio::test]
async fn twelve_pictures_stand_in_four_columns() {
    let shelf = Shelf::default();
    let pictures = vec![plain(50, 50, RED); 12];
    let ask =
        Ask::of("std/contact-sheet").given("images", list(&shelf, &pictures)).with("cell", 50).with("gap", 0);
    assert_eq!(made(&ask, &shelf).await.dimensions(), (200, 150));
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes() {
    let shelf = Shelf::default();
    let ask = Ask::of("std/contact-sheet")
        .given("images", list(&shelf, &[places(90, 60), places(60, 90)]))
        .with("captions", json!(["Straße", "καράβι"]));
    assert!(bytes(&ask, &shelf).await == bytes(&ask, &shelf).await);
}

#[tokio::test]
async fn pictures_are_turned_as_their_camera_said() {
    let shelf = Shelf::default();
    let mut jpeg = format::encode(&plain(40, 20, RED), Format::Jpeg, 90, Color::WHITE).unwrap();
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    jpeg.splice(2..2, exif.iter().copied());
    let turned =
        made(&Ask::of("std/resize").given("image", shelf.file(&jpeg)).with("scale", 1), &shelf).await;
    assert_eq!(turned.dimensions(), (20, 40));
    assert_eq!(picture::read(&jpeg).unwrap().dimensions(), (20, 40));
}

#[tokio::test]
async fn an_unknown_tool_names_the_ones_there_are() {
    assert_eq!(
        fault(&Ask::of("std/rotate"), &Shelf::default()).await,
        "there is no tool `std/rotate`: there are std/contact-sheet, std/resize, std/crop, std/convert, std/compose"
    );
}
