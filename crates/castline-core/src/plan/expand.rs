//! Which legs there are: the axes of every step, opened as far as their lists are known.
//!
//! A list that comes out of another step is known once that step is done, so a plan is opened
//! again whenever one is ([`Plan::extended`]). What is known stays as it is: legs are only added.
//!
//! Start reading at [`Opening::open`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::{Code, Diagnostic, Diagnostics, Name};
use indexmap::IndexMap;

use super::place::Place;
use super::{Plan, Skip};
use crate::files::Files;
use crate::graph::{Closed, Dep, Graph, Opened, Step, own_name};
use crate::legs::{AxisId, Coords, LegId, Legs, NOWHERE, Ragged, Rows};
use crate::results::{LegStatus, Results};
use crate::templates::Stop;
use crate::value::Value;

/// More legs than this are a mistake.
const MOST_LEGS: usize = 1_000_000;

/// Why a leg stands in place of those that cannot be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Nowhere {
    /// The list of an axis is absent.
    Skip(Skip),
    /// The list of an axis is none, or `where` has no value.
    Broken(Box<Diagnostic>),
}

/// Legs, and those of them that stand in place of others.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub legs: Legs,
    pub nowhere: BTreeMap<LegId, Nowhere>,
}

/// The lists of an axis for one place after the other.
type Lists = BTreeMap<Vec<usize>, Result<Vec<usize>, Nowhere>>;

/// Axes being opened.
pub(super) struct Opening<'p> {
    graph: &'p Arc<Graph>,
    inputs: &'p Arc<IndexMap<Name, Value>>,
    files: &'p Arc<Files>,
    results: &'p Arc<Results>,
    legs: Legs,
    nowhere: BTreeMap<LegId, Nowhere>,
    /// What is wrong with lists that are known before the run.
    found: Diagnostics,
    /// True when a list waits for an input or a file.
    incomplete: bool,
    /// True once something ran: what is wrong then is told by a leg.
    late: bool,
}

/// The combinations of a step under way: all of the axes' values, or rows.
struct Grid {
    axes: Vec<AxisId>,
    rows: Option<Vec<Vec<usize>>>,
    /// Why some of the rows stand in place of others.
    nowhere: BTreeMap<Vec<usize>, Nowhere>,
}

impl Plan {
    /// The plan with the legs of steps whose lists are known by now; none when there are no new
    /// ones.
    pub fn extended(&self, results: &Arc<Results>) -> Option<Self> {
        // Asked whenever a leg has ended, so nothing is copied for a "no".
        let mut late = self.legs.deferred();
        if !late.any(|step| is_ready(&self.graph, &self.legs, results, step)) {
            return None;
        }
        let known = Expanded { legs: (*self.legs).clone(), nowhere: (*self.nowhere).clone() };
        let before = known.legs.deferred().count();
        let mut opening = Opening::new(&self.graph, &self.inputs, &self.files, results, known);
        opening.open();
        let opened = Expanded { legs: opening.legs, nowhere: opening.nowhere };
        (opened.legs.deferred().count() < before).then(|| self.with_legs(opened))
    }
}

impl<'p> Opening<'p> {
    pub fn new(
        graph: &'p Arc<Graph>,
        inputs: &'p Arc<IndexMap<Name, Value>>,
        files: &'p Arc<Files>,
        results: &'p Arc<Results>,
        known: Expanded,
    ) -> Self {
        Self {
            graph,
            inputs,
            files,
            results,
            legs: known.legs,
            nowhere: known.nowhere,
            found: Diagnostics::default(),
            incomplete: false,
            late: true,
        }
    }

