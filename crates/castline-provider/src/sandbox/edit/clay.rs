//! Claymation: slabs of plasticine with round edges under a lamp, and the marks of thumbs.

use super::{grain, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::plane::{self, Plane, smoothstep};
use crate::std_tools::picture::Picture;

/// How many heights a picture is pressed into.
const SLABS: f32 = 6.0;

/// Models the picture in clay.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let flat = plane::blur(source, 5.0 * unit);
    let soft = Plane::luma(&flat).stretched().blurred(9.0 * unit);
    let height = slabs(&soft).blurred(5.0 * unit);
    let low = height.blurred(26.0 * unit);
    let dents = dents(source, dice, 48.0 * unit);
    let reach = (2.2 * unit).max(1.0) as u32;
    painted(&flat, |x, y, own| {
        let ((across, down), dent) = (height.slope(x, y, reach), dents.slope(x, y, reach * 2));
        let (across, down) = (across + dent.0 * 0.12, down + dent.1 * 0.12);
        let lamp = (across * 0.6 + down) * 4.2;
        let hollow = (low.at(x, y) - height.at(x, y)).max(0.0) * 0.5;
        let light = (-lamp).clamp(-0.42, 0.5) - hollow;
        let shine = smoothstep(0.2, 0.5, light) * 46.0;
        let rings = dents.at(x, y) * 30.0;
        let print = ((rings - rings.floor()) - 0.5).abs() * 0.05 - 0.0125;
        let level = posterised(soft.at(x, y), height.at(x, y));
        let mean = own.iter().map(|&c| f32::from(c)).sum::<f32>() / 3.0;
        own.map(|channel| {
            let rich = (mean + (f32::from(channel) - mean) * 1.4) * level;
            rich * (1.0 + light + print) + shine
        })
    })
}

/// How much lighter or darker a slab is than what was there.
fn posterised(soft: f32, height: f32) -> f32 {
    ((height + 0.25) / (soft + 0.25)).clamp(0.75, 1.3)
}

fn slabs(luma: &Plane) -> Plane {
    let curve: Vec<u8> = (0..256)
        .map(|v| {
            let level = v as f32 / 255.0 * SLABS;
            let pressed = level.floor() + smoothstep(0.42, 0.58, level - level.floor());
            (pressed / SLABS * 255.0).min(255.0) as u8
        })
        .collect();
    let values = luma.values.iter().map(|&v| curve[usize::from(v)]).collect();
    Plane { values, ..*luma }
}

/// What thumbs leave, about so far apart.
fn dents(source: &Picture, dice: &mut Dice, apart: f32) -> Plane {
    let small = |side: u32| ((side as f32 / apart) as u32).max(2);
    let (width, height) = (small(source.width()), small(source.height()));
    let values = (0..width * height).map(|_| (dice.unit() * 255.0) as u8).collect();
    Plane { width, height, values }.resized(source.width(), source.height())
}
