//! `castline doctor`: every setting with its source, and whether castline can work here.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use castline_runner::doctor::{self, Finding, Health, ProviderFinding};
use castline_runner::{Project, Trouble, presets, shown};
use serde_json::json;

use super::{project_here, runtime};
use crate::cli::{Common, Doctor};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::counted;
use crate::screen::{self, BAD, BOLD, DIM, GOOD, HINT, WARN, pad, printable};
use crate::settings::{self, Flags, Held};

/// What the second process answers: the lock is held.
const HELD: u8 = 0;
/// The lock is free.
const FREE: u8 = 1;

/// Looks at flags, environment, project and machine, and asks the providers that can be used.
pub(crate) fn doctor(flags: &Doctor, common: &Common) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let environment = |variable: &str| std::env::var(variable).ok();
    let given = Flags { overrides: &flags.overrides, common };
    let held = settings::held(&given, &environment, &project);
    let wishes = castline_runner::Wishes { provider: flags.overrides.provider.clone(), ..Default::default() };
    let runtime = runtime()?;
    let seen = Seen {
        providers: runtime.block_on(doctor::providers(&project, &wishes, flags.offline)),
        machine: doctor::machine(&project, ask_another_process),
    };
    runtime.shutdown_background();
    match flags.json {
        true => print(&as_json(&project, &held, &seen))?,
        false => screen::tell(&draw(&project, &held, &seen))?,
    }
    Ok(if seen.worst() == Health::Problem { Exit::Found } else { Exit::Done })
}

/// Everything that was looked at.
struct Seen {
    providers: Vec<ProviderFinding>,
    machine: Vec<Finding>,
}

impl Seen {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.providers.iter().map(|p| &p.found).chain(&self.machine)
    }

    fn worst(&self) -> Health {
        self.findings().map(|f| f.health).max().unwrap_or(Health::Good)
    }
}

/// Starts castline once more, which looks at the file as any other process would.
fn ask_another_process(file: &Path) -> io::Result<bool> {
    let status = Command::new(std::env::current_exe()?)
        .arg("lock-probe")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match status.code() {
        Some(code) if code == i32::from(HELD) => Ok(true),
        Some(code) if code == i32::from(FREE) => Ok(false),
        _ => Err(io::Error::other(format!("the second process ended with {status}"))),
    }
}

/// What that process does: its exit code is the answer.
pub(crate) fn lock_probe(file: &Path) -> Result<Exit, Trouble> {
    match doctor::sees_lock(file) {
        Ok(true) => Ok(Exit::Done),
        Ok(false) => Ok(Exit::StepFailed),
        Err(e) => Err(Trouble::Usage { message: format!("`{}`: {e}", file.display()), hint: None }),
    }
}

fn as_json(project: &Project, held: &[Held], seen: &Seen) -> serde_json::Value {
    let settings: Vec<_> = held
        .iter()
        .map(|h| json!({ "setting": h.name, "value": h.value, "origin": h.origin.to_string() }))
        .collect();
    let providers: Vec<_> = seen
        .providers
        .iter()
        .map(|p| {
            json!({
                "name": p.name,
                "kind": p.kind,
                "chosen": p.chosen,
                "base_url": p.base_url,
                "token": p.token.as_ref().map(|t| json!({
                    "variable": t.variable, "set": t.set, "trusted": t.trusted,
                })),
                "health": word(p.found.health),
                "message": p.found.message,
                "hint": p.found.hint,
                "latency_seconds": p.pong.as_ref().map(|pong| pong.took.as_secs_f64()),
                "clock_offset_seconds": p.pong.as_ref().and_then(|pong| pong.clock).map(|c| c.as_secs()),
                "about": p.pong.as_ref().map(|pong| &pong.about),
            })
        })
        .collect();
    let checks: Vec<_> = seen
        .machine
        .iter()
        .map(|f| json!({ "check": f.about, "health": word(f.health), "message": f.message, "hint": f.hint }))
        .collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "project": project.root,
        "store": project.store(),
        "health": word(seen.worst().max(Health::Good)),
        "settings": settings,
        "providers": providers,
        "checks": checks,
    })
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Unneeded => "unneeded",
        Health::Good => "good",
        Health::Warning => "warning",
        Health::Problem => "problem",
    }
}

