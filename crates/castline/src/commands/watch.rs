//! `castline watch`: runs workflows again whenever something that they are made of changes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use castline_runner::watch::{self, News};
use castline_runner::{Trouble, shown};
use indexmap::IndexMap;
use tokio::sync::mpsc::unbounded_channel;

use super::{reporting, runtime, workflow_file};
use crate::browser::{self, Served};
use crate::cli::Watch;
use crate::exit::Exit;
use crate::report::page::{Board, Other};
use crate::report::watch::{Json, Watcher};
use crate::{keys, log, screen, signals};

/// An edit is over when nothing was written for so long.
const QUIET: Duration = Duration::from_millis(50);

/// Watches until the user has enough.
pub(crate) fn watch(flags: &Watch) -> Result<Exit, Trouble> {
    let runtime = runtime()?;
    let exit = runtime.block_on(go(flags));
    screen::end_live();
    keys::restore();
    // What hangs in a thread holds up nothing: its results are in the store or will be adopted.
    runtime.shutdown_background();
    exit
}

async fn go(flags: &Watch) -> Result<Exit, Trouble> {
    let mut files = match flags.files.as_slice() {
        [] => vec![workflow_file::or_only_one(None)?],
        files => files.to_vec(),
    };
    let mut named = BTreeSet::new();
    files.retain(|file| named.insert(shown(file)));
    let (interrupt, signal) = signals::listen();
    let (say, words) = unbounded_channel();
    // Kept, so that nobody seems to have said the last word.
    let has_keys = !flags.json && keys::listen(say.clone());
    let boards = if flags.open { boards(&files) } else { IndexMap::new() };
    let served = flags.open.then(|| Served::begin(boards.values().cloned().collect())).transpose()?;
    let urls = served.as_ref().map(|served| served.urls().to_vec()).unwrap_or_default();
    let face = if flags.json {
        Face::Json(Json::new(boards.keys().cloned().zip(urls.clone()).collect()))
    } else {
        let one = Watcher::new(files.len() > 1, has_keys, flags.auto_spend, urls.first().cloned());
        Face::Person(Box::new(one))
    };
    let (tell, reporter) = reporting::begin(Reporter { face, boards, opens: urls.into_iter().next() });
    let listener = Box::new(move |news| hear(&tell, news));
    let options = watch::Options {
        files,
        wishes: flags.wishes(),
        auto_spend: flags.auto_spend,
        budget: flags.budget,
        quiet: QUIET,
        poll: flags.poll,
    };
    let watched = Box::pin(watch::watch(options, listener, words, interrupt)).await;
    drop(say);
    reporter.join().map_err(|_| Trouble::Bug("the reporter ended early".to_owned()))?;
    if let Some(served) = served {
        served.end().await;
    }
    watched?;
    Ok(signal.get().copied().unwrap_or(Exit::Done))
}

/// A page for each workflow, by the name that the user gave it.
fn boards(files: &[PathBuf]) -> IndexMap<String, Arc<Board>> {
    let others = |own: usize| {
        let others = files.iter().enumerate().filter(|(n, _)| *n != own);
        others.map(|(n, file)| Other { name: shown(file), href: browser::href(n) }).collect()
    };
    let board = |(n, file): (usize, &PathBuf)| (shown(file), Board::of_watch(&shown(file), others(n)));
    files.iter().enumerate().map(board).collect()
}

/// Who is told.
struct Reporter {
    face: Face,
    boards: IndexMap<String, Arc<Board>>,
    /// The page that is opened once everything was read.
    opens: Option<String>,
}

/// Who reads it.
enum Face {
    Person(Box<Watcher>),
    Json(Json),
}

impl reporting::Reporter<News> for Reporter {
    fn take(&mut self, news: News) {
        match news.file() {
            Some(file) => self.boards.get(file).into_iter().for_each(|board| board.watched(&news)),
            None => self.boards.values().for_each(|board| board.watched(&news)),
        }
        let page = self.opens.take_if(|_| matches!(news, News::Watching { .. }));
        match &mut self.face {
            Face::Person(watcher) => watcher.take(news),
            Face::Json(json) => json.take(&news),
        }
        if let Some(Err(trouble)) = page.map(browser::open) {
            screen::warn(&trouble.to_string());
        }
    }

    fn draw(&mut self) {
        if let Face::Person(watcher) = &self.face {
            watcher.draw();
        }
    }

    fn tick(&mut self) {
        if let Face::Person(watcher) = &mut self.face {
            watcher.tick();
        }
    }
}

/// Before anything of a plan is shown or sent, its secrets are hidden.
fn hear(tell: &Sender<News>, news: News) {
    if let News::Planned(planned) = &news {
        log::hide_tokens_of(&planned.project);
        log::hide_values_of(&planned.hidden);
    }
    drop(tell.send(news));
}
