use img_parts::jpeg::JpegSegment;
use proptest::prelude::*;

use super::*;

fn png() -> Vec<u8> {
    let mut png = Png::from_bytes(Bytes::from_static(b"\x89PNG\r\n\x1a\n")).unwrap();
    png.chunks_mut().extend([
        PngChunk::new(*b"IHDR", Bytes::from_static(b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0")),
        PngChunk::new(*b"IDAT", Bytes::from_static(b"x\x9cc\0\0\0\x02\0\x01")),
        PngChunk::new(*b"IEND", Bytes::new()),
    ]);
    png.encoder().bytes().into()
}

fn jpeg(more: &[(u8, &'static [u8])]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut add = |marker: u8, content: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        bytes.extend(content);
    };
    add(markers::APP0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    more.iter().for_each(|(marker, content)| add(*marker, content));
    add(0xc0, b"\x08\0\x01\0\x01\x01\x01\x11\0");
    add(markers::SOS, b"\x01\x01\0\0\x3f\0");
    bytes.extend(b"\x12\x34\xff\xd9and what follows");
    bytes
}

fn webp(chunks: Vec<([u8; 4], Vec<u8>)>) -> Vec<u8> {
    let subchunks = chunks.into_iter().map(|(id, data)| RiffChunk::new(id, RiffContent::Data(data.into())));
    let content = RiffContent::List { kind: Some(*b"WEBP"), subchunks: subchunks.collect() };
    RiffChunk::new(*b"RIFF", content).encoder().bytes().into()
}

/// One pixel, lossless; the alpha bit is the fourth from above in its last byte.
fn lossless(alpha: bool) -> Vec<u8> {
    vec![0x2f, 0, 0, 0, if alpha { 0x10 } else { 0 }, 0x88, 0x88, 0x08]
}

fn pictures() -> Vec<Vec<u8>> {
    let head = |flags: u8| (*b"VP8X", vec![flags, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    vec![
        png(),
        jpeg(&[]),
        jpeg(&[(markers::APP1, b"Exif\0\0MM\0*")]),
        webp(vec![(CHUNK_VP8L, lossless(false))]),
        webp(vec![(CHUNK_VP8L, lossless(true))]),
        webp(vec![head(HAS_ALPHA), (CHUNK_VP8L, lossless(true)), (*b"ODD ", vec![1, 2, 3])]),
    ]
}

#[test]
fn a_picture_comes_out_as_it_went_in() {
    let text = r#"{"prompt":"<a> & \"b\" \u0000 &amp; 'c' –  帆"}"#;
    for picture in pictures() {
        let with = embed(&picture, text).unwrap();
        assert_ne!(with, picture);
        assert_eq!(take(&with), Some(Taken { text: text.to_owned(), picture: picture.clone() }));
        assert_eq!(without(with), picture);
        assert_eq!(take(&picture), None);
        assert_eq!(without(picture.clone()), picture);
    }
}

#[test]
fn a_simple_webp_gets_a_head_that_tells_the_truth() {
    let head = |alpha| {
        let with = embed(&webp(vec![(CHUNK_VP8L, lossless(alpha))]), "{}").unwrap();
        let webp = WebP::from_bytes(with.into()).unwrap();
        let ids: Vec<_> = webp.chunks().iter().map(RiffChunk::id).collect();
        assert_eq!(ids, [CHUNK_VP8X, CHUNK_VP8L, CHUNK_XMP]);
        webp.chunks()[0].content().data().unwrap().to_vec()
    };
    assert_eq!(head(false), [HAS_XMP, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(head(true), [HAS_XMP | HAS_ALPHA, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_has_no_place_is_left_alone() {
    let own = "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>".as_bytes();
    // Others' XMP stays the only one.
    assert_eq!(embed(&jpeg(&[(markers::APP1, own)]), "{}"), None);
    assert_eq!(embed(&webp(vec![(CHUNK_VP8L, lossless(false)), (CHUNK_XMP, b"<x/>".to_vec())]), "{}"), None);
    // A segment of a JPEG holds 64 KiB less a few bytes.
    assert_eq!(embed(&jpeg(&[]), &"x".repeat(65_500)), None);
    assert!(embed(&png(), &"x".repeat(65_500)).is_some());
    // What stands behind the end of a PNG would be lost.
    assert_eq!(embed(&[png(), b"more".to_vec()].concat(), "{}"), None);
    for other in [&b"GIF89a"[..], b"", b"\x89PNG", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"text"] {
        assert_eq!(embed(other, "{}"), None, "{other:?}");
        assert_eq!(take(other), None, "{other:?}");
    }
}

#[test]
fn a_segment_that_only_looks_like_it_is_left_alone() {
    let mut jpeg = Jpeg::from_bytes(jpeg(&[]).into()).unwrap();
    let content = Bytes::from_static(b"castline:provenance=\"no XMP\"");
    jpeg.segments_mut().insert(0, JpegSegment::new_with_contents(markers::APP1, content));
    let bytes: Vec<u8> = jpeg.encoder().bytes().into();
    assert_eq!(take(&bytes), None);
}

proptest! {
    #[test]
    fn any_text_comes_back(text in "\\PC{0,200}") {
        // A JSON text has no other characters that XML does not have.
        let text = serde_json::to_string(&text).unwrap();
        for picture in pictures() {
            let with = embed(&picture, &text).unwrap();
            let taken = take(&with).unwrap();
            prop_assert_eq!(&taken.picture, &picture);
            let read = |text: &str| serde_json::from_str::<String>(text).unwrap();
            prop_assert_eq!(read(&taken.text), read(&text));
        }
    }

    #[test]
    fn broken_pictures_break_nothing(at in 0usize..100, byte: u8, cut in 0usize..200) {
        for picture in pictures() {
            let mut with = embed(&picture, "{}").unwrap();
            if let Some(place) = with.get_mut(at) {
                *place = byte;
            }
            with.truncate(cut.max(1));
            let _ = (take(&with), embed(&with, "{}"), without(with.clone()));
        }
    }
}
