//! `std/compose`: one picture over another, beside it, or under it.

use image::GenericImage;

use super::color::Color;
use super::fault::Fault;
use super::fields::Fields;
use super::picture::{self, Picture};
use super::{color, file, fitting, place};

/// Puts `over` onto or next to `image` in the way of `mode`.
pub(super) fn compose(fields: &Fields) -> Result<Picture, Fault> {
    let image = file(fields, "image")?.picture()?;
    let over = file(fields, "over")?.picture()?;
    let mode = fields.text("mode").unwrap_or("overlay");
    let wrong: &[&str] = match mode {
        "overlay" => &["gap"],
        "side-by-side" | "stack" => &["position", "opacity", "over_width", "margin"],
        other => {
            return Err(Fault::new(format!(
                "`mode: {other}` is unknown: use overlay, side-by-side or stack"
            )));
        }
    };
    if let Some(name) = wrong.iter().find(|name| fields.get(name).is_some()) {
        return Err(Fault::new(format!(
            "`{name}` means nothing with `mode: {mode}`: leave it out, or change the mode"
        )));
    }
    match mode {
        "overlay" => overlaid(fields, &image, &over),
        _ => joined(fields, &image, &over, mode == "stack"),
    }
}

fn overlaid(fields: &Fields, image: &Picture, over: &Picture) -> Result<Picture, Fault> {
    let over = match fields.number("over_width") {
        None => over.clone(),
        Some(part) if part > 0.0 && part <= 1.0 => {
            let width = (f64::from(image.width()) * part).round().max(1.0) as u32;
            let height =
                (f64::from(over.height()) * f64::from(width) / f64::from(over.width())).round().max(1.0);
            let (width, height) = fitting(u64::from(width), height as u64)?;
            picture::resize(over, width, height)
        }
        Some(part) => {
            return Err(Fault::new(format!(
                "`over_width: {part}` must be above 0 and at most 1, a part of `image`'s width"
            )));
        }
    };
    let (across, down) = place(fields, "position")?.unwrap_or((0.5, 0.5));
    let margin = fields.number("margin").unwrap_or(0.0).clamp(0.0, 1e5);
    let at = |own: u32, its: u32, part: f64| {
        let room = f64::from(own) - f64::from(its) - 2.0 * margin;
        (margin + room * part).round() as i64
    };
    let opacity = fields.number("opacity").unwrap_or(1.0).clamp(0.0, 1.0) as f32;
    let mut composed = image.clone();
    let (x, y) = (at(image.width(), over.width(), across), at(image.height(), over.height(), down));
    picture::paste(&mut composed, &over, x, y, opacity);
    Ok(composed)
}

/// Beside or under each other; `over` takes the height or width of `image`.
fn joined(fields: &Fields, image: &Picture, over: &Picture, stacked: bool) -> Result<Picture, Fault> {
    let gap = fields.number("gap").unwrap_or(0.0).clamp(0.0, 10_000.0) as u32;
    let ground = color(fields, "background")?.unwrap_or(Color::WHITE);
    let (w, h) = image.dimensions();
    let matched = |own: u32, its: u32, side: u32| {
        (f64::from(side) * f64::from(own) / f64::from(its)).round().max(1.0) as u64
    };
    let (over_width, over_height) = if stacked {
        fitting(u64::from(w), matched(w, over.width(), over.height()))?
    } else {
        fitting(matched(h, over.height(), over.width()), u64::from(h))?
    };
    let over = picture::resize(over, over_width, over_height);
    let (w, h, gap) = (u64::from(w), u64::from(h), u64::from(gap));
    let (width, height) = if stacked {
        fitting(w, h + gap + u64::from(over_height))?
    } else {
        fitting(w + gap + u64::from(over_width), h)?
    };
    let mut joined = Picture::from_pixel(width, height, ground.pixel());
    joined.copy_from(image, 0, 0).expect("the canvas is larger");
    joined.copy_from(&over, width - over_width, height - over_height).expect("the canvas is larger");
    Ok(joined)
}
