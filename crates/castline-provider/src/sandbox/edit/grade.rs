//! Another light on the same picture: an hour, a season, a color for all or for the sky.

use super::{mixed, numbers, painted};
use crate::sandbox::easel::Easel;
use crate::sandbox::plane::{Plane, smoothstep};
use crate::sandbox::theme::{self, Hour, Theme, Weather};
use crate::std_tools::color::Color;
use crate::std_tools::picture::{self, Picture};

/// Another light, if the words ask for one.
pub(super) fn graded(source: &Picture, prompt: &str, theme: &Theme) -> Option<Picture> {
    let words = theme::words(prompt);
    let says = |word: &str| words.iter().any(|w| w == word);
    let mut picture = None;
    if let Some(hour) = theme.hour.filter(|_| !says("drawing")) {
        picture = Some(at_hour(source, hour));
    }
    if (says("black") && says("white")) || says("monochrome") || says("grayscale") || says("noir") {
        picture = Some(gray(picture.as_ref().unwrap_or(source)));
    }
    if let Some(tint) = theme.tint.or(theme.accent) {
        let from = picture.as_ref().unwrap_or(source);
        picture = Some(if says("sky") || says("background") {
            sky_tinted(from, tint)
        } else {
            tinted(from, tint, 0.75)
        });
    }
    if theme.weather == Some(Weather::Snow) {
        picture = Some(snowed(picture.as_ref().unwrap_or(source)));
    }
    picture
}

/// Clearer and richer, for edits without words.
pub(super) fn restored(source: &Picture) -> Picture {
    let luma = Plane::luma(source);
    let (low, high) = luma.range();
    let span = (high - low).max(0.2) * 255.0;
    painted(source, |_, _, own| {
        let stretched = own.map(|c| (f32::from(c) - low * 255.0) / span * 255.0);
        let mean = stretched.iter().sum::<f32>() / 3.0;
        stretched.map(|c| mean + (c - mean) * 1.15)
    })
}

fn at_hour(source: &Picture, hour: Hour) -> Picture {
    let (shade, light, strength, gain) = match hour {
        Hour::Night => (0x06_0a_24, 0x7f_9c_d8, 0.72, 0.62),
        Hour::Sunrise => (0x4a_30_5c, 0xff_d8_a8, 0.5, 1.02),
        Hour::Sunset => (0x3a_18_3c, 0xff_b8_60, 0.55, 0.98),
        Hour::Gray => (0x28_34_3c, 0xd4_d8_d4, 0.62, 0.94),
        Hour::Winter => (0x3c_56_78, 0xfa_fc_ff, 0.6, 1.12),
        Hour::Autumn => (0x40_1c_10, 0xff_d4_88, 0.55, 1.0),
        Hour::Spring => (0x3c_5c_50, 0xff_ec_f0, 0.45, 1.08),
        Hour::Day => (0x10_30_40, 0xff_fc_f0, 0.25, 1.14),
    };
    let (shade, light) = (numbers(Color::hex(shade)), numbers(Color::hex(light)));
    let luma = Plane::luma(source).stretched();
    painted(source, |x, y, own| {
        let toned = mixed(shade, light, luma.at(x, y));
        mixed(own.map(f32::from), toned, strength).map(|c| c * gain)
    })
}

fn gray(source: &Picture) -> Picture {
    let luma = Plane::luma(source).stretched();
    painted(source, |x, y, _| [luma.at(x, y) * 255.0; 3])
}

/// Every color takes the hue, light stays light and dark stays dark.
fn tinted(source: &Picture, tint: Color, strength: f32) -> Picture {
    let ramp = ramp(tint);
    let luma = Plane::luma(source);
    painted(source, |x, y, own| mixed(own.map(f32::from), ramp[(luma.at(x, y) * 255.0) as usize], strength))
}

/// For every lightness the tint at that lightness.
fn ramp(tint: Color) -> Vec<[f32; 3]> {
    let (dark, light) = (tint.mix(Color::hex(0x08_08_14), 0.85), tint.mix(Color::WHITE, 0.88));
    (0..256)
        .map(|v| {
            let way = v as f32 / 255.0;
            numbers(if way < 0.5 { dark.mix(tint, way * 2.0) } else { tint.mix(light, way * 2.0 - 1.0) })
        })
        .collect()
}

fn sky_tinted(source: &Picture, tint: Color) -> Picture {
    let sky = sky(source);
    let ramp = ramp(tint);
    let luma = Plane::luma(source);
    painted(source, |x, y, own| {
        mixed(own.map(f32::from), ramp[(luma.at(x, y) * 255.0) as usize], 0.12 + 0.8 * sky.at(x, y))
    })
}

/// What is reached from the upper edge without a jump in color.
fn sky(source: &Picture) -> Plane {
    const JUMP: i32 = 20;
    let (width, height) = picture::inside(source, 256, 256);
    let small = picture::resize(source, width, height);
    let mut values = vec![0_u8; (width * height) as usize];
    let mut open: Vec<(u32, u32)> = (0..width).map(|x| (x, 0)).collect();
    while let Some((x, y)) = open.pop() {
        let index = (y * width + x) as usize;
        if values[index] > 0 {
            continue;
        }
        values[index] = 255;
        let own = small.get_pixel(x, y);
        for (nx, ny) in [(x.wrapping_sub(1), y), (x + 1, y), (x, y + 1), (x, y.wrapping_sub(1))] {
            if nx < width && ny < height && values[(ny * width + nx) as usize] == 0 {
                let next = small.get_pixel(nx, ny);
                let step: i32 = (0..3).map(|c| (i32::from(own[c]) - i32::from(next[c])).abs()).sum();
                if step < JUMP {
                    open.push((nx, ny));
                }
            }
        }
    }
    let mut sky = Plane { width, height, values }.blurred(2.0).resized(source.width(), source.height());
    let rows = source.height() as f32;
    for (index, value) in sky.values.iter_mut().enumerate() {
        let down = (index as u32 / source.width()) as f32 / rows;
        *value = (f32::from(*value) * smoothstep(0.85, 0.5, down)) as u8;
    }
    sky
}

fn snowed(source: &Picture) -> Picture {
    let mut easel = Easel::over(source);
    let mut dice = crate::sandbox::dice::Dice::of("snow");
    let unit = super::grain(source);
    for _ in 0..420 {
        let at = (dice.unit() * easel.width(), dice.unit() * easel.height());
        let near = dice.unit();
        let radius = unit * (1.2 + 5.0 * near * near);
        easel.disc(at, (radius, radius), Color::WHITE.with_alpha(0.6 + 0.35 * near));
    }
    easel.picture()
}