    /// What is known before the run; none when a list is broken or waits for an input.
    pub fn first(
        graph: &'p Arc<Graph>,
        inputs: &'p Arc<IndexMap<Name, Value>>,
        files: &'p Arc<Files>,
    ) -> (Option<Expanded>, Diagnostics) {
        let none = Arc::new(Results::new(0));
        let known = Expanded { legs: Legs::new(graph.steps.len()), nowhere: BTreeMap::new() };
        let mut opening = Opening::new(graph, inputs, files, &none, known);
        opening.late = false;
        opening.open();
        let whole = !opening.incomplete && opening.found.list.is_empty();
        (whole.then_some(Expanded { legs: opening.legs, nowhere: opening.nowhere }), opening.found)
    }

    /// Opens every step that can be.
    pub fn open(&mut self) {
        let graph = self.graph;
        for number in graph.order.iter().copied() {
            let late = self.legs.known(number).is_none();
            if late && is_ready(graph, &self.legs, self.results, number) {
                self.open_step(number, &graph.steps[number]);
            }
        }
    }

    fn open_step(&mut self, number: usize, step: &Step) {
        let opened = self.grid(number, step);
        let opened = opened.and_then(|grid| self.check_size(step, grid));
        match opened {
            Ok(Some(grid)) => {
                let rows = grid.rows.map(Rows::new);
                self.legs.open(number, grid.axes, rows);
                for (row, why) in grid.nowhere {
                    let at: Coords = self.legs.axes_of(number).iter().copied().zip(row).collect();
                    self.nowhere.extend(
                        self.legs.reading(number, &at, &[]).into_iter().map(|leg| (leg, why.clone())),
                    );
                }
            }
            // What a call gives is known later, as a list is that comes out of a step.
            Ok(None) => self.incomplete |= step.frame == 0,
            // What goes wrong in the middle of a run is told by a leg.
            Err(finding) if self.late => {
                self.legs.open(number, Vec::new(), None);
                let leg = self.legs.of_step(number).next().expect("a step without axes has one leg");
                self.nowhere.insert(leg, Nowhere::Broken(finding));
            }
            Err(finding) => {
                // Whoever reads this step meets the same.
                self.incomplete = true;
                self.found.push(*finding);
            }
        }
    }

    fn check_size(&self, step: &Step, grid: Option<Grid>) -> Result<Option<Grid>, Box<Diagnostic>> {
        let Some(grid) = grid else { return Ok(None) };
        let all = || self.count_of(&grid.axes);
        let count = grid.rows.as_ref().map_or_else(all, |rows| Some(rows.len()));
        match count.and_then(|count| count.checked_add(self.legs.len())) {
            Some(total) if total <= MOST_LEGS => Ok(Some(grid)),
            _ => Err(too_many(step)),
        }
    }

    /// Where the legs of a step stand; none when a list is not there.
    fn grid(&mut self, number: usize, step: &Step) -> Result<Option<Grid>, Box<Diagnostic>> {
        let axes = self.inherited(number, step)?;
        let rows = self.joined(step)?;
        let mut grid = Grid { axes, rows, nowhere: BTreeMap::new() };
        for (name, axis) in &step.each {
            let is_inherited = step.axes[name].iter().any(|opener| *opener != number);
            let same = axis.over.is_empty() && axis.reads.is_empty();
            let there = match (same, is_inherited) {
                (true, true) => match self.same_for_all(step, name, axis)? {
                    Some(id) => self.no_clash(step, name, id).map(|()| true)?,
                    None => false,
                },
                (true, false) => match self.same_for_all(step, name, axis)? {
                    Some(id) => {
                        grid.open(id, self.legs.axes[id.0].values.len());
                        true
                    }
                    None => false,
                },
                (false, true) => return Err(self.clash(step, name, &step.axes[name])),
                (false, false) => self.own_lists(step, name, axis, &mut grid)?,
            };
            if !there {
                return Ok(None);
            }
        }
        if let Some(condition) = &step.r#where
            && !self.drop_rows(step, condition, &mut grid)?
        {
            return Ok(None);
        }
        Ok(Some(grid))
    }

