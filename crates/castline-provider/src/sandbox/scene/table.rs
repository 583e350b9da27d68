//! A still life: a table, a wall, light from one side, a few things.

use super::{Scene, thing};
use crate::sandbox::easel::Fill;
use crate::sandbox::theme::Thing;
use crate::std_tools::color::Color;

/// Draws a still life.
pub(super) fn draw(scene: &mut Scene) {
    let edge = scene.h() * scene.dice.between(0.64, 0.72);
    let side = scene.dice.side();
    room(scene, edge, side);
    let mut things: Vec<Thing> =
        scene.theme.things.iter().copied().filter(|thing| lies_on_a_table(*thing)).take(3).collect();
    if things.is_empty() {
        things.push(*scene.dice.pick(&[Thing::Vase, Thing::Bottle, Thing::Cup, Thing::Teapot]));
    }
    if things.len() == 1 && scene.dice.chance(0.75) {
        let beside = if things[0] == Thing::Fruit { Thing::Vase } else { Thing::Fruit };
        things.push(beside);
    }
    let count = things.len();
    let mut placed = Vec::new();
    for (index, item) in things.into_iter().enumerate().rev() {
        let spread = (index as f32 - (count as f32 - 1.0) / 2.0) * 0.24;
        let x = scene.w() * (0.5 + spread * side) + scene.u(scene.dice.clone().between(-3.0, 3.0));
        let y = edge + (scene.h() - edge) * (0.34 + 0.16 * (index % 2) as f32);
        placed.push((item, (x, y), index));
    }
    for &(item, foot, _) in &placed {
        thing::shadow(scene, foot, width_of(item), side);
    }
    for (item, foot, index) in placed {
        stand(scene, item, foot, side, index);
    }
}

/// How wide a thing stands on the table.
fn width_of(item: Thing) -> f32 {
    match item {
        Thing::Fruit => 16.0,
        Thing::Flowers | Thing::Lamp | Thing::Bottle => 11.0,
        _ => 15.0,
    }
}

fn lies_on_a_table(thing: Thing) -> bool {
    matches!(
        thing,
        Thing::Vase
            | Thing::Cup
            | Thing::Bottle
            | Thing::Teapot
            | Thing::Fruit
            | Thing::Lamp
            | Thing::Flowers
            | Thing::Cat
    )
}

fn room(scene: &mut Scene, edge: f32, side: f32) {
    let (width, height) = (scene.w(), scene.h());
    let wall =
        if scene.light.dark { scene.light.sky[1] } else { scene.light.sky[1].mix(scene.light.sky[2], 0.55) };
    let lit = (width * (0.5 - 0.42 * side), height * 0.2);
    scene.easel.ground(Fill::Glow(lit, width.max(height), vec![wall.lit(0.06), wall, wall.lit(-0.12)]));
    window_light(scene, edge, side, wall);
    let top = scene.light.far.mix(scene.light.sky[2], 0.25).mix(scene.light.near, 0.12);
    scene.easel.block(
        (0.0, edge),
        (width, height),
        Fill::Line((lit.0, edge), (width - lit.0, height), vec![top.lit(0.08), top, top.lit(-0.12)]),
    );
    let thickness = scene.u(0.35);
    scene.easel.block((0.0, edge), (width, edge + thickness), scene.light.sky[2].with_alpha(0.45));
}

fn window_light(scene: &mut Scene, edge: f32, side: f32, wall: Color) {
    let left = scene.w() * (0.5 - 0.14 * side);
    let pane = scene.u(17.0);
    for column in 0..2 {
        for row in 0..2 {
            let x = left + (pane + scene.u(1.6)) * column as f32 * side;
            let y = edge * 0.14 + (pane * 1.25 + scene.u(1.6)) * row as f32;
            let drop = pane * 0.22;
            let tall = pane * 1.25;
            scene.easel.shape(
                &[(x, y), (x + pane * side, y + drop), (x + pane * side, y + drop + tall), (x, y + tall)],
                wall.lit(0.1).with_alpha(0.5),
            );
        }
    }
}

fn stand(scene: &mut Scene, item: Thing, foot: (f32, f32), side: f32, index: usize) {
    let color = match index {
        0 => scene.light.accent,
        1 => scene.light.accent.turned(150.0).mix(scene.light.far, 0.35),
        _ => scene.light.near.mix(scene.light.far, 0.5),
    };
    match item {
        Thing::Cup => thing::cup(scene, foot, 20.0, color, side),
        Thing::Bottle => thing::bottle(scene, foot, 42.0, color, side),
        Thing::Teapot => thing::teapot(scene, foot, 24.0, color, side),
        Thing::Fruit => {
            let ripe = Color::hex(*scene.dice.pick(&[0xd8_44_34, 0xf0_8c_2c, 0xf2_c0_3c, 0x9c_b8_48]));
            thing::fruit(scene, foot, 7.0, scene.theme.accent.unwrap_or(ripe));
        }
        Thing::Lamp => thing::candle(scene, foot, 26.0, color),
        Thing::Cat => thing::cat(scene, foot, 30.0),
        Thing::Flowers => {
            thing::branches(scene, (foot.0, foot.1 - scene.u(24.0)), 30.0, true);
            thing::vase(scene, foot, 28.0, color, side);
        }
        _ => {
            if index == 0 {
                thing::branches(scene, (foot.0, foot.1 - scene.u(32.0)), 26.0, false);
            }
            thing::vase(scene, foot, 36.0, color, side);
        }
    }
}
