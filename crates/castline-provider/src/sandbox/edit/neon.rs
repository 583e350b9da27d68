//! Edges as glowing tubes in the dark.

use super::{grain, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::plane::{Plane, smoothstep};
use crate::std_tools::color::Color;
use crate::std_tools::picture::Picture;

const TUBES: [[u32; 2]; 4] =
    [[0x26_e6_ff, 0xff_3c_c8], [0x5c_ff_9a, 0x8a_5c_ff], [0xff_8a_3c, 0xff_3c_8e], [0x3c_8a_ff, 0xf0_ff_5c]];

/// Lights the picture's edges.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let luma = Plane::luma(source).stretched().blurred(2.2 * unit);
    let reach = (1.6 * unit).max(1.0) as u32;
    let values = (0..luma.height)
        .flat_map(|y| (0..luma.width).map(move |x| (x, y)))
        .map(|(x, y)| (smoothstep(0.05, 0.22, luma.edge(x, y, reach)) * 255.0) as u8)
        .collect();
    let lines = Plane { values, ..luma };
    let (near, far) = (lines.blurred(7.0 * unit), lines.blurred(34.0 * unit));
    let [first, second] = dice.pick(&TUBES).map(|hex| super::numbers(Color::hex(hex)));
    let (sin, cos) = libm::sincosf(dice.between(0.0, 360.0_f32).to_radians());
    let size = source.width().max(source.height()) as f32;
    painted(source, |x, y, own| {
        let along = swing((x as f32 * cos + y as f32 * sin) / size * 1.6);
        let hue = super::mixed(first, second, along);
        let (core, glow, haze) = (lines.at(x, y), near.at(x, y), far.at(x, y));
        let tone = luma.at(x, y);
        [0, 1, 2].map(|c| {
            let room = [16.0, 10.0, 30.0][c] + f32::from(own[c]) * 0.13 * (0.4 + tone);
            room + hue[c] * (glow * 0.75 + haze * 0.55) + (255.0 - hue[c]) * core * 0.55 + hue[c] * core * 0.5
        })
    })
}

/// Swings between 0 and 1 like a sine, from sums and products alone.
fn swing(along: f32) -> f32 {
    let part = along - along.floor();
    let up = if part < 0.5 { part * 2.0 } else { 2.0 - part * 2.0 };
    up * up * (3.0 - 2.0 * up)
}
