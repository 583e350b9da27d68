//! What people put up.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill, arc};
use crate::sandbox::theme::Hour;

/// A house with a gable, a chimney and lit windows.
pub(in crate::sandbox::scene) fn house(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let wall = scene.light.sky[2].mix(scene.light.far, 0.12).lit(if scene.light.dark { -0.12 } else { 0.0 });
    let roof = scene.light.accent;
    let mirror = |corners: &[At]| -> Vec<At> {
        placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>())
    };
    scene.easel.shape(&mirror(&[(0.45, -1.15), (0.62, -1.15), (0.62, -0.7), (0.45, -0.7)]), roof.lit(-0.14));
    scene
        .easel
        .shape(&mirror(&[(-0.25, 0.06), (0.95, 0.06), (0.95, -0.55), (-0.25, -0.55)]), wall.lit(-0.09));
    scene
        .easel
        .shape(&mirror(&[(-0.9, 0.06), (-0.25, 0.06), (-0.25, -0.55), (-0.575, -1.0), (-0.9, -0.55)]), wall);
    scene.easel.shape(&mirror(&[(-0.64, -1.04), (0.74, -1.04), (1.06, -0.5), (-0.2, -0.5)]), roof);
    scene.easel.shape(
        &mirror(&[
            (-0.575, -1.1),
            (-0.98, -0.52),
            (-0.9, -0.48),
            (-0.575, -0.93),
            (-0.2, -0.5),
            (-0.28, -0.6),
        ]),
        roof.lit(-0.08),
    );
    let lit = matches!(scene.hour, Hour::Night | Hour::Sunset | Hour::Gray | Hour::Winter);
    let pane = if lit {
        scene.light.sun.mix(scene.light.accent.turned(30.0), 0.3)
    } else {
        scene.light.near.mix(scene.light.sky[0], 0.4)
    };
    for x in [0.02, 0.34, 0.66] {
        scene.easel.shape(&mirror(&[(x, -0.36), (x + 0.17, -0.36), (x + 0.17, -0.14), (x, -0.14)]), pane);
    }
    scene
        .easel
        .shape(&mirror(&[(-0.68, 0.06), (-0.47, 0.06), (-0.47, -0.34), (-0.68, -0.34)]), scene.light.near);
    scene.easel.disc((at.0 - 0.575 * size * side, at.1 - 0.6 * size), (size * 0.09, size * 0.09), pane);
}

/// A striped tower with a lamp, on a rock.
pub(in crate::sandbox::scene) fn lighthouse(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let rock = scene.light.land(0.7);
    scene.easel.blob(
        &placed(
            at,
            size,
            &[
                (-0.75, 0.12),
                (-0.5, -0.08),
                (-0.1, -0.16),
                (0.3, -0.12),
                (0.8, 0.1),
                (0.4, 0.16),
                (-0.5, 0.17),
            ],
        ),
        rock,
    );
    let top = (at.0, at.1 - size * 1.12);
    if scene.light.dark || matches!(scene.hour, Hour::Sunset | Hour::Sunrise | Hour::Gray) {
        let side = if at.0 > scene.w() / 2.0 { -1.0 } else { 1.0 };
        let beam = vec![scene.light.sun.with_alpha(0.5), scene.light.sun.with_alpha(0.0)];
        let far = top.0 + side * size * 2.6;
        scene.easel.shape(
            &[top, (far, top.1 - size * 0.5), (far, top.1 + size * 0.3)],
            Fill::Line(top, (far, top.1), beam),
        );
        let glow = vec![scene.light.sun.with_alpha(0.7), scene.light.sun.with_alpha(0.0)];
        scene.easel.disc(top, (size * 0.35, size * 0.35), Fill::Glow(top, size * 0.35, glow));
    }
    let white = scene.light.sky[2].lit(0.04);
    let rows = 5;
    for row in 0..rows {
        let (low, high) = (-0.1 - 0.18 * row as f32, -0.1 - 0.18 * (row + 1) as f32);
        let half = |y: f32| 0.17 + 0.07 * y;
        let color = if row % 2 == 0 { scene.light.accent } else { white };
        let fill =
            Fill::Line((at.0 - size * 0.2, 0.0), (at.0 + size * 0.2, 0.0), vec![color, color.lit(-0.12)]);
        scene.easel.shape(
            &placed(
                at,
                size,
                &[(-half(low), low), (half(low), low), (half(high), high), (-half(high), high)],
            ),
            fill,
        );
    }
    let iron = scene.light.near;
    scene.easel.shape(&placed(at, size, &[(-0.16, -1.0), (0.16, -1.0), (0.16, -1.04), (-0.16, -1.04)]), iron);
    scene.easel.shape(
        &placed(at, size, &[(-0.08, -1.04), (0.08, -1.04), (0.08, -1.2), (-0.08, -1.2)]),
        scene.light.sun,
    );
    scene.easel.shape(
        &placed(at, size, &[(-0.12, -1.2), (0.12, -1.2), (0.0, -1.32)]),
        scene.light.accent.lit(-0.08),
    );
}

