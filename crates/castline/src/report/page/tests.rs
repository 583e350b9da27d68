use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use castline_core::Digest;
use serde_json::Value;

use super::render;
use crate::report::testing::{project, record};

fn page() -> String {
    render(&record(), &project(), Path::new("/project/out/boat"), false)
}

/// What is read without scripts: how it looks is no concern of the tests.
fn plain(page: &str) -> &str {
    let (_, rest) = page.split_once("<div id=\"plain\">").expect("a page has a plain list");
    rest.split_once("<p id=\"voice\"").expect("it ends").0
}

fn state(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"state\">").expect("a page has a state");
    serde_json::from_str(rest.split_once("</script>").expect("it ends").0).expect("JSON")
}

#[test]
fn the_plain_list_shows_outputs_then_steps_with_their_legs() {
    insta::assert_snapshot!(plain(&page()));
}

#[test]
fn the_state_holds_all_that_the_scripts_draw() {
    insta::assert_json_snapshot!(state(&page()));
}

#[test]
fn nothing_of_a_workflow_or_model_becomes_markup() {
    let page = page();
    assert!(!page.contains("<b>caption</b>"), "{page}");
    assert!(plain(&page).contains("&lt;b&gt;caption&lt;") && page.contains("\\u003cb>caption"), "{page}");
    assert_eq!(page.matches("<script").count(), 2, "the state and the scripts");
    assert!(page.contains("Redo as &lt;ukiyo-e&gt;."));
    assert_eq!(
        super::plain::escape("<a href=\"x\" title='y'>&"),
        "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
    );
}

#[test]
fn the_page_needs_no_network_and_may_do_nothing_else() {
    let page = page();
    let list = plain(&page);
    assert!(!list.contains("<script") && !list.contains("http://") && !list.contains("https://"), "{list}");
    assert!(!page.contains(" onclick") && !page.contains("@import") && !page.contains("url("));
    // The policy names what is there, byte for byte.
    let (_, script) = page.split_once("<script type=\"module\">").expect("scripts");
    let script = script.split_once("</script>").expect("they end").0;
    let hash = STANDARD.encode(Digest::of(script.as_bytes()).as_bytes());
    assert!(page.contains(&format!("default-src 'none'; script-src 'sha256-{hash}'; ")), "{hash}");
    assert!(page.contains("connect-src 'none'; base-uri 'none'; form-action 'none'\">"));
}

#[test]
fn what_is_put_in_holds_marks_of_its_own() {
    let parts =
        super::Parts { title: "@state@ & co", plain: "@script@ @", state: "\"@plain@\"", policy: "@title@" };
    let page = super::join(&parts);
    assert!(page.contains("<title>@state@ &amp; co</title>") && page.contains(">@script@ @</div>"));
    assert_eq!(state(&page), "@plain@");
}

#[test]
fn files_are_linked_relatively() {
    let page = page();
    assert!(page.contains("src=\"./pictures/ukiyo%20e.png\""), "the file of the output");
    assert!(page.contains("src=\"./ukiyo-e.png\""), "the file of the leg");
    let blob = format!("src=\"../../.castline/blobs/sha256/aa/{}\"", "a".repeat(64));
    assert!(page.contains(&blob), "what was not saved is in the store");
}

#[test]
fn an_embedded_page_has_the_bytes_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let project = castline_runner::Project { root: folder.path().to_owned(), document: None };
    let pictures = folder.path().join("out/boat/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    std::fs::write(pictures.join("ukiyo e.png"), "a picture").unwrap();

    let page = render(&record(), &project, &folder.path().join("out/boat"), true);
    assert!(page.contains("src=\"data:image/png;base64,YSBwaWN0dXJl\""), "{page}");
    let state = state(&page);
    let files = state["files"].as_object().expect("a map");
    let inside = files.values().filter(|file| file.get("url").is_none());
    assert_eq!(inside.count(), 1, "what stands in the list has no address besides: {state:#}");
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = page();
    let list = plain(&page);
    assert_eq!(list.matches("<img ").count(), list.matches(" alt=\"").count());
    assert!(list.contains("alt=\"A boat.\""), "the prompt says it");
}
