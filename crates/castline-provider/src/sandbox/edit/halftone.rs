//! Two inks in dots on paper.

use super::inks::Inks;
use super::{grain, numbers, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::plane::{Plane, smoothstep};
use crate::std_tools::picture::Picture;

/// Prints the picture in dots.
pub(super) fn treat(source: &Picture, inks: &Inks, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let luma = Plane::luma(source).stretched().blurred(2.5 * unit);
    let pitch = dice.between(9.0, 12.0) * unit;
    let turn = dice.between(0.0, 40.0);
    let screens = [(turn + 15.0, 0.0_f32), (turn + 45.0, 2.0)].map(|(degrees, shift)| {
        let (sin, cos) = libm::sincosf(f32::to_radians(degrees));
        (sin, cos, shift * unit)
    });
    let dot = |x: f32, y: f32, (sin, cos, shift): (f32, f32, f32), dark: f32| {
        let (u, v) = ((x * cos - y * sin + shift) / pitch, (x * sin + y * cos + shift) / pitch);
        let (du, dv) = (u - u.floor() - 0.5, v - v.floor() - 0.5);
        let radius = dark.max(0.0).sqrt() * 0.74;
        let soft = 0.8 / pitch.max(1.0);
        smoothstep(radius + soft, radius - soft, (du * du + dv * dv).sqrt())
            * f32::from(u8::from(dark > 0.02))
    };
    let [key, second, paper] = [inks.key, inks.second, inks.paper].map(numbers);
    painted(source, |x, y, _| {
        let tone = luma.at(x, y);
        let (fx, fy) = (x as f32, y as f32);
        let colored = dot(fx, fy, screens[0], smoothstep(1.0, 0.3, tone) * 0.95);
        let keyed = dot(fx, fy, screens[1], smoothstep(0.55, 0.05, tone) * 0.95);
        [0, 1, 2].map(|c| {
            let once = 1.0 - colored * (1.0 - second[c] / 255.0);
            let twice = 1.0 - keyed * (1.0 - key[c] / 255.0);
            paper[c] * once * twice
        })
    })
}
