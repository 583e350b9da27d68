//! What is kept of a model's log: its beginning and its end.
//!
//! A provider sends whatever a model printed, and a model may print for ever. Everything that
//! goes from a log into the ledger, a journal or onto a screen passes through here.
//!
//! Start reading at [`kept`].

/// Lines that are kept of the beginning: what was loaded, the seed.
const HEAD: usize = 10;
/// Lines that are kept of the end: what went wrong.
const TAIL: usize = 40;
/// Characters that are kept of a line.
const WIDTH: usize = 400;
/// Bytes that are kept of either end, whatever its lines.
const MOST_BYTES: usize = 6 * 1024;

/// The first and the last lines of a log, with a word on what was left out between them; none
/// when it is blank. Of a line that was written over, as progress bars are, the last version.
pub(crate) fn kept(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(last_version).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let (mut head, mut tail) = (lines.len(), lines.len());
    if lines.len() > HEAD + TAIL + 1 || bytes(&lines) > 2 * MOST_BYTES {
        head = fitting(lines.iter().take(HEAD));
        let most = TAIL.min(lines.len() - head);
        tail = lines.len() - fitting(lines.iter().rev().take(most));
    }
    let mut text: Vec<String> = lines[..head].iter().map(|line| cut(line)).collect();
    if tail > head {
        text.push(format!("[{} left out]", counted(tail - head, "line")));
    }
    text.extend(lines[tail..].iter().map(|line| cut(line)));
    Some(text.join("\n"))
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// What is left of a line that was written over.
fn last_version(line: &str) -> &str {
    line.trim_end().rsplit('\r').find(|version| !version.trim().is_empty()).unwrap_or_default()
}

fn bytes(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.len().min(4 * WIDTH)).sum()
}

/// How many of these lines fit; the first one always does.
fn fitting<'a>(lines: impl Iterator<Item = &'a &'a str>) -> usize {
    let mut bytes = 0;
    let fits = |line: &&&str| {
        let first = bytes == 0;
        bytes += line.len().min(4 * WIDTH);
        first || bytes <= MOST_BYTES
    };
    lines.take_while(fits).count()
}

/// A line without the middle of what makes it too long.
fn cut(line: &str) -> String {
    let length = line.chars().count();
    if length <= WIDTH {
        return line.to_owned();
    }
    // The word on what is left out has room as well.
    let half = (WIDTH - 40) / 2;
    let (head, tail): (String, String) =
        (line.chars().take(half).collect(), line.chars().skip(length - half).collect());
    format!("{head}[{} left out]{tail}", counted(length - 2 * half, "character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_log_is_kept_without_its_blank_lines() {
        assert_eq!(kept("loading\n\n  seed 4  \n").as_deref(), Some("loading\n  seed 4"));
        assert_eq!(kept(" \n\r\n"), None);
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end_and_says_so() {
        let log: Vec<String> = (1..=1000).map(|n| format!("line {n}")).collect();
        let kept = kept(&log.join("\n")).unwrap();
        let lines: Vec<_> = kept.lines().collect();
        assert_eq!((lines[0], lines[9], lines[10]), ("line 1", "line 10", "[950 lines left out]"));
        assert_eq!((lines[11], lines.len(), *lines.last().unwrap()), ("line 961", 51, "line 1000"));
    }

    #[test]
    fn of_a_bar_that_is_written_over_the_last_version_is_kept() {
        let bars: Vec<_> = (0..=100).map(|n| format!("\r{n:>3}%|{}|", "#".repeat(n))).collect();
        let bars = bars.concat();
        let kept = kept(&format!("seed 4\n{bars}\ndone\n")).unwrap();
        assert_eq!(kept, format!("seed 4\n100%|{}|\ndone", "#".repeat(100)));
    }

    #[test]
    fn no_log_is_kept_that_is_longer_than_a_page() {
        let wide = "x".repeat(5_000_000);
        let kept_wide = kept(&wide).unwrap();
        assert!(kept_wide.contains("[4999640 characters left out]"), "{}", kept_wide.len());
        let all: Vec<_> = (0..50_000).map(|n| format!("{n} {}\n", "\u{1f980}".repeat(399))).collect();
        let all = all.concat();
        let kept_all = kept(&all).unwrap();
        assert!(kept_all.len() < 3 * MOST_BYTES, "{}", kept_all.len());
        assert!(kept_all.starts_with("0 ") && kept_all.lines().last().unwrap().starts_with("49999 "));
    }
}
