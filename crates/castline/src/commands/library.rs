//! `castline library`: presets and workflows that others share.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;

use castline_runner::library::{self, Audit, Given, Listed, Locked, Preview, State};
use castline_runner::{Project, Trouble, Wishes, shown};
use serde_json::{Value as Json, json};

use super::{project_here, show, small_runtime, workflow_file};
use crate::cli::{self, Library};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::{bill_text, counted};
use crate::screen::{self, BOLD, DIM, printable};

/// Does what the flags say.
pub(crate) fn library(flags: &Library) -> Result<Exit, Trouble> {
    match flags {
        Library::Check { folder, format } => return check(folder, *format),
        Library::Pack { folder, output } => pack(folder, output.as_deref())?,
        Library::Push { place, folder } => push(place, folder)?,
        Library::Add(flags) => add(&project_here()?, flags)?,
        Library::Remove { name } => remove(&project_here()?, name)?,
        Library::Update(flags) => update(&project_here()?, flags)?,
        Library::List { json } => list(&project_here()?, *json)?,
        Library::Lock { check: true } => return lock_check(&project_here()?),
        Library::Lock { check: false } => lock(&project_here()?)?,
        Library::Vendor => vendor(&project_here()?)?,
        Library::Audit { name, provider, json } => {
            audit(&project_here()?, name.as_deref(), provider.as_deref(), *json)?;
        }
    }
    Ok(Exit::Done)
}

fn add(project: &Project, flags: &cli::library::Add) -> Result<(), Trouble> {
    let given = Given { place: flags.place.clone(), rev: flags.rev.clone(), folder: flags.folder.clone() };
    let (name, locked) = small_runtime()?.block_on(library::add(project, &given))?;
    say_changes(&locked);
    // A project that had no file has one now.
    let (project, _) = Project::near(&project.root);
    let own = library::list(&project)?.into_iter().find(|library| library.name == name);
    let Some(own) = own else { return Ok(()) };
    let (presets, workflows) =
        (counted(own.presets.len(), "preset"), counted(own.workflows.len(), "workflow"));
    let first = own.presets.first().or(own.workflows.first());
    let first = first.map_or_else(String::new, |first| format!("; a step calls one with `uses: {first}`"));
    screen::say(&printable(&format!("`{name}` offers {presets} and {workflows}{first}")));
    Ok(())
}

fn remove(project: &Project, name: &str) -> Result<(), Trouble> {
    let locked = library::remove(project, name)?;
    say_changes(&locked);
    Ok(())
}

fn lock(project: &Project) -> Result<(), Trouble> {
    let locked = small_runtime()?.block_on(library::lock(project))?;
    if locked.is_changed() {
        say_changes(&locked);
        return Ok(());
    }
    let names: Vec<_> = locked.now.keys().map(|name| format!("`{name}`")).collect();
    let names = if names.is_empty() { "no libraries".to_owned() } else { names.join(", ") };
    screen::say(&printable(&format!("castline.lock is as it has to be, and all of it is here: {names}")));
    Ok(())
}

fn lock_check(project: &Project) -> Result<Exit, Trouble> {
    let why = library::stale(project)?;
    if why.is_empty() {
        screen::say("castline.lock is as it has to be");
        return Ok(Exit::Done);
    }
    why.iter().for_each(|why| screen::say(&printable(why)));
    screen::complain("castline.lock is not what it has to be", Some("`castline library lock` writes it"));
    Ok(Exit::Found)
}

/// One line for each library that is pinned anew, or not any more.
fn say_changes(locked: &Locked) {
    for (name, pin) in &locked.now {
        let exact = pin.exact().unwrap_or(&pin.digest);
        match locked.before.get(name) {
            None => screen::say(&printable(&format!("pinned `{name}` {} at {exact}", pin.version))),
            Some(before) if before != pin => {
                let line = format!("pinned `{name}` {} at {exact}, was {}", pin.version, before.version);
                screen::say(&printable(&line));
            }
            Some(_) => {}
        }
    }
    let gone = locked.before.keys().filter(|name| !locked.now.contains_key(*name));
    gone.for_each(|name| screen::say(&printable(&format!("`{name}` is not pinned any more"))));
}

