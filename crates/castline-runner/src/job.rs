//! From a workflow file to a forecast: load, check, plan.
//!
//! Start reading at [`Job::plan`].

mod answers;
mod checked;
mod choices;
mod cost;
mod loaded;
mod money;
mod session;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use castline_core::files::Files;
use castline_core::forecast::{Fate, Forecast};
use castline_core::graph::Graph;
use castline_core::inputs::Given;
use castline_core::plan::Plan;
use castline_core::{Digest, Key};
use castline_spec::{Diagnostics, Source};
use castline_store::{Layout, Store};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::files::load_fetched;
use crate::lock::Lock;
use crate::looked::Looked;
use crate::project::{Project, read};
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;
use answers::Answers;
use checked::settle;
use choices::{check_rerolls, choices};
use loaded::{Missing, load, without_ledger};

pub use checked::Checked;
pub(crate) use choices::labels;
pub use cost::Cost;
pub(crate) use cost::bills;
pub(crate) use loaded::look_with;
pub(crate) use session::Session;

/// A workflow, planned.
pub struct Job {
    /// The project around it.
    pub project: Project,
    /// The run's id.
    pub run: String,
    /// What was found; with errors there is no forecast.
    pub diagnostics: Diagnostics,
    /// The checked workflow; none when it is broken.
    pub graph: Option<Arc<Graph>>,
    /// What a run would do.
    pub forecast: Option<Forecast>,
    pub(crate) wishes: Wishes,
    pub(crate) store: Option<Store>,
    /// Successes whose files are gone, with the number of their claim.
    pub(crate) missing: Vec<(Key, u64)>,
    /// Keys that were created before and whose outcome is still open, or whose files are to be
    /// fetched again: their money is reserved or spent already.
    pub(crate) paid: HashSet<Key>,
    /// The documents that were read.
    pub(crate) documents: Vec<Source>,
    /// What was given for inputs.
    pub(crate) given: IndexMap<String, Given>,
    /// The account of its money, where that is not its own: that of the plan that it applies.
    pub(crate) account: Option<String>,
    /// What it belongs to, with the plans before and after it.
    pub(crate) session: Option<Session>,
    /// Only what costs nothing is run.
    pub(crate) only_free: bool,
    /// The documents that were looked at on the way, there or not.
    looked: Looked,
    /// The files that the plan asked for.
    files: Option<Arc<Files>>,
}

/// What a plan is made from, besides its file, the flags and the project.
#[derive(Default, Clone, Copy)]
pub(crate) struct Basis<'a> {
    /// What a plan's file keeps of the inputs, instead of the flags.
    pub(crate) given: Option<&'a IndexMap<String, Json>>,
    /// The files that the plan's file was made from, by their paths from the project.
    pub(crate) files: Option<&'a BTreeMap<String, Digest>>,
    /// Makes the draws, instead of an id of its own.
    pub(crate) draws: Option<&'a str>,
    /// Puts a file into its place before it is read.
    pub(crate) fetch: Option<&'a dyn Fn(&Path)>,
    /// The store that is asked, instead of the project's; none in it where nothing was run yet.
    pub(crate) store: Option<&'a Option<Store>>,
    /// The workflow's text, instead of that of its file.
    pub(crate) text: Option<&'a Source>,
    /// Inputs and steps that the flags name and the workflow has not are left out.
    pub(crate) lenient: bool,
}

impl Job {
    /// Plans a workflow that is about to run: versions that are not pinned yet are asked for
    /// and pinned in `castline.lock`. Returns those that are new as well.
    pub async fn plan_to_run(
        file: &Path,
        wishes: &Wishes,
    ) -> Result<(Self, BTreeMap<String, String>), Trouble> {
        Self::plan_to_run_on(&Basis::default(), file, wishes).await
    }

    /// The same for a workflow that is in no file. It stands where its name says.
    pub async fn plan_text_to_run(
        source: &Source,
        wishes: &Wishes,
    ) -> Result<(Self, BTreeMap<String, String>), Trouble> {
        let basis = Basis { text: Some(source), ..Basis::default() };
        Self::plan_to_run_on(&basis, Path::new(&*source.name), wishes).await
    }

