//! Where everything in a picture stands: boxes in columns from left to right, edges between.
//!
//! The places of boxes and labels are dagre's. Edges are drawn here: level wherever there are
//! boxes, and bent in the room between two columns, so that they cross none.
//!
//! Start reading at [`place`].

use std::collections::BTreeMap;

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, Point, RankDir};

/// Width and height.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
}

/// A box by its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub size: Size,
}

/// What is to be placed.
#[derive(Debug)]
pub(super) struct Wanted {
    pub nodes: Vec<Size>,
    /// From which node to which, and the size of the label.
    pub edges: Vec<(usize, usize, Option<Size>)>,
}

/// Where it stands; all coordinates are positive.
#[derive(Debug)]
pub(super) struct Placed {
    pub size: Size,
    pub nodes: Vec<Rect>,
    pub edges: Vec<Route>,
}

/// The way of an edge.
#[derive(Debug)]
pub(super) struct Route {
    /// Level lines from left to right. From the end of one the edge is bent to the next.
    pub levels: Vec<Level>,
    pub label: Option<Rect>,
}

/// A level line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    pub from: f64,
    pub to: f64,
    pub y: f64,
}

/// Around the whole.
const MARGIN: f64 = 12.0;
/// Between the boxes of a column.
const BETWEEN: f64 = 22.0;
/// Between edges that pass through a column, and between labels.
const BETWEEN_EDGES: f64 = 12.0;
/// Between two columns of boxes without labels; half of it is on either side of labels.
const BETWEEN_COLUMNS: f64 = 68.0;
/// An edge is level for so long before its end, for the head of an arrow.
pub(super) const HEAD: f64 = 9.0;
/// Edges of one box begin and end at most so far apart.
const APART: f64 = 14.0;

impl Rect {
    fn left(&self) -> f64 {
        self.x - self.size.width / 2.0
    }

    fn right(&self) -> f64 {
        self.x + self.size.width / 2.0
    }
}

/// Finds a place for everything.
pub(super) fn place(wanted: &Wanted) -> Placed {
    let mut graph = laid_out(wanted);
    let nodes: Vec<_> = wanted.nodes.iter().enumerate().map(|(n, size)| node(&graph, n, *size)).collect();
    let bends: Vec<_> = (0..wanted.edges.len()).map(|n| edge(&mut graph, wanted, n)).collect();
    let labels = bends.iter().filter_map(|(_, label)| label.as_ref());
    let columns = Columns::of(nodes.iter().chain(labels));
    let starts = ports(wanted, &nodes, &bends, Side::Right);
    let ends = ports(wanted, &nodes, &bends, Side::Left);
    let edges = bends.into_iter().enumerate().map(|(n, (points, label))| {
        let (from, to, _) = wanted.edges[n];
        let first = Level { from: nodes[from].right(), to: columns.at(nodes[from].x).1, y: starts[n] };
        let last = Level { from: columns.at(nodes[to].x).0 - HEAD, to: nodes[to].left(), y: ends[n] };
        let between = points.iter().map(|point| {
            let (from, to) = columns.at(point.x);
            Level { from, to, y: point.y }
        });
        let levels = std::iter::once(first).chain(between).chain([last]).collect();
        Route { levels, label }
    });
    let mut placed = Placed { size: Size::default(), edges: edges.collect(), nodes };
    placed.fit();
    placed
}

