//! Presets that are made: `preset new`, `preset import` and `preset refresh` from end to end.
//!
//! Each folder of `tests/import/` with an `openapi.json` is a model: its `arguments` are given to
//! `preset import`, what is printed is its `preset.yaml`, which passes `preset check` and runs on the
//! sandbox. Each file in `tests/import/broken/` is refused in the words of `expected.txt`.
//! `CASTLINE_ACCEPT=1` writes both anew, except in CI.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::server::Server;
use common::{Folder, castline};
use serde_json::{Value, json};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/import")
}

/// A project of its own, without presets.
struct Place {
    folder: Folder,
}

impl Deref for Place {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: Folder::new() };
        place.write("castline.yaml", "castline: 1\n");
        image::RgbImage::from_pixel(64, 48, image::Rgb([200, 60, 40]))
            .save(place.at("photo.png"))
            .expect("written");
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = castline(&self.at(""), arguments);
        command.env("STAND_IN_KEY", "a-key-of-some-length").env_remove("REPLICATE_API_TOKEN");
        command.env("COLUMNS", "200").output().expect("castline runs")
    }

    /// Runs something that has to end with this code. Both of what it says.
    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", text[0], text[1]);
        text.concat()
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// Every file in the folder `presets`.
    fn presets(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at("presets")) else { return Vec::new() };
        entries.map(|e| e.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Compares with a file of the repository, or writes it.
fn expect(file: &Path, found: &str) {
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == found {
        return;
    }
    if common::accepts() {
        fs::write(file, found).expect("written");
        return;
    }
    panic!("{} is not what was found:\n{found}", file.display());
}

/// A text without the month, and without where the models are.
fn stable(text: &str) -> String {
    let text = text.replace(path(&models()), "[MODELS]").replace("/..", "");
    let month = regex::Regex::new(r"as_of: \d{4}-\d\d").expect("a pattern");
    month.replace_all(&text, "as_of: [MONTH]").into_owned()
}

#[test]
fn every_model_becomes_a_preset_that_is_checked_and_runs() {
    let mut seen = 0;
    for entry in fs::read_dir(models()).expect("readable").map(|entry| entry.expect("readable").path()) {
        let Ok(arguments) = fs::read_to_string(entry.join("arguments")) else { continue };
        seen += 1;
        let place = Place::new();
        fs::copy(entry.join("openapi.json"), place.at("openapi.json")).expect("copied");
        let arguments: Vec<&str> =
            ["preset", "import", "openapi.json"].into_iter().chain(arguments.split_whitespace()).collect();
        let said = place.says(0, &arguments);
        let [file] = &place.presets()[..] else { panic!("{said}") };
        let text = place.read(&format!("presets/{file}"));
        expect(&entry.join("preset.yaml"), &stable(&text));
        let checked = place.says(0, &["preset", "check", "--format", "json"]);
        assert_eq!(
            serde_json::from_str::<Value>(&checked).expect("JSON")["diagnostics"],
            json!([]),
            "{checked}"
        );
        let name = file.trim_end_matches(".yaml");
        let shown = place.json(0, &["preset", "show", name, "--json"]);
        let example = shown["examples"][0].as_object().expect("an example");
        let sound = place.at("sound.wav");
        let inputs = example.iter().map(|(name, value)| match value.as_str() {
            Some("./sounds/example.wav") => {
                make_sound(&place, &sound);
                format!("{name}=./sound.wav")
            }
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        });
        let inputs: Vec<String> = inputs.collect();
        let call: Vec<&str> = ["predict", name]
            .into_iter()
            .chain(inputs.iter().map(String::as_str))
            .chain(["--json"])
            .collect();
        assert_eq!(place.json(0, &call)["status"], "succeeded", "{name}");
        // What is there is not written over.
        assert!(place.says(2, &arguments).contains("is there already"));
        let forced: Vec<&str> = arguments.iter().copied().chain(["--force"]).collect();
        place.says(0, &forced);
        assert_eq!(place.read(&format!("presets/{file}")), text);
        // The same schema says the same.
        place.says(0, &["preset", "refresh", name, "--from", "openapi.json"]);
    }
    assert!(seen > 3);
}

fn make_sound(place: &Place, to: &Path) {
    let made = place.json(0, &["predict", "stable-audio-2.5", "prompt=A harp.", "duration=1", "--json"]);
    let made = made["outputs"].as_object().and_then(|all| all.values().next()).expect("an output");
    fs::copy(place.at(made["path"].as_str().expect("a path")), to).expect("copied");
}

#[test]
fn what_is_no_schema_is_refused_in_words_and_nothing_is_written() {
    let folder = models().join("broken");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let mut found = String::new();
    for file in files {
        let place = Place::new();
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        fs::copy(&file, place.at(&name)).expect("copied");
        let said = place.says(2, &["preset", "import", &name, "--model", "acme/paint"]);
        let _ = writeln!(found, "--- {name}\n{}\n", said.trim_end());
        assert_eq!(place.presets(), Vec::<String>::new(), "{name}");
    }
    expect(&folder.join("expected.txt"), &stable(&found));
}

#[test]
fn what_is_not_to_be_had_says_what_to_do() {
    let place = Place::new();
    let import = |arguments: &[&str]| {
        let all: Vec<&str> = ["preset", "import"].iter().chain(arguments).copied().collect();
        place.says(2, &all)
    };
    let has = |text: String, words: &[&str]| {
        words.iter().for_each(|word| assert!(text.contains(word), "{text} has no `{word}`"));
    };
    has(import(&["openapi.json"]), &["there is no file `openapi.json`"]);
    has(import(&["a b"]), &["`a b` is no file, no URL and no model", "openapi.json"]);
    has(
        import(&["acme/paint"]),
        &["the sandbox cannot tell what `acme/paint` takes", "--provider replicate"],
    );
    has(import(&["acme/paint", "--provider", "replicate"]), &["REPLICATE_API_TOKEN"]);
    let schema = models().join("writer/openapi.json");
    let writer = path(&schema);
    has(import(&[writer]), &["does not say which model", "--model owner/name"]);
    has(import(&[writer, "--model", "x"]), &["`x` cannot be a model"]);
    has(import(&[writer, "--model", "acme/flux-dev"]), &["brings along a preset `flux-dev`", "--name"]);
    has(import(&[writer, "--model", "acme/a", "--name", "Big One"]), &["such as `big-one`"]);
    has(import(&[writer, "--model", "acme/a", "-o", "presets"]), &["has to end in `.yaml`"]);
    place.write("huge.json", &" ".repeat((16 << 20) + 1));
    has(import(&["huge.json", "--model", "acme/a"]), &["larger than 16 MiB"]);
    assert_eq!(place.presets(), Vec::<String>::new());
    // One that is printed is written nowhere.
    let printed = place.says(0, &["preset", "import", writer, "--model", "acme/a", "-o", "-"]);
    assert!(printed.contains("\nmodel: acme/a\n") && place.presets().is_empty(), "{printed}");
    place.write("presets/taken.yml", "castline: 1\nextends: flux-dev\n");
    has(import(&[writer, "--model", "acme/a", "--name", "taken"]), &["has the name `taken` already"]);
}

#[test]
fn a_secret_is_in_no_file() {
    let place = Place::new();
    let schema = models().join("writer/openapi.json");
    let said = place.says(0, &["preset", "import", path(&schema), "--model", "acme/writer"]);
    let text = place.read("presets/writer.yaml");
    assert!(!text.contains("sk-do-not-copy") && !said.contains("sk-do-not-copy"), "{text}");
}

/// Answers every request with the answers of a list, by the path.
fn stub(answers: Vec<(&'static str, u16, &'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let asked = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let none = ("", 404, JSON, "{\"detail\":\"Not found.\"}".to_owned());
            let found = answers.iter().find(|(path, ..)| *path == asked).unwrap_or(&none);
            let (_, status, header, body) = found;
            answer(&mut stream, *status, header, body);
        }
    });
    url
}

