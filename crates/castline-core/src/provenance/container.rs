//! A text inside of a picture: PNG in an `iTXt` chunk, JPEG and WebP as XMP.
//!
//! What is taken out again is the picture as it was, byte for byte. A picture for which that cannot
//! be is left as it is: the caller writes the text beside it.

use std::borrow::Cow;

use img_parts::Bytes;
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::{CHUNK_VP8L, CHUNK_VP8X, CHUNK_XMP, WebP};
use memchr::memmem;

/// What the text is called in a picture.
const NAME: &str = "castline:provenance";

/// What XMP in a JPEG begins with.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The most that fits into a segment of a JPEG, in bytes.
const MOST_IN_SEGMENT: usize = 65_533;

/// The bit of a WebP's flags that says that it has XMP.
const HAS_XMP: u8 = 0b0000_0100;
/// The bit that says that some of it is transparent.
const HAS_ALPHA: u8 = 0b0001_0000;

/// So many bytes of a file tell its format.
pub const HEAD: usize = 12;

/// True when a file that begins like this may have a text in it.
pub fn may_carry(head: &[u8]) -> bool {
    format(head).is_some()
}

/// A text that was in a picture, and the picture without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The text.
    pub text: String,
    /// The picture.
    pub picture: Vec<u8>,
}

/// Puts a text into a picture. None when the format, or this picture, has no place for it.
pub fn embed(picture: &[u8], text: &str) -> Option<Vec<u8>> {
    let bytes = Bytes::copy_from_slice(picture);
    let with = match format(picture)? {
        Format::Png => into_png(bytes, text),
        Format::Jpeg => into_jpeg(bytes, text),
        Format::WebP => into_webp(bytes, text),
    }?;
    (take(&with)?.picture == picture).then_some(with)
}

/// Takes a text out of a picture; none when there is none.
pub fn take(picture: &[u8]) -> Option<Taken> {
    let format = format(picture)?;
    // Few pictures have one, and those that have none are not taken apart.
    memmem::find(picture, NAME.as_bytes())?;
    let bytes = Bytes::copy_from_slice(picture);
    match format {
        Format::Png => out_of_png(bytes),
        Format::Jpeg => out_of_jpeg(bytes),
        Format::WebP => out_of_webp(bytes),
    }
}

/// A picture without what [`embed`] put into it.
pub fn without(picture: Vec<u8>) -> Vec<u8> {
    take(&picture).map_or(picture, |taken| taken.picture)
}

enum Format {
    Png,
    Jpeg,
    WebP,
}

fn format(picture: &[u8]) -> Option<Format> {
    match picture {
        [0x89, b'P', b'N', b'G', ..] => Some(Format::Png),
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        _ => None,
    }
}

