//! Water to the horizon: islands, the sun's way, waves, and what floats.

use super::sky::Sun;
use super::{Scene, sky, thing};
use crate::sandbox::easel::Fill;
use crate::sandbox::theme::{Thing, Weather};

/// Draws the sea.
pub(super) fn draw(scene: &mut Scene) {
    let horizon = scene.h() * scene.dice.between(0.46, 0.6);
    let sun = sky::draw(scene, horizon);
    islands(scene, horizon);
    water(scene, horizon);
    glitter(scene, horizon, sun);
    if scene.asks_for(Thing::Lighthouse) {
        let x = if sun.x > scene.w() / 2.0 { 0.2 } else { 0.8 };
        thing::lighthouse(scene, (scene.w() * x, horizon + scene.u(4.0)), 30.0);
    }
    swell(scene, horizon);
    floating(scene, horizon, sun);
    crests(scene, horizon);
    sky::weather(scene);
}

fn islands(scene: &mut Scene, horizon: f32) {
    for layer in 0..scene.dice.below(3) {
        let line = scene.skyline(horizon - scene.u(0.5), 6.0 - layer as f32 * 2.0, 55.0, 4);
        let line: Vec<_> = line.into_iter().map(|(x, y)| (x, y.min(horizon + 1.0))).collect();
        let color = scene.light.land(0.1 + 0.2 * layer as f32).mix(scene.light.sky[2], 0.35);
        scene.easel.below(&line, horizon + 1.0, color);
    }
}

fn water(scene: &mut Scene, horizon: f32) {
    let (width, height) = (scene.w(), scene.h());
    let (shallow, deep) = (scene.light.shallow, scene.light.deep);
    let colors = vec![shallow, shallow.mix(deep, 0.45), deep, deep.lit(-0.04)];
    scene.easel.block((0.0, horizon), (width, height), Fill::Line((0.0, horizon), (0.0, height), colors));
}

/// The sun's way over the water: bars that grow wider and fewer towards us.
fn glitter(scene: &mut Scene, horizon: f32, sun: Sun) {
    let depth = scene.h() - horizon;
    let strength = if matches!(scene.theme.weather, Some(Weather::Rain | Weather::Fog)) { 0.4 } else { 0.85 };
    let mut y = horizon + scene.u(0.4);
    while y < scene.h() - scene.u(4.0) {
        let way = (y - horizon) / depth;
        let spread = sun.radius * (0.7 + 2.2 * way);
        for _ in 0..2 {
            let length = spread * scene.dice.between(0.25, 1.1);
            let x = sun.x + spread * scene.dice.between(-0.55, 0.55) - length / 2.0;
            let thickness = scene.u(0.3 + 1.0 * way);
            let color = scene.light.sun.with_alpha(strength * (1.0 - way) * scene.dice.between(0.35, 1.0));
            scene.easel.bar((x, y), length, thickness, color);
        }
        y += scene.u(0.75 + 2.2 * way);
    }
}

/// Quiet lines all over the water.
fn swell(scene: &mut Scene, horizon: f32) {
    let depth = scene.h() - horizon;
    for _ in 0..70 {
        let way = scene.dice.unit() * scene.dice.unit().max(0.15);
        let y = horizon + depth * (0.03 + way * 0.95);
        let length = scene.u(3.0 + 22.0 * way) * scene.dice.between(0.4, 1.2);
        let x = scene.dice.unit() * scene.w() - length / 2.0;
        let color =
            if scene.dice.chance(0.5) { scene.light.shallow.lit(0.05) } else { scene.light.deep.lit(-0.05) };
        let thickness = scene.u(0.18 + 0.5 * way);
        scene.easel.bar((x, y), length, thickness, color.with_alpha(0.35));
    }
}

fn floating(scene: &mut Scene, horizon: f32, sun: Sun) {
    let depth = scene.h() - horizon;
    let things: Vec<_> = scene
        .theme
        .things
        .iter()
        .copied()
        .filter(|thing| matches!(thing, Thing::PaperBoat | Thing::Sailboat | Thing::Whale))
        .collect();
    let things = match things.as_slice() {
        [] if scene.asks_for(Thing::Lighthouse) => return,
        [] => vec![Thing::Sailboat],
        _ => things,
    };
    let asked = !scene.theme.things.is_empty();
    for (index, floating) in things.into_iter().enumerate() {
        let opposite = if sun.x > scene.w() / 2.0 { 0.36 } else { 0.64 };
        let x = scene.w() * (opposite + scene.dice.between(-0.09, 0.09) + index as f32 * 0.2) % scene.w();
        let way = if asked { scene.dice.between(0.3, 0.46) } else { scene.dice.between(0.05, 0.2) };
        let at = (x, horizon + depth * way);
        let size = if asked { scene.dice.between(15.0, 20.0) } else { scene.dice.between(4.0, 8.0) };
        match floating {
            Thing::Sailboat => thing::sailboat(scene, at, size),
            Thing::Whale => thing::whale(scene, at, size * 1.2),
            _ => thing::paper_boat(scene, at, size),
        }
    }
}

/// Waves at one's feet, each a darker band with a light edge.
fn crests(scene: &mut Scene, horizon: f32) {
    let depth = scene.h() - horizon;
    let rows = 3;
    for row in 0..rows {
        let way = 0.72 + 0.11 * row as f32;
        let line = scene.skyline(horizon + depth * way, 1.7 + 0.7 * row as f32, 26.0, 2);
        let color = scene.light.deep.lit(-0.025 * (row + 1) as f32);
        let bottom = scene.h();
        scene.easel.below(&line, bottom, color.with_alpha(0.85));
        let thickness = scene.u(0.3);
        scene.easel.line(&line, thickness, scene.light.shallow.with_alpha(0.3));
    }
}
