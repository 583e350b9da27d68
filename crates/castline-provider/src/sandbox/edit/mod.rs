//! Pictures out of pictures: composed, graded and treated as the words say.
//!
//! A treatment is one file and one function from a picture to a picture of the same size
//! and composition. Words that name none leave the choice to the dice.
//!
//! Start reading at [`edit`].

mod bauhaus;
mod clay;
mod glass;
mod grade;
mod halftone;
mod inks;
mod linocut;
mod neon;
mod oil;
mod pixels;
mod sketch;
mod ukiyoe;
mod watercolor;

use image::GenericImage;

use super::dice::Dice;
use super::frame::Frame;
use super::plane::smoothstep;
use super::scene;
use super::theme::{self, Theme};
use crate::std_tools::color::Color;
use crate::std_tools::fields::Fields;
use crate::std_tools::picture::{self, Picture};

/// A way to make another picture of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Linocut,
    Ukiyoe,
    Clay,
    Bauhaus,
    Watercolor,
    Sketch,
    Neon,
    Pixels,
    Glass,
    Halftone,
    Oil,
}

const STYLES: &[(Treatment, &[&str])] = &[
    (
        Treatment::Linocut,
        &["linocut", "woodcut", "lino", "engraving", "etching", "stamp", "print", "blockprint"],
    ),
    (
        Treatment::Ukiyoe,
        &["ukiyo", "ukiyoe", "woodblock", "hokusai", "hiroshige", "japanese", "anime", "manga"],
    ),
    (
        Treatment::Clay,
        &["claymation", "clay", "plasticine", "stopmotion", "figurine", "toy", "3d", "sculpture", "paper"],
    ),
    (
        Treatment::Bauhaus,
        &["bauhaus", "geometric", "cubist", "cubism", "kandinsky", "suprematist", "minimalist"],
    ),
    (Treatment::Watercolor, &["watercolor", "watercolour", "aquarelle", "gouache", "ink", "wash", "pastel"]),
    (
        Treatment::Sketch,
        &["sketch", "pencil", "drawing", "charcoal", "crayon", "line", "doodle", "blueprint"],
    ),
    (Treatment::Neon, &["neon", "cyberpunk", "synthwave", "vaporwave", "tron", "glowing", "laser"]),
    (Treatment::Pixels, &["pixel", "8bit", "16bit", "lego", "voxel", "minecraft", "retro", "videogame"]),
    (Treatment::Glass, &["stained", "mosaic", "glass", "tiles", "cathedral", "polygon", "lowpoly"]),
    (
        Treatment::Halftone,
        &["pop", "comic", "halftone", "risograph", "riso", "screenprint", "warhol", "poster", "duotone"],
    ),
    (
        Treatment::Oil,
        &[
            "oil",
            "painting",
            "painted",
            "impressionist",
            "impressionism",
            "gogh",
            "monet",
            "canvas",
            "acrylic",
        ],
    ),
];

const CHOICE: [Treatment; 8] = [
    Treatment::Linocut,
    Treatment::Ukiyoe,
    Treatment::Watercolor,
    Treatment::Sketch,
    Treatment::Glass,
    Treatment::Halftone,
    Treatment::Oil,
    Treatment::Clay,
];

/// Makes a picture of `art`'s size out of pictures and words.
pub(crate) fn edit(fields: &Fields, prompt: &str, pictures: &[Picture], art: Frame, dice: &Dice) -> Picture {
    let source = composed(pictures, art);
    let mut dice = dice.fork("edit");
    let theme = Theme::of(prompt);
    let graded = grade::graded(&source, prompt, &theme);
    let drawn = match treatment(prompt, graded.is_some(), &mut dice) {
        Some(treatment) => treated(treatment, graded.as_ref().unwrap_or(&source), &theme, &mut dice),
        None => graded.unwrap_or_else(|| grade::restored(&source)),
    };
    blended(fields, prompt, &source, drawn, &dice)
}

/// The first style that the words name; else the dice's, unless the words are content
/// with another light.
fn treatment(prompt: &str, graded: bool, dice: &mut Dice) -> Option<Treatment> {
    let words = theme::words(prompt);
    let named = words.iter().find_map(|word| STYLES.iter().find(|(_, names)| names.contains(&word.as_str())));
    match named {
        Some((treatment, _)) => Some(*treatment),
        None if graded || words.is_empty() => None,
        None => Some(*dice.pick(&CHOICE)),
    }
}

fn treated(treatment: Treatment, source: &Picture, theme: &Theme, dice: &mut Dice) -> Picture {
    let inks = inks::Inks::of(theme, dice);
    match treatment {
        Treatment::Linocut => linocut::treat(source, &inks, dice),
        Treatment::Ukiyoe => ukiyoe::treat(source, dice),
        Treatment::Clay => clay::treat(source, dice),
        Treatment::Bauhaus => bauhaus::treat(source, dice),
        Treatment::Watercolor => watercolor::treat(source, dice),
        Treatment::Sketch => sketch::treat(source, &inks, dice),
        Treatment::Neon => neon::treat(source, dice),
        Treatment::Pixels => pixels::treat(source, dice),
        Treatment::Glass => glass::treat(source, dice),
        Treatment::Halftone => halftone::treat(source, &inks, dice),
        Treatment::Oil => oil::treat(source, dice),
    }
}

