//! `std/crop`: a part of a picture, pixel by pixel.

use image::GenericImageView;

use super::fault::Fault;
use super::fields::Fields;
use super::picture::{Part, Picture};
use super::{pixels, place};

/// Cuts out `width` by `height` at `x`, `y` or at a `gravity`, or the largest part of an
/// `aspect_ratio`.
pub(super) fn crop(fields: &Fields, source: &Picture) -> Result<Picture, Fault> {
    let gravity = place(fields, "gravity")?;
    let corner = (corner(fields, "x")?, corner(fields, "y")?);
    let size = (pixels(fields, "width")?, pixels(fields, "height")?);
    let anywhere = corner != (None, None);
    if anywhere && gravity.is_some() {
        return Err(Fault::new("`gravity` and `x`, `y` exclude each other: leave one of them out"));
    }
    let (across, down) = gravity.unwrap_or((0.5, 0.5));
    if let Some(ratio) = fields.text("aspect_ratio") {
        if anywhere || size != (None, None) {
            return Err(Fault::new(
                "`aspect_ratio` cuts by shape alone: leave out `x`, `y`, `width` and `height`",
            ));
        }
        return shaped(source, ratio, across, down);
    }
    let (own_width, own_height) = source.dimensions();
    if size == (None, None) && !anywhere {
        return Err(Fault::new("what to cut is missing: give `width` and `height`, or `aspect_ratio`"));
    }
    let left = |own: u32, at: Option<u32>, length: u32, part: f64| {
        at.unwrap_or_else(|| (f64::from(own.saturating_sub(length)) * part).round() as u32)
    };
    let width = size.0.unwrap_or_else(|| own_width.saturating_sub(corner.0.unwrap_or(0)));
    let height = size.1.unwrap_or_else(|| own_height.saturating_sub(corner.1.unwrap_or(0)));
    let (zero_x, zero_y) = (corner.0.or(anywhere.then_some(0)), corner.1.or(anywhere.then_some(0)));
    let (x, y) = (left(own_width, zero_x, width, across), left(own_height, zero_y, height, down));
    cut(source, x, y, width, height)
}

fn corner(fields: &Fields, name: &str) -> Result<Option<u32>, Fault> {
    match fields.number(name) {
        None => Ok(None),
        Some(n) if n >= 0.0 && n <= f64::from(u32::MAX) => Ok(Some(n.round() as u32)),
        Some(n) => Err(Fault::new(format!("`{name}: {n}` must be 0 or more"))),
    }
}

fn shaped(source: &Picture, ratio: &str, across: f64, down: f64) -> Result<Picture, Fault> {
    let sides = ratio
        .split_once(':')
        .and_then(|(w, h)| Some((w.trim().parse::<f64>().ok()?, h.trim().parse::<f64>().ok()?)));
    let Some((w, h)) = sides.filter(|(w, h)| w.is_finite() && h.is_finite() && *w > 0.0 && *h > 0.0) else {
        return Err(Fault::new(format!("`aspect_ratio: {ratio}` must look like \"16:9\"")));
    };
    let part = Part::of_shape(source, w, h, across, down);
    let (width, height) = ((part.width.round() as u32).max(1), (part.height.round() as u32).max(1));
    let (x, y) = (
        (part.x.round() as u32).min(source.width() - width),
        (part.y.round() as u32).min(source.height() - height),
    );
    cut(source, x, y, width, height)
}

fn cut(source: &Picture, x: u32, y: u32, width: u32, height: u32) -> Result<Picture, Fault> {
    let (own_width, own_height) = source.dimensions();
    let inside =
        |at: u32, length: u32, own: u32| length > 0 && u64::from(at) + u64::from(length) <= u64::from(own);
    if inside(x, width, own_width) && inside(y, height, own_height) {
        return Ok(source.view(x, y, width, height).to_image());
    }
    Err(Fault::new(format!(
        "{width}x{height} pixels at {x},{y} do not lie within the image, which has {own_width}x{own_height}"
    )))
}
