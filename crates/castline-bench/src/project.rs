//! The projects that are measured: written anew for each measurement, with nothing in the store.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Wrong;
use crate::measure::{Program, Taken};
use crate::server::Server;

/// A project in a folder of its own, which goes when it is dropped.
pub(crate) struct Project<'a> {
    folder: TempDir,
    castline: &'a Path,
}

/// Legs that know nothing of each other.
const INDEPENDENT: &str = r#"
castline: 1
inputs:
  legs: { type: integer, default: 4 }
steps:
  draw:
    uses: flux-schnell
    each: { n: "{{ range(inputs.legs) }}" }
    retry: { times: 2, on: [platform] }
    with:
      prompt: A paper boat, number {{ each.n }}.
"#;

/// Half of the legs read a leg of the other half, and one list reads them all.
const PIPED: &str = r#"
castline: 1
inputs:
  half: { type: integer, default: 4 }
steps:
  draw:
    uses: flux-schnell
    each: { n: "{{ range(inputs.half) }}" }
    with:
      prompt: A paper boat, number {{ each.n }}.
  edit:
    uses: flux-kontext-pro
    from: draw
    with:
      prompt: Fold number {{ each.n }} from newspaper.
outputs:
  boats: "{{ steps.edit.all.image }}"
"#;

/// Another four predictions of each model: enough to have learned how long they take.
const BEFORE: &str = r#"
castline: 1
steps:
  draw:
    uses: flux-schnell
    each: { n: "{{ range(4) }}" }
    with: { prompt: "A paper hat, number {{ each.n }}." }
  edit:
    uses: flux-kontext-pro
    from: draw
    with: { prompt: "Fold number {{ each.n }} from newspaper." }
"#;

/// Ten steps as people write them.
const TEN_STEPS: &str = r#"
castline: 1
description: A subject drawn, cut out, restyled, enlarged and laid out.
inputs:
  subject: { type: string, default: A paper boat floating on calm water at sunrise. }
  styles: { type: array, items: { type: string }, default: [ukiyo-e, linocut, claymation] }
vars:
  wide: "{{ inputs.subject }} Wide shot."
steps:
  draft:
    uses: flux-schnell
    with: { prompt: "{{ vars.wide }}", aspect_ratio: "1:1" }
  fine:
    uses: flux-dev
    with: { prompt: "{{ vars.wide }} Fine detail.", aspect_ratio: "1:1" }
  best:
    uses: flux-1.1-pro
    with: { prompt: "{{ vars.wide }} {{ inputs.styles | join(', ') }}" }
  cut:
    uses: background-remover
    from: fine
  styled:
    uses: flux-kontext-pro
    from: draft
    each: { style: "{{ inputs.styles }}" }
    with: { prompt: "Redo as {{ each.style }}. Keep the composition." }
  repeated:
    uses: flux-kontext-pro
    from: best
    each: { style: "{{ inputs.styles }}" }
    with: { prompt: "Redo as {{ each.style }}, with {{ inputs.subject | lower }}" }
  large:
    uses: real-esrgan
    from: styled
    with: { scale: 2 }
    save: "{{ each.style }}"
  small:
    uses: std/resize
    from: repeated
    with: { width: 256 }
  sheet:
    uses: std/contact-sheet
    from: styled.all
    with: { captions: "{{ steps.styled.all.each.style }}" }
  shown:
    uses: std/contact-sheet
    from: small.all
outputs:
  sheet: "{{ steps.sheet.image }}"
  shown: "{{ steps.shown.image }}"
  cut: "{{ steps.cut.image }}"
  pictures: "{{ steps.large.all.image }}"
"#;

impl<'a> Project<'a> {
    /// A project beside others in a folder, whose provider is at this address.
    pub(crate) fn new(castline: &'a Path, beside: &Path, base_url: &str) -> Result<Self, Wrong> {
        let folder = tempfile::Builder::new().prefix("castline-bench-").tempdir_in(beside)?;
        let project = format!(
            "castline: 1\nprovider: bench\n\
             providers:\n  bench: {{ kind: replicate, base_url: \"{base_url}\" }}\n\
             limits: {{ budget_usd: 1000000, parallel: 50 }}\n"
        );
        let files = [
            ("castline.yaml", project.as_str()),
            ("independent.yaml", INDEPENDENT),
            ("piped.yaml", PIPED),
            ("before.yaml", BEFORE),
            ("ten-steps.yaml", TEN_STEPS),
        ];
        for (name, text) in files {
            fs::write(folder.path().join(name), text.trim_start())?;
        }
        Ok(Self { folder, castline })
    }

