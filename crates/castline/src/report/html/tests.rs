use std::path::Path;

use super::render;
use crate::report::testing::{project, record};

fn page() -> String {
    render(&record(), &project(), Path::new("/project/out/boat"), false)
}

/// The page from `<header>` on: how it looks is no concern of the tests.
fn body() -> String {
    let page = page();
    let from = page.find("<header>").expect("a page has a header");
    page[from..].to_owned()
}

#[test]
fn the_page_shows_outputs_then_steps_with_their_legs() {
    insta::assert_snapshot!(body());
}

#[test]
fn nothing_of_a_workflow_or_model_becomes_markup() {
    let page = page();
    assert!(!page.contains("<b>caption</b>") && page.contains("&lt;b&gt;caption&lt;"), "{page}");
    assert!(page.contains("Redo as &lt;ukiyo-e&gt;."));
    assert_eq!(
        super::escape("<a href=\"x\" title='y'>&"),
        "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
    );
}

#[test]
fn the_page_needs_no_script_and_no_network() {
    let page = page();
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    assert!(!page.contains(" onclick") && !page.contains("@import") && !page.contains("url("));
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
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = page();
    assert_eq!(page.matches("<img ").count(), page.matches(" alt=\"").count());
    assert!(page.contains("alt=\"A boat.\""), "the prompt says it");
}