fn answer(stream: &mut TcpStream, status: u16, header: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{header}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

const JSON: &str = "content-type: application/json";

fn with_provider(place: &Place, base_url: &str) {
    place.write(
        "castline.yaml",
        &format!(
            "castline: 1\nprovider: played\nproviders:\n  played: {{ kind: replicate, base_url: \"{base_url}\", \
             token_env: STAND_IN_KEY }}\n"
        ),
    );
}

#[test]
fn a_model_is_imported_from_the_api_and_runs_there() {
    let server = Server::start(&["--token", "a-key-of-some-length"]);
    let place = Place::new();
    with_provider(&place, &server.base_url());
    place.says(0, &["preset", "import", "stability-ai/sdxl", "--name", "ours"]);
    let text = place.read("presets/ours.yaml");
    let model = text.lines().find(|line| line.starts_with("model: ")).expect("a model");
    assert!(model.starts_with("model: stability-ai/sdxl:") && model.len() > 60, "{model}");
    assert!(text.contains("output: { type: image, many: true }"), "{text}");
    place.says(0, &["preset", "check"]);
    let run = place.json(0, &["predict", "ours", "prompt=A kite.", "--allow-unpriced", "--json"]);
    assert_eq!((&run["provider"], &run["status"]), (&json!("played"), &json!("succeeded")));
    place.says(0, &["preset", "refresh"]);
    // By its version too, and not by one that there is not.
    let named = model.trim_start_matches("model: ");
    place.says(0, &["preset", "import", named, "--name", "pinned"]);
    assert!(place.read("presets/pinned.yaml").contains(&format!("\n{model}\n")));
    let unknown = place.says(2, &["preset", "import", "stability-ai/sdxl:3f0e", "--name", "gone"]);
    assert!(unknown.contains("404") && unknown.contains("stability-ai/sdxl"), "{unknown}");
}

#[test]
fn an_official_model_is_called_by_its_name_and_one_that_hides_its_schema_says_so() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(models().join("film/openapi.json")).expect("readable"))
            .expect("JSON");
    let shown = json!({ "description": "Makes films: short ones.", "is_official": true,
        "latest_version": { "id": "hidden", "openapi_schema": schema } });
    let hidden = json!({ "is_official": true, "latest_version": { "id": "hidden", "openapi_schema": null } });
    let url = stub(vec![
        ("/v1/models/acme/film", 200, JSON, shown.to_string()),
        ("/v1/models/acme/hidden", 200, JSON, hidden.to_string()),
        ("/v1/models/acme/page", 200, "content-type: text/html", "<html>Sign in</html>".to_owned()),
        ("/v1/models/acme/moved", 301, "location: https://www.example.com/login", String::new()),
    ]);
    let place = Place::new();
    with_provider(&place, &format!("{url}/v1"));
    place.says(0, &["preset", "import", "acme/film"]);
    let text = place.read("presets/film.yaml");
    assert!(text.contains("\nmodel: acme/film\n") && text.contains("\"Makes films: short ones.\""), "{text}");
    let refused = |model: &str| place.says(2, &["preset", "import", model]);
    let words = refused("acme/hidden");
    assert!(words.contains("`played` shows no schema of `acme/hidden`"), "{words}");
    assert!(words.contains("castline preset import openapi.json --model acme/hidden"), "{words}");
    assert!(refused("acme/none").contains("404"));
    assert!(refused("acme/page").contains("web page"));
    assert!(refused("acme/moved").contains("leads to https://www.example.com/login"));
    assert_eq!(place.presets(), ["film.yaml"]);
}

