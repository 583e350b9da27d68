//! A watch as it goes on: what each edit changes, what runs, what waits.
//!
//! Start reading at [`Watcher::take`]; [`Json`] is its other face.

pub(crate) mod edit;
mod json;

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_core::bill::Bill;
use castline_core::event::RunStatus;
use castline_runner::watch::{Begun, News, Next, Planned};
use castline_runner::{Over, Project, Trouble, shown};
use castline_spec::Diagnostics;
use indexmap::IndexMap;

use super::diagnostic;
use super::plan::{bill_text, counted, headline};
use super::reroll;
use super::terminal::Terminal;
use crate::commands::run::{page, terminal};
use crate::commands::show;
use crate::screen::{self, BOLD, DIM, GOOD, HINT, Live, WARN, printable};

pub(crate) use json::Json;

/// What can be pressed.
const KEYS: &str = "Enter runs it, p pauses, r runs again, q quits";

/// Tells a person.
pub(crate) struct Watcher {
    /// Several workflows: each line says whose it is.
    many: bool,
    has_keys: bool,
    auto_spend: MicroUsd,
    /// Where its page is, when one is served.
    page: Option<String>,
    runs: IndexMap<String, Shown>,
    /// What waits, by its workflow.
    waiting: IndexMap<String, Bill>,
    files: usize,
    paused: bool,
    /// The line at the bottom.
    status: Option<Live>,
}

/// A run that is shown.
struct Shown {
    terminal: Terminal,
    project: Project,
    folder: PathBuf,
    first: bool,
}

impl Watcher {
    /// Of one workflow or many. Without keys nobody can say yes.
    pub(crate) fn new(many: bool, has_keys: bool, auto_spend: MicroUsd, page: Option<String>) -> Self {
        Self {
            many,
            has_keys,
            auto_spend,
            page,
            runs: IndexMap::new(),
            waiting: IndexMap::new(),
            files: 0,
            paused: false,
            status: None,
        }
    }

    /// Hears what happened.
    pub(crate) fn take(&mut self, news: News) {
        match news {
            News::Watching { files } => {
                self.files = files;
                let page = self.page.as_ref().map(|url| format!("; the page is {url}")).unwrap_or_default();
                screen::say(&format!("{DIM}watching {}{page}{DIM:#}", counted(files, "file")));
                self.status = (self.has_keys && screen::is_terminal()).then(screen::live);
            }
            News::Planned(planned) => self.planned(&planned),
            News::Broken { file, found, goes_on } => self.broken(&file, &found, goes_on),
            News::Repaired { file } => {
                screen::say(&self.line(&file, &format!("{GOOD}mended{GOOD:#}: it is what it was before")));
            }
            News::Refused { file, trouble } => {
                self.waiting.shift_remove(&file);
                match &*trouble {
                    Trouble::Diagnostics(found) => self.broken(&file, found, false),
                    other => self.complain(&file, other),
                }
            }
            News::Began(begun) => self.began(*begun),
            News::Happened { run, entry, .. } => {
                if let Some(shown) = self.runs.get_mut(&run) {
                    shown.terminal.take(&entry);
                }
            }
            News::Ended { file, run, over } => self.ended(&file, &run, over),
            News::Paused(paused) => {
                self.paused = paused;
                screen::say(match paused {
                    true => "paused: edits are planned and not run",
                    false => "goes on: edits run again",
                });
            }
            News::Warned { message } => screen::warn(&message),
        }
        self.show_status();
    }

    /// Draws anew what changes in place.
    pub(crate) fn draw(&self) {
        self.runs.values().for_each(|shown| shown.terminal.draw());
    }

    /// Moves what moves by itself.
    pub(crate) fn tick(&mut self) {
        self.runs.values_mut().for_each(|shown| shown.terminal.tick());
        self.status.iter().for_each(Live::tick);
    }

    fn planned(&mut self, planned: &Planned) {
        let Planned { file, plan, edit, bill, legs, live, next, .. } = planned;
        self.waiting.shift_remove(file);
        for (model, version) in &planned.pinned {
            screen::say(&printable(&format!("pinned {model} to version {version} in castline.lock")));
        }
        if planned.agreed {
            return self.say_next(file, bill, *next, true);
        }
        show(&planned.found);
        match edit {
            None => {
                let head = headline(planned.workflow.as_str(), &plan.routing.chosen.name.to_string(), *live);
                let price = if *live { format!("; {}", bill_text(*bill)) } else { String::new() };
                let all = counted(plan.count(), "leg");
                screen::say(&head);
                screen::say(&format!("{DIM}{legs} of {all} to run{price}{DIM:#}"));
                reroll::lines(plan).iter().for_each(|line| screen::say(line));
            }
            Some(edit) => {
                for line in edit::lines(edit, *live) {
                    screen::say(&self.line(file, &line));
                }
            }
        }
        self.say_next(file, bill, *next, false);
    }

