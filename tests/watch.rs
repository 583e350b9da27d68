//! `castline watch` over real files and sockets: whatever an editor does, no edit is missed, none
//! runs twice, and nothing is created for a key that somebody makes already. What was created the
//! server counts.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use common::Folder;
use common::server::Server;
use common::watching::{Watch, command};

const PROJECT: &str = "provider: local\nproviders:\n  local: { kind: replicate, base_url: \"URL\", token_env: LOCAL_TOKEN, rate: { create: 100000/min, read: 100000/min } }\n";

/// A project whose provider is a server on loopback.
fn project(server: &Server, more: &str) -> Folder {
    let folder = Folder::new();
    folder.write("castline.yaml", &format!("{}{more}", PROJECT.replace("URL", &server.base_url())));
    folder
}

fn workflow(prompt: &str) -> String {
    format!(
        "name: flow\nsteps:\n  boat:\n    uses: flux-schnell\n    with: {{ prompt: \"{prompt}\", megapixels: \"0.25\" }}\n    save: boat\n"
    )
}

/// The prompts that were created, and how often.
fn created(server: &Server) -> BTreeMap<String, usize> {
    let mut prompts = BTreeMap::new();
    for request in server.requests("POST", "/predictions") {
        let prompt = request["body"]["input"]["prompt"].as_str().expect("a prompt").to_owned();
        *prompts.entry(prompt).or_default() += 1;
    }
    prompts
}

/// Each way in which editors save.
fn save(how: usize, file: &Path, text: &str) {
    let beside = |name: &str| file.with_file_name(name);
    match how % 8 {
        // In place.
        0 => fs::write(file, text).expect("written"),
        // Beside it, and renamed over it.
        1 => {
            fs::write(beside(".flow.yaml.new"), text).expect("written");
            fs::rename(beside(".flow.yaml.new"), file).expect("renamed");
        }
        // Emptied and written in two parts.
        2 => {
            use std::io::Write;
            let mut open = fs::File::create(file).expect("emptied");
            let (a, b) = text.split_at(text.len() / 2);
            open.write_all(a.as_bytes()).and_then(|()| open.flush()).expect("written");
            open.write_all(b.as_bytes()).expect("written");
        }
        // The old one becomes a backup first.
        3 => {
            fs::rename(file, beside("flow.yaml~")).expect("renamed");
            fs::write(file, text).expect("written");
        }
        // Removed, and made anew.
        4 => {
            fs::remove_file(file).expect("removed");
            fs::write(file, text).expect("written");
        }
        // Twice, as formatters do.
        5 => {
            fs::write(file, text.replace("  ", "   ")).expect("written");
            fs::write(file, text).expect("written");
        }
        // With a lock file beside it that comes and goes.
        6 => {
            fs::write(beside(".#flow.yaml"), "me").expect("written");
            fs::write(file, text).expect("written");
            fs::remove_file(beside(".#flow.yaml")).expect("removed");
        }
        // Among many others, as a checkout does.
        _ => {
            (0..50).for_each(|n| fs::write(beside(&format!("other-{n}.md")), text).expect("written"));
            fs::write(file, text).expect("written");
            (0..50).for_each(|n| fs::remove_file(beside(&format!("other-{n}.md"))).expect("removed"));
        }
    }
}

