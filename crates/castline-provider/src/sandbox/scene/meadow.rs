//! Rolling hills with fields, trees, a house, flowers at one's feet.

use super::{Scene, height_at, sky, thing};
use crate::sandbox::easel::{At, Fill};
use crate::sandbox::theme::{Hour, Thing};
use crate::std_tools::color::Color;

/// Draws a meadow.
pub(super) fn draw(scene: &mut Scene) {
    let horizon = scene.h() * scene.dice.between(0.5, 0.62);
    sky::draw(scene, horizon);
    let hills = 5;
    let mut standing = true;
    for index in 0..hills {
        let way = index as f32 / (hills - 1) as f32;
        let line = hill(scene, horizon, way);
        if index == 1 && scene.asks_for(Thing::Windmill) {
            let x = scene.w() * scene.dice.between(0.2, 0.8);
            thing::windmill(scene, (x, height_at(&line, x) + scene.u(1.0)), 20.0);
        }
        if index == 2 && standing && (scene.asks_for(Thing::House) || scene.theme.things.is_empty()) {
            standing = false;
            let x = scene.w() * scene.dice.between(0.25, 0.75);
            thing::house(scene, (x, height_at(&line, x) + scene.u(1.2)), 9.0);
        }
        if index < hills - 1 {
            trees(scene, &line, way);
        }
    }
    big_tree(scene);
    flowers(scene);
    animals(scene);
    sky::weather(scene);
}

fn hill(scene: &mut Scene, horizon: f32, way: f32) -> Vec<At> {
    let bottom = scene.h();
    let base = horizon + (bottom - horizon) * (0.04 + 0.78 * way);
    let line = scene.skyline(base, 5.5 + 2.0 * way, 65.0, 2);
    let near = scene.light.land(0.08 + 0.72 * way).lit(scene.dice.between(-0.02, 0.03));
    let color = if scene.dice.chance(0.35) { near.mix(scene.light.accent, 0.22) } else { near };
    let pale = color.mix(scene.light.sky[2], 0.28);
    let deep = scene.u(24.0);
    scene.easel.below(
        &line,
        bottom,
        Fill::Line((0.0, base - deep * 0.4), (0.0, base + deep), vec![pale, color]),
    );
    if scene.dice.chance(0.45) {
        furrows(scene, &line, base, color.lit(-0.05));
    }
    line
}

/// Rows of a field that run together in the distance.
fn furrows(scene: &mut Scene, line: &[At], base: f32, color: Color) {
    let middle = scene.w() * scene.dice.between(0.2, 0.8);
    let wide = scene.w() * scene.dice.between(0.12, 0.25);
    for row in -7_i16..=7 {
        let part = f32::from(row) / 7.0;
        let top = middle + part * wide;
        let points: Vec<_> = (0..=10)
            .map(|step| {
                let t = step as f32 / 10.0;
                let x = top + part * wide * 1.6 * t * t;
                (x, height_at(line, top) + scene.u(1.0) + (base + scene.u(26.0) - height_at(line, top)) * t)
            })
            .collect();
        let thickness = scene.u(0.45);
        scene.easel.line(&points, thickness, color.with_alpha(0.4));
    }
}

fn trees(scene: &mut Scene, line: &[At], way: f32) {
    let size = 3.0 + 7.0 * way;
    let green = scene.light.land(0.35 + 0.55 * way);
    for _ in 0..scene.dice.below(4) {
        let mut x = scene.dice.unit() * scene.w();
        for _ in 0..2 + scene.dice.below(5) {
            let tall = scene.u(size) * scene.dice.between(0.7, 1.3);
            let color = if matches!(scene.hour, Hour::Autumn | Hour::Spring) {
                green.mix(scene.light.accent, scene.dice.between(0.2, 0.7))
            } else {
                green.lit(scene.dice.between(-0.03, 0.03))
            };
            let foot = (x, height_at(line, x) + tall * 0.06);
            if scene.dice.chance(0.3) {
                thing::cypress(scene, foot, tall * 1.3, color);
            } else {
                thing::crown(scene, foot, tall, color);
            }
            x += tall * scene.dice.between(0.4, 0.9);
        }
    }
}

fn big_tree(scene: &mut Scene) {
    if !scene.asks_for(Thing::Tree) {
        return;
    }
    let color = match scene.hour {
        Hour::Autumn | Hour::Spring => scene.light.accent,
        _ => scene.light.land(0.8).mix(scene.light.accent, 0.12),
    };
    let at = (scene.w() * scene.dice.between(0.3, 0.7), scene.h() * 0.88);
    let tall = scene.u(48.0);
    thing::crown(scene, at, tall, color);
}

fn flowers(scene: &mut Scene) {
    let many = scene.asks_for(Thing::Flowers);
    let count = if many { 160 } else { 50 };
    let stem = scene.light.land(1.0);
    for index in 0..count {
        let way = index as f32 / count as f32;
        let y = scene.h() * (0.86 + 0.13 * way);
        let at = (scene.dice.unit() * scene.w(), y);
        let tall = scene.u(2.0 + 5.0 * way) * scene.dice.between(0.7, 1.3);
        let thickness = scene.u(0.25);
        scene.easel.line(&[(at.0, at.1 + tall), at], thickness, stem.with_alpha(0.7));
        let color = match scene.dice.below(4) {
            0 => scene.light.sun,
            1 => scene.light.accent.turned(28.0),
            _ => scene.light.accent,
        };
        let radius = scene.u(0.5 + 0.9 * way) * scene.dice.between(0.7, 1.2);
        scene.easel.disc(at, (radius, radius * 0.8), color.with_alpha(if many { 1.0 } else { 0.85 }));
        scene.easel.disc(at, (radius * 0.35, radius * 0.3), scene.light.near.with_alpha(0.5));
    }
}

fn animals(scene: &mut Scene) {
    let at = (scene.w() * scene.dice.between(0.4, 0.6), scene.h() * 0.95);
    if scene.asks_for(Thing::Cat) {
        thing::cat(scene, at, 24.0);
    } else if scene.asks_for(Thing::Fox) {
        thing::fox(scene, at, 24.0);
    }
    if scene.asks_for(Thing::Umbrella) {
        thing::umbrella(scene, at, 18.0);
    }
}
