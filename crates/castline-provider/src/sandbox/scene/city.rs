//! Houses behind houses, lit windows, wet streets.

use super::{Scene, sea_like, sky, thing};
use crate::sandbox::easel::Fill;
use crate::sandbox::theme::{Hour, Thing, Weather};
use crate::std_tools::color::Color;

/// Draws a city.
pub(super) fn draw(scene: &mut Scene) {
    let ground = scene.h() * scene.dice.between(0.8, 0.88);
    sky::draw(scene, ground);
    for layer in 0..3 {
        skyline(scene, ground, layer);
    }
    if scene.theme.neon {
        signs(scene, ground);
    }
    let wet = matches!(scene.theme.weather, Some(Weather::Rain)) || scene.dice.chance(0.5);
    if wet {
        river(scene, ground);
    } else {
        street(scene, ground);
    }
    let at = (scene.w() * scene.dice.between(0.35, 0.65), scene.h() * 0.965);
    if scene.asks_for(Thing::Umbrella) {
        thing::umbrella(scene, at, 17.0);
    }
    if scene.asks_for(Thing::Cat) {
        thing::cat(scene, at, 15.0);
    }
    sky::weather(scene);
}

fn skyline(scene: &mut Scene, ground: f32, layer: usize) {
    let nearness = layer as f32 / 2.0;
    let base = scene.light.land(0.15 + 0.7 * nearness).mix(scene.light.sky[1], 0.35 * (1.0 - nearness));
    let mut x = -scene.u(4.0);
    while x < scene.w() {
        let width = scene.u(6.0 + 4.0 * nearness) * scene.dice.between(0.7, 1.6);
        let rise = 0.78 - 0.22 * nearness;
        let middle = 1.0 - ((x / scene.w()) - 0.5).abs() * 0.7;
        let tall = ground * rise * middle * scene.dice.between(0.45, 1.0);
        let color = base.lit(scene.dice.between(-0.025, 0.025));
        house(scene, (x, ground - tall), (width, tall), color, nearness);
        x += width + if scene.dice.chance(0.25) { scene.u(1.5) } else { -scene.u(0.2) };
    }
}

fn house(scene: &mut Scene, top: (f32, f32), size: (f32, f32), color: Color, near: f32) {
    let (x, y) = top;
    let (width, tall) = size;
    let foot = y + tall;
    let haze = color.mix(scene.light.sky[2], 0.45 * (1.0 - near) + 0.06);
    scene.easel.block((x, y), (x + width, foot + 1.0), Fill::Line((0.0, y), (0.0, foot), vec![color, haze]));
    match scene.dice.below(7) {
        0 => scene.easel.shape(&[(x, y), (x + width / 2.0, y - width * 0.45), (x + width, y)], color),
        1 => {
            scene.easel.block((x + width * 0.2, y - width * 0.25), (x + width * 0.8, y + 1.0), color);
            scene.easel.block((x + width * 0.35, y - width * 0.45), (x + width * 0.65, y), color);
        }
        2 => {
            let thickness = scene.u(0.35);
            scene.easel.line(&[(x + width / 2.0, y), (x + width / 2.0, y - width * 0.8)], thickness, color);
        }
        3 => scene.easel.disc((x + width / 2.0, y), (width / 2.0, width * 0.4), color),
        _ => {}
    }
    if near > 0.2 {
        windows(scene, top, size, color, near);
    }
}

fn windows(scene: &mut Scene, top: (f32, f32), size: (f32, f32), wall: Color, near: f32) {
    let columns = (2 + scene.dice.below(3)) as f32;
    let cell = size.0 / columns;
    let tall = cell * scene.dice.between(0.9, 1.4);
    let lit = match scene.hour {
        Hour::Night => 0.5,
        Hour::Sunset | Hour::Gray => 0.3,
        _ => 0.0,
    };
    let lamp = scene.light.accent.mix(scene.light.sun, 0.45);
    let glass = wall.mix(scene.light.sky[1], 0.35);
    let mut y = top.1 + tall * 0.4;
    while y + tall * 0.7 < top.1 + size.1 {
        for column in 0..columns as u32 {
            let left = top.0 + cell * (column as f32 + 0.24);
            let color = if scene.dice.chance(lit) {
                lamp.with_alpha(scene.dice.between(0.55, 1.0))
            } else {
                glass.with_alpha(0.25 + 0.3 * near)
            };
            scene.easel.block((left, y), (left + cell * 0.52, y + tall * 0.58), color);
        }
        y += tall;
    }
}

