//! What is chosen of a workflow: steps, legs that are drawn anew, prices.

use std::collections::BTreeMap;

use castline_core::graph::{Graph, own_name};
use castline_core::legs::Axis;
use castline_core::plan::{Choices, LegName, Plan, Reroll, is_label};
use castline_spec::Name;
use castline_spec::diagnostic::did_you_mean;

use crate::lock::Lock;
use crate::project::Project;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// `--only`, `--until`, `--reroll` and the project's prices.
pub(super) fn choices(
    graph: &Graph,
    wishes: &Wishes,
    run: &str,
    project: &Project,
) -> Result<Choices, Trouble> {
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
    for name in wishes.allow_unpriced.iter().flatten() {
        step(graph, name)?;
    }
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
    let name = LegName::read(text);
    let step = step(graph, &name.step)?;
    let legs = labels(graph, step, &name.pairs).filter(|_| name.is_whole).ok_or_else(|| {
        Trouble::usage(
            format!("`--reroll {text}` names no leg"),
            "write `--reroll STEP` or `--reroll STEP[axis=value]`, with a value that has commas or brackets in \
             double quotes",
        )
    })?;
    let draw = run.chars().rev().take(6).collect::<String>().to_lowercase();
    Ok(Reroll { step, legs, draw })
}

/// Refuses to draw anew what is no leg. One whose step is not known yet may still come.
pub(super) fn check_rerolls(plan: &Plan, wishes: &Wishes) -> Result<(), Trouble> {
    for (reroll, text) in plan.choices.rerolls.iter().zip(&wishes.reroll) {
        let Reroll { step, legs, .. } = reroll;
        check_exact(plan, reroll, text)?;
        let known = plan.legs.known(*step).is_some();
        if !known || legs.is_empty() || plan.legs.of_step(*step).any(|leg| reroll.is_of(&plan.legs, leg)) {
            continue;
        }
        let mut unknown =
            said(plan, reroll).filter(|(axis, said)| !axis.labels.iter().any(|label| is_label(label, said)));
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

/// The axes that a name of a leg speaks of, and what it says of each.
fn said<'a>(plan: &'a Plan, reroll: &'a Reroll) -> impl Iterator<Item = (&'a Axis, &'a String)> {
    let axes = plan.legs.axes_of(reroll.step).iter().map(|axis| &*plan.legs.axes[axis.0]);
    axes.filter_map(|axis| Some((axis, reroll.legs.get(&axis.name)?)))
}

/// Refuses what is the beginning of several labels, as names of legs have it: each would be paid for.
fn check_exact(plan: &Plan, reroll: &Reroll, text: &str) -> Result<(), Trouble> {
    for (axis, said) in said(plan, reroll).filter(|(axis, said)| !axis.labels.contains(said)) {
        if axis.labels.iter().filter(|label| is_label(label, said)).nth(1).is_some() {
            return Err(Trouble::usage(
                format!("`--reroll {text}` names several legs of this workflow"),
                format!("write the {} in full", own_name(&axis.name)),
            ));
        }
    }
    Ok(())
}

/// The labels that such pairs give to axes of a step; none when it has not all of them, or one is
/// given twice.
pub(crate) fn labels(
    graph: &Graph,
    step: usize,
    pairs: &[(String, String)],
) -> Option<BTreeMap<Name, String>> {
    let one = |(axis, label): &(String, String)| {
        let is_meant = |own: &&Name| own_name(own) == axis;
        let axis = graph.steps[step].axes.keys().rev().find(is_meant)?;
        Some((axis.clone(), label.clone()))
    };
    let all: BTreeMap<_, _> = pairs.iter().map(one).collect::<Option<_>>()?;
    (all.len() == pairs.len()).then_some(all)
}
