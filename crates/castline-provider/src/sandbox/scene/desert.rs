//! Dunes with a lit and a shaded side under a large sun.

use super::{Scene, sky, thing};
use crate::sandbox::easel::{At, Fill};
use crate::sandbox::theme::Thing;
use crate::std_tools::color::Color;

/// Draws a desert.
pub(super) fn draw(scene: &mut Scene) {
    let horizon = scene.h() * scene.dice.between(0.5, 0.6);
    sky::draw(scene, horizon);
    let (width, height, sand) = (scene.w(), scene.h(), sand(scene, 0.0));
    scene.easel.block((0.0, horizon), (width, height), sand);
    if scene.theme.things.is_empty() {
        mesas(scene, horizon);
    }
    if scene.asks_for(Thing::Pyramid) {
        for (x, size) in [(0.68, 26.0), (0.42, 16.0), (0.28, 9.0)] {
            let at = (scene.w() * x, horizon + scene.u(3.0));
            thing::pyramid(scene, at, size);
        }
    }
    let dunes = 5;
    for index in 0..dunes {
        dune(scene, horizon, index as f32 / (dunes - 1) as f32);
    }
    if scene.asks_for(Thing::Cactus) || scene.dice.chance(0.4) {
        let side = if scene.dice.chance(0.5) { 0.18 } else { 0.8 };
        let at = (scene.w() * side, scene.h() * 0.93);
        thing::cactus(scene, at, 22.0);
    }
    sky::weather(scene);
}

/// The color of sand, far (0) or near (1).
fn sand(scene: &Scene, way: f32) -> Color {
    let warm = scene.light.far.mix(Color::hex(0xe8_a8_60), if scene.light.dark { 0.12 } else { 0.45 });
    warm.mix(scene.light.accent, 0.12).lit(0.03).mix(scene.light.sky[2], 0.42 - 0.3 * way)
}

fn mesas(scene: &mut Scene, horizon: f32) {
    let color = sand(scene, 0.2).mix(scene.light.near, 0.16);
    for _ in 0..=scene.dice.below(3) {
        let (x, wide) = (scene.dice.unit() * scene.w(), scene.u(scene.dice.clone().between(8.0, 18.0)));
        let tall = scene.u(6.0) * scene.dice.between(0.7, 1.5);
        let (top, foot) = (horizon - tall, horizon + scene.u(3.0));
        let step = wide * 0.14;
        scene.easel.shape(
            &[
                (x - wide - step * 2.0, foot),
                (x - wide, horizon - tall * 0.45),
                (x - wide + step, top),
                (x + wide - step, top),
                (x + wide, horizon - tall * 0.45),
                (x + wide + step * 2.0, foot),
            ],
            color,
        );
    }
}

fn dune(scene: &mut Scene, horizon: f32, way: f32) {
    let bottom = scene.h();
    let base = horizon + (bottom - horizon) * (0.05 + 0.72 * way);
    let line = scene.skyline(base, 4.0 + 9.0 * way, 26.0 + 34.0 * way, 1);
    let sand = sand(scene, way);
    let shade = sand.mix(scene.light.near, 0.35 + 0.25 * way);
    let deep = scene.u(18.0 + 14.0 * way);
    scene.easel.below(
        &line,
        bottom,
        Fill::Line((0.0, base - deep * 0.5), (0.0, base + deep), vec![sand.lit(0.04), shade]),
    );
    for crest in crests(&line) {
        lee(scene, &line, crest, shade);
    }
}

/// The highest places of a line.
fn crests(line: &[At]) -> Vec<usize> {
    (1..line.len() - 1).filter(|&i| line[i].1 < line[i - 1].1 && line[i].1 <= line[i + 1].1).collect()
}

/// The shaded side: from the crest along the line, back in a curve below it.
fn lee(scene: &mut Scene, line: &[At], crest: usize, shade: Color) {
    let valley = (crest..line.len() - 1).find(|&i| line[i + 1].1 < line[i].1).unwrap_or(line.len() - 1);
    let (top, low) = (line[crest], line[valley]);
    let drop = (low.1 - top.1).max(scene.u(2.0));
    let mut side: Vec<At> = line[crest..=valley].to_vec();
    let steps = 20;
    for step in 0..=steps {
        let t = 1.0 - step as f32 / steps as f32;
        let bend = libm::sinf(t * std::f32::consts::PI);
        side.push((
            top.0 + (low.0 - top.0) * t * 0.95 - bend * drop * 0.8,
            top.1 + drop * 2.1 * t + bend * drop * 0.25,
        ));
    }
    let dark = shade.mix(scene.light.near, 0.3);
    scene.easel.shape(
        &side,
        Fill::Line(
            (0.0, top.1),
            (0.0, top.1 + drop * 2.2),
            vec![dark.with_alpha(0.85), dark.with_alpha(0.15)],
        ),
    );
}
