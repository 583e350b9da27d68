//! An oil painting: strokes laid along the picture's shapes, large ones first.

use super::grain;
use crate::sandbox::dice::Dice;
use crate::sandbox::easel::Easel;
use crate::sandbox::plane::{self, Plane};
use crate::std_tools::color::Color;
use crate::std_tools::picture::Picture;

/// Paints the picture in strokes.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let soft = plane::blur(source, 4.0 * unit);
    let luma = Plane::luma(source).blurred(10.0 * unit);
    let mut easel = Easel::over(&plane::blur(source, 12.0 * unit));
    for (count, length, thickness) in [(1_800, 46.0, 15.0), (4_200, 26.0, 7.5), (5_200, 15.0, 4.0)] {
        for _ in 0..count {
            let at = (dice.unit() * easel.width(), dice.unit() * easel.height());
            stroke(&mut easel, &soft, &luma, at, (length * unit, thickness * unit), dice);
        }
    }
    easel.picture()
}

fn stroke(
    easel: &mut Easel,
    soft: &Picture,
    luma: &Plane,
    at: (f32, f32),
    size: (f32, f32),
    dice: &mut Dice,
) {
    let (x, y) = (at.0 as u32, at.1 as u32);
    let pixel = soft.get_pixel(x.min(soft.width() - 1), y.min(soft.height() - 1));
    let (across, down) = luma.slope(x, y, 6);
    let steep = (across * across + down * down).sqrt();
    let (dx, dy) = if steep > 0.008 {
        (-down / steep, across / steep)
    } else {
        let (sin, cos) = libm::sincosf(dice.between(-0.5, 0.5));
        (cos, sin)
    };
    let half = size.0 * dice.between(0.3, 0.6);
    let bend = size.0 * dice.between(-0.12, 0.12);
    let color = Color { red: pixel[0], green: pixel[1], blue: pixel[2], alpha: 255 };
    let color = varied(color, dice);
    let points = [
        (at.0 - dx * half, at.1 - dy * half),
        (at.0 - dy * bend, at.1 + dx * bend),
        (at.0 + dx * half, at.1 + dy * half),
    ];
    easel.line(&points, size.1, color.with_alpha(0.88));
}

fn varied(color: Color, dice: &mut Dice) -> Color {
    let mut shift = |channel: u8| (f32::from(channel) + dice.between(-13.0, 13.0)).clamp(0.0, 255.0) as u8;
    Color { red: shift(color.red), green: shift(color.green), blue: shift(color.blue), alpha: 255 }
}