#[test]
fn a_server_that_is_no_cog_server_is_told_apart() {
    let schema = fs::read_to_string(models().join("film/openapi.json")).expect("readable");
    let good = stub(vec![("/openapi.json", 200, JSON, schema)]);
    let place = Place::new();
    let said = place.says(0, &["preset", "import", &format!("{good}/openapi.json"), "--name", "clip"]);
    assert!(said.contains(&format!("kind: cog, base_url: \"{good}\", models: [cog/clip]")), "{said}");
    assert!(place.read("presets/clip.yaml").contains("\nmodel: cog/clip "));
    place.says(0, &["preset", "check"]);
    let refused = |url: &str| place.says(2, &["preset", "import", url, "--name", "x"]);
    let page = stub(vec![("/openapi.json", 200, "content-type: text/html", "<html>Hello</html>".to_owned())]);
    assert!(refused(&page).contains("is no Cog server"));
    assert!(refused(&stub(Vec::new())).contains("answered 404"));
    let none = stub(vec![("/openapi.json", 503, JSON, "{}".to_owned())]);
    assert!(refused(&none).contains("has no schema"));
    let moved = stub(vec![("/openapi.json", 302, "location: https://www.example.com/", String::new())]);
    assert!(refused(&moved).contains("leads to https://www.example.com/"));
    let free = TcpListener::bind("127.0.0.1:0").expect("free").local_addr().expect("bound");
    assert!(refused(&format!("http://{free}")).contains("cannot reach"));
    assert!(refused("http://user:secret@127.0.0.1:1").contains("user name or password"));
}