    /// Writes a chain: each step edits the picture of the one before.
    pub(crate) fn write_chain(&self, name: &str, steps: usize) -> Result<(), Wrong> {
        let mut text = "castline: 1\nsteps:\n".to_owned();
        write!(text, "  s0:\n    uses: flux-schnell\n    with: {{ prompt: A paper boat. }}\n")?;
        for number in 1..steps {
            write!(
                text,
                "  s{number}:\n    uses: flux-kontext-pro\n    from: s{}\n    with: {{ prompt: Fold number {number}. }}\n",
                number - 1
            )?;
        }
        Ok(fs::write(self.folder.path().join(name), text)?)
    }

    /// Writes a workflow of many steps: chains of ten side by side.
    pub(crate) fn write_wide(&self, name: &str, steps: usize) -> Result<(), Wrong> {
        let mut text =
            "castline: 1\ninputs:\n  subject: { type: string, default: A paper boat. }\nsteps:\n".to_owned();
        for number in 0..steps {
            if number % 10 == 0 {
                write!(
                    text,
                    "  s{number}:\n    uses: flux-schnell\n    with: {{ prompt: \"{{{{ inputs.subject }}}} Take {number}.\" }}\n"
                )?;
            } else {
                write!(
                    text,
                    "  s{number}:\n    uses: flux-kontext-pro\n    from: s{}\n    with: {{ prompt: \"Fold {{{{ inputs.subject | lower }}}} {number} times.\" }}\n",
                    number - 1
                )?;
            }
        }
        Ok(fs::write(self.folder.path().join(name), text)?)
    }

    /// Runs castline once, to its end.
    pub(crate) fn castline(&self, arguments: &[&str]) -> Result<Taken, Wrong> {
        Program { file: self.castline, folder: self.folder.path() }.run(arguments)
    }

    /// Another comment in the workflow of independent predictions.
    pub(crate) fn comment(&self) -> Result<(), Wrong> {
        let file = self.folder.path().join("independent.yaml");
        let text = fs::read_to_string(&file)?;
        Ok(fs::write(file, format!("{text}# Another comment.\n"))?)
    }

    /// Watches a workflow of one step while it is saved again and again; answers what each save took
    /// to its first request.
    pub(crate) fn watch(&self, server: &Server, saves: usize) -> Result<Vec<Taken>, Wrong> {
        /// Nothing takes that long.
        const DEADLINE: Duration = Duration::from_mins(1);
        let file = self.folder.path().join("watched.yaml");
        let text = |n: usize| {
            format!(
                "castline: 1\nsteps:\n  boat:\n    uses: flux-schnell\n    with: {{ prompt: \"Boat {n}.\" }}\n"
            )
        };
        fs::write(&file, text(0))?;
        let mut child = Command::new(self.castline)
            .args(["watch", "watched.yaml", "--json", "--auto-spend", "1"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("a pipe")?).lines();
        let mut over = || -> Result<(), Wrong> {
            for line in lines.by_ref() {
                if line?.contains("\"type\":\"run-ended\"") {
                    return Ok(());
                }
            }
            Err("the watch ended early".into())
        };
        let mut all = Vec::new();
        let mut measure = || -> Result<(), Wrong> {
            over()?;
            for n in 1..=saves {
                let saved = Instant::now();
                fs::write(&file, text(n))?;
                let sent = loop {
                    match server.nth_create(n + 1) {
                        Some(sent) => break sent,
                        None if saved.elapsed() > DEADLINE => return Err("no request came".into()),
                        None => std::thread::sleep(Duration::from_millis(1)),
                    }
                };
                all.push(Taken { wall: sent.duration_since(saved).as_secs_f64(), cpu: 0.0, memory: None });
                over()?;
            }
            Ok(())
        };
        let measured = measure();
        let _ = child.kill();
        let _ = child.wait();
        measured.map(|()| all)
    }

    /// Makes the few predictions after which castline knows how long the models take.
    pub(crate) fn learn(&self) -> Result<(), Wrong> {
        self.castline(&["run", "before.yaml"]).map(drop)
    }

    /// The bare loop beside it, with a folder of its own for what it downloads.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Result<Taken, Wrong> {
        let own = std::env::current_exe()?;
        let all: Vec<&str> = ["bare", "--out", "bare"].into_iter().chain(arguments.iter().copied()).collect();
        Program { file: &own, folder: self.folder.path() }.run(&all)
    }
}
