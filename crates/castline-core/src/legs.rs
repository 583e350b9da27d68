//! Axes and legs: which runs of each step there are, and which leg reads which.
//!
//! A step's legs are the product of its axes, numbered in mixed radix, so that finding the
//! leg that another one reads is arithmetic.

use std::collections::BTreeSet;

use castline_spec::Name;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// One axis: a name and its values. Openers over equal lists share one.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The name in `each`.
    pub name: Name,
    /// Its values, all different.
    pub values: Vec<Value>,
    /// A short text for each value, for paths and people.
    pub labels: Vec<String>,
}

/// The number of an axis in [`Legs::axes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisId(pub usize);

/// The number of a leg in a plan; legs of one step are consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub usize);

/// Where a leg stands on each of its axes, in the step's order of axes.
pub type Coords = Vec<(AxisId, usize)>;

/// The legs of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLegs {
    /// Its axes: inherited first, then own.
    pub axes: Vec<AxisId>,
    /// The first leg.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// All legs of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Legs {
    /// Every axis.
    pub axes: Vec<Axis>,
    /// By the step's number in the graph.
    pub steps: Vec<StepLegs>,
    /// For each leg its step's number.
    step_of: Vec<usize>,
}

impl Legs {
    /// Adds an axis, or finds the one of the same name and values.
    pub fn intern(&mut self, name: &Name, values: Vec<Value>) -> AxisId {
        if let Some(at) = self.axes.iter().position(|a| a.name == *name && a.values == values) {
            return AxisId(at);
        }
        let labels = labels(&values);
        self.axes.push(Axis { name: name.clone(), values, labels });
        AxisId(self.axes.len() - 1)
    }

    /// Adds the legs of the next step.
    pub fn add_step(&mut self, axes: Vec<AxisId>) {
        let count = axes.iter().map(|a| self.axes[a.0].values.len()).product();
        let first = self.step_of.len();
        self.step_of.resize(first + count, self.steps.len());
        self.steps.push(StepLegs { axes, first, count });
    }

    /// How many legs there are in all.
    pub fn len(&self) -> usize {
        self.step_of.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.step_of.is_empty()
    }

    /// The step that a leg belongs to.
    pub fn step(&self, leg: LegId) -> usize {
        self.step_of[leg.0]
    }

    /// The legs of a step.
    pub fn of_step(&self, step: usize) -> impl DoubleEndedIterator<Item = LegId> + Clone + use<> {
        let StepLegs { first, count, .. } = self.steps[step];
        (first..first + count).map(LegId)
    }

    /// Where a leg stands.
    pub fn coords(&self, leg: LegId) -> Coords {
        let step = &self.steps[self.step(leg)];
        let mut rest = leg.0 - step.first;
        let mut coords: Coords = Vec::with_capacity(step.axes.len());
        for axis in step.axes.iter().rev() {
            let n = self.axes[axis.0].values.len();
            coords.push((*axis, rest % n));
            rest /= n;
        }
        coords.reverse();
        coords
    }

    /// The legs of `step` that agree with `at` on every axis they share and that is not closed.
    /// Without closed axes, and when `at` has all of the step's axes, that is one leg.
    pub fn reading(&self, step: usize, at: &Coords, closed: &[AxisId]) -> Vec<LegId> {
        let legs = &self.steps[step];
        let mut found = vec![0];
        for axis in &legs.axes {
            let n = self.axes[axis.0].values.len();
            let fixed = at.iter().find(|(a, _)| a == axis && !closed.contains(axis)).map(|(_, i)| *i);
            found = match fixed {
                Some(i) => found.iter().map(|base| base * n + i).collect(),
                None => found.iter().flat_map(|base| (0..n).map(move |i| base * n + i)).collect(),
            };
        }
        found.into_iter().map(|i| LegId(legs.first + i)).collect()
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
        let mut legs = Legs::default();
        let style = legs.intern(&"style".into(), vec!["a".into(), "b".into(), "c".into()]);
        let seed = legs.intern(&"seed".into(), vec![Value::Number(1.into()), Value::Number(2.into())]);
        legs.add_step(vec![style]);
        legs.add_step(vec![style, seed]);
        legs.add_step(vec![]);
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
        assert_eq!(legs.intern(&"style".into(), vec!["a".into(), "b".into(), "c".into()]), style);
        assert_ne!(legs.intern(&"style".into(), vec!["a".into()]), style);
    }
}
