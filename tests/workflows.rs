//! Every workflow in `workflows/` runs on the sandbox as it is, and its outputs are what they
//! should be: the right kind and size, and different when the inputs are.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::GenericImageView;
use serde_json::Value;

use common::copy;

const CASTLINE: &str = env!("CARGO_BIN_EXE_castline");

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let workflows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
        copy(&workflows, folder.path(), &["out", ".castline"]);
        Self { folder }
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Value {
        let output = Command::new(CASTLINE)
            .args(["run", &format!("{name}.yaml"), "--json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("CASTLINE_PROVIDER")
            .output()
            .expect("castline runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one object on stdout")
    }

    /// The pictures under `out/NAME`, by path.
    fn pictures(&self, name: &str) -> BTreeMap<String, image::DynamicImage> {
        let folder = self.folder.path().join("out").join(name);
        let mut files = Vec::new();
        walk(&folder, &mut files);
        files
            .into_iter()
            .filter(|f| {
                let extension = f.extension().and_then(|e| e.to_str());
                extension.is_some_and(|e| ["png", "jpg", "webp"].contains(&e))
            })
            .map(|f| {
                let bytes = fs::read(&f).expect("readable");
                let picture =
                    image::load_from_memory(&bytes).unwrap_or_else(|e| panic!("{}: {e}", f.display()));
                (f.strip_prefix(&folder).expect("inside").to_string_lossy().replace('\\', "/"), picture)
            })
            .collect()
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().map(|e| e.expect("readable").path()) {
        if entry.is_dir() { walk(&entry, files) } else { files.push(entry) }
    }
}

/// How different two pictures are: the mean of the absolute differences of their small
/// versions, from 0 to 255.
fn distance(a: &image::DynamicImage, b: &image::DynamicImage) -> f64 {
    let small = |i: &image::DynamicImage| {
        i.resize_exact(32, 32, image::imageops::FilterType::Triangle).to_rgb8().into_raw()
    };
    let (a, b) = (small(a), small(b));
    a.iter().zip(&b).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / a.len() as f64
}

#[test]
fn paper_boat_draws_three_styles_of_one_subject() {
    let world = World::new();
    let record = world.run("paper-boat", &[]);
    assert_eq!(record["status"], "succeeded");
    let pictures = world.pictures("paper-boat");
    let styles: Vec<_> = ["ukiyo-e", "linocut", "claymation"].map(|s| &pictures[&format!("{s}.png")]).into();
    for (i, a) in styles.iter().enumerate() {
        assert_eq!(a.dimensions(), (2048, 2048), "enlarged twice");
        for b in &styles[..i] {
            assert!(distance(a, b) > 8.0, "two styles look alike: {}", distance(a, b));
        }
    }
    assert!(pictures.contains_key("sheet.png"), "{:?}", pictures.keys());
    let again = world.run("paper-boat", &[]);
    assert!(again["steps"].as_array().expect("legs").iter().all(|s| s["reused"] == true));
    // Another subject gives other pictures.
    world.run("paper-boat", &["-i", "subject=A city at night."]);
    let other = world.pictures("paper-boat");
    assert!(distance(&pictures["ukiyo-e.png"], &other["ukiyo-e.png"]) > 8.0);
}

#[test]
fn every_workflow_of_the_folder_succeeds_and_is_reused() {
    let world = World::new();
    let names: Vec<String> = fs::read_dir(world.folder.path())
        .expect("readable")
        .map(|e| e.expect("readable").path())
        .filter(|p| {
            p.extension().is_some_and(|e| e == "yaml") && p.file_name() != Some("castline.yaml".as_ref())
        })
        .map(|p| p.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let record = world.run(&name, &[]);
        assert_eq!(record["status"], "succeeded", "{name}");
        assert!(record["outputs"].as_object().is_some_and(|o| !o.is_empty()), "{name} has outputs");
        world.pictures(&name);
        let mut files = Vec::new();
        walk(&world.folder.path().join("out").join(&name), &mut files);
        let files = files.iter().filter(|f| f.extension().is_some_and(|e| e != "html"));
        let sizes: Vec<_> = files.map(|f| fs::metadata(f).expect("readable").len()).collect();
        assert!(!sizes.is_empty() && sizes.iter().all(|size| *size > 0), "{name} leaves {sizes:?}");
        let again = world.run(&name, &[]);
        let legs = again["steps"].as_array().expect("legs");
        let ran: Vec<_> = legs.iter().filter(|s| s["status"] == "succeeded" && s["reused"] != true).collect();
        assert!(ran.is_empty(), "{name} runs again: {ran:?}");
    }
}

#[test]
fn product_shots_follow_their_table() {
    let world = World::new();
    world.run("product-shots", &[]);
    let before = world.pictures("product-shots");
    assert_eq!(before["007-teapot-fern.png"].width(), 640, "the width that the table asks for");
    assert_eq!(before["012-cup-brick.png"].width(), 480);
    let (cup, vase) = (&before["012-cup-brick.png"], &before["113-vase-indigo.png"]);
    assert!(distance(cup, vase) > 8.0, "each has its own photo: {}", distance(cup, vase));
    // One row changes, and with it what is made of that row.
    let table = world.folder.path().join("shots.csv");
    let text = fs::read_to_string(&table).expect("readable");
    fs::write(&table, text.replace("low evening sun", "moonlight")).expect("written");
    let record = world.run("product-shots", &[]);
    let legs = record["steps"].as_array().expect("legs");
    let ran: Vec<_> = legs.iter().filter(|leg| leg["reused"] != true).map(|leg| &leg["step"]).collect();
    assert_eq!(ran, ["scene", "card", "page"]);
    let after = world.pictures("product-shots");
    assert!(distance(cup, &after["012-cup-brick.png"]) > 1.0);
    assert_eq!(*vase, after["113-vase-indigo.png"]);
    assert_eq!(before["before.png"], after["before.png"]);
}

/// A picture of a workflow, what it must be, and what it must depend on.
struct Expected {
    workflow: &'static str,
    path: &'static str,
    format: image::ImageFormat,
    size: (u32, u32),
    /// An input, or a change of the document, that gives another picture.
    change: Change,
}

enum Change {
    Input(&'static str),
    Document(&'static str, &'static str),
}

const EXPECTED: &[Expected] = &[
    Expected {
        workflow: "house-style",
        path: "wall.png",
        format: image::ImageFormat::Png,
        size: (1150, 605),
        change: Change::Input("ink=vermilion"),
    },
    Expected {
        workflow: "product-photo",
        path: "scenes/on a wooden table by a window.png",
        format: image::ImageFormat::Png,
        size: (1152, 896),
        change: Change::Input("photo=./other.png"),
    },
    Expected {
        workflow: "prompt-grid",
        path: "sheet.png",
        format: image::ImageFormat::Png,
        size: (562, 796),
        change: Change::Input("prompts=[a forest at night, a desert at noon, a city in rain]"),
    },
    Expected {
        workflow: "seasons",
        path: "panels/autumn.png",
        format: image::ImageFormat::Png,
        size: (608, 416),
        change: Change::Input("place=A stormy sea at night."),
    },
    Expected {
        workflow: "seed-request",
        path: "image.webp",
        format: image::ImageFormat::WebP,
        size: (1024, 1024),
        change: Change::Document("A paper boat floating on calm water at sunrise.", "A forest at night."),
    },
];

#[test]
fn every_workflow_has_the_kind_and_size_it_should_and_depends_on_its_inputs() {
    let world = World::new();
    // Another photo than the one in the folder: a red disk on blue.
    let disk = image::RgbImage::from_fn(320, 240, |x, y| {
        let inside = (i64::from(x) - 160).pow(2) + (i64::from(y) - 120).pow(2) < 80 * 80;
        image::Rgb(if inside { [200, 30, 30] } else { [30, 60, 160] })
    });
    disk.save(world.folder.path().join("other.png")).expect("written");
    for expected in EXPECTED {
        let Expected { workflow, path, format, size, change } = expected;
        world.run(workflow, &[]);
        let file = world.folder.path().join("out").join(workflow).join(path);
        let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(image::guess_format(&bytes).expect("a picture"), *format, "{workflow}");
        let before = image::load_from_memory(&bytes).expect("a picture");
        assert_eq!(before.dimensions(), *size, "{workflow}");
        match change {
            Change::Input(input) => drop(world.run(workflow, &["-i", input])),
            Change::Document(old, new) => {
                let document = world.folder.path().join(format!("{workflow}.yaml"));
                let text = fs::read_to_string(&document).expect("readable");
                assert!(text.contains(old), "{workflow}");
                fs::write(document, text.replace(old, new)).expect("written");
                world.run(workflow, &[]);
            }
        }
        let after = image::load_from_memory(&fs::read(&file).expect("readable")).expect("a picture");
        let far = distance(&before, &after);
        assert!(far > 4.0, "{workflow}: another input gives the same picture: {far}");
    }
}