/// A mill with four sails.
pub(in crate::sandbox::scene) fn windmill(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let wall = scene.light.sky[2].mix(scene.light.far, 0.2);
    let fill = Fill::Line((at.0 - size * 0.3, 0.0), (at.0 + size * 0.3, 0.0), vec![wall, wall.lit(-0.16)]);
    scene.easel.shape(&placed(at, size, &[(-0.28, 0.05), (0.28, 0.05), (0.17, -0.85), (-0.17, -0.85)]), fill);
    let hub = (at.0, at.1 - size * 0.92);
    scene
        .easel
        .shape(&arc((at.0, at.1 - size * 0.85), (size * 0.2, size * 0.22), 180.0, 360.0), scene.light.accent);
    let start = scene.dice.between(0.0, 90.0);
    for sail in 0..4 {
        let (sin, cos) = libm::sincosf((start + 90.0 * sail as f32).to_radians());
        let along = |long: f32, wide: f32| {
            (hub.0 + size * (cos * long - sin * wide), hub.1 + size * (sin * long + cos * wide))
        };
        scene.easel.shape(
            &[along(0.14, 0.0), along(0.82, 0.0), along(0.82, 0.17), along(0.14, 0.15)],
            scene.light.sun.mix(scene.light.far, 0.25).with_alpha(0.9),
        );
        scene.easel.line(&[hub, along(0.85, 0.0)], size * 0.03, scene.light.near);
    }
    scene.easel.shape(
        &placed(at, size, &[(-0.07, 0.05), (0.07, 0.05), (0.07, -0.2), (-0.07, -0.2)]),
        scene.light.near,
    );
}

/// A pyramid with a lit and a shaded side.
pub(in crate::sandbox::scene) fn pyramid(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let stone = scene.light.far.mix(scene.light.sky[2], 0.35).mix(scene.light.accent, 0.12);
    scene.easel.shape(&placed(at, size, &[(-1.0, 0.0), (0.0, -1.05), (0.32, 0.0)]), stone);
    scene.easel.shape(
        &placed(at, size, &[(0.32, 0.0), (0.0, -1.05), (1.0, 0.0)]),
        stone.mix(scene.light.near, 0.45),
    );
}

/// An open umbrella over somebody in a coat.
pub(in crate::sandbox::scene) fn umbrella(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let coat = scene.light.near.lit(0.03);
    for x in [-0.1_f32, 0.1] {
        scene.easel.line(&placed(at, size, &[(x, -0.3), (x * 1.3, 0.0)]), size * 0.09, coat.lit(-0.04));
    }
    scene
        .easel
        .shape(&placed(at, size, &[(-0.13, -0.98), (0.13, -0.98), (0.27, -0.22), (-0.27, -0.22)]), coat);
    scene.easel.disc((at.0, at.1 - size * 1.08), (size * 0.1, size * 0.12), coat.lit(0.06));
    let top = (at.0, at.1 - size * 1.18);
    scene.easel.line(
        &[(top.0 + size * 0.12, at.1 - size * 0.62), (top.0 + size * 0.05, top.1 - size * 0.4)],
        size * 0.03,
        coat.lit(-0.05),
    );
    let cloth = scene.light.accent;
    let mut roof = arc(top, (size * 0.72, size * 0.52), 180.0, 360.0);
    for scallop in (0..4).rev() {
        let x = top.0 + size * (-0.54 + 0.36 * scallop as f32);
        roof.extend(arc((x, top.1), (size * 0.18, size * 0.07), 0.0, -180.0));
    }
    scene.easel.shape(
        &roof,
        Fill::Line(
            (top.0 - size * 0.7, 0.0),
            (top.0 + size * 0.7, 0.0),
            vec![cloth.lit(0.05), cloth.lit(-0.1)],
        ),
    );
    scene.easel.line(&arc(top, (size * 0.2, size * 0.52), 180.0, 360.0), size * 0.014, cloth.lit(-0.16));
}
