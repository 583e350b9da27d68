//! The secret that opens a provider.

use std::fmt;

use reqwest::header::HeaderValue;

/// What is sent as `Authorization: Bearer`. Never shown: neither `Debug` nor `Display` tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Nothing but white space. Providers answer an empty token with a misleading 422.
    #[error("the token is empty")]
    Empty,
    /// White space, a line break or a character outside ASCII in the middle of it.
    #[error(
        "the token contains a blank, a line break or a character outside ASCII; it was probably copied wrong"
    )]
    Unsendable,
}

impl Token {
    /// Takes a token as it was written; white space around it is dropped.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadToken::Empty);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadToken::Unsendable);
        }
        Ok(Self(text.to_owned()))
    }

    /// The value of the `Authorization` header.
    pub(crate) fn bearer(&self) -> HeaderValue {
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", self.0)).expect("a token is graphic ASCII");
        value.set_sensitive(true);
        value
    }

    /// Itself, for the one place that it is meant for.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Tells tokens apart, and says nothing of them.
    pub(crate) fn fingerprint(&self) -> String {
        castline_core::Digest::of(format!("castline {}", self.0).as_bytes()).hex()
    }

    /// Takes the token out of somebody else's words, also where a URL has it
    /// percent-encoded.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut scrubbed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((at, length)) = self.find(rest.as_bytes()) {
            scrubbed.push_str(&rest[..at]);
            scrubbed.push_str("[token]");
            rest = &rest[at + length..];
        }
        scrubbed.push_str(rest);
        scrubbed
    }

    /// Where the token is, and how long it is there.
    fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        (0..text.len()).find_map(|at| Some((at, self.begins(&text[at..])?)))
    }

    /// How long the token at the beginning of a text is there, if it is there.
    fn begins(&self, text: &[u8]) -> Option<usize> {
        self.0.bytes().try_fold(0, |at, wanted| match text.get(at..)? {
            [found, ..] if *found == wanted => Some(at + 1),
            [b'%', high, low, ..] if hex(*high)? * 16 + hex(*low)? == wanted => Some(at + 3),
            _ => None,
        })
    }

    /// True when the token stands in bytes that are about to leave. Short tokens are those
    /// of tests and local servers, and would be found in anything.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.len() >= 16 && bytes.windows(self.0.len()).any(|window| window == self.0.as_bytes())
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|d| d as u8)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pitfall_59_a_newline_after_the_key_is_trimmed_and_a_blank_key_refused() {
        let token = Token::new(" r8_secret\n").unwrap();
        assert_eq!(token.bearer(), "Bearer r8_secret");
        assert_eq!(Token::new(" \n"), Err(BadToken::Empty));
        assert_eq!(Token::new("r8\nsecret"), Err(BadToken::Unsendable));
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("r8_secret_and_long_enough").unwrap();
        assert_eq!(format!("{token} {token:?} {:?}", token.bearer()), "[token] [token] Sensitive");
        assert_eq!(token.scrub("bad key r8_secret_and_long_enough!"), "bad key [token]!");
    }

    #[test]
    fn pitfall_60_the_token_is_taken_out_of_urls_however_it_is_encoded() {
        let token = Token::new("r8/se+cret=").unwrap();
        for text in ["r8/se+cret=", "r8%2Fse%2bcret%3D", "%72%38/se+cret%3d"] {
            let url = format!("grüße von https://h/?key={text}&x=%72");
            assert_eq!(token.scrub(&url), "grüße von https://h/?key=[token]&x=%72");
        }
        assert_eq!(token.scrub("r8%2Fse%2"), "r8%2Fse%2");
    }
}
