//! Pictures to look at.

use super::Sandbox;
use crate::std_tools::StdTools;
use crate::std_tools::shelf::{Ask, Shelf, files};

/// `GALLERY=/tmp/gallery cargo test -p castline-provider gallery -- --ignored`
#[tokio::test]
#[ignore = "writes pictures to look at into the folder GALLERY"]
async fn a_gallery_of_what_the_sandbox_draws() {
    let folder = std::path::PathBuf::from(std::env::var("GALLERY").expect("GALLERY names a folder"));
    let (sandbox, tools, shelf) = (Sandbox::default(), StdTools::default(), Shelf::default());
    let draw = async |name: &str, ask: Ask| {
        let begin = std::time::Instant::now();
        let snapshot = sandbox.create(&ask.create(), &shelf).await.unwrap();
        let took = begin.elapsed();
        let bytes = files(&snapshot, sandbox.outputs()).remove(0);
        println!("{name} {took:?} {} bytes", bytes.len());
        std::fs::write(folder.join(format!("{name}.png")), &bytes).unwrap();
        shelf.file(&bytes)
    };
    let words = std::fs::read_to_string(folder.join("prompts.txt")).unwrap_or_default();
    for (index, line) in words.lines().enumerate() {
        let [ratio, seed, prompt] = line.splitn(3, '|').collect::<Vec<_>>().try_into().unwrap();
        let ask = Ask::of("black-forest-labs/flux-schnell")
            .with("prompt", prompt)
            .with("aspect_ratio", ratio)
            .with("seed", seed.parse::<i64>().unwrap());
        draw(&format!("a{index:02}"), ask).await;
    }
    let styles = std::fs::read_to_string(folder.join("styles.txt")).unwrap_or_default();
    let mut lines = styles.lines();
    let subject = lines.next().unwrap_or("A paper boat floating on calm water at sunrise.");
    let base = match subject.strip_prefix('@') {
        Some(path) => shelf.file(&std::fs::read(path).unwrap()),
        None => {
            draw("b00", Ask::of("black-forest-labs/flux-schnell").with("prompt", subject).with("seed", 7))
                .await
        }
    };
    let mut styled = vec![];
    let mut captions = vec![];
    for (index, style) in lines.enumerate() {
        let ask = Ask::of("black-forest-labs/flux-kontext-pro")
            .task("image-edit")
            .with("prompt", style)
            .given("input_image", base.clone());
        styled.push(draw(&format!("b{:02}", index + 1), ask).await);
        captions.push(style.to_owned());
    }
    draw(
        "c00",
        Ask::of("nightmareai/real-esrgan").task("upscale").with("scale", 2).given("image", base.clone()),
    )
    .await;
    draw("c01", Ask::of("lucataco/remove-bg").task("background-removal").given("image", base.clone())).await;
    if !styled.is_empty() {
        let sheet = Ask::of("std/contact-sheet")
            .given("images", castline_core::Value::List(styled))
            .with("captions", captions);
        let snapshot = tools.create(&sheet.create(), &shelf).await.unwrap();
        std::fs::write(folder.join("sheet.png"), &files(&snapshot, tools.outputs())[0]).unwrap();
    }
}
