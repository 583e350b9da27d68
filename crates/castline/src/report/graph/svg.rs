//! A drawing as a picture.
//!
//! Only attributes are used, no styles and no ids, so that several pictures can stand in one
//! page. The background is left out: colors read on light and on dark ones.

use std::fmt::Write as _;

use super::layout::{HEAD, Placed, Rect, Route, Size, Wanted, place};
use super::{Drawing, EDGE_COLOR, Edge, Flow, Kind, Line, Node, Paint};
use crate::screen::columns;

/// Of a name.
const NAME: Font = Font { size: 13.0, bold: true };
/// Of the lines under a name.
const SMALL: Font = Font { size: 11.0, bold: false };
/// Of the label of an edge.
const LABEL: Font = Font { size: 10.5, bold: false };

/// From one line of a text to the next.
const LEADING: f64 = 1.4;

/// The legs of a step look like sheets behind it, each a little further.
const SHEET: f64 = 4.0;

#[derive(Debug, Clone, Copy)]
struct Font {
    size: f64,
    bold: bool,
}

/// Lines behind everything, then labels, then boxes.
pub(crate) fn write(drawing: &Drawing) -> String {
    let wanted = Wanted {
        nodes: drawing.nodes.iter().map(size_of_node).collect(),
        edges: drawing.edges.iter().map(|edge| (edge.from, edge.to, size_of_label(edge))).collect(),
    };
    let Placed { size, nodes, edges } = place(&wanted);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         role=\"img\" font-family=\"'Helvetica Neue', Helvetica, Arial, sans-serif\" text-anchor=\"middle\">\n\
         <title>{name}</title>\n",
        w = number(size.width.ceil()),
        h = number(size.height.ceil()),
        name = escape(&drawing.name),
    );
    for (edge, route) in drawing.edges.iter().zip(&edges) {
        draw_edge(&mut text, edge, route);
    }
    for (edge, route) in drawing.edges.iter().zip(&edges) {
        route.label.iter().for_each(|at| draw_label(&mut text, edge, at));
    }
    for (node, at) in drawing.nodes.iter().zip(&nodes) {
        draw_node(&mut text, node, at);
    }
    text.push_str("</svg>\n");
    text
}

fn size_of_node(node: &Node) -> Size {
    let lines = node.lines.iter().map(|line| SMALL.width(line.text()));
    let width = lines.fold(NAME.width(&node.name), f64::max);
    let height = NAME.size * LEADING + node.lines.len() as f64 * SMALL.size * LEADING;
    let sheets = if node.many { 2.0 * SHEET } else { 0.0 };
    Size { width: width + 28.0 + sheets, height: height + 16.0 + sheets }
}

fn size_of_label(edge: &Edge) -> Option<Size> {
    let width = edge.labels.iter().map(|label| LABEL.width(label)).reduce(f64::max)?;
    Some(Size { width: width + 12.0, height: edge.labels.len() as f64 * LABEL.size * LEADING + 4.0 })
}

fn draw_node(text: &mut String, node: &Node, at: &Rect) {
    let Paint { fill, line, text: color } = node.kind.paint();
    let _ = writeln!(text, "<g fill=\"{color}\">");
    let sheets = if node.many { 2 } else { 0 };
    let size = Size {
        width: at.size.width - f64::from(sheets) * SHEET,
        height: at.size.height - f64::from(sheets) * SHEET,
    };
    let radius = if matches!(node.kind, Kind::Input | Kind::Output) { size.height / 2.0 } else { 7.0 };
    let (left, top) = (at.x - at.size.width / 2.0, at.y - at.size.height / 2.0);
    for sheet in (0..=sheets).rev() {
        let shift = f64::from(sheet) * SHEET;
        let _ = writeln!(
            text,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"{fill}\" stroke=\"{line}\" \
             stroke-width=\"1.2\"/>",
            number(left + shift),
            number(top + f64::from(sheets) * SHEET - shift),
            number(size.width),
            number(size.height),
            number(radius.min(20.0)),
        );
    }
    let middle = left + size.width / 2.0;
    let mut y = top + f64::from(sheets) * SHEET + 8.0;
    draw_text(text, &node.name, NAME, middle, &mut y, "");
    for line in &node.lines {
        let style = match line {
            Line::What(_) => " fill-opacity=\"0.75\"",
            Line::Condition(_) => " font-style=\"italic\"",
            Line::Axes(_) | Line::Note(_) => "",
        };
        draw_text(text, line.text(), SMALL, middle, &mut y, style);
    }
    text.push_str("</g>\n");
}

