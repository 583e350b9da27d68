//! What kind of failure a provider's error text stands for.
//!
//! The table is data: words that services were seen to use. A text that no sign is in is not
//! worth another attempt.

use castline_spec::workflow::FailureKind;

use crate::request::Failure;

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

/// How many of the last log lines a failure keeps.
const LOG_LINES: usize = 20;

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

/// The failure that a provider's words make, with the end of the model's log.
pub(crate) fn failure_of(error: Option<&str>, logs: Option<&str>) -> Failure {
    let logs = logs.and_then(last_lines);
    match error.map(str::trim).filter(|error| !error.is_empty()) {
        Some(error) => Failure { kind: classify(error), message: error.to_owned(), logs },
        None => Failure { kind: FailureKind::Other, message: "failed without a reason".to_owned(), logs },
    }
}

/// The last lines of a log, none when it is blank.
pub(crate) fn last_lines(logs: &str) -> Option<String> {
    let lines: Vec<&str> = logs.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    (!last.is_empty()).then(|| last.join("\n"))
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
    fn an_empty_error_says_so_and_keeps_the_end_of_the_log() {
        let logs: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        let failure = failure_of(Some(" "), Some(&logs.join("\n")));
        assert_eq!(failure.message, "failed without a reason");
        let kept = failure.logs.unwrap();
        assert!(kept.starts_with("line 11\n") && kept.ends_with("line 30"), "{kept}");
    }
}
