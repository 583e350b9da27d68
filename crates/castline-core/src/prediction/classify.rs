//! What kind of failure a provider's error text stands for.
//!
//! The table is data: words that services were seen to use. A text that no sign is in is not
//! worth another attempt.

use castline_spec::workflow::FailureKind;

use crate::request::Failure;

use super::log;

/// Something that an error text is known by.
enum Sign {
    /// `E1000` as a word of its own.
    Code(&'static str),
    /// Words, whatever their case.
    Words(&'static str),
}

use Sign::{Code, Words};

/// The first sign that fits decides.
const SIGNS: &[(Sign, FailureKind)] = &[
    (Code("E005"), FailureKind::Moderation),
    (Words("flagged as sensitive"), FailureKind::Moderation),
    (Words("nsfw"), FailureKind::Moderation),
    (Words("content moderat"), FailureKind::Moderation),
    (Words("moderation"), FailureKind::Moderation),
    (Words("safety filter"), FailureKind::Moderation),
    (Words("content policy"), FailureKind::Moderation),
    // The text may read `Director: ... (E1001)`: out of memory comes before the host's faults.
    (Code("E1001"), FailureKind::Input),
    (Words("out of memory"), FailureKind::Input),
    (Code("E4875"), FailureKind::Other),
    (Code("E1000"), FailureKind::Platform),
    (Code("E004"), FailureKind::Platform),
    (Code("E6716"), FailureKind::Platform),
    (Code("E8765"), FailureKind::Platform),
    (Code("E9243"), FailureKind::Platform),
    (Code("E9828"), FailureKind::Platform),
    (Words("director:"), FailureKind::Platform),
    (Words("code: pa)"), FailureKind::Platform),
    (Words("prediction interrupted"), FailureKind::Platform),
    (Words("service is temporarily unavailable"), FailureKind::Platform),
    (Words("keyerror: 'sample'"), FailureKind::Platform),
];

/// What kind of failure an error text stands for.
pub fn classify(error: &str) -> FailureKind {
    let lower = error.to_lowercase();
    let codes: Vec<&str> = error.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let fits = |sign: &Sign| match sign {
        Code(code) => codes.iter().any(|word| word.eq_ignore_ascii_case(code)),
        Words(words) => lower.contains(words),
    };
    SIGNS.iter().find(|(sign, _)| fits(sign)).map_or(FailureKind::Other, |(_, kind)| *kind)
}

/// The failure that a provider's words make, with what is kept of the model's log.
pub(crate) fn failure_of(error: Option<&str>, logs: Option<&str>) -> Failure {
    let logs = logs.and_then(log::kept);
    match error.map(str::trim).filter(|error| !error.is_empty()) {
        Some(error) => Failure { kind: classify(error), message: log::kept(error).unwrap_or_default(), logs },
        None => Failure { kind: FailureKind::Other, message: "failed without a reason".to_owned(), logs },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_error_texts_have_their_kind() {
        let kinds: Vec<_> = [
            "The input or output was flagged as sensitive. Please try again with different inputs. (E005) (x1)",
            "NSFW content detected. Try running it again",
            "Director: unexpected error handling prediction (E9828)",
            "Director: out of something (E1001)",
            "CUDA out of memory. Tried to allocate 20 MiB",
            "Prediction interrupted; please retry (code: PA)",
            "Service is temporarily unavailable. Please try again later. (E004) (y)",
            "unknown (E1000)",
            "KeyError: 'sample'",
            "width must be a multiple of 16",
            "E10050 is no code, and pathE005x is no word",
        ]
        .map(classify)
        .to_vec();
        use FailureKind::{Input, Moderation, Other, Platform};
        assert_eq!(
            kinds,
            [
                Moderation, Moderation, Platform, Input, Input, Platform, Platform, Platform, Platform,
                Other, Other
            ]
        );
    }

    #[test]
    fn an_empty_error_says_so() {
        let failure = failure_of(Some(" "), Some("loading"));
        assert_eq!(
            (failure.message.as_str(), failure.logs.as_deref()),
            ("failed without a reason", Some("loading"))
        );
    }

    #[test]
    fn an_error_that_is_a_whole_log_is_cut() {
        let error = format!("{}\nValueError: NSFW", "  File \"model.py\"\n".repeat(10_000));
        let failure = failure_of(Some(&error), None);
        assert_eq!(failure.kind, FailureKind::Moderation);
        assert!(failure.message.len() < 16 * 1024 && failure.message.ends_with("ValueError: NSFW"));
    }
}
