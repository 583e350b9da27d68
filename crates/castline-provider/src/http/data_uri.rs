//! Files written into text: `data:image/png;base64,...`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use castline_core::MediaType;

/// Reads with and without padding: not everyone writes it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// So many characters of base64 are no secret and no picture.
const SHOWN: usize = 32;

/// A text that looks like a data URI and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a data URI that cannot be read: {0}")]
pub struct BadDataUri(&'static str);

/// True for texts that are meant as data URIs.
pub fn is_data_uri(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// Writes bytes as a data URI.
pub(super) fn encode(media_type: &MediaType, bytes: &[u8]) -> String {
    let mut uri = format!("data:{media_type};base64,");
    BASE64_STANDARD.encode_string(bytes, &mut uri);
    uri
}

/// How long [`encode`]'s text will be.
pub(super) fn encoded_len(media_type: &MediaType, bytes: u64) -> u64 {
    "data:;base64,".len() as u64 + media_type.as_str().len() as u64 + bytes.div_ceil(3) * 4
}

/// The bytes of a data URI. Its media type is not believed, so it is not returned.
pub fn decode(uri: &str) -> Result<Vec<u8>, BadDataUri> {
    if !is_data_uri(uri) {
        return Err(BadDataUri("it does not begin with `data:`"));
    }
    let (head, data) = uri["data:".len()..].split_once(',').ok_or(BadDataUri("it has no comma"))?;
    let bytes = percent_decoded(data);
    if !head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64")) {
        return Ok(bytes);
    }
    let packed: Vec<u8> = bytes.into_iter().filter(|b| !b.is_ascii_whitespace()).collect();
    LENIENT.decode(packed).map_err(|_| BadDataUri("its base64 is damaged"))
}

/// A text for people: of what it says in data URIs only the beginning.
pub(crate) fn shortened(text: &str) -> String {
    const MARK: &str = ";base64,";
    let mut short = String::with_capacity(text.len().min(1024));
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, packed) = rest.split_at(at + MARK.len());
        let length =
            packed.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"+/=%-_".contains(b)).count();
        short.push_str(before);
        short.push_str(if length > SHOWN { "..." } else { &packed[..length] });
        rest = &packed[length..];
    }
    short.push_str(rest);
    short
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
        match (bytes[at], hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_there_and_back() {
        for length in 0..5 {
            let bytes: Vec<u8> = (250..=255).take(length).collect();
            let uri = encode(&MediaType::new("image/png"), &bytes);
            assert_eq!(uri.len() as u64, encoded_len(&MediaType::new("image/png"), length as u64));
            assert_eq!(decode(&uri).unwrap(), bytes);
        }
    }

    #[test]
    fn pitfall_60_data_uris_are_cut_short_for_people() {
        let uri = encode(&MediaType::new("image/png"), &[7; 4000]);
        assert_eq!(
            shortened(&format!("`{uri}` and data:text/plain;base64,aGk= are no pictures")),
            "`data:image/png;base64,...` and data:text/plain;base64,aGk= are no pictures"
        );
    }

    #[test]
    fn data_uris_are_read_as_others_write_them() {
        assert_eq!(decode("data:,a%20b%zz").unwrap(), b"a b%zz");
        assert_eq!(decode("DATA:text/plain;charset=utf-8;BASE64,aGk").unwrap(), b"hi");
        assert_eq!(decode("data:;base64,aG\nk=").unwrap(), b"hi");
        assert_eq!(
            decode("data:application/octet-stream;base64,a").unwrap_err().to_string(),
            "a data URI that cannot be read: its base64 is damaged"
        );
        assert!(decode("data:image/png;base64").is_err());
    }
}
