//! `castline explain`: the page of an error code.

use castline_runner::Trouble;
use castline_spec::Code;
use castline_spec::diagnostic::did_you_mean;
use serde_json::json;

use crate::cli::Explain;
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::pages::page;
use crate::screen;

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

fn one(code: Code, as_json: bool) -> Result<(), Trouble> {
    let page = page(code);
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
    use super::*;

    #[test]
    fn a_code_is_found_as_it_is_printed() {
        assert_eq!(find("error[unknown-input]").unwrap(), Code::UnknownInput);
        assert_eq!(find("Unknown-Input").unwrap(), Code::UnknownInput);
        assert!(find("unknwon-input").unwrap_err().hint().unwrap().contains("unknown-input"));
    }
}
