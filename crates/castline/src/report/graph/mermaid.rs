//! A drawing for Markdown, as a flowchart of Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Drawing, Edge, Flow, Kind, Line, Node, Paint};

/// Nodes, edges, then the colors of what is there.
pub(crate) fn write(drawing: &Drawing) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for node in &drawing.nodes {
        let _ = writeln!(text, "    {}", shape(node));
    }
    for edge in &drawing.edges {
        let (from, to) = (drawing.nodes[edge.from].id(), drawing.nodes[edge.to].id());
        let _ = writeln!(text, "    {from} {} {to}", arrow(edge));
    }
    let kinds: BTreeSet<Kind> = drawing.nodes.iter().map(|node| node.kind).collect();
    for kind in kinds {
        let Paint { fill, line, text: color } = kind.paint();
        let _ = writeln!(text, "    classDef {} fill:{fill},stroke:{line},color:{color}", kind.word());
    }
    text
}

fn shape(node: &Node) -> String {
    let (open, close) = match node.kind {
        Kind::Input | Kind::Output => ("([", "])"),
        Kind::Step => ("[", "]"),
        Kind::Std => ("(", ")"),
    };
    let lines = node.lines.iter().map(|line| match line {
        Line::Condition(text) => format!("<i>{}</i>", escape(text)),
        line => escape(line.text()),
    });
    let name = format!("<b>{}</b>", escape(&node.name));
    let text = std::iter::once(name).chain(lines).collect::<Vec<_>>().join("<br/>");
    format!("{}{open}\"{text}\"{close}:::{}", node.id(), node.kind.word())
}

fn arrow(edge: &Edge) -> String {
    let line = match edge.kind {
        Flow::One => "-->",
        Flow::All => "==>",
        Flow::After => "-.->",
    };
    if edge.labels.is_empty() {
        return line.to_owned();
    }
    let labels: Vec<_> = edge.labels.iter().map(|label| escape(label)).collect();
    format!("{line}|\"{}\"|", labels.join("<br/>"))
}

/// Text inside of quotes, in Mermaid's own entities: `#` begins one, so that it is one itself.
/// Colons and percent signs are looked for in the whole source before it is parsed, and every
/// label is read as Markdown in the end.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        match c {
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            '\n' => escaped.push_str("<br/>"),
            '_' if inside(before) && rest.peek().is_some_and(|next| inside(*next)) => escaped.push(c),
            '(' if before != ']' => escaped.push(c),
            '#' | ';' | ':' | '%' | '`' | '*' | '_' | '~' | '\\' | '(' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            other => escaped.push(other),
        }
        before = c;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_quotes_cannot_end_them() {
        assert_eq!(escape(r#"a "b" <c> & #d;"#), "a #quot;b#quot; #lt;c#gt; #amp; #35;d#59;");
        assert_eq!(escape("one\ntwo [x] {y} (z) | 紙の船 ✓"), "one<br/>two [x] {y} (z) | 紙の船 ✓");
    }

    #[test]
    fn nothing_in_a_label_is_a_comment_a_directive_or_markdown() {
        assert_eq!(escape("%%{init: {}}%%"), "#37;#37;{init#58; {}}#37;#37;");
        assert_eq!(escape("`**x**` ~~y~~"), "#96;#42;#42;x#42;#42;#96; #126;#126;y#126;#126;");
        assert_eq!(escape("cut_out__x _y_ [a](b)"), "cut_out__x #95;y#95; [a]#40;b)");
    }
}
