//! Runs that have nothing to do: the third of them need not look, and whatever changes has it look again.
//! Whether it looked is told by the list of runs, in which a run that did not look is not.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use common::server::Server;
use common::{Folder, castline};

/// Nothing takes that long.
const DEADLINE: Duration = Duration::from_mins(1);

const FLOW: &str = "name: flow\ninputs:\n  photos: { type: array, items: { type: image }, default: \"./photos/*.png\" }\nsteps:\n  small: { uses: std/resize, each: { photo: \"{{ inputs.photos }}\" }, with: { image: \"{{ each.photo }}\", width: 16 } }\n  boat: { uses: house, with: { what: \"{{ read('./words.md') }}\" }, save: boat }\noutputs:\n  small: \"{{ steps.small.all.image }}\"\n";

const PRESET: &str = "castline: 1\nextends: flux-schnell\ninputs:\n  what: { type: string }\nwith: { prompt: \"{{ inputs.what }}\", megapixels: \"0.25\" }\n";

fn picture(folder: &Folder, name: &str, red: u8) {
    let image = image::RgbImage::from_pixel(32, 32, image::Rgb([red, 40, 40]));
    fs::create_dir_all(folder.at("photos")).expect("made");
    image.save(folder.at(name)).expect("written");
}

/// A project on a disk that is vouched for; elsewhere there is nothing to test, which is said.
fn project() -> Option<Folder> {
    let folder = Folder::new();
    let binary = Path::new(env!("CARGO_BIN_EXE_castline"));
    if ![folder.at(".").as_path(), binary].into_iter().all(castline_store::tells_changes) {
        eprintln!("skipped: nobody vouches for the disk of the temporary folder or of the binary");
        return None;
    }
    folder.write("castline.yaml", "castline: 1\n");
    folder.write("presets/house.yaml", PRESET);
    folder.write("words.md", "a boat");
    picture(&folder, "photos/1.png", 200);
    folder.write("flow.yaml", FLOW);
    Some(folder)
}

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    castline(&folder.at("."), &[&["run", "flow.yaml"], arguments].concat())
}

/// How many runs are on record.
fn runs(folder: &Folder) -> usize {
    let output = castline(&folder.at("."), &["runs", "list", "--json"]).output().expect("castline runs");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    list["runs"].as_array().expect("a list").len()
}

/// Runs a command that shall succeed; what it says, and whether it looked.
fn looked(folder: &Folder, mut command: Command) -> (bool, String) {
    let before = runs(folder);
    let output = command.output().expect("castline runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{said}");
    (runs(folder) > before, said)
}

/// Runs until it need not look any more: what changed a moment ago is not vouched for.
fn settle(folder: &Folder) -> String {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        let (has_looked, said) = looked(folder, command(folder, &[]));
        if !has_looked {
            return said;
        }
    }
    panic!("it looks every time");
}

fn first(folder: &Path) -> PathBuf {
    let mut found: Vec<_> =
        fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    found.sort();
    found.swap_remove(0)
}

#[test]
fn what_has_nothing_to_do_says_the_same_without_looking() {
    let Some(folder) = project() else { return };
    assert!(looked(&folder, command(&folder, &[])).0);
    let (has_looked, slow) = looked(&folder, command(&folder, &[]));
    assert!(has_looked && slow.contains("2 reused"), "{slow}");
    let quick = settle(&folder);
    let lines = |text: &str| {
        text.lines().map(|line| line.split(" in ").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&quick), lines(&slow));
    assert!(quick.contains("reused; nothing to pay"), "{quick}");
}

#[test]
fn whatever_changes_is_looked_at() {
    let Some(folder) = project() else { return };
    settle(&folder);
    type Edit = Box<dyn Fn(&Folder)>;
    let edits: Vec<(&str, Edit)> = vec![
        ("the workflow", Box::new(|f| f.write("flow.yaml", &FLOW.replace("width: 16", "width: 17")))),
        (
            "a byte of a text, with its time put back",
            Box::new(|f| {
                let file = f.at("words.md");
                let time = fs::metadata(&file).and_then(|meta| meta.modified()).expect("a time");
                fs::write(&file, "a goat").expect("written");
                fs::File::options()
                    .write(true)
                    .open(&file)
                    .and_then(|open| open.set_modified(time))
                    .expect("set");
            }),
        ),
        ("a preset", Box::new(|f| f.write("presets/house.yaml", &PRESET.replace("0.25", "1")))),
        ("another preset", Box::new(|f| f.write("presets/other.yaml", PRESET))),
        ("the project", Box::new(|f| f.write("castline.yaml", "castline: 1\nlimits: { parallel: 3 }\n"))),
        ("a picture", Box::new(|f| picture(f, "photos/1.png", 90))),
        ("a new picture", Box::new(|f| picture(f, "photos/2.png", 10))),
        ("a picture less", Box::new(|f| fs::remove_file(f.at("photos/2.png")).expect("removed"))),
        ("a saved file that is another one", Box::new(|f| f.write("out/flow/boat.webp", "mine"))),
        (
            "a saved file that is gone",
            Box::new(|f| fs::remove_file(f.at("out/flow/boat.webp")).expect("removed")),
        ),
        (
            "an artifact that is gone",
            Box::new(|f| fs::remove_file(first(&first(&f.at(".castline/blobs/sha256")))).expect("removed")),
        ),
        (
            "the ledger",
            Box::new(|f| {
                fs::remove_dir_all(f.at(".castline/blobs")).expect("removed");
                fs::remove_file(f.at(".castline/ledger.db")).expect("removed");
            }),
        ),
        (
            "a note of it that is broken",
            Box::new(|f| {
                fs::write(first(&f.at(".castline/settled")), "{ \"schema_version\": 1,").expect("written");
            }),
        ),
    ];
    for (what, edit) in edits {
        edit(&folder);
        let (has_looked, said) = looked(&folder, command(&folder, &[]));
        assert!(has_looked, "{what}:\n{said}");
        settle(&folder);
    }
}

