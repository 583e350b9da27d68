//! A workflow as a drawing: what it reads, its steps, what it yields, and what goes between.
//!
//! A [`Drawing`] is made once from the checked workflow and, as far as there is one, its
//! plan. The files beside this one write it as Mermaid, as dot and as SVG; none of them knows
//! what a workflow is.
//!
//! Start reading at [`Drawing::of`].

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::BTreeMap;

use castline_core::field::types;
use castline_core::forecast::Forecast;
use castline_core::graph::{Closed, Graph, Step};
use castline_core::legs::Legs;
use castline_core::templates::{Bound, BoundKind};
use castline_spec::Name;
use castline_spec::schema::MediaKind;
use castline_spec::template::Target;
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::plan::{Table, counted};
use crate::screen::short;

pub(crate) use dot::write as dot;
pub(crate) use mermaid::write as mermaid;
pub(crate) use svg::write as svg;

/// The widest label, and the widest name of a preset.
const WIDTH: usize = 44;

/// The widest condition that is shown whole.
const CONDITION_WIDTH: usize = 48;

/// An edge with more labels shows how many more there are.
const MOST_LABELS: usize = 3;

/// What is drawn, in the order of the file.
#[derive(Debug)]
pub(crate) struct Drawing {
    name: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// A box: a step, or an input or output of the workflow.
#[derive(Debug)]
struct Node {
    kind: Kind,
    name: String,
    lines: Vec<Line>,
    /// A step with axes, so that it may have several legs.
    many: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Input,
    Step,
    /// A step that is one of the local tools.
    Std,
    Output,
}

/// A line under a name.
#[derive(Debug)]
enum Line {
    /// What kind of thing it is: a preset, a type.
    What(String),
    /// The axes and how many legs they make.
    Axes(String),
    /// What it can cost, and what is reused.
    Note(String),
    /// When it runs at all.
    Condition(String),
}

/// Something that goes from one box to another.
#[derive(Debug)]
struct Edge {
    from: usize,
    to: usize,
    kind: Flow,
    /// What goes where, one thing a line.
    labels: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Flow {
    /// A leg reads one leg, or an input.
    One,
    /// A leg reads all legs of an axis.
    All,
    /// Order without data.
    After,
}

impl Line {
    fn text(&self) -> &str {
        match self {
            Self::What(text) | Self::Axes(text) | Self::Note(text) | Self::Condition(text) => text,
        }
    }
}

impl Kind {
    /// The word that makes a name unique among all boxes. None of these begins a word of
    /// Mermaid or dot.
    fn prefix(self) -> &'static str {
        match self {
            Self::Input => "in",
            Self::Step | Self::Std => "step",
            Self::Output => "out",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Step => "step",
            Self::Std => "std",
            Self::Output => "output",
        }
    }

    fn paint(self) -> Paint {
        match self {
            Self::Input => Paint { fill: "#ede9fe", line: "#7c3aed", text: "#2e1065" },
            Self::Step => Paint { fill: "#e0f2fe", line: "#0284c7", text: "#082f49" },
            Self::Std => Paint { fill: "#f1f5f9", line: "#64748b", text: "#0f172a" },
            Self::Output => Paint { fill: "#dcfce7", line: "#16a34a", text: "#052e16" },
        }
    }
}

/// The colors of a box: light with dark text, so that it reads on any background.
struct Paint {
    fill: &'static str,
    line: &'static str,
    text: &'static str,
}

/// The color of lines between boxes, which stand on any background.
const EDGE_COLOR: &str = "#64748b";

impl Node {
    fn new(kind: Kind, name: &Name, lines: Vec<Line>) -> Self {
        Self { kind, name: name.to_string(), lines, many: false }
    }

