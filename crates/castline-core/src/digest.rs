//! Content digests, written `sha256:hex` as OCI writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// How the text of a digest begins.
const SIGN: &str = "sha256:";

/// The text of a digest, which is always as long.
pub(crate) struct DigestText([u8; SIGN.len() + 64]);

/// A text that is not `sha256:` and 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest of the form sha256:hex")]
pub struct BadDigest(String);

impl Digest {
    /// Digests bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes a finished SHA-256.
    pub fn from_sha256(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it is written, without an allocation.
    pub(crate) fn text(&self) -> DigestText {
        let mut text = [0; SIGN.len() + 64];
        let (sign, digits) = text.split_at_mut(SIGN.len());
        sign.copy_from_slice(SIGN.as_bytes());
        hex::encode_to_slice(self.0, digits).expect("two digits for each byte");
        DigestText(text)
    }

    /// The hex digits alone, for file names.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(text.to_owned());
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix(SIGN).ok_or_else(bad)?, &mut bytes).map_err(|_| bad())?;
        Ok(Self(bytes))
    }
}

impl DigestText {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a sign and hex digits")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text().as_str())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest of the form sha256:hex")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text() {
        let digest = Digest::of(b"boat");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("md5:00".parse::<Digest>().is_err());
        assert!("sha256:zz".parse::<Digest>().is_err());
    }
}
