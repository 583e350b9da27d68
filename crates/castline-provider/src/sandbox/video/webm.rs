//! WebM files of VP8 pictures that all stand for themselves.
//!
//! A lossy WebP picture *is* such a picture in another wrapping, so that films are written
//! and read with the codec that pictures are. Browsers and players show them; films of
//! others are read as far as they have such pictures.
//!
//! Start reading at [`Film::write`].

use castline_core::ebml;

use crate::std_tools::color::Color;
use crate::std_tools::fault::Fault;
use crate::std_tools::format::{self, Format};
use crate::std_tools::picture::{self, Picture};

/// A cluster covers so many milliseconds at most; times in it have 15 bits.
const CLUSTER: u64 = 5_000;

/// More pictures of a film are not read.
const MOST_FRAMES: usize = 20_000;

/// A film: pictures and when they are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Film {
    /// Pixels.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
    /// Milliseconds.
    pub(crate) length: u64,
    frames: Vec<Frame>,
}

/// One picture of a film.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    /// Milliseconds from the start.
    at: u64,
    /// A VP8 key frame.
    vp8: Vec<u8>,
}

/// Ids of the elements that are written or read.
mod id {
    pub(super) const EBML: u32 = 0x1a45_dfa3;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(super) const SEEK: u32 = 0x4dbb;
    pub(super) const SEEK_ID: u32 = 0x53ab;
    pub(super) const SEEK_POSITION: u32 = 0x53ac;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const MUXING_APP: u32 = 0x4d80;
    pub(super) const WRITING_APP: u32 = 0x5741;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_UID: u32 = 0x73c5;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_LACING: u32 = 0x9c;
    pub(super) const DEFAULT_DURATION: u32 = 0x23_e383;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const CUES: u32 = 0x1c53_bb6b;
    pub(super) const CUE_POINT: u32 = 0xbb;
    pub(super) const CUE_TIME: u32 = 0xb3;
    pub(super) const CUE_TRACK_POSITIONS: u32 = 0xb7;
    pub(super) const CUE_TRACK: u32 = 0xf7;
    pub(super) const CUE_CLUSTER_POSITION: u32 = 0xf1;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TIMESTAMP: u32 = 0xe7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(super) const BLOCK: u32 = 0xa1;
}

impl Film {
    /// A film that has no pictures yet. `length` is in milliseconds.
    pub(crate) fn new(width: u32, height: u32, length: u64) -> Self {
        Self { width, height, length, frames: Vec::new() }
    }

    /// Adds a picture of the film's size, to be shown from `at` milliseconds on.
    pub(crate) fn add(&mut self, at: u64, picture: &Picture, quality: u8) -> Result<(), Fault> {
        debug_assert_eq!(picture.dimensions(), (self.width, self.height));
        let webp = format::encode(picture, Format::Webp, quality, Color::WHITE)?;
        let vp8 = vp8_of(&webp).ok_or_else(|| Fault::new("libwebp wrote no lossy picture"))?;
        self.frames.push(Frame { at, vp8: vp8.to_vec() });
        Ok(())
    }

    /// The picture that is shown at a time, in milliseconds; none when it is broken.
    pub(crate) fn at(&self, at: u64) -> Option<Picture> {
        let next = self.frames.partition_point(|frame| frame.at <= at);
        self.frames.get(next.max(1) - 1)?.picture()
    }

