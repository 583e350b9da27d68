//! `std/contact-sheet`: pictures in rows, each with its caption.

use super::color::Color;
use super::fault::Fault;
use super::fields::Fields;
use super::lettering::{Lettering, Ranged, Style};
use super::picture::{self, Picture};
use super::{color, fitting, pixels};

/// A warm gray on which both white and dark pictures stand out.
const GROUND: Color = Color::hex(0xe9_e5_dd);
const DARK_INK: Color = Color::hex(0x2b_28_2e);
const LIGHT_INK: Color = Color::hex(0xf4_f1_ea);

/// A caption has so many lines at most.
const CAPTION_LINES: usize = 2;

/// One picture and its caption, at its size on the sheet.
struct Cell {
    picture: Picture,
    caption: Option<Lettering>,
}

/// What a row needs.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    picture: u32,
    caption: u32,
}

/// Lays the pictures out.
pub(super) fn contact_sheet(fields: &Fields) -> Result<Picture, Fault> {
    let files = fields.files_of("images");
    if files.is_empty() {
        return Err(Fault::new("`images` needs at least one image"));
    }
    let captions = captions(fields, files.len())?;
    let size = pixels(fields, "cell")?.unwrap_or(512);
    let gap = fields.number("gap").map_or(size / 20, |gap| gap.clamp(0.0, 1_000.0) as u32);
    let ground = color(fields, "background")?.unwrap_or(GROUND);
    let pictures = files
        .iter()
        .map(|file| {
            let own = file.picture()?;
            let (width, height) = picture::inside(&own, size, size);
            Ok(picture::resize(&own, width, height))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let column = pictures.iter().map(Picture::width).max().expect("there is a picture");
    let style = Style {
        size: (size as f32 / 21.0).max(12.0),
        width: column as f32,
        lines: CAPTION_LINES,
        ranged: Ranged::Center,
    };
    let cells: Vec<_> = pictures
        .into_iter()
        .zip(captions)
        .map(|(picture, text)| {
            let caption = (!text.trim().is_empty()).then(|| Lettering::set(&text, &style));
            Cell { picture, caption }
        })
        .collect();
    let columns =
        pixels(fields, "columns")?.unwrap_or_else(|| usual_columns(cells.len())).min(cells.len() as u32);
    laid_out(cells, columns, column, gap, ground)
}

/// One text for every picture, or none at all.
fn captions(fields: &Fields, pictures: usize) -> Result<Vec<String>, Fault> {
    let captions = fields.texts("captions");
    if captions.is_empty() {
        return Ok(vec![String::new(); pictures]);
    }
    if captions.len() == pictures {
        return Ok(captions);
    }
    Err(Fault::new(format!(
        "`captions` has {} texts and `images` has {pictures}: give one text for each image, or leave `captions` out",
        captions.len()
    )))
}

/// One row for up to four, then about as many rows as columns.
fn usual_columns(pictures: usize) -> u32 {
    match pictures {
        0..=4 => pictures.max(1) as u32,
        many => (many as f64).sqrt().ceil() as u32,
    }
}

fn laid_out(cells: Vec<Cell>, columns: u32, column: u32, gap: u32, ground: Color) -> Result<Picture, Fault> {
    let rows: Vec<Row> = cells.chunks(columns as usize).map(|cells| row(cells, gap)).collect();
    let width = u64::from(columns) * u64::from(column + gap) + u64::from(gap);
    let height =
        u64::from(gap) + rows.iter().map(|row| u64::from(row.picture + row.caption + gap)).sum::<u64>();
    let (width, height) = fitting(width, height)?;
    let mut sheet = Picture::from_pixel(width, height, ground.pixel());
    let ink = if ground.alpha < 128 || ground.luma() > 0.5 { DARK_INK } else { LIGHT_INK };
    let mut top = gap;
    for (index, mut cell) in cells.into_iter().enumerate() {
        let (across, row) = (index as u32 % columns, rows[index / columns as usize]);
        if index > 0 && across == 0 {
            let above = rows[index / columns as usize - 1];
            top += above.picture + above.caption + gap;
        }
        let left = gap + across * (column + gap);
        let inset = ((column - cell.picture.width()) / 2, (row.picture - cell.picture.height()) / 2);
        let at = (i64::from(left + inset.0), i64::from(top + inset.1));
        shade(&mut sheet, at, cell.picture.dimensions(), gap);
        picture::paste(&mut sheet, &cell.picture, at.0, at.1, 1.0);
        if let Some(caption) = &mut cell.caption {
            caption.draw(&mut sheet, left, top + row.picture + space(gap), ink);
        }
    }
    Ok(sheet)
}

fn row(cells: &[Cell], gap: u32) -> Row {
    let caption =
        |cell: &Cell| cell.caption.as_ref().map_or(0, |caption| caption.height() as u32 + space(gap));
    Row {
        picture: cells.iter().map(|cell| cell.picture.height()).max().unwrap_or(0),
        caption: cells.iter().map(caption).max().unwrap_or(0),
    }
}

/// Between a picture and its caption.
fn space(gap: u32) -> u32 {
    (gap * 2 / 5).max(4)
}

/// A faint shadow around a picture, so that it lies on the sheet.
fn shade(sheet: &mut Picture, at: (i64, i64), size: (u32, u32), gap: u32) {
    let reach = i64::from((gap / 6).min(6));
    let ground = sheet.get_pixel(0, 0)[3];
    if ground < 255 {
        return;
    }
    let dark = image::Rgba([40, 34, 30, 255]);
    for ring in 1..=reach {
        let (left, top) = (at.0 - ring, at.1 - ring + 1);
        let (right, bottom) = (at.0 + i64::from(size.0) + ring - 1, at.1 + i64::from(size.1) + ring);
        let faint = 0.16 * (1.0 - ring as f32 / (reach + 1) as f32);
        let mut dot = |x: i64, y: i64| {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && let Some(pixel) = sheet.get_pixel_mut_checked(x, y)
            {
                picture::blend(pixel, dark, faint);
            }
        };
        (left..=right).for_each(|x| [top, bottom].into_iter().for_each(|y| dot(x, y)));
        (top + 1..bottom).for_each(|y| [left, right].into_iter().for_each(|x| dot(x, y)));
    }
}