    /// The axes that a step has from others.
    fn inherited(&mut self, number: usize, step: &Step) -> Result<Vec<AxisId>, Box<Diagnostic>> {
        let mut axes = Vec::new();
        for (name, openers) in &step.axes {
            let mut ids = openers.iter().filter(|o| **o != number).map(|o| self.axis_of(*o, name));
            let Some(first) = ids.next() else { continue };
            if ids.any(|id| id != first) {
                return Err(self.clash(step, name, openers));
            }
            axes.extend(first);
        }
        Ok(axes)
    }

    /// The axis of this name that a step has.
    fn axis_of(&self, number: usize, name: &Name) -> Option<AxisId> {
        self.legs.axes_of(number).iter().copied().find(|axis| self.legs.axes[axis.0].name == *name)
    }

    /// That an own axis over an inherited one is the same.
    fn no_clash(&mut self, step: &Step, name: &Name, id: AxisId) -> Result<(), Box<Diagnostic>> {
        let openers = &step.axes[name];
        let mut others = openers.iter().filter_map(|opener| self.axis_of(*opener, name));
        match others.all(|other| other == id) {
            true => Ok(()),
            false => Err(self.clash(step, name, openers)),
        }
    }

    /// One axis name over lists that are not equal, with the places where they are opened.
    fn clash(&self, step: &Step, axis: &Name, openers: &BTreeSet<usize>) -> Box<Diagnostic> {
        let graph = self.graph;
        let names: Vec<_> = openers.iter().map(|o| format!("`{}`", graph.steps[*o].name)).collect();
        let message = format!(
            "step `{}` meets the axis `{axis}` over different lists, opened by {}",
            step.name,
            names.join(" and ")
        );
        let finding = Diagnostic::error(Code::AxisClash, &step.source, step.span, message)
            .hint("give one of the axes another name, or open both over the same list");
        Box::new(openers.iter().fold(finding, |finding, opener| {
            let opener = &graph.steps[*opener];
            let span = opener.each[axis].values.span;
            finding.label(&opener.source, span, format!("opened by `{}`", opener.name))
        }))
    }

    /// The places on inherited axes that every step which is read has; none when these are all
    /// combinations.
    fn joined(&self, step: &Step) -> Result<Option<Vec<Vec<usize>>>, Box<Diagnostic>> {
        // What a step reads as a whole has no part in it; the call that it belongs to has.
        let deps: Vec<_> = step.deps.iter().filter(|dep| !dep.order_only && !dep.closed.is_every()).collect();
        let open = |dep: usize, closed: &Closed| -> Vec<AxisId> {
            let axes = self.legs.axes_of(dep).iter().copied();
            axes.filter(|axis| !closed.has(&self.legs.axes[axis.0].name)).collect()
        };
        let open: Vec<_> = deps.iter().map(|dep| open(dep.step, &dep.closed)).collect();
        let places: Vec<_> = deps.iter().zip(&open).map(|(dep, on)| self.legs.places(dep.step, on)).collect();
        if !places.iter().zip(&open).any(|(places, on)| places.is_some() && !on.is_empty()) {
            return Ok(None);
        }
        let mut axes: Vec<AxisId> = Vec::new();
        let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
        for (places, on) in places.into_iter().zip(open).filter(|(_, on)| !on.is_empty()) {
            let places = places.unwrap_or_else(|| self.combinations(&on));
            let shared: Vec<(usize, usize)> = on
                .iter()
                .enumerate()
                .filter_map(|(i, axis)| Some((axes.iter().position(|a| a == axis)?, i)))
                .collect();
            let new: Vec<usize> = (0..on.len()).filter(|i| !axes.contains(&on[*i])).collect();
            let mut by_shared: BTreeMap<Vec<usize>, Vec<Vec<usize>>> = BTreeMap::new();
            for place in places {
                let shared = shared.iter().map(|(_, i)| place[*i]).collect();
                by_shared.entry(shared).or_default().push(new.iter().map(|i| place[*i]).collect());
            }
            let mut joined = Vec::new();
            for row in &rows {
                let shared: Vec<_> = shared.iter().map(|(j, _)| row[*j]).collect();
                let more = by_shared.get(&shared).into_iter().flatten();
                joined.extend(more.map(|more| row.iter().chain(more).copied().collect::<Vec<_>>()));
                if joined.len() > MOST_LEGS {
                    return Err(too_many(step));
                }
            }
            rows = joined;
            axes.extend(new.into_iter().map(|i| on[i]));
        }
        Ok(Some(rows))
    }

