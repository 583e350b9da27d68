//! Pages in a browser: opened there, and served as long as something happens that they show.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use castline_runner::Trouble;
use castline_server::{Page, PageServer};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::report::page::Board;
use crate::screen;

/// A browser that was asked to open a page has asked for it by then, or never does.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// At the end a page fetches what it has not shown yet, for so long.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Opens an address or a file with whatever opens pages here.
pub(crate) fn open(target: impl AsRef<OsStr>) -> Result<(), Trouble> {
    let target = target.as_ref();
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(opener);
    command.arg(target).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is not meant for the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let shown = target.to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|e| {
        Trouble::usage(format!("cannot open `{shown}` with `{opener}`: {e}"), "open it in a browser yourself")
    })?;
    std::thread::spawn(move || {
        // It may live as long as the browser does.
        if child.wait().is_ok_and(|status| !status.success()) && !cfg!(windows) {
            screen::warn(&format!("`{opener}` could not open `{shown}`: open it in a browser yourself"));
        }
    });
    Ok(())
}

/// Pages that are served.
pub(crate) struct Served {
    boards: Vec<Arc<Board>>,
    urls: Vec<String>,
    tasks: Vec<JoinHandle<()>>,
}

impl Served {
    /// Serves from now on. Pages are called 1, 2, 3, as [`href`] names them.
    pub(crate) fn begin(boards: Vec<Arc<Board>>) -> Result<Self, Trouble> {
        let pages = boards.iter().enumerate().map(|(n, board)| (name(n), board.clone() as Arc<dyn Page>));
        let server = PageServer::bind(pages.collect()).map_err(|e| {
            let message = format!("cannot serve a page on this machine: {e}");
            Trouble::usage(message, "run it without `--open`")
        })?;
        let urls = (0..boards.len()).map(|n| server.url(&name(n))).collect();
        let mut tasks: Vec<_> = boards.iter().map(|board| tokio::spawn(board.clone().flow())).collect();
        tasks.push(tokio::spawn(async move {
            if let Err(e) = server.run(std::future::pending()).await {
                screen::warn(&format!("the page is not served any more: {e}"));
            }
        }));
        Ok(Self { boards, urls, tasks })
    }

    /// Where each page is.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// True once somebody looks at the first page; false when nobody comes.
    pub(crate) async fn is_seen(&self) -> bool {
        timeout(BEGINS_WITHIN, self.boards[0].first_follower()).await.is_ok()
    }

    /// True while somebody looks at a page.
    pub(crate) fn is_followed(&self) -> bool {
        self.boards.iter().any(|board| board.is_followed())
    }

    /// Says that nothing more happens, and ends when everybody who looks has all that there is.
    pub(crate) async fn end(self) {
        self.boards.iter().for_each(|board| board.end());
        let left = async {
            for board in &self.boards {
                board.last_follower().await;
            }
        };
        let _ = timeout(ENDS_WITHIN, left).await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn name(n: usize) -> String {
    (n + 1).to_string()
}

/// The way from one page to another.
pub(crate) fn href(n: usize) -> String {
    format!("../{}/", name(n))
}
