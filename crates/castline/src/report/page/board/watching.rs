//! What a watch tells, on the page of its workflow.

use std::collections::BTreeSet;

use castline_runner::Trouble;
use castline_runner::watch::{Begun, News, Next, Planned};
use castline_spec::{Diagnostic, Diagnostics};
use serde_json::Value as Json;

use super::Board;
use super::scene::Scene;
use crate::report::diagnostic;
use crate::report::page::state::Watched;
use crate::report::plan::bill_text;
use crate::report::watch::edit;

impl Board {
    /// Something happened to the workflow that this page shows, or to all that are watched.
    pub(crate) fn watched(&self, news: &News) {
        self.scene().hear(news);
        self.bell.notify_one();
    }
}

impl Scene {
    fn hear(&mut self, news: &News) {
        match news {
            News::Planned(planned) => self.planned(planned),
            News::Broken { found, .. } => self.broken(found),
            News::Repaired { .. } => self.find(&Diagnostics::default()),
            News::Refused { trouble, .. } => match &**trouble {
                Trouble::Diagnostics(found) => self.broken(found),
                trouble => self.refused(trouble),
            },
            News::Began(begun) => self.began(begun),
            News::Happened { run, entry, .. } if self.is_shown(run) => self.take(entry),
            News::Ended { run, over, .. } if self.is_shown(run) => match over {
                Ok(Some(over)) => self.explain(&over.record),
                Ok(None) => {}
                Err(trouble) => self.refused(trouble),
            },
            News::Paused(paused) => self.watch(|watched| watched.paused = *paused),
            News::Happened { .. } | News::Ended { .. } | News::Watching { .. } | News::Warned { .. } => {}
        }
    }

    /// Of runs whose place was taken nothing is shown any more.
    fn is_shown(&self, run: &str) -> bool {
        self.shown.as_deref() == Some(run)
    }

    fn planned(&mut self, planned: &Planned) {
        let Planned { plan, edit, next, bill, held, .. } = planned;
        self.find(&planned.found);
        let changes = edit.as_ref().map(|edit| plain(&edit::lines(edit, planned.live))).unwrap_or_default();
        let waits = match next {
            Next::WaitsForMoney => Some(format!("It waits for Enter on the terminal: {}.", bill_text(*bill))),
            Next::Nothing | Next::Runs | Next::Paused => None,
        };
        self.watch(|watched| {
            watched.waits = waits;
            // What somebody has agreed to is still the same edit.
            if !planned.agreed {
                watched.changes = changes;
            }
        });
        if *next != Next::Runs {
            self.know(plan, planned.project.store());
        }
        let whys = edit.iter().flat_map(|edit| &edit.legs);
        self.whys = whys.filter_map(|leg| Some((leg.leg.name.clone(), edit::why(leg)?))).collect();
        self.hold(held.clone());
    }

    fn began(&mut self, begun: &Begun) {
        let held = self.held.clone();
        self.shown = Some(begun.run.clone());
        self.begin(&begun.plan, begun.project.store());
        if begun.only_free {
            self.hold(held);
        }
    }

    fn broken(&mut self, found: &Diagnostics) {
        self.find(found);
        self.watch(|watched| {
            watched.is_broken = true;
            // Those are of an edit before.
            watched.changes.clear();
        });
    }

    fn refused(&mut self, trouble: &Trouble) {
        let hint = trouble.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        self.watch(|watched| {
            watched.refused = Some(format!("{trouble}{hint}"));
            watched.waits = None;
        });
        self.hold(BTreeSet::new());
    }

    /// What was found takes the place of what was found before, and of what was refused.
    fn find(&mut self, found: &Diagnostics) {
        let diagnostics = found.list.iter().map(with_text).collect();
        self.watch(|watched| {
            watched.diagnostics = diagnostics;
            watched.is_broken = false;
            watched.refused = None;
        });
        self.touch("diagnostics");
    }

    fn watch(&mut self, change: impl FnOnce(&mut Watched)) {
        if let Some(watched) = &mut self.watched {
            change(watched);
        }
        self.touch("watch");
    }
}

/// Lines without the colors of a terminal.
fn plain(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect()
}

/// A finding as `check --format json` has it, with the lines of the file.
fn with_text(finding: &Diagnostic) -> Json {
    let mut object = diagnostic::one_json(finding);
    object["text"] = diagnostic::excerpt(finding).into();
    object
}