fn draw(project: &Project, held: &[Held], seen: &Seen) -> String {
    let (presets, _) = presets::all(project);
    let file = if project.document.is_some() { "" } else { " (without castline.yaml)" };
    let facts = [
        ("castline", env!("CARGO_PKG_VERSION").to_owned()),
        ("project", format!("{}{file}", project.root.display())),
        ("store", shown(&project.store())),
        ("presets", counted(presets.len(), "preset")),
    ];
    let facts = facts.map(|(name, value)| format!("{DIM}{}{DIM:#}  {}\n", pad(name, 8), printable(&value)));
    let checks = checks(seen);
    format!("{}\n{}\n{checks}\n{}", facts.concat(), table(held), verdict(seen))
}

fn checks(seen: &Seen) -> String {
    let width = seen.findings().map(|f| screen::columns(&f.about)).max().unwrap_or(0);
    let providers: String = seen
        .providers
        .iter()
        .map(|p| line(&p.found, width, if p.chosen { " (chosen)" } else { "" }, place(p).as_deref()))
        .collect();
    let machine: String = seen.machine.iter().map(|f| line(f, width, "", None)).collect();
    format!("{BOLD}providers{BOLD:#}\n{providers}\n{BOLD}this machine{BOLD:#}\n{machine}")
}

/// `https://api.replicate.com/v1 with REPLICATE_API_TOKEN: set, trusted`
fn place(p: &ProviderFinding) -> Option<String> {
    let base_url = p.base_url.as_ref()?;
    let token = match &p.token {
        None => "without a token".to_owned(),
        Some(t) => format!(
            "with {}: {}, {}",
            t.variable,
            if t.set { "set" } else { "not set" },
            if t.trusted { "trusted" } else { "not trusted" }
        ),
    };
    Some(format!("{base_url} {token}"))
}

fn line(found: &Finding, width: usize, note: &str, place: Option<&str>) -> String {
    let (sign, style) = match found.health {
        Health::Unneeded => ("-", DIM),
        Health::Good => ("ok", GOOD),
        Health::Warning => ("warning", WARN),
        Health::Problem => ("problem", BAD),
    };
    let about = pad(&printable(&found.about), width);
    let head = format!("{style}{}{style:#}  {about}  {}{note}\n", pad(sign, 7), printable(&found.message));
    let indent = " ".repeat(7 + 2 + width + 2);
    let place = place.map(|place| format!("{indent}{DIM}{}{DIM:#}\n", printable(place)));
    let hint = found.hint.as_ref().map(|hint| format!("{indent}= {HINT}hint{HINT:#}: {}\n", printable(hint)));
    format!("{head}{}{}", place.unwrap_or_default(), hint.unwrap_or_default())
}

fn verdict(seen: &Seen) -> String {
    let count = |health| seen.findings().filter(|f| f.health == health).count();
    let (problems, warnings) = (count(Health::Problem), count(Health::Warning));
    match (problems, warnings) {
        (0, 0) => format!("{GOOD}everything is fine{GOOD:#}\n"),
        (0, n) => format!("{WARN}{}{WARN:#}\n", counted(n, "warning")),
        (n, _) => format!("{BAD}{}{BAD:#}\n", counted(n, "problem")),
    }
}

fn table(held: &[Held]) -> String {
    let rows: Vec<[String; 3]> = held
        .iter()
        .map(|h| [printable(&h.name), printable(&h.value), printable(&h.origin.to_string())])
        .collect();
    let width = |column: usize| rows.iter().map(|row| screen::columns(&row[column])).max().unwrap_or(0);
    let (names, values) = (width(0).max(7), width(1).max(5));
    let head = format!("{BOLD}{}  {}  from{BOLD:#}\n", pad("setting", names), pad("value", values));
    let lines = rows.iter().map(|[name, value, origin]| {
        format!("{}  {}  {DIM}{origin}{DIM:#}\n", pad(name, names), pad(value, values))
    });
    std::iter::once(head).chain(lines).collect()
}
