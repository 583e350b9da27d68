//! `castline explain`: the page of an error code.

use castline_runner::Trouble;
use castline_spec::Code;
use castline_spec::diagnostic::did_you_mean;
use include_dir::{Dir, include_dir};
use serde_json::json;

use crate::cli::Explain;
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen;

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/errors");

/// Prints a page, or the list of all codes.
pub(crate) fn explain(flags: &Explain) -> Result<Exit, Trouble> {
    match &flags.code {
        Some(wanted) => one(find(wanted)?, flags.json)?,
        None => list(flags.json)?,
    }
    Ok(Exit::Done)
}

/// A code as people write it: with its brackets, in any case.
fn find(wanted: &str) -> Result<Code, Trouble> {
    let bare = wanted.trim_start_matches("error").trim_start_matches("warning");
    let bare = bare.trim_matches(|c: char| c.is_whitespace() || "[]:".contains(c)).to_lowercase();
    Code::ALL.iter().copied().find(|code| code.as_str() == bare).ok_or_else(|| Trouble::Usage {
        message: format!("there is no error code `{wanted}`"),
        hint: did_you_mean("the code", &bare, Code::ALL.iter().map(|code| code.as_str()))
            .or_else(|| Some("`castline explain` lists all of them".to_owned())),
    })
}

fn page(code: Code) -> Option<&'static str> {
    PAGES.get_file(format!("{}.md", code.as_str()))?.contents_utf8()
}

fn one(code: Code, as_json: bool) -> Result<(), Trouble> {
    let page = page(code).unwrap_or_else(|| code.title());
    match as_json {
        true => print(&json!({
            "schema_version": SCHEMA_VERSION,
            "code": code.as_str(),
            "title": code.title(),
            "page": page,
        })),
        false => screen::data(&format!("{}\n", page.trim_end())),
    }
}

fn list(as_json: bool) -> Result<(), Trouble> {
    if as_json {
        let codes = Code::ALL.iter().map(|code| json!({ "code": code.as_str(), "title": code.title() }));
        return print(&json!({ "schema_version": SCHEMA_VERSION, "codes": codes.collect::<Vec<_>>() }));
    }
    let widest = Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or(0);
    let lines =
        Code::ALL.iter().map(|code| format!("{}  {}\n", screen::pad(code.as_str(), widest), code.title()));
    screen::data(&lines.collect::<String>())
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
            let text = page(*code).expect("every code has a page");
            assert!(text.starts_with(&format!("# {}\n", code.as_str())), "{}", code.as_str());
        }
    }

    #[test]
    fn a_code_is_found_as_it_is_printed() {
        assert_eq!(find("error[unknown-input]").unwrap(), Code::UnknownInput);
        assert_eq!(find("Unknown-Input").unwrap(), Code::UnknownInput);
        assert!(find("unknwon-input").unwrap_err().hint().unwrap().contains("unknown-input"));
    }
}