/// One line of text below `y`, which moves on to its lower end.
fn draw_text(out: &mut String, text: &str, font: Font, x: f64, y: &mut f64, style: &str) {
    *y += font.size * LEADING;
    let weight = if font.bold { " font-weight=\"600\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"{}\"{weight}{style}>{}</text>",
        number(x),
        number(*y - font.size * 0.4),
        font.size,
        escape(text)
    );
}

fn draw_label(text: &mut String, edge: &Edge, at: &Rect) {
    let (left, top) = (at.x - at.size.width / 2.0, at.y - at.size.height / 2.0);
    let _ = writeln!(
        text,
        "<g fill=\"#334155\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"#f8fafc\" \
         stroke=\"#cbd5e1\"/>",
        number(left),
        number(top),
        number(at.size.width),
        number(at.size.height),
    );
    let mut y = top + 2.0;
    edge.labels.iter().for_each(|label| draw_text(text, label, LABEL, at.x, &mut y, ""));
    text.push_str("</g>\n");
}

fn draw_edge(text: &mut String, edge: &Edge, route: &Route) {
    let style = match edge.kind {
        Flow::One => "stroke-width=\"1.4\"",
        Flow::All => "stroke-width=\"3\"",
        Flow::After => "stroke-width=\"1.4\" stroke-dasharray=\"5 4\"",
    };
    let mut path = String::new();
    for (n, level) in route.levels.iter().enumerate() {
        match n.checked_sub(1).map(|before| route.levels[before]) {
            None => {
                let _ = write!(path, "M{} {}", number(level.from), number(level.y));
            }
            Some(before) => {
                let half = number(f64::midpoint(before.to, level.from));
                let (from, to) = (number(before.y), number(level.y));
                let _ = write!(path, "C{half} {from} {half} {to} {} {to}", number(level.from));
            }
        }
        let last = n + 1 == route.levels.len();
        let _ = write!(path, "H{}", number(if last { level.to - HEAD + 1.0 } else { level.to }));
    }
    let end = route.levels.last().expect("an edge has two ends");
    let wing = if edge.kind == Flow::All { 5.0 } else { 4.0 };
    let _ = writeln!(
        text,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{EDGE_COLOR}\" {style}/>\
         <path d=\"M{} {}l-{HEAD} -{wing}v{}z\" fill=\"{EDGE_COLOR}\"/>",
        number(end.to),
        number(end.y),
        2.0 * wing,
    );
}

impl Font {
    /// About how wide a text is, rather more than less: nobody knows which font is there.
    fn width(self, text: &str) -> f64 {
        let em: f64 = text.chars().map(width_of).sum();
        em * self.size * if self.bold { 1.08 } else { 1.0 }
    }
}

/// Of a character, in parts of the size of its font.
fn width_of(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.32,
        'f' | 'r' | 't' | 'I' | '(' | ')' | '[' | ']' | '{' | '}' | '-' | '/' | '\\' | '"' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' | '×' | '→' => 0.74,
        c if c.is_ascii() => 0.6,
        c => match columns(c.encode_utf8(&mut [0; 4])) {
            0 => 0.0,
            1 => 0.7,
            _ => 1.05,
        },
    }
}

/// One decimal is exact enough, and keeps the file small.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.as_str(), |whole| whole).to_owned()
}

/// Text between tags or in quotes. What XML cannot hold at all becomes a question mark.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape(r#"<a b="c">&amp;"#), "&lt;a b=&quot;c&quot;&gt;&amp;amp;");
        assert_eq!(escape("one\ntwo\u{1b}[0m 紙の船\u{ffff}"), "one two?[0m 紙の船?");
    }

    #[test]
    fn wide_characters_take_more_room() {
        assert!(SMALL.width("紙の船") > SMALL.width("abc"));
        assert!(NAME.width("iii") < NAME.width("mmm"));
        assert!(NAME.width("name") > SMALL.width("name"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!((number(3.0), number(0.25), number(-2.04)), ("3".into(), "0.2".into(), "-2".into()));
    }
}
