//! The local image tools behind the `std/` presets: free and exact.
//!
//! Each tool is one file and one function from [`fields::Fields`] to a picture. What the
//! tools share (reading, resizing, colors, lettering, files) stands beside them and also
//! serves the sandbox.
//!
//! Start reading at [`StdTools::create`].

pub(crate) mod color;
mod compose;
mod contact_sheet;
mod convert;
mod crop;
pub(crate) mod fault;
pub(crate) mod fields;
pub(crate) mod format;
pub(crate) mod lettering;
pub(crate) mod picture;
mod resize;
#[cfg(test)]
pub(crate) mod shelf;
#[cfg(test)]
mod tests;
pub(crate) mod workbench;

use castline_core::Snapshot;

use crate::call::{CallFault, Create, MediaSource};
use crate::outputs::Outputs;
use color::Color;
use fault::Fault;
use fields::{Fields, FileField};
use format::Format;
use picture::Picture;
use workbench::Made;

/// The way in which the tools work. It is part of the realm, so that results of another
/// way are not taken for the same.
pub const REVISION: u32 = 1;

/// The tools that there are, as models.
pub const TOOLS: &[&str] = &["std/contact-sheet", "std/resize", "std/crop", "std/convert", "std/compose"];

/// The local image tools.
#[derive(Debug, Default)]
pub struct StdTools {
    outputs: Outputs,
}

impl StdTools {
    /// Where its outputs wait to be fetched.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Does the work at once and answers with a terminal snapshot.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        let fields = Fields::of(create, media)?;
        let (tool, many) = (create.model.path(), create.output.many);
        let work = move || {
            let file = worked(&tool, &fields)?;
            Ok(if many { Made::Files(vec![file]) } else { Made::File(file) })
        };
        Ok(workbench::run("std", &self.outputs, work).await)
    }
}

fn worked(tool: &str, fields: &Fields) -> Result<Vec<u8>, Fault> {
    match tool {
        "std/contact-sheet" => written(fields, &contact_sheet::contact_sheet(fields)?, Format::Png),
        "std/resize" => kept(fields, resize::resize),
        "std/crop" => kept(fields, crop::crop),
        "std/convert" => kept(fields, convert::convert),
        "std/compose" => written(fields, &compose::compose(fields)?, Format::Png),
        other => Err(Fault::new(format!("there is no tool `{other}`: there are {}", TOOLS.join(", ")))),
    }
}

/// For tools that turn `image` into another one of the same format, unless `format` says
/// otherwise.
fn kept(
    fields: &Fields,
    tool: impl Fn(&Fields, &Picture) -> Result<Picture, Fault>,
) -> Result<Vec<u8>, Fault> {
    let file = file(fields, "image")?;
    let own = Format::sniff(file.bytes()?).unwrap_or(Format::Png);
    written(fields, &tool(fields, &file.picture()?)?, own)
}

fn written(fields: &Fields, picture: &Picture, usual: Format) -> Result<Vec<u8>, Fault> {
    let format = match fields.text("format") {
        Some(text) => Format::parse(text)
            .ok_or_else(|| Fault::new(format!("`format: {text}` cannot be written: use png, jpg or webp")))?,
        None => usual,
    };
    let quality = fields.number("quality").unwrap_or(90.0).clamp(0.0, 100.0) as u8;
    format::encode(picture, format, quality, color(fields, "background")?.unwrap_or(Color::WHITE))
}

/// The one file of a field.
fn file(fields: &Fields, name: &str) -> Result<FileField, Fault> {
    fields.files_of(name).into_iter().next().ok_or_else(|| Fault::new(format!("`{name}` needs an image")))
}

/// The color of a field.
fn color(fields: &Fields, name: &str) -> Result<Option<Color>, Fault> {
    let Some(text) = fields.text(name) else { return Ok(None) };
    Color::parse(text).map(Some).ok_or_else(|| {
        Fault::new(format!(
            "`{name}: {text}` is no color: write #rrggbb in quotes, a name such as white, or transparent"
        ))
    })
}

/// A length in whole pixels, at least one.
fn pixels(fields: &Fields, name: &str) -> Result<Option<u32>, Fault> {
    match fields.number(name) {
        None => Ok(None),
        Some(n) if n >= 1.0 && n <= f64::from(picture::LONGEST_SIDE) => Ok(Some(n.round() as u32)),
        Some(n) => {
            Err(Fault::new(format!("`{name}: {n}` must be from 1 to {} pixels", picture::LONGEST_SIDE)))
        }
    }
}

/// Refuses sizes that cannot be made.
fn fitting(width: u64, height: u64) -> Result<(u32, u32), Fault> {
    if width > 0 && height > 0 && picture::fits(width, height) {
        return Ok((width as u32, height as u32));
    }
    Err(Fault::new(format!(
        "the result would have {width}x{height} pixels: {} a side and {} megapixels are the most",
        picture::LONGEST_SIDE,
        picture::MOST_MEGAPIXELS
    )))
}

/// Where something lies in something larger, across and down, from 0 to 1.
fn place(fields: &Fields, name: &str) -> Result<Option<(f64, f64)>, Fault> {
    let Some(text) = fields.text(name) else { return Ok(None) };
    Ok(Some(match text {
        "center" => (0.5, 0.5),
        "top" => (0.5, 0.0),
        "bottom" => (0.5, 1.0),
        "left" => (0.0, 0.5),
        "right" => (1.0, 0.5),
        "top-left" => (0.0, 0.0),
        "top-right" => (1.0, 0.0),
        "bottom-left" => (0.0, 1.0),
        "bottom-right" => (1.0, 1.0),
        other => {
            return Err(Fault::new(format!(
                "`{name}: {other}` is unknown: use center, top, bottom, left, right, or a corner such as top-left"
            )));
        }
    }))
}
