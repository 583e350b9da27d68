//! Names that a file can have on every system.

/// Characters that some file system cannot have in a name.
pub const UNUSABLE: &[char] = &['<', '>', ':', '"', '|', '?', '*', '\\', '/'];

/// True for names that Windows keeps for its devices, whatever ending they have: `con`, `COM1.txt`.
pub fn is_device(name: &str) -> bool {
    // What stands before the first dot decides, and blanks at its end do not count.
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ').to_lowercase();
    let numbered = |device: &str| {
        let mut number = stem.strip_prefix(device).unwrap_or_default().chars();
        matches!((number.next(), number.next()), (Some('0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}'), None))
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_however_they_are_written() {
        for name in
            ["con", "CON.yaml", "nul.tar.gz", "com0", "LPT9.txt", "com\u{b9}", "lpt\u{b3}.txt", "aux .yaml"]
        {
            assert!(is_device(name), "{name}");
        }
        for name in ["", "cone", "com", "com10", "lpt\u{2074}", "console.txt", ".con", "a con"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
