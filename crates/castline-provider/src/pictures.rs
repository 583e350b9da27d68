//! How alike two pictures are, as a number and as a picture to look at.
//!
//! The number is the mean structural similarity of their luma (Wang and others, 2004) over
//! windows of eight by eight pixels: 1 for the same picture, about 0 for two that have nothing
//! in common. It does not see a change of hue alone, which is why the mean difference of the
//! channels stands beside it. Of an animation the first frame is compared.
//!
//! Start reading at [`compare`].

use std::io::Cursor;

use image::{ImageFormat, Rgba};

use crate::std_tools::color::Color;
use crate::std_tools::picture::{self, Picture};

/// Pixels of a window's side.
const WINDOW: usize = 8;
/// Pixels from one window to the next.
const STRIDE: usize = 4;
/// Keeps dark windows from dividing by nothing: (0.01 of the range) squared.
const C1: f64 = 2.55 * 2.55;
/// The same for even windows: (0.03 of the range) squared.
const C2: f64 = 7.65 * 7.65;
/// How much wider or higher than the other a picture may be and still have the same shape.
const SAME_SHAPE: f64 = 0.02;
/// The longest side of a panel in a picture of the difference.
const PANEL: u32 = 1024;
/// Pixels between the panels.
const GAP: u32 = 12;

/// How alike two pictures are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Mean structural similarity, at most 1; none when they have not the same shape.
    pub ssim: Option<f64>,
    /// Mean difference of red, green and blue, from 0 to 1; none when they have not the same
    /// shape.
    pub difference: Option<f64>,
    /// Pixels of the left one: width and height.
    pub left: (u32, u32),
    /// Pixels of the right one.
    pub right: (u32, u32),
}

/// Two pictures that were read.
pub struct Pair {
    left: Picture,
    right: Picture,
}

impl Pair {
    /// Reads two pictures; the error is for people, and says which of them is none.
    pub fn read(left: &[u8], right: &[u8]) -> Result<Self, String> {
        // What lets light through is put on gray, so that neither black nor white is lost.
        let read = |bytes: &[u8], which: &str| match picture::read(bytes) {
            Ok(picture) => Ok(picture::flattened(&picture, GRAY)),
            Err(why) => Err(format!("the {which} one is no picture: {why}")),
        };
        Ok(Self { left: read(left, "left")?, right: read(right, "right")? })
    }

    /// How alike they are. Pictures of one shape and other sizes are compared at the smaller.
    pub fn likeness(&self) -> Likeness {
        let (left, right) = (self.left.dimensions(), self.right.dimensions());
        let same = self.at_one_size();
        let ssim = same.as_ref().map(|(left, right)| ssim(left, right));
        let difference = same.as_ref().map(|(left, right)| mean_difference(left, right));
        Likeness { ssim, difference, left, right }
    }

