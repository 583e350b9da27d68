//! A woodblock print: few flat colors, dark outlines, a sky that is wiped dark, a seal.

use super::{grain, mixed, numbers, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::easel::Easel;
use crate::sandbox::plane::{self, Plane, smoothstep};
use crate::std_tools::color::Color;
use crate::std_tools::picture::Picture;

/// From dark to light.
const BLOCKS: [u32; 11] = [
    0x1e_22_33, 0x1f_3f_63, 0x8f_38_2e, 0x3b_68_70, 0x5f_7d_9a, 0xc8_58_40, 0x7f_98_7c, 0xc9_95_50,
    0xa8_b8_b4, 0xe2_c8_9c, 0xf2_e8_d0,
];

/// Prints the picture from flat blocks.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let flat = plane::blur(source, 4.0 * unit);
    let luma = Plane::luma(&flat);
    let (low, high) = luma.range();
    let blocks = BLOCKS.map(|hex| numbers(Color::hex(hex)));
    let nearest = lookup(&blocks, low, high);
    let wiped = dice.between(0.16, 0.26);
    let height = source.height() as f32;
    let [deep, ink, paper] = [0x1f_3f_63, 0x1e_1c_22, 0xf2_e8_d0].map(|hex| numbers(Color::hex(hex)));
    let reach = (1.4 * unit).max(1.0) as u32;
    let mut printed = flat.clone();
    for (x, y, pixel) in printed.enumerate_pixels_mut() {
        let grain = (hash(x, y) * 11.0) as i16 - 5;
        let cell = |channel: usize| (i16::from(pixel[channel]) + grain).clamp(0, 255) as usize >> 3;
        let block = blocks[usize::from(nearest[cell(0) << 10 | cell(1) << 5 | cell(2)])];
        let top = smoothstep(wiped, 0.0, y as f32 / height) * 0.85;
        let line = smoothstep(0.045, 0.12, luma.edge(x, y, reach));
        let fiber = (hash(x / 7, y) * 0.035 + hash(x, y / 9) * 0.02) - 0.02;
        let color = mixed(mixed(mixed(block, deep, top), paper, 0.05 + fiber), ink, line * 0.8);
        pixel.0 = [color[0] as u8, color[1] as u8, color[2] as u8, 255];
    }
    seal(&smoothed(&printed), dice, unit)
}

/// For every color (five bits a channel) the block that prints it.
fn lookup(blocks: &[[f32; 3]], low: f32, high: f32) -> Vec<u8> {
    let span = (high - low).max(0.1);
    (0..32_768_u32)
        .map(|index| {
            let channel = |shift: u32| ((index >> shift & 31) * 8 + 4) as f32;
            let color = [channel(10), channel(5), channel(0)];
            let light = (tone(color) - low) / span;
            let away = |block: &[f32; 3]| {
                let lightness = (tone(*block) - (0.12 + 0.8 * light)) * 3.2;
                let (own, its) = (hue(color), hue(*block));
                lightness * lightness + (own.0 - its.0) * (own.0 - its.0) + (own.1 - its.1) * (own.1 - its.1)
            };
            let nearest = blocks.iter().enumerate().min_by(|a, b| away(a.1).total_cmp(&away(b.1)));
            nearest.expect("there are blocks").0 as u8
        })
        .collect()
}

fn tone(color: [f32; 3]) -> f32 {
    (0.21 * color[0] + 0.72 * color[1] + 0.07 * color[2]) / 255.0
}

fn hue(color: [f32; 3]) -> (f32, f32) {
    ((color[0] - color[1]) / 128.0, (color[1] - color[2]) / 128.0)
}

/// A number from 0 to 1 that looks like chance.
pub(super) fn hash(x: u32, y: u32) -> f32 {
    let mixed = (x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77)).wrapping_mul(0xc2b2_ae3d);
    ((mixed ^ mixed >> 15) & 0xffff) as f32 / 65_536.0
}

/// Softens the stairs between the blocks.
fn smoothed(printed: &Picture) -> Picture {
    let soft = plane::blur(printed, 2.6);
    painted(printed, |x, y, own| {
        let near = soft.get_pixel(x, y);
        mixed(own.map(f32::from), [near[0], near[1], near[2]].map(f32::from), 0.75)
    })
}

fn seal(printed: &Picture, dice: &mut Dice, unit: f32) -> Picture {
    let mut easel = Easel::over(printed);
    let (wide, tall) = (34.0 * unit, 88.0 * unit);
    let right = easel.width() - 36.0 * unit;
    let top = 40.0 * unit;
    let (red, pale) = (Color::hex(0xb8_38_2a), Color::hex(0xf2_e8_d0));
    easel.block((right - wide, top), (right, top + tall), red);
    for row in 0..3 {
        let y = top + tall * (0.2 + 0.3 * row as f32);
        let middle = right - wide / 2.0;
        let reach = wide * 0.28;
        easel.line(&[(middle - reach, y), (middle + reach, y)], 2.6 * unit, pale);
        let lean = dice.between(-0.3, 0.3) * wide;
        easel.line(&[(middle, y - reach * 0.8), (middle + lean, y + reach * 0.9)], 2.6 * unit, pale);
        if dice.chance(0.5) {
            easel.line(
                &[(middle - reach, y + reach * 0.8), (middle + reach, y + reach * 0.8)],
                2.6 * unit,
                pale,
            );
        }
    }
    easel.picture()
}
