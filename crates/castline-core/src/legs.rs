//! Axes and legs: which runs of each step there are, and which leg reads which.
//!
//! A step's legs are the product of its axes, numbered in mixed radix, so that finding the
//! leg that another one reads is arithmetic; or, where `where` drops some or lists depend on
//! other axes, rows that are looked up. A step whose list comes out of another step has no
//! legs until that one is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use castline_spec::Name;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// One axis: a name and its values. Openers over equal lists share one.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The name in `each`.
    pub name: Name,
    /// Its values, all different. Of an axis whose list depends on others, all that occur.
    pub values: Vec<Value>,
    /// A short text for each value, for paths and people.
    pub labels: Vec<String>,
    /// The lists, when they depend on other axes.
    pub ragged: Option<Ragged>,
}

/// The lists of an axis that depend on where other axes stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ragged {
    /// The axes that they depend on.
    pub over: Vec<AxisId>,
    /// For each place on those the values, by their numbers in [`Axis::values`].
    pub lists: BTreeMap<Vec<usize>, Vec<usize>>,
}

/// The number of an axis in [`Legs::axes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisId(pub usize);

/// The number of a leg in a plan; legs of one step are consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub usize);

/// Where a leg stands on each of its axes, in the step's order of axes: the numbers of values.
pub type Coords = Vec<(AxisId, usize)>;

/// The place of a leg on an axis that has no list there: what the list is made of did not end
/// well, and the leg says so in place of those that cannot be.
pub const NOWHERE: usize = usize::MAX;

/// The legs of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLegs {
    /// Its axes: inherited first, then own.
    pub axes: Vec<AxisId>,
    /// The first leg.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Where they stand, when they are not all combinations of the axes' values.
    rows: Option<Rows>,
}

/// Some combinations of axes' values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// In the order of the legs: the numbers of the values on all axes.
    all: Vec<Box<[usize]>>,
    /// The place of each in `all`.
    at: BTreeMap<Box<[usize]>, usize>,
}

impl Rows {
    /// Combinations, each once, in the order of their legs.
    pub fn new(rows: Vec<Vec<usize>>) -> Self {
        let mut made = Self::default();
        for row in rows {
            let row = row.into_boxed_slice();
            if made.at.insert(row.clone(), made.all.len()).is_none() {
                made.all.push(row);
            }
        }
        made
    }
}

/// Numbers of legs by where they stand on some of the axes.
type Groups = BTreeMap<Vec<usize>, Arc<[usize]>>;

/// The groups of each step and choice of axes that somebody asked for.
type Asked = Arc<Mutex<BTreeMap<(usize, Vec<usize>), Groups>>>;

/// All legs of a plan.
///
/// A copy shares what is large with the first one.
#[derive(Debug, Clone, Default)]
pub struct Legs {
    /// Every axis.
    pub axes: Vec<Arc<Axis>>,
    /// By the step's number in the graph; none while its axes have no values yet.
    steps: Vec<Option<Arc<StepLegs>>>,
    /// The first leg of each step that has legs, in their order, with the step's number.
    opened: Vec<(usize, usize)>,
    count: usize,
    /// How many steps have their legs.
    known: usize,
    /// Of steps with rows, by the step and the axes that are looked at.
    groups: Asked,
}

impl Legs {
    /// No legs yet, for so many steps.
    pub fn new(steps: usize) -> Self {
        Self { steps: vec![None; steps], ..Self::default() }
    }

    /// Adds an axis, or finds the one of the same name and values.
    pub(crate) fn intern(&mut self, name: &Name, values: Vec<Value>, ragged: Option<Ragged>) -> AxisId {
        let same = |a: &Arc<Axis>| a.name == *name && a.values == values && a.ragged == ragged;
        if let Some(at) = self.axes.iter().position(same) {
            return AxisId(at);
        }
        let labels = labels(&values);
        self.axes.push(Arc::new(Axis { name: name.clone(), values, labels, ragged }));
        AxisId(self.axes.len() - 1)
    }