fn vendor(project: &Project) -> Result<(), Trouble> {
    let library::Vendored { there, gone } = library::vendor(project)?;
    for (name, folder) in there {
        screen::say(&printable(&format!("`{name}` is in {}", shown(&folder))));
    }
    gone.iter().for_each(|name| screen::say(&printable(&format!("`{name}` was taken out"))));
    Ok(())
}

fn list(project: &Project, as_json: bool) -> Result<(), Trouble> {
    let all = library::list(project)?;
    if as_json {
        let all: Vec<_> = all.iter().map(listed).collect();
        return print(&json!({ "schema_version": SCHEMA_VERSION, "libraries": all }));
    }
    if all.is_empty() {
        screen::say("the project has no libraries; `castline library add PLACE` names one");
    }
    let text = all.iter().fold(String::new(), |mut text, library| {
        let version = library.pin.as_ref().map_or("", |pin| pin.version.as_str());
        let by = if library.direct { "" } else { ", needed by another library" };
        let head = format!("{} {version}", library.name);
        let facts = format!("{}, {}{by}", library.place, library.state.as_str());
        let _ =
            writeln!(text, "{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}", printable(head.trim_end()), printable(&facts));
        if let State::Unusable(why) = &library.state {
            let _ = writeln!(text, "  {}", printable(why));
        }
        for name in library.presets.iter().chain(&library.workflows) {
            let _ = writeln!(text, "  {}", printable(name));
        }
        text
    });
    screen::tell(&text)
}

fn listed(library: &Listed) -> Json {
    let pin = library.pin.as_ref();
    let why = match &library.state {
        State::Unusable(why) => Some(why),
        _ => None,
    };
    json!({
        "name": library.name,
        "place": library.place,
        "direct": library.direct,
        "state": library.state.as_str(),
        "why": why,
        "version": pin.map(|pin| &pin.version),
        "commit": pin.and_then(|pin| pin.commit.as_ref()),
        "manifest": pin.and_then(|pin| pin.manifest.as_ref()),
        "digest": pin.map(|pin| &pin.digest),
        "presets": library.presets,
        "workflows": library.workflows,
    })
}

fn update(project: &Project, flags: &cli::library::Update) -> Result<(), Trouble> {
    let workflows = workflow_file::workflows(&project.root)?;
    let preview = small_runtime()?.block_on(library::preview(project, &flags.names, &workflows))?;
    if flags.json {
        print(&previewed(&preview, flags.yes))?;
    } else {
        screen::tell(&changes(&preview))?;
    }
    if !preview.locked.is_changed() {
        return Ok(());
    }
    let asks = !flags.yes && !flags.json && std::io::stdin().is_terminal() && screen::is_terminal();
    let agreed = flags.yes || (asks && screen::confirm("Pin that?").unwrap_or(false));
    match agreed {
        true => {
            library::apply(project, &preview)?;
            say_changes(&preview.locked);
        }
        false => screen::say("nothing was written; `--yes` pins it"),
    }
    Ok(())
}

/// What an update changes, as people read it.
fn changes(preview: &Preview) -> String {
    if !preview.locked.is_changed() {
        return "everything is up to date\n".to_owned();
    }
    let mut text = String::new();
    for library in &preview.libraries {
        let none = || "none".to_owned();
        let before = library.before.clone().unwrap_or_else(none);
        let now = library.now.clone().unwrap_or_else(none);
        let head = format!("{} {before} -> {now}", library.name);
        let _ = writeln!(text, "{BOLD}{}{BOLD:#}", printable(&head));
        for document in &library.documents {
            let _ = writeln!(text, "  {}", printable(document));
        }
    }
    for broken in &preview.breaks {
        let line = format!("breaks {}:{}: {}", broken.file, broken.line, broken.message);
        let _ = writeln!(text, "{}", printable(&line));
    }
    for price in &preview.prices {
        let word = if price.is_dearer() { "dearer" } else { "cheaper" };
        let (before, now) = (bill_text(price.before), bill_text(price.now));
        let line = format!("{word} {}: step `{}`: {before} -> {now}", price.file, price.step);
        let _ = writeln!(text, "{}", printable(&line));
    }
    text
}

