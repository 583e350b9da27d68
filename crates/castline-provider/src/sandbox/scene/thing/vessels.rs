//! What stands on a table.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill, arc};
use crate::std_tools::color::Color;

/// A soft shadow on the table, away from the light.
pub(in crate::sandbox::scene) fn shadow(scene: &mut Scene, at: At, size: f32, side: f32) {
    let size = scene.u(size);
    let dark = scene.light.near.lit(-0.05);
    let center = (at.0 + size * 0.55 * side, at.1);
    for layer in 0..5 {
        let grow = 1.0 + 0.09 * layer as f32;
        scene.easel.disc(center, (size * 1.05 * grow, size * 0.16 * grow), dark.with_alpha(0.11));
    }
    scene.easel.disc(at, (size * 0.5, size * 0.07), dark.with_alpha(0.3));
}

/// A body turned on a wheel: half widths from the foot up, shaded from light to dark.
fn turned(scene: &mut Scene, at: At, size: f32, profile: &[At], color: Color, side: f32) {
    let mut outline: Vec<At> =
        smooth(profile).into_iter().map(|(wide, y)| (at.0 + wide * size, at.1 - y * size)).collect();
    let mut left: Vec<At> = outline.iter().map(|(x, y)| (2.0 * at.0 - x, *y)).collect();
    left.reverse();
    outline.extend(left);
    let widest = profile.iter().map(|(wide, _)| *wide).fold(0.0, f32::max) * size;
    let (lit, dim) = ((at.0 - widest * side, at.1), (at.0 + widest * side, at.1));
    let shades =
        vec![color.lit(-0.02), color.lit(0.08), color, color.lit(-0.09), color.lit(-0.19), color.lit(-0.13)];
    scene.easel.shape(&outline, Fill::Line(lit, dim, shades));
}

/// Curves through the points of a profile (Catmull and Rom).
fn smooth(points: &[At]) -> Vec<At> {
    let last = points.len() - 1;
    let mut curve = Vec::new();
    for from in 0..last {
        let knots = [from.saturating_sub(1), from, from + 1, (from + 2).min(last)].map(|index| points[index]);
        for step in 0..8 {
            let way = step as f32 / 8.0;
            let wide = spline(knots.map(|knot| knot.0), way).max(0.0);
            curve.push((wide, spline(knots.map(|knot| knot.1), way)));
        }
    }
    curve.push(points[last]);
    curve
}

/// Between the second and the third of four numbers.
fn spline([before, from, to, after]: [f32; 4], way: f32) -> f32 {
    let linear = to - before;
    let square = 2.0 * before - 5.0 * from + 4.0 * to - after;
    let cube = 3.0 * from - before - 3.0 * to + after;
    0.5 * (2.0 * from + way * (linear + way * (square + way * cube)))
}

fn mouth(scene: &mut Scene, at: At, wide: f32, color: Color) {
    scene.easel.disc(at, (wide, wide * 0.2), color.lit(0.06));
    scene.easel.disc((at.0, at.1 + wide * 0.02), (wide * 0.84, wide * 0.14), color.lit(-0.28));
}

fn gloss(scene: &mut Scene, at: At, radii: (f32, f32), lean: f32) {
    scene.easel.turned_disc(at, radii, lean, Color::WHITE.with_alpha(0.28));
}

/// A vase, another at every throw.
pub(in crate::sandbox::scene) fn vase(scene: &mut Scene, at: At, size: f32, color: Color, side: f32) {
    let size = scene.u(size);
    let belly = scene.dice.between(0.26, 0.36);
    let neck = scene.dice.between(0.08, 0.15);
    let at_belly = scene.dice.between(0.32, 0.55);
    let lip = neck * scene.dice.between(1.1, 1.6);
    let profile = [
        (belly * 0.5, 0.0),
        (belly * 0.62, 0.03),
        (belly, at_belly),
        (belly * 0.75, at_belly + 0.2),
        (neck, 0.84),
        (neck, 0.92),
        (lip, 1.0),
    ];
    turned(scene, at, size, &profile, color, side);
    mouth(scene, (at.0, at.1 - size), lip * size, color);
    if scene.dice.chance(0.5) {
        band(scene, (at.0, at.1 - size * (at_belly - 0.02)), belly * size, color);
    }
    gloss(
        scene,
        (at.0 - belly * size * 0.5 * side, at.1 - size * (at_belly + 0.1)),
        (size * 0.025, size * 0.12),
        6.0 * side,
    );
}