#[test]
fn another_command_is_looked_at() {
    let Some(folder) = project() else { return };
    settle(&folder);
    let others: &[&[&str]] = &[
        &["--json"],
        &["--events", "-"],
        &["--report"],
        &["--only", "boat"],
        &["--until", "boat"],
        &["--reroll", "boat"],
        &["--out", "elsewhere"],
        &["--provider", "sandbox"],
        &["--offline"],
        &["-i", "photos=[\"./photos/1.png\"]"],
    ];
    for other in others {
        assert!(looked(&folder, command(&folder, other)).0, "{other:?}");
    }
    settle(&folder);
    for (name, value) in [("CASTLINE_PROVIDER", "sandbox"), ("REPLICATE_API_TOKEN", "a-token-of-some-length")]
    {
        let mut command = command(&folder, &["--provider", "sandbox"]);
        command.env(name, value);
        assert!(looked(&folder, command).0, "{name}");
    }
}

/// Nothing else keeps its results from being removed.
#[test]
fn without_the_record_of_its_run_it_is_looked_at() {
    let Some(folder) = project() else { return };
    settle(&folder);
    let list = castline(&folder.at("."), &["runs", "list", "--json"]).output().expect("castline runs");
    let list: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    for run in list["runs"].as_array().expect("a list") {
        let id = run["run"].as_str().expect("an id");
        assert!(castline(&folder.at("."), &["runs", "rm", id]).status().expect("castline runs").success());
    }
    assert!(looked(&folder, command(&folder, &[])).0);
}

#[test]
fn links_are_followed_or_not_vouched_for() {
    use std::os::unix::fs::symlink;
    // A link that leads nowhere yet.
    let Some(folder) = project() else { return };
    let nested = FLOW.replace("photos/*.png", "photos/**/*.png");
    folder.write("flow.yaml", &nested);
    symlink("../later/sub", folder.at("photos/sub")).expect("linked");
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(150));
        assert!(looked(&folder, command(&folder, &[])).0, "what comes there would not be seen");
    }
    // A folder on the way that becomes one.
    let Some(folder) = project() else { return };
    folder.write("deep/er/words.md", "a boat");
    folder.write("flow.yaml", &FLOW.replace("./words.md", "./deep/er/words.md"));
    settle(&folder);
    fs::rename(folder.at("deep"), folder.at("elsewhere")).expect("moved");
    symlink("elsewhere", folder.at("deep")).expect("linked");
    assert!(looked(&folder, command(&folder, &[])).0, "it leads elsewhere");
}

#[test]
fn a_folder_whose_name_is_no_text_is_looked_at_every_time() {
    use std::os::unix::ffi::OsStrExt;
    let Some(folder) = project() else { return };
    let odd = folder.at(".").join(std::ffi::OsStr::from_bytes(b"od\xffd"));
    fs::create_dir(&odd).expect("made");
    for file in ["castline.yaml", "words.md"] {
        fs::copy(folder.at(file), odd.join(file)).expect("copied");
    }
    let text = "name: flow\nsteps:\n  boat: { uses: flux-schnell, with: { prompt: \"{{ read('./words.md') }}\" }, save: boat }\n";
    fs::write(odd.join("flow.yaml"), text).expect("written");
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(150));
        let output = castline(&odd, &["run", "flow.yaml"]).env("PWD", &odd).output().expect("castline runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Where money is spent there are accounts, of which such a run needs none.
#[test]
fn what_was_paid_for_is_settled_too() {
    let server = Server::start(&[]);
    let Some(folder) = project() else { return };
    let url = server.base_url();
    folder.write("castline.yaml", &format!("provider: local\nproviders:\n  local: {{ kind: replicate, base_url: \"{url}\", token_env: LOCAL_TOKEN }}\nlimits: {{ budget_usd: 1, budget_usd_per_day: 2 }}\n"));
    let began = Instant::now();
    let quick = loop {
        assert!(began.elapsed() < DEADLINE, "it looks every time");
        let mut command = command(&folder, &["--yes"]);
        command.env("LOCAL_TOKEN", "a-token-of-some-length");
        if let (false, said) = looked(&folder, command) {
            break said;
        }
    };
    assert!(quick.contains("2 reused"), "{quick}");
    assert_eq!(server.creates(), 1);
}

#[test]
fn a_step_that_always_runs_is_never_settled() {
    let Some(folder) = project() else { return };
    folder.write("flow.yaml", &FLOW.replace("save: boat }", "save: boat, cache: false }"));
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(150));
        assert!(looked(&folder, command(&folder, &[])).0);
    }
}

#[test]
fn what_is_found_is_said_again() {
    let Some(folder) = project() else { return };
    folder.write("flow.yaml", &FLOW.replace(", save: boat }", " }"));
    let quick = settle(&folder);
    assert!(quick.starts_with("warning[unused]: nothing uses the step `boat`"), "{quick}");
    assert!(quick.contains("\n1 warning\n") && quick.contains("reused; nothing to pay"), "{quick}");
}
