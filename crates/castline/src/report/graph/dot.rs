//! A drawing for Graphviz.

use std::fmt::Write as _;

use super::{Drawing, EDGE_COLOR, Edge, Flow, Kind, Node, Paint};

/// Settings, nodes, edges.
pub(crate) fn write(drawing: &Drawing) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&drawing.name));
    text.push_str("    rankdir=LR\n    bgcolor=transparent\n");
    text.push_str(
        "    node [shape=box style=filled fontname=\"Helvetica\" fontsize=11 margin=\"0.15,0.08\"]\n",
    );
    let _ = writeln!(
        text,
        "    edge [color=\"{EDGE_COLOR}\" fontcolor=\"{EDGE_COLOR}\" fontname=\"Helvetica\" fontsize=10]"
    );
    for node in &drawing.nodes {
        let _ = writeln!(text, "    {} [{}]", node.id(), look(node));
    }
    for edge in &drawing.edges {
        let (from, to) = (drawing.nodes[edge.from].id(), drawing.nodes[edge.to].id());
        let _ = writeln!(text, "    {from} -> {to}{}", line(edge));
    }
    text.push_str("}\n");
    text
}

fn look(node: &Node) -> String {
    let Paint { fill, line, text } = node.kind.paint();
    let style = match node.kind {
        Kind::Step => "",
        Kind::Input | Kind::Std | Kind::Output => " style=\"filled,rounded\"",
    };
    let lines = std::iter::once(node.name.as_str()).chain(node.lines.iter().map(super::Line::text));
    format!(
        "label={}{style} fillcolor=\"{fill}\" color=\"{line}\" fontcolor=\"{text}\"",
        quoted(&lines.collect::<Vec<_>>().join("\n"))
    )
}

fn line(edge: &Edge) -> String {
    let mut attributes = Vec::new();
    if !edge.labels.is_empty() {
        attributes.push(format!("label={}", quoted(&edge.labels.join("\n"))));
    }
    match edge.kind {
        Flow::One => {}
        Flow::All => attributes.push("penwidth=2.5".to_owned()),
        Flow::After => attributes.push("style=dashed".to_owned()),
    }
    if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(" ")) }
}

/// A text in quotes. Graphviz reads backslashes in labels, and entities as HTML has them.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '&' => quoted.push_str("&amp;"),
            '\n' => quoted.push_str("\\n"),
            '\r' => {}
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_quotes_cannot_end_them() {
        assert_eq!(quoted(r#"a "b" \N <c> & d;"#), r#""a \"b\" \\N <c> &amp; d;""#);
        assert_eq!(quoted("one\ntwo {x} 紙"), r#""one\ntwo {x} 紙""#);
    }
}
