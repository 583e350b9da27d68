//! Picture files: png, jpeg and webp, at the quality that was asked.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::color::Color;
use super::fault::Fault;
use super::picture::{self, Picture};

/// A way to write a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Exact, with alpha.
    Png,
    /// Lossy, without alpha.
    Jpeg,
    /// Lossy, with alpha.
    Webp,
}

impl Format {
    /// Reads `png`, `jpg`, `jpeg`, `webp`, also as a media type.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().trim_start_matches("image/") {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "webp" => Some(Self::Webp),
            _ => None,
        }
    }

    /// The format that bytes are in, when it is one of ours.
    pub(crate) fn sniff(bytes: &[u8]) -> Option<Self> {
        Self::parse(castline_core::MediaType::sniff(bytes).as_str())
    }
}

/// Writes a picture. `quality` is 0 to 100 and means nothing to png; `ground` is what a
/// jpeg has where the picture lets light through.
pub(crate) fn encode(
    picture: &Picture,
    format: Format,
    quality: u8,
    ground: Color,
) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Png => png(picture),
        Format::Jpeg => jpeg(picture, quality, ground),
        Format::Webp => webp(picture, quality),
    }
}

fn png(picture: &Picture) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(
        Cursor::new(&mut bytes),
        CompressionType::Level(4),
        FilterType::Adaptive,
    );
    let (width, height) = picture.dimensions();
    let written = if picture::is_opaque(picture) {
        encoder.write_image(&rgb(picture), width, height, ExtendedColorType::Rgb8)
    } else {
        encoder.write_image(picture.as_raw(), width, height, ExtendedColorType::Rgba8)
    };
    written.map_err(|e| Fault::new(format!("the png cannot be written: {e}")))?;
    Ok(bytes)
}

fn jpeg(picture: &Picture, quality: u8, ground: Color) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    let flat =
        if picture::is_opaque(picture) { rgb(picture) } else { rgb(&picture::flattened(picture, ground)) };
    JpegEncoder::new_with_quality(Cursor::new(&mut bytes), quality.clamp(1, 100))
        .write_image(&flat, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| Fault::new(format!("the jpeg cannot be written: {e}")))?;
    Ok(bytes)
}

fn webp(picture: &Picture, quality: u8) -> Result<Vec<u8>, Fault> {
    let (width, height) = picture.dimensions();
    let mut config = webp::WebPConfig::new().map_err(|()| Fault::new("libwebp does not start"))?;
    config.quality = f32::from(quality.min(100));
    config.method = 2;
    let written = if picture::is_opaque(picture) {
        webp::Encoder::from_rgb(&rgb(picture), width, height).encode_advanced(&config)
    } else {
        webp::Encoder::from_rgba(picture.as_raw(), width, height).encode_advanced(&config)
    };
    written.map(|bytes| bytes.to_vec()).map_err(|e| Fault::new(format!("the webp cannot be written: {e:?}")))
}

fn rgb(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(picture.as_raw().len() / 4 * 3);
    for pixel in picture.as_raw().chunks_exact(4) {
        bytes.extend_from_slice(&pixel[..3]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    fn stripes() -> Picture {
        Picture::from_fn(64, 64, |x, y| Rgba([(x * 4) as u8, (y * 4) as u8, (x * y) as u8, 255]))
    }

    #[test]
    fn every_format_has_its_own_first_bytes() {
        for (format, magic) in
            [(Format::Png, &b"\x89PNG"[..]), (Format::Jpeg, b"\xff\xd8\xff"), (Format::Webp, b"RIFF")]
        {
            let bytes = encode(&stripes(), format, 80, Color::WHITE).unwrap();
            assert!(bytes.starts_with(magic), "{format:?}");
            assert_eq!(Format::sniff(&bytes), Some(format));
        }
    }

    #[test]
    fn a_lower_quality_gives_a_smaller_file() {
        for format in [Format::Jpeg, Format::Webp] {
            let [low, high] = [20, 95].map(|q| encode(&stripes(), format, q, Color::WHITE).unwrap().len());
            assert!(low * 3 < high * 2, "{format:?}: {low} and {high} bytes");
        }
    }

    #[test]
    fn a_jpeg_shows_the_ground_through_clear_pixels() {
        let clear = Picture::from_pixel(16, 16, Rgba([0, 0, 0, 0]));
        let bytes = encode(&clear, Format::Jpeg, 95, Color::hex(0xff_00_00)).unwrap();
        let pixel = *picture::read(&bytes).unwrap().get_pixel(8, 8);
        assert!(pixel[0] > 245 && pixel[1] < 10 && pixel[2] < 10, "{pixel:?}");
    }

    #[test]
    fn a_webp_keeps_alpha() {
        let half = Picture::from_fn(32, 32, |x, _| Rgba([200, 40, 40, if x < 16 { 0 } else { 255 }]));
        let read = picture::read(&encode(&half, Format::Webp, 80, Color::WHITE).unwrap()).unwrap();
        assert_eq!((read.get_pixel(2, 16)[3], read.get_pixel(30, 16)[3]), (0, 255));
    }
}
