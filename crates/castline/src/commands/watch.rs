//! `castline watch`: runs workflows again whenever something that they are made of changes.

use std::sync::mpsc::Sender;
use std::time::Duration;

use castline_runner::Trouble;
use castline_runner::watch::{self, News};
use tokio::sync::mpsc::unbounded_channel;

use super::{reporting, runtime, workflow_file};
use crate::cli::Watch;
use crate::exit::Exit;
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
    let files = match flags.files.as_slice() {
        [] => vec![workflow_file::or_only_one(None)?],
        files => files.to_vec(),
    };
    let (interrupt, signal) = signals::listen();
    let (say, words) = unbounded_channel();
    // Kept, so that nobody seems to have said the last word.
    let has_keys = !flags.json && keys::listen(say.clone());
    let (tell, reporter) = reporting::begin(match flags.json {
        true => Reporter::Json(Json::new()),
        false => Reporter::Person(Box::new(Watcher::new(files.len() > 1, has_keys, flags.auto_spend))),
    });
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
    watched?;
    Ok(signal.get().copied().unwrap_or(Exit::Done))
}

/// Who is told.
enum Reporter {
    Person(Box<Watcher>),
    Json(Json),
}

impl reporting::Reporter<News> for Reporter {
    fn take(&mut self, news: News) {
        match self {
            Self::Person(watcher) => watcher.take(news),
            Self::Json(json) => json.take(&news),
        }
    }

    fn draw(&mut self) {
        match self {
            Self::Person(watcher) => watcher.draw(),
            Self::Json(_) => {}
        }
    }

    fn tick(&mut self) {
        match self {
            Self::Person(watcher) => watcher.tick(),
            Self::Json(_) => {}
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
