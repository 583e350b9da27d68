//! A watercolor: washes with dark rims on rough paper, white at the edge.

use super::ukiyoe::hash;
use super::{grain, painted};
use crate::sandbox::dice::{Dice, Ridge};
use crate::sandbox::plane::{self, Plane, smoothstep};
use crate::std_tools::picture::Picture;

/// Paints the picture in washes.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let wet = displaced(&plane::blur(source, 3.5 * unit), dice, unit);
    let washes = washed(&Plane::luma(&wet).stretched());
    let soft = washes.blurred(2.5 * unit);
    let pools = pools(source, dice, unit);
    let rim = Rim::new(source, dice, unit);
    let reach = (1.5 * unit).max(1.0) as u32;
    painted(&wet, |x, y, own| {
        let tone = soft.at(x, y);
        let dried = smoothstep(0.05, 0.2, washes.edge(x, y, reach)) * 0.2;
        let pool = (pools.at(x, y) - 0.5) * 0.24;
        let rough = (hash(x / 2, y / 2) - 0.5) * 0.035 + (hash(x / 5, y / 5) - 0.5) * 0.03;
        let paper = [251.0, 248.0, 241.0];
        let mean = own.iter().map(|&c| f32::from(c)).sum::<f32>() / 3.0;
        let wash = own.map(|c| (mean + (f32::from(c) - mean) * 1.25) / 255.0);
        let thin = (0.42 + 0.3 * tone + pool).clamp(0.1, 0.9);
        let cover = rim.cover(x, y);
        [0, 1, 2].map(|c| {
            let pigment = wash[c] + (1.0 - wash[c]) * thin * 0.55 - dried + rough;
            paper[c] * (1.0 + (pigment - 1.0) * cover)
        })
    })
}

/// Every place looks a little aside, so that edges run.
fn displaced(source: &Picture, dice: &mut Dice, unit: f32) -> Picture {
    let (across, down) = (pools(source, dice, unit * 0.5), pools(source, dice, unit * 0.5));
    painted(source, |x, y, _| {
        let aside = |plane: &Plane| (plane.at(x, y) - 0.5) * 9.0 * unit;
        let from_x = (x as f32 + aside(&across)).clamp(0.0, source.width() as f32 - 1.0);
        let from_y = (y as f32 + aside(&down)).clamp(0.0, source.height() as f32 - 1.0);
        let pixel = source.get_pixel(from_x as u32, from_y as u32);
        [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])]
    })
}

fn washed(luma: &Plane) -> Plane {
    let curve: Vec<u8> = (0..256_u32).map(|v| ((v * 6 / 256) * 255 / 5) as u8).collect();
    Plane { values: luma.values.iter().map(|&v| curve[usize::from(v)]).collect(), ..*luma }
}

/// Slow chance, about forty across.
fn pools(source: &Picture, dice: &mut Dice, unit: f32) -> Plane {
    let small = |side: u32| ((side as f32 / (45.0 * unit)) as u32).max(2);
    let (width, height) = (small(source.width()), small(source.height()));
    let values = (0..width * height).map(|_| (dice.unit() * 255.0) as u8).collect();
    Plane { width, height, values }.resized(source.width(), source.height())
}

/// The ragged edge of the painting.
struct Rim {
    left: Vec<f32>,
    right: Vec<f32>,
    top: Vec<f32>,
    bottom: Vec<f32>,
    soft: f32,
    size: (f32, f32),
}

impl Rim {
    fn new(source: &Picture, dice: &mut Dice, unit: f32) -> Self {
        let mut side = |length: u32| -> Vec<f32> {
            let ridge = Ridge::new(dice, 4);
            (0..length).map(|i| (24.0 + 15.0 * ridge.at(i as f32 / (70.0 * unit))) * unit).collect()
        };
        let (width, height) = source.dimensions();
        Self {
            left: side(height),
            right: side(height),
            top: side(width),
            bottom: side(width),
            soft: 2.0 * unit,
            size: (width as f32, height as f32),
        }
    }

    /// 1 within the painting, 0 on bare paper.
    fn cover(&self, x: u32, y: u32) -> f32 {
        let inside = |distance: f32, edge: f32| smoothstep(edge - self.soft, edge + self.soft, distance);
        let (fx, fy) = (x as f32, y as f32);
        inside(fx, self.left[y as usize])
            * inside(self.size.0 - fx, self.right[y as usize])
            * inside(fy, self.top[x as usize])
            * inside(self.size.1 - fy, self.bottom[x as usize])
    }
}
