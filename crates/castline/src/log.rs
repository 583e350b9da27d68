//! What castline says about itself: `-v`, `-vv`, `CASTLINE_LOG`.
//!
//! Lines go to stderr, above the live lines. Values of variables that hold secrets
//! are taken out of every line, whoever wrote it.

use std::io::{self, Write};
use std::sync::RwLock;

use castline_runner::Project;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::screen;

/// What stands where a secret stood.
const HIDDEN: &str = "[hidden]";

/// A shorter value is no secret, and would be found in innocent words.
const SHORTEST: usize = 6;

/// Values that no line may show.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Begins to log. `verbose` counts the `-v`s; without one `CASTLINE_LOG` decides.
pub(crate) fn begin(verbose: u8) {
    // One that is no UTF-8 is shown nowhere as it is.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| holds_a_secret(name)).for_each(|(_, value)| hide(&value));
    let builder = tracing_subscriber::fmt().with_writer(Redacting).with_target(true).with_ansi(false);
    let own = std::env::var("CASTLINE_LOG").ok().filter(|text| !text.is_empty());
    let wanted = match (verbose, own) {
        (0, Some(own)) => own,
        (0, None) => return builder.with_max_level(LevelFilter::WARN).init(),
        (1, _) => "warn,castline=debug".to_owned(),
        (_, _) => "debug,castline=trace".to_owned(),
    };
    match EnvFilter::try_new(&wanted) {
        Ok(filter) => builder.with_env_filter(filter).init(),
        Err(e) => {
            builder.with_max_level(LevelFilter::WARN).init();
            tracing::warn!("CASTLINE_LOG is not understood: {e}");
        }
    }
}

/// Hides the tokens of a project's own providers too.
pub(crate) fn hide_tokens_of(project: &Project) {
    let providers = project.document.iter().flat_map(|d| d.providers.values());
    let variables: Vec<_> = providers.filter_map(|p| Some(p.token_env.as_ref()?.value.clone())).collect();
    hide_values_of(&variables);
}

/// Hides what environment variables hold, whatever they are called.
pub(crate) fn hide_values_of(variables: &[String]) {
    variables.iter().filter_map(|variable| std::env::var(variable).ok()).for_each(|value| hide(&value));
}

/// A variable that by its name holds a secret.
pub(crate) fn holds_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "KEY", "SECRET", "PASSWORD", "CREDENTIAL"].iter().any(|word| name.contains(word))
}

fn hide(value: &str) {
    let value = value.trim();
    if value.len() >= SHORTEST {
        SECRETS.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(value.to_owned());
    }
}

fn without_secrets(line: &str) -> String {
    let secrets = SECRETS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, HIDDEN))
}

/// Writes lines to stderr without the secrets in them.
struct Redacting;

impl Write for Redacting {
    // One call is one line: the formatter writes a line when it is whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = screen::harmless(&without_secrets(&String::from_utf8_lossy(line)));
        screen::above_live(|| io::stderr().write_all(text.as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Redacting;

    fn make_writer(&'a self) -> Redacting {
        Redacting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_token_is_in_no_line() {
        hide("r8_abcdefgh12345");
        hide("ab");
        let line = "GET /v1/models authorization: Bearer r8_abcdefgh12345, ab\n";
        assert_eq!(without_secrets(line), "GET /v1/models authorization: Bearer [hidden], ab\n");
    }

    #[test]
    fn variables_that_hold_secrets_are_known_by_their_names() {
        assert!(["REPLICATE_API_TOKEN", "COMETAPI_KEY", "my_secret"].into_iter().all(holds_a_secret));
        assert!(!["HOME", "CASTLINE_STORE", "LANG"].into_iter().any(holds_a_secret));
    }
}
