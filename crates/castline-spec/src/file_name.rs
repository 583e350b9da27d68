//! Names that a file can have on every system.

/// Characters that some file system cannot have in a name.
pub const UNUSABLE: &[char] = &['<', '>', ':', '"', '|', '?', '*', '\\', '/'];

/// True for names that Windows keeps for its devices, whatever ending they have: `con`, `COM1.txt`.
pub fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        number.len() == 1 && number.chars().all(|c| c.is_ascii_digit())
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}