    /// The same as a part of something that goes on.
    pub(crate) async fn plan_in(
        session: &Session,
        file: &Path,
        wishes: &Wishes,
    ) -> Result<(Self, BTreeMap<String, String>), Trouble> {
        let basis = Basis { draws: Some(&session.draws), ..Basis::default() };
        let (mut job, pinned) = Self::plan_to_run_on(&basis, file, wishes).await?;
        job.session = Some(session.clone());
        Ok((job, pinned))
    }

    async fn plan_to_run_on(
        basis: &Basis<'_>,
        file: &Path,
        wishes: &Wishes,
    ) -> Result<(Self, BTreeMap<String, String>), Trouble> {
        let job = Self::plan_again(basis, file, wishes).await?;
        let unpinned = job.forecast.as_ref().map(|forecast| forecast.plan.unpinned()).unwrap_or_default();
        if unpinned.is_empty() || wishes.offline {
            job.rely_on_hits()?;
            return Ok((job, BTreeMap::new()));
        }
        let new = Lock::read(&job.project)?.pin(&job.project, unpinned).await?;
        drop(job);
        let job = Self::plan_again(basis, file, wishes).await?;
        job.rely_on_hits()?;
        Ok((job, new))
    }

    /// Loads, checks and plans a workflow, and asks the ledger what is known.
    pub async fn plan(file: &Path, wishes: &Wishes) -> Result<Self, Trouble> {
        Self::plan_with(file, wishes, Missing::Error).await
    }

    /// The same as far as the given inputs lead: a missing one is a warning. Without errors the
    /// graph is there, and the forecast as well unless an axis has no values yet.
    pub async fn sketch(file: &Path, wishes: &Wishes) -> Result<Self, Trouble> {
        Self::plan_with(file, wishes, Missing::Warning).await
    }

    async fn plan_with(file: &Path, wishes: &Wishes, missing: Missing) -> Result<Self, Trouble> {
        Self::plan_on(&Basis::default(), file, wishes, missing).await
    }

    /// The same as [`Job::plan`], from what is known already.
    pub(crate) async fn plan_again(basis: &Basis<'_>, file: &Path, wishes: &Wishes) -> Result<Self, Trouble> {
        Self::plan_on(basis, file, wishes, Missing::Error).await
    }

    async fn plan_on(
        basis: &Basis<'_>,
        file: &Path,
        wishes: &Wishes,
        missing: Missing,
    ) -> Result<Self, Trouble> {
        let (project, mut found) = Project::near(file);
        let run = ulid::Ulid::generate().to_string();
        let text = basis.text.map_or_else(|| read(file), |text| Ok(text.clone()));
        let mut looked = Looked::around(file, &project, wishes);
        let loaded = match text {
            Ok(source) => load(&source, &project, &mut found, &mut looked),
            Err(finding) => {
                found.push(*finding);
                None
            }
        };
        let Some(loaded) = loaded else {
            settle(&mut found);
            return Ok(Self { looked, ..Self::without_forecast(project, run, found, wishes) });
        };
        let given = loaded.given(&project, wishes, basis)?;
        let routing = providers::routing(&project, wishes)?;
        let draws = basis.draws.unwrap_or(&run);
        let choices = match basis.lenient {
            true => choices(&loaded.graph, &wishes.known_to(&loaded.graph)?, draws, &project)?,
            false => choices(&loaded.graph, wishes, draws, &project)?,
        };
        let fetch = basis.fetch.unwrap_or(&|_| {});
        let own = if basis.store.is_none() { store_to_look_at(&project)? } else { None };
        let store = basis.store.map_or(own.as_ref(), Option::as_ref);
        let planned = loaded.plan(&project, store, &given, &routing, &choices, missing, fetch);
        found.extend(planned.found);
        let files = planned.files.clone();
        let mut job = Self::without_forecast(project, run, found, wishes);
        job.graph = Some(loaded.graph);
        job.documents = loaded.documents;
        job.given = given;
        if let Some(plan) = planned.plan {
            job.forecast(&plan, store, fetch).await?;
        }
        match &job.forecast {
            Some(forecast) if !basis.lenient => check_rerolls(&forecast.plan, wishes)?,
            _ => {}
        }
        settle(&mut job.diagnostics);
        job.looked = looked;
        job.files = Some(files);
        job.store = own;
        Ok(job)
    }