#[test]
fn what_the_host_changed_is_said_with_what_it_breaks() {
    let place = Place::new();
    let schema = models().join("inpaint/openapi.json");
    place.says(0, &["preset", "import", path(&schema), "--model", "acme/paint:3f0e", "--name", "paint"]);
    let mut live: Value =
        serde_json::from_str(&fs::read_to_string(&schema).expect("readable")).expect("JSON");
    let input = &mut live["components"]["schemas"]["Input"];
    input["required"] = json!(["prompt", "style"]);
    let fields = input["properties"].as_object_mut().expect("a map");
    fields.remove("extra");
    fields.insert("style".to_owned(), json!({ "type": "string" }));
    fields.insert("tiled".to_owned(), json!({ "type": "boolean", "default": false }));
    fields["num_outputs"]["maximum"] = json!(2);
    fields["seed"] = json!({ "type": "string" });
    fields["strength"]["default"] = json!(0.5);
    live["components"]["schemas"]["scheduler"]["enum"] = json!(["DDIM", "K_EULER", "UniPC"]);
    place.write("live.json", &live.to_string());
    let refresh = ["preset", "refresh", "paint", "--from", "live.json"];
    insta::assert_snapshot!(place.says(5, &refresh), @r"
    paint  `live.json`
      breaks   presets/paint.yaml:14: input `prompt` has to be given now: requests without it are refused
      breaks   presets/paint.yaml:31: input `scheduler` does not take `PNDM` any more: some of what the preset lets pass is refused
      harmless presets/paint.yaml:31: input `scheduler` takes `UniPC` too: the preset does not offer that yet
      harmless presets/paint.yaml:36: input `strength` was `0.8` by default and is `0.5`: the same request and key, and the model may give something else
      breaks   presets/paint.yaml:42: input `num_outputs` had the `maximum` 4 and has 2: some of what the preset lets pass is refused
      breaks   presets/paint.yaml:48: input `seed` took integer and takes string: some of what the preset lets pass is refused
      breaks   presets/paint.yaml:63: input `extra` is gone: a step that gives it has it dropped or refused
      breaks   input `style` is new, and has to be given: requests without it are refused
      harmless input `tiled` is new: the preset does not offer that yet
    ");
    let json = place.json(5, &[&refresh[..], &["--json"]].concat());
    let preset = &json["presets"][0];
    assert_eq!((&preset["name"], &preset["breaks"]), (&json!("paint"), &json!(true)));
    let gone = preset["differences"].as_array().expect("a list").iter().find(|d| d["input"] == "extra");
    assert_eq!(gone.expect("there")["effect"], "gone");
    // What nobody can ask for is wrong, not different.
    let words = place.says(2, &["preset", "refresh"]);
    assert!(words.contains("not compared") && words.contains("--provider replicate"), "{words}");
    let derived = "castline: 1\nname: over\nextends: flux-dev\nwith: { prompt: A kite. }\n";
    place.write("presets/over.yaml", derived);
    assert!(place.says(2, &["preset", "refresh", "over"]).contains("it is over `flux-dev`"));
    assert!(place.says(2, &["preset", "refresh", "std/resize"]).contains("local tool"));
    assert!(place.says(2, &["preset", "refresh", "flux-shnell"]).contains("flux-schnell"));
}

#[test]
fn a_new_preset_is_right_from_the_start() {
    let bases = [
        "flux-schnell",
        "real-esrgan",
        "flux-kontext-pro",
        "speech-2.6-hd",
        "whisper",
        "nano-banana",
        "std/resize",
    ];
    let place = Place::new();
    for (number, base) in bases.iter().enumerate() {
        place.says(0, &["preset", "new", &format!("own-{number}"), "--extends", base]);
    }
    place.says(0, &["preset", "new", "first"]);
    place.says(0, &["preset", "new", "second", "--extends", "./presets/first.yaml"]);
    place.says(0, &["preset", "new", "third", "--model", "acme/paint"]);
    place.says(0, &["preset", "new", "beside", "--extends", "./presets/first.yaml", "-o", "beside.yaml"]);
    assert!(place.read("beside.yaml").contains("extends: ./presets/first.yaml"));
    let checked = place.json(0, &["preset", "check", "--format", "json"]);
    assert_eq!(checked["diagnostics"], json!([]));
    place.says(0, &["preset", "check", "beside.yaml"]);
    insta::assert_snapshot!(place.read("presets/own-2.yaml"), @r#"
    # A preset over `flux-kontext-pro`: a few inputs of its own, and those of `flux-kontext-pro` computed from them.
    # `castline preset show flux-kontext-pro` lists everything that can stand under `with`.
    castline: 1
    name: own-2
    description: What `flux-kontext-pro` does, in our way. # say which
    extends: flux-kontext-pro

    inputs: # what a step gives
      subject: { type: string, minLength: 1, description: What it shows. }
      input_image: { type: image, description: "Image to edit, or to take as a reference. Jpeg, png, gif or webp.", default: null }

    vars: # words that the templates below use
      style: flat colors, bold outlines, no text in the image

    with: # what the other preset is sent
      prompt: "{{ inputs.subject }}, {{ vars.style }}."
      input_image: "{{ inputs.input_image }}"
      aspect_ratio: match_input_image # the same in every call

    ports: # which inputs take what a step is piped with `from`
      image: input_image

    examples: # `castline preset check` tries them
      - with:
          subject: A heron at the edge of a pond
    "#);
    let run = place.json(0, &["predict", "second", "subject=A kite", "--json"]);
    assert_eq!(run["status"], "succeeded");
    let run = place.json(0, &["predict", "own-1", "image=./photo.png", "--json"]);
    assert_eq!(run["status"], "succeeded");
    let run = place.json(0, &["predict", "third", "prompt=A kite", "--json"]);
    assert_eq!(run["status"], "succeeded");
    assert!(place.says(2, &["preset", "new", "first"]).contains("is there already"));
    place.says(0, &["preset", "new", "first", "--force"]);
    assert!(place.says(2, &["preset", "new", "flux-dev"]).contains("brings along"));
    assert!(place.says(2, &["preset", "new", "x", "--extends", "flux-dve"]).contains("`flux-dev`"));
    assert!(place.says(2, &["preset", "new", "A B"]).contains("such as `a-b`"));
}
