//! A linocut: one key block with carved lines, one flat block of color under it.

use super::inks::Inks;
use super::{grain, mixed, numbers, painted};
use crate::sandbox::dice::{Dice, Ridge};
use crate::sandbox::plane::{Plane, smoothstep};
use crate::std_tools::picture::Picture;

/// Prints the picture from two blocks.
pub(super) fn treat(source: &Picture, inks: &Inks, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let luma = Plane::luma(source).stretched();
    let soft = luma.blurred(3.0 * unit);
    let around = luma.blurred(90.0 * unit);
    let (sin, cos) = libm::sincosf(dice.between(-35.0, 35.0_f32).to_radians());
    let wobble = Ridge::new(dice, 2);
    let pitch = dice.between(8.5, 11.5) * unit;
    let [key, second, paper] = [inks.key, inks.second, inks.paper].map(numbers);
    let waves: Vec<f32> = (0..512).map(|i| libm::sinf(i as f32 / 512.0 * std::f32::consts::TAU)).collect();
    let bends: Vec<f32> = (0..2048).map(|i| wobble.at(i as f32 / 24.0) * 6.0 * unit).collect();
    painted(source, |x, y, _| {
        let (fx, fy) = (x as f32, y as f32);
        let tone = soft.at(x, y);
        let local = tone + (tone - around.at(x, y)) * 0.55;
        let along = ((fx * cos - fy * sin) / (2.2 * unit)).abs() as usize % 2048;
        let across = (fx * sin + fy * cos + bends[along]) / pitch;
        let wave = waves[((across - across.floor()) * 512.0) as usize & 511];
        let carved = smoothstep(-0.05, 0.05, local - 0.47 + wave * 0.3);
        let line = soft.edge(x, y, (1.5 * unit).max(1.0) as u32);
        let inked = (1.0 - carved).max(smoothstep(0.2, 0.32, line) * smoothstep(0.75, 0.4, tone));
        let ground = mixed(second, paper, smoothstep(0.62, 0.66, soft.at(x + 2, y + 1)));
        mixed(ground, key, inked)
    })
}