    /// How many combinations of axes' values there are; none when they cannot be counted.
    fn count_of(&self, axes: &[AxisId]) -> Option<usize> {
        axes.iter().map(|axis| self.legs.axes[axis.0].values.len()).try_fold(1, usize::checked_mul)
    }

    /// All combinations of axes' values, in order.
    fn combinations(&self, axes: &[AxisId]) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new()];
        for axis in axes {
            let n = self.legs.axes[axis.0].values.len();
            rows = rows
                .iter()
                .flat_map(|row: &Vec<usize>| (0..n).map(move |i| row.iter().copied().chain([i]).collect()))
                .collect();
        }
        rows
    }

    /// An axis whose list is the same for every leg; none when it is not there.
    fn same_for_all(
        &mut self,
        step: &Step,
        name: &Name,
        axis: &Opened,
    ) -> Result<Option<AxisId>, Box<Diagnostic>> {
        let legs = Arc::new(self.legs.clone());
        let values = match self.list(step, name, axis, &legs, Coords::new())? {
            Some(Ok(values)) => values,
            Some(Err(Nowhere::Broken(finding))) => return Err(finding),
            Some(Err(Nowhere::Skip(_))) => unreachable!("it reads no steps"),
            None => return Ok(None),
        };
        Ok(Some(self.legs.intern(name, values, None)))
    }

    /// An axis whose list depends on other axes, or comes out of a step: a list for each place.
    /// False when one of them is not there.
    fn own_lists(
        &mut self,
        step: &Step,
        name: &Name,
        axis: &Opened,
        grid: &mut Grid,
    ) -> Result<bool, Box<Diagnostic>> {
        let depends = |id: &AxisId| axis.over.contains(&self.legs.axes[id.0].name);
        let over: Vec<AxisId> = grid.axes.iter().copied().filter(depends).collect();
        let columns: Vec<usize> = (0..grid.axes.len()).filter(|i| over.contains(&grid.axes[*i])).collect();
        let rows = self.rows_of(step, grid)?;
        let mut all: IndexMap<String, Value> = IndexMap::new();
        let mut lists = Lists::new();
        let legs = Arc::new(self.legs.clone());
        for row in &rows {
            let place: Vec<usize> = columns.iter().map(|i| row[*i]).collect();
            if lists.contains_key(&place) {
                continue;
            }
            let at: Coords = over.iter().copied().zip(place.iter().copied()).collect();
            let list = match place.contains(&NOWHERE) {
                true => Some(Err(self.as_read(step))),
                false => self.list(step, name, axis, &legs, at)?,
            };
            let list = match list {
                Some(Ok(values)) => Ok(values.into_iter().map(|value| number_of(value, &mut all)).collect()),
                Some(Err(nowhere)) => Err(nowhere),
                None => return Ok(false),
            };
            lists.insert(place, list);
        }
        let mut made = Vec::new();
        for row in rows {
            let place: Vec<usize> = columns.iter().map(|i| row[*i]).collect();
            let with = |value: usize| row.iter().copied().chain([value]).collect::<Vec<_>>();
            match &lists[&place] {
                Ok(values) => made.extend(values.iter().map(|value| with(*value))),
                Err(why) => {
                    grid.nowhere.insert(with(NOWHERE), why.clone());
                    made.push(with(NOWHERE));
                }
            }
            if made.len() > MOST_LEGS {
                return Err(too_many(step));
            }
        }
        let ragged = (!over.is_empty()).then(|| {
            let lists = lists.into_iter().filter_map(|(place, list)| Some((place, list.ok()?))).collect();
            Ragged { over, lists }
        });
        let id = self.legs.intern(name, all.into_values().collect(), ragged);
        grid.axes.push(id);
        grid.rows = Some(made);
        Ok(true)
    }

    /// Why there is no list where the legs that are read have no place themselves.
    fn as_read(&self, step: &Step) -> Nowhere {
        let read = step.deps.iter().find(|dep| !dep.order_only);
        let name = read.map_or(&step.name, |dep| &self.graph.steps[dep.step].name);
        Nowhere::Skip(Skip::Absent(name.to_string()))
    }

    /// The rows of a grid, one for each combination when it has none of its own.
    fn rows_of(&self, step: &Step, grid: &mut Grid) -> Result<Vec<Vec<usize>>, Box<Diagnostic>> {
        if let Some(rows) = grid.rows.take() {
            return Ok(rows);
        }
        match self.count_of(&grid.axes) {
            Some(count) if count <= MOST_LEGS => Ok(self.combinations(&grid.axes)),
            _ => Err(too_many(step)),
        }
    }

    /// Drops the rows for which `where` does not hold; false when that is not known yet.
    fn drop_rows(
        &mut self,
        step: &Step,
        condition: &crate::templates::Bound,
        grid: &mut Grid,
    ) -> Result<bool, Box<Diagnostic>> {
        let rows = self.rows_of(step, grid)?;
        let legs = Arc::new(self.legs.clone());
        let mut kept = Vec::new();
        for row in rows {
            if row.contains(&NOWHERE) {
                kept.push(row);
                continue;
            }
            let at: Coords = grid.axes.iter().copied().zip(row.iter().copied()).collect();
            let place = self.place(&legs);
            if let Some(leg) = place.call(step.frame, &at)
                && self.results.get(leg).is_some_and(|result| result.status != LegStatus::Succeeded)
            {
                let skip = Skip::Absent(leg_name(self.graph, &legs, leg));
                grid.nowhere.insert(row.clone(), Nowhere::Skip(skip));
                kept.push(row);
                continue;
            }
            let scope = place.scope(step.frame, at, &step.aligned);
            match self.graph.templates.render_truth(condition, &scope) {
                Ok(true) => kept.push(row),
                Ok(false) => {}
                Err(Stop::Failed { code, source, span, message }) => {
                    return Err(Box::new(Diagnostic::error(code, &source, span, message)));
                }
                // Of a call that is not known yet: its legs wait.
                Err(Stop::Pending | Stop::Absent(_)) if step.frame > 0 => return Ok(false),
                Err(Stop::Pending | Stop::Absent(_)) => {
                    self.incomplete = true;
                    kept.push(row);
                }
            }
        }
        grid.rows = Some(kept);
        Ok(true)
    }

    /// The list of an axis at one place; none when it waits for an input or a file.
    fn list(
        &mut self,
        step: &Step,
        name: &Name,
        axis: &Opened,
        legs: &Arc<Legs>,
        at: Coords,
    ) -> Result<Option<Result<Vec<Value>, Nowhere>>, Box<Diagnostic>> {
        let bound = &axis.values;
        let late = !axis.reads.is_empty();
        let wrong =
            |code, message: String| Box::new(Diagnostic::error(code, &bound.source, bound.span, message));
        let or_leg = |finding: Box<Diagnostic>| match late {
            true => Ok(Some(Err(Nowhere::Broken(finding)))),
            false => Err(finding),
        };
        let place = self.place(legs);
        let call = self.graph.frames[step.frame].call;
        if call.is_some_and(|call| legs.known(call).is_some_and(|legs| legs.count == 0)) {
            return Ok(Some(Ok(Vec::new())));
        }
        if let Some(leg) = place.call(step.frame, &at).filter(|_| late)
            && self.results.get(leg).is_some_and(|result| result.status != LegStatus::Succeeded)
        {
            return Ok(Some(Err(Nowhere::Skip(Skip::Absent(leg_name(self.graph, legs, leg))))));
        }
        let values = match self.graph.templates.render(bound, &place.scope(step.frame, at, &step.aligned)) {
            Ok(Value::List(values)) => values,
            Ok(_) => {
                return or_leg(wrong(Code::WrongType, format!("axis `{}` must be a list", own_name(name))));
            }
            Err(Stop::Pending) => return Ok(None),
            Err(Stop::Absent(absent)) => {
                let skip = Skip::Absent(leg_name(self.graph, legs, absent.leg()));
                return Ok(Some(Err(Nowhere::Skip(skip))));
            }
            Err(Stop::Failed { code, source, span, message }) => {
                return or_leg(Box::new(Diagnostic::error(code, &source, span, message)));
            }
        };
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for value in values {
            if seen.insert(shown(&value)) {
                list.push(value);
            } else if !late {
                let message = format!("axis `{}` has {} twice", own_name(name), shown(&value));
                return Err(Box::new(
                    wrong(Code::InvalidValue, message).hint("every leg of an axis needs a value of its own"),
                ));
            }
        }
        Ok(Some(Ok(list)))
    }

    fn place<'a>(&'a self, legs: &'a Arc<Legs>) -> Place<'a> {
        Place { graph: self.graph, inputs: self.inputs, files: self.files, legs, results: self.results }
    }
}

