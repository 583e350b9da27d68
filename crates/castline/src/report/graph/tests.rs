use castline_runner::{Job, Wishes};

use super::{Drawing, dot, mermaid, svg};

const FLOW: &str = r#"
name: flow
inputs:
  words: { type: string }
  styles: { type: array, items: { type: string }, default: [ukiyo-e, linocut, claymation] }
  unused: { type: string, default: "" }
vars:
  scene: "{{ inputs.words }}, seen from above"
steps:
  end: { uses: flux-schnell, with: { prompt: "{{ vars.scene }}" } }
  styled:
    uses: flux-kontext-pro
    from: end
    each: { style: "{{ inputs.styles }}", take: [1, 2] }
    if: each.style != "a <b> & c"
    with: { prompt: "Redo as {{ each.style }}." }
  strip: { uses: std/contact-sheet, from: styled.all('take') }
  sheet:
    uses: std/contact-sheet
    from: styled.all
    after: [strip]
    with: { captions: "{{ steps.styled.all.each.style }}", columns: "{{ 2 if steps.end is succeeded else 3 }}" }
outputs:
  sheet: "{{ steps.sheet.image }}"
"#;

/// The drawing of a workflow in an empty project.
fn drawing(workflow: &str, inputs: &[&str]) -> Drawing {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.yaml");
    std::fs::write(&file, workflow).unwrap();
    let wishes = Wishes { inputs: inputs.iter().map(|i| (*i).to_owned()).collect(), ..Wishes::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let job = runtime.block_on(Job::sketch(&file, &wishes)).unwrap();
    assert!(!job.diagnostics.has_errors(), "{:?}", job.diagnostics);
    Drawing::of(job.graph.as_ref().unwrap(), job.forecast.as_ref())
}

/// Every box and edge in a line of its own.
fn outline(drawing: &Drawing) -> String {
    let nodes = drawing.nodes.iter().map(|node| {
        let lines: Vec<_> = node.lines.iter().map(super::Line::text).collect();
        format!("{}: {}", node.id(), lines.join(" | ")).trim_end().to_owned()
    });
    let edges = drawing.edges.iter().map(|edge| {
        let (from, to) = (drawing.nodes[edge.from].id(), drawing.nodes[edge.to].id());
        format!("{from} {:?} {to}: {}", edge.kind, edge.labels.join(" | "))
    });
    nodes.chain(edges).collect::<Vec<_>>().join("\n")
}

#[test]
fn boxes_and_edges_say_what_is_known() {
    insta::assert_snapshot!(outline(&drawing(FLOW, &["words=a boat"])), @r#"
    in_words: string, required
    in_styles: array of string
    step_end: flux-schnell | 0.003 USD
    step_styled: flux-kontext-pro | style × 3, take × 2 (6 legs) | 0.24 USD | if each.style != "a <b> & c"
    step_strip: std/contact-sheet | style × 3 | free
    step_sheet: std/contact-sheet | free
    out_sheet:
    in_words One step_end: prompt
    step_end One step_styled: image → input_image
    in_styles One step_styled: each.style
    step_styled All step_strip: all('take').image → images
    step_styled All step_sheet: all.image → images | all.each.style → captions
    step_end One step_sheet: status → columns
    step_strip After step_sheet: after
    step_sheet One out_sheet: image
    "#);
}

#[test]
fn without_values_nobody_knows_legs_and_prices() {
    let workflow = FLOW.replace(", default: [ukiyo-e, linocut, claymation]", "");
    let outline = outline(&drawing(&workflow, &[]));
    assert!(outline.contains("step_styled: flux-kontext-pro | style × ?, take × ? | if"), "{outline}");
    assert!(!outline.contains("USD") && !outline.contains("free"), "{outline}");
}

#[test]
fn what_does_not_depend_on_a_missing_input_is_known() {
    let outline = outline(&drawing(FLOW, &[]));
    assert!(outline.contains("take × 2 (6 legs) | 0.24 USD"), "{outline}");
}

#[test]
fn an_edge_with_many_labels_says_how_many_more_there_are() {
    let workflow = r#"
name: many
steps:
  words: { uses: "model:owner/words", with: { prompt: a boat } }
  picture:
    uses: "model:owner/picture"
    with: { a: "{{ steps.words.output }}", b: "{{ steps.words.output }}", c: "{{ steps.words.output }}", d: "{{ steps.words.output }}" }
"#;
    let outline = outline(&drawing(workflow, &[]));
    assert!(outline.ends_with("step_picture: output → a | output → b | and 2 more"), "{outline}");
}

#[test]
fn a_picture_is_xml_with_every_step_in_it() {
    let drawing = drawing(FLOW, &["words=a boat"]);
    let picture = svg(&drawing);
    let document = roxmltree::Document::parse(&picture).unwrap();
    let texts: Vec<_> =
        document.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
    for node in &drawing.nodes {
        assert!(texts.contains(&node.name.as_str()), "{}", node.name);
        assert!(node.lines.iter().all(|line| texts.contains(&line.text())), "{:?}", node.lines);
    }
    for label in drawing.edges.iter().flat_map(|edge| &edge.labels) {
        assert!(texts.contains(&label.as_str()), "{label}");
    }
}

#[test]
fn a_picture_of_one_step_has_no_edges() {
    let drawing = drawing("name: one\nsteps:\n  a: { uses: flux-schnell, with: { prompt: A boat. } }\n", &[]);
    assert!(roxmltree::Document::parse(&svg(&drawing)).is_ok());
    assert!(!svg(&drawing).contains("<path"));
}

#[test]
fn every_format_is_the_same_every_time() {
    let draw = || {
        let drawing = drawing(FLOW, &["words=a boat"]);
        (mermaid(&drawing), dot(&drawing), svg(&drawing))
    };
    assert_eq!(draw(), draw());
}

#[test]
fn names_that_are_words_of_a_format_are_only_names() {
    let drawing = drawing(FLOW, &["words=a boat"]);
    assert!(
        mermaid(&drawing).contains("    step_end[\"<b>end</b><br/>flux-schnell<br/>0.003 USD\"]:::step\n")
    );
    assert!(dot(&drawing).contains("    step_end [label=\"end\\nflux-schnell\\n0.003 USD\" "));
}
