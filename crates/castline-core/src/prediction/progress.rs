//! What a running prediction lets people see: its log and how far it is.

use std::sync::LazyLock;

use regex::Regex;

static BAR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(\d+)%\s*\|.+?\|\s*(\d+)/(\d+)").expect("a constant pattern"));

/// New text of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogText {
    /// The text that was not shown yet.
    pub text: String,
    /// The log does not go on where it was: this is all of it.
    pub anew: bool,
}

/// A log as far as it was shown. Providers send the whole log each time.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogTail(String);

impl LogTail {
    /// What is new in `logs`.
    pub(crate) fn news(&mut self, logs: &str) -> Option<LogText> {
        if logs == self.0 {
            return None;
        }
        let news = match logs.strip_prefix(self.0.as_str()) {
            Some(more) => LogText { text: more.to_owned(), anew: false },
            None => LogText { text: logs.to_owned(), anew: true },
        };
        logs.clone_into(&mut self.0);
        (!news.text.is_empty()).then_some(news)
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

/// How far a prediction is, from 0 to 1, by the last progress bar in its log. A bar is
/// rewritten in place, so that its versions stand between carriage returns.
pub fn fraction(logs: &str) -> Option<f64> {
    logs.rsplit(['\r', '\n']).find_map(|line| {
        let bar = BAR.captures(line)?;
        let (done, of): (f64, f64) = (bar[2].parse().ok()?, bar[3].parse().ok()?);
        (of > 0.0).then(|| (done / of).clamp(0.0, 1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_version_of_a_progress_bar_counts() {
        let logs = "seed 4\n  0%|          | 0/4 [00:00<?]\r 25%|##   | 1/4 [00:01]\r 50%|#####     | 2/4 [00:01<00:01,  1.9it/s]";
        assert_eq!(fraction(logs), Some(0.5));
        assert_eq!(fraction("50% done"), None);
        assert_eq!(fraction("0%|  | 0/0 [00:00]"), None);
    }

    #[test]
    fn only_new_text_of_a_log_is_shown() {
        let mut tail = LogTail::default();
        let news = ["a\n", "a\n", "a\nb\n", "c\n", ""].map(|logs| tail.news(logs));
        let text = |text: &str, anew| Some(LogText { text: text.to_owned(), anew });
        assert_eq!(news, [text("a\n", false), None, text("b\n", false), text("c\n", true), None]);
    }
}