    /// Gives a step its legs: those of `rows`, else all combinations of its axes' values.
    pub fn open(&mut self, step: usize, axes: Vec<AxisId>, rows: Option<Rows>) {
        let all = || axes.iter().map(|a| self.axes[a.0].values.len()).product();
        let count = rows.as_ref().map_or_else(all, |rows| rows.all.len());
        let first = self.count;
        if count > 0 {
            self.opened.push((first, step));
        }
        self.count += count;
        self.known += 1;
        self.steps[step] = Some(Arc::new(StepLegs { axes, first, count, rows }));
    }

    /// How many legs there are in all.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The step that a leg belongs to.
    pub fn step(&self, leg: LegId) -> usize {
        let after = self.opened.partition_point(|(first, _)| *first <= leg.0);
        self.opened[after - 1].1
    }

    /// The legs of a step; none while an axis of it has no values yet.
    pub fn known(&self, step: usize) -> Option<&StepLegs> {
        self.steps[step].as_deref()
    }

    /// True when every step's legs are known.
    pub(crate) fn are_all_known(&self) -> bool {
        self.known == self.steps.len()
    }

    /// Steps whose legs are not known yet.
    pub fn deferred(&self) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(|step| self.steps[*step].is_none())
    }

    /// The axes of a step, as far as they are known.
    pub fn axes_of(&self, step: usize) -> &[AxisId] {
        self.steps[step].as_ref().map_or(&[], |legs| &legs.axes)
    }

    /// How many legs of a step are known.
    pub fn count(&self, step: usize) -> usize {
        self.steps[step].as_ref().map_or(0, |legs| legs.count)
    }

    /// The legs of a step, as far as they are known.
    pub fn of_step(&self, step: usize) -> impl DoubleEndedIterator<Item = LegId> + Clone + use<> {
        let (first, count) = self.steps[step].as_ref().map_or((0, 0), |legs| (legs.first, legs.count));
        (first..first + count).map(LegId)
    }

    fn legs_of(&self, leg: LegId) -> &StepLegs {
        self.steps[self.step(leg)].as_ref().expect("a leg's step has legs")
    }

    /// Where a leg stands.
    pub(crate) fn coords(&self, leg: LegId) -> Coords {
        let step = self.legs_of(leg);
        let mut rest = leg.0 - step.first;
        if let Some(rows) = &step.rows {
            return step.axes.iter().copied().zip(rows.all[rest].iter().copied()).collect();
        }
        let mut coords: Coords = Vec::with_capacity(step.axes.len());
        for axis in step.axes.iter().rev() {
            let n = self.axes[axis.0].values.len();
            coords.push((*axis, rest % n));
            rest /= n;
        }
        coords.reverse();
        coords
    }

    /// The position of a place in its axis' list, from 0.
    pub fn position(&self, axis: AxisId, at: &Coords) -> Option<usize> {
        let of = |axis: &AxisId| at.iter().find(|(a, _)| a == axis).map(|(_, value)| *value);
        let value = of(&axis)?;
        let Some(ragged) = &self.axes[axis.0].ragged else { return Some(value) };
        let Some(over) = ragged.over.iter().map(of).collect::<Option<Vec<_>>>() else { return Some(value) };
        ragged.lists.get(&over)?.iter().position(|v| *v == value)
    }

    /// The legs of `step` that agree with `at` on every axis they share and that is not closed,
    /// in order. Without closed axes, and when `at` has all of the step's axes, that is one leg.
    pub fn reading(&self, step: usize, at: &Coords, closed: &[AxisId]) -> Vec<LegId> {
        let Some(legs) = &self.steps[step] else { return Vec::new() };
        let place = |axis: &AxisId| {
            at.iter().find(|(a, _)| a == axis && !closed.contains(axis)).map(|(_, value)| *value)
        };
        if let Some(rows) = &legs.rows {
            let places: Vec<_> = legs.axes.iter().map(place).collect();
            return self.picked(step, rows, &places).into_iter().map(|i| LegId(legs.first + i)).collect();
        }
        let mut found = vec![0];
        for axis in &legs.axes {
            let n = self.axes[axis.0].values.len();
            found = match place(axis) {
                Some(i) => found.iter().map(|base| base * n + i).collect(),
                None => found.iter().flat_map(|base| (0..n).map(move |i| base * n + i)).collect(),
            };
        }
        found.into_iter().map(|i| LegId(legs.first + i)).collect()
    }

    /// The rows that stand at all given places.
    fn picked(&self, step: usize, rows: &Rows, places: &[Option<usize>]) -> Vec<usize> {
        if let Some(whole) = places.iter().copied().collect::<Option<Vec<usize>>>() {
            return rows.at.get(whole.as_slice()).copied().into_iter().collect();
        }
        let given: Vec<usize> = (0..places.len()).filter(|i| places[*i].is_some()).collect();
        if given.is_empty() {
            return (0..rows.all.len()).collect();
        }
        let wanted: Vec<_> = places.iter().copied().flatten().collect();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = groups.entry((step, given.clone())).or_insert_with(|| {
            let mut made: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
            for (number, row) in rows.all.iter().enumerate() {
                made.entry(given.iter().map(|i| row[*i]).collect()).or_default().push(number);
            }
            made.into_iter().map(|(place, legs)| (place, legs.into())).collect()
        });
        groups.get(&wanted).map(|legs| legs.to_vec()).unwrap_or_default()
    }

    /// Where the legs of a step stand on some of its axes, each place once, in the order of the
    /// legs; none when these are all combinations.
    pub fn places(&self, step: usize, on: &[AxisId]) -> Option<Vec<Vec<usize>>> {
        let legs = self.steps[step].as_ref()?;
        let rows = legs.rows.as_ref()?;
        let columns: Vec<_> = on.iter().filter_map(|axis| legs.axes.iter().position(|a| a == axis)).collect();
        let mut seen = BTreeSet::new();
        let places = rows.all.iter().map(|row| columns.iter().map(|i| row[*i]).collect::<Vec<_>>());
        Some(places.filter(|place| seen.insert(place.clone())).collect())
    }

    /// A leg's axis values by name, in order.
    pub fn values(&self, leg: LegId) -> IndexMap<Name, Value> {
        self.named(leg, |axis, i| axis.values[i].clone())
    }

    /// A leg's labels by axis name, in order.
    pub fn labels(&self, leg: LegId) -> IndexMap<Name, String> {
        self.named(leg, |axis, i| axis.labels[i].clone())
    }

    fn named<T>(&self, leg: LegId, of: impl Fn(&Axis, usize) -> T) -> IndexMap<Name, T> {
        self.coords(leg)
            .into_iter()
            .filter(|(_, i)| *i != NOWHERE)
            .map(|(axis, i)| (self.axes[axis.0].name.clone(), of(&self.axes[axis.0], i)))
            .collect()
    }
}

