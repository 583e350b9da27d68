//! Libraries from end to end: a project that uses one, and what a hostile one cannot do.
//!
//! Fetching itself is tested in `castline-library`.

mod common;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use common::{Folder, castline};

/// A folder with a project and, beside it, a library.
struct Place {
    folder: Folder,
}

impl Deref for Place {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

const HERO: &str = "description: The house style.\nextends: flux-schnell\n\
    inputs:\n  product: { type: string }\nwith:\n  prompt: \"{{ inputs.product }}, {{ read('../style.txt') }}\"\n";
const CAMPAIGN: &str = "inputs: { product: { type: string } }\nsteps:\n  shot:\n    uses: hero-shot\n    \
    with: { product: \"{{ inputs.product }}\" }\n  large: { uses: real-esrgan, from: shot }\n\
    outputs: { image: \"{{ steps.large.image }}\" }\n";
const FLOW: &str = "steps:\n  shot: { uses: brand/hero-shot, with: { product: A green bottle } }\n  \
    all: { uses: brand/campaign, with: { product: A red bottle } }\n";
const PAINTER: &str = "model: someone/painter\ninput:\n  properties: { key: { type: string } }\n\
    output: { type: image }\nsecrets: { key: ITS_KEY }\n";

impl Place {
    fn new() -> Self {
        let place = Self { folder: Folder::new() };
        place.write("brand/library.yaml", "name: brand\nversion: 1.0.0\n");
        place.write("brand/presets/hero-shot.yaml", HERO);
        place.write("brand/workflows/campaign.yaml", CAMPAIGN);
        place.write("brand/style.txt", "on linen");
        place.write("project/castline.yaml", "# ours\nout: made # here\n");
        place.write("project/flow.yaml", FLOW);
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        castline(&self.at("project"), arguments).env_remove("CASTLINE_STORE").output().expect("castline runs")
    }