    /// What each leg would do. Values are looked at on the way; with errors there is no forecast,
    /// and nobody asks a ledger.
    async fn forecast(
        &mut self,
        plan: &Arc<Plan>,
        store: Option<&Store>,
        fetch: &dyn Fn(&Path),
    ) -> Result<(), Trouble> {
        if self.diagnostics.has_errors() {
            self.diagnostics.extend(without_ledger(plan, &self.project, store));
            return Ok(());
        }
        let mut answers = loop {
            let answers = Answers::of(plan.clone(), store, self.project.retries_lost()).await?;
            if !load_fetched(&plan.files, &self.project, store, fetch) {
                break answers;
            }
        };
        answers.forecast.found.condense();
        self.diagnostics.extend(std::mem::take(&mut answers.forecast.found));
        if !self.diagnostics.has_errors() {
            self.forecast = Some(answers.forecast);
            self.missing = answers.missing;
            self.paid = answers.paid;
        }
        Ok(())
    }

    /// Whoever removes old results leaves those alone that this run will reuse, however long
    /// the user thinks about its price.
    fn rely_on_hits(&self) -> Result<(), Trouble> {
        match (&self.store, &self.forecast) {
            (Some(store), Some(forecast)) => rely_on_hits(store, forecast),
            _ => Ok(()),
        }
    }

    fn without_forecast(project: Project, run: String, diagnostics: Diagnostics, wishes: &Wishes) -> Self {
        Self {
            project,
            run,
            diagnostics,
            graph: None,
            forecast: None,
            wishes: wishes.clone(),
            store: None,
            missing: Vec::new(),
            paid: HashSet::new(),
            documents: Vec::new(),
            given: IndexMap::new(),
            account: None,
            session: None,
            only_free: false,
            looked: Looked::default(),
            files: None,
        }
    }

    /// What was looked at on the way, there or not. Folders behind patterns are walked again.
    pub(crate) fn looked(&self) -> Looked {
        let mut looked = self.looked.clone();
        self.files.iter().for_each(|files| looked.files(files, &self.project));
        looked
    }

    /// What the legs of an earlier plan would do by what the ledger knows now: only then can the two
    /// be compared.
    pub(crate) async fn forecast_of(&self, plan: &Arc<Plan>) -> Result<Forecast, Trouble> {
        Ok(Answers::of(plan.clone(), self.store.as_ref(), self.project.retries_lost()).await?.forecast)
    }
}

/// Says to the store which results will be reused.
pub(crate) fn rely_on_hits(store: &Store, forecast: &Forecast) -> Result<(), Trouble> {
    let hits = forecast.plan.order().into_iter().filter_map(|leg| match forecast.fate(leg) {
        Fate::Hit(ready, _) => Some(ready.request.key.0),
        _ => None,
    });
    store.rely_on(hits).map_err(crate::ledger::trouble)
}

/// True when something was run here. A store that may not be looked into is not taken for none.
fn has_store(project: &Project) -> bool {
    Layout::of(&project.store()).ledger().try_exists().unwrap_or(true)
}

/// The project's store, when something was run here; a look at it makes none.
pub(crate) fn existing_store(project: &Project) -> Result<Option<Store>, Trouble> {
    has_store(project).then(|| open_store(project)).transpose()
}

/// The same for who only looks at it, and may do so where nothing can be written.
pub(crate) fn store_to_look_at(project: &Project) -> Result<Option<Store>, Trouble> {
    project.check_store()?;
    if !has_store(project) {
        return Ok(None);
    }
    let folder = project.store();
    match Store::open(&folder) {
        Err(error) if error.is_read_only() => Store::look(&folder),
        opened => opened,
    }
    .map(Some)
    .map_err(crate::ledger::trouble)
}

pub(crate) fn open_store(project: &Project) -> Result<Store, Trouble> {
    project.check_store()?;
    Store::open(&project.store()).map_err(crate::ledger::trouble)
}
