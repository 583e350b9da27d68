//! One input for everything that reads text: a document, a template, a whole workflow.
//!
//! Whatever the text is, reading it ends, and every place that is spoken of lies in it. These
//! functions panic where that does not hold. `crates/castline-core/tests/any_text.rs` includes this file
//! and calls them with the broken documents of the tests and with mutations of them.
//!
//! Start reading at [`document`].

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use castline_core::callee::Catalog;
use castline_core::data::Data;
use castline_core::files::{FileContent, Files, Want};
use castline_core::forecast::{Answer, Forecast};
use castline_core::graph::Graph;
use castline_core::inputs::Inputs;
use castline_core::plan::{Choices, Plan};
use castline_core::routing::{Route, Routing, Serves};
use castline_core::templates::Templates;
use castline_core::{Artifact, Digest, MediaType, Realm};
use castline_spec::raw::{self, Node, NodeKind, Text};
use castline_spec::template::Scope;
use castline_spec::{
    Diagnostics, Dynamic, DynamicKind, Library, Pos, Preset, Project, Source, Span, Workflow,
};
use indexmap::IndexMap;

/// Longer inputs say nothing new and take longer.
pub const MOST_BYTES: usize = 8 * 1024;
/// Plans of more legs are not forecast: each leg may rightly take a while.
const MOST_LEGS: usize = 64;

const SCOPES: [Scope; 5] = [Scope::STEP, Scope::SAVE, Scope::OUTPUT, Scope::DERIVED, Scope::PRICE];

/// A text as a document of every kind.
pub fn document(text: &str) {
    if text.len() > MOST_BYTES {
        return;
    }
    let source = Source::new("flow.yaml", text);
    let places = Places::new(&source);
    let (node, found) = raw::read(&source);
    places.check_all(&found);
    if let Some(node) = &node {
        places.check_node(node);
    }
    agree(text, node.filter(|_| !found.has_errors()).as_ref());
    places.check_all(&Workflow::parse(&source).1);
    places.check_all(&Preset::parse(&source).1);
    places.check_all(&Project::parse(&source).1);
    places.check_all(&Library::parse(&source).1);
}

/// What is read is what `yaml_serde` reads.
fn agree(text: &str, node: Option<&Node>) {
    let Some(node) = node else { return };
    let theirs = serde_yaml::from_str::<serde_json::Value>(text.strip_prefix('\u{feff}').unwrap_or(text));
    match theirs {
        Ok(theirs) => assert_eq!(node.to_json(), theirs, "two readers, two values: {text:?}"),
        Err(error) => panic!("yaml_serde refuses what is read: {error}\n{text:?}\n{}", node.to_json()),
    }
}

/// A text as a template, wherever templates may stand, and then in a workflow.
pub fn template(text: &str) {
    if text.len() > MOST_BYTES {
        return;
    }
    let json = serde_json::to_string(text).expect("text is JSON");
    let block = text.lines().fold("- |2\n".to_owned(), |block, line| format!("{block}  {line}\n"));
    for file in [format!("- {json}\n"), block] {
        let source = Source::new("flow.yaml", file.as_str());
        let (Some(Node { kind: NodeKind::List(items), .. }), _) = raw::read(&source) else { continue };
        let Some(Node { kind: NodeKind::Text(text), span }) = items.first() else { continue };
        SCOPES.iter().for_each(|scope| compile(text, *span, &source, *scope));
    }
    let sentence = json.as_str();
    checked(&format!(
        "inputs:\n  words: {{type: array, items: {{type: string}}, default: [red, blue]}}\n  n: {{type: integer, default: 3}}\n\
         vars:\n  v: {sentence}\n\
         steps:\n  a:\n    uses: flux-schnell\n    each: {{word: [x, y]}}\n    with: {{prompt: {sentence}}}\n\
         \x20 b:\n    uses: flux-schnell\n    if: {sentence}\n    with: {{prompt: \"{{{{ vars.v }}}} {{{{ steps.a.all | length }}}}\"}}\n    save: {sentence}\n\
         outputs:\n  o: {sentence}\n"
    ));
}

