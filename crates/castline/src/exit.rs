//! How the process ends: one table of exit codes.
//!
//! The same table is `docs/reference/exit-codes.md`; a test holds the two together.

use std::process::ExitCode;

use castline_core::event::RunStatus;
use castline_runner::Trouble;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for is there.
    Done,
    /// A prediction failed, and the workflow does not say what to do then.
    StepFailed,
    /// A file, a flag or the project has to be changed first.
    Wrong,
    /// The budget does not allow it, or a price is not known.
    Refused,
    /// Nobody knows whether a create was received.
    InDoubt,
    /// A command that looks for differences or problems found one.
    Found,
    /// castline made a mistake.
    OurMistake,
    /// The terminal went away.
    HungUp,
    /// Ctrl-C.
    Interrupted,
    /// Asked to end.
    Terminated,
}

impl Exit {
    /// The code that the caller sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::StepFailed => 1,
            Self::Wrong => 2,
            Self::Refused => 3,
            Self::InDoubt => 4,
            Self::Found => 5,
            Self::OurMistake => 70,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<RunStatus> for Exit {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Done,
            RunStatus::Failed => Self::StepFailed,
            RunStatus::Refused => Self::Refused,
            RunStatus::InDoubt => Self::InDoubt,
            RunStatus::Interrupted => Self::Interrupted,
        }
    }
}

impl From<&Trouble> for Exit {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Diagnostics(_) | Trouble::Usage { .. } | Trouble::Store { .. } => Self::Wrong,
            Trouble::Refused { .. } => Self::Refused,
            Trouble::Bug(_) => Self::OurMistake,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Exit] = &[
        Exit::Done,
        Exit::StepFailed,
        Exit::Wrong,
        Exit::Refused,
        Exit::InDoubt,
        Exit::Found,
        Exit::OurMistake,
        Exit::HungUp,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    #[test]
    fn the_documented_table_has_every_exit_code() {
        let page = include_str!("../../../docs/reference/exit-codes.md");
        let documented: Vec<u8> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| "))
            .flat_map(|row| row.split(" |").next().unwrap_or_default().split(", "))
            .filter_map(|code| code.parse().ok())
            .collect();
        for exit in ALL {
            assert!(documented.contains(&exit.code()), "{exit:?} ends with a code that is not documented");
        }
    }

    #[test]
    fn a_run_ends_with_the_code_that_the_core_gives_it() {
        for status in [
            RunStatus::Succeeded,
            RunStatus::Failed,
            RunStatus::Refused,
            RunStatus::InDoubt,
            RunStatus::Interrupted,
        ] {
            assert_eq!(Exit::from(status).code(), status.exit_code());
        }
    }

    #[test]
    fn a_trouble_ends_with_the_code_that_the_runner_gives_it() {
        let (message, hint) = (String::new(), None);
        for trouble in [
            Trouble::Diagnostics(castline_spec::Diagnostics::default()),
            Trouble::Usage { message: message.clone(), hint: hint.clone() },
            Trouble::Store { message: message.clone(), hint: hint.clone() },
            Trouble::Refused { message: message.clone(), hint },
            Trouble::Bug(message),
        ] {
            assert_eq!(Exit::from(&trouble).code(), trouble.exit_code());
        }
    }
}
