//! Inpainting and outpainting: a part is painted anew, everything else stays as it is.

use image::GenericImage;

use super::dice::Dice;
use super::plane::Plane;
use super::scene;
use crate::std_tools::fields::Fields;
use crate::std_tools::picture::{self, Picture};

/// A picture, and how much of every pixel is to be painted anew.
#[derive(Debug)]
pub(crate) struct Canvas {
    picture: Picture,
    anew: Plane,
}

/// What is to be painted anew, if the input says so: by outpainting, a mask, or alpha.
pub(crate) fn canvas(fields: &Fields, source: &Picture, mask: Option<&Picture>) -> Option<Canvas> {
    if let Some(canvas) = fields.text("outpaint").and_then(|side| outpainted(source, side)) {
        return Some(canvas);
    }
    let (width, height) = source.dimensions();
    let anew = match mask {
        Some(mask) => {
            let mut anew = Plane::luma(mask).resized(width, height);
            if black_is_repainted(fields) {
                anew.values.iter_mut().for_each(|v| *v = 255 - *v);
            }
            anew
        }
        None if fields.declares("mask") && !picture::is_opaque(source) => {
            let mut anew = Plane::alpha(source);
            anew.values.iter_mut().for_each(|v| *v = 255 - *v);
            anew
        }
        None => return None,
    };
    Some(Canvas { picture: source.clone(), anew })
}

impl Canvas {
    /// Paints the part anew.
    pub(crate) fn painted(&self, prompt: &str, dice: &Dice) -> Picture {
        let (width, height) = self.picture.dimensions();
        let mut painted = self.picture.clone();
        let fresh = scene::draw(width, height, prompt, dice);
        for ((pixel, new), &anew) in painted.pixels_mut().zip(fresh.pixels()).zip(&self.anew.values) {
            if anew > 0 {
                picture::blend(pixel, *new, f32::from(anew) / 255.0);
            }
        }
        painted
    }
}

/// Masks mean two things; the schema says which in the words of its description.
fn black_is_repainted(fields: &Fields) -> bool {
    let description = fields.description("mask").to_lowercase();
    let anew = ["repaint", "inpaint", "edit", "changed", "replaced"];
    description.split([',', ';', '.']).any(|clause| {
        clause.contains("black ") && !clause.contains("white ") && anew.iter().any(|w| clause.contains(w))
    })
}

/// The picture on a larger canvas, the rest to be painted.
fn outpainted(source: &Picture, side: &str) -> Option<Canvas> {
    let (w, h) = source.dimensions();
    let more = |length: u32, by: f64| (f64::from(length) * by).round() as u32;
    let (width, height, left, top) = match side.to_lowercase().as_str() {
        "zoom out 1.5x" => (more(w, 1.5), more(h, 1.5), more(w, 0.25), more(h, 0.25)),
        "zoom out 2x" => (w * 2, h * 2, w / 2, h / 2),
        "make square" => (w.max(h), w.max(h), (w.max(h) - w) / 2, (w.max(h) - h) / 2),
        "left outpaint" => (more(w, 1.5), h, more(w, 1.5) - w, 0),
        "right outpaint" => (more(w, 1.5), h, 0, 0),
        "top outpaint" => (w, more(h, 1.5), 0, more(h, 1.5) - h),
        "bottom outpaint" => (w, more(h, 1.5), 0, 0),
        _ => return None,
    };
    if !picture::fits(u64::from(width), u64::from(height)) {
        return None;
    }
    let mut canvas = Picture::new(width, height);
    canvas.copy_from(source, left, top).expect("the canvas is larger");
    let mut anew = Plane { width, height, values: vec![255; (width * height) as usize] };
    for y in top..top + h {
        let start = (y * width + left) as usize;
        anew.values[start..start + w as usize].fill(0);
    }
    Some(Canvas { picture: canvas, anew })
}
