//! `castline run`: plan, ask, run, report.
//!
//! Start reading at [`run`].

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use castline_core::MicroUsd;
use castline_core::event::Entry;
use castline_core::plan::Plan;
use castline_core::record::RunRecord;
use castline_core::results::LegStatus;
use castline_runner::settled::{Asked, Idle};
use castline_runner::{Interrupt, Job, Project, Trouble, shown};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{drawn, reporting, runtime, workflow_file};
use crate::browser::{self, Served};
use crate::cli::{Run, Talk};
use crate::exit::Exit;
use crate::report::json::{self, Lines};
use crate::report::page::Board;
use crate::report::plan::Table;
use crate::report::terminal::{Terminal, say_settled};
use crate::report::{page, reroll};
use crate::{log, screen, signals};

/// Above this a live run asks first. A project may come from elsewhere, and can only say less.
const ASK_ABOVE: MicroUsd = MicroUsd(1_000_000);

/// Plans a workflow, then runs it.
pub(crate) fn run(flags: &Run) -> Result<Exit, Trouble> {
    let file = workflow_file::or_only_one(flags.file.as_ref())?;
    let runtime = runtime()?;
    let exit = runtime.block_on(go(flags, &file));
    // What hangs in a thread holds up nothing: its results are in the store or will be adopted.
    runtime.shutdown_background();
    exit
}

async fn go(flags: &Run, file: &Path) -> Result<Exit, Trouble> {
    let (clock, wishes) = (Instant::now(), flags.wishes());
    let asked = if flags.talk.wants_more() { None } else { Asked::now(file, &wishes) };
    if let Some(settled) = asked.as_ref().and_then(Asked::settled) {
        say_settled(&settled.said, clock.elapsed());
        return Ok(Exit::Done);
    }
    let (job, pinned) = Job::plan_to_run(file, &wishes).await?;
    say_pinned(&pinned);
    let idle = asked.and_then(|asked| asked.idle(&job));
    Ok(carry_out_recorded(job, &flags.talk, idle).await?.exit())
}

/// Says which versions were pinned.
pub(super) fn say_pinned(pinned: &BTreeMap<String, String>) {
    for (model, version) in pinned {
        screen::say(&screen::printable(&format!("pinned {model} to version {version} in castline.lock")));
    }
}

/// Asks where money is spent, runs, and reports.
pub(super) async fn carry_out(job: Job, talk: &Talk) -> Result<Exit, Trouble> {
    Ok(carry_out_recorded(job, talk, None).await?.exit())
}

/// A run that is over.
pub(super) struct Over {
    pub(super) record: RunRecord,
    exit: Exit,
}

impl Over {
    /// The exit code, for a process that is about to end: the record of a large run would take as long
    /// to take apart as to make.
    pub(super) fn exit(self) -> Exit {
        std::mem::forget(self.record);
        self.exit
    }
}

/// The same, with what happened. What is said of a run that has nothing to do is kept.
pub(super) async fn carry_out_recorded(job: Job, talk: &Talk, idle: Option<Idle>) -> Result<Over, Trouble> {
    log::hide_tokens_of(&job.project);
    log::hide_values_of(&job.secret_variables());
    let Some(forecast) = &job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics)) };
    let found = drawn(&job.diagnostics);
    found.iter().for_each(|text| screen::say(text));
    job.check_money().await?;
    job.check_secrets()?;
    job.check_out(forecast)?;
    if !may_spend(talk, &job)? {
        return Err(Trouble::Refused { message: "not run: you said no".to_owned(), hint: None });
    }
    reroll::lines(&forecast.plan).iter().for_each(|line| screen::say(line));
    let (project, folder) = (job.project.clone(), job.out_folder(forecast));
    let lines = talk.events.as_deref().map(Lines::open).transpose()?;
    let live = talk.open.then(|| LivePage::begin(&forecast.plan, &project)).transpose()?;
    let mut terminal = terminal(&project, &forecast.plan);
    if idle.is_some() {
        terminal = terminal.with_memory();
    }
    let board = live.as_ref().map(|live| live.board.clone());
    let (tell, reporters) = reporting::begin(Reporters { terminal, lines, board });
    let listener = Box::new(move |entry| drop(tell.send(entry)));
    let (interrupt, signal) = signals::listen();
    let record = Box::pin(job.run(listener, interrupt.clone())).await;
    let reporters = reporters.join().map_err(|_| Trouble::Bug("the reporter ended early".to_owned()))?;
    let mut terminal = reporters.terminal;
    let record = record.inspect_err(|_| screen::end_live())?.record_at_the_end();
    let page = finish(talk, &record, &project, &folder, &mut terminal)?;
    if let Some(live) = live {
        live.end(&record, page.as_deref(), interrupt).await?;
    }
    let exit = exit(&record, signal.get().copied());
    if let Some(idle) = idle {
        let mut said = terminal.said();
        said.before.splice(0..0, found);
        idle.keep(&record, said);
    }
    Ok(Over { record, exit })
}

/// Everything that is said and written when the run is over.
fn finish(
    talk: &Talk,
    record: &RunRecord,
    project: &Project,
    folder: &Path,
    terminal: &mut Terminal,
) -> Result<Option<PathBuf>, Trouble> {
    let page = page(talk.report || talk.embed || talk.open, talk.embed, record, project, folder);
    terminal.finish(record, page.as_deref().map(shown).as_deref());
    if talk.json {
        json::print(&json::run(record, project))?;
    }
    Ok(page)
}