/// A short text for each value of an axis. Rows are called by their first column in which all
/// are different.
fn labels(values: &[Value]) -> Vec<String> {
    let Some(Value::Map(first)) = values.first() else { return values.iter().map(label).collect() };
    let column = |key: &str| -> Option<Vec<String>> {
        let cell = |row: &Value| match row {
            Value::Map(row) => row.get(key).filter(|cell| is_short(cell)).map(label),
            _ => None,
        };
        let cells: Vec<_> = values.iter().map(cell).collect::<Option<_>>()?;
        let different: BTreeSet<_> = cells.iter().collect();
        (different.len() == cells.len()).then_some(cells)
    };
    let named = first.keys().find_map(|key| column(key));
    named.unwrap_or_else(|| values.iter().map(label).collect())
}

/// True for a value that is one word or number.
fn is_short(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_))
}

/// A short text for a value on an axis.
fn label(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Media(a) => a.digest.hex()[..12].to_owned(),
        other => other.to_json(&mut |a| a.digest.to_string().into()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> (Legs, AxisId, AxisId) {
        let mut legs = Legs::new(3);
        let style = legs.intern(&"style".into(), vec!["a".into(), "b".into(), "c".into()], None);
        let seed = legs.intern(&"seed".into(), vec![Value::Number(1.into()), Value::Number(2.into())], None);
        legs.open(0, vec![style], None);
        legs.open(1, vec![style, seed], None);
        legs.open(2, vec![], None);
        (legs, style, seed)
    }

    #[test]
    fn a_leg_reads_the_leg_with_its_own_values() {
        let (legs, ..) = grid();
        let at = legs.coords(LegId(3 + 5));
        assert_eq!(legs.reading(0, &at, &[]), [LegId(2)]);
    }

    #[test]
    fn a_closed_axis_reads_all_its_legs_in_order() {
        let (legs, style, seed) = grid();
        let at = legs.coords(LegId(1));
        assert_eq!(legs.reading(1, &at, &[seed]), [LegId(5), LegId(6)]);
        assert_eq!(legs.reading(1, &at, &[style, seed]).len(), 6);
    }

    #[test]
    fn a_row_is_called_by_the_first_column_that_tells_it_from_the_others() {
        let rows = |rows: serde_json::Value| match Value::from_json(rows) {
            Value::List(rows) => labels(&rows),
            _ => unreachable!("a list"),
        };
        let json = |text: &str| serde_json::from_str(text).expect("JSON");
        let row = r#"[{"kind": "cup", "sku": "007"}, {"kind": "cup", "sku": "008"}]"#;
        assert_eq!(rows(json(row)), ["007", "008"]);
        let no_column = r#"[{"kind": "cup", "size": 1}, {"kind": "cup", "color": 2}]"#;
        assert_eq!(rows(json(no_column))[0], r#"{"kind":"cup","size":1}"#);
        assert_eq!(rows(json(r#"["a", "b"]"#)), ["a", "b"]);
    }

    #[test]
    fn equal_lists_of_one_name_are_one_axis() {
        let (mut legs, style, _) = grid();
        assert_eq!(legs.intern(&"style".into(), vec!["a".into(), "b".into(), "c".into()], None), style);
        assert_ne!(legs.intern(&"style".into(), vec!["a".into()], None), style);
    }

    #[test]
    fn rows_are_read_as_all_combinations_are() {
        let (mut legs, style, seed) = grid();
        let all = (0..3).flat_map(|i| (0..2).map(move |j| vec![i, j])).collect();
        legs.open(2, vec![style, seed], Some(Rows::new(all)));
        for leg in legs.of_step(1) {
            let at = legs.coords(leg);
            for closed in [&[][..], &[style], &[seed], &[style, seed]] {
                let numbers = |step: usize| {
                    let first = legs.known(step).expect("opened").first;
                    legs.reading(step, &at, closed).into_iter().map(|l| l.0 - first).collect::<Vec<_>>()
                };
                assert_eq!(numbers(1), numbers(2), "{closed:?}");
            }
        }
    }

    #[test]
    fn a_place_that_was_dropped_has_no_leg() {
        let (mut legs, style, seed) = grid();
        legs.open(2, vec![style, seed], Some(Rows::new(vec![vec![0, 0], vec![2, 0], vec![2, 1]])));
        assert_eq!(legs.count(2), 3);
        let at = |i, j| vec![(style, i), (seed, j)];
        assert!(legs.reading(2, &at(1, 1), &[]).is_empty());
        assert_eq!(legs.reading(2, &at(2, 1), &[style]).len(), 1);
        assert_eq!(legs.reading(2, &at(2, 1), &[seed]).len(), 2);
        assert_eq!(legs.places(2, &[style]), Some(vec![vec![0], vec![2]]));
    }

    #[test]
    fn a_position_counts_in_the_list_of_its_place() {
        let mut legs = Legs::new(1);
        let chapter = legs.intern(&"chapter".into(), vec!["one".into(), "two".into()], None);
        let lists = BTreeMap::from([(vec![0], vec![0, 1]), (vec![1], vec![1])]);
        let scenes = vec!["dawn".into(), "noon".into()];
        let scene = legs.intern(&"scene".into(), scenes, Some(Ragged { over: vec![chapter], lists }));
        assert_eq!(legs.position(scene, &vec![(chapter, 1), (scene, 1)]), Some(0));
        assert_eq!(legs.position(scene, &vec![(chapter, 0), (scene, 1)]), Some(1));
        assert_eq!(legs.position(scene, &vec![(scene, 1)]), Some(1));
    }
}