fn river(scene: &mut Scene, ground: f32) {
    let (height, width) = (scene.h(), scene.w());
    sea_like::lake(scene, ground / height);
    let lights = scene.light.dark || matches!(scene.hour, Hour::Sunset | Hour::Gray);
    for _ in 0..26 {
        let x = scene.dice.unit() * width;
        let color = if lights { scene.light.accent } else { scene.light.sky[2] };
        let long = (height - ground) * scene.dice.between(0.2, 0.85);
        let wide = scene.u(0.9) * scene.dice.between(0.5, 1.6);
        let fade = vec![color.with_alpha(0.45), color.with_alpha(0.0)];
        scene.easel.block(
            (x, ground),
            (x + wide, ground + long),
            Fill::Line((0.0, ground), (0.0, ground + long), fade),
        );
    }
    let edge = scene.light.land(1.0);
    let thickness = scene.u(0.7);
    scene.easel.block((0.0, ground - thickness / 2.0), (width, ground + thickness / 2.0), edge);
}

fn street(scene: &mut Scene, ground: f32) {
    let (width, height) = (scene.w(), scene.h());
    let dark = scene.light.land(0.92);
    scene.easel.block(
        (0.0, ground),
        (width, height),
        Fill::Line((0.0, ground), (0.0, height), vec![dark.lit(0.07), dark]),
    );
    let middle = width * scene.dice.between(0.35, 0.65);
    let stripe = scene.light.sky[2].with_alpha(0.5);
    for mark in 0..4 {
        let (from, to) = (mark as f32 / 4.0, (mark as f32 + 0.55) / 4.0);
        let y = |way: f32| ground + (height - ground) * way;
        let half = |way: f32| width * (0.002 + 0.008 * way);
        scene.easel.shape(
            &[
                (middle - half(from), y(from)),
                (middle + half(from), y(from)),
                (middle + half(to), y(to)),
                (middle - half(to), y(to)),
            ],
            stripe,
        );
    }
}

/// Glowing signs on the walls, each a few bars of light.
fn signs(scene: &mut Scene, ground: f32) {
    let hues =
        [Color::hex(0xff_3c_a8), Color::hex(0x2a_e6_ff), Color::hex(0xff_c8_3c), Color::hex(0x8a_6c_ff)];
    for _ in 0..12 {
        let x = scene.dice.unit() * scene.w();
        let y = ground * scene.dice.between(0.55, 0.86);
        let color = *scene.dice.pick(&hues);
        let tall = scene.u(5.0) * scene.dice.between(0.6, 1.6);
        let wide = scene.u(1.5) * scene.dice.between(0.8, 1.3);
        let middle = (x, y + tall / 2.0);
        let reach = tall * 1.3;
        let glow = vec![color.with_alpha(0.45), color.with_alpha(0.12), color.with_alpha(0.0)];
        scene.easel.disc(middle, (reach, reach), Fill::Glow(middle, reach, glow));
        scene.easel.block((x - wide, y), (x + wide, y + tall), scene.light.near.with_alpha(0.9));
        let thin = wide * 0.26;
        let frame = [(x - wide, y), (x + wide, y), (x + wide, y + tall), (x - wide, y + tall), (x - wide, y)];
        scene.easel.line(&frame, thin, color);
        let rows = 3;
        for row in 0..rows {
            let line = y + tall * (row as f32 + 0.5) / rows as f32;
            let half = wide * scene.dice.between(0.3, 0.62);
            scene.easel.line(&[(x - half, line), (x + half, line)], thin, color.lit(0.12));
            let lean = wide * scene.dice.between(-0.3, 0.3);
            scene.easel.line(&[(x, line - thin * 2.2), (x + lean, line + thin * 2.2)], thin, color.lit(0.12));
        }
    }
}