    /// The file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let head = master(
            id::EBML,
            &[
                number(0x4286, 1),        // EBMLVersion
                number(0x42f7, 1),        // EBMLReadVersion
                number(0x42f2, 4),        // EBMLMaxIDLength
                number(0x42f3, 8),        // EBMLMaxSizeLength
                element(0x4282, b"webm"), // DocType
                number(0x4287, 2),        // DocTypeVersion
                number(0x4285, 2),        // DocTypeReadVersion
            ],
        );
        let (info, tracks, clusters) = (self.info(), self.tracks(), self.clusters());
        // Positions are counted from the first byte in the segment; they have a fixed length,
        // so that what is written before them does not depend on them.
        let seek = |cues: u64, tracks: u64, info: u64| {
            let to = |id: u32, at: u64| {
                master(id::SEEK, &[element(id::SEEK_ID, &id.to_be_bytes()), fixed(id::SEEK_POSITION, at)])
            };
            master(id::SEEK_HEAD, &[to(id::INFO, info), to(id::TRACKS, tracks), to(id::CUES, cues)])
        };
        let at_info = seek(0, 0, 0).len() as u64;
        let at_tracks = at_info + info.len() as u64;
        let at_cues = at_tracks + tracks.len() as u64;
        let cues = |start: u64| {
            let mut at = start;
            let points: Vec<Vec<u8>> = clusters
                .iter()
                .map(|(time, cluster)| {
                    let position = [number(id::CUE_TRACK, 1), fixed(id::CUE_CLUSTER_POSITION, at)];
                    at += cluster.len() as u64;
                    master(
                        id::CUE_POINT,
                        &[fixed(id::CUE_TIME, *time), master(id::CUE_TRACK_POSITIONS, &position)],
                    )
                })
                .collect();
            master(id::CUES, &points)
        };
        let cues = cues(at_cues + cues(0).len() as u64);
        let mut parts = vec![seek(at_cues, at_tracks, at_info), info, tracks, cues];
        parts.extend(clusters.into_iter().map(|(_, cluster)| cluster));
        [head, master(id::SEGMENT, &parts)].concat()
    }

    fn info(&self) -> Vec<u8> {
        master(
            id::INFO,
            &[
                number(id::TIMESTAMP_SCALE, 1_000_000),
                element(id::DURATION, &(self.length as f64).to_be_bytes()),
                element(id::MUXING_APP, b"castline"),
                element(id::WRITING_APP, b"castline sandbox"),
            ],
        )
    }

    fn tracks(&self) -> Vec<u8> {
        let video =
            [number(id::PIXEL_WIDTH, self.width.into()), number(id::PIXEL_HEIGHT, self.height.into())];
        let each = self.length * 1_000_000 / self.frames.len().max(1) as u64;
        let entry = [
            number(id::TRACK_NUMBER, 1),
            number(id::TRACK_UID, 1),
            number(id::TRACK_TYPE, 1),
            number(id::FLAG_LACING, 0),
            number(id::DEFAULT_DURATION, each.max(1)),
            element(id::CODEC_ID, b"V_VP8"),
            master(id::VIDEO, &video),
        ];
        master(id::TRACKS, &[master(id::TRACK_ENTRY, &entry)])
    }

    /// Each cluster with the time of its first picture.
    fn clusters(&self) -> Vec<(u64, Vec<u8>)> {
        let mut clusters: Vec<(u64, Vec<Vec<u8>>)> = Vec::new();
        for frame in &self.frames {
            if clusters.last().is_none_or(|(start, _)| frame.at - start >= CLUSTER) {
                clusters.push((frame.at, vec![number(id::TIMESTAMP, frame.at)]));
            }
            let (start, blocks) = clusters.last_mut().expect("one was begun");
            let after = (frame.at - *start) as i16;
            // Track 1, and the flag of a picture that stands for itself.
            let head = [&[0x81][..], &after.to_be_bytes(), &[0x80]].concat();
            blocks.push(element(id::SIMPLE_BLOCK, &[&head, frame.vp8.as_slice()].concat()));
        }
        clusters.into_iter().map(|(start, blocks)| (start, master(id::CLUSTER, &blocks))).collect()
    }

    /// Reads a file: the pictures of its first VP8 track that stand for themselves. None
    /// where there are none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut film = Self::new(0, 0, 0);
        let (mut scale, mut length) = (1_000_000, None);
        let (mut entry, mut track, mut start) = (None, None, 0);
        for (id, inside) in ebml::elements(bytes) {
            match id {
                id::TIMESTAMP_SCALE => scale = ebml::number(inside)?.max(1),
                id::DURATION => length = float(inside),
                id::TRACK_NUMBER => entry = ebml::number(inside),
                id::CODEC_ID if inside == b"V_VP8" => track = track.or(entry),
                id::TIMESTAMP => start = ebml::number(inside)?,
                id::SIMPLE_BLOCK | id::BLOCK if film.frames.len() < MOST_FRAMES => {
                    film.frames.extend(frame(inside, track, start, scale));
                }
                _ => {}
            }
        }
        let first = film.frames.first()?.picture()?;
        (film.width, film.height) = first.dimensions();
        let last = film.frames.last().map_or(0, |frame| frame.at);
        let told = length.map(|l| l * scale as f64 / 1e6).filter(|l| l.is_finite() && *l >= 0.0 && *l < 1e9);
        film.length = told.map_or(last, |told| (told.round() as u64).max(last));
        Some(film)
    }
}