#[test]
fn a_hundred_edits_are_a_hundred_runs_and_nothing_is_created_twice() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    let file = folder.at("flow.yaml");
    fs::write(&file, workflow("boat 0")).expect("written");
    let mut watch = Watch::start(&folder, &["flow.yaml", "--auto-spend", "1", "--budget", "9"]);
    watch.event("watching");
    watch.done();
    let mut pictures = BTreeSet::from([fs::read(folder.at("out/flow/boat.webp")).expect("saved")]);
    for edit in 1..=100_usize {
        let text = workflow(&format!("boat {edit}"));
        match edit % 10 {
            // Broken, and mended.
            3 => {
                save(edit / 10, &file, "steps: [");
                watch.event("broken");
            }
            // Touched, and with another comment: the same plan.
            6 => {
                let same = fs::read_to_string(&file).expect("readable");
                fs::write(&file, &same).expect("written");
                fs::write(&file, format!("# again\n{same}")).expect("written");
            }
            // A burst, of which only the last counts.
            9 => (0..5).for_each(|n| save(n, &file, &workflow(&format!("boat {edit}")).replace("0.25", "1"))),
            _ => {}
        }
        save(edit, &file, &text);
        watch.done();
        assert!(
            pictures.insert(fs::read(folder.at("out/flow/boat.webp")).expect("saved")),
            "edit {edit} has the picture of one before"
        );
    }
    let seen = watch.end();
    let created = created(&server);
    let wanted = (0..=100).map(|n| format!("boat {n}"));
    let missed: Vec<_> = wanted.filter(|prompt| !created.contains_key(prompt)).collect();
    assert!(missed.is_empty(), "{missed:?} were missed");
    // The burst may be seen in the middle, and its request is another one: with more pixels.
    let twice: Vec<_> =
        created.iter().filter(|(prompt, n)| **n > if prompt.ends_with('9') { 2 } else { 1 }).collect();
    assert!(twice.is_empty(), "created more than once: {twice:?}");
    let runs = seen.iter().filter(|event| event["type"] == "run-began").count();
    assert!((101..=111).contains(&runs), "{runs} runs");
}

#[test]
fn of_two_quick_edits_the_first_makes_way_and_what_both_want_goes_on() {
    let server = Server::start(&["--latency", "1s"]);
    let folder = project(&server, "");
    let flow = |boat: &str| {
        format!(
            "name: flow\nsteps:\n  boat:\n    uses: flux-schnell\n    with: {{ prompt: {boat} }}\n  house:\n    uses: flux-schnell\n    with: {{ prompt: a house }}\n    save: house\n"
        )
    };
    folder.write("flow.yaml", &flow("boat one"));
    let mut watch = Watch::start(&folder, &["flow.yaml", "--auto-spend", "1"]);
    let is_created =
        |event: &Value| event["event"]["type"] == "leg-created" && event["event"]["leg"]["step"] == "boat";
    watch.until("the first boat", is_created);
    folder.write("flow.yaml", &flow("boat two"));
    watch.until("the second boat", is_created);
    folder.write("flow.yaml", &flow("boat three"));
    watch.done();
    watch.end();
    let created = created(&server);
    assert_eq!(created.get("a house"), Some(&1), "{created:?}");
    assert!(created.values().all(|n| *n == 1), "{created:?}");
    assert!(created.contains_key("boat three"), "{created:?}");
    assert!(folder.at("out/flow/house.webp").is_file());
}

#[test]
fn two_processes_that_watch_one_file_pay_once() {
    let server = Server::start(&["--latency", "200ms"]);
    let folder = project(&server, "");
    folder.write("flow.yaml", &workflow("boat 0"));
    let start = || Watch::start(&folder, &["flow.yaml", "--auto-spend", "1"]);
    let (mut one, mut two) = (start(), start());
    for edit in 0..8 {
        save(edit, &folder.at("flow.yaml"), &workflow(&format!("boat {edit}")));
        for watch in [&mut one, &mut two] {
            // The first of them is what it was at the beginning.
            watch.until("a run of this edit that is over", |event| {
                event["type"] == "run-ended" && event["status"] == "succeeded"
            });
        }
    }
    one.end();
    two.end();
    let created = created(&server);
    assert_eq!(created.len(), 8, "{created:?}");
    assert!(created.values().all(|n| *n == 1), "{created:?}");
}