/// What the parser of documents takes, the engine compiles.
fn compile(text: &Text, span: Span, source: &Source, scope: Scope) {
    let places = Places::new(source);
    let parsed = [
        castline_spec::Template::parse(text, source, scope),
        castline_spec::Template::expression(text, source, scope).map(Some),
    ];
    for result in parsed {
        match result {
            Err(found) => {
                assert!(found.has_errors(), "a template is refused without a word: {:?}", text.value);
                places.check_all(&found);
            }
            Ok(None) => {}
            Ok(Some(template)) => {
                places.check(template.span());
                template.references.iter().for_each(|reference| places.check(reference.span));
                let dynamic = Dynamic { kind: DynamicKind::Template(template), span };
                let mut templates = Templates::default();
                templates.bind(&dynamic, source);
                templates.bind_path(&dynamic, source);
            }
        }
    }
}

/// A text as a workflow: checked with the presets that are shipped, and planned when nothing is
/// wrong with it. Then as a preset that a workflow uses.
pub fn workflow(text: &str) {
    if text.len() > MOST_BYTES {
        return;
    }
    checked(text);
    let source = Source::new("presets/tried.yaml", text);
    let (Some(preset), found) = Preset::parse(&source) else { return };
    if found.has_errors() {
        return;
    }
    let mut catalog = Catalog::default();
    for (name, shipped) in &CATALOG.found {
        catalog.found.insert(name.clone(), shipped.clone());
    }
    catalog.found.insert("tried".into(), preset.into());
    let caller =
        Source::new("flow.yaml", "steps:\n  a:\n    uses: tried\n    with: {prompt: a boat, seed: 1}\n");
    let (workflow, _) = Workflow::parse(&caller);
    let (graph, found) = Graph::check(&workflow.expect("this one is healthy"), &catalog);
    Places::new(&caller).check_all(&found);
    Places::new(&source).check_all(&found);
    graph.into_iter().for_each(|graph| plan(graph, &Places::new(&caller)));
}

fn checked(text: &str) {
    let source = Source::new("flow.yaml", text);
    let places = Places::new(&source);
    let (workflow, parsed) = Workflow::parse(&source);
    places.check_all(&parsed);
    let Some(workflow) = workflow else {
        assert!(parsed.has_errors(), "a workflow is refused without a word: {text:?}");
        return;
    };
    let (graph, mut found) = Graph::check(&workflow, &CATALOG);
    places.check_all(&found);
    found.sort();
    found.condense();
    if let Some(graph) = graph.filter(|_| !parsed.has_errors()) {
        plan(graph, &places);
    }
}

/// Plans and forecasts as a run would, with every file there and an empty ledger.
fn plan(graph: Graph, places: &Places<'_>) {
    let (graph, files) = (Arc::new(graph), Arc::new(Files::default()));
    loop {
        let inputs = Inputs::resolve(&graph, &IndexMap::new(), &files, false);
        let choices = Choices { run: "run1".into(), ..Choices::default() };
        let (plan, found) = Plan::new(graph.clone(), &inputs, files.clone(), routing(), choices);
        places.check_all(&found);
        places.check_all(&inputs.found);
        if let Some(plan) = plan.filter(|plan| plan.legs.len() <= MOST_LEGS) {
            places.check_all(&plan.check_reads());
            places.check_all(&plan.check_saves());
            places.check_all(&plan.check_routes());
            places.check_all(&forecast(plan).found);
        }
        if !load(&files) {
            return;
        }
    }
}

fn forecast(plan: Plan) -> Forecast {
    let mut forecast = Forecast::new(Arc::new(plan));
    loop {
        let asked = forecast.ask();
        if asked.is_empty() {
            return forecast;
        }
        asked.into_iter().for_each(|(leg, _)| forecast.answer(leg, Answer::Unknown(None)));
    }
}

