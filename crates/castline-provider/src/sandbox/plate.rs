//! The band at the foot of a picture that says what was asked, and by whom it was not
//! really drawn.
//!
//! A band has a height that depends on the picture's size alone, so that the picture
//! above it can be found again and edited without its old words: see [`without_plate`].

use image::{GenericImage, GenericImageView};

use super::frame::Frame;
use crate::std_tools::color::Color;
use crate::std_tools::lettering::{Lettering, Ranged, Style};
use crate::std_tools::picture::Picture;

const PAPER: Color = Color::hex(0xfa_f7_f1);
const INK: Color = Color::hex(0x2b_28_2e);
const FAINT: Color = Color::hex(0x8d_86_80);

/// Smaller pictures get no words; nobody could read them.
const SMALLEST: u32 = 160;

/// How far a lossy file may move the paper's color.
const TOLERANCE: u8 = 14;

/// The size of the picture above the band.
pub(crate) fn art(frame: Frame) -> Frame {
    Frame { height: frame.height - band(frame), ..frame }
}

fn band(frame: Frame) -> u32 {
    if frame.width.min(frame.height) < SMALLEST {
        return 0;
    }
    let (width, height) = (f64::from(frame.width), f64::from(frame.height));
    (height * 0.125).min(width * 0.2).max(28.0).round() as u32
}

/// Puts the band under a picture of [`art`]'s size: the words large, the note small.
pub(crate) fn with_plate(art: &Picture, frame: Frame, words: &str, note: &str) -> Picture {
    let (width, height) = art.dimensions();
    if height >= frame.height {
        return art.clone();
    }
    let mut picture = Picture::from_pixel(frame.width, frame.height, PAPER.pixel());
    picture.copy_from(art, 0, 0).expect("the frame is as wide and higher");
    let band = frame.height - height;
    let margin = (band / 5).max(8);
    let room = Room { left: margin, top: height, width: width - 2 * margin, height: band };
    write(&mut picture, room, words, note);
    picture
}

#[derive(Clone, Copy)]
struct Room {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

fn write(picture: &mut Picture, room: Room, words: &str, note: &str) {
    let (width, height) = (room.width as f32, room.height as f32);
    let small = Style { size: (height * 0.125).max(8.0), width, lines: 1, ranged: Ranged::Start };
    let has_note = !note.is_empty() && room.height >= 60;
    let below = if has_note { small.leading() } else { 0.0 };
    let mut lettering = largest(words, width, height * 0.86 - below, height);
    let gap = if has_note && !words.trim().is_empty() { height * 0.03 } else { 0.0 };
    let words_height = if words.trim().is_empty() { 0.0 } else { lettering.height() };
    let top = room.top as f32 + (height - words_height - gap - below) / 2.0;
    lettering.draw(picture, room.left, top as u32, INK);
    if has_note {
        let mut note = Lettering::set(note, &small);
        note.draw(picture, room.left, (top + words_height + gap) as u32, FAINT);
    }
}

/// The largest letters in which the words fit; the smallest ones end in an ellipsis.
fn largest(words: &str, width: f32, height: f32, band: f32) -> Lettering {
    let style = |part: f32| {
        let size = (band * part).max(9.0);
        let leading = Style { size, width, lines: 1, ranged: Ranged::Start }.leading();
        Style { size, width, lines: ((height / leading) as usize).max(1), ranged: Ranged::Start }
    };
    [0.27, 0.24, 0.21]
        .into_iter()
        .map(|part| Lettering::set(words, &style(part)))
        .find(|lettering| !lettering.is_cut())
        .unwrap_or_else(|| Lettering::set(words, &style(0.16)))
}

/// The picture above the band, if this is one of our own.
pub(crate) fn without_plate(picture: &Picture) -> Option<Picture> {
    let frame = Frame { width: picture.width(), height: picture.height() };
    let art = art(frame);
    let is_paper = |x: u32, y: u32| {
        let pixel = picture.get_pixel(x, y);
        let [red, green, blue, _] = PAPER.pixel().0;
        [(0, red), (1, green), (2, blue)].into_iter().all(|(c, paper)| pixel[c].abs_diff(paper) <= TOLERANCE)
    };
    let edges = [2, frame.width.checked_sub(3)?];
    let rows = art.height + 4..frame.height.checked_sub(1)?;
    let ours = !rows.is_empty()
        && rows.clone().all(|y| edges.iter().all(|&x| is_paper(x, y)))
        && (0..frame.width).step_by(3).all(|x| is_paper(x, frame.height - 2))
        && !(0..frame.width).step_by(3).all(|x| is_paper(x, art.height.saturating_sub(6)));
    ours.then(|| picture.view(0, 0, art.width, art.height).to_image())
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    fn art_of(width: u32, height: u32) -> Picture {
        let art = art(Frame { width, height });
        Picture::from_fn(art.width, art.height, |x, y| Rgba([(x / 5) as u8, (y / 5) as u8, 90, 255]))
    }

    #[test]
    fn a_plate_fills_the_frame_and_can_be_taken_off() {
        for (width, height) in [
            (1024, 1024),
            (1344, 768),
            (700, 500),
            (701, 499),
            (768, 1344),
            (512, 512),
            (640, 1536),
            (2048, 256),
        ] {
            let art = art_of(width, height);
            let plated = with_plate(&art, Frame { width, height }, "A paper boat.", "sandbox");
            assert_eq!(plated.dimensions(), (width, height));
            assert_eq!(without_plate(&plated), Some(art));
        }
    }

    #[test]
    fn other_pictures_have_no_plate() {
        assert_eq!(without_plate(&art_of(1024, 1024)), None);
        assert_eq!(without_plate(&Picture::from_pixel(1024, 1024, PAPER.pixel())), None);
        assert_eq!(without_plate(&Picture::from_pixel(2, 2, PAPER.pixel())), None);
    }

    #[test]
    fn tiny_pictures_stay_without_words() {
        let art = art_of(64, 64);
        assert_eq!(art.dimensions(), (64, 64));
        assert_eq!(with_plate(&art, Frame { width: 64, height: 64 }, "boat", "").dimensions(), (64, 64));
    }

    #[test]
    fn other_words_give_another_picture() {
        let art = art_of(512, 512);
        let long = "an extremely long prompt ".repeat(80);
        let frame = Frame { width: 512, height: 512 };
        let pictures =
            ["", "boat", "coat", &long].map(|words| with_plate(&art, frame, words, "note").into_raw());
        for (index, picture) in pictures.iter().enumerate() {
            assert!(!pictures[..index].contains(picture));
        }
    }
}
