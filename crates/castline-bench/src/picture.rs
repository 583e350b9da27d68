//! A picture of one pixel whose bytes depend on a text: small, valid, and never the same twice.

/// Signature, header, and one grey pixel.
const BEGIN: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\x0aIDAT\x78\x9c\x63\x68\0\0\0\x82\0\x81\x77\xcd\x72\xb6";
const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// A PNG with this text as its comment.
pub(crate) fn png(comment: &str) -> Vec<u8> {
    let mut chunk = b"tEXtComment\0".to_vec();
    chunk.extend_from_slice(comment.as_bytes());
    let length = u32::try_from(chunk.len() - 4).expect("a comment is short");
    let sum = crc32fast::hash(&chunk);
    [BEGIN, &length.to_be_bytes(), &chunk, &sum.to_be_bytes(), END].concat()
}

#[cfg(test)]
mod tests {
    use super::png;

    #[test]
    fn a_picture_is_valid_and_of_its_text() {
        let picture = image::load_from_memory(&png("boat 1")).expect("a PNG");
        assert_eq!((picture.width(), picture.height()), (1, 1));
        assert_ne!(png("boat 1"), png("boat 2"));
    }
}