fn band(scene: &mut Scene, at: At, half: f32, color: Color) {
    let glaze = scene.light.sky[2].with_alpha(0.75);
    for (shift, thick) in [(0.0, 0.05), (0.14, 0.02), (-0.14, 0.02)] {
        let points = arc((at.0, at.1 + shift * half), (half * 0.985, half * 0.1), 4.0, 176.0);
        scene.easel.line(
            &points,
            half * thick * 1.6,
            if shift == 0.0 { glaze } else { color.lit(-0.2).with_alpha(0.6) },
        );
    }
}

/// A cup on a saucer, steaming.
pub(in crate::sandbox::scene) fn cup(scene: &mut Scene, at: At, size: f32, color: Color, side: f32) {
    let size = scene.u(size);
    let plate = scene.light.sky[2].mix(color, 0.15);
    scene.easel.disc((at.0, at.1 + size * 0.01), (size * 0.82, size * 0.13), plate.lit(-0.14));
    scene.easel.disc((at.0, at.1 - size * 0.02), (size * 0.82, size * 0.12), plate);
    let handle = arc((at.0 + size * 0.46 * side, at.1 - size * 0.42), (size * 0.24, size * 0.22), 0.0, 360.0);
    scene.easel.line(&handle, size * 0.08, color.lit(-0.12));
    turned(scene, at, size, &[(0.24, 0.0), (0.3, 0.03), (0.42, 0.3), (0.47, 0.74)], color, side);
    let top = (at.0, at.1 - size * 0.74);
    scene.easel.disc(top, (size * 0.47, size * 0.1), color.lit(0.07));
    scene.easel.disc(
        (top.0, top.1 + size * 0.012),
        (size * 0.42, size * 0.075),
        Color::hex(0x5a_36_20).mix(scene.light.near, 0.2),
    );
    for wisp in [-0.16_f32, 0.04, 0.2] {
        let points: Vec<At> = (0..=16)
            .map(|step| {
                let t = step as f32 / 16.0;
                (
                    top.0 + size * (wisp + 0.06 * libm::sinf(t * 7.0 + wisp * 9.0)),
                    top.1 - size * (0.06 + 0.62 * t),
                )
            })
            .collect();
        for pair in points.windows(2).enumerate() {
            let fade = 0.5 * (1.0 - pair.0 as f32 / 16.0);
            scene.easel.line(pair.1, size * 0.045, Color::WHITE.with_alpha(fade));
        }
    }
    gloss(scene, (at.0 - size * 0.24 * side, at.1 - size * 0.44), (size * 0.03, size * 0.16), 5.0 * side);
}

/// A bottle with a label.
pub(in crate::sandbox::scene) fn bottle(scene: &mut Scene, at: At, size: f32, color: Color, side: f32) {
    let size = scene.u(size);
    let half = scene.dice.between(0.13, 0.19);
    let shoulder = scene.dice.between(0.55, 0.7);
    let profile = [
        (half * 0.96, 0.0),
        (half, 0.02),
        (half, 0.3),
        (half, shoulder),
        (half * 0.5, shoulder + 0.12),
        (half * 0.36, shoulder + 0.2),
        (half * 0.36, 0.96),
    ];
    turned(scene, at, size, &profile, color.lit(-0.06), side);
    let (low, high) = (at.1 - size * 0.14, at.1 - size * (shoulder - 0.1));
    let label = scene.light.sky[2].lit(0.03);
    let fill = Fill::Line(
        (at.0 - half * size * side, 0.0),
        (at.0 + half * size * side, 0.0),
        vec![label, label, label.lit(-0.14)],
    );
    scene.easel.block((at.0 - half * size * 0.985, high), (at.0 + half * size * 0.985, low), fill);
    let ink = scene.light.near;
    let middle = f32::midpoint(low, high);
    scene.easel.disc((at.0, middle - size * 0.06), (size * 0.045, size * 0.045), color);
    for (row, wide) in [(0.02, 0.6), (0.06, 0.42), (0.1, 0.5)] {
        let long = half * size * wide * 1.6;
        scene.easel.bar((at.0 - long / 2.0, middle + size * row), long, size * 0.012, ink.with_alpha(0.7));
    }
    scene.easel.block(
        (at.0 - half * size * 0.42, at.1 - size * 1.02),
        (at.0 + half * size * 0.42, at.1 - size * 0.88),
        ink,
    );
    gloss(scene, (at.0 - half * size * 0.6 * side, at.1 - size * 0.34), (size * 0.014, size * 0.24), 0.0);
}

