//! `std/convert`: another file format, or a ground under what is transparent.

use super::color;
use super::fault::Fault;
use super::fields::Fields;
use super::picture::{self, Picture};

/// Lays the picture on `background` where one is given; the format is the writer's work.
pub(super) fn convert(fields: &Fields, source: &Picture) -> Result<Picture, Fault> {
    Ok(match color(fields, "background")? {
        Some(ground) if ground.alpha == 255 => picture::flattened(source, ground),
        _ => source.clone(),
    })
}
