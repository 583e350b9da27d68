//! Ridge behind ridge, a summit with snow, a lake or pines in front.

use super::{Scene, forest, height_at, sea_like, sky, thing};
use crate::sandbox::dice::Ridge;
use crate::sandbox::easel::{At, Fill};
use crate::sandbox::theme::{Hour, Thing};
use crate::std_tools::color::Color;

/// Draws mountains.
pub(super) fn draw(scene: &mut Scene) {
    let foot = scene.h() * scene.dice.between(0.66, 0.78);
    sky::draw(scene, foot);
    far_ridge(scene, foot);
    let summits = 1 + scene.dice.below(2);
    for index in 0..summits {
        summit(scene, foot, index, summits);
    }
    let lake = scene.dice.chance(0.5) && !scene.asks_for(Thing::House);
    for layer in 0..3 {
        let near = 0.35 + 0.2 * layer as f32;
        let base = foot + scene.h() * (0.05 * layer as f32 - 0.01);
        let line = scene.skyline(base, 6.0, 45.0, 5);
        let (color, bottom) = (scene.light.land(near), scene.h());
        scene.easel.below(
            &line,
            bottom,
            Fill::Line(
                (0.0, base - scene.u(6.0)),
                (0.0, bottom),
                vec![color, color.mix(scene.light.sky[2], 0.18)],
            ),
        );
        if layer > 0 {
            forest::row(scene, &line, 2.2 + 2.2 * layer as f32, near + 0.12);
        }
    }
    if lake {
        sea_like::lake(scene, 0.86);
    } else {
        foreground(scene);
    }
    if scene.asks_for(Thing::House) {
        let at = (scene.w() * 0.66, scene.h() * 0.88);
        thing::house(scene, at, 9.0);
    }
    sky::weather(scene);
}

fn far_ridge(scene: &mut Scene, foot: f32) {
    for layer in 0..2 {
        let base = foot - scene.h() * (0.2 - 0.09 * layer as f32);
        let line = scene.skyline(base, 10.0, 38.0, 6);
        let color = scene.light.land(0.05 + 0.1 * layer as f32).mix(scene.light.sky[1], 0.4);
        let haze = color.mix(scene.light.sky[2], 0.6);
        scene.easel.below(
            &line,
            foot + scene.u(20.0),
            Fill::Line((0.0, base - scene.u(10.0)), (0.0, foot), vec![color, haze]),
        );
    }
}

/// One mountain: a lit side, a shaded side, snow above a ragged line.
fn summit(scene: &mut Scene, foot: f32, index: usize, of: usize) {
    let room = scene.w() / of as f32;
    let top =
        (room * (index as f32 + scene.dice.between(0.3, 0.7)), foot - foot * scene.dice.between(0.42, 0.66));
    let half = (foot - top.1) * scene.dice.between(0.95, 1.35);
    let rough = Ridge::new(&mut scene.dice, 4);
    let outline = flanks(top, half, foot, &rough, scene.u(3.0));
    let (land, light) = (scene.light.land(0.22), scene.light.sun);
    let bottom = foot + scene.u(4.0);
    scene.easel.below(
        &outline,
        bottom,
        Fill::Line(top, (top.0, bottom), vec![land, land.mix(scene.light.sky[2], 0.35)]),
    );
    let spine = spine(scene, top, half, foot);
    let snow = if matches!(scene.hour, Hour::Winter) { 0.75 } else { scene.dice.between(0.22, 0.42) };
    let snow_line = top.1 + (foot - top.1) * snow;
    let white =
        Color::WHITE.mix(light, 0.35).mix(scene.light.sky[1], if scene.light.dark { 0.45 } else { 0.06 });
    let cap = snow_cap(scene, &outline, snow_line);
    scene.easel.shape(&cap, white);
    let mut shade: Vec<At> = outline.iter().copied().filter(|at| at.0 >= top.0).collect();
    shade.push((top.0 + half, bottom));
    shade.push((spine.last().map_or(top.0, |at| at.0), bottom));
    shade.extend(spine.iter().rev());
    scene.easel.shape(&shade, scene.light.near.mix(scene.light.sky[0], 0.3).with_alpha(0.38));
}

fn flanks(top: At, half: f32, foot: f32, rough: &Ridge, roughness: f32) -> Vec<At> {
    const STEPS: i32 = 60;
    (-STEPS..=STEPS)
        .map(|step| {
            let way = step as f32 / STEPS as f32;
            let slope = libm::powf(way.abs(), 0.85);
            let bend = rough.at(way * 7.0) * roughness * way.abs().min(0.5) * 2.0;
            (top.0 + way * half, top.1 + (foot - top.1) * slope + bend)
        })
        .collect()
}

/// The edge between light and shade, zigzagging down from the top.
fn spine(scene: &mut Scene, top: At, half: f32, foot: f32) -> Vec<At> {
    let mut at = top;
    let mut spine = vec![top];
    let mut side = 1.0;
    while at.1 < foot {
        let step = (foot - top.1) * scene.dice.between(0.06, 0.14);
        at = (at.0 + side * half * scene.dice.between(0.02, 0.09), at.1 + step);
        side = -side;
        spine.push(at);
    }
    spine
}

fn snow_cap(scene: &mut Scene, outline: &[At], snow_line: f32) -> Vec<At> {
    let mut cap: Vec<At> = outline.iter().copied().filter(|at| at.1 <= snow_line).collect();
    let (Some(first), Some(last)) = (cap.first().copied(), cap.last().copied()) else { return cap };
    let teeth = 9;
    for tooth in 1..teeth {
        let x = last.0 + (first.0 - last.0) * tooth as f32 / teeth as f32;
        let roof = height_at(outline, x);
        let down = if tooth % 2 == 0 { scene.dice.between(0.05, 0.45) } else { scene.dice.between(0.6, 1.1) };
        cap.push((x, roof + (snow_line - roof).max(0.0) * down));
    }
    cap
}

fn foreground(scene: &mut Scene) {
    let base = scene.h() * 0.9;
    let line = scene.skyline(base, 4.0, 60.0, 3);
    let (color, bottom) = (scene.light.land(0.95), scene.h());
    scene.easel.below(&line, bottom, color);
    forest::row(scene, &line, 10.0, 1.0);
}
