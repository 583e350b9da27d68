//! Above the horizon: air, sun or moon, stars, clouds, and what falls.

use super::Scene;
use super::thing;
use crate::sandbox::easel::{Fill, arc};
use crate::sandbox::theme::{Hour, Thing, Weather};
use crate::std_tools::color::Color;

/// Where the sun or moon stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sun {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

/// Draws the sky down to the horizon and a little below.
pub(super) fn draw(scene: &mut Scene, horizon: f32) -> Sun {
    let [top, middle, low] = scene.light.sky;
    scene.easel.ground(Fill::Line((0.0, 0.0), (0.0, horizon), vec![top, middle, low]));
    if scene.light.dark {
        stars(scene, horizon);
    }
    if scene.theme.weather == Some(Weather::Aurora) {
        aurora(scene, horizon);
    }
    let sun = sun(scene, horizon);
    clouds(scene, horizon);
    if scene.asks_for(Thing::Birds) || (!scene.light.dark && scene.dice.chance(0.3)) {
        birds(scene, horizon);
    }
    if scene.asks_for(Thing::Balloon) {
        balloons(scene, horizon);
    }
    sun
}

fn sun(scene: &mut Scene, horizon: f32) -> Sun {
    let radius = scene.dice.between(5.5, 11.0);
    let radius = scene.u(radius);
    let x = scene.w()
        * if scene.dice.chance(0.5) { scene.dice.between(0.2, 0.42) } else { scene.dice.between(0.58, 0.8) };
    let lift = match scene.hour {
        Hour::Sunrise | Hour::Sunset => scene.dice.between(-0.3, 1.6) * radius,
        Hour::Night => horizon * scene.dice.between(0.5, 0.75),
        _ => horizon * scene.dice.between(0.4, 0.7),
    };
    let sun = Sun { x, y: horizon - lift, radius };
    let (color, night) = (scene.light.sun, scene.light.dark);
    let halo = if night { 4.5 } else { 7.0 };
    let glow =
        vec![color.with_alpha(if night { 0.4 } else { 0.75 }), color.with_alpha(0.18), color.with_alpha(0.0)];
    let size = (radius * halo, radius * halo);
    scene.easel.disc((sun.x, sun.y), size, Fill::Glow((sun.x, sun.y), radius * halo, glow));
    if matches!(scene.hour, Hour::Gray) {
        scene.easel.disc((sun.x, sun.y), (radius * 0.8, radius * 0.8), color.with_alpha(0.5));
    } else if night && scene.dice.chance(0.45) {
        crescent(scene, sun);
    } else {
        scene.easel.disc((sun.x, sun.y), (radius, radius), color);
    }
    sun
}

fn crescent(scene: &mut Scene, sun: Sun) {
    let side = scene.dice.side();
    let radius = sun.radius * 0.85;
    let mut edge = arc((sun.x, sun.y), (radius, radius), -90.0, -90.0 + 180.0 * side);
    let mut inner = arc((sun.x, sun.y), (radius * 0.45, radius), -90.0, -90.0 + 180.0 * side);
    inner.reverse();
    edge.append(&mut inner);
    scene.easel.shape(&edge, scene.light.sun);
}

fn stars(scene: &mut Scene, horizon: f32) {
    let count = 60 + scene.dice.below(90);
    for _ in 0..count {
        let (x, y) =
            (scene.dice.unit() * scene.w(), scene.dice.unit() * scene.dice.unit().max(0.2) * horizon);
        let bright = scene.dice.unit();
        let radius = (scene.u(0.12) + scene.u(0.22) * bright * bright).max(0.6);
        scene.easel.disc((x, y), (radius, radius), scene.light.sun.with_alpha(0.25 + 0.65 * bright));
    }
}

fn aurora(scene: &mut Scene, horizon: f32) {
    let hues = [Color::hex(0x4c_e0_a0), Color::hex(0x5a_b8_e8), Color::hex(0xb0_6c_e0)];
    for (index, hue) in hues.into_iter().enumerate() {
        let base = horizon * (0.72 - 0.16 * index as f32);
        let line = scene.skyline(base, 9.0, 70.0, 3);
        let tall = horizon * scene.dice.between(0.35, 0.6);
        for (left, right) in line.iter().step_by(5).copied().zip(line.iter().step_by(5).skip(1).copied()) {
            let shimmer = 0.20 + 0.16 * scene.dice.unit();
            let fill = Fill::Line(
                (0.0, left.1 - tall),
                (0.0, left.1),
                vec![hue.with_alpha(0.0), hue.with_alpha(shimmer * 0.5), hue.with_alpha(shimmer)],
            );
            scene.easel.shape(&[(left.0, left.1 - tall), (right.0, right.1 - tall), right, left], fill);
        }
    }
}

fn clouds(scene: &mut Scene, horizon: f32) {
    let many = matches!(scene.theme.weather, Some(Weather::Clouds | Weather::Rain | Weather::Snow));
    if scene.light.dark && !many && scene.dice.chance(0.5) {
        return;
    }
    let count = if many { 6 } else { scene.dice.below(5) };
    let puffy = scene.dice.chance(0.45);
    for _ in 0..count {
        let height = scene.dice.between(0.08, 0.72);
        let at = (scene.dice.unit() * scene.w(), horizon * height);
        let pale = scene.light.sky[2].lit(0.06).mix(scene.light.sun, 0.4);
        let size = scene.dice.between(0.6, 1.3) * (1.2 - height * 0.6);
        if puffy {
            puff(scene, at, size, pale.with_alpha(0.55));
        } else {
            streaks(scene, at, size, pale.with_alpha(0.5));
        }
    }
}