/// Strengths: `prompt_strength` goes from the source to the edit, `image_prompt_strength`
/// from the words to the edit.
fn blended(fields: &Fields, prompt: &str, source: &Picture, drawn: Picture, dice: &Dice) -> Picture {
    let strength = |name: &str| fields.number(name).map(|s| (s as f32).clamp(0.0, 1.0));
    if let Some(strength) = strength("prompt_strength").or_else(|| strength("strength")) {
        return between(source, &drawn, strength);
    }
    if let Some(strength) = strength("image_prompt_strength") {
        let words = scene::draw(source.width(), source.height(), prompt, dice);
        return between(&words, &drawn, 0.5 + 0.5 * strength);
    }
    drawn
}

fn between(from: &Picture, to: &Picture, way: f32) -> Picture {
    let mut mixed = from.clone();
    for (pixel, over) in mixed.pixels_mut().zip(to.pixels()) {
        picture::blend(pixel, *over, way);
    }
    mixed
}

/// One picture of all: a single one fills the frame, two or three stand side by side with
/// slanted seams, more fill a grid.
fn composed(pictures: &[Picture], art: Frame) -> Picture {
    let opaque: Vec<_> = pictures.iter().map(|p| picture::flattened(p, Color::WHITE)).collect();
    match opaque.as_slice() {
        [] => Picture::from_pixel(art.width, art.height, Color::WHITE.pixel()),
        [single] => picture::cover(single, art.width, art.height, 0.5, 0.4),
        few if few.len() <= 3 => side_by_side(few, art),
        many => grid(many, art),
    }
}

fn side_by_side(pictures: &[Picture], art: Frame) -> Picture {
    let count = pictures.len() as f32;
    let (width, height) = (art.width as f32, art.height as f32);
    let slant = width * 0.08;
    let panel = width / count + slant;
    let mut canvas = Picture::new(art.width, art.height);
    for (index, source) in pictures.iter().enumerate() {
        let part = picture::cover(source, panel.ceil() as u32 + 2, art.height, 0.5, 0.4);
        let left = width / count * index as f32 - slant / 2.0;
        for (x, y, pixel) in part.enumerate_pixels() {
            let at = left + x as f32;
            let seam = width / count * index as f32 + slant * (0.5 - y as f32 / height);
            let cover = if index == 0 { 1.0 } else { smoothstep(seam - 1.0, seam + 1.0, at) };
            if at >= 0.0 && at < width {
                picture::blend(canvas.get_pixel_mut(at as u32, y), *pixel, cover);
            }
        }
    }
    canvas
}

fn grid(pictures: &[Picture], art: Frame) -> Picture {
    let columns = (pictures.len() as f64).sqrt().ceil() as u32;
    let rows = (pictures.len() as u32).div_ceil(columns);
    let mut canvas = Picture::from_pixel(art.width, art.height, Color::WHITE.pixel());
    for (index, source) in pictures.iter().enumerate() {
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        let in_row = if row + 1 == rows { pictures.len() as u32 - row * columns } else { columns };
        let edge = |side: u32, part: u32, of: u32| side * part / of;
        let (left, right) = (edge(art.width, column, in_row), edge(art.width, column + 1, in_row));
        let (top, bottom) = (edge(art.height, row, rows), edge(art.height, row + 1, rows));
        let tile = picture::cover(source, right - left, bottom - top, 0.5, 0.4);
        canvas.copy_from(&tile, left, top).expect("the tile lies within the canvas");
    }
    canvas
}

/// The unit of strokes and dots: a thousandth of the picture's middle side.
fn grain(picture: &Picture) -> f32 {
    ((picture.width() * picture.height()) as f32).sqrt() / 1000.0
}

/// A picture from one color for every pixel.
fn painted(like: &Picture, mut color: impl FnMut(u32, u32, [u8; 3]) -> [f32; 3]) -> Picture {
    let mut painted = like.clone();
    for (x, y, pixel) in painted.enumerate_pixels_mut() {
        let drawn = color(x, y, [pixel[0], pixel[1], pixel[2]]);
        for (channel, value) in pixel.0.iter_mut().zip(drawn) {
            *channel = (value.clamp(0.0, 255.0) + 0.5) as u8;
        }
        pixel[3] = 255;
    }
    painted
}

/// A color as numbers that can be mixed.
fn numbers(color: Color) -> [f32; 3] {
    [f32::from(color.red), f32::from(color.green), f32::from(color.blue)]
}

/// From one color to another.
fn mixed(from: [f32; 3], to: [f32; 3], way: f32) -> [f32; 3] {
    [0, 1, 2].map(|channel| from[channel] + (to[channel] - from[channel]) * way)
}
