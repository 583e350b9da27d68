//! What grows.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill};
use crate::std_tools::color::Color;

/// A fir or spruce: tiers with drooping edges.
pub(in crate::sandbox::scene) fn conifer(scene: &mut Scene, foot: At, tall: f32, color: Color) {
    let wide = tall * scene.dice.between(0.17, 0.25);
    let tiers = 6;
    let mut right = vec![(foot.0, foot.1 - tall)];
    let mut left = right.clone();
    for tier in 1..=tiers {
        let way = tier as f32 / tiers as f32;
        let y = foot.1 - tall * (1.0 - way * 0.93);
        let reach = wide * way;
        right.push((foot.0 + reach * scene.dice.between(0.85, 1.12), y));
        left.push((foot.0 - reach * scene.dice.between(0.85, 1.12), y));
        if tier < tiers {
            let inner = (reach * 0.5, y - tall * 0.02);
            right.push((foot.0 + inner.0, inner.1));
            left.push((foot.0 - inner.0, inner.1));
        }
    }
    left.reverse();
    right.extend(left);
    scene.easel.block((foot.0 - wide * 0.09, foot.1 - tall * 0.1), (foot.0 + wide * 0.09, foot.1), color);
    scene.easel.shape(&right, color);
}

/// A leafy tree: a trunk and a crown of rounded lumps, lit from above.
pub(in crate::sandbox::scene) fn crown(scene: &mut Scene, foot: At, tall: f32, color: Color) {
    let bark = scene.light.near.mix(color, 0.15);
    let trunk = tall * 0.055;
    scene.easel.shape(
        &[
            (foot.0 - trunk, foot.1),
            (foot.0 - trunk * 0.45, foot.1 - tall * 0.6),
            (foot.0 + trunk * 0.45, foot.1 - tall * 0.6),
            (foot.0 + trunk, foot.1),
        ],
        bark,
    );
    let lumps = if tall > scene.u(25.0) { 16 } else { 5 + scene.dice.below(4) };
    let places: Vec<_> = (0..lumps)
        .map(|_| {
            let (x, y) = (scene.dice.between(-0.24, 0.24), scene.dice.between(0.5, 0.84));
            (foot.0 + x * tall, foot.1 - y * tall, tall * scene.dice.between(0.13, 0.2))
        })
        .collect();
    for (shift, shade) in [(0.035, -0.06), (0.0, 0.0), (-0.04, 0.05)] {
        for &(x, y, radius) in &places {
            let size = radius * (1.0 - f32::abs(shade) * 2.2);
            scene.easel.disc((x + shift * tall, y + shift * tall), (size, size * 0.92), color.lit(shade));
        }
    }
}

/// A slim dark tree.
pub(in crate::sandbox::scene) fn cypress(scene: &mut Scene, foot: At, tall: f32, color: Color) {
    let shape = [(0.0, -1.12), (0.12, -0.6), (0.14, -0.12), (0.0, 0.02), (-0.14, -0.12), (-0.12, -0.6)];
    let fill = Fill::Line(
        (foot.0 - tall * 0.12, 0.0),
        (foot.0 + tall * 0.12, 0.0),
        vec![color.lit(0.05), color.lit(-0.05)],
    );
    scene.easel.blob(&placed(foot, tall, &shape), fill);
}

/// A cactus with two arms.
pub(in crate::sandbox::scene) fn cactus(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let color = scene.light.land(0.85).mix(Color::hex(0x2f_6b_4a), 0.3);
    let thick = size * 0.17;
    scene.easel.line(&placed(at, size, &[(0.0, 0.0), (0.0, -1.0)]), thick, color);
    scene.easel.line(
        &placed(at, size, &[(0.0, -0.42), (-0.3, -0.42), (-0.34, -0.48), (-0.34, -0.78)]),
        thick * 0.72,
        color,
    );
    scene.easel.line(
        &placed(at, size, &[(0.0, -0.3), (0.27, -0.3), (0.31, -0.36), (0.31, -0.6)]),
        thick * 0.72,
        color,
    );
    scene.easel.line(&placed(at, size, &[(-0.03, -0.06), (-0.03, -0.98)]), thick * 0.12, color.lit(0.1));
    scene.easel.line(&placed(at, size, &[(0.03, -0.06), (0.03, -0.98)]), thick * 0.12, color.lit(-0.06));
}

/// Twigs that rise from a vase, with leaves or with flowers.
pub(in crate::sandbox::scene) fn branches(scene: &mut Scene, at: At, size: f32, flowers: bool) {
    let size = scene.u(size);
    let green = scene.light.near.mix(Color::hex(0x4a_7a_50), 0.45);
    let stems = if flowers { 7 } else { 4 };
    for stem in 0..stems {
        let lean = (stem as f32 / (stems - 1) as f32 - 0.5) * 1.5 + scene.dice.between(-0.12, 0.12);
        let tall = size * scene.dice.between(0.75, 1.1);
        let points: Vec<At> = (0..=12)
            .map(|step| {
                let t = step as f32 / 12.0;
                (
                    at.0 + lean * tall * t * t * 0.75,
                    at.1 - tall * t * (1.0 - 0.12 * lean.abs() * t) + size * 0.05,
                )
            })
            .collect();
        scene.easel.line(&points, size * 0.018, green);
        for (index, point) in points.iter().enumerate().skip(4) {
            if index % 2 == 0 || !flowers {
                let side = if index % 2 == 0 { 1.0 } else { -1.0 };
                let leaf = (size * 0.075, size * 0.028);
                let center = (point.0 + side * leaf.0 * 0.8, point.1 - leaf.1);
                scene.easel.turned_disc(
                    center,
                    leaf,
                    -38.0 * side,
                    green.lit(scene.dice.between(-0.04, 0.08)),
                );
            }
        }
        if flowers {
            flower(scene, points[12], size * scene.dice.clone().between(0.09, 0.15));
        }
    }
}

fn flower(scene: &mut Scene, at: At, radius: f32) {
    let turn = scene.dice.between(-25.0, 25.0);
    let color = scene.light.accent.turned(turn).lit(scene.dice.between(-0.03, 0.06));
    for petal in 0..6 {
        let (sin, cos) = libm::sincosf((60.0 * petal as f32 + turn).to_radians());
        let center = (at.0 + cos * radius * 0.6, at.1 + sin * radius * 0.6);
        scene.easel.disc(center, (radius * 0.5, radius * 0.5), color.lit(0.02 * petal as f32 - 0.05));
    }
    scene.easel.disc(at, (radius * 0.34, radius * 0.34), scene.light.sun.mix(Color::hex(0xf0_b8_30), 0.6));
}