    /// Runs something that has to end with this code. Both of what it says.
    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", text[0], text[1]);
        text.concat()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// The folder of the library's files in the store.
    fn stored(&self) -> PathBuf {
        let all = fs::read_dir(self.at("project/.castline/libraries/sha256")).expect("it is there");
        let mut folders = all.map(|entry| entry.expect("readable").path());
        let first = folders.next().expect("there is one");
        assert!(folders.next().is_none(), "there is one library");
        first
    }
}

fn git(folder: &Path, words: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Anna", "-c", "user.email=anna@example.com"])
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .expect("git runs");
    assert!(status.success(), "git {words:?}");
}

#[test]
fn a_library_is_added_and_runs_offline_from_the_lock_alone() {
    let place = Place::new();
    git(&place.at("brand"), &["init", "--quiet"]);
    git(&place.at("brand"), &["add", "--all"]);
    git(&place.at("brand"), &["commit", "--quiet", "-m", "x"]);
    let address = format!("file://{}", place.at("brand").display());
    let said = place.says(0, &["library", "add", &address]);
    assert!(said.contains("`brand` offers 1 preset and 1 workflow"), "{said}");
    let text = place.read("project/castline.yaml");
    assert_eq!(text, format!("# ours\nout: made # here\nlibraries:\n  brand: {{ git: {address} }}\n"));
    assert!(place.read("project/castline.lock").contains("  brand:\n    version: 1.0.0\n"));
    fs::rename(place.at("brand"), place.at("gone")).expect("moved");
    place.says(0, &["check", "flow.yaml"]);
    place.says(0, &["run", "flow.yaml", "--offline"]);
    assert!(place.at("project/made/flow").is_dir());
    place.says(0, &["library", "lock", "--check"]);
    // Vendored, it needs no store.
    place.says(0, &["library", "vendor"]);
    fs::remove_dir_all(place.at("project/.castline")).expect("removed");
    place.says(0, &["run", "flow.yaml", "--offline"]);
    place.says(0, &["library", "lock"]);
    assert_eq!(place.json(&["library", "list", "--json"])["libraries"][0]["state"], "vendored");
    place.says(0, &["library", "remove", "brand"]);
    assert_eq!(place.read("project/castline.yaml"), "# ours\nout: made # here\n");
    assert!(!place.at("project/vendor/brand").exists());
    assert!(place.says(2, &["check", "flow.yaml"]).contains("error[unknown-preset]"));
}

#[test]
fn what_is_not_locked_or_not_here_is_said_at_its_name() {
    let place = Place::new();
    place.write("project/castline.yaml", "libraries:\n  brand: { path: ../brand }\n");
    let said = place.says(2, &["check", "flow.yaml"]);
    assert!(said.contains("error[unlocked-library]: castline.lock does not pin library `brand`"), "{said}");
    assert!(said.contains("--> castline.yaml:2:3"), "{said}");
    assert!(place.says(5, &["library", "lock", "--check"]).contains("does not pin library `brand`"));
    place.says(0, &["library", "lock"]);
    place.says(0, &["check", "flow.yaml"]);
    // An edit of the folder counts once it is locked.
    place.write("brand/style.txt", "on silk");
    place.says(0, &["check", "flow.yaml"]);
    let said = place.says(5, &["library", "lock", "--check"]);
    assert!(said.contains("the folder `../brand` of library `brand` has changed"), "{said}");
    fs::remove_dir_all(place.at("project/.castline")).expect("removed");
    let said = place.says(2, &["check", "flow.yaml"]);
    assert!(said.contains("error[unusable-library]: library `brand` is pinned and not here"), "{said}");
}

#[test]
fn one_changed_byte_in_the_store_is_refused_with_both_digests() {
    let place = Place::new();
    place.says(0, &["library", "add", "../brand"]);
    fs::write(place.stored().join("style.txt"), "on Linen").expect("written");
    for command in [["check", "flow.yaml"], ["plan", "flow.yaml"], ["run", "flow.yaml"]] {
        let said = place.says(2, &command);
        assert!(said.contains("error[unusable-library]") && said.matches("sha256:").count() >= 2, "{said}");
    }
    place.says(0, &["library", "lock"]);
    place.says(0, &["check", "flow.yaml"]);
}

#[test]
fn a_library_finds_its_own_names_and_never_the_projects() {
    let place = Place::new();
    place.write("project/presets/mine.yaml", "extends: flux-dev\ninputs: { prompt: { type: string } }\nwith: { prompt: \"{{ inputs.prompt }}\" }\n");
    // The project has a preset that the library means otherwise.
    place.write(
        "project/presets/hero-shot.yaml",
        "extends: flux-dev\ninputs: { other: { type: string } }\nwith: { prompt: \"{{ inputs.other }}\" }\n",
    );
    place.says(0, &["library", "add", "../brand"]);
    place.says(0, &["check", "flow.yaml"]);
    place.write(
        "brand/presets/thief.yaml",
        "extends: mine\ninputs: { p: { type: string } }\nwith: { prompt: \"{{ inputs.p }}\" }\n",
    );
    place.says(0, &["library", "lock"]);
    place.write("project/thief.yaml", "steps: { a: { uses: brand/thief, with: { p: x } } }\n");
    let said = place.says(2, &["check", "thief.yaml"]);
    assert!(said.contains("there is no preset `mine`"), "{said}");
    // A built-in name is nobody's.
    place.write("brand/presets/flux-dev.yaml", HERO);
    place.says(0, &["library", "lock"]);
    place.write("project/shadow.yaml", "steps: { a: { uses: brand/flux-dev, with: { product: x } } }\n");
    assert!(place.says(2, &["check", "shadow.yaml"]).contains("has the name of a built-in preset"));
}

#[test]
fn a_hostile_library_reads_nothing_and_names_no_address() {
    let place = Place::new();
    place.write("secret.txt", "geheim");
    place.write("project/secret.txt", "geheim");
    place.write(
        "brand/workflows/thief.yaml",
        "steps:\n  a: { uses: flux-schnell, with: { prompt: \"{{ read('../../secret.txt') }}\" } }\n",
    );
    place.write("brand/workflows/up.yaml", "steps:\n  a: { uses: ../../../../../flow.yaml }\n");
    place.write("brand/workflows/far.yaml", "steps:\n  a: { uses: flux-schnell, with: { prompt: \"{{ read('../../../../../secret.txt') }}\" } }\n");
    place.write(
        "brand/presets/base.yaml",
        "model: a/b\nbase_url: https://evil.example.com\ninput: { type: object }\noutput: { type: image }\n",
    );
    place.says(0, &["library", "add", "../brand"]);
    for name in ["thief", "up", "far"] {
        place.write("project/use.yaml", &format!("steps: {{ a: {{ uses: brand/{name} }} }}\n"));
        let said = place.says(2, &["check", "use.yaml"]);
        assert!(said.contains("outside of") && !said.contains("geheim"), "{name}: {said}");
    }
    place.write("project/use.yaml", "steps: { a: { uses: brand/base } }\n");
    assert!(place.says(2, &["check", "use.yaml"]).contains("a preset has no key `base_url`"));
    // Its author learns the same, by the names of the files.
    let said = place.says(2, &["library", "check", "../brand"]);
    assert!(said.contains("brand/presets/base.yaml:2:1"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_library_with_links_is_refused_entry_by_entry() {
    let place = Place::new();
    std::os::unix::fs::symlink("/etc/passwd", place.at("brand/presets/passwd.yaml")).expect("linked");
    std::os::unix::fs::symlink("..", place.at("brand/up")).expect("linked");
    let said = place.says(2, &["library", "add", "../brand"]);
    assert!(said.contains("`presets/passwd.yaml` is a link") && said.contains("`up` is a link"), "{said}");
    assert_eq!(place.read("project/castline.yaml"), "# ours\nout: made # here\n");
    assert!(!place.at("project/castline.lock").exists() && !place.at("project/.castline").exists());
}

#[test]
fn an_update_says_what_breaks_and_what_gets_dearer() {
    let place = Place::new();
    place.says(0, &["library", "add", "../brand"]);
    let before = place.read("project/castline.lock");
    place.write("brand/library.yaml", "name: brand\nversion: 2.0.0\n");
    place.write(
        "brand/presets/hero-shot.yaml",
        &HERO.replace("product", "item").replace("flux-schnell", "flux-kontext-pro"),
    );
    place.write("brand/workflows/campaign.yaml", &CAMPAIGN.replace("with: { product:", "with: { item:"));
    place.write("project/flow.yaml", FLOW);
    place.write(
        "project/campaign.yaml",
        "steps:\n  all: { uses: brand/campaign, with: { product: A red bottle } }\n",
    );
    let said = place.says(0, &["library", "update"]);
    assert!(said.contains("brand 1.0.0 -> 2.0.0"), "{said}");
    assert!(said.contains("presets/hero-shot.yaml: input `item` is new"), "{said}");
    assert!(said.contains("breaks flow.yaml:2:"), "{said}");
    assert!(said.contains("dearer campaign.yaml: step `all/shot`"), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
    assert_eq!(place.read("project/castline.lock"), before);
    place.says(0, &["library", "update", "--yes"]);
    assert!(place.read("project/castline.lock").contains("version: 2.0.0"));
    assert!(place.says(0, &["library", "update"]).contains("everything is up to date"));
}

#[test]
fn an_audit_names_models_hosts_secrets_and_prices() {
    let place = Place::new();
    place.write("brand/presets/painter.yaml", PAINTER);
    place.says(0, &["library", "add", "../brand"]);
    let audit = place.json(&["library", "audit", "--provider", "replicate", "--json"]);
    let calls = audit["libraries"][0]["calls"].as_array().expect("a list");
    let of = |from: &str| calls.iter().find(|call| call["from"] == from).unwrap_or_else(|| panic!("{from}"));
    let hero = of("brand/hero-shot");
    assert_eq!(hero["model"], "black-forest-labs/flux-schnell");
    assert_eq!(hero["host"], "api.replicate.com");
    assert_eq!((&hero["token"], &hero["secrets"]), (&json!("REPLICATE_API_TOKEN"), &json!([])));
    let asked = json!([{ "variable": "ITS_KEY", "allowed": false }]);
    assert_eq!(of("brand/painter")["secrets"], asked);
    assert!(!hero["prices"].as_array().expect("a list").is_empty());
    assert!(of("brand/campaign: large")["model"].as_str().expect("a text").contains("real-esrgan"));
}

#[test]
fn a_plan_is_not_applied_with_another_library() {
    let place = Place::new();
    place.says(0, &["library", "add", "../brand"]);
    place.says(0, &["plan", "flow.yaml", "-o", "flow.plan"]);
    let plan = place.read("project/flow.plan");
    assert!(plan.contains("presets/hero-shot.yaml") && plan.contains("libraries"), "{plan}");
    place.write("brand/style.txt", "on silk");
    place.says(0, &["library", "lock"]);
    let said = place.says(2, &["apply", "flow.plan"]);
    assert!(said.contains("`libraries.brand.digest` in castline.lock"), "{said}");
}

#[test]
fn a_library_is_packed_as_it_is_pinned() {
    let place = Place::new();
    place.says(0, &["library", "add", "../brand"]);
    let output = place.run(&["library", "pack", "../brand", "-o", "brand.tar.gz"]);
    let digest = String::from_utf8(output.stdout).expect("text");
    assert!(place.read("project/castline.lock").contains(digest.trim()), "{digest}");
    assert!(place.at("project/brand.tar.gz").is_file());
}

#[test]
fn libraries_that_nothing_pins_any_more_are_removed() {
    let place = Place::new();
    place.says(0, &["library", "add", "../brand"]);
    place.says(0, &["run", "flow.yaml"]);
    let before = place.stored();
    place.write("brand/style.txt", "on silk");
    place.says(0, &["library", "lock"]);
    let looked = place.json(&["gc", "--dry-run", "--json"]);
    assert_eq!(looked["library_files"], 4, "{looked}");
    assert!(before.is_dir(), "a dry run removes nothing");
    assert!(place.says(0, &["gc", "--yes"]).contains("4 files of libraries that castline.lock does not pin"));
    assert!(!before.exists() && place.stored().is_dir());
    place.says(0, &["run", "flow.yaml", "--offline"]);
}
