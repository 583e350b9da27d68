//! Values that stand outside of the document that needs them: `@./rows.csv`, `./photos/*.png`.
//!
//! Only how such a value is written is known here. Files are read by the runner, and what they
//! mean for an input is the core's work.

/// What a text that begins with `@` means where an input's value is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At<'t> {
    /// `@./rows.csv`: the value that this file has.
    File(&'t str),
    /// `@@anna`: the text `@anna`.
    Text(&'t str),
}

/// How a file says its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataFormat {
    /// A table whose first line names the columns: a list of maps.
    Csv,
    /// One JSON value a line: a list.
    Jsonl,
    /// One JSON value.
    Json,
    /// One YAML value.
    Yaml,
    /// A list of lines; for an input that takes text, the text.
    Lines,
}

impl<'t> At<'t> {
    /// What a text means; none when it means itself.
    pub fn of(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix('@')?;
        Some(if rest.starts_with('@') { Self::Text(rest) } else { Self::File(rest) })
    }
}

impl DataFormat {
    /// For messages.
    pub const ENDINGS: &'static str = "`.csv`, `.jsonl`, `.json`, `.yaml` or `.txt`";

    /// The format that a path's ending names.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit(['/', '\\']).next()?.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "txt" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// True for a text that can stand for several files.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// True for what names something in a network, or holds it, where a file is wanted.
pub fn is_address(text: &str) -> bool {
    ["http://", "https://", "data:"].iter().any(|scheme| text.starts_with(scheme))
}

/// What to do about a text that stands for a file and is no path.
pub fn path_hint(text: &str) -> &'static str {
    match is_address(text) {
        true => "download it into the project, and give its path: what a model gets is known before a run",
        false => "a path begins with `./` or `../` and is relative to this document",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_is_a_file_and_two_are_a_text() {
        assert_eq!(At::of("@./rows.csv"), Some(At::File("./rows.csv")));
        assert_eq!(At::of("@@anna"), Some(At::Text("@anna")));
        assert_eq!(At::of("@@@"), Some(At::Text("@@")));
        assert_eq!(At::of("anna@home"), None);
    }

    #[test]
    fn the_ending_of_the_name_says_the_format() {
        assert_eq!(DataFormat::of_path("./a.b/Rows.CSV"), Some(DataFormat::Csv));
        assert_eq!(DataFormat::of_path("prompts.txt"), Some(DataFormat::Lines));
        assert_eq!(DataFormat::of_path("./rows.csv/readme"), None);
        assert_eq!(DataFormat::of_path("anna"), None);
    }
}
