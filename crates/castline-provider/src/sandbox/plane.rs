//! One number for every pixel: lightness, edges, masks, and how they are smoothed.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::std_tools::picture::{self, Picture};

/// Numbers from 0 to 1, one for every pixel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) values: Vec<u8>,
}

impl Plane {
    /// How light every pixel is.
    pub(crate) fn luma(picture: &Picture) -> Self {
        let values = picture
            .as_raw()
            .chunks_exact(4)
            .map(|p| ((u32::from(p[0]) * 54 + u32::from(p[1]) * 183 + u32::from(p[2]) * 19) >> 8) as u8)
            .collect();
        Self { width: picture.width(), height: picture.height(), values }
    }

    /// How much every pixel covers.
    pub(crate) fn alpha(picture: &Picture) -> Self {
        let values = picture.as_raw().chunks_exact(4).map(|p| p[3]).collect();
        Self { width: picture.width(), height: picture.height(), values }
    }

    /// Another size, smoothly.
    pub(crate) fn resized(&self, width: u32, height: u32) -> Self {
        if (self.width, self.height) == (width, height) {
            return self.clone();
        }
        // Four bytes a pixel are all that the resizer is built for: each further kind is larger than the fonts.
        let wide: Vec<u8> = self.values.iter().flat_map(|value| [*value; 4]).collect();
        let source =
            ImageRef::new(self.width, self.height, &wide, PixelType::U8x4).expect("four bytes a pixel");
        let mut target = Image::new(width.max(1), height.max(1), PixelType::U8x4);
        let smooth = ResizeAlg::Convolution(FilterType::CatmullRom);
        let options = ResizeOptions::new().resize_alg(smooth).use_alpha(false);
        Resizer::new().resize(&source, &mut target, &options).expect("both planes have pixels");
        let values = target.buffer().iter().step_by(4).copied().collect();
        Self { width: width.max(1), height: height.max(1), values }
    }

    /// Blurred over about so many pixels: made small, smoothed there, made large again.
    pub(crate) fn blurred(&self, radius: f32) -> Self {
        let small = |side: u32| small_side(side, radius);
        let mut blurred = self.resized(small(self.width), small(self.height));
        smooth(&mut blurred.values, blurred.width as usize, 1);
        blurred.resized(self.width, self.height)
    }

    /// The value of a pixel, from 0 to 1; beyond the edges that of the nearest one.
    pub(crate) fn at(&self, x: u32, y: u32) -> f32 {
        let index = y.min(self.height - 1) * self.width + x.min(self.width - 1);
        f32::from(self.values[index as usize]) / 255.0
    }

    /// How much the values rise across and down, measured so many pixels to each side.
    pub(crate) fn slope(&self, x: u32, y: u32, reach: u32) -> (f32, f32) {
        let across = self.at(x + reach, y) - self.at(x.saturating_sub(reach), y);
        let down = self.at(x, y + reach) - self.at(x, y.saturating_sub(reach));
        (across, down)
    }

    /// How strongly the values change at a pixel.
    pub(crate) fn edge(&self, x: u32, y: u32, reach: u32) -> f32 {
        let (across, down) = self.slope(x, y, reach);
        (across * across + down * down).sqrt()
    }

    /// Darkest and lightest, without the outermost hundredth.
    pub(crate) fn range(&self) -> (f32, f32) {
        let mut counts = [0_usize; 256];
        for value in &self.values {
            counts[usize::from(*value)] += 1;
        }
        let few = self.values.len() / 100;
        let beyond = |order: &[usize]| {
            let mut seen = 0;
            order.iter().copied().find(|&value| {
                seen += counts[value];
                seen > few
            })
        };
        let rising: Vec<usize> = (0..256).collect();
        let falling: Vec<usize> = (0..256).rev().collect();
        let (low, high) = (beyond(&rising).unwrap_or(0), beyond(&falling).unwrap_or(255));
        (low as f32 / 255.0, high as f32 / 255.0)
    }

    /// Stretched so that it uses everything between 0 and 1.
    pub(crate) fn stretched(mut self) -> Self {
        let (low, high) = self.range();
        let span = (high - low).max(0.05);
        let curve: Vec<u8> =
            (0..256).map(|v| ((v as f32 / 255.0 - low) / span * 255.0).clamp(0.0, 255.0) as u8).collect();
        for value in &mut self.values {
            *value = curve[usize::from(*value)];
        }
        self
    }
}

/// A picture blurred over about so many pixels.
pub(crate) fn blur(picture: &Picture, radius: f32) -> Picture {
    let small = |side: u32| small_side(side, radius);
    let mut blurred = picture::resize(picture, small(picture.width()), small(picture.height()));
    let width = blurred.width() as usize;
    smooth(&mut blurred, width, 4);
    picture::resize(&blurred, picture.width(), picture.height())
}

/// A side at which neighbors are as far apart as a blur reaches.
fn small_side(side: u32, radius: f32) -> u32 {
    ((side as f32 / (radius * 0.6).max(1.0)).round() as u32).clamp(1, side)
}

/// Mixes every value with its neighbors, one to two to one, across and down.
fn smooth(values: &mut [u8], width: usize, channels: usize) {
    let row = width * channels;
    let height = values.len() / row.max(1);
    let mixed = |a: u8, b: u8, c: u8| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) / 4) as u8;
    let before = values.to_vec();
    for (index, value) in values.iter_mut().enumerate() {
        let column = index % row / channels;
        let left = if column > 0 { before[index - channels] } else { before[index] };
        let right = if column + 1 < width { before[index + channels] } else { before[index] };
        *value = mixed(left, before[index], right);
    }
    let before = values.to_vec();
    for (index, value) in values.iter_mut().enumerate() {
        let line = index / row;
        let above = if line > 0 { before[index - row] } else { before[index] };
        let below = if line + 1 < height { before[index + row] } else { before[index] };
        *value = mixed(above, before[index], below);
    }
}

/// From 0 below `low` to 1 above `high`, without corners.
pub(crate) fn smoothstep(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
