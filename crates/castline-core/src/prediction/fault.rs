//! Why a call to a provider gave no answer, in the core's words.

use std::time::Duration;

/// Why a call gave no answer that can be used. Providers speak in these words, so that the
/// core knows no HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The request never left: no connection. Safe to send again.
    #[error("cannot reach {host}: {cause}")]
    NotSent {
        /// Host and port.
        host: String,
        /// The words of the operating system or of TLS.
        cause: String,
    },
    /// Sent, and the answer was lost: for a create nobody knows whether it was received.
    #[error("the answer of {host} was lost: {cause}")]
    Lost {
        /// Host and port.
        host: String,
        /// What happened.
        cause: String,
    },
    /// Refused for now.
    #[error("{message}")]
    Busy {
        /// The server's words.
        message: String,
        /// When to come back, where the server said so.
        retry_after: Option<Duration>,
    },
    /// The server failed.
    #[error("{message}")]
    Server {
        /// The server's words with the HTTP status.
        message: String,
        /// True when a create certainly was not accepted.
        refused: bool,
    },
    /// Refused for good.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words and what to do.
        message: String,
    },
    /// There is no such prediction, model or file, or not any more.
    #[error("it is not there (any more)")]
    Gone,
    /// The prediction is there and is certainly another one than was asked for, and what shows it.
    #[error("{0}")]
    Another(String),
    /// A download that came empty, short or as an error page, that stalled, is too large, or
    /// at an address that is refused.
    #[error("{message}")]
    BadOutput {
        /// What is wrong with it.
        message: String,
        /// The file is paid for, and the same download may well succeed.
        retry: bool,
    },
    /// An input that cannot be sent.
    #[error("{0}")]
    BadInput(String),
    /// A local file could not be read or written.
    #[error("{0}")]
    Io(String),
}

impl CallFault {
    /// A download that would end the same way again.
    pub fn bad_output(message: impl Into<String>) -> Self {
        Self::BadOutput { message: message.into(), retry: false }
    }

    /// A download that came incomplete: the same one may well succeed.
    pub fn incomplete_output(message: impl Into<String>) -> Self {
        Self::BadOutput { message: message.into(), retry: true }
    }

    /// The same with other words, where they are somebody else's.
    #[must_use]
    pub fn map_message(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::BadOutput { message, retry } => Self::BadOutput { message: change(message), retry },
            Self::Server { message, refused } => Self::Server { message: change(message), refused },
            Self::Refused { status, message } => Self::Refused { status, message: change(message) },
            Self::Another(message) => Self::Another(change(message)),
            Self::Busy { message, retry_after } => Self::Busy { message: change(message), retry_after },
            other => other,
        }
    }

    /// How long the provider asked to stay away, where it did.
    pub fn asked(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// True when the same call could succeed later: for all calls but a create, which may
    /// be repeated freely. For a create look at the variants: [`CallFault::Lost`] and an
    /// unrefused [`CallFault::Server`] may have been accepted.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::Lost { .. }
            | Self::Busy { .. }
            | Self::Server { .. }
            | Self::BadOutput { retry: true, .. } => true,
            Self::Refused { .. }
            | Self::Gone
            | Self::Another(_)
            | Self::BadOutput { .. }
            | Self::BadInput(_)
            | Self::Io(_) => false,
        }
    }
}

impl From<std::io::Error> for CallFault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
