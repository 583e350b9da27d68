//! What saved files tell of how they were made, and the workflows that make them again.

mod common;

use std::fs;
use std::path::Path;

use castline_core::provenance::container;
use common::{Folder, castline};
use serde_json::Value;

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    folder
}

/// Runs something that has to end with this code. What it prints, and what it says.
fn says(folder: &Folder, code: i32, arguments: &[&str]) -> (String, String) {
    let output = castline(&folder.at(""), arguments).env("COLUMNS", "200").output().expect("castline runs");
    let [printed, said] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}{said}");
    (printed, said)
}

fn run(folder: &Folder, file: &str) -> Value {
    serde_json::from_str(&says(folder, 0, &["run", file, "--json"]).0).expect("JSON")
}

/// The files under a folder, in order, without reports.
fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("readable").map(|entry| entry.expect("readable").path()) {
            match entry.is_dir() {
                true => open.push(entry),
                false if entry.extension().is_some_and(|e| e == "html") => {}
                false => {
                    let name = entry.strip_prefix(folder).expect("inside").to_string_lossy();
                    files.push(name.replace('\\', "/"));
                }
            }
        }
    }
    files.sort();
    files
}

fn plain(path: &Path) -> Vec<u8> {
    container::without(fs::read(path).expect("readable"))
}

/// The workflow that `castline from` writes reuses all that the file took, and gives the same.
fn is_made_again(folder: &Folder, file: &str, again: &str) {
    says(folder, 0, &["from", file, "-o", again]);
    let record = run(folder, again);
    let legs = record["steps"].as_array().expect("legs");
    assert!(legs.iter().all(|leg| leg["reused"] == true), "{file}: {record:#}\n{}", folder.read(again));
    let out = folder.at("out").join(again.trim_end_matches(".yaml"));
    let made = files(&out);
    let pictures = made.iter().filter(|name| !name.ends_with(".castline.json"));
    let same = pictures.filter(|name| plain(&out.join(name)) == plain(&folder.at(file)));
    assert_eq!(same.count(), 1, "{file}: {made:?}");
}

const ALL_KINDS: &str = r#"castline: 1
steps:
  draft: { uses: flux-schnell, with: { prompt: A boat., output_format: png } }
  photo: { uses: flux-schnell, with: { prompt: A kite., output_format: jpg } }
  light: { uses: flux-schnell, with: { prompt: A tree., output_format: webp } }
  small: { uses: std/resize, from: draft, with: { width: 64 } }
  film: { uses: wan-2.2-i2v-fast, from: { first_frame: draft }, with: { prompt: It sails. } }
  voice: { uses: kokoro-82m, with: { text: A boat sails. } }
outputs:
  draft: "{{ steps.draft.image }}"
  photo: "{{ steps.photo.image }}"
  light: "{{ steps.light.image }}"
  small: "{{ steps.small.image }}"
  film: "{{ steps.film.video }}"
  voice: "{{ steps.voice.audio }}"
"#;

#[test]
fn every_kind_of_file_is_made_again() {
    let folder = project();
    folder.write("all.yaml", ALL_KINDS);
    run(&folder, "all.yaml");
    let made = files(&folder.at("out/all"));
    let (beside, pictures): (Vec<_>, Vec<_>) = made.iter().partition(|name| name.ends_with(".castline.json"));
    assert_eq!(beside.len(), 2, "a film and a sound have it beside them: {made:?}");
    assert_eq!(pictures.len(), 6, "{made:?}");
    for (n, name) in pictures.iter().enumerate() {
        let path = folder.at("out/all").join(name);
        if !beside.contains(&&format!("{name}.castline.json")) {
            assert!(container::take(&fs::read(&path).unwrap()).is_some(), "{name} tells nothing");
            image::open(&path).unwrap_or_else(|e| panic!("{name} is a picture still: {e}"));
        }
        is_made_again(&folder, &format!("out/all/{name}"), &format!("again-{n}.yaml"));
    }
}

