//! Background removal: what is like the border, and reached from it, goes.
//!
//! The work is done small; only the soft edge is brought to full size.

use super::plane::{self, Plane};
use super::plate;
use crate::std_tools::color::Color;
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::Fields;
use crate::std_tools::picture::{self, Picture};

/// The longest side at which the background is looked for.
const SMALL: u32 = 640;

/// How far from the border's colors a pixel may be and still be background.
const LIKE_BORDER: f32 = 42.0;

/// How much two neighbors in a background may differ.
const LIKE_NEIGHBOR: f32 = 5.0;

/// Cuts out what is not background, and puts behind it what the input asks.
pub(crate) fn cut_out(fields: &Fields, source: &Picture) -> Result<Picture, Fault> {
    let mut subject = subject(source);
    if let Some(threshold) = fields.number("threshold").filter(|&t| t > 0.0) {
        let limit = if threshold <= 1.0 { threshold * 255.0 } else { threshold.min(255.0) };
        subject.values.iter_mut().for_each(|v| *v = if f64::from(*v) > limit { 255 } else { 0 });
    }
    if fields.flag("reverse") {
        subject.values.iter_mut().for_each(|v| *v = 255 - *v);
    }
    let cut = masked(source, &subject);
    match fields.text("background_type").unwrap_or("rgba") {
        "rgba" => Ok(cut),
        "map" => Ok(map(&subject)),
        "blur" => Ok(over(&plane::blur(source, source.width().max(source.height()) as f32 / 40.0), &cut)),
        "overlay" => {
            Ok(over(&Picture::from_pixel(cut.width(), cut.height(), Color::hex(0x20_c0_60).pixel()), &cut))
        }
        other => match Color::parse(other).or_else(|| triple(other)) {
            Some(color) => Ok(picture::flattened(&cut, color)),
            None => Err(Fault::new(format!(
                "`background_type: {other}` is unknown to the sandbox: it knows rgba, map, blur, overlay and colors"
            ))),
        },
    }
}

fn masked(source: &Picture, subject: &Plane) -> Picture {
    let mut cut = source.clone();
    for (pixel, &keep) in cut.pixels_mut().zip(&subject.values) {
        pixel[3] = (u16::from(pixel[3]) * u16::from(keep) / 255) as u8;
    }
    cut
}

fn map(subject: &Plane) -> Picture {
    let bytes = subject.values.iter().flat_map(|&v| [v, v, v, 255]).collect();
    Picture::from_raw(subject.width, subject.height, bytes).expect("four bytes a pixel")
}

fn over(ground: &Picture, cut: &Picture) -> Picture {
    let mut whole = ground.clone();
    picture::paste(&mut whole, cut, 0, 0, 1.0);
    whole
}

/// `255,200,0` or `[255, 200, 0]`.
fn triple(text: &str) -> Option<Color> {
    let channels: Vec<u8> = text
        .trim_matches(['[', ']', '(', ')'])
        .split(',')
        .map(|c| c.trim().parse().ok())
        .collect::<Option<_>>()?;
    let [red, green, blue] = channels.try_into().ok()?;
    Some(Color { red, green, blue, alpha: 255 })
}

/// How much of every pixel belongs to the subject. A plate of ours never does.
pub(crate) fn subject(source: &Picture) -> Plane {
    let art = plate::without_plate(source);
    let seen = art.as_ref().unwrap_or(source);
    let (width, height) = picture::inside(seen, SMALL.min(seen.width()), SMALL.min(seen.height()));
    let small = picture::resize(&picture::flattened(seen, Color::WHITE), width, height);
    let mut subject = outlined(&small).resized(seen.width(), seen.height());
    subject.values.resize((source.width() * source.height()) as usize, 0);
    subject.height = source.height();
    subject
}

fn outlined(small: &Picture) -> Plane {
    let (width, height) = (small.width() as usize, small.height() as usize);
    let border = border_colors(small);
    let background = flood(small, &border);
    let kept = background.iter().filter(|&&is| !is).count();
    let subject: Vec<bool> = if kept * 200 < background.len() || kept * 100 > background.len() * 97 {
        unlike_border(small, &border)
    } else {
        background.iter().map(|&is| !is).collect()
    };
    let subject = without_specks(subject, width);
    let values = subject.into_iter().map(|is| if is { 255 } else { 0 }).collect();
    softened(&Plane { width: width as u32, height: height as u32, values })
}

/// Specks removed, the edge made soft.
fn softened(mask: &Plane) -> Plane {
    let blurred = mask.blurred(4.0);
    let values = blurred
        .values
        .iter()
        .map(|&v| (plane::smoothstep(0.3, 0.7, f32::from(v) / 255.0) * 255.0) as u8)
        .collect();
    Plane { values, ..blurred }
}

