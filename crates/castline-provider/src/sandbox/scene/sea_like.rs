//! Still water at the bottom of other scenes.

use super::Scene;
use crate::sandbox::easel::Fill;

/// A lake from `top` (a part of the height) down, with lines of light.
pub(super) fn lake(scene: &mut Scene, top: f32) {
    let (width, height) = (scene.w(), scene.h());
    let shore = height * top;
    let colors = vec![scene.light.sky[1].mix(scene.light.shallow, 0.5), scene.light.deep];
    scene.easel.block((0.0, shore), (width, height), Fill::Line((0.0, shore), (0.0, height), colors));
    for _ in 0..40 {
        let way = scene.dice.unit();
        let length = scene.u(4.0 + 20.0 * way) * scene.dice.between(0.4, 1.0);
        let at = (scene.dice.unit() * width - length / 2.0, shore + (height - shore) * way);
        let color = if scene.dice.chance(0.6) {
            scene.light.sky[2].with_alpha(0.35)
        } else {
            scene.light.near.with_alpha(0.25)
        };
        let thickness = scene.u(0.2 + 0.4 * way);
        scene.easel.bar(at, length, thickness, color);
    }
}
