//! From a workflow file to a forecast: load, check, plan.
//!
//! Start reading at [`Job::plan`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use castline_core::bill::Bill;
use castline_core::files::Files;
use castline_core::forecast::{Answer, Fate, Forecast, Known};
use castline_core::graph::{Graph, Proofs, own_name};
use castline_core::inputs::{Given, Inputs};
use castline_core::ledger::{Account, RunId, State};
use castline_core::legs::LegId;
use castline_core::plan::{Choices, Plan, Reroll, Resolved};
use castline_core::results::Results;
use castline_core::routing::Routing;
use castline_core::{Artifact, Digest, Key, MicroUsd};
use castline_spec::diagnostic::did_you_mean;
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Severity, Source, Workflow};
use castline_store::{Brief, LEDGER_FILE, Store, in_shares};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::files::{load_fetched, load_missing};
use crate::libraries::Libraries;
use crate::lock::Lock;
use crate::looked::Looked;
use crate::plan_file;
use crate::project::{Project, read};
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

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

/// What plans have in common that are made one after the other, as `castline watch` does.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    /// What all of it may spend; none for as much as the other budgets allow.
    pub(crate) budget: Option<MicroUsd>,
    /// Makes the draws of all its plans, so that an edit draws nothing anew.
    pub(crate) draws: String,
}

impl Session {
    /// Whose money it is.
    pub(crate) fn account(&self) -> Account {
        Account::Watch(RunId::from(self.id.as_str()))
    }

    /// Spent and reserved so far.
    pub(crate) async fn held(&self, store: Option<&Store>) -> Result<MicroUsd, Trouble> {
        match store {
            Some(store) => {
                Ok(store.ledger().spent(&self.account()).await.map_err(crate::ledger::trouble)?.held)
            }
            None => Ok(MicroUsd::ZERO),
        }
    }
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

/// What was found in a workflow.
#[derive(Debug)]
pub struct Checked {
    /// The project around it.
    pub project: Project,
    /// The findings, in the order of the file.
    pub found: Diagnostics,
    /// How many inputs are known to fit.
    pub proofs: Proofs,
}

/// What the legs that run can cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// At least.
    pub min: MicroUsd,
    /// At most.
    pub max: MicroUsd,
    /// Legs that run on a live provider and have no price.
    pub unpriced: usize,
    /// Legs whose request is known only once others are done, and steps whose legs are.
    pub unknown: usize,
}

impl Job {
    /// Finds everything that can be found without a store.
    pub fn check(file: &Path) -> Checked {
        let (project, found) = Project::near(file);
        match read(file) {
            Ok(source) => Self::check_text(&source, project, found),
            Err(finding) => {
                let mut found = found;
                found.push(*finding);
                Checked { project, found, proofs: Proofs::default() }
            }
        }
    }

    /// Finds everything that can be found in a text, which need not be that of its file: an
    /// editor's. What is found in the project's own document is handed in.
    pub fn check_text(source: &Source, project: Project, mut found: Diagnostics) -> Checked {
        let mut proofs = Proofs::default();
        if let Some(loaded) = load(source, &project, &mut found, &mut Looked::default()) {
            proofs = loaded.graph.proofs();
            let wishes = Wishes::default();
            match providers::routing(&project, &wishes) {
                Ok(routing) => {
                    let given = IndexMap::new();
                    let planned = loaded.plan(
                        &project,
                        None,
                        &given,
                        &routing,
                        &Choices::default(),
                        Missing::Fine,
                        &|_| {},
                    );
                    found.extend(planned.found);
                    found.extend(
                        planned.plan.map(|plan| without_ledger(&plan, &project, None)).unwrap_or_default(),
                    );
                }
                Err(trouble) => found.push(about_provider(&project, &loaded.workflow, &trouble)),
            }
        }
        found.extend(crate::presets::unknown_prices(&project));
        crate::libraries::without_fixes(&mut found, &project);
        settle(&mut found);
        Checked { project, found, proofs }
    }

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
        let own = if basis.store.is_none() { existing_store(&project)? } else { None };
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
        let mut asked = loop {
            let asked = forecast(plan.clone(), store).await?;
            if !load_fetched(&plan.files, &self.project, store, fetch) {
                break asked;
            }
        };
        asked.forecast.found.condense();
        self.diagnostics.extend(std::mem::take(&mut asked.forecast.found));
        if !self.diagnostics.has_errors() {
            self.forecast = Some(asked.forecast);
            self.missing = asked.missing;
            self.paid = asked.paid;
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
        Ok(forecast(plan.clone(), self.store.as_ref()).await?.forecast)
    }