fn puff(scene: &mut Scene, at: (f32, f32), size: f32, color: Color) {
    let wide = scene.u(15.0 * size);
    let mut top = vec![(at.0 - wide, at.1)];
    let bumps = 4 + scene.dice.below(3);
    for bump in 0..bumps {
        let x = -1.0 + 2.0 * (bump as f32 + 0.5) / bumps as f32;
        let swell = (1.0 - x * x) * scene.dice.between(0.35, 0.7);
        top.push((at.0 + x * wide, at.1 - wide * swell));
        top.push((at.0 + (x + 1.0 / bumps as f32) * wide, at.1 - wide * swell * 0.55));
    }
    top.push((at.0 + wide, at.1));
    top.push((at.0 + wide * 0.4, at.1 + wide * 0.03));
    top.push((at.0 - wide * 0.4, at.1 + wide * 0.03));
    let pale = color.with_alpha(0.85);
    let tall = wide * 0.6;
    scene.easel.blob(&top, Fill::Line((0.0, at.1 - tall), (0.0, at.1), vec![pale, color.with_alpha(0.25)]));
}

/// Long thin lenses, one over the other.
fn streaks(scene: &mut Scene, at: (f32, f32), size: f32, color: Color) {
    let thick = scene.u(1.1 * size);
    let rows = 3 + scene.dice.below(3);
    for row in 0..rows {
        let length = scene.u(30.0 * size) * scene.dice.between(0.3, 1.0);
        let shift = scene.u(14.0 * size) * scene.dice.between(-1.0, 1.0);
        let (x, y) = (at.0 + shift, at.1 + row as f32 * thick * 1.5);
        let lens = [
            (x - length, y),
            (x - length * 0.3, y - thick),
            (x + length * 0.5, y - thick * 0.7),
            (x + length, y),
            (x, y + thick * 0.5),
        ];
        let fade = vec![color.with_alpha(0.0), color, color, color.with_alpha(0.0)];
        scene.easel.blob(&lens, Fill::Line((x - length, y), (x + length, y), fade));
    }
}

fn birds(scene: &mut Scene, horizon: f32) {
    let flock = (scene.w() * scene.dice.between(0.2, 0.8), horizon * scene.dice.between(0.2, 0.55));
    let color = scene.light.land(0.75).with_alpha(0.8);
    for _ in 0..4 + scene.dice.below(6) {
        let (dx, dy) = (scene.dice.between(-14.0, 14.0), scene.dice.between(-7.0, 7.0));
        let at = (flock.0 + scene.u(dx), flock.1 + scene.u(dy));
        let span = scene.dice.between(1.0, 2.2);
        let span = scene.u(span);
        let mut wing = arc((at.0 - span / 2.0, at.1), (span / 2.0, span * 0.3), 190.0, 350.0);
        wing.extend(arc((at.0 + span / 2.0, at.1), (span / 2.0, span * 0.3), 190.0, 350.0));
        scene.easel.line(&wing, span * 0.14, color);
    }
}

fn balloons(scene: &mut Scene, horizon: f32) {
    for (index, size) in [11.0, 6.0, 4.0].into_iter().enumerate() {
        let x = scene.w() * (0.24 + 0.26 * index as f32 + scene.dice.between(-0.06, 0.06));
        let y = horizon * scene.dice.between(0.25, 0.55);
        thing::balloon(scene, (x, y), size);
    }
}

/// What hangs or falls in front of everything.
pub(super) fn weather(scene: &mut Scene) {
    match scene.theme.weather {
        Some(Weather::Rain) => rain(scene),
        Some(Weather::Snow) => snow(scene),
        Some(Weather::Fog) => fog(scene),
        _ => {}
    }
}

fn rain(scene: &mut Scene) {
    let color = scene.light.sky[2].with_alpha(0.4);
    for _ in 0..220 {
        let (x, y) = (scene.dice.unit() * scene.w() * 1.1, scene.dice.unit() * scene.h());
        let length = scene.dice.between(2.5, 5.5);
        let length = scene.u(length);
        let thickness = scene.u(0.22);
        scene.easel.line(&[(x, y), (x - length * 0.28, y + length)], thickness, color);
    }
}

fn snow(scene: &mut Scene) {
    for _ in 0..260 {
        let at = (scene.dice.unit() * scene.w(), scene.dice.unit() * scene.h());
        let near = scene.dice.unit();
        let radius = scene.u(0.16 + 0.42 * near * near * near);
        scene.easel.disc(at, (radius, radius), Color::WHITE.with_alpha(0.55 + 0.4 * near));
    }
}

fn fog(scene: &mut Scene) {
    let pale = scene.light.sky[2];
    let (width, height) = (scene.w(), scene.h());
    for _ in 0..4 {
        let middle = height * scene.dice.between(0.45, 0.95);
        let tall = height * scene.dice.between(0.1, 0.2);
        let veil = vec![pale.with_alpha(0.0), pale.with_alpha(0.5), pale.with_alpha(0.0)];
        scene.easel.block(
            (0.0, middle - tall),
            (width, middle + tall),
            Fill::Line((0.0, middle - tall), (0.0, middle + tall), veil),
        );
    }
}
