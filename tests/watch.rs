//! `castline watch` over real files and sockets: whatever an editor does, no edit is missed, none
//! runs twice, and nothing is created for a key that somebody makes already. What was created the
//! server counts.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::server::Server;
use common::{Folder, castline};

/// Nothing takes that long.
const DEADLINE: Duration = Duration::from_mins(2);

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

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = castline(folder, arguments);
    command.env("LOCAL_TOKEN", "secret-token-for-loopback");
    command
}

/// A watch under way, as `--json` tells of it.
struct Watch {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
    talk: Option<std::thread::JoinHandle<String>>,
}

impl Watch {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = ["watch", "--json"].iter().chain(arguments).copied().collect();
        let mut child = command(&folder.at("."), &arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("castline watches");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (tell, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        let mut stderr = child.stderr.take().expect("piped");
        let talk = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { child, events, seen: Vec::new(), talk: Some(talk) }
    }

    /// Waits for the next event that is meant.
    fn until(&mut self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while let Some(left) = DEADLINE.checked_sub(began.elapsed()) {
            let Ok(event) = self.events.recv_timeout(left) else { break };
            self.seen.push(event.clone());
            if is_meant(&event) {
                return event;
            }
        }
        let _ = self.child.kill();
        let talk = self.talk.take().map(|talk| talk.join().unwrap_or_default()).unwrap_or_default();
        let last: Vec<_> = self.seen.iter().rev().take(8).rev().map(Value::to_string).collect();
        panic!("never: {what}; last seen\n{}\n{talk}", last.join("\n"));
    }

    fn event(&mut self, kind: &str) -> Value {
        self.until(kind, |event| event["type"] == kind)
    }

    /// Waits until a run has ended with everything that it should have.
    fn done(&mut self) -> Value {
        self.until("a run that succeeds", |event| {
            event["type"] == "run-ended" && event["status"] == "succeeded"
        })
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) -> Vec<Value> {
        self.signal("-INT");
        assert_eq!(self.child.wait().expect("ends").code(), Some(130));
        let rest: Vec<_> = self.events.iter().collect();
        self.seen.extend(rest);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
fn above_what_may_be_spent_a_plan_waits_and_what_is_free_runs() {
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
    use std::num::NonZero;
    use std::os::fd::OwnedFd;
    use std::sync::{Arc, Mutex};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

    use super::*;

    /// castline in a terminal, as a person has it.
    struct Terminal {
        child: Child,
        master: fs::File,
        slave: fs::File,
        screen: Arc<Mutex<vt100::Parser>>,
    }

    impl Terminal {
        fn start(folder: &Folder, arguments: &[&str]) -> Self {
            let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
            grantpt(&master).and_then(|()| unlockpt(&master)).expect("ours");
            let name = PathBuf::from(ptsname(&master, Vec::new()).expect("named").to_str().expect("UTF-8"));
            tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })
                .expect("sized");
            let slave = fs::File::options().read(true).write(true).open(name).expect("opened");
            let side = || Stdio::from(OwnedFd::from(slave.try_clone().expect("another")));
            let child = command(&folder.at("."), arguments)
                .env("TERM", "xterm")
                .stdin(side())
                .stdout(side())
                .stderr(side())
                .spawn()
                .expect("castline watches");
            let master = fs::File::from(master);
            let size = |n| NonZero::new(n).expect("a terminal has a size");
            let screen = Arc::new(Mutex::new(vt100::Parser::new(size(24), size(80), 1000)));
            let (to, mut from) = (screen.clone(), master.try_clone().expect("another"));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n) = from.read(&mut bytes) {
                    to.lock().expect("whole").process(&bytes[..n]);
                }
            });
            Self { child, master, slave, screen }
        }

        fn contents(&self) -> String {
            self.screen.lock().expect("whole").screen().contents()
        }

        fn until(&self, text: &str) {
            let began = Instant::now();
            while !self.contents().contains(text) {
                assert!(began.elapsed() < DEADLINE, "never `{text}`:\n{}", self.contents());
                std::thread::sleep(Duration::from_millis(10));
            }
        }

        fn press(&mut self, keys: &str) {
            use std::io::Write;
            self.master.write_all(keys.as_bytes()).expect("pressed");
        }

        fn is_raw(&self) -> bool {
            let modes = tcgetattr(&self.slave).expect("a terminal").local_modes;
            !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
        }

        fn ends(&mut self) -> Option<i32> {
            let code = self.child.wait().expect("ends").code();
            assert!(!self.is_raw(), "the terminal is given back");
            code
        }
    }

    #[test]
    fn enter_runs_what_waits_and_the_terminal_is_given_back() {
        let server = Server::start(&[]);
        let folder = project(&server, "");
        folder.write("flow.yaml", &workflow("boat 0"));
        let mut terminal = Terminal::start(&folder, &["watch", "flow.yaml"]);
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
            let mut terminal = Terminal::start(&folder, &["watch", "flow.yaml", "--auto-spend", "1"]);
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