fn previewed(preview: &Preview, written: bool) -> Json {
    let libraries = preview.libraries.iter().map(|library| {
        json!({
            "name": library.name,
            "before": library.before,
            "now": library.now,
            "documents": library.documents,
        })
    });
    let breaks = preview
        .breaks
        .iter()
        .map(|broken| json!({ "file": broken.file, "line": broken.line, "message": broken.message }));
    let prices = preview.prices.iter().map(|price| {
        json!({
            "file": price.file,
            "step": price.step,
            "before_usd": price.before.max.usd(),
            "now_usd": price.now.max.usd(),
            "dearer": price.is_dearer(),
        })
    });
    json!({
        "schema_version": SCHEMA_VERSION,
        "changed": preview.locked.is_changed(),
        "written": written && preview.locked.is_changed(),
        "libraries": libraries.collect::<Vec<_>>(),
        "breaks": breaks.collect::<Vec<_>>(),
        "prices": prices.collect::<Vec<_>>(),
    })
}

fn audit(
    project: &Project,
    name: Option<&str>,
    provider: Option<&str>,
    as_json: bool,
) -> Result<(), Trouble> {
    let wishes = Wishes { provider: provider.map(str::to_owned), ..Wishes::default() };
    let audits = library::audit(project, name, &wishes)?;
    for audit in &audits {
        show(&audit.found);
    }
    if as_json {
        let audits: Vec<_> = audits.iter().map(audited).collect();
        return print(&json!({ "schema_version": SCHEMA_VERSION, "libraries": audits }));
    }
    let text = audits.iter().fold(String::new(), |mut text, audit| {
        let from = audit.fetched_from.as_deref().unwrap_or("this machine");
        let head = printable(&audit.library.name);
        let _ = writeln!(text, "{BOLD}{head}{BOLD:#}  {DIM}fetched from {}{DIM:#}", printable(from));
        for call in &audit.calls {
            let reached = match &call.provider {
                None => "nobody serves it".to_owned(),
                Some((name, None)) => format!("{name}, on this machine"),
                Some((name, Some(host))) => format!("{name} at {host}"),
            };
            let token = call.token.as_ref().map_or_else(String::new, |token| format!(" with {token}"));
            let secrets = call.secrets.iter().map(|(variable, allowed)| match allowed {
                true => format!(", takes {variable}"),
                false => format!(", asks for {variable}, which it does not get"),
            });
            let secrets: String = secrets.collect();
            let price =
                if call.prices.is_empty() { "no known price".to_owned() } else { call.prices.join(" or ") };
            let line = format!("{}  {}, {reached}{token}{secrets}, {price}", call.from, call.model);
            let _ = writeln!(text, "  {}", printable(&line));
        }
        text
    });
    screen::tell(&text)
}

fn audited(audit: &Audit) -> Json {
    let calls = audit.calls.iter().map(|call| {
        json!({
            "from": call.from,
            "model": call.model,
            "provider": call.provider.as_ref().map(|(name, _)| name),
            "host": call.provider.as_ref().and_then(|(_, host)| host.as_ref()),
            "token": call.token,
            "secrets": call.secrets.iter().map(|(variable, allowed)| json!({ "variable": variable, "allowed": allowed })).collect::<Vec<_>>(),
            "prices": call.prices,
        })
    });
    json!({
        "name": audit.library.name,
        "fetched_from": audit.fetched_from,
        "calls": calls.collect::<Vec<_>>(),
    })
}

fn check(folder: &Path, format: cli::Format) -> Result<Exit, Trouble> {
    let checked = small_runtime()?.block_on(library::check(folder))?;
    let what =
        format!("{} and {}", counted(checked.presets, "preset"), counted(checked.workflows, "workflow"));
    super::check::report(&checked.found, format, &what, None, None)
}

fn pack(folder: &Path, to: Option<&Path>) -> Result<(), Trouble> {
    let packed = small_runtime()?.block_on(library::pack(folder, to))?;
    let files = counted(packed.files, "file");
    screen::say(&printable(&format!(
        "`{}` {}: {files}, {} bytes in {}",
        packed.name,
        packed.version,
        packed.bytes,
        shown(&packed.file)
    )));
    screen::data(&format!("{}\n", packed.digest))
}

fn push(place: &str, folder: &Path) -> Result<(), Trouble> {
    let (library, place) = small_runtime()?.block_on(library::push(folder, place))?;
    screen::say(&printable(&format!("`{}` {} is there", *library.name, *library.version)));
    screen::data(&format!("{place}\n"))
}
