//! Stars, nebulas, a planet with its ring.

use super::{Scene, thing};
use crate::sandbox::easel::{At, Fill, arc};
use crate::sandbox::theme::Thing;
use crate::std_tools::color::Color;

/// Draws space.
pub(super) fn draw(scene: &mut Scene) {
    let (width, height) = (scene.w(), scene.h());
    let deep = scene.light.sky[0].lit(-0.03);
    scene.easel.ground(Fill::Line(
        (0.0, 0.0),
        (width * 0.4, height),
        vec![deep.lit(-0.06), deep, scene.light.sky[1]],
    ));
    nebulas(scene);
    stars(scene);
    let planet = planet(scene);
    moons(scene, planet);
    if scene.asks_for(Thing::Rocket) || scene.dice.chance(0.3) {
        let at = (width * scene.dice.between(0.25, 0.75), height * scene.dice.between(0.55, 0.75));
        thing::rocket(scene, at, 20.0);
    }
}

fn nebulas(scene: &mut Scene) {
    let hues = [
        scene.light.sky[2],
        scene.light.accent,
        scene.light.sky[2].turned(70.0),
        scene.light.sky[2].turned(-60.0),
    ];
    let along = scene.dice.between(-0.5, 0.5);
    for _ in 0..26 {
        let t = scene.dice.between(-0.1, 1.1);
        let drift = scene.dice.between(-0.16, 0.16);
        let at = (scene.w() * t, scene.h() * (0.5 + along * (t - 0.5) * 2.0 + drift));
        let radius = scene.u(scene.dice.clone().between(12.0, 38.0));
        scene.dice.unit();
        let color = *scene.dice.pick(&hues);
        let glow = vec![color.with_alpha(0.16), color.with_alpha(0.06), color.with_alpha(0.0)];
        scene.easel.disc(at, (radius, radius), Fill::Glow(at, radius, glow));
    }
}

fn stars(scene: &mut Scene) {
    for _ in 0..320 {
        let at = (scene.dice.unit() * scene.w(), scene.dice.unit() * scene.h());
        let bright = scene.dice.unit();
        let radius = (scene.u(0.09) + scene.u(0.24) * bright * bright * bright).max(0.5);
        let color = scene
            .light
            .sun
            .mix(scene.light.accent, scene.dice.between(0.0, 0.3))
            .with_alpha(0.3 + 0.7 * bright);
        scene.easel.disc(at, (radius, radius), color);
        if bright > 0.985 {
            let long = scene.u(1.6);
            let thin = scene.u(0.12);
            scene.easel.line(&[(at.0 - long, at.1), (at.0 + long, at.1)], thin, color.with_alpha(0.6));
            scene.easel.line(&[(at.0, at.1 - long), (at.0, at.1 + long)], thin, color.with_alpha(0.6));
        }
    }
}

fn planet(scene: &mut Scene) -> (At, f32) {
    let radius = scene.u(scene.dice.clone().between(16.0, 27.0));
    scene.dice.unit();
    let at = (scene.w() * scene.dice.between(0.3, 0.7), scene.h() * scene.dice.between(0.32, 0.55));
    let turn = scene.dice.between(-70.0, 70.0);
    let body = scene.light.accent.turned(turn);
    let tilt = scene.dice.between(-24.0, 24.0);
    let ring = scene.dice.chance(0.65);
    if ring {
        rings(scene, at, radius, tilt, true);
    }
    let halo = vec![body.with_alpha(0.35), body.with_alpha(0.0)];
    scene.easel.disc(at, (radius * 1.5, radius * 1.5), Fill::Glow(at, radius * 1.5, halo));
    let lit = (at.0 - radius * 0.4, at.1 - radius * 0.45);
    let shades = vec![body.lit(0.14), body, body.lit(-0.14), scene.light.sky[0].lit(-0.02)];
    scene.easel.disc(at, (radius, radius), Fill::Glow(lit, radius * 1.75, shades));
    bands(scene, at, radius, tilt, body);
    if ring {
        rings(scene, at, radius, tilt, false);
    }
    (at, radius)
}

/// Stripes that follow the ball's curve.
fn bands(scene: &mut Scene, at: At, radius: f32, tilt: f32, body: Color) {
    let (sin, cos) = libm::sincosf(tilt.to_radians());
    for _ in 0..6 {
        let middle = scene.dice.between(-0.8, 0.8);
        let half = scene.dice.between(0.02, 0.07);
        let color = body.lit(scene.dice.between(-0.12, 0.14)).with_alpha(0.32);
        let mut edge = Vec::new();
        for (offset, back) in [(middle - half, false), (middle + half, true)] {
            let reach = (1.0 - offset * offset).max(0.0).sqrt();
            let mut side: Vec<At> = (0..=24)
                .map(|step| {
                    let t = step as f32 / 12.0 - 1.0;
                    let (x, y) = (t * reach * radius, (offset + (1.0 - t * t) * 0.1 * reach) * radius * 0.98);
                    (at.0 + x * cos - y * sin, at.1 + x * sin + y * cos)
                })
                .collect();
            if back {
                side.reverse();
            }
            edge.append(&mut side);
        }
        scene.easel.shape(&edge, color);
    }
}

fn rings(scene: &mut Scene, at: At, radius: f32, tilt: f32, behind: bool) {
    let (sin, cos) = libm::sincosf(tilt.to_radians());
    let (from, to) = if behind { (180.0, 360.0) } else { (0.0, 180.0) };
    for (reach, thick, alpha) in [(1.5, 0.1, 0.75), (1.72, 0.14, 0.5), (1.98, 0.05, 0.6)] {
        let points: Vec<At> = arc((0.0, 0.0), (radius * reach, radius * reach * 0.26), from, to)
            .into_iter()
            .map(|(x, y)| (at.0 + x * cos - y * sin, at.1 + x * sin + y * cos))
            .collect();
        scene.easel.line(
            &points,
            radius * thick,
            scene.light.sun.mix(scene.light.accent, 0.3).with_alpha(alpha),
        );
    }
}

fn moons(scene: &mut Scene, planet: (At, f32)) {
    for _ in 0..=scene.dice.below(3) {
        let angle = scene.dice.between(0.0, 360.0_f32).to_radians();
        let far = planet.1 * scene.dice.between(1.7, 2.6);
        let (sin, cos) = libm::sincosf(angle);
        let at = (planet.0.0 + cos * far, planet.0.1 + sin * far);
        let radius = planet.1 * scene.dice.between(0.07, 0.2);
        let color = scene.light.sun.mix(scene.light.far, scene.dice.between(0.2, 0.7));
        let lit = (at.0 - radius * 0.4, at.1 - radius * 0.4);
        scene.easel.disc(
            at,
            (radius, radius),
            Fill::Glow(lit, radius * 1.8, vec![color.lit(0.08), color.lit(-0.22)]),
        );
    }
}