    /// Unique in a drawing, and a plain word in every format.
    fn id(&self) -> String {
        format!("{}_{}", self.kind.prefix(), self.name)
    }
}

impl Drawing {
    /// Draws a checked workflow. Without a forecast nobody knows its legs and prices.
    pub(crate) fn of(graph: &Graph, forecast: Option<&Forecast>) -> Self {
        let edges = Edges::of(graph);
        let table = forecast.map(Table::of);
        let notes = table.as_ref().map(Table::notes).unwrap_or_default();
        let legs = forecast.map(|forecast| &*forecast.plan.legs);
        let mut nodes = Vec::new();
        let mut places = BTreeMap::new();
        for (number, name) in graph.inputs.keys().enumerate() {
            if edges.mention(&End::Input(number)) {
                places.insert(End::Input(number), nodes.len());
                nodes.push(input(graph, name));
            }
        }
        for (number, at) in shown(graph) {
            places.insert(End::Step(number), nodes.len());
            nodes.push(step(at, number, legs, notes.get(at.name.as_str())));
        }
        for (number, (name, _)) in graph.outputs.iter().enumerate().filter(|(_, (_, o))| !o.implied) {
            places.insert(End::Output(number), nodes.len());
            nodes.push(Node::new(Kind::Output, name, Vec::new()));
        }
        Self { name: short(graph.name.as_str(), WIDTH), nodes, edges: edges.placed(&places) }
    }
}

/// The steps of the workflow itself: what a call makes of it is in the other document.
fn shown(graph: &Graph) -> impl Iterator<Item = (usize, &Step)> {
    graph.steps.iter().enumerate().filter(|(_, step)| step.frame == 0)
}

fn input(graph: &Graph, name: &Name) -> Node {
    let input = &graph.inputs[name];
    let needed = input.default.is_none().then(|| "required".to_owned());
    let what: Vec<_> = type_of(&input.schema.json).into_iter().chain(needed).collect();
    let lines = if what.is_empty() { Vec::new() } else { vec![Line::What(what.join(", "))] };
    Node::new(Kind::Input, name, lines)
}

/// `image`, `string`, `array of string`; none when the schema does not say.
fn type_of(schema: &Json) -> Option<String> {
    let own = match MediaKind::of_schema(schema) {
        Some(kind) => kind.as_str().to_owned(),
        None => types(schema).join(" or "),
    };
    match (own.as_str(), schema.get("items").and_then(type_of)) {
        ("", _) => None,
        ("array", Some(items)) => Some(format!("array of {items}")),
        _ => Some(own),
    }
}

fn step(step: &Step, number: usize, legs: Option<&Legs>, note: Option<&String>) -> Node {
    let callee = &step.callee;
    let kind = if callee.model.reference.owner == "std" { Kind::Std } else { Kind::Step };
    let mut lines = vec![Line::What(short(&callee.name, WIDTH))];
    lines.extend(axes(step, number, legs).map(Line::Axes));
    lines.extend(note.filter(|note| !note.is_empty()).map(|note| Line::Note(note.clone())));
    lines.extend(step.condition.as_ref().map(|condition| Line::Condition(when(condition))));
    Node { many: !step.axes.is_empty(), ..Node::new(kind, &step.name, lines) }
}

/// `style × 3`, `style × 3, take × 2 (6 legs)`, `style × ?`; none for a step without axes.
fn axes(step: &Step, number: usize, legs: Option<&Legs>) -> Option<String> {
    let count = |place: usize| {
        let axis = legs.and_then(|legs| Some(&legs.axes[legs.axes_of(number).get(place)?.0]));
        axis.map_or("?".to_owned(), |axis| axis.values.len().to_string())
    };
    let axes: Vec<_> =
        step.axes.keys().enumerate().map(|(place, axis)| format!("{axis} × {}", count(place))).collect();
    match (axes.len(), legs.and_then(|legs| legs.known(number))) {
        (0, _) => None,
        (2.., Some(legs)) => Some(format!("{} ({})", axes.join(", "), counted(legs.count, "leg"))),
        _ => Some(axes.join(", ")),
    }
}

/// `if each.n < 15`.
fn when(condition: &Bound) -> String {
    match &condition.kind {
        BoundKind::Literal(value) => {
            format!("if {}", short(&castline_core::plain::json(value).to_string(), CONDITION_WIDTH))
        }
        BoundKind::Template(_, template) => format!("if {}", short(template.code.trim(), CONDITION_WIDTH)),
        BoundKind::List(_) | BoundKind::Map(_) => "if".to_owned(),
    }
}

/// Where an edge begins or ends, by its number in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum End {
    Input(usize),
    Step(usize),
    Output(usize),
}

/// All edges with what goes along them; two ends have at most one of each kind.
struct Edges<'g> {
    graph: &'g Graph,
    found: IndexMap<(End, End, Flow), Vec<String>>,
}

impl<'g> Edges<'g> {
    fn of(graph: &'g Graph) -> Self {
        let mut edges = Self { graph, found: IndexMap::new() };
        for (number, step) in shown(graph) {
            edges.add_step(End::Step(number), step);
        }
        for (number, output) in graph.outputs.values().enumerate().filter(|(_, o)| !o.implied) {
            edges.add_references(&output.value, End::Output(number), "");
        }
        edges
    }