/// Who cannot wait for so long sees a run while it goes on.
const SOON: Duration = Duration::from_secs(1);

/// The page of a run that somebody wants to see in a browser. A run that is over soon is shown when it
/// is over.
struct LivePage {
    board: Arc<Board>,
    served: Served,
    opens: JoinHandle<Result<(), Trouble>>,
}

impl LivePage {
    fn begin(plan: &Plan, project: &Project) -> Result<Self, Trouble> {
        let board = Board::of_run(&plan.graph.source.name);
        board.begins(plan, project);
        let served = Served::begin(vec![board.clone()])?;
        let url = served.urls()[0].clone();
        let opens = tokio::spawn(async move {
            sleep(SOON).await;
            browser::open(url)
        });
        Ok(Self { board, served, opens })
    }

    /// Whoever looks at it keeps all that there is to see; else the report is opened.
    async fn end(
        self,
        record: &RunRecord,
        report: Option<&Path>,
        mut interrupt: watch::Receiver<Interrupt>,
    ) -> Result<(), Trouble> {
        self.opens.abort();
        let opened = match self.opens.await {
            Ok(opened) => opened.map(|()| true)?,
            Err(_) => false,
        };
        self.board.ended(record);
        let before = *interrupt.borrow_and_update() != Interrupt::No;
        let served = self.served;
        let show = async {
            // Whoever has looked may have left, or sleep in the background.
            if opened && served.is_seen().await && served.is_followed() {
                served.end().await;
                return Ok(());
            }
            report.map_or(Ok(()), browser::open)
        };
        tokio::select! {
            shown = show => shown,
            Ok(()) = interrupt.changed(), if !before => Ok(()),
        }
    }
}

/// A reporter of a run of this plan, for whoever sees stderr.
pub(crate) fn terminal(project: &Project, plan: &Plan) -> Terminal {
    let terminal = Terminal::new(Box::new(screen::say), project.root.clone()).with_free(plan.routing.free());
    if !screen::is_terminal() {
        return terminal.with_milestones();
    }
    terminal.with_progress(screen::live(), plan)
}

/// Who is told of a run.
struct Reporters {
    terminal: Terminal,
    lines: Option<Lines>,
    board: Option<Arc<Board>>,
}

impl reporting::Reporter<Entry> for Reporters {
    fn take(&mut self, entry: Entry) {
        self.lines.iter_mut().for_each(|lines| lines.take(&entry));
        self.board.iter().for_each(|board| board.heard(&entry));
        self.terminal.take(&entry);
    }

    fn draw(&mut self) {
        self.terminal.draw();
    }

    fn tick(&mut self) {
        self.terminal.tick();
    }
}

/// On a terminal a live run shows its price and asks, above an amount. Elsewhere nobody could
/// answer, and the budget decides.
fn may_spend(talk: &Talk, job: &Job) -> Result<bool, Trouble> {
    let Some(forecast) = job.forecast.as_ref().filter(|_| job.is_live()) else { return Ok(true) };
    if talk.yes || !screen::is_terminal() || !io::stdin().is_terminal() {
        return Ok(true);
    }
    let limits = job.project.document.as_ref().map(|d| &d.limits);
    let own = limits.and_then(|l| MicroUsd::from_usd(l.confirm_above_usd.as_ref()?.value));
    let table = Table::of(forecast);
    let cost = job.live_cost();
    // What nobody knows the price of may be above every amount.
    if cost.unpriced == 0 && cost.max.max(table.most()) <= asks_above(own) {
        return Ok(true);
    }
    screen::say(&table.draw(screen::talk_width()));
    screen::confirm("Run it?").map_err(|e| {
        Trouble::usage(format!("cannot read the answer: {e}"), "run it with `--yes` if you mean it")
    })
}

/// The amount above which a run asks, of a project that says this.
fn asks_above(own: Option<MicroUsd>) -> MicroUsd {
    own.map_or(ASK_ABOVE, |own| own.min(ASK_ABOVE))
}

/// Writes `report.html` when there is something new to see, or when it is asked for.
pub(crate) fn page(
    wanted: bool,
    embed: bool,
    record: &RunRecord,
    project: &Project,
    folder: &Path,
) -> Option<PathBuf> {
    let news = record.legs.iter().any(|leg| !leg.reused && leg.status != LegStatus::NotRun);
    let page = folder.join("report.html");
    if !(news || wanted) {
        return page.is_file().then_some(page);
    }
    match page::write(record, project, folder, embed) {
        Ok(page) => Some(page),
        Err(e) => {
            screen::warn(&format!("`{}` was not written: {e}", shown(&page)));
            None
        }
    }
}

/// The signal decides when one stopped the run, else how the run ended.
fn exit(record: &RunRecord, signal: Option<Exit>) -> Exit {
    use castline_core::event::RunStatus;
    match (record.status, signal) {
        (Some(RunStatus::Interrupted) | None, signal) => signal.unwrap_or(Exit::Interrupted),
        (Some(status), _) => status.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_asks_earlier_and_never_later() {
        assert_eq!(asks_above(None), ASK_ABOVE);
        assert_eq!(asks_above(Some(MicroUsd::ZERO)), MicroUsd::ZERO);
        assert_eq!(asks_above(Some(MicroUsd(1_000_000_000_000))), ASK_ABOVE);
    }
}
