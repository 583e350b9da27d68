//! A pencil drawing: outlines, hatching in the shades, a breath of color.

use super::inks::Inks;
use super::ukiyoe::hash;
use super::{grain, mixed, numbers, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::plane::{Plane, smoothstep};
use crate::std_tools::picture::Picture;

/// Draws the picture.
pub(super) fn treat(source: &Picture, inks: &Inks, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let luma = Plane::luma(source).stretched();
    let soft = luma.blurred(2.0 * unit);
    let wide = luma.blurred(9.0 * unit);
    let (paper, pencil) = (numbers(inks.paper), mixed(numbers(inks.key), [40.0, 40.0, 44.0], 0.5));
    let color = dice.between(0.12, 0.3);
    let pitch = 6.5 * unit;
    let reach = (1.5 * unit).max(1.0) as u32;
    painted(source, |x, y, own| {
        let (fx, fy) = (x as f32, y as f32);
        let tone = soft.at(x, y);
        let dodge = (tone + 0.02) / (wide.at(x, y) + 0.02);
        let outline = smoothstep(0.97, 0.7, dodge).max(smoothstep(0.07, 0.3, soft.edge(x, y, reach)));
        let stroke = |across: f32| {
            let part = (across / pitch).fract().abs();
            smoothstep(0.32, 0.14, (part - 0.5).abs())
        };
        let tooth = 0.55 + 0.45 * hash(x, y);
        let first = stroke(fx * 0.75 + fy) * smoothstep(0.85, 0.3, tone);
        let second = stroke(fx * 0.9 - fy + 4e3) * smoothstep(0.5, 0.12, tone);
        let graphite = (outline * 0.85 + first * 0.5 + second * 0.5).min(1.0) * tooth;
        let tinted = mixed(paper, own.map(f32::from), color);
        mixed(tinted, pencil, graphite)
    })
}