#[test]
fn prompts_and_draws_come_back_as_they_were() {
    let folder = project();
    folder.write(
        "words.yaml",
        r##"castline: 1
inputs:
  words:
    type: array
    items: { type: string }
    default:
      - "{{ not a template }} {% nor %} {# this #} {% raw %} \"quotes\" 'and' \\ back"
      - "two\nlines: and\n\n  more\n"
      - "# no comment, ü, 帆, \t tab, 1:1"
      - "yes"
steps:
  draw:
    uses: flux-schnell
    each: { word: "{{ inputs.words }}", take: [1, "b"] }
    draw: another
    with: { prompt: "{{ each.word }}", megapixels: "0.25" }
outputs: { pictures: "{{ steps.draw.all.image }}" }
"##,
    );
    run(&folder, "words.yaml");
    let made = files(&folder.at("out/words"));
    assert_eq!(made.len(), 8, "{made:?}");
    for (n, name) in made.iter().enumerate() {
        is_made_again(&folder, &format!("out/words/{name}"), &format!("again-{n}.yaml"));
    }
}

#[test]
fn a_saved_picture_is_read_as_what_was_piped() {
    let folder = project();
    folder.write(
        "piped.yaml",
        "steps:\n  a: { uses: flux-schnell, with: { prompt: A boat. } }\n  b: { uses: real-esrgan, from: a }\n\
         outputs: { a: \"{{ steps.a.image }}\", b: \"{{ steps.b.image }}\" }\n",
    );
    let piped = run(&folder, "piped.yaml");
    let a = files(&folder.at("out/piped")).into_iter().find(|name| name.starts_with("a.")).expect("saved");
    folder.write(
        "read.yaml",
        &format!("steps:\n  b: {{ uses: real-esrgan, with: {{ image: ./out/piped/{a} }} }}\n"),
    );
    let read = run(&folder, "read.yaml");
    assert_eq!(read["steps"][0]["reused"], true, "{read:#}");
    let key = |record: &Value, step: &str| {
        let legs = record["steps"].as_array().expect("legs").iter();
        legs.filter(|leg| leg["step"] == step).map(|leg| leg["key"].clone()).next().expect("a leg")
    };
    assert_eq!(key(&read, "b"), key(&piped, "b"));
    // A copy in another project, where no store knows it.
    let other = project();
    other.write("read.yaml", "steps:\n  b: { uses: real-esrgan, with: { image: ./boat.png } }\n");
    fs::copy(folder.at("out/piped").join(&a), other.at("boat.png")).expect("copied");
    assert_eq!(key(&run(&other, "read.yaml"), "b"), key(&piped, "b"));
}

#[test]
fn files_stay_as_they_are_until_their_leg_is_another() {
    let folder = project();
    let workflow = "steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat. } }\n";
    folder.write("one.yaml", workflow);
    run(&folder, "one.yaml");
    let file = folder.at("out/one").join(&files(&folder.at("out/one"))[0]);
    let before = fs::read(&file).expect("readable");
    folder.write("one.yaml", &format!("# Another text, the same request.\n{workflow}"));
    run(&folder, "one.yaml");
    assert_eq!(fs::read(&file).expect("readable"), before, "it was written for nothing");
    folder.write("one.yaml", &workflow.replace("boat.", "kite."));
    run(&folder, "one.yaml");
    assert_ne!(plain(&file), container::without(before));
}

#[test]
fn what_is_missing_is_named() {
    let folder = project();
    let photo = |color| {
        let picture = image::RgbImage::from_pixel(64, 48, image::Rgb(color));
        picture.save(folder.at("photo.png")).expect("written");
    };
    photo([200, 60, 40]);
    folder.write("large.yaml", "steps:\n  large: { uses: real-esrgan, with: { image: ./photo.png } }\n");
    run(&folder, "large.yaml");
    let file = format!("out/large/{}", files(&folder.at("out/large"))[0]);
    is_made_again(&folder, &file, "again.yaml");
    photo([1, 2, 3]);
    let (printed, said) = says(&folder, 5, &["from", &file]);
    assert!(
        said.contains("missing: it takes `photo.png`, which is another file by now: that was sha256:"),
        "{said}"
    );
    assert!(printed.starts_with("# Missing: it takes `photo.png`"), "{printed}");
    fs::remove_file(folder.at("photo.png")).expect("removed");
    let (_, said) = says(&folder, 5, &["from", &file]);
    assert!(said.contains("which is not there"), "{said}");
    let json = says(&folder, 5, &["from", &file, "--json"]).0;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["provenance"]["leg"], "large");
    assert_eq!(json["missing"].as_array().expect("a list").len(), 1);
}

