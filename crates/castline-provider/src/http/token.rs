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
    pub(super) fn bearer(&self) -> HeaderValue {
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", self.0)).expect("a token is graphic ASCII");
        value.set_sensitive(true);
        value
    }

    /// Takes the token out of somebody else's words.
    pub(super) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }

    /// True when the token stands in bytes that are about to leave. Short tokens are those
    /// of tests and local servers, and would be found in anything.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.len() >= 16 && bytes.windows(self.0.len()).any(|window| window == self.0.as_bytes())
    }
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
}
