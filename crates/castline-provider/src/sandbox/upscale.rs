//! Real enlargement, as far as Lanczos goes.

use super::frame::Frame;
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::Fields;
use crate::std_tools::picture::{self, Picture};

/// The longest side of an enlarged picture.
const LONGEST_SIDE: f64 = 8_192.0;

/// The most pixels of an enlarged picture.
const MOST_PIXELS: f64 = 64e6;

/// The fields that say how much to enlarge.
const FACTORS: [&str; 5] = ["scale", "upscale_factor", "scale_factor", "upscale", "factor"];

/// Enlarges by what the input asks, twice when it does not ask.
pub(crate) fn upscale(fields: &Fields, picture: &Picture) -> Result<Picture, Fault> {
    let (name, factor) = factor(fields);
    let (width, height) = (f64::from(picture.width()) * factor, f64::from(picture.height()) * factor);
    if width.max(height) > LONGEST_SIDE || width * height > MOST_PIXELS {
        return Err(Fault::new(format!(
            "`{name}: {factor}` would make {width:.0}x{height:.0} pixels of {}x{}: \
             the sandbox enlarges to {LONGEST_SIDE} a side and {} megapixels at most",
            picture.width(),
            picture.height(),
            MOST_PIXELS / 1e6
        )));
    }
    let target = Frame { width: (width.round() as u32).max(1), height: (height.round() as u32).max(1) };
    Ok(picture::resize(picture, target.width, target.height))
}

pub(crate) fn factor(fields: &Fields) -> (&'static str, f64) {
    let Some(name) = FACTORS.into_iter().find(|name| fields.get(name).is_some()) else {
        return ("scale", 2.0);
    };
    match fields.number(name) {
        Some(factor) if factor > 0.0 => (name, factor),
        _ => (name, 1.0),
    }
}
