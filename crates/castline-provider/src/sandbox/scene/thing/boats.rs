//! What floats.

use super::{Scene, placed};
use crate::sandbox::easel::{At, Fill, arc};
use crate::std_tools::color::Color;

/// A boat folded from paper, on the water.
pub(in crate::sandbox::scene) fn paper_boat(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let at = (at.0, at.1 - size * 0.12);
    let paper = match scene.theme.accent {
        Some(color) => color.lit(0.02),
        None => scene.light.sun.mix(scene.light.sky[2], if scene.light.dark { 0.3 } else { 0.06 }),
    };
    let dim = |by: f32| paper.lit(-by).mix(scene.light.sky[0], by * 0.9);
    let (fold, shade, dark) = (dim(0.06), dim(0.14), dim(0.24));
    reflection(scene, at, size, side, shade);
    let mirror = |corners: &[At]| -> Vec<At> {
        placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>())
    };
    scene.easel.shape(&mirror(&[(-1.0, -0.36), (0.0, -0.2), (1.0, -0.36), (0.0, -0.06)]), dark);
    scene.easel.shape(&mirror(&[(0.0, -0.92), (0.0, -0.1), (-0.48, -0.2)]), paper);
    scene.easel.shape(&mirror(&[(0.0, -0.92), (0.5, -0.2), (0.0, -0.1)]), shade);
    scene.easel.shape(&mirror(&[(-1.0, -0.36), (0.0, -0.12), (0.0, 0.24), (-0.58, 0.24)]), fold);
    scene.easel.shape(&mirror(&[(1.0, -0.36), (0.0, -0.12), (0.0, 0.24), (0.58, 0.24)]), shade.lit(-0.02));
    scene
        .easel
        .shape(&mirror(&[(-1.0, -0.36), (0.0, -0.12), (-0.58, 0.24), (-0.72, 0.06)]), paper.with_alpha(0.55));
    ripples(scene, (at.0, at.1 + size * 0.24), size);
}

fn reflection(scene: &mut Scene, at: At, size: f32, side: f32, color: Color) {
    let water = at.1 + size * 0.24;
    let corners: Vec<At> =
        [(-0.55, 0.0), (0.55, 0.0), (0.85, 0.3), (0.1, 0.34), (0.0, 0.72), (-0.1, 0.34), (-0.85, 0.3)]
            .iter()
            .map(|(x, y)| (at.0 + x * side * size, water + y * size))
            .collect();
    let fade = vec![color.with_alpha(0.5), color.with_alpha(0.05)];
    scene.easel.shape(&corners, Fill::Line((0.0, water), (0.0, water + size * 0.75), fade));
}

fn ripples(scene: &mut Scene, at: At, size: f32) {
    let pale = scene.light.shallow.lit(0.06);
    for ring in 0..4 {
        let reach = size * (0.75 + 0.3 * ring as f32);
        let y = at.1 + size * 0.05 * ring as f32;
        let thickness = size * 0.022;
        let alpha = 0.7 - 0.15 * ring as f32;
        scene.easel.line(
            &arc((at.0, y), (reach, reach * 0.1), 12.0, 168.0),
            thickness,
            pale.with_alpha(alpha),
        );
    }
}

/// A boat with two sails.
pub(in crate::sandbox::scene) fn sailboat(scene: &mut Scene, at: At, size: f32) {
    let size = scene.u(size);
    let side = scene.dice.side();
    let cloth = scene.light.sun.mix(scene.light.sky[2], 0.15);
    let hull = if scene.theme.accent.is_some() { scene.light.accent } else { scene.light.land(0.85) };
    reflection(scene, (at.0, at.1 - size * 0.1), size * 0.8, side, cloth.lit(-0.1));
    let mirror = |corners: &[At]| -> Vec<At> {
        placed(at, size, &corners.iter().map(|(x, y)| (x * side, *y)).collect::<Vec<_>>())
    };
    let mut main = vec![(0.04, -1.5), (0.04, -0.22)];
    main.extend([(0.78, -0.24), (0.66, -0.62), (0.36, -1.12)]);
    scene.easel.shape(&mirror(&main), cloth);
    scene
        .easel
        .shape(&mirror(&[(-0.04, -1.32), (-0.04, -0.22), (-0.6, -0.26), (-0.36, -0.7)]), cloth.lit(-0.09));
    scene.easel.line(&mirror(&[(0.0, -1.56), (0.0, 0.0)]), size * 0.035, hull.lit(-0.05));
    scene.easel.shape(&mirror(&[(-0.82, -0.16), (0.86, -0.2), (0.6, 0.14), (-0.55, 0.14)]), hull);
    scene.easel.line(
        &mirror(&[(-0.76, -0.08), (0.8, -0.12)]),
        size * 0.03,
        scene.light.sky[2].with_alpha(0.7),
    );
    ripples(scene, (at.0, at.1 + size * 0.12), size * 0.8);
}
