//! Plans that are kept in files, against a provider that takes money; and edits held against
//! revisions of git that were made to be odd.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::castline;
use common::server::Server;

const TOKEN: &str = "secret-token-for-loopback";

/// A project in a folder of its own.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a folder") };
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    /// Its provider is a server on loopback.
    fn live(server: &Server, more: &str, workflow: &str) -> Self {
        let base_url = server.base_url();
        let provider = format!(
            "local: {{ kind: replicate, base_url: \"{base_url}\", token_env: LOCAL_TOKEN, list_lag: 1s }}"
        );
        let document = format!("provider: local\nproviders:\n  {provider}\n{more}");
        Self::new(&[("castline.yaml", &document), ("flow.yaml", workflow)])
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("readable")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = castline(self.path(), arguments);
        command.env("LOCAL_TOKEN", TOKEN).env("HOME", self.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// Runs castline, which must end with this code; its stdout and stderr.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let (out, err) = words(&self.command(arguments).output().expect("castline runs"), code);
        (out, err)
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(arguments);
        git.current_dir(self.path()).env("HOME", self.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        words(&git.output().expect("git runs"), 0);
    }

    fn commit(&self) {
        self.git(&["init", "-q"]);
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", "first"]);
    }

    /// What `plan --against` says of each leg: `a: kept`.
    fn changes(&self, against: &str) -> Vec<String> {
        let (out, _) = self.ends(0, &["plan", "flow.yaml", "--against", against, "--json"]);
        let edit: Value = serde_json::from_str(&out).expect("JSON");
        let legs = edit["legs"].as_array().expect("legs").iter();
        legs.map(|leg| format!("{}: {}", leg["name"].as_str().unwrap(), leg["change"].as_str().unwrap()))
            .collect()
    }
}

fn words(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// Three legs of 0.04 USD each.
const THREE: &str = "name: flow\nsteps:\n  a:\n    uses: flux-schnell\n    each: { word: [x, y, z] }\n    with: { prompt: 'a {{ each.word }}', megapixels: '0.25' }\n";
const FOUR_CENTS: &str = "prices: { flux-schnell: { usd: 0.04, per: image } }\n";

#[test]
fn a_plan_spends_its_total_once_however_often_it_is_applied() {
    let server = Server::start(&["--fault", "predict:fail=boom*1"]);
    let project = Project::live(&server, FOUR_CENTS, THREE);
    let (_, err) = project.ends(0, &["plan", "flow.yaml", "-o", "p.plan"]);
    assert!(err.contains("applying it spends 0.12 USD at most"), "{err}");
    assert_eq!(server.creates(), 0);
    project.ends(1, &["apply", "p.plan", "--parallel", "1"]);
    assert_eq!(server.creates(), 3);
    // The failed one is taken for paid, so that nothing is left for another.
    let (_, err) = project.ends(3, &["apply", "p.plan"]);
    assert!(err.contains("0.00 USD of its 0.12 USD are left"), "{err}");
    assert_eq!(server.creates(), 3);
    project.ends(0, &["plan", "flow.yaml", "-o", "q.plan"]);
    let (_, err) = project.ends(0, &["apply", "q.plan"]);
    assert!(err.contains("applying it spends 0.04 USD at most"), "{err}");
    project.ends(0, &["apply", "q.plan"]);
    assert_eq!(server.creates(), 4);
}

#[test]
fn a_killed_application_goes_on_and_creates_nothing_twice() {
    let server = Server::start(&["--latency", "300ms"]);
    let project = Project::live(&server, FOUR_CENTS, THREE);
    project.ends(0, &["plan", "flow.yaml", "-o", "p.plan"]);
    let mut first = project.command(&["apply", "p.plan", "--parallel", "1"]).spawn().expect("castline runs");
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.creates() == 0 {
        assert!(Instant::now() < deadline, "nothing was created");
        std::thread::sleep(Duration::from_millis(10));
    }
    first.kill().expect("killed");
    first.wait().expect("it is dead");
    project.ends(0, &["apply", "p.plan"]);
    let (_, err) = project.ends(0, &["apply", "p.plan"]);
    assert!(err.contains("3 reused"), "{err}");
    assert_eq!(server.creates(), 3);
}

#[test]
fn nothing_is_created_when_money_or_the_provider_moved() {
    let server = Server::start(&[]);
    let project = Project::live(&server, FOUR_CENTS, THREE);
    project.ends(0, &["plan", "flow.yaml", "-o", "p.plan"]);
    let document = project.read("castline.yaml");
    project.write("castline.yaml", &document.replace("0.04", "0.05"));
    let (_, err) = project.ends(3, &["apply", "p.plan"]);
    assert!(err.contains("the price of `a` was 0.04 USD per image and is 0.05 USD per image"), "{err}");
    project.write("castline.yaml", &document.replace("127.0.0.1", "localhost"));
    let (_, err) = project.ends(2, &["apply", "p.plan"]);
    assert!(err.contains("`base_url` of the provider `local` was"), "{err}");
    project.write("castline.yaml", &document.replace("local:", "other:").replace("provider: local", ""));
    let (_, err) = project.ends(2, &["apply", "p.plan"]);
    assert!(err.contains("there is no provider `local`"), "{err}");
    project.write("castline.yaml", &format!("{document}# Ours.\n"));
    project.ends(2, &["apply", "p.plan", "--offline"]);
    assert_eq!(server.creates(), 0);
    project.ends(0, &["apply", "p.plan"]);
    assert_eq!(server.creates(), 3);
}

#[test]
fn a_plan_holds_no_token() {
    let server = Server::start(&[]);
    let workflow =
        format!("inputs: {{ word: {{ type: string }} }}\n{}", THREE.replace("each.word", "inputs.word"));
    let project = Project::live(&server, FOUR_CENTS, &workflow);
    project.ends(0, &["plan", "flow.yaml", "-i", "word=x", "-o", "p.plan"]);
    let plan = project.read("p.plan");
    assert!(plan.contains("LOCAL_TOKEN") && !plan.contains(TOKEN), "{plan}");
    let (_, err) = project.ends(2, &["plan", "flow.yaml", "-i", &format!("word={TOKEN}"), "-o", "q.plan"]);
    assert!(err.contains("would hold the token in `LOCAL_TOKEN`"), "{err}");
    assert!(!project.path().join("q.plan").exists());
}

#[test]
fn a_price_that_is_known_later_leaves_the_usual_budget() {
    let server = Server::start(&[]);
    let later = format!(
        "{}  b:\n    uses: flux-schnell\n    with: {{ prompt: b, num_outputs: \"{{{{ 2 if steps.a.all[0].image.width > 1 else 1 }}}}\" }}\n",
        THREE.replace("[x, y, z]", "[x]")
    );
    let project = Project::live(&server, FOUR_CENTS, &later);
    let (_, err) = project.ends(0, &["plan", "flow.yaml", "-o", "p.plan"]);
    assert!(err.contains("applying it spends 5.00 USD at most, the budget of any run"), "{err}");
    let (_, err) = project.ends(0, &["plan", "flow.yaml", "-o", "p.plan", "--budget", "0.06"]);
    assert!(err.contains("applying it spends 0.06 USD at most, as `--budget` said"), "{err}");
    project.ends(3, &["apply", "p.plan"]);
    assert_eq!(server.creates(), 1, "two more pictures do not fit");
    let (_, err) = project.ends(3, &["plan", "flow.yaml", "-o", "q.plan", "--budget", "0.01"]);
    assert!(err.contains("and its budget is 0.01 USD"), "{err}");
}

#[test]
fn what_has_no_price_is_in_no_plan_unless_it_is_allowed() {
    let server = Server::start(&[]);
    let raw = "name: flow\nsteps: { a: { uses: 'model:acme/raw', with: { prompt: a } } }\n";
    let project = Project::live(&server, "", raw);
    let (_, err) = project.ends(3, &["plan", "flow.yaml", "-o", "p.plan"]);
    assert!(err.contains("the price of `a` is not known"), "{err}");
    assert!(!project.path().join("p.plan").exists());
    project.ends(0, &["plan", "flow.yaml", "-o", "p.plan", "--allow-unpriced=a"]);
    assert_eq!(server.creates(), 0);
}

const ONE: &str =
    "name: flow\nsteps: { a: { uses: flux-schnell, with: { prompt: \"{{ read('./words.txt') }}\" } } }\n";

#[test]
fn a_revision_is_read_without_filters_and_leaves_the_index_alone() {
    let project = Project::new(&[("flow.yaml", ONE), ("words.txt", "a boat")]);
    project.commit();
    let ran = project.path().join("ran");
    let command = format!("sh -c 'touch {}; cat'", ran.display());
    project.write(".gitattributes", "*.txt filter=odd\n");
    for (key, value) in [
        ("filter.odd.smudge", &*command),
        ("filter.odd.clean", &command),
        ("filter.odd.process", &command),
        ("core.fsmonitor", &command),
    ] {
        project.git(&["config", key, value]);
    }
    project.write("words.txt", "a ship");
    let _ = fs::remove_file(&ran);
    let index = fs::read(project.path().join(".git/index")).expect("readable");
    assert_eq!(project.changes("HEAD"), ["a: changed"]);
    assert!(!ran.exists(), "something of the repository ran");
    assert_eq!(fs::read(project.path().join(".git/index")).expect("readable"), index);
    assert_eq!(project.read("words.txt"), "a ship");
}

#[test]
fn the_project_is_taken_as_it_was_too() {
    let preset = |words: &str| {
        format!(
            "name: ours\nextends: flux-schnell\ninputs: {{ word: {{ type: string }} }}\nwith: {{ prompt: \"{words} {{{{ inputs.word }}}}\" }}\n"
        )
    };
    let flow = "name: flow\nsteps: { a: { uses: ours, with: { word: boat } }, b: { uses: flux-schnell, with: { prompt: b } } }\n";
    let project =
        Project::new(&[("flow.yaml", flow), ("presets/ours.yaml", &preset("A")), ("castline.yaml", "")]);
    project.commit();
    project.write("presets/ours.yaml", &preset("The"));
    assert_eq!(project.changes("HEAD"), ["a: changed", "b: kept"]);
    fs::remove_file(project.path().join("castline.yaml")).expect("removed");
    assert_eq!(project.changes("HEAD"), ["a: changed", "b: kept"]);
    // A variable of git's, as it is set inside of a hook, leads nowhere else.
    let mut inside = project.command(&["plan", "flow.yaml", "--against", "HEAD"]);
    words(&inside.env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/nowhere/index").output().unwrap(), 0);
}

#[test]
fn what_git_cannot_tell_is_said() {
    let project = Project::new(&[("flow.yaml", ONE), ("words.txt", "a boat")]);
    let says = |against: &str, what: &str| {
        let (_, err) = project.ends(2, &["plan", "flow.yaml", &format!("--against={against}")]);
        assert!(err.contains(what) && err.contains("hint"), "{err}");
    };
    says("HEAD", "is in no git repository");
    project.git(&["init", "-q"]);
    says("HEAD", "`HEAD` is neither a file nor a revision of git");
    project.git(&["add", "words.txt"]);
    project.git(&["commit", "-q", "-m", "first"]);
    says("HEAD", "`flow.yaml` is not in the revision `HEAD`");
    says("--upload-pack=x", "is neither a file nor a revision");
    says("other.yaml", "there is no file `other.yaml`");
    let mut alone = project.command(&["plan", "flow.yaml", "--against", "HEAD"]);
    let (_, err) = words(&alone.env("PATH", project.path()).output().unwrap(), 2);
    assert!(err.contains("`git` is not there"), "{err}");
    project.write("flow.yaml", &ONE.replace("flux-schnell", "flux-shnell"));
    project.git(&["add", "flow.yaml"]);
    project.git(&["commit", "-q", "-m", "broken"]);
    project.write("flow.yaml", ONE);
    says("HEAD", "HEAD:flow.yaml:2");
}

#[cfg(unix)]
#[test]
fn links_of_a_revision_are_followed_inside_of_it() {
    let project = Project::new(&[("flow.yaml", ONE), ("texts/words.txt", "a boat")]);
    std::os::unix::fs::symlink("texts/words.txt", project.path().join("words.txt")).expect("linked");
    project.commit();
    assert_eq!(project.changes("HEAD"), ["a: kept"]);
    project.git(&["rm", "-q", "words.txt"]);
    std::os::unix::fs::symlink("/etc/hostname", project.path().join("words.txt")).expect("linked");
    project.git(&["add", "words.txt"]);
    project.git(&["commit", "-q", "-m", "out"]);
    fs::remove_file(project.path().join("words.txt")).expect("removed");
    project.write("words.txt", "a ship");
    let (_, err) = project.ends(2, &["plan", "flow.yaml", "--against", "HEAD"]);
    assert!(err.contains("`HEAD:words.txt`, which does not exist"), "{err}");
}

#[test]
fn what_git_lfs_keeps_is_found_on_this_machine() {
    let digest = castline_core::Digest::of(b"a boat");
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid {digest}\nsize 6\n");
    let project = Project::new(&[("flow.yaml", ONE), ("words.txt", &pointer)]);
    project.commit();
    project.write("words.txt", "a boat");
    assert_eq!(project.changes("HEAD"), ["a: kept"]);
    let hex = digest.hex();
    project.write(&format!(".git/lfs/objects/{}/{}/{hex}", &hex[..2], &hex[2..4]), "a boat");
    project.write("words.txt", "a ship");
    let (out, _) = project.ends(0, &["plan", "flow.yaml", "--against", "HEAD"]);
    assert!(out.contains("- a boat") && out.contains("+ a ship"), "{out}");
}
