//! Why a call to a provider gave no answer, in the core's words.

use std::time::Duration;

/// What a driver says of a call that failed. The error type of `castline-provider` is
/// converted into this one, so that the core knows no HTTP.
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
    /// A download that is empty, short, too large or not the media that it should be.
    #[error("{message}")]
    BadOutput {
        /// What is wrong with it.
        message: String,
        /// Another download may give a better one.
        retry: bool,
    },
    /// An input that cannot be sent.
    #[error("{0}")]
    BadInput(String),
    /// A local file could not be read or written.
    #[error("{0}")]
    Io(String),
}
