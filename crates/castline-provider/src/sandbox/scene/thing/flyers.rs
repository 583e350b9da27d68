//! What flies.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill, arc};

/// A balloon with a basket; `at` is the middle of the balloon.
pub(in crate::sandbox::scene) fn balloon(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let turn = scene.dice.between(-50.0, 50.0);
    let color = scene.light.accent.turned(if scene.theme.accent.is_some() { 0.0 } else { turn });
    let pale = scene.light.sun.mix(color, 0.08);
    let thin = (size * 0.03).max(0.7);
    for x in [-0.3_f32, 0.3] {
        scene.easel.line(
            &placed(at, size, &[(x * 1.4, 0.72), (x * 0.5, 1.32)]),
            thin,
            scene.light.near.with_alpha(0.7),
        );
    }
    let gores = 6;
    for gore in (0..gores).rev() {
        let half = (gore + 1) as f32 / gores as f32;
        let mut shape = arc(at, (size * half, size), 180.0, 360.0);
        shape.extend([
            (at.0 + size * half * 0.88, at.1 + size * 0.45),
            (at.0 + size * half * 0.3, at.1 + size * 1.05),
        ]);
        shape.extend([
            (at.0 - size * half * 0.3, at.1 + size * 1.05),
            (at.0 - size * half * 0.88, at.1 + size * 0.45),
        ]);
        scene.easel.shape(&shape, if gore % 2 == 0 { color } else { pale });
    }
    let shade = vec![scene.light.near.with_alpha(0.0), scene.light.near.with_alpha(0.32)];
    scene.easel.disc(at, (size, size), Fill::Line((at.0 - size * 0.2, at.1), (at.0 + size, at.1), shade));
    scene.easel.shape(
        &placed(at, size, &[(-0.17, 1.3), (0.17, 1.3), (0.13, 1.55), (-0.13, 1.55)]),
        scene.light.near.mix(scene.light.accent, 0.3),
    );
}

/// A rocket on its way; `at` is its middle.
pub(in crate::sandbox::scene) fn rocket(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let lean = scene.dice.between(18.0, 40.0) * scene.dice.side();
    let (sin, cos) = libm::sincosf(lean.to_radians());
    let turned = |corners: &[At]| -> Vec<At> {
        corners
            .iter()
            .map(|(x, y)| (at.0 + size * (x * cos - y * sin), at.1 + size * (x * sin + y * cos)))
            .collect()
    };
    let body = scene.light.sun;
    let accent = scene.light.accent;
    let (head, tail) = (turned(&[(0.0, 0.5)])[0], turned(&[(0.0, 1.7)])[0]);
    let flame =
        vec![accent.turned(35.0).lit(0.15).with_alpha(0.95), accent.with_alpha(0.6), accent.with_alpha(0.0)];
    scene.easel.blob(
        &turned(&[(-0.2, 0.48), (0.2, 0.48), (0.26, 0.9), (0.0, 1.75), (-0.26, 0.9)]),
        Fill::Line(head, tail, flame),
    );
    scene.easel.shape(&turned(&[(-0.2, 0.1), (-0.48, 0.62), (-0.16, 0.46)]), accent);
    scene.easel.shape(&turned(&[(0.2, 0.1), (0.48, 0.62), (0.16, 0.46)]), accent.lit(-0.1));
    let hull = turned(&[
        (-0.19, 0.5),
        (-0.3, -0.1),
        (-0.2, -0.55),
        (0.0, -1.05),
        (0.2, -0.55),
        (0.3, -0.1),
        (0.19, 0.5),
    ]);
    let (left, right) = (turned(&[(-0.25, 0.0)])[0], turned(&[(0.25, 0.0)])[0]);
    scene.easel.blob(&hull, Fill::Line(left, right, vec![body, body.lit(-0.05), body.lit(-0.22)]));
    let window = turned(&[(0.0, -0.26)])[0];
    scene.easel.disc(window, (size * 0.13, size * 0.13), accent);
    scene.easel.disc(window, (size * 0.085, size * 0.085), scene.light.sky[1].lit(0.12));
}
