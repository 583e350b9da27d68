//! Keys, one by one: the terminal does not wait for a whole line, and does not show them.
//!
//! Signals stay with the terminal, so that Ctrl-C is what it always is. How the terminal was is
//! put back by [`restore`], which whoever ends the process calls as well.
//!
//! Start reading at [`listen`].

use castline_runner::watch::Word;
use tokio::sync::mpsc::UnboundedSender;

/// Reads keys until the process ends; false where nobody can press any.
pub(crate) fn listen(tell: UnboundedSender<Word>) -> bool {
    if !terminal::take() {
        return false;
    }
    std::thread::spawn(move || {
        while let Some(keys) = terminal::read() {
            for word in words(&keys) {
                if tell.send(word).is_err() {
                    return;
                }
            }
        }
    });
    true
}

/// Gives the terminal back as it was.
pub(crate) fn restore() {
    terminal::restore();
}

/// What keys mean. A key that sends several characters, as arrows do, means nothing.
fn words(keys: &[u8]) -> Vec<Word> {
    if keys.first() == Some(&0x1b) {
        return Vec::new();
    }
    let word = |key: &u8| match key {
        b'\r' | b'\n' => Some(Word::Run),
        b'p' => Some(Word::Pause),
        b'r' => Some(Word::Again),
        b'q' => Some(Word::Quit),
        _ => None,
    };
    keys.iter().filter_map(word).collect()
}

#[cfg(unix)]
mod terminal {
    use std::io::{self, IsTerminal, Read};
    use std::sync::{Mutex, PoisonError};

    use rustix::process::{Signal, getpgrp};
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
    use tokio::signal::unix::{SignalKind, signal};

    /// How the terminal was.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// True when there is a terminal to read from and this process has it.
    pub(super) fn take() -> bool {
        let stdin = io::stdin();
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
        // Without a controlling terminal nobody else can have it.
        let is_ours = is_ours || stdin.is_terminal() && tcgetpgrp(&stdin).is_err();
        let Some(before) = tcgetattr(&stdin).ok().filter(|_| is_ours) else { return false };
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        if !set() {
            return false;
        }
        // A shell that was used meanwhile leaves the terminal as it likes it.
        if let Ok(mut goes_on) = signal(SignalKind::from_raw(Signal::CONT.as_raw())) {
            tokio::spawn(async move {
                while goes_on.recv().await.is_some() {
                    set();
                }
            });
        }
        true
    }

    fn set() -> bool {
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut modes) = before.clone() else { return false };
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(io::stdin(), OptionalActions::Now, &modes).is_ok()
    }

    pub(super) fn restore() {
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
    }

    /// What was pressed at once; none when there is nobody any more.
    pub(super) fn read() -> Option<Vec<u8>> {
        let mut keys = [0; 32];
        match io::stdin().lock().read(&mut keys) {
            Ok(0) => None,
            Ok(n) => Some(keys[..n].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(Vec::new()),
            Err(_) => None,
        }
    }
}

/// A line at a time elsewhere: `p` and Enter.
#[cfg(not(unix))]
mod terminal {
    use std::io::{self, IsTerminal};

    pub(super) fn take() -> bool {
        io::stdin().is_terminal()
    }

    pub(super) fn restore() {}

    pub(super) fn read() -> Option<Vec<u8>> {
        let mut line = String::new();
        let bytes = io::stdin().read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        Some(if bytes > 2 { line.trim().as_bytes().to_vec() } else { b"\n".to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_and_arrows_are_none() {
        assert_eq!(words(b"\rpx"), [Word::Run, Word::Pause]);
        assert_eq!(words(b"rq\n"), [Word::Again, Word::Quit, Word::Run]);
        assert_eq!(words(b"\x1b[A"), []);
        assert_eq!(words(b"\x1bOp"), []);
    }
}