/// Every file that is asked for is there; true when there was one.
fn load(files: &Files) -> bool {
    let wanted = files.take_missing();
    for file in &wanted {
        let content = match file.want {
            Want::Text => Ok(FileContent::Text("a note\nof two lines\n".into())),
            Want::Data(format) => {
                let source = Source::new(file.path.as_str(), "a,b\n1,2\n");
                Data::parse(source, format).map(|data| FileContent::Data(data.into()))
            }
            Want::Listing => Ok(FileContent::Listing(vec!["./a.png".to_owned()].into())),
            Want::Artifact => Ok(FileContent::Artifact(Artifact {
                digest: Digest::of(file.path.as_bytes()),
                media_type: MediaType::new("image/png"),
                bytes: 1,
                width: Some(8),
                height: Some(8),
            })),
        };
        files.add(file.clone(), content);
    }
    !wanted.is_empty()
}

fn routing() -> Routing {
    let route = |name: &str| Route {
        name: name.into(),
        realm: Realm::Public,
        serves: Serves::Everything,
        bills: true,
        parallel: usize::MAX,
    };
    Routing { chosen: route("test"), std: route("std"), claims: vec![] }
}

/// The presets that are shipped, and those of the broken documents' project.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut catalog = Catalog::default();
    for folder in ["presets", "presets/std", "workflows/presets", "tests/cases/broken/workflows/presets"] {
        let mut files: Vec<_> =
            fs::read_dir(root.join(folder)).expect("readable").map(|e| e.expect("readable").path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
            let text = fs::read_to_string(file).expect("readable");
            let (preset, found) = Preset::parse(&Source::new(file.to_string_lossy(), text));
            assert!(!found.has_errors(), "{found:?}");
            let preset = preset.expect("a preset");
            catalog.known.push(preset.name.clone());
            catalog.found.insert(preset.name.clone(), preset.into());
        }
    }
    catalog
});

/// The line and column of every byte of a text, counted here once more.
struct Places<'a> {
    source: &'a Source,
    at: Vec<Option<(u32, u32)>>,
}

impl<'a> Places<'a> {
    fn new(source: &'a Source) -> Self {
        let text = &*source.text;
        let mut at = vec![None; text.len() + 1];
        let (mut line, mut column) = (1, 1);
        let mut characters = text.char_indices().peekable();
        while let Some((offset, c)) = characters.next() {
            at[offset] = Some((line, column));
            match c {
                // The two of them are one step.
                '\r' if characters.peek().is_some_and(|(_, next)| *next == '\n') => {
                    characters.next();
                    (line, column) = (line + 1, 1);
                }
                '\n' | '\r' => (line, column) = (line + 1, 1),
                '\u{feff}' if offset == 0 => {}
                _ => column += 1,
            }
        }
        at[text.len()] = Some((line, column));
        Self { source, at }
    }

    fn check_pos(&self, pos: Pos, what: &str) {
        let there = self.at.get(pos.offset).copied().flatten();
        assert_eq!(
            there,
            Some((pos.line, pos.column)),
            "{what}: {pos:?} is no place of {:?}",
            self.source.text
        );
    }

    fn check(&self, span: Span) {
        self.check_what(span, "a span");
    }

    fn check_what(&self, span: Span, what: &str) {
        assert!(span.start <= span.end, "{what}: {span:?} ends before it begins, in {:?}", self.source.text);
        self.check_pos(span.start, what);
        self.check_pos(span.end, what);
    }

    /// Of the findings that are about this text.
    fn check_all(&self, found: &Diagnostics) {
        for finding in &found.list {
            if finding.source == *self.source {
                let spans = finding.span.into_iter().chain(finding.fix.iter().map(|fix| fix.span));
                spans.for_each(|span| self.check_what(span, &finding.message));
            }
            for label in finding.labels.iter().filter(|label| label.source == *self.source) {
                self.check_what(label.span, &label.message);
            }
        }
    }

    fn check_node(&self, node: &Node) {
        self.check(node.span);
        match &node.kind {
            NodeKind::Text(text) => self.check_text(text),
            NodeKind::List(items) => items.iter().for_each(|item| self.check_node(item)),
            NodeKind::Map(entries) => entries.iter().for_each(|(key, node)| {
                self.check(key.span);
                self.check_node(node);
            }),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Broken => {}
        }
    }

    fn check_text(&self, text: &Text) {
        self.check(text.span);
        let map = text.map(self.source);
        for (offset, _) in text.value.char_indices() {
            self.check_pos(map.pos(offset), "a character of a text");
        }
    }
}