    /// What the legs that run can cost on live providers, those included whose requests are not
    /// known yet, beyond what is paid for already. Nothing where nobody takes money.
    pub fn bill(&self) -> Bill {
        let Some(forecast) = self.forecast.as_ref().filter(|_| self.is_live()) else {
            return Bill::default();
        };
        Bill::of_legs(forecast, |leg| match forecast.fate(leg) {
            Fate::Run(ready, _) => ready.bills && !self.paid.contains(&ready.request.key),
            _ => true,
        })
    }

    /// What the legs that run can cost on live providers.
    pub fn live_cost(&self) -> Cost {
        self.forecast.as_ref().map(|forecast| crate::local::cost_of(forecast, &self.paid)).unwrap_or_default()
    }

    /// True when a leg may go to a provider that takes money.
    pub fn is_live(&self) -> bool {
        self.forecast.as_ref().is_some_and(crate::local::is_live)
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

/// The project's store, when something was run here; a look at it makes none.
pub(crate) fn existing_store(project: &Project) -> Result<Option<Store>, Trouble> {
    // One that may not be looked into is not taken for none.
    match project.store().join(LEDGER_FILE).try_exists() {
        Ok(false) => Ok(None),
        Ok(true) | Err(_) => open_store(project).map(Some),
    }
}

pub(crate) fn open_store(project: &Project) -> Result<Store, Trouble> {
    Store::open(&project.store()).map_err(crate::ledger::trouble)
}

/// What the ledger says of a plan.
struct Asked {
    forecast: Forecast,
    /// See [`Job::missing`].
    missing: Vec<(Key, u64)>,
    /// See [`Job::paid`].
    paid: HashSet<Key>,
}

/// Asks the ledger, wave by wave, what each leg would do.
async fn forecast(plan: Arc<Plan>, store: Option<&Store>) -> Result<Asked, Trouble> {
    let mut all = Asked { forecast: Forecast::new(plan), missing: Vec::new(), paid: HashSet::new() };
    loop {
        let asked = all.forecast.ask_by(&resolve);
        if asked.is_empty() {
            return Ok(all);
        }
        let keys: Vec<Key> = asked.iter().map(|(_, key)| *key).collect();
        let briefs = match store {
            Some(store) => store.ledger().briefs(&keys).await.map_err(crate::ledger::trouble)?,
            None => vec![None; keys.len()],
        };
        let removed = removed(store, &keys, &briefs).await?;
        let there = there(store, &briefs);
        for (((leg, key), brief), there) in asked.into_iter().zip(briefs).zip(there) {
            if brief.as_ref().is_some_and(|brief| is_paid(brief.state)) {
                all.paid.insert(key);
            }
            let gone = brief.as_ref().filter(|b| b.state == State::Succeeded).map(|b| (key, b.claim));
            let answer = if removed.contains(&key) {
                Answer::Unknown(Some(REMOVED.to_owned()))
            } else {
                answer(brief, there)
            };
            if !matches!(answer, Answer::Known(_)) {
                all.missing.extend(gone);
            }
            all.forecast.answer(leg, answer);
        }
    }
}

/// Each processor takes a share of the legs.
fn resolve(plan: &Plan, legs: &[LegId], results: &Arc<Results>) -> Vec<Resolved> {
    /// Fewer legs are not worth a thread.
    const SHARE: usize = 200;
    in_shares(legs, SHARE, |share| {
        let mut resolver = plan.resolver(results);
        share.iter().map(|leg| resolver.resolve(*leg)).collect()
    })
}

/// Why a leg runs whose result was there once.
const REMOVED: &str = "its output was removed by `castline gc`";

/// Keys that the ledger does not know any more.
async fn removed(
    store: Option<&Store>,
    keys: &[Key],
    briefs: &[Option<Brief>],
) -> Result<BTreeSet<Key>, Trouble> {
    let Some(store) = store else { return Ok(BTreeSet::new()) };
    let unknown: Vec<Key> =
        keys.iter().zip(briefs).filter(|(_, brief)| brief.is_none()).map(|(key, _)| *key).collect();
    if unknown.is_empty() {
        return Ok(BTreeSet::new());
    }
    let removed = store.ledger().forgotten(&unknown).await.map_err(crate::ledger::trouble)?;
    Ok(unknown.into_iter().zip(removed).filter(|(_, removed)| *removed).map(|(key, _)| key).collect())
}

/// True while another run takes up a prediction, or stops at it, instead of creating it anew.
pub(crate) fn is_paid(state: State) -> bool {
    match state {
        State::Intended | State::Created | State::Succeeded | State::Expired | State::InDoubt => true,
        State::Failed | State::Canceled | State::Aborted => false,
    }
}

/// For each success, whether its output and all files of it are there.
fn there(store: Option<&Store>, briefs: &[Option<Brief>]) -> Vec<bool> {
    let Some(store) = store else { return vec![false; briefs.len()] };
    let media: Vec<_> = briefs.iter().map(|brief| media_of(brief.as_ref()?)).collect();
    let files: Vec<_> = media.iter().flatten().flatten().copied().collect();
    let mut has = store.blobs().has_all(&files).into_iter();
    let all = |media: &Option<Vec<&Artifact>>| {
        // Each takes its own, so that none is left to the next.
        let own = has.by_ref().take(media.as_ref().map_or(0, Vec::len));
        own.filter(|has| !has).count() == 0 && media.is_some()
    };
    media.iter().map(all).collect()
}

/// The files of a success that has an output.
fn media_of(brief: &Brief) -> Option<Vec<&Artifact>> {
    let output = brief.output.as_ref().filter(|_| brief.state == State::Succeeded)?;
    Some(output.raw.media())
}

fn answer(brief: Option<Brief>, there: bool) -> Answer {
    let Some(brief) = brief else { return Answer::Unknown(None) };
    let word = match brief.state {
        State::Succeeded => {
            if let Some(output) = brief.output.filter(|_| there) {
                return Answer::Known(Known { output, prediction: brief.prediction });
            }
            "its files are gone from the store"
        }
        State::Failed => "it failed before",
        State::Canceled => "it was canceled before",
        State::Aborted => "it was aborted before",
        State::Expired => "its outputs expired at the provider",
        State::InDoubt => "it is in doubt whether it was created",
        State::Intended | State::Created => "it was begun before",
    };
    Answer::Unknown(Some(word.to_owned()))
}

/// A workflow with its presets, checked.
struct Loaded {
    workflow: Workflow,
    graph: Arc<Graph>,
    documents: Vec<Source>,
}

/// What a required input without a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Nothing to speak of: values come later.
    Fine,
    /// What depends on it is not known.
    Warning,
    /// Nothing can run.
    Error,
}

struct Planned {
    plan: Option<Arc<Plan>>,
    /// Those that were asked for.
    files: Arc<Files>,
    found: Diagnostics,
}

/// Puts findings in order. What nothing uses is known once everything can be read.
fn settle(found: &mut Diagnostics) {
    if found.has_errors() {
        found
            .list
            .retain(|finding| !matches!(finding.code, Code::Unused | Code::NeedlessAll | Code::NeverRuns));
    }
    found.sort();
}

/// What is found in a workflow with these libraries instead of those that the project has pinned,
/// and what each of its steps would cost that is run; the latter as far as no input is needed.
pub(crate) fn look_with(
    source: &Source,
    project: &Project,
    libraries: Libraries,
) -> (Diagnostics, BTreeMap<String, Bill>) {
    let mut found = Diagnostics::default();
    let Some(loaded) = load_with(source, project, libraries, &mut found, &mut Looked::default()) else {
        return (found, BTreeMap::new());
    };
    let wishes = Wishes::default();
    let Ok(routing) = providers::routing(project, &wishes) else { return (found, BTreeMap::new()) };
    let (given, choices) =
        (IndexMap::new(), choices(&loaded.graph, &wishes, "", project).unwrap_or_default());
    let planned = loaded.plan(project, None, &given, &routing, &choices, Missing::Fine, &|_| {});
    found.extend(planned.found);
    let Some(plan) = planned.plan else { return (found, BTreeMap::new()) };
    let forecast = unknown_forecast(&plan, project, None);
    let bills = plan
        .graph
        .predicting()
        .map(|(number, step)| (step.name.to_string(), Bill::of_steps(&forecast, |other| other == number)));
    let bills = bills.collect();
    found.extend(forecast.found);
    settle(&mut found);
    (found, bills)
}

fn load(source: &Source, project: &Project, found: &mut Diagnostics, looked: &mut Looked) -> Option<Loaded> {
    load_with(source, project, Libraries::open(project), found, looked)
}

fn load_with(
    source: &Source,
    project: &Project,
    libraries: Libraries,
    found: &mut Diagnostics,
    looked: &mut Looked,
) -> Option<Loaded> {
    let (workflow, findings) = Workflow::parse(source);
    found.extend(findings);
    let workflow = workflow?;
    let (catalog, findings) = crate::presets::catalog(project, &workflow, libraries, looked);
    found.extend(findings);
    let (graph, findings) = Graph::check(&workflow, &catalog);
    found.extend(findings);
    // Of a document with mistakes nothing can be planned.
    let graph = graph.filter(|_| !found.has_errors())?;
    let presets = catalog.found.values().map(|preset| preset.source.clone());
    let called = catalog.workflows.values().map(|called| called.source.clone());
    let documents = std::iter::once(workflow.source.clone()).chain(presets).chain(called).collect();
    Some(Loaded { workflow, graph: Arc::new(graph), documents })
}

impl Loaded {
    /// The values for inputs.
    fn given(
        &self,
        project: &Project,
        wishes: &Wishes,
        basis: &Basis<'_>,
    ) -> Result<IndexMap<String, Given>, Trouble> {
        if let Some(kept) = basis.given {
            // What stood on the command line may be anywhere. Whoever names a file there that the
            // plan was not made from was not there then.
            let mut strange = None;
            let place = &mut |path: &str| {
                let place = project.root.join(path);
                let known =
                    basis.files.is_none_or(|files| plan_file::was_there(&place, path, project, files));
                strange = strange.take().or_else(|| (!known).then(|| path.to_owned()));
                place.to_string_lossy().into_owned()
            };
            let given = castline_core::inputs::given_again(&self.graph, kept, place);
            return match strange {
                None => Ok(given),
                Some(path) => Err(plan_file::strange(&path)),
            };
        }
        let mut given = crate::given::read(&self.workflow, &wishes.input_files, &wishes.inputs)?;
        given.retain(|name, _| !basis.lenient || self.graph.inputs.contains_key(name.as_str()));
        Ok(given)
    }

