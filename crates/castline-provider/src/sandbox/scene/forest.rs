//! Conifers in the mist, row behind row.

use super::{Scene, height_at, sky, thing};
use crate::sandbox::easel::{At, Fill};
use crate::sandbox::theme::{Hour, Thing};

/// Draws a forest.
pub(super) fn draw(scene: &mut Scene) {
    let horizon = scene.h() * scene.dice.between(0.6, 0.72);
    sky::draw(scene, horizon);
    let hill = scene.skyline(horizon - scene.u(8.0), 9.0, 50.0, 4);
    let bottom = scene.h();
    let pale = scene.light.land(0.05).mix(scene.light.sky[2], 0.45);
    scene.easel.below(&hill, bottom, pale);
    let rows = 4;
    for index in 0..rows {
        let way = index as f32 / (rows - 1) as f32;
        let base = horizon + (bottom - horizon) * (0.02 + 0.62 * way);
        let line = scene.skyline(base, 4.0 + 2.0 * way, 50.0, 3);
        let near = 0.22 + 0.62 * way;
        let color = scene.light.land(near);
        let mist = color.mix(scene.light.sky[2], 0.55 * (1.0 - way) + 0.1);
        row(scene, &line, 9.0 + 16.0 * way, near);
        scene.easel.below(
            &line,
            bottom,
            Fill::Line((0.0, base - scene.u(2.0)), (0.0, base + scene.u(22.0)), vec![color, mist]),
        );
    }
    if scene.asks_for(Thing::House) {
        let at = (scene.w() * 0.62, scene.h() * 0.86);
        thing::house(scene, at, 12.0);
    }
    animals(scene);
    trunks(scene);
    sky::weather(scene);
}

/// Trees along a line, about so high, as near as their color says.
pub(super) fn row(scene: &mut Scene, line: &[At], size: f32, near: f32) {
    let leafy = matches!(scene.hour, Hour::Autumn | Hour::Spring);
    let mut x = -scene.u(size * 0.3);
    while x < scene.w() + scene.u(size * 0.3) {
        let tall = scene.u(size) * scene.dice.between(0.6, 1.15);
        let foot = (x, height_at(line, x) + tall * 0.05);
        let color = scene.light.land((near + scene.dice.between(-0.06, 0.06)).clamp(0.0, 1.0));
        if leafy && scene.dice.chance(0.55) {
            let warm = color.mix(scene.light.accent, scene.dice.between(0.15, 0.6) * (1.2 - near));
            thing::crown(scene, foot, tall * 0.8, warm);
        } else {
            thing::conifer(scene, foot, tall, color);
        }
        x += scene.u(size) * scene.dice.between(0.18, 0.5);
    }
}

fn animals(scene: &mut Scene) {
    let at = (scene.w() * scene.dice.between(0.4, 0.6), scene.h() * 0.93);
    if scene.asks_for(Thing::Fox) {
        thing::fox(scene, at, 16.0);
    } else if scene.asks_for(Thing::Cat) {
        thing::cat(scene, at, 16.0);
    }
}

/// Dark trunks at the sides that frame the view.
fn trunks(scene: &mut Scene) {
    let color = scene.light.land(1.0).lit(-0.03);
    for side in [0.0_f32, 1.0] {
        for _ in 0..=scene.dice.below(2) {
            let inward = scene.dice.between(-0.02, 0.12);
            let x = scene.w() * (side - inward * (side * 2.0 - 1.0));
            let half = scene.u(1.6) * scene.dice.between(0.7, 1.6);
            let lean = scene.u(2.0) * scene.dice.between(-1.0, 1.0);
            let bottom = scene.h();
            scene.easel.shape(
                &[
                    (x - half * 0.7 + lean, 0.0),
                    (x + half * 0.7 + lean, 0.0),
                    (x + half * 1.3, bottom),
                    (x - half * 1.3, bottom),
                ],
                color,
            );
            for _ in 0..3 {
                let y = bottom * scene.dice.between(0.05, 0.45);
                let reach = scene.u(9.0) * scene.dice.between(0.5, 1.2) * (1.0 - 2.0 * side);
                let thickness = half * 0.35;
                scene.easel.line(
                    &[(x + lean * 0.6, y), (x + reach, y - reach.abs() * 0.35)],
                    thickness,
                    color,
                );
            }
        }
    }
}