#[test]
fn everything_that_a_plan_is_made_of_is_watched_and_what_it_makes_is_not() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    let picture = |color: [u8; 3]| {
        let mut bytes = Vec::new();
        let image = image::RgbImage::from_pixel(64, 64, image::Rgb(color));
        image.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).expect("a picture");
        bytes
    };
    folder.write("notes/words.md", "a quiet sea");
    folder.write("rows.csv", "name\nboat\n");
    folder.write("photos/1.png", "");
    fs::write(folder.at("photos/1.png"), picture([200, 30, 30])).expect("written");
    folder.write("presets/house.yaml", "castline: 1\nextends: flux-schnell\ninputs:\n  what: { type: string }\nwith: { prompt: \"{{ inputs.what }}, in our way\", megapixels: \"0.25\" }\n");
    folder.write(
        "flow.yaml",
        "name: flow\ninputs:\n  rows: { type: array, items: { type: object }, default: \"@./rows.csv\" }\n  photos: { type: array, items: { type: image }, default: \"./photos/*.png\" }\nsteps:\n  draw:\n    uses: house\n    each: { row: \"{{ inputs.rows }}\" }\n    with: { what: \"{{ each.row.name }} on {{ read('./notes/words.md') }}\" }\n  edit:\n    uses: flux-kontext-pro\n    each: { photo: \"{{ inputs.photos }}\" }\n    with: { prompt: make it blue, input_image: \"{{ each.photo }}\" }\n",
    );
    let mut watch = Watch::start(&folder, &["flow.yaml", "--auto-spend", "1"]);
    watch.event("watching");
    watch.done();
    type Edit = Box<dyn Fn(&Folder)>;
    let mut edits: Vec<(&str, Edit)> = vec![
        ("a text", Box::new(|folder| folder.write("notes/words.md", "a wild sea"))),
        ("a table", Box::new(|folder| folder.write("rows.csv", "name\nboat\nship\n"))),
        (
            "a preset",
            Box::new(|folder| {
                let text = folder.read("presets/house.yaml");
                folder.write("presets/house.yaml", &text.replace("our way", "their way"));
            }),
        ),
        (
            "a folder that vanishes and comes back",
            Box::new(|folder| {
                fs::rename(folder.at("notes"), folder.at("elsewhere")).expect("renamed");
                folder.write("notes/words.md", "no sea at all");
            }),
        ),
    ];
    edits.push((
        "a new picture",
        Box::new(move |folder| {
            fs::write(folder.at("photos/2.png"), picture([30, 200, 30])).expect("written");
        }),
    ));
    edits.push((
        "another picture under the same name",
        Box::new(move |folder| {
            fs::write(folder.at("photos/1.png"), picture([30, 30, 200])).expect("written");
        }),
    ));
    for (what, edit) in &edits {
        let before = server.creates();
        edit(&folder);
        watch.until(what, |event| event["type"] == "run-ended" && event["status"] == "succeeded");
        assert!(server.creates() > before, "{what}");
    }
    // A setting of the project, and nothing runs for it but what was there.
    let text = folder.read("castline.yaml");
    folder.write("castline.yaml", &format!("{text}limits: {{ parallel: 3 }}\n"));
    watch.until("the project", |event| event["type"] == "planned" && event["to_run"] == 0);
    watch.done();
    // What it has written itself led to none of these.
    let seen = watch.end();
    let plans = seen.iter().filter(|event| event["type"] == "planned").count();
    assert!(plans <= edits.len() + 3, "{plans} plans");
}

#[test]
fn above_what_may_be_spent_a_plan_waits() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    folder.write("flow.yaml", &workflow("boat 0"));
    let mut watch = Watch::start(&folder, &["flow.yaml"]);
    let planned = watch.event("planned");
    assert_eq!(planned["next"], "waits-for-money", "{planned}");
    assert!(planned["max_usd"].as_f64() > Some(0.0), "{planned}");
    watch.event("watching");
    watch.end();
    assert_eq!(server.creates(), 0);
}

#[test]
fn what_is_free_of_a_plan_that_waits_runs_meanwhile() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_pixel(64, 64, image::Rgb([200, 30, 30]));
    picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).expect("a picture");
    fs::write(folder.at("red.png"), bytes).expect("written");
    let flow = |width: u32| {
        format!(
            "name: flow\nsteps:\n  small: {{ uses: std/resize, with: {{ image: ./red.png, width: {width} }}, save: small }}\n  boat: {{ uses: flux-schnell, with: {{ prompt: a boat }}, save: boat }}\n"
        )
    };
    folder.write("flow.yaml", &flow(16));
    let mut watch = Watch::start(&folder, &["flow.yaml"]);
    for width in [16, 32] {
        let planned = watch.event("planned");
        assert_eq!(planned["next"], "waits-for-money", "{planned}");
        assert_eq!(watch.event("run-began")["only_free"], true);
        watch.event("run-ended");
        let small = image::open(folder.at("out/flow/small.png")).expect("a picture");
        assert_eq!(small.width(), width);
        assert!(!folder.at("out/flow/boat.webp").exists());
        folder.write("flow.yaml", &flow(32));
    }
    watch.end();
    assert_eq!(server.creates(), 0);
}