#[test]
fn a_file_that_tells_nothing_is_looked_up_in_the_runs() {
    let folder = project();
    folder.write(
        "quiet.yaml",
        "steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat., output_format: png } }\n  \
         voice: { uses: kokoro-82m, with: { text: A boat. } }\n",
    );
    says(&folder, 0, &["run", "quiet.yaml", "--no-provenance"]);
    let made = files(&folder.at("out/quiet"));
    assert_eq!(made.len(), 2, "nothing is written beside them: {made:?}");
    for (n, name) in made.iter().enumerate() {
        assert_eq!(container::take(&fs::read(folder.at("out/quiet").join(name)).unwrap()), None);
        is_made_again(&folder, &format!("out/quiet/{name}"), &format!("again-{n}.yaml"));
    }
    let other = Folder::new();
    fs::copy(folder.at("out/quiet").join(&made[0]), other.at("boat.png")).expect("copied");
    let (_, said) = says(&other, 2, &["from", "boat.png"]);
    assert!(said.contains("nothing tells how `boat.png` was made"), "{said}");
}

#[test]
fn what_a_stranger_wrote_is_not_believed() {
    let folder = project();
    folder.write("secret.txt", "a secret");
    image::RgbImage::new(8, 8).save(folder.at("plain.png")).expect("written");
    let picture = fs::read(folder.at("plain.png")).expect("readable");
    let digest = format!("sha256:{}", "0".repeat(64));
    let with = |text: &str| fs::write(folder.at("evil.png"), container::embed(&picture, text).expect("room"));
    let provenance = |leg: &str, uses: &str, input: &str, reads: &str| {
        format!(
            r#"{{"schema_version":1,"castline":"9\n!","workflow":"x","file":"a\n- b: c","leg":"{leg}",
            "digest":"{digest}","predictions":[{{"leg":"{leg}","uses":"{uses}","key":"{digest}",
            "model":"acme/paint","provider":"sandbox\nsteps:","input":{input},"reads":{reads}}}]}}"#
        )
    };
    let media = format!(r#"{{"image":{{"digest":"{digest}","media_type":"image/png","bytes":1}}}}"#);
    for path in ["/dev/zero", "../../../etc/passwd", "..", "."] {
        let reads = format!(r#"[{{"digest":"{digest}","path":"{path}"}}]"#);
        with(&provenance("a", "flux-schnell", &media, &reads)).expect("written");
        let (_, said) = says(&folder, 5, &["from", "evil.png"]);
        assert!(said.contains("missing: it takes"), "{path}: {said}");
    }
    // Nothing in it is read as a template, a document of its own or a line of one.
    let input = r#"{"prompt":"{{ read('secret.txt') }}","x\ny":"- z"}"#;
    with(&provenance("a\\nsteps:\\n  b", "./other.yaml", input, "[]")).expect("written");
    let (printed, said) = says(&folder, 5, &["from", "evil.png"]);
    assert!(!printed.contains("a secret") && !printed.contains("other.yaml"), "{printed}{said}");
    let document: Value = serde_yaml::from_str(&printed).expect("YAML");
    assert_eq!(document["steps"].as_object().expect("a map").len(), 1, "{printed}");
    for (text, what) in [
        (
            r#"{"schema_version":2}"#,
            "it has version 2, and this castline knows versions up to 1: update castline",
        ),
        (r#"{"schema_version":1}"#, "cannot be read: missing field"),
        ("{", "cannot be read: EOF"),
    ] {
        with(text).expect("written");
        let (_, said) = says(&folder, 2, &["from", "evil.png"]);
        assert!(said.contains(what), "{said}");
    }
    let (_, said) = says(&folder, 2, &["from", "missing.png"]);
    assert!(said.contains("`missing.png` cannot be read"), "{said}");
}

#[test]
fn a_picture_that_was_changed_since_is_said() {
    let folder = project();
    folder.write(
        "boat.yaml",
        "steps:\n  boat: { uses: flux-schnell, with: { prompt: A boat., output_format: png } }\n",
    );
    run(&folder, "boat.yaml");
    let file = format!("out/boat/{}", files(&folder.at("out/boat"))[0]);
    let told = container::take(&fs::read(folder.at(&file)).expect("readable")).expect("told").text;
    image::RgbImage::new(8, 8).save(folder.at("plain.png")).expect("written");
    let picture = fs::read(folder.at("plain.png")).expect("readable");
    fs::write(folder.at("changed.png"), container::embed(&picture, &told).expect("room")).expect("written");
    let (printed, said) = says(&folder, 0, &["from", "changed.png"]);
    assert!(said.contains("`changed.png` was changed since it was made"), "{said}");
    assert!(printed.contains("prompt: A boat."), "{printed}");
}