/// Lets dagre do its work.
fn laid_out(wanted: &Wanted) -> Graph<NodeLabel, EdgeLabel> {
    let mut graph = Graph::with_options(GraphOptions { directed: true, multigraph: true, compound: false });
    for (n, Size { width, height }) in wanted.nodes.iter().copied().enumerate() {
        graph.set_node(n.to_string(), Some(NodeLabel { width, height, ..NodeLabel::default() }));
    }
    for (n, (from, to, label)) in wanted.edges.iter().enumerate() {
        let Size { width, height } = label.unwrap_or_default();
        let label = EdgeLabel {
            width,
            height,
            labelpos: dagre::layout::types::LabelPos::Center,
            ..EdgeLabel::default()
        };
        graph.set_edge(from.to_string(), to.to_string(), Some(label), Some(&n.to_string()));
    }
    let options = LayoutOptions {
        rankdir: RankDir::LR,
        nodesep: BETWEEN,
        edgesep: BETWEEN_EDGES,
        ranksep: BETWEEN_COLUMNS,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    graph
}

fn node(graph: &Graph<NodeLabel, EdgeLabel>, n: usize, size: Size) -> Rect {
    let node = graph.node(&n.to_string()).expect("a node that was set");
    Rect { x: node.x.unwrap_or_default(), y: node.y.unwrap_or_default(), size }
}

/// The points on the way of an edge, those at its ends excluded, and its label.
fn edge(graph: &mut Graph<NodeLabel, EdgeLabel>, wanted: &Wanted, n: usize) -> (Vec<Point>, Option<Rect>) {
    let (from, to, size) = &wanted.edges[n];
    let edge = graph
        .edge_mut(&from.to_string(), &to.to_string(), Some(&n.to_string()))
        .expect("an edge that was set");
    let mut points = std::mem::take(&mut edge.points);
    points.pop();
    let points = points.into_iter().skip(1).collect();
    let label = size.and_then(|size| Some(Rect { x: edge.x?, y: edge.y?, size }));
    (points, label)
}

/// Columns by their middles, each with its left and right end.
struct Columns(BTreeMap<i64, (f64, f64)>);

impl Columns {
    fn of<'r>(all: impl Iterator<Item = &'r Rect>) -> Self {
        let mut columns = BTreeMap::new();
        for rect in all {
            let column = columns.entry(Self::key(rect.x)).or_insert((rect.left(), rect.right()));
            *column = (column.0.min(rect.left()), column.1.max(rect.right()));
        }
        Self(columns)
    }

    /// Middles are computed in more than one way, and may differ in the last digits.
    fn key(x: f64) -> i64 {
        (x * 4.0).round() as i64
    }

    /// Where the column with this middle begins and ends.
    fn at(&self, x: f64) -> (f64, f64) {
        self.0.get(&Self::key(x)).copied().unwrap_or((x, x))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// How high each edge begins or ends at its box: those that lead further up are further up.
fn ports(wanted: &Wanted, nodes: &[Rect], bends: &[(Vec<Point>, Option<Rect>)], side: Side) -> Vec<f64> {
    let mut by_node: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (n, (from, to, _)) in wanted.edges.iter().enumerate() {
        let points = &bends[n].0;
        let (here, there, next) = match side {
            Side::Right => (*from, *to, points.first()),
            Side::Left => (*to, *from, points.last()),
        };
        by_node.entry(here).or_default().push((next.map_or(nodes[there].y, |point| point.y), n));
    }
    let mut heights = vec![0.0; wanted.edges.len()];
    for (node, mut edges) in by_node {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let Rect { y, size, .. } = nodes[node];
        let apart = APART.min((size.height - 12.0) / edges.len() as f64);
        let first = y - apart * (edges.len() - 1) as f64 / 2.0;
        edges.iter().enumerate().for_each(|(place, (_, n))| heights[*n] = first + apart * place as f64);
    }
    heights
}

impl Placed {
    /// Moves everything to the upper left corner and measures it.
    fn fit(&mut self) {
        let mut all: Vec<Rect> = self.nodes.clone();
        for route in &self.edges {
            all.extend(route.label);
            all.extend(route.levels.iter().map(|level| Rect {
                x: f64::midpoint(level.from, level.to),
                y: level.y,
                size: Size { width: level.to - level.from, height: 0.0 },
            }));
        }
        let least = |of: fn(&Rect) -> f64| all.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&Rect) -> f64| all.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        let (left, right) = (least(Rect::left), most(Rect::right));
        let (top, bottom) = (least(|r| r.y - r.size.height / 2.0), most(|r| r.y + r.size.height / 2.0));
        let (dx, dy) = (MARGIN - left, MARGIN - top);
        self.size = Size { width: right - left + 2.0 * MARGIN, height: bottom - top + 2.0 * MARGIN };
        let labels = self.edges.iter_mut().filter_map(|route| route.label.as_mut());
        for rect in self.nodes.iter_mut().chain(labels) {
            rect.x += dx;
            rect.y += dy;
        }
        for level in self.edges.iter_mut().flat_map(|route| &mut route.levels) {
            level.from += dx;
            level.to += dx;
            level.y += dy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: f64, height: f64) -> Size {
        Size { width, height }
    }

    /// Boxes of many sizes, each after some of those before it.
    fn tangle(count: usize) -> Wanted {
        let nodes: Vec<_> =
            (0..count).map(|n| size(60.0 + (n * 37 % 120) as f64, 30.0 + (n * 13 % 50) as f64)).collect();
        let edges = (1..count).flat_map(|n| {
            let label = (n % 3 > 0).then(|| size(40.0 + (n * 29 % 90) as f64, 16.0));
            [(n * 7 / 8, n, label), (n / 2, n, None)].into_iter().filter(|(from, to, _)| from < to)
        });
        Wanted { edges: edges.collect(), nodes }
    }

    fn apart(a: &Rect, b: &Rect) -> bool {
        (a.x - b.x).abs() * 2.0 + 0.1 >= a.size.width + b.size.width
            || (a.y - b.y).abs() * 2.0 + 0.1 >= a.size.height + b.size.height
    }

    #[test]
    fn nothing_stands_on_anything_else_and_all_is_inside() {
        let placed = place(&tangle(40));
        let labels = placed.edges.iter().filter_map(|route| route.label.as_ref());
        let all: Vec<_> = placed.nodes.iter().chain(labels).collect();
        for (n, a) in all.iter().enumerate() {
            assert!(all[..n].iter().all(|b| apart(a, b)), "{a:?}");
            assert!(a.left() >= 0.0 && a.right() <= placed.size.width, "{a:?}");
        }
    }

    #[test]
    fn edges_go_to_the_right_and_cross_no_box() {
        let wanted = tangle(40);
        let placed = place(&wanted);
        for (route, (from, to, _)) in placed.edges.iter().zip(&wanted.edges) {
            let levels = &route.levels;
            assert!(levels.iter().all(|level| level.from <= level.to + 0.1), "{levels:?}");
            assert!(levels.windows(2).all(|pair| pair[0].to < pair[1].from), "{levels:?}");
            for (n, rect) in placed.nodes.iter().enumerate().filter(|(n, _)| n != from && n != to) {
                let beside = |level: &&Level| level.from < rect.right() && level.to > rect.left();
                let clear = |level: &Level| (level.y - rect.y).abs() * 2.0 > rect.size.height;
                assert!(levels.iter().filter(beside).all(clear), "{n}: {rect:?} {levels:?}");
            }
        }
    }

    #[test]
    fn the_same_boxes_are_always_placed_alike() {
        let (one, other) = (place(&tangle(60)), place(&tangle(60)));
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}