fn into_png(bytes: Bytes, text: &str) -> Option<Vec<u8>> {
    let mut png = Png::from_bytes(bytes).ok()?;
    if png.chunks().is_empty() {
        return None;
    }
    // Not compressed, in no language, with no translation of its name.
    let content = [NAME.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat();
    png.chunks_mut().insert(1, PngChunk::new(*b"iTXt", content.into()));
    Some(png.encoder().bytes().into())
}

fn out_of_png(bytes: Bytes) -> Option<Taken> {
    let mut png = Png::from_bytes(bytes).ok()?;
    let text = |chunk: &PngChunk| {
        let text = chunk.contents().strip_prefix(NAME.as_bytes())?.strip_prefix(b"\0\0\0\0\0")?;
        std::str::from_utf8(text).ok().filter(|_| chunk.kind() == *b"iTXt").map(str::to_owned)
    };
    let (at, text) = png.chunks().iter().enumerate().find_map(|(at, chunk)| Some((at, text(chunk)?)))?;
    png.chunks_mut().remove(at);
    Some(Taken { text, picture: png.encoder().bytes().into() })
}

fn into_jpeg(bytes: Bytes, text: &str) -> Option<Vec<u8>> {
    let mut jpeg = Jpeg::from_bytes(bytes).ok()?;
    let content = [XMP, packet(text, "").as_bytes()].concat();
    let has_xmp = jpeg.segments().iter().any(|segment| segment.contents().starts_with(XMP));
    if has_xmp || content.len() > MOST_IN_SEGMENT {
        return None;
    }
    // JFIF has to stand first.
    let at = jpeg.segments().iter().take_while(|segment| segment.marker() == markers::APP0).count();
    jpeg.segments_mut().insert(at, JpegSegment::new_with_contents(markers::APP1, content.into()));
    Some(jpeg.encoder().bytes().into())
}

fn out_of_jpeg(bytes: Bytes) -> Option<Taken> {
    let mut jpeg = Jpeg::from_bytes(bytes).ok()?;
    let text = |segment: &JpegSegment| text_of(segment.contents().strip_prefix(XMP)?);
    let (at, text) =
        jpeg.segments().iter().enumerate().find_map(|(at, segment)| Some((at, text(segment)?)))?;
    jpeg.segments_mut().remove(at);
    Some(Taken { text, picture: jpeg.encoder().bytes().into() })
}

/// Said in the packet of a WebP that had no head for XMP before.
const SIMPLE: &str = " castline:simple=\"yes\"";

fn into_webp(bytes: Bytes, text: &str) -> Option<Vec<u8>> {
    let mut webp = WebP::from_bytes(bytes).ok()?;
    if webp.has_chunk(CHUNK_XMP) {
        return None;
    }
    let simple = !webp.has_chunk(CHUNK_VP8X);
    if simple {
        let head = head(&webp)?;
        webp.chunks_mut().insert(0, RiffChunk::new(CHUNK_VP8X, RiffContent::Data(head.into())));
    }
    flip_xmp(&mut webp)?;
    let packet = packet(text, if simple { SIMPLE } else { "" });
    webp.chunks_mut().push(RiffChunk::new(CHUNK_XMP, RiffContent::Data(packet.into())));
    Some(webp.encoder().bytes().into())
}

fn out_of_webp(bytes: Bytes) -> Option<Taken> {
    let mut webp = WebP::from_bytes(bytes).ok()?;
    let packet = webp.chunk_by_id(CHUNK_XMP)?.content().data()?.clone();
    let text = text_of(&packet)?;
    webp.remove_chunks_by_id(CHUNK_XMP);
    if memmem::find(&packet, SIMPLE.as_bytes()).is_some() {
        webp.remove_chunks_by_id(CHUNK_VP8X);
    } else {
        flip_xmp(&mut webp)?;
    }
    Some(Taken { text, picture: webp.encoder().bytes().into() })
}

/// The head that a WebP needs to have more than its picture: flags and the size less one.
fn head(webp: &WebP) -> Option<Vec<u8>> {
    let (width, height) = webp.dimensions()?;
    let lossless = webp.chunk_by_id(CHUNK_VP8L).and_then(|chunk| chunk.content().data());
    let alpha = lossless.is_some_and(|data| data.get(4).is_some_and(|byte| byte & 0x10 != 0));
    let mut head = vec![if alpha { HAS_ALPHA } else { 0 }, 0, 0, 0];
    for side in [width, height] {
        head.extend_from_slice(&side.checked_sub(1)?.to_le_bytes()[..3]);
    }
    Some(head)
}

/// Says that there is XMP, or that there is none any more.
fn flip_xmp(webp: &mut WebP) -> Option<()> {
    let head = webp.chunks_mut().iter_mut().find(|chunk| chunk.id() == CHUNK_VP8X)?;
    let RiffContent::Data(data) = head.content_mut() else { return None };
    let mut flags = data.to_vec();
    *flags.first_mut()? ^= HAS_XMP;
    *data = flags.into();
    Some(())
}

/// An XMP packet with a text, and more attributes.
fn packet(text: &str, more: &str) -> String {
    let text: String = text.chars().map(escaped).collect();
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:castline=\"urn:castline:1\"{more} {NAME}=\"{text}\"/>\
         </rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
    )
}

fn escaped(c: char) -> Cow<'static, str> {
    match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&quot;".into(),
        // A JSON text has these in strings only, where they may be written so. XML has no others.
        '\u{fffe}' => "\\ufffe".into(),
        '\u{ffff}' => "\\uffff".into(),
        c => c.to_string().into(),
    }
}

/// The text in a packet that [`packet`] made.
fn text_of(packet: &[u8]) -> Option<String> {
    let packet = std::str::from_utf8(packet).ok()?;
    let (_, rest) = packet.split_once(&format!(" {NAME}=\""))?;
    let (text, _) = rest.split_once('"')?;
    let entities = [("&quot;", "\""), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")];
    Some(entities.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests;