/// True when all that the lists of a step depend on is there.
fn is_ready(graph: &Graph, legs: &Legs, results: &Results, number: usize) -> bool {
    let step = &graph.steps[number];
    let lists = step.each.values().flat_map(|axis| &axis.reads);
    let mut reads = lists.chain(&step.where_reads).copied();
    let done = |read: usize| legs.of_step(read).all(|leg| results.get(leg).is_some());
    let inherits = |dep: &&Dep| !dep.order_only && !dep.closed.is_every();
    let mut deps = step.deps.iter().filter(inherits).map(|dep| dep.step);
    deps.all(|dep| legs.known(dep).is_some()) && reads.all(|read| legs.known(read).is_some() && done(read))
}

impl Grid {
    /// Each row with every value of one more axis.
    fn open(&mut self, axis: AxisId, values: usize) {
        self.axes.push(axis);
        let longer =
            |row: Vec<usize>| (0..values).map(move |i| row.iter().copied().chain([i]).collect::<Vec<_>>());
        self.rows = self.rows.take().map(|rows| rows.into_iter().flat_map(longer).collect());
        let stuck = std::mem::take(&mut self.nowhere).into_iter();
        let longer = |(row, why): (Vec<usize>, Nowhere)| {
            (0..values).map(move |i| (row.iter().copied().chain([i]).collect::<Vec<_>>(), why.clone()))
        };
        self.nowhere = stuck.flat_map(longer).collect();
    }
}

fn too_many(step: &Step) -> Box<Diagnostic> {
    let message = format!("step `{}` would have more than {MOST_LEGS} legs", step.name);
    Box::new(Diagnostic::error(Code::InvalidValue, &step.source, step.span, message))
}

/// The number of a value among all that occur.
fn number_of(value: Value, all: &mut IndexMap<String, Value>) -> usize {
    let entry = all.entry(shown(&value));
    let number = entry.index();
    entry.or_insert(value);
    number
}

/// A value as JSON: what tells one from another, and what is shown of it.
fn shown(value: &Value) -> String {
    value.to_json(&mut |a| a.digest.to_string().into()).to_string()
}

fn leg_name(graph: &Graph, legs: &Legs, leg: LegId) -> String {
    super::leg_name(&graph.steps[legs.step(leg)].name, &legs.labels(leg))
}
