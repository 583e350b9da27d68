//! Pictures in memory: read with limits, resized with Lanczos, pasted onto each other.
//!
//! A [`Picture`] is always eight bits of red, green, blue and alpha. What its bytes were
//! is forgotten; what they become is decided in [`super::format`].

use std::io::Cursor;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgba, RgbaImage};

use super::color::Color;

/// Eight bits of red, green, blue and alpha.
pub(crate) type Picture = RgbaImage;

/// The longest side that is read or made.
pub(crate) const LONGEST_SIDE: u32 = 16_383;

/// The most pixels that are read or made, in millions.
pub(crate) const MOST_MEGAPIXELS: u64 = 100;

/// Why bytes are no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is empty")]
    Empty,
    #[error("it is {0}, and only png, jpeg, webp and gif can be read")]
    OtherMedia(String),
    #[error(
        "it has {width}x{height} pixels, more than {MOST_MEGAPIXELS} megapixels or {LONGEST_SIDE} a side"
    )]
    TooLarge { width: u32, height: u32 },
    #[error("{0}")]
    Broken(#[from] image::ImageError),
}

/// Reads a picture, turned as its camera said. Its size is looked at before its pixels.
pub(crate) fn read(bytes: &[u8]) -> Result<Picture, Unreadable> {
    if bytes.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::from)?;
    if reader.format().is_none_or(|format| !format.reading_enabled()) {
        return Err(Unreadable::OtherMedia(castline_core::MediaType::sniff(bytes).to_string()));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEGAPIXELS * 1_000_000 * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if !fits(u64::from(width), u64::from(height)) {
        return Err(Unreadable::TooLarge { width, height });
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image.into_rgba8())
}

/// True when a picture of this size may be read or made.
pub(crate) fn fits(width: u64, height: u64) -> bool {
    width.max(height) <= u64::from(LONGEST_SIDE) && width * height <= MOST_MEGAPIXELS * 1_000_000
}

/// A part of a picture, in pixels that may be broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Part {
    /// The largest part with the shape of `width` to `height`; `across` and `down` say
    /// where it lies, from 0 (left, top) to 1 (right, bottom).
    pub(crate) fn of_shape(picture: &Picture, width: f64, height: f64, across: f64, down: f64) -> Self {
        let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
        let shape = width / height;
        let (part_w, part_h) = if w / h > shape { (h * shape, h) } else { (w, w / shape) };
        Self { x: (w - part_w) * across, y: (h - part_h) * down, width: part_w, height: part_h }
    }
}

/// The whole picture at another size.
pub(crate) fn resize(picture: &Picture, width: u32, height: u32) -> Picture {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    scaled(picture, width, height, ResizeOptions::new())
}

/// One part of the picture at another size.
pub(crate) fn resize_part(picture: &Picture, part: Part, width: u32, height: u32) -> Picture {
    scaled(picture, width, height, ResizeOptions::new().crop(part.x, part.y, part.width, part.height))
}

/// Fills the size, cutting off what does not fit.
pub(crate) fn cover(picture: &Picture, width: u32, height: u32, across: f64, down: f64) -> Picture {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    let part = Part::of_shape(picture, f64::from(width), f64::from(height), across, down);
    resize_part(picture, part, width, height)
}

fn scaled(picture: &Picture, width: u32, height: u32, options: ResizeOptions) -> Picture {
    let opaque = is_opaque(picture);
    let options = options.resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(!opaque);
    let source = fast_image_resize::images::ImageRef::new(
        picture.width(),
        picture.height(),
        picture.as_raw(),
        fast_image_resize::PixelType::U8x4,
    )
    .expect("four bytes a pixel");
    let mut target = fast_image_resize::images::Image::new(
        width.max(1),
        height.max(1),
        fast_image_resize::PixelType::U8x4,
    );
    Resizer::new().resize(&source, &mut target, &options).expect("the part lies within the picture");
    Picture::from_raw(width.max(1), height.max(1), target.into_vec()).expect("four bytes a pixel")
}

/// The size with the same shape that fits into `width` by `height`.
pub(crate) fn inside(picture: &Picture, width: u32, height: u32) -> (u32, u32) {
    let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
    let scale = (f64::from(width) / w).min(f64::from(height) / h);
    (
        ((w * scale).round() as u32).clamp(1, width.max(1)),
        ((h * scale).round() as u32).clamp(1, height.max(1)),
    )
}

/// True when no pixel lets anything through.
pub(crate) fn is_opaque(picture: &Picture) -> bool {
    picture.as_raw().chunks_exact(4).all(|pixel| pixel[3] == 255)
}

/// Puts a picture onto another one, over what is there; parts outside are left out.
pub(crate) fn paste(canvas: &mut Picture, over: &Picture, left: i64, top: i64, opacity: f32) {
    let columns = left.max(0)..(left + i64::from(over.width())).min(i64::from(canvas.width()));
    for y in top.max(0)..(top + i64::from(over.height())).min(i64::from(canvas.height())) {
        for x in columns.clone() {
            let source = over.get_pixel((x - left) as u32, (y - top) as u32);
            let alpha = f32::from(source[3]) / 255.0 * opacity;
            blend(canvas.get_pixel_mut(x as u32, y as u32), *source, alpha);
        }
    }
}

/// Lays one color over a pixel.
pub(crate) fn blend(under: &mut Rgba<u8>, over: Rgba<u8>, alpha: f32) {
    if alpha <= 0.0 {
        return;
    }
    if alpha >= 1.0 {
        *under = Rgba([over[0], over[1], over[2], 255]);
        return;
    }
    let below = f32::from(under[3]) / 255.0 * (1.0 - alpha);
    let total = alpha + below;
    for channel in 0..3 {
        let mixed = (f32::from(over[channel]) * alpha + f32::from(under[channel]) * below) / total;
        under[channel] = (mixed + 0.5) as u8;
    }
    under[3] = (total * 255.0 + 0.5) as u8;
}

/// The picture on a plain ground, without alpha.
pub(crate) fn flattened(picture: &Picture, ground: Color) -> Picture {
    let mut flat = picture.clone();
    for pixel in flat.pixels_mut() {
        if pixel[3] < 255 {
            let over = *pixel;
            *pixel = ground.opaque();
            blend(pixel, over, f32::from(over[3]) / 255.0);
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        Picture::from_pixel(width, height, Rgba([1, 2, 3, 255]))
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
            .unwrap();
        bytes
    }

    #[test]
    fn a_header_that_promises_too_many_pixels_is_refused_before_they_are_read() {
        let mut bytes = png(1, 1);
        bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(
            read(&bytes).unwrap_err().to_string(),
            "it has 60000x60000 pixels, more than 100 megapixels or 16383 a side"
        );
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    #[test]
    fn text_is_named_for_what_it_is() {
        assert_eq!(
            read(b"no picture at all").unwrap_err().to_string(),
            "it is text/plain, and only png, jpeg, webp and gif can be read"
        );
    }

    #[test]
    fn the_part_of_another_shape_keeps_one_side() {
        let picture = Picture::new(200, 100);
        assert_eq!(
            Part::of_shape(&picture, 1.0, 1.0, 0.5, 0.5),
            Part { x: 50.0, y: 0.0, width: 100.0, height: 100.0 }
        );
    }

    #[test]
    fn half_transparent_white_over_black_is_gray() {
        let mut pixel = Rgba([0, 0, 0, 255]);
        blend(&mut pixel, Rgba([255, 255, 255, 255]), 0.5);
        assert_eq!(pixel, Rgba([128, 128, 128, 255]));
    }
}