    /// Plans against given inputs. Files that documents name are loaded as they turn up, after
    /// `fetch` has put them into their places.
    #[expect(clippy::too_many_arguments, reason = "a plan with everything that it comes from")]
    fn plan(
        &self,
        project: &Project,
        store: Option<&Store>,
        given: &IndexMap<String, Given>,
        routing: &Routing,
        choices: &Choices,
        missing: Missing,
        fetch: &dyn Fn(&Path),
    ) -> Planned {
        let files = Arc::new(Files::default());
        loop {
            let planned = self.plan_with(&files, given, routing, choices, missing);
            if !load_fetched(&files, project, store, fetch) {
                return planned;
            }
        }
    }

    fn plan_with(
        &self,
        files: &Arc<Files>,
        given: &IndexMap<String, Given>,
        routing: &Routing,
        choices: &Choices,
        missing: Missing,
    ) -> Planned {
        let inputs = Inputs::resolve(&self.graph, given, files, missing != Missing::Fine);
        let mut found = inputs.found.clone();
        if missing == Missing::Warning {
            let of_inputs = found.list.iter_mut().filter(|finding| finding.code == Code::MissingInput);
            of_inputs.for_each(|finding| finding.severity = Severity::Warning);
        }
        let (plan, findings) =
            Plan::new(self.graph.clone(), &inputs, files.clone(), routing.clone(), choices.clone());
        found.extend(findings);
        if let Some(plan) = &plan {
            found.extend(plan.check_routes());
            found.extend(plan.check_reads());
            found.extend(plan.check_saves());
        }
        Planned { plan: plan.map(Arc::new), files: files.clone(), found }
    }
}

/// What can be found about values before anything is known of earlier runs.
fn without_ledger(plan: &Arc<Plan>, project: &Project, store: Option<&Store>) -> Diagnostics {
    unknown_forecast(plan, project, store).found
}

/// What each leg would do if nothing was done before.
fn unknown_forecast(plan: &Arc<Plan>, project: &Project, store: Option<&Store>) -> Forecast {
    loop {
        let mut forecast = Forecast::new(plan.clone());
        loop {
            let asked = forecast.ask_by(&resolve);
            if asked.is_empty() {
                break;
            }
            asked.into_iter().for_each(|(leg, _)| forecast.answer(leg, Answer::Unknown(None)));
        }
        if !load_missing(&plan.files, project, store) {
            forecast.found.condense();
            return forecast;
        }
    }
}

/// `--only`, `--until`, `--reroll` and the project's prices.
fn choices(graph: &Graph, wishes: &Wishes, run: &str, project: &Project) -> Result<Choices, Trouble> {
    let mut steps = Vec::new();
    for name in &wishes.only {
        steps.extend(with_inner(graph, step(graph, name)?));
    }
    if let Some(name) = &wishes.until {
        for step in with_inner(graph, step(graph, name)?) {
            steps.extend(with_needs(graph, step));
        }
    }
    if !steps.is_empty() {
        // Calls and their outputs cost nothing, and what takes part may need them.
        steps.extend((0..graph.steps.len()).filter(|step| !graph.steps[*step].predicts()));
    }
    steps.sort_unstable();
    steps.dedup();
    let rerolls = wishes.reroll.iter().map(|text| reroll(graph, text, run)).collect::<Result<_, _>>()?;
    let prices = project.document.as_ref().map(|d| d.prices.clone()).unwrap_or_default();
    let pins = Lock::read(project)?.models;
    Ok(Choices { run: run.to_owned(), rerolls, steps, pins, prices })
}

fn step(graph: &Graph, name: &str) -> Result<usize, Trouble> {
    graph.names.get(name).copied().ok_or_else(|| Trouble::Usage {
        message: format!("workflow `{}` has no step `{name}`", graph.name),
        hint: did_you_mean("the step", name, graph.names.keys().map(Name::as_str)),
    })
}

/// A step, and the steps of the workflow that it calls.
fn with_inner(graph: &Graph, step: usize) -> Vec<usize> {
    let inner = graph.steps[step].call().map(|call| call.inner.clone()).unwrap_or_default();
    std::iter::once(step).chain(inner).collect()
}

fn with_needs(graph: &Graph, step: usize) -> Vec<usize> {
    let mut all = vec![step];
    let mut next = 0;
    while let Some(step) = all.get(next).copied() {
        let needs = graph.steps[step].deps.iter().map(|d| d.step);
        let new: Vec<_> = needs.filter(|n| !all.contains(n)).collect();
        all.extend(new);
        next += 1;
    }
    all
}

/// `STEP` or `STEP[axis=value,...]`; the new draw comes from the run's id.
fn reroll(graph: &Graph, text: &str, run: &str) -> Result<Reroll, Trouble> {
    let (name, pairs) = step_and_labels(text);
    let step = step(graph, &name)?;
    let legs = labels(graph, step, &pairs).filter(|_| is_well_formed(text)).ok_or_else(|| {
        Trouble::usage(
            format!("`--reroll {text}` names no leg"),
            "write `--reroll STEP` or `--reroll STEP[axis=value]`",
        )
    })?;
    let draw = run.chars().rev().take(6).collect::<String>().to_lowercase();
    Ok(Reroll { step, legs, draw })
}

/// Refuses to draw anew what is no leg. One whose step is not known yet may still come.
fn check_rerolls(plan: &Plan, wishes: &Wishes) -> Result<(), Trouble> {
    for (reroll, text) in plan.choices.rerolls.iter().zip(&wishes.reroll) {
        let Reroll { step, legs, .. } = reroll;
        let known = plan.legs.known(*step).is_some();
        if !known || legs.is_empty() || plan.legs.of_step(*step).any(|leg| reroll.is_of(&plan.legs, leg)) {
            continue;
        }
        let axes = plan.legs.axes_of(*step).iter().map(|axis| &plan.legs.axes[axis.0]);
        let labels = axes.filter_map(|axis| Some((axis, legs.get(&axis.name)?)));
        let mut unknown = labels.filter(|(axis, label)| !axis.labels.contains(label));
        let hint = unknown.next().and_then(|(axis, label)| {
            let what = format!("the {}", own_name(&axis.name));
            did_you_mean(&what, label, axis.labels.iter().map(String::as_str))
        });
        return Err(Trouble::Usage {
            message: format!("`--reroll {text}` names no leg of this workflow"),
            hint: hint.or_else(|| Some("`castline plan --json` names all legs".to_owned())),
        });
    }
    Ok(())
}

/// The step and the pairs of a leg's name. In a called workflow each axis may stand where it is
/// shown: `hero[product=2]/large[angle=top]`.
pub(crate) fn step_and_labels(text: &str) -> (String, Vec<&str>) {
    let (mut name, mut pairs) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('[') {
        let (inside, after) = inside.split_once(']').unwrap_or((inside, ""));
        name.push_str(before);
        pairs.extend(inside.split(',').filter(|pair| !pair.is_empty()));
        rest = after;
    }
    name.push_str(rest);
    (name, pairs)
}

/// True for a name whose brackets are whole and not empty.
fn is_well_formed(text: &str) -> bool {
    let mut open = false;
    let whole = text.chars().all(|c| match (c, open) {
        ('[', true) | (']', false) => false,
        ('[', false) | (']', true) => {
            open = !open;
            true
        }
        _ => true,
    });
    whole && !open && !text.contains("[]")
}

/// The labels that such pairs give to axes of a step; none when it has not all of them, or one is
/// given twice.
pub(crate) fn labels(graph: &Graph, step: usize, pairs: &[&str]) -> Option<BTreeMap<Name, String>> {
    let one = |pair: &&str| {
        let (axis, value) = pair.split_once('=')?;
        let is_meant = |own: &&Name| own_name(own) == axis.trim();
        let axis = graph.steps[step].axes.keys().rev().find(is_meant)?;
        Some((axis.clone(), value.trim().to_owned()))
    };
    let all: BTreeMap<_, _> = pairs.iter().map(one).collect::<Option<_>>()?;
    (all.len() == pairs.len()).then_some(all)
}

/// A wrong provider setting, as a finding about the project or the workflow.
fn about_provider(project: &Project, workflow: &Workflow, trouble: &Trouble) -> Diagnostic {
    let message = trouble.to_string();
    let written = project.document.as_ref().and_then(|d| Some((&d.source, d.provider.as_ref()?.span)));
    let finding = match written {
        Some((source, span)) => Diagnostic::error(Code::UnknownProvider, source, span, message),
        None => Diagnostic::of_file(Code::UnknownProvider, &workflow.source, message),
    };
    finding.maybe_hint(trouble.hint().map(str::to_owned))
}
