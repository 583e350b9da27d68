//! Workflows that run through when nothing goes wrong: chains, axes, sheets that close them,
//! skips, failures that are handled, retries and draws, over the presets of the small world.

use std::fmt::Write as _;

use proptest::prelude::*;

/// A step as the generator thinks of it.
#[derive(Debug, Clone)]
pub struct Part {
    pub kind: Kind,
    /// Which of the earlier steps it reads, modulo their number.
    pub from: usize,
    /// The sheet closes all axes of what it reads.
    pub all: bool,
    /// An axis of its own, and which list it is opened over.
    pub axis: Option<(u8, u8)>,
    /// The prompt mentions the axis; else the axis is a draw.
    pub mentions: bool,
    /// Few words, so that steps send the same request now and then.
    pub word: u8,
    /// It never runs.
    pub skipped: bool,
    pub rare: Rare,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Draw,
    Edit,
    Sheet,
    Write,
    /// Several pictures of one prediction.
    Several,
    /// Runs when the step that it looks at has failed.
    Why,
}

/// What few steps say.
#[derive(Debug, Clone, Default)]
pub struct Rare {
    pub on_error_skip: bool,
    /// `retry`: so many times, of every kind.
    pub retry: u8,
    pub draw: bool,
    /// `cache: false`.
    pub fresh: bool,
    /// `timeout`, in minutes.
    pub minutes: Option<u8>,
    /// Waits for the step before it.
    pub after: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Draw),
        3 => Just(Kind::Edit),
        2 => Just(Kind::Sheet),
        1 => Just(Kind::Write),
        1 => Just(Kind::Several),
        1 => Just(Kind::Why),
    ]
}

fn rare() -> impl Strategy<Value = Rare> {
    let seldom = || prop::bool::weighted(0.15);
    let minutes = prop::option::weighted(0.15, 1..4_u8);
    (seldom(), prop_oneof![3 => Just(0), 1 => 1..3_u8], seldom(), seldom(), minutes, seldom()).prop_map(
        |(on_error_skip, retry, draw, fresh, minutes, after)| Rare {
            on_error_skip,
            retry,
            draw,
            fresh,
            minutes,
            after,
        },
    )
}

/// A step of any kind.
pub fn part() -> impl Strategy<Value = Part> {
    let axis = proptest::option::of((0..2_u8, 0..2_u8));
    (kind(), 0..8_usize, any::<bool>(), axis, any::<bool>(), 0..3_u8, prop::bool::weighted(0.15), rare())
        .prop_map(|(kind, from, all, axis, mentions, word, skipped, rare)| Part {
            kind,
            from,
            all,
            axis,
            mentions,
            word,
            skipped,
            rare,
        })
}

/// A small workflow.
pub fn parts() -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(part(), 1..7)
}

/// The workflow as YAML. Steps refer to earlier ones, so that there is no cycle.
pub fn yaml(parts: &[Part]) -> String {
    let mut text = "steps:\n".to_owned();
    for i in 0..parts.len() {
        step(&mut text, parts, i);
    }
    text
}

/// The step that a part reads; none where there is no picture to be read.
fn source(parts: &[Part], i: usize) -> Option<usize> {
    let one = |j: &usize| matches!(parts[*j].kind, Kind::Draw | Kind::Edit | Kind::Sheet);
    let earlier: Vec<usize> = match parts[i].kind {
        Kind::Edit => (0..i).filter(one).collect(),
        Kind::Sheet => (0..i).filter(|j| one(j) || parts[*j].kind == Kind::Several).collect(),
        Kind::Why => (0..i).filter(|j| parts[*j].kind != Kind::Why).collect(),
        _ => return None,
    };
    (!earlier.is_empty()).then(|| earlier[parts[i].from % earlier.len()])
}

fn step(text: &mut String, parts: &[Part], i: usize) {
    let part = &parts[i];
    let (uses, from) = match (part.kind, source(parts, i)) {
        (Kind::Write, _) => ("write", None),
        (Kind::Several, _) => ("several", None),
        (Kind::Edit, Some(from)) => ("edit", Some(from)),
        (Kind::Sheet, Some(from)) => ("sheet", Some(from)),
        (Kind::Why, Some(from)) => ("why", Some(from)),
        _ => ("draw", None),
    };
    if let ("why", Some(from)) = (uses, from) {
        let _ = writeln!(
            text,
            "  s{i}:\n    uses: write\n    if: steps.s{from} is failed\n    with: {{ prompt: \"{{{{ steps.s{from}.error.kind }}}}\" }}"
        );
        return;
    }
    let _ = writeln!(text, "  s{i}:\n    uses: {uses}");
    let own = part.axis.filter(|_| uses != "sheet");
    if let Some((axis, list)) = own {
        let values = ["[u, v]", "[u, v, w]"][list as usize];
        let _ = writeln!(text, "    each: {{ {}: {values} }}", ["p", "q"][axis as usize]);
    }
    if part.skipped {
        let _ = writeln!(text, "    if: \"false\"");
    }
    rarities(text, &part.rare, i);
    let mention = match own.filter(|_| part.mentions) {
        Some((axis, _)) => format!(" {{{{ each.{} }}}}", ["p", "q"][axis as usize]),
        None => String::new(),
    };
    let prompt = format!("word {}{mention}", part.word);
    match (uses, from) {
        ("edit", Some(from)) => {
            let _ = writeln!(text, "    from: s{from}\n    with: {{ prompt: \"{prompt}\" }}");
        }
        ("sheet", Some(from)) => {
            let all = if part.all { ".all" } else { "" };
            let _ = writeln!(text, "    from: s{from}{all}");
        }
        ("several", _) => {
            let _ = writeln!(text, "    with: {{ prompt: \"{prompt}\", num_outputs: 3 }}");
        }
        _ => {
            let _ = writeln!(text, "    with: {{ prompt: \"{prompt}\" }}");
        }
    }
}

fn rarities(text: &mut String, rare: &Rare, i: usize) {
    if rare.on_error_skip {
        text.push_str("    on_error: skip\n");
    }
    if rare.retry > 0 {
        let _ = writeln!(
            text,
            "    retry: {{ times: {}, on: [platform, timeout, output, expired, other] }}",
            rare.retry
        );
    }
    if rare.draw {
        text.push_str("    draw: again\n");
    }
    if rare.fresh {
        text.push_str("    cache: false\n");
    }
    if let Some(minutes) = rare.minutes {
        let _ = writeln!(text, "    timeout: {minutes}m");
    }
    if rare.after && i > 0 {
        let _ = writeln!(text, "    after: s{}", i - 1);
    }
}
