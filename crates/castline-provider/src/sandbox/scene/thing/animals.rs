//! What lives.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill, arc};
use crate::std_tools::color::Color;

/// A cat, sitting, seen from behind.
pub(in crate::sandbox::scene) fn cat(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let coat = scene.theme.accent.unwrap_or_else(|| {
        *scene.dice.pick(&[
            Color::hex(0x2b_26_2c),
            Color::hex(0xd9_84_3b),
            Color::hex(0x8a_84_80),
            Color::hex(0xf2_e9_dc),
        ])
    });
    let coat = coat.mix(scene.light.near, 0.15);
    let flip =
        |corners: &[At]| placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>());
    let tail = flip(&[(0.2, -0.06), (0.5, -0.03), (0.66, -0.12), (0.68, -0.28), (0.6, -0.36)]);
    scene.easel.line(&tail, size * 0.09, coat.lit(-0.05));
    let body = flip(&[
        (-0.36, 0.0),
        (-0.36, -0.3),
        (-0.22, -0.62),
        (0.0, -0.72),
        (0.22, -0.62),
        (0.36, -0.3),
        (0.36, 0.0),
        (0.0, 0.03),
    ]);
    scene.easel.blob(
        &body,
        Fill::Line((at.0 - size * 0.3, 0.0), (at.0 + size * 0.4, 0.0), vec![coat.lit(0.05), coat.lit(-0.07)]),
    );
    for ear in [-1.0_f32, 1.0] {
        scene.easel.shape(
            &placed(at, size, &[(ear * 0.05, -0.92), (ear * 0.2, -1.14), (ear * 0.23, -0.82)]),
            coat.lit(-0.02),
        );
    }
    scene.easel.disc((at.0, at.1 - size * 0.8), (size * 0.24, size * 0.2), coat);
    for stripe in 0..3 {
        let y = -0.36 + 0.1 * stripe as f32;
        scene.easel.line(
            &placed(at, size, &[(-0.07, y), (0.0, y + 0.02), (0.07, y)]),
            size * 0.025,
            coat.lit(-0.13),
        );
    }
}

/// A fox, sitting, seen from the side.
pub(in crate::sandbox::scene) fn fox(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let coat = scene.theme.accent.unwrap_or(Color::hex(0xd9_6a_2b)).mix(scene.light.near, 0.12);
    let white = scene.light.sun.mix(coat, 0.15);
    let flip =
        |corners: &[At]| placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>());
    scene.easel.blob(
        &flip(&[
            (0.25, 0.0),
            (0.62, -0.02),
            (0.92, -0.22),
            (0.98, -0.5),
            (0.78, -0.34),
            (0.52, -0.2),
            (0.28, -0.18),
        ]),
        coat.lit(-0.05),
    );
    scene.easel.blob(&flip(&[(0.86, -0.22), (0.99, -0.36), (1.02, -0.58), (0.86, -0.42)]), white);
    scene.easel.blob(
        &flip(&[
            (-0.22, 0.02),
            (-0.2, -0.4),
            (-0.14, -0.72),
            (0.08, -0.7),
            (0.34, -0.36),
            (0.42, -0.04),
            (0.2, 0.02),
        ]),
        coat,
    );
    scene
        .easel
        .blob(&flip(&[(-0.2, -0.05), (-0.22, -0.4), (-0.16, -0.62), (-0.04, -0.4), (-0.1, -0.1)]), white);
    scene.easel.shape(&flip(&[(-0.16, -0.94), (-0.1, -1.18), (0.0, -0.94)]), coat.lit(-0.08));
    scene.easel.shape(&flip(&[(0.02, -0.92), (0.12, -1.16), (0.18, -0.86)]), coat.lit(-0.04));
    scene.easel.blob(
        &flip(&[
            (-0.48, -0.68),
            (-0.28, -0.86),
            (-0.06, -0.98),
            (0.16, -0.92),
            (0.18, -0.7),
            (0.0, -0.6),
            (-0.22, -0.62),
        ]),
        coat.lit(0.02),
    );
    scene
        .easel
        .blob(&flip(&[(-0.46, -0.67), (-0.26, -0.74), (-0.06, -0.72), (0.02, -0.6), (-0.22, -0.6)]), white);
    scene.easel.disc(
        (at.0 - 0.43 * size * side, at.1 - 0.69 * size),
        (size * 0.035, size * 0.03),
        scene.light.near.lit(-0.1),
    );
    scene.easel.disc(
        (at.0 - 0.14 * size * side, at.1 - 0.82 * size),
        (size * 0.026, size * 0.032),
        scene.light.near.lit(-0.1),
    );
}

/// A whale at the surface, blowing.
pub(in crate::sandbox::scene) fn whale(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let skin = scene.theme.accent.unwrap_or(scene.light.deep.lit(-0.08)).mix(scene.light.near, 0.3);
    let flip =
        |corners: &[At]| placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>());
    let mut back = arc((at.0, at.1), (size * 0.95, size * 0.42), 180.0, 360.0);
    back.push((at.0 + size, at.1 + size * 0.04));
    back.push((at.0 - size, at.1 + size * 0.04));
    scene.easel.shape(&back, Fill::Line((0.0, at.1 - size * 0.42), (0.0, at.1), vec![skin.lit(0.06), skin]));
    scene.easel.blob(
        &flip(&[
            (0.92, 0.02),
            (1.1, -0.28),
            (1.06, -0.6),
            (1.3, -0.66),
            (1.2, -0.5),
            (1.42, -0.42),
            (1.24, -0.34),
            (1.14, 0.02),
        ]),
        skin,
    );
    scene.easel.disc(
        (at.0 - 0.62 * size * side, at.1 - 0.12 * size),
        (size * 0.03, size * 0.03),
        scene.light.sky[2],
    );
    for drop in [-0.22_f32, -0.1, 0.06, 0.2] {
        let points: Vec<At> = (0..=8)
            .map(|step| {
                let t = step as f32 / 8.0;
                (
                    at.0 - size * side * (0.4 - drop * t),
                    at.1 - size * (0.4 + 0.55 * t - 0.3 * t * t * drop.abs() * 6.0),
                )
            })
            .collect();
        scene.easel.line(&points, size * 0.035, scene.light.sky[2].lit(0.05).with_alpha(0.8));
    }
    let pale = scene.light.shallow.lit(0.06);
    for ring in 0..3 {
        let reach = size * (1.1 + 0.25 * ring as f32);
        let y = at.1 + size * (0.03 + 0.05 * ring as f32);
        scene.easel.line(
            &arc((at.0, y), (reach, reach * 0.07), 10.0, 170.0),
            size * 0.02,
            pale.with_alpha(0.6 - 0.15 * ring as f32),
        );
    }
}
