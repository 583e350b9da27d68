//! A workflow with its presets, and the plans that are made of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use castline_core::bill::Bill;
use castline_core::files::Files;
use castline_core::forecast::{Answer, Forecast};
use castline_core::graph::Graph;
use castline_core::inputs::{Given, Inputs};
use castline_core::plan::{Choices, Plan};
use castline_core::routing::Routing;
use castline_spec::{Code, Diagnostics, Severity, Source, Workflow};
use castline_store::Store;
use indexmap::IndexMap;

use super::Basis;
use super::answers::resolve;
use super::checked::settle;
use super::choices::choices;
use crate::files::{load_fetched, load_missing};
use crate::libraries::Libraries;
use crate::looked::Looked;
use crate::plan_file;
use crate::project::Project;
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// A workflow with its presets, checked.
pub(super) struct Loaded {
    pub(super) workflow: Workflow,
    pub(super) graph: Arc<Graph>,
    pub(super) documents: Vec<Source>,
}

/// What a required input without a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing to speak of: values come later.
    Fine,
    /// What depends on it is not known.
    Warning,
    /// Nothing can run.
    Error,
}

pub(super) struct Planned {
    pub(super) plan: Option<Arc<Plan>>,
    /// Those that were asked for.
    pub(super) files: Arc<Files>,
    pub(super) found: Diagnostics,
}

pub(super) fn load(
    source: &Source,
    project: &Project,
    found: &mut Diagnostics,
    looked: &mut Looked,
) -> Option<Loaded> {
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
    pub(super) fn given(
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
    pub(super) fn plan(
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
pub(super) fn without_ledger(plan: &Arc<Plan>, project: &Project, store: Option<&Store>) -> Diagnostics {
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