/// A teapot.
pub(in crate::sandbox::scene) fn teapot(scene: &mut Scene, at: At, size: f32, color: Color, side: f32) {
    let size = scene.u(size);
    let flip =
        |corners: &[At]| placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>());
    let handle: Vec<At> =
        arc((at.0 + size * 0.6 * side, at.1 - size * 0.42), (size * 0.3, size * 0.26), 0.0, 360.0);
    scene.easel.line(&handle, size * 0.085, color.lit(-0.14));
    scene.easel.blob(
        &flip(&[
            (-0.38, -0.18),
            (-0.66, -0.34),
            (-0.8, -0.66),
            (-0.98, -0.7),
            (-0.9, -0.78),
            (-0.72, -0.74),
            (-0.55, -0.5),
            (-0.36, -0.5),
        ]),
        color.lit(0.02),
    );
    turned(
        scene,
        at,
        size,
        &[(0.34, 0.0), (0.42, 0.03), (0.62, 0.3), (0.52, 0.58), (0.28, 0.72)],
        color,
        side,
    );
    scene
        .easel
        .shape(&arc((at.0, at.1 - size * 0.7), (size * 0.3, size * 0.14), 180.0, 360.0), color.lit(0.05));
    scene.easel.disc((at.0, at.1 - size * 0.87), (size * 0.07, size * 0.07), color.lit(-0.05));
    gloss(scene, (at.0 - size * 0.3 * side, at.1 - size * 0.42), (size * 0.04, size * 0.15), 14.0 * side);
}

/// A few fruits, one leaning on the other.
pub(in crate::sandbox::scene) fn fruit(scene: &mut Scene, at: At, size: f32, color: Color) {
    let size = scene.u(size);
    let count = 2 + scene.dice.below(2);
    for index in 0..count {
        let turn = scene.dice.between(-35.0, 35.0);
        let skin = if index == 0 { color } else { color.turned(turn) };
        let x = at.0 + size * 1.75 * (index as f32 - (count as f32 - 1.0) / 2.0);
        let radius = size * scene.dice.between(0.88, 1.08);
        let center = (x, at.1 - radius * 0.9 + size * 0.12 * (index % 2) as f32);
        let lit = (center.0 - radius * 0.4, center.1 - radius * 0.5);
        scene.easel.disc(
            center,
            (radius, radius * 0.95),
            Fill::Glow(lit, radius * 1.9, vec![skin.lit(0.12), skin, skin.lit(-0.2)]),
        );
        scene.easel.line(
            &[(center.0, center.1 - radius * 0.82), (center.0 + radius * 0.12, center.1 - radius * 1.25)],
            radius * 0.09,
            scene.light.near,
        );
        scene.easel.turned_disc(
            (center.0 + radius * 0.4, center.1 - radius * 1.12),
            (radius * 0.3, radius * 0.12),
            -24.0,
            scene.light.near.mix(Color::hex(0x5a_8a_4a), 0.6),
        );
    }
}

/// A candle, lit.
pub(in crate::sandbox::scene) fn candle(scene: &mut Scene, at: At, size: f32, color: Color) {
    let size = scene.u(size);
    let flame = (at.0, at.1 - size * 0.92);
    let glow = vec![
        Color::hex(0xff_d8_80).with_alpha(0.6),
        Color::hex(0xff_b0_50).with_alpha(0.12),
        Color::hex(0xff_b0_50).with_alpha(0.0),
    ];
    scene.easel.disc(flame, (size * 1.5, size * 1.5), Fill::Glow(flame, size * 1.5, glow));
    scene.easel.disc((at.0, at.1), (size * 0.36, size * 0.08), color.lit(-0.1));
    let wax = scene.light.sky[2].lit(0.03);
    scene.easel.block(
        (at.0 - size * 0.15, at.1 - size * 0.72),
        (at.0 + size * 0.15, at.1),
        Fill::Line((at.0 - size * 0.15, 0.0), (at.0 + size * 0.15, 0.0), vec![wax, wax.lit(-0.14)]),
    );
    scene.easel.disc((at.0, at.1 - size * 0.72), (size * 0.15, size * 0.04), wax.lit(0.03));
    scene.easel.line(
        &[(at.0, at.1 - size * 0.72), (at.0, at.1 - size * 0.82)],
        size * 0.02,
        scene.light.near,
    );
    scene.easel.blob(
        &placed(at, size, &[(0.0, -1.2), (0.09, -0.9), (0.0, -0.76), (-0.09, -0.9)]),
        Color::hex(0xff_c8_50),
    );
    scene.easel.blob(
        &placed(at, size, &[(0.0, -1.02), (0.045, -0.88), (0.0, -0.78), (-0.045, -0.88)]),
        Color::hex(0xff_f4_d0),
    );
}