impl Frame {
    fn picture(&self) -> Option<Picture> {
        picture::read(&webp_of(&self.vp8)).ok()
    }
}

/// A picture of the wanted track that stands for itself. It may be written before the track
/// is described only where a file is broken.
fn frame(block: &[u8], track: Option<u64>, start: u64, scale: u64) -> Option<Frame> {
    let (number, rest) = ebml::size(block)?;
    let (head, vp8) = rest.split_at_checked(3)?;
    let laced = head[2] & 0x06 != 0;
    let after = i64::from(i16::from_be_bytes([head[0], head[1]]));
    let at = i64::try_from(start).ok()?.checked_add(after)?.max(0) as u64;
    let ours = track.is_some() && number == track && !laced && is_key(vp8);
    ours.then(|| Frame { at: (u128::from(at) * u128::from(scale) / 1_000_000) as u64, vp8: vp8.to_vec() })
}

/// True for a VP8 picture that stands for itself, by its first bytes.
fn is_key(vp8: &[u8]) -> bool {
    vp8.len() > 10 && vp8[0] & 1 == 0 && vp8[3..6] == [0x9d, 0x01, 0x2a]
}

/// The VP8 picture in a WebP file.
fn vp8_of(webp: &[u8]) -> Option<&[u8]> {
    let mut chunks = webp.get(12..)?;
    loop {
        let (name, rest) = chunks.split_at_checked(4)?;
        let (length, rest) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        if name == b"VP8 " {
            return rest.get(..length).filter(|vp8| is_key(vp8));
        }
        chunks = rest.get(length + length % 2..)?;
    }
}

/// A WebP file around a VP8 picture.
fn webp_of(vp8: &[u8]) -> Vec<u8> {
    let padded = vp8.len() + vp8.len() % 2;
    let mut webp = Vec::with_capacity(padded + 20);
    webp.extend(b"RIFF");
    webp.extend((padded as u32 + 12).to_le_bytes());
    webp.extend(b"WEBPVP8 ");
    webp.extend((vp8.len() as u32).to_le_bytes());
    webp.extend(vp8);
    webp.resize(padded + 20, 0);
    webp
}

fn element(id: u32, inside: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let first = id.iter().position(|byte| *byte != 0).unwrap_or(3);
    let size = 0x0100_0000_0000_0000 | inside.len() as u64;
    // Small sizes take one byte, all others eight.
    let size = if inside.len() < 127 { vec![0x80 | inside.len() as u8] } else { size.to_be_bytes().to_vec() };
    [&id[first..], &size, inside].concat()
}

fn master(id: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    element(id, &parts.concat())
}

/// A number in as few bytes as it takes.
fn number(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    element(id, &bytes[first..])
}

