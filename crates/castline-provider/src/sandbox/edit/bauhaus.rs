//! Plain shapes in plain colors: every patch takes the shape that follows the picture.

use super::numbers;
use crate::sandbox::dice::Dice;
use crate::sandbox::easel::{Easel, arc};
use crate::std_tools::color::Color;
use crate::std_tools::picture::{self, Picture};

const COLORS: [u32; 8] =
    [0x1b_1b_1f, 0x1d_3f_8f, 0xd3_32_26, 0x2f_6f_b5, 0xe9_7a_2b, 0xf2_b8_1f, 0x9c_bf_d0, 0xf4_ec_dc];

/// About so many patches lie across the longer side.
const PATCHES: f32 = 44.0;

/// So many samples lie across a patch.
const SAMPLES: usize = 6;

/// What can lie in a patch; turned shapes by quarters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Plain,
    Disc,
    Quarter(u8),
    Half(u8),
    Corner(u8),
}

const SHAPES: [Shape; 14] = [
    Shape::Plain,
    Shape::Disc,
    Shape::Quarter(0),
    Shape::Quarter(1),
    Shape::Quarter(2),
    Shape::Quarter(3),
    Shape::Half(0),
    Shape::Half(1),
    Shape::Half(2),
    Shape::Half(3),
    Shape::Corner(0),
    Shape::Corner(1),
    Shape::Corner(2),
    Shape::Corner(3),
];

type Rgb = [f32; 3];

/// Sets the picture in shapes.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let cell = source.width().max(source.height()) as f32 / PATCHES;
    let columns = (source.width() as f32 / cell).round().max(1.0) as usize;
    let rows = (source.height() as f32 / cell).round().max(1.0) as usize;
    let samples = picture::resize(source, (columns * SAMPLES) as u32, (rows * SAMPLES) as u32);
    let size = (source.width() as f32 / columns as f32, source.height() as f32 / rows as f32);
    let mut easel = Easel::new(source.width(), source.height());
    for row in 0..rows {
        for column in 0..columns {
            let patch = patch(&samples, column, row);
            let (shape, within, around) = fitted(&patch, dice);
            let corner = (column as f32 * size.0, row as f32 * size.1);
            easel.block(corner, (corner.0 + size.0 + 0.4, corner.1 + size.1 + 0.4), around);
            lay(&mut easel, shape, corner, size, within);
        }
    }
    easel.picture()
}

fn patch(samples: &Picture, column: usize, row: usize) -> Vec<Rgb> {
    (0..SAMPLES * SAMPLES)
        .map(|i| {
            let (x, y) = (column * SAMPLES + i % SAMPLES, row * SAMPLES + i / SAMPLES);
            let pixel = samples.get_pixel(x as u32, y as u32);
            [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])]
        })
        .collect()
}

/// The shape that tells the patch best; flat patches get one for show now and then.
fn fitted(patch: &[Rgb], dice: &mut Dice) -> (Shape, Color, Color) {
    let tried = SHAPES.iter().map(|&shape| (shape, split(patch, shape)));
    let (shape, (within, around, left)) =
        tried.min_by(|a, b| a.1.2.total_cmp(&b.1.2)).expect("there are shapes");
    let (_, mean, flat) = split(patch, Shape::Plain);
    if flat - left > 90.0 {
        return (shape, nearest_two(within).0, nearest_two(around).0);
    }
    let (first, second) = nearest_two(mean);
    let shown = if dice.chance(0.3) { *dice.pick(&SHAPES) } else { Shape::Plain };
    (shown, second, first)
}

/// Mean colors within and around a shape, and how much they leave untold.
fn split(patch: &[Rgb], shape: Shape) -> (Rgb, Rgb, f32) {
    let mut sums = [[0.0_f32; 4]; 2];
    let mut squares = 0.0;
    for (index, color) in patch.iter().enumerate() {
        let at = |i: usize| (i as f32 + 0.5) / SAMPLES as f32;
        let side = usize::from(!holds(shape, at(index % SAMPLES), at(index / SAMPLES)));
        for channel in 0..3 {
            sums[side][channel] += color[channel];
            squares += color[channel] * color[channel];
        }
        sums[side][3] += 1.0;
    }
    let mean = |side: [f32; 4]| [0, 1, 2].map(|c| side[c] / side[3].max(1.0));
    let told: f32 = sums.iter().map(|s| s[..3].iter().map(|v| v * v).sum::<f32>() / s[3].max(1.0)).sum();
    (mean(sums[0]), mean(sums[1]), (squares - told) / patch.len() as f32)
}

fn holds(shape: Shape, x: f32, y: f32) -> bool {
    let turned = |turn: u8| match turn {
        0 => (x, y),
        1 => (1.0 - x, y),
        2 => (1.0 - x, 1.0 - y),
        _ => (x, 1.0 - y),
    };
    match shape {
        Shape::Plain => false,
        Shape::Disc => (x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5) < 0.16,
        Shape::Quarter(turn) => {
            let (x, y) = turned(turn);
            x * x + y * y < 1.0
        }
        Shape::Half(turn) => [y < 0.5, x > 0.5, y > 0.5, x < 0.5][usize::from(turn)],
        Shape::Corner(turn) => {
            let (x, y) = turned(turn);
            x + y < 1.0
        }
    }
}

fn lay(easel: &mut Easel, shape: Shape, corner: (f32, f32), size: (f32, f32), color: Color) {
    let (x, y) = corner;
    let end = (x + size.0 + 0.4, y + size.1 + 0.4);
    let pivot = |turn: u8| [corner, (end.0, y), end, (x, end.1)][usize::from(turn)];
    match shape {
        Shape::Plain => {}
        Shape::Disc => {
            let middle = (x + size.0 / 2.0, y + size.1 / 2.0);
            easel.disc(middle, (size.0 * 0.4, size.1 * 0.4), color);
        }
        Shape::Quarter(turn) => {
            let from = f32::from(turn) * 90.0;
            let mut quarter = arc(pivot(turn), size, from, from + 90.0);
            quarter.push(pivot(turn));
            easel.shape(&quarter, color);
        }
        Shape::Half(turn) => {
            let middle = (x + size.0 / 2.0, y + size.1 / 2.0);
            let (from, to) = match turn {
                0 => (corner, (end.0, middle.1)),
                1 => ((middle.0, y), end),
                2 => ((x, middle.1), end),
                _ => (corner, (middle.0, end.1)),
            };
            easel.block(from, to, color);
        }
        Shape::Corner(turn) => {
            easel.shape(&[pivot((turn + 3) % 4), pivot(turn), pivot((turn + 1) % 4)], color);
        }
    }
}

/// The color that a mean is like, and the next one like it.
fn nearest_two(mean: Rgb) -> (Color, Color) {
    let gray = mean.iter().sum::<f32>() / 3.0;
    let mean = mean.map(|c| gray + (c - gray) * 1.9);
    let lightness = |c: Rgb| 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2];
    let mut colors: Vec<(f32, Color)> = COLORS
        .iter()
        .map(|&hex| {
            let color = Color::hex(hex);
            let own = numbers(color);
            let chroma: f32 = (0..3).map(|i| (own[i] - mean[i]) * (own[i] - mean[i])).sum();
            let light = lightness(own) - lightness(mean);
            (chroma + 2.0 * light * light, color)
        })
        .collect();
    colors.sort_by(|a, b| a.0.total_cmp(&b.0));
    (colors[0].1, colors[1].1)
}