/// Without islands that have less than a hundredth of the largest one's pixels.
fn without_specks(mut subject: Vec<bool>, width: usize) -> Vec<bool> {
    let mut seen = vec![false; subject.len()];
    let mut islands: Vec<Vec<usize>> = Vec::new();
    for start in 0..subject.len() {
        if subject[start] && !seen[start] {
            islands.push(island(&subject, &mut seen, start, width));
        }
    }
    let largest = islands.iter().map(Vec::len).max().unwrap_or(0);
    for island in islands.iter().filter(|island| island.len() * 100 < largest) {
        for &index in island {
            subject[index] = false;
        }
    }
    subject
}

fn island(subject: &[bool], seen: &mut [bool], start: usize, width: usize) -> Vec<usize> {
    let (mut island, mut open) = (Vec::new(), vec![start]);
    seen[start] = true;
    while let Some(index) = open.pop() {
        island.push(index);
        for next in neighbors(index, width, subject.len()) {
            if subject[next] && !seen[next] {
                seen[next] = true;
                open.push(next);
            }
        }
    }
    island
}

/// Left, right, above and below, as far as there are any.
fn neighbors(index: usize, width: usize, count: usize) -> impl Iterator<Item = usize> {
    let x = index % width;
    [
        (x > 0).then(|| index - 1),
        (x + 1 < width).then(|| index + 1),
        index.checked_sub(width),
        Some(index + width).filter(|&below| below < count),
    ]
    .into_iter()
    .flatten()
}

type Rgb = [f32; 3];

fn rgb(picture: &Picture, index: usize) -> Rgb {
    let pixel = &picture.as_raw()[index * 4..index * 4 + 3];
    [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])]
}

fn distance(a: Rgb, b: Rgb) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

/// The few colors that the border is made of (k-means, begun evenly along it).
fn border_colors(picture: &Picture) -> Vec<Rgb> {
    let colors: Vec<Rgb> = border(picture).into_iter().map(|index| rgb(picture, index)).collect();
    let mut centers: Vec<Rgb> = (0..6).map(|k| colors[k * colors.len() / 6]).collect();
    for _ in 0..6 {
        let mut sums = vec![([0.0_f32; 3], 0_u32); centers.len()];
        for &color in &colors {
            let slot = &mut sums[nearest(&centers, color).0];
            (0..3).for_each(|c| slot.0[c] += color[c]);
            slot.1 += 1;
        }
        for (center, (sum, count)) in centers.iter_mut().zip(sums) {
            if count > 0 {
                *center = sum.map(|channel| channel / count as f32);
            }
        }
    }
    centers
}

fn nearest(centers: &[Rgb], color: Rgb) -> (usize, f32) {
    let distances = centers.iter().map(|&center| distance(center, color)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are centers")
}

/// The pixels at the edge, clockwise is not promised.
fn border(picture: &Picture) -> Vec<usize> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rows = (0..width).flat_map(|x| [x, (height - 1) * width + x]);
    rows.chain((0..height).flat_map(|y| [y * width, y * width + width - 1])).collect()
}

/// Everything that can be reached from the border over pixels like it.
fn flood(picture: &Picture, border_colors: &[Rgb]) -> Vec<bool> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut reached = vec![false; width * height];
    let mut open: Vec<usize> = border(picture)
        .into_iter()
        .filter(|&i| nearest(border_colors, rgb(picture, i)).1 < LIKE_BORDER)
        .collect();
    for &index in &open {
        reached[index] = true;
    }
    while let Some(index) = open.pop() {
        for next in neighbors(index, width, reached.len()) {
            let color = rgb(picture, next);
            let away = nearest(border_colors, color).1;
            let step = distance(color, rgb(picture, index));
            let background = away < LIKE_BORDER * 0.5 || (away < LIKE_BORDER && step < LIKE_NEIGHBOR);
            if !reached[next] && background {
                reached[next] = true;
                open.push(next);
            }
        }
    }
    reached
}

/// The fifth of the pixels that is least like the border, for pictures without a clear one.
fn unlike_border(picture: &Picture, border_colors: &[Rgb]) -> Vec<bool> {
    let count = (picture.width() * picture.height()) as usize;
    let away: Vec<f32> = (0..count).map(|i| nearest(border_colors, rgb(picture, i)).1).collect();
    let mut sorted = away.clone();
    sorted.sort_by(f32::total_cmp);
    let limit = sorted[count * 4 / 5];
    away.into_iter().map(|distance| distance > limit || (limit == 0.0 && distance > 0.0)).collect()
}
