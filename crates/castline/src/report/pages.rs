//! The pages of `docs/errors/`, embedded.

use castline_spec::Code;
use include_dir::{Dir, include_dir};

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/errors");

/// The page of a code; its title where there is none, which a test rules out.
pub(crate) fn page(code: Code) -> &'static str {
    let page = PAGES.get_file(format!("{}.md", code.as_str())).and_then(|file| file.contents_utf8());
    page.unwrap_or_else(|| code.title())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let pages: BTreeSet<_> = PAGES
            .files()
            .filter_map(|file| file.path().file_stem()?.to_str())
            .filter(|stem| *stem != "README")
            .collect();
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(pages, codes);
    }

    #[test]
    fn every_page_begins_with_its_code() {
        for code in Code::ALL {
            assert!(page(*code).starts_with(&format!("# {}\n", code.as_str())), "{}", code.as_str());
        }
    }
}
