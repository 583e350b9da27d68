//! The elements of a Matroska or WebM file, as far as anybody here reads them.
//!
//! Start reading at [`elements`].

/// How wide the pictures of a track are, in pixels.
const PIXEL_WIDTH: u32 = 0xb0;

/// How high the pictures of a track are, in pixels.
const PIXEL_HEIGHT: u32 = 0xba;

/// Elements that hold others: the segment, its info, tracks and clusters.
const MASTERS: [u32; 8] = [
    0x1853_8067, // Segment
    0x1549_a966, // Info
    0x1654_ae6b, // Tracks
    0xae,        // TrackEntry
    0xe0,        // Video
    0x1f43_b675, // Cluster
    0xa0,        // BlockGroup
    0x1a45_dfa3, // EBML
];

/// Walks over a file: each element's id and what is in it, in the order of the file. What is
/// in an element that holds others follows as elements of its own, and it is empty itself;
/// so a file whose sizes are not known, or that is cut off, is read as far as it goes.
pub fn elements(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (id, after) = id(rest)?;
        let (size, after) = size(after)?;
        if MASTERS.contains(&id) {
            rest = after;
            return Some((id, &after[..0]));
        }
        let (inside, after) = after.split_at_checked(usize::try_from(size?).ok()?)?;
        rest = after;
        Some((id, inside))
    })
}

/// An unsigned number.
pub fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// An id, with the bits that say how long it is.
fn id(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let (id, rest) = bytes.split_at_checked(length).filter(|_| length <= 4)?;
    Some((number(id)? as u32, rest))
}

/// A size, without the bits that say how long it is; none where it is not known.
pub fn size(bytes: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let (size, rest) = bytes.split_at_checked(length).filter(|_| length <= 8)?;
    let mask = (1_u64 << (7 * length)) - 1;
    let size = number(size)? & mask;
    Some(((size != mask).then_some(size), rest))
}

/// Width and height of the first picture track that tells.
pub fn dimensions(head: &[u8]) -> Option<(u32, u32)> {
    let (mut width, mut height) = (None, None);
    for (id, inside) in elements(head) {
        match id {
            PIXEL_WIDTH => width = width.or(number(inside)),
            PIXEL_HEIGHT => height = height.or(number(inside)),
            _ => {}
        }
        if let (Some(width), Some(height)) = (width, height) {
            return Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element with a size of one byte.
    fn element(id: &[u8], inside: &[u8]) -> Vec<u8> {
        [id, &[0x80 | inside.len() as u8], inside].concat()
    }

    #[test]
    fn what_is_inside_follows_also_where_the_size_is_not_known() {
        let video = element(&[0xe0], &[element(&[0xb0], &[2, 0]), element(&[0xba], &[90])].concat());
        let track = element(&[0xae], &video);
        let file = [
            &[0x1a, 0x45, 0xdf, 0xa3, 0x80][..],
            &[0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &element(&[0x16, 0x54, 0xae, 0x6b], &track),
        ]
        .concat();
        assert_eq!(dimensions(&file), Some((512, 90)));
        let ids: Vec<u32> = elements(&file).map(|(id, _)| id).collect();
        assert_eq!(ids, [0x1a45_dfa3, 0x1853_8067, 0x1654_ae6b, 0xae, 0xe0, 0xb0, 0xba]);
    }

    #[test]
    fn no_bytes_are_too_odd() {
        for bytes in [
            &[][..],
            &[0],
            &[0x1a],
            &[0xb0],
            &[0xb0, 0xff],
            &[0xb0, 0x88, 1],
            &[0xb0, 1, 2, 3],
            &[0xff; 40],
            &[0; 40],
        ] {
            assert_eq!(dimensions(bytes), None);
        }
    }
}