    /// A PNG that shows the left one, the right one and, when they have the same shape, where
    /// they differ: from black over red and yellow to white.
    pub fn to_look_at(&self) -> Result<Vec<u8>, String> {
        let mut panels = vec![panel(&self.left), panel(&self.right)];
        if let Some((left, right)) = self.at_one_size() {
            panels.push(panel(&heat(&left, &right)));
        }
        let gaps = GAP * (panels.len() as u32 - 1);
        let width = panels.iter().map(Picture::width).sum::<u32>() + gaps;
        let height = panels.iter().map(Picture::height).max().unwrap_or(1);
        let mut sheet = Picture::from_pixel(width, height, Rgba([255, 255, 255, 255]));
        let mut x = 0;
        for panel in &panels {
            picture::paste(&mut sheet, panel, i64::from(x), 0, 1.0);
            x += panel.width() + GAP;
        }
        let mut bytes = Vec::new();
        sheet.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    /// Both at the size of the smaller; none when their shapes differ.
    fn at_one_size(&self) -> Option<(Picture, Picture)> {
        let ((w1, h1), (w2, h2)) = (self.left.dimensions(), self.right.dimensions());
        let shape = |w: u32, h: u32| f64::from(w) / f64::from(h);
        if (shape(w1, h1) / shape(w2, h2) - 1.0).abs() > SAME_SHAPE {
            return None;
        }
        let (w, h) = if w1 <= w2 { (w1, h1) } else { (w2, h2) };
        Some((picture::resize(&self.left, w, h), picture::resize(&self.right, w, h)))
    }
}

/// How alike two pictures are; the error is for people.
pub fn compare(left: &[u8], right: &[u8]) -> Result<Likeness, String> {
    Ok(Pair::read(left, right)?.likeness())
}

const GRAY: Color = Color { red: 128, green: 128, blue: 128, alpha: 255 };

/// Structural similarity, the mean over all windows.
fn ssim(left: &Picture, right: &Picture) -> f64 {
    let (left_luma, right_luma) = (luma(left), luma(right));
    let (width, height) = (left.width() as usize, left.height() as usize);
    let (mut sum, mut windows) = (0.0, 0.0);
    for y in starts(height) {
        for x in starts(width) {
            let part = Part { x, y, width: WINDOW.min(width), height: WINDOW.min(height) };
            sum += part.ssim(&left_luma, &right_luma, width);
            windows += 1.0;
        }
    }
    sum / windows
}

/// Where windows begin along a side, the last at its end.
fn starts(side: usize) -> impl Iterator<Item = usize> {
    let last = side.saturating_sub(WINDOW);
    (0..last).step_by(STRIDE).chain([last])
}

/// A window.
struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Part {
    fn ssim(&self, left: &[f32], right: &[f32], width: usize) -> f64 {
        let (mut a, mut b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for y in self.y..self.y + self.height {
            let row = y * width + self.x..y * width + self.x + self.width;
            for (l, r) in left[row.clone()].iter().zip(&right[row]) {
                let (l, r) = (f64::from(*l), f64::from(*r));
                a += l;
                b += r;
                aa += l * l;
                bb += r * r;
                ab += l * r;
            }
        }
        let n = (self.width * self.height) as f64;
        let (mean_a, mean_b) = (a / n, b / n);
        let (var_a, var_b) = (aa / n - mean_a * mean_a, bb / n - mean_b * mean_b);
        let covariance = ab / n - mean_a * mean_b;
        (2.0 * mean_a * mean_b + C1) * (2.0 * covariance + C2)
            / ((mean_a * mean_a + mean_b * mean_b + C1) * (var_a + var_b + C2))
    }
}

/// How light each pixel is, from 0 to 255.
fn luma(picture: &Picture) -> Vec<f32> {
    let light = |p: &Rgba<u8>| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    picture.pixels().map(light).collect()
}

fn mean_difference(left: &Picture, right: &Picture) -> f64 {
    let pixels = left.pixels().zip(right.pixels());
    let sum: u64 = pixels.map(|(l, r)| (0..3).map(|c| u64::from(l[c].abs_diff(r[c]))).sum::<u64>()).sum();
    sum as f64 / (f64::from(left.width()) * f64::from(left.height()) * 3.0 * 255.0)
}

/// Where two pictures differ. Small differences are made large enough to be seen.
fn heat(left: &Picture, right: &Picture) -> Picture {
    Picture::from_fn(left.width(), left.height(), |x, y| {
        let (l, r) = (left.get_pixel(x, y), right.get_pixel(x, y));
        let most = (0..3).map(|c| l[c].abs_diff(r[c])).max().unwrap_or(0);
        let heat = (f32::from(most) / 255.0).sqrt() * 3.0;
        let channel = |from: f32| ((heat - from).clamp(0.0, 1.0) * 255.0).round() as u8;
        Rgba([channel(0.0), channel(1.0), channel(2.0), 255])
    })
}

fn panel(picture: &Picture) -> Picture {
    if picture.width().max(picture.height()) <= PANEL {
        return picture.clone();
    }
    let (width, height) = picture::inside(picture, PANEL, PANEL);
    picture::resize(picture, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(picture: &Picture) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    fn gray(width: u32, height: u32, light: impl Fn(u32, u32) -> u8) -> Picture {
        Picture::from_fn(width, height, |x, y| {
            let light = light(x, y);
            Rgba([light, light, light, 255])
        })
    }

    fn likeness(left: &Picture, right: &Picture) -> Likeness {
        compare(&png(left), &png(right)).unwrap()
    }

    fn similarity(left: &Picture, right: &Picture) -> f64 {
        likeness(left, right).ssim.unwrap()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} and not {expected}");
    }

    fn waves(x: u32, y: u32) -> u8 {
        (128.0 + 90.0 * (f64::from(x) / 5.0).sin() * (f64::from(y) / 7.0).cos()) as u8
    }

    #[test]
    fn a_picture_is_just_like_itself_whatever_its_size() {
        for (width, height) in [(1, 1), (3, 20), (8, 8), (9, 9), (61, 47)] {
            let picture = gray(width, height, waves);
            close(similarity(&picture, &picture), 1.0);
            assert_eq!(likeness(&picture, &picture).difference, Some(0.0));
        }
    }

    #[test]
    fn even_pictures_differ_as_the_formula_says() {
        let (a, b) = (100.0, 150.0);
        let expected = (2.0 * a * b + C1) / (a * a + b * b + C1);
        let found = likeness(&gray(32, 24, |_, _| 100), &gray(32, 24, |_, _| 150));
        close(found.ssim.unwrap(), expected);
        close(found.difference.unwrap(), 50.0 / 255.0);
    }

    #[test]
    fn a_pattern_that_is_turned_round_is_as_unlike_as_can_be() {
        // Both have the mean 127.5 and the variance 127.5 squared, and the opposite sign.
        let board = gray(32, 32, |x, y| if (x + y) % 2 == 0 { 255 } else { 0 });
        let other = gray(32, 32, |x, y| if (x + y) % 2 == 0 { 0 } else { 255 });
        let variance = 127.5 * 127.5;
        close(similarity(&board, &other), (C2 - 2.0 * variance) / (2.0 * variance + C2));
        assert_eq!(likeness(&board, &other).difference, Some(1.0));
    }

    #[test]
    fn the_more_is_changed_the_less_alike_they_are() {
        let picture = gray(64, 64, waves);
        let with_square =
            |side: u32| gray(64, 64, move |x, y| if x < side && y < side { 255 } else { waves(x, y) });
        let found: Vec<f64> = [0, 8, 24, 64].map(|side| similarity(&picture, &with_square(side))).into();
        assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "{found:?}");
    }

    #[test]
    fn another_hue_of_the_same_light_is_seen_in_the_difference_alone() {
        let red = Picture::from_pixel(16, 16, Rgba([200, 0, 0, 255]));
        // 200 times the weight of red over that of green.
        let green = Picture::from_pixel(16, 16, Rgba([0, 102, 0, 255]));
        let found = likeness(&red, &green);
        assert!(found.ssim.unwrap() > 0.999 && found.difference.unwrap() > 0.3, "{found:?}");
    }

    #[test]
    fn one_shape_is_compared_at_the_smaller_size_and_another_is_not() {
        let large = gray(128, 64, waves);
        let small = picture::resize(&large, 64, 32);
        let found = likeness(&large, &small);
        assert_eq!((found.left, found.right), ((128, 64), (64, 32)));
        assert!(found.ssim.unwrap() > 0.95, "{found:?}");
        let found = likeness(&large, &gray(64, 64, waves));
        assert_eq!((found.ssim, found.difference), (None, None));
    }

    #[test]
    fn the_picture_to_look_at_shows_both_and_where_they_differ() {
        let left = gray(40, 20, |_, _| 100);
        let right = gray(40, 20, |x, _| if x < 20 { 100 } else { 101 });
        let pair = Pair::read(&png(&left), &png(&right)).unwrap();
        let sheet = picture::read(&pair.to_look_at().unwrap()).unwrap();
        assert_eq!(sheet.dimensions(), (3 * 40 + 2 * GAP, 20));
        let third = 2 * (40 + GAP);
        assert_eq!(sheet.get_pixel(third, 5), &Rgba([0, 0, 0, 255]));
        assert!(sheet.get_pixel(third + 30, 5)[0] > 40, "one step of 255 is seen");
        let other = Pair::read(&png(&left), &png(&gray(20, 20, waves))).unwrap();
        assert_eq!(picture::read(&other.to_look_at().unwrap()).unwrap().dimensions(), (40 + GAP + 20, 20));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let why = compare(&png(&gray(4, 4, waves)), b"a text").unwrap_err();
        assert_eq!(
            why,
            "the right one is no picture: it is text/plain, and only png, jpeg, webp and gif can be read"
        );
    }
}