    fn add_step(&mut self, end: End, step: &Step) {
        for feed in &step.feeds {
            for pipe in &feed.sources {
                let source = &self.graph.steps[pipe.step];
                let port = source.callee.gives().or(feed.kind).map_or("text", MediaKind::as_str);
                let port = pipe.output.as_ref().map_or(port.to_owned(), |output| format!("output.{output}"));
                // What a call gives comes out of the call.
                let call = pipe.output.as_ref().and(self.graph.frames[source.frame].call);
                self.add(End::Step(call.unwrap_or(pipe.step)), end, &pipe.closed, &port, &feed.field);
            }
        }
        for (field, value) in &step.with {
            self.add_references(value, end, field);
        }
        for (axis, values) in &step.each {
            self.add_references(&values.values, end, &format!("each.{axis}"));
        }
        for (value, key) in
            [(&step.r#where, "where"), (&step.condition, "if"), (&step.draw, "draw"), (&step.save, "save")]
        {
            value.iter().for_each(|value| self.add_references(value, end, key));
        }
        let is_shown = |step: usize| self.graph.steps[step].frame == 0;
        for before in step.deps.iter().filter(|dep| dep.order_only && is_shown(dep.step)) {
            let labels = self.found.entry((End::Step(before.step), end, Flow::After)).or_default();
            *labels = vec!["after".to_owned()];
        }
    }

    /// An edge for each input and step that a value refers to, through vars as well.
    fn add_references(&mut self, value: &Bound, to: End, into: &str) {
        let graph = self.graph;
        for reference in graph.frames[0].references([value]) {
            match &reference.target {
                Target::Input(name, _) => {
                    if let Some(number) = graph.inputs.get_index_of(name.value.as_str()) {
                        self.add(End::Input(number), to, &Closed::None, "", into);
                    }
                }
                Target::Step { step, all, attribute, rest, tested, .. } => {
                    let Some(number) = graph.frames[0].names.get(step.value.as_str()) else { continue };
                    let port = match attribute.as_ref().map(|a| a.value.as_str()) {
                        Some("each") => ["each"]
                            .into_iter()
                            .chain(rest.first().map(String::as_str))
                            .collect::<Vec<_>>()
                            .join("."),
                        Some("output") if graph.steps[*number].call().is_some() => rest
                            .iter()
                            .take(1)
                            .fold("output".to_owned(), |port, name| format!("{port}.{name}")),
                        Some(attribute) => attribute.to_owned(),
                        None if *tested => "status".to_owned(),
                        None => String::new(),
                    };
                    self.add(End::Step(*number), to, &Closed::of(all.as_ref()), &port, into);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, from: End, to: End, closed: &Closed, port: &str, into: &str) {
        let reduction = match closed {
            Closed::None => String::new(),
            Closed::Every | Closed::Within(_) => "all".to_owned(),
            Closed::Named(axes) => {
                let axes: Vec<_> = axes.iter().map(|axis| format!("'{axis}'")).collect();
                format!("all({})", axes.join(", "))
            }
        };
        let kind = if reduction.is_empty() { Flow::One } else { Flow::All };
        let what: Vec<_> = [reduction.as_str(), port].into_iter().filter(|part| !part.is_empty()).collect();
        let what = what.join(".");
        let label = match (what.as_str(), into) {
            (what, "") => what.to_owned(),
            ("", into) => into.to_owned(),
            (what, into) if what == into => what.to_owned(),
            (what, into) => format!("{what} → {into}"),
        };
        let labels = self.found.entry((from, to, kind)).or_default();
        let label = short(&label, WIDTH);
        if !label.is_empty() && !labels.contains(&label) {
            labels.push(label);
        }
    }

    fn mention(&self, end: &End) -> bool {
        self.found.keys().any(|(from, to, _)| from == end || to == end)
    }

    fn placed(self, places: &BTreeMap<End, usize>) -> Vec<Edge> {
        let edges = self.found.into_iter().map(|((from, to, kind), mut labels)| {
            if labels.len() > MOST_LABELS {
                let more = labels.len() + 1 - MOST_LABELS;
                labels.truncate(MOST_LABELS - 1);
                labels.push(format!("and {more} more"));
            }
            Edge { from: places[&from], to: places[&to], kind, labels }
        });
        edges.collect()
    }
}

#[cfg(test)]
mod tests;
