//! Large pixels in few colors.

use image::imageops;

use crate::sandbox::dice::Dice;
use crate::std_tools::picture::{self, Picture};

/// Makes large pixels of the picture.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let across = 96 + 16 * dice.below(4) as u32;
    let (width, height) = picture::inside(source, across, across);
    let mut small = picture::resize(source, width, height);
    for (x, y, pixel) in small.enumerate_pixels_mut() {
        let weave = [[-0.375, 0.125], [0.375, -0.125_f32]][(y % 2) as usize][(x % 2) as usize];
        let mean = pixel.0[..3].iter().map(|&c| f32::from(c)).sum::<f32>() / 3.0;
        for channel in &mut pixel.0[..3] {
            let rich = mean + (f32::from(*channel) - mean) * 1.3;
            let level = (rich / 255.0 * 9.0 + weave * 0.35).round().clamp(0.0, 9.0);
            *channel = (level / 9.0 * 255.0) as u8;
        }
    }
    imageops::resize(&small, source.width(), source.height(), imageops::FilterType::Nearest)
}