#[test]
fn the_budget_of_a_watch_holds_for_all_its_runs() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    folder.write("flow.yaml", &workflow("boat 0"));
    // One picture costs 0.003 USD.
    let mut watch = Watch::start(&folder, &["flow.yaml", "--auto-spend", "1", "--budget", "0.007"]);
    watch.done();
    folder.write("flow.yaml", &workflow("boat 1"));
    watch.done();
    folder.write("flow.yaml", &workflow("boat 2"));
    let refused = watch.event("refused");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("of this watch")), "{refused}");
    // What is known costs nothing.
    folder.write("flow.yaml", &workflow("boat 0"));
    watch.done();
    watch.end();
    assert_eq!(server.creates(), 2);
}

#[test]
fn files_are_only_looked_at_with_poll() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    folder.write("flow.yaml", &workflow("boat 0"));
    let mut watch = Watch::start(&folder, &["flow.yaml", "--poll", "--auto-spend", "1"]);
    watch.event("watching");
    watch.done();
    for edit in 1..6 {
        save(edit, &folder.at("flow.yaml"), &workflow(&format!("boat {edit}")));
        watch.done();
    }
    watch.end();
    assert_eq!(created(&server).len(), 6);
}

#[test]
fn several_workflows_are_watched_at_once() {
    let server = Server::start(&[]);
    let folder = project(&server, "");
    folder.write("a.yaml", &workflow("boat a").replace("name: flow", "name: a"));
    folder.write("b.yaml", &workflow("boat b").replace("name: flow", "name: b"));
    let mut watch = Watch::start(&folder, &["a.yaml", "b.yaml", "--auto-spend", "1"]);
    watch.event("watching");
    watch.done();
    watch.done();
    folder.write("b.yaml", &workflow("boat b2").replace("name: flow", "name: b"));
    let planned = watch.event("planned");
    assert_eq!(planned["file"], "b.yaml", "{planned}");
    watch.done();
    watch.end();
    assert_eq!(server.creates(), 3);
}

#[cfg(unix)]
mod terminal {
    use std::process::Command;

    use super::common::terminal::Terminal;
    use super::*;

    #[test]
    fn enter_runs_what_waits_and_the_terminal_is_given_back() {
        let server = Server::start(&[]);
        let folder = project(&server, "");
        folder.write("flow.yaml", &workflow("boat 0"));
        let mut terminal = Terminal::start(&mut command(&folder.at("."), &["watch", "flow.yaml"]));
        terminal.until("a plan waits");
        assert!(terminal.is_raw() && server.creates() == 0);
        terminal.press("\r");
        terminal.until("done in");
        assert_eq!(server.creates(), 1);
        folder.write("flow.yaml", &workflow("boat 1"));
        terminal.until("boat: prompt changed");
        terminal.until("a plan waits");
        terminal.press("p\r");
        terminal.until("paused: edits");
        terminal.press("q");
        assert_eq!(terminal.ends(), Some(0));
        let shown = terminal.contents();
        assert!(!shown.contains("q quits"), "what changes in place leaves no trace:\n{shown}");
    }

    #[test]
    fn however_it_ends_the_terminal_is_given_back() {
        for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
            let server = Server::start(&["--latency", "30s"]);
            let folder = project(&server, "");
            folder.write("flow.yaml", &workflow("boat 0"));
            let mut terminal =
                Terminal::start(&mut command(&folder.at("."), &["watch", "flow.yaml", "--auto-spend", "1"]));
            terminal.until("1 running");
            let kill = |signal: &str| {
                let id = terminal.child.id().to_string();
                Command::new("kill").args([signal, &id]).status().expect("kill runs");
            };
            kill(signal);
            if signal == "-INT" {
                terminal.until("Ctrl-C again");
                kill(signal);
            }
            assert_eq!(terminal.ends(), Some(code), "{signal}");
        }
    }
}
