//! Signals: the first Ctrl-C stops gently, a second one, SIGTERM and SIGHUP at once.
//!
//! Whatever still hangs a second after it was asked to leave is left: the ledger knows what
//! was created, and the next run adopts it.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use castline_runner::Interrupt;
use tokio::sync::watch;

use crate::exit::Exit;
use crate::{keys, screen};

/// How long the process may take to leave.
const PATIENCE: Duration = Duration::from_millis(900);

/// The signal that ended the process, once there was one.
pub(crate) type Ended = Arc<OnceLock<Exit>>;

/// Listens for the rest of the process. The receiver is for a run; which signal it was is in
/// the other.
pub(crate) fn listen() -> (watch::Receiver<Interrupt>, Ended) {
    let (tell, told) = watch::channel(Interrupt::No);
    let ended = Ended::default();
    tokio::spawn(follow(tell, ended.clone()));
    (told, ended)
}

/// Ends with the first signal, for a server that loses nothing.
pub(crate) fn first() -> (impl Future<Output = ()>, Ended) {
    let ended = Ended::default();
    let which = ended.clone();
    let end = async move {
        let mut signals = Signals::new();
        let _ = which.set(signals.next().await);
    };
    (end, ended)
}

async fn follow(tell: watch::Sender<Interrupt>, ended: Ended) {
    let mut signals = Signals::new();
    loop {
        let exit = signals.next().await;
        let again = ended.set(exit).is_err();
        if exit == Exit::Interrupted && !again {
            let _ = tell.send(Interrupt::Gently);
        } else {
            let _ = tell.send(Interrupt::Now);
            leave_soon(*ended.get().unwrap_or(&exit));
        }
    }
}

/// Leaves within a second, whatever hangs.
fn leave_soon(exit: Exit) {
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        screen::end_live();
        keys::restore();
        std::process::exit(exit.code().into());
    });
}

/// The signals that end a process.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = |kind| signal(kind).expect("a signal that every process may handle");
        Self {
            interrupt: signal(SignalKind::interrupt()),
            terminate: signal(SignalKind::terminate()),
            hangup: signal(SignalKind::hangup()),
        }
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hangup.recv() => Exit::HungUp,
        }
    }
}

/// Ctrl-C is all there is elsewhere.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> Exit {
        let _ = tokio::signal::ctrl_c().await;
        Exit::Interrupted
    }
}