/// A number in eight bytes.
fn fixed(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    /// Twelve seconds in which a bright bar goes to the right.
    fn film() -> Film {
        let mut film = Film::new(64, 48, 12_000);
        for nth in 0..12_u32 {
            let bar =
                |x: u32, _| if x / 5 == nth { Rgba([250, 240, 20, 255]) } else { Rgba([20, 30, 90, 255]) };
            film.add(u64::from(nth) * 1_000, &Picture::from_fn(64, 48, bar), 80).unwrap();
        }
        film
    }

    #[test]
    fn a_film_is_read_as_it_was_written() {
        let film = film();
        let bytes = film.write();
        assert_eq!(castline_core::MediaType::sniff(&bytes).as_str(), "video/webm");
        assert_eq!(ebml::dimensions(&bytes[..400]), Some((64, 48)));
        assert_eq!(Film::read(&bytes).as_ref(), Some(&film));
        for (at, nth) in [(0, 0), (999, 0), (1_000, 1), (5_500, 5), (11_999, 11), (99_000, 11)] {
            let picture = film.at(at).unwrap();
            assert!(picture.get_pixel(nth * 5 + 2, 20)[0] > 180, "{at}");
            assert!(picture.get_pixel((nth * 5 + 32) % 60, 20)[0] < 90, "{at}");
        }
    }

    /// The elements at one level, with where they begin.
    fn level(bytes: &[u8]) -> Vec<(u32, usize, &[u8])> {
        let (mut at, mut found) = (0, Vec::new());
        while at < bytes.len() {
            let length = bytes[at].leading_zeros() as usize + 1;
            let id = ebml::number(&bytes[at..at + length]).unwrap() as u32;
            let (size, rest) = ebml::size(&bytes[at + length..]).unwrap();
            let inside = &rest[..size.unwrap() as usize];
            found.push((id, at, inside));
            at = bytes.len() - rest.len() + inside.len();
        }
        found
    }

    #[test]
    fn sizes_are_right_and_every_position_leads_where_it_says() {
        let bytes = film().write();
        let whole = level(&bytes);
        assert_eq!(whole.iter().map(|e| e.0).collect::<Vec<_>>(), [id::EBML, id::SEGMENT]);
        let segment = level(whole[1].2);
        let ids: Vec<u32> = segment.iter().map(|e| e.0).collect();
        assert_eq!(
            ids,
            [id::SEEK_HEAD, id::INFO, id::TRACKS, id::CUES, id::CLUSTER, id::CLUSTER, id::CLUSTER]
        );
        for (_, _, seek) in level(segment[0].2) {
            let seek = level(seek);
            let (wanted, at) = (ebml::number(seek[0].2).unwrap() as u32, ebml::number(seek[1].2).unwrap());
            assert!(segment.iter().any(|(id, start, _)| *id == wanted && *start as u64 == at));
        }
        let clusters: Vec<_> = segment.iter().filter(|e| e.0 == id::CLUSTER).collect();
        let cues = level(segment[3].2);
        assert_eq!(cues.len(), 3);
        for ((_, _, cue), (_, start, cluster)) in cues.into_iter().zip(clusters) {
            let cue = level(cue);
            let position = level(cue[1].2);
            assert_eq!(ebml::number(position[1].2), Some(*start as u64));
            assert_eq!(
                ebml::number(cue[0].2),
                ebml::number(level(cluster)[0].2),
                "the time of its first picture"
            );
        }
    }

    #[test]
    fn damage_is_no_film_or_a_shorter_one() {
        let bytes = film().write();
        assert_eq!(Film::read(b""), None);
        assert_eq!(Film::read(b"\x1a\x45\xdf\xa3"), None);
        for end in (0..bytes.len()).step_by(37) {
            if let Some(film) = Film::read(&bytes[..end]) {
                assert!((1..=12).contains(&film.frames.len()), "{end}");
            }
        }
        for at in (0..bytes.len()).step_by(11) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x5a;
            if let Some(film) = Film::read(&bytes) {
                let _picture = film.at(3_000);
            }
        }
    }
}
