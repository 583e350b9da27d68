//! Reporters on a thread of their own, so that a slow terminal holds up nothing.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often what moves by itself is moved.
const TICK: Duration = Duration::from_millis(200);

/// How long news may wait to be reported together.
const REST: Duration = Duration::from_millis(1);

/// Reports news of one kind.
pub(super) trait Reporter<News>: Send + 'static {
    /// Hears what happened.
    fn take(&mut self, news: News);

    /// Draws anew what changes in place, once for all that was heard together.
    fn draw(&mut self);

    /// Moves what moves by itself.
    fn tick(&mut self);
}

/// Where to tell, and the thread that reports what it is told until nobody can tell any more. Between
/// looks the thread rests, so that a run of many quick legs does not wake it for each of them.
pub(super) fn begin<News: Send + 'static, R: Reporter<News>>(
    mut reporter: R,
) -> (Sender<News>, JoinHandle<R>) {
    let (tell, told) = channel();
    let thread = std::thread::spawn(move || {
        loop {
            match told.recv_timeout(TICK) {
                Ok(first) => {
                    std::thread::sleep(REST);
                    std::iter::once(first).chain(told.try_iter()).for_each(|news| reporter.take(news));
                    reporter.draw();
                }
                Err(RecvTimeoutError::Timeout) => reporter.tick(),
                Err(RecvTimeoutError::Disconnected) => return reporter,
            }
        }
    });
    (tell, thread)
}
