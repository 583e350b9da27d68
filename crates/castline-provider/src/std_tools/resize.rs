//! `std/resize`: another size, by Lanczos.

use super::fault::Fault;
use super::fields::Fields;
use super::picture::{self, Picture};
use super::{fitting, pixels};

/// Resizes by `scale`, or to `width` and `height` in the way of `fit`.
pub(super) fn resize(fields: &Fields, source: &Picture) -> Result<Picture, Fault> {
    let (own_width, own_height) = (u64::from(source.width()), u64::from(source.height()));
    match (fields.number("scale"), pixels(fields, "width")?, pixels(fields, "height")?) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            Err(Fault::new("`scale` and `width` or `height` exclude each other: leave one of them out"))
        }
        (Some(scale), None, None) if scale > 0.0 && scale <= 100.0 => {
            let scaled = |side: u64| ((side as f64 * scale).round() as u64).max(1);
            let (width, height) = fitting(scaled(own_width), scaled(own_height))?;
            Ok(picture::resize(source, width, height))
        }
        (Some(scale), None, None) => {
            Err(Fault::new(format!("`scale: {scale}` must be above 0 and at most 100")))
        }
        (None, None, None) => Err(Fault::new("the size is missing: give `scale`, `width` or `height`")),
        (None, Some(width), Some(height)) => fitted(fields, source, width, height),
        (None, width, height) => {
            if let Some(fit @ ("cover" | "fill")) = fields.text("fit") {
                return Err(Fault::new(format!("`fit: {fit}` needs both `width` and `height`")));
            }
            let across = width.map_or(f64::INFINITY, |width| f64::from(width) / own_width as f64);
            let down = height.map_or(f64::INFINITY, |height| f64::from(height) / own_height as f64);
            let scale = across.min(down);
            let side = |given: Option<u32>, own: u64| {
                given.map_or(((own as f64 * scale).round() as u64).max(1), u64::from)
            };
            let (width, height) = fitting(side(width, own_width), side(height, own_height))?;
            Ok(picture::resize(source, width, height))
        }
    }
}

fn fitted(fields: &Fields, source: &Picture, width: u32, height: u32) -> Result<Picture, Fault> {
    fitting(u64::from(width), u64::from(height))?;
    match fields.text("fit").unwrap_or("inside") {
        "inside" => {
            let (width, height) = picture::inside(source, width, height);
            Ok(picture::resize(source, width, height))
        }
        "cover" => Ok(picture::cover(source, width, height, 0.5, 0.5)),
        "fill" => Ok(picture::resize(source, width, height)),
        other => Err(Fault::new(format!("`fit: {other}` is unknown: use inside, cover or fill"))),
    }
}
