//! Plain shapes in a grid, or arcs within arcs.

use super::Scene;
use crate::sandbox::easel::{Fill, arc};
use crate::std_tools::color::Color;

/// Draws a pattern.
pub(super) fn draw(scene: &mut Scene) {
    let paper = scene.light.sky[2];
    scene.easel.ground(paper);
    let inks = [
        scene.light.accent,
        scene.light.sky[0],
        scene.light.near,
        scene.light.sky[1].mix(scene.light.accent, 0.3),
        scene.light.far,
        scene.light.accent.turned(40.0),
    ];
    if scene.dice.chance(0.6) { grid(scene, paper, &inks) } else { hills(scene, &inks) }
}

fn grid(scene: &mut Scene, paper: Color, inks: &[Color]) {
    let across = 4.0 + scene.dice.below(3) as f32;
    let cell = scene.w().min(scene.h()) / across;
    let (columns, rows) = ((scene.w() / cell).ceil() as i32, (scene.h() / cell).ceil() as i32);
    let shift = ((scene.w() - columns as f32 * cell) / 2.0, (scene.h() - rows as f32 * cell) / 2.0);
    for row in 0..rows {
        for column in 0..columns {
            let corner = (shift.0 + column as f32 * cell, shift.1 + row as f32 * cell);
            tile(scene, corner, cell, paper, inks);
        }
    }
}

fn tile(scene: &mut Scene, corner: (f32, f32), cell: f32, paper: Color, inks: &[Color]) {
    let (x, y) = corner;
    let end = (x + cell + 0.5, y + cell + 0.5);
    let middle = (x + cell / 2.0, y + cell / 2.0);
    let ground = if scene.dice.chance(0.55) { *scene.dice.pick(inks) } else { paper };
    let ink = loop {
        let ink = *scene.dice.pick(inks);
        if ink != ground {
            break ink;
        }
    };
    scene.easel.block(corner, end, ground);
    let turn = scene.dice.below(4) as f32 * 90.0;
    let pivot = match turn as u32 {
        0 => corner,
        90 => (end.0, y),
        180 => end,
        _ => (x, end.1),
    };
    match scene.dice.below(7) {
        0 | 1 => {
            let mut quarter = arc(pivot, (cell, cell), turn, turn + 90.0);
            quarter.push(pivot);
            scene.easel.shape(&quarter, ink);
        }
        2 => scene.easel.disc(middle, (cell * 0.5, cell * 0.5), ink),
        3 => scene.easel.shape(&arc(middle, (cell * 0.5, cell * 0.5), turn, turn + 180.0), ink),
        4 => scene.easel.shape(&[corner, (end.0, y), (x, end.1)], ink),
        5 => {
            for (index, part) in [1.0, 0.72, 0.44].into_iter().enumerate() {
                let mut ring = arc(pivot, (cell * part, cell * part), turn, turn + 90.0);
                ring.push(pivot);
                scene.easel.shape(&ring, if index % 2 == 0 { ink } else { ground });
            }
        }
        _ => scene.easel.disc(middle, (cell * 0.22, cell * 0.22), ink),
    }
}

/// Arcs within arcs, row before row.
fn hills(scene: &mut Scene, inks: &[Color]) {
    let across = 3.0 + scene.dice.below(3) as f32;
    let radius = scene.w().min(scene.h()) / across / 1.6;
    let mut y = -radius * 0.2;
    let mut odd = false;
    while y < scene.h() + radius {
        let mut x = if odd { 0.0 } else { -radius };
        while x < scene.w() + radius * 2.0 {
            let first = scene.dice.below(inks.len());
            for ring in 0..5_usize {
                let size = radius * (1.0 - 0.2 * ring as f32);
                let color =
                    if ring % 2 == 1 { scene.light.sky[2] } else { inks[(first + ring / 2) % inks.len()] };
                scene.easel.disc((x, y), (size, size), Fill::Plain(color));
            }
            x += radius * 2.0;
        }
        y += radius * 0.5;
        odd = !odd;
    }
}
