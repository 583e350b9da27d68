//! The castline command: flags, reporters, exit codes.
//!
//! Everything that castline knows is decided in the crates below; here it is asked for and
//! shown. Nothing depends on this crate.
//!
//! Start reading at [`commands::perform`]; how things look is in `report/`.

mod browser;
mod cli;
mod commands;
mod exit;
mod keys;
mod log;
mod report;
mod screen;
mod settings;
mod signals;

use std::process::ExitCode;

use castline_runner::Trouble;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use cli::Cli;
use exit::Exit;

/// musl's own is slow where several threads ask for memory; docs/decisions/0020 has the figures.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(own_mistake));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return explain_arguments(e).into(),
    };
    screen::set_color(cli.common.color);
    log::begin(cli.common.verbose);
    let exit = commands::perform(cli.command, &cli.common).unwrap_or_else(|trouble| {
        explain(&trouble);
        Exit::from(&trouble)
    });
    exit.into()
}

/// A panic anywhere is a mistake of castline, and ends the process: the store is made for
/// processes that end at any time.
fn own_mistake(panic: &std::panic::PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("something that cannot be");
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    screen::end_live();
    keys::restore();
    screen::complain(
        &format!("castline made a mistake: {what}{place}"),
        Some(
            "please report it with the command and the file that led to it; what was finished is in the store",
        ),
    );
    std::process::exit(Exit::OurMistake.code().into());
}

/// Says why castline cannot go on.
fn explain(trouble: &Trouble) {
    match trouble {
        Trouble::Diagnostics(found) => commands::show(found),
        other => screen::complain(&other.to_string(), other.hint()),
    }
}

/// Help and versions are no mistake; a command of a later version is refused by its name.
fn explain_arguments(mut error: clap::Error) -> Exit {
    let later = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) => {
            cli::instead_of(name).map(|instead| (name, instead))
        }
        _ => None,
    };
    if let Some((name, instead)) = later {
        let message = format!("`castline {name}` comes with a later version of castline");
        screen::complain(&message, Some(instead));
        return Exit::Wrong;
    }
    if let Some(tip) = tip(&error) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    let _ = error.print();
    if error.use_stderr() { Exit::Wrong } else { Exit::Done }
}

/// What to do about a flag that nobody knows: most likely it is the name of an input.
fn tip(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = flag.strip_prefix("--").filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    let usage = error.get(ContextKind::Usage)?.to_string();
    let mut words = usage.split_whitespace().skip_while(|word| *word != "Usage:").skip(2);
    match words.next()? {
        "run" | "plan" | "watch" | "why" | "graph" => {
            Some(format!("an input of the workflow is given with '-i {name}=VALUE'"))
        }
        "predict" => Some(format!("an input of the preset is given as '{name}=VALUE'")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_an_input_for_a_flag_is_told_how_it_is_given() {
        let tip = |words: &str| tip(&Cli::try_parse_from(words.split(' ')).unwrap_err());
        let flow = Some("an input of the workflow is given with '-i name=VALUE'".to_owned());
        assert_eq!(tip("castline run --name x"), flow);
        assert_eq!(tip("castline -v plan flow.yaml --name=x"), flow);
        let preset = Some("an input of the preset is given as 'prompt=VALUE'".to_owned());
        assert_eq!(tip("castline predict flux-schnell --prompt x"), preset);
        assert_eq!(tip("castline runs list --name x"), None);
    }
}