    fn say_next(&mut self, file: &str, bill: &Bill, next: Next, again: bool) {
        let price = bill_text(*bill);
        let line = match next {
            Next::Nothing => format!("{DIM}nothing to do{DIM:#}"),
            Next::Runs => return,
            Next::Paused => format!("{WARN}paused{WARN:#}: not run"),
            Next::WaitsForMoney => {
                let more = if again { "by now it costs" } else { "it costs" };
                let how = match self.has_keys {
                    true => "Enter runs it".to_owned(),
                    false => format!("`--auto-spend` allows {}", self.auto_spend),
                };
                format!("{WARN}waits{WARN:#}: {more} {price}; {how}")
            }
        };
        if matches!(next, Next::Paused | Next::WaitsForMoney) {
            self.waiting.insert(file.to_owned(), *bill);
        }
        screen::say(&self.line(file, &line));
    }

    fn broken(&self, file: &str, found: &Diagnostics, goes_on: bool) {
        let Some(summary) = diagnostic::summary(found) else { return };
        let goes_on = if goes_on { "; what was planned last stays" } else { "" };
        screen::say(&diagnostic::draw(found));
        screen::say("");
        screen::say(&self.line(file, &format!("{summary}{goes_on}")));
    }

    fn began(&mut self, begun: Begun) {
        if !begun.only_free {
            self.waiting.shift_remove(&begun.file);
        }
        let terminal = terminal(&begun.project, &begun.plan).with_news_only();
        let Begun { run, project, folder, first, .. } = begun;
        self.runs.insert(run, Shown { terminal, project, folder, first });
    }

    fn ended(&mut self, file: &str, run: &str, over: Result<Option<Box<Over>>, Trouble>) {
        let Some(one) = self.runs.shift_remove(run) else { return };
        let Shown { mut terminal, project, folder, first } = one;
        let over = match over {
            Ok(Some(over)) => over,
            Ok(None) => return,
            Err(trouble) => {
                drop(terminal);
                return self.complain(file, &trouble);
            }
        };
        let record = &over.record;
        if record.status == Some(RunStatus::Interrupted) {
            drop(terminal);
            let paid = Terminal::paid_on_the_way(record);
            return paid.into_iter().for_each(|line| screen::say(&self.line(file, &line)));
        }
        let page = page(false, false, record, &project, &folder);
        terminal.finish_one_of_many(record, page.as_deref().map(shown).as_deref(), first);
    }

    fn complain(&self, file: &str, trouble: &Trouble) {
        screen::say(&self.line(file, &screen::complaint(&trouble.to_string(), trouble.hint())));
    }

    /// A line with the workflow that it is about, where there are several.
    fn line(&self, file: &str, text: &str) -> String {
        if self.many { format!("{BOLD}{}{BOLD:#}  {text}", printable(file)) } else { text.to_owned() }
    }

    fn show_status(&self) {
        let Some(status) = &self.status else { return };
        let text = match (self.waiting.len(), self.paused) {
            (0, false) => format!(
                "{DIM}watching {}; r runs again, p pauses, q quits{DIM:#}",
                counted(self.files, "file")
            ),
            (0, true) => format!("{WARN}paused{WARN:#}{DIM}; p goes on, q quits{DIM:#}"),
            (n, paused) => {
                let bill = self.waiting.values().copied().sum();
                let what = if n == 1 { "a plan waits".to_owned() } else { format!("{n} plans wait") };
                let keys = if paused { "Enter runs it, p goes on, q quits" } else { KEYS };
                format!("{HINT}{what}{HINT:#}, {}{DIM}; {keys}{DIM:#}", bill_text(bill))
            }
        };
        let width = screen::talk_width().unwrap_or(screen::USUAL_WIDTH).saturating_sub(1);
        status.show(vec![console::truncate_str(&text, width, "").into_owned()]);
    }
}
