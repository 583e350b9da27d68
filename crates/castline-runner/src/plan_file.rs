//! Plans in files: `castline plan -o` writes one, `castline apply` reads it, plans anew, and
//! goes on only when nothing has moved.
//!
//! Start reading at [`freeze`], then [`thaw`].

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use castline_core::bill::Bill;
use castline_core::files::FileContent;
use castline_core::forecast::Forecast;
use castline_core::frozen::{BadPlan, Budget, BudgetFrom, Chosen, Frozen, Moved, SCHEMA_VERSION, Usd};
use castline_core::{Digest, plain};
use castline_spec::outside::is_pattern;
use castline_store::user_file;

use crate::files::is_inside;
use crate::job::{Basis, Job, bills};
use crate::lock::Lock;
use crate::project::{Project, absolute, clean, parent, shown};
use crate::providers;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

/// So many things that moved are named.
const MOST: usize = 20;

/// A plan for a file at that place. It is there when every leg can run, every version of a model
/// is known, and its budget has room for what certainly runs.
pub fn freeze(job: &Job, to: &Path) -> Result<Frozen, Trouble> {
    let Some(forecast) = &job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics.clone())) };
    if forecast.found.has_errors() {
        return Err(Trouble::Diagnostics(forecast.found.clone()));
    }
    if let Some((model, provider)) = forecast.plan.unpinned().first() {
        return Err(Trouble::usage(
            format!("`{}` runs by a version that `{provider}` has not been asked for yet", model.path()),
            "leave `--offline` out once, so that it is pinned in castline.lock",
        ));
    }
    job.check_priced(forecast)?;
    let plan = frozen(job, forecast, seen_from(&parent(&absolute(to)), &job.project.root))?;
    let (budget, needed) = (plan.budget.map(|budget| budget.usd.0), job.live_cost().min);
    if let Some(budget) = budget.filter(|budget| *budget < needed) {
        return Err(Trouble::Refused {
            message: format!("this plan costs at least {needed}, and its budget is {budget}"),
            hint: Some(format!("raise it with `--budget {}`", needed.usd())),
        });
    }
    let text = plan.to_text();
    match providers::tokens(&job.project).iter().find(|(_, token)| text.contains(token.as_str())) {
        None => Ok(plan),
        Some((variable, _)) => Err(Trouble::usage(
            format!("the plan would hold the token in `{variable}`"),
            "take it out of the inputs: castline sends a token to its provider by itself",
        )),
    }
}

/// Writes a plan: the whole file or nothing.
pub fn write(plan: &Frozen, to: &Path) -> Result<(), Trouble> {
    let failed = |e: &dyn std::fmt::Display| {
        let message = format!("the plan cannot be written to `{}`: {e}", to.display());
        Trouble::usage(message, "give a file in a folder that exists with `-o`")
    };
    let folder = parent(&absolute(to));
    if to.is_dir() {
        return Err(failed(&"it is a folder"));
    }
    if !folder.is_dir() {
        return Err(failed(&format!("there is no folder `{}`", shown(&folder))));
    }
    let mut new = tempfile::Builder::new();
    // It is as much for others as the project is.
    #[cfg(unix)]
    new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = new.tempfile_in(&folder).map_err(|e| failed(&e))?;
    file.write_all(plan.to_text().as_bytes()).map_err(|e| failed(&e))?;
    file.persist(to).map_err(|e| failed(&e.error))?;
    Ok(())
}

/// Reads a plan that [`write()`] wrote.
pub fn read(from: &Path) -> Result<Frozen, Trouble> {
    let name = shown(from);
    let wrong = |why: &str, hint: &str| Trouble::usage(format!("`{name}` {why}"), hint);
    if from.is_dir() {
        return Err(wrong("is a folder", "name the file that `castline plan -o` wrote"));
    }
    let bytes = std::fs::read(from).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => wrong("does not exist", "`castline plan FILE -o PLAN` writes one"),
        _ => wrong(&format!("cannot be read: {e}"), "name the file that `castline plan -o` wrote"),
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong("is no plan: it is not text", "`castline plan FILE -o PLAN` writes one"))?;
    Frozen::parse(&text).map_err(|bad| {
        let hint = match &bad {
            BadPlan::NoPlan => "`castline plan FILE -o PLAN` writes one, `plan --json` does not",
            BadPlan::CutOff => "get the whole file, or make a new plan with `castline plan -o`",
            BadPlan::Edited => "make a new plan with `castline plan -o` and the flags that you want",
            BadPlan::Newer(_) => {
                "a newer castline wrote it: update castline, or make a new plan with `castline plan -o`"
            }
            BadPlan::Shape { .. } => {
                "apply it with the castline that made it, or make a new plan with `castline plan -o`"
            }
        };
        wrong(&bad.to_string(), hint)
    })
}

/// Plans anew what a file says, and refuses when anything is not as it was. `flags` say how it
/// is run, never what.
pub async fn thaw(from: &Path, flags: &Wishes) -> Result<(Job, Frozen), Trouble> {
    let plan = read(from)?;
    let file = workflow_of(&plan, from)?;
    // Its text would be told in findings.
    if !plan.documents.contains_key(&plan.file) {
        return Err(strange(&plan.file));
    }
    let wishes = Wishes {
        provider: Some(plan.provider.clone()),
        budget: plan.budget.map(|budget| budget.usd.0),
        allow_unpriced: plan.choices.allow_unpriced.clone(),
        only: plan.choices.only.clone(),
        until: plan.choices.until.clone(),
        reroll: plan.choices.reroll.clone(),
        ..flags.clone()
    };
    let basis = Basis {
        given: Some(&plan.given),
        files: Some(&plan.files),
        draws: Some(&plan.run),
        ..Basis::default()
    };
    let again = Job::plan_again(&basis, &file, &wishes).await;
    let moved = match &again {
        Ok(Job { forecast: Some(forecast), .. }) if !forecast.found.has_errors() => {
            let job = again.as_ref().expect("it was just looked at");
            plan.moved(&frozen(job, forecast, plan.project.clone())?)
        }
        // It cannot even be planned; that is because of what moved, if something did.
        _ => moved_on_disk(&plan, &file),
    };
    if !moved.is_empty() {
        return Err(refused(from, &file, &moved));
    }
    let mut job = again?;
    if job.forecast.is_none() {
        return Err(Trouble::Diagnostics(job.diagnostics));
    }
    job.account = Some(plan.run.clone());
    Ok((job, plan))
}

/// What a plan says of a job.
fn frozen(job: &Job, forecast: &Forecast, project: String) -> Result<Frozen, Trouble> {
    let plan = &forecast.plan;
    let root = &job.project.root;
    let documents = job.documents.iter().filter(|source| !crate::presets::is_built_in(source));
    let documents = documents
        .map(|source| (seen_from(root, Path::new(&*source.name)), Digest::of(source.text.as_bytes())))
        .collect();
    let files = plan.files.loaded().into_iter().filter_map(|(file, content)| {
        let digest = match content {
            FileContent::Artifact(artifact) => artifact.digest,
            FileContent::Text(text) => Digest::of(text.as_bytes()),
            FileContent::Data(data) => Digest::of(data.source().text.as_bytes()),
            // Each file that matches is one of its own; which these are shows in the legs.
            FileContent::Listing(_) => return None,
        };
        Some((seen_from(root, &crate::files::path_of(&file)), digest))
    });
    let graph = &plan.graph;
    let place = &mut |document: &str, path: &str| seen_from(root, &parent(Path::new(document)).join(path));
    let wishes = &job.wishes;
    Ok(Frozen {
        schema_version: SCHEMA_VERSION,
        castline: env!("CARGO_PKG_VERSION").to_owned(),
        workflow: graph.name.to_string(),
        file: seen_from(root, Path::new(&*graph.source.name)),
        project,
        run: plan.choices.run.clone(),
        provider: plan.routing.chosen.name.to_string(),
        providers: settings(&job.project, forecast),
        choices: Chosen {
            only: wishes.only.clone(),
            until: wishes.until.clone(),
            reroll: wishes.reroll.clone(),
            allow_unpriced: wishes.allow_unpriced.clone(),
        },
        given: castline_core::inputs::kept(graph, &job.given, place),
        inputs: plan.inputs.iter().map(|(name, value)| (name.to_string(), plain::json(value))).collect(),
        documents,
        files: files.collect(),
        lock: Lock::read(&job.project)?.pins(),
        steps: Frozen::steps(forecast),
        legs: Frozen::legs(forecast),
        total: Bill::of(forecast).into(),
        budget: budget(job, forecast),
    })
}

/// The settings of every provider that a step goes to.
fn settings(project: &Project, forecast: &Forecast) -> BTreeMap<String, BTreeMap<String, String>> {
    let plan = &forecast.plan;
    let models = plan.graph.predicting().map(|(_, step)| &step.callee.model);
    models
        .filter_map(|model| plan.routing.of(model))
        .map(|route| (route.name.to_string(), providers::deciding_settings(project, route)))
        .collect()
}

/// What applying the plan may spend: the most that it can cost. Where that is not known yet it
/// is what any run may.
fn budget(job: &Job, forecast: &Forecast) -> Option<Budget> {
    let live = forecast.plan.routing.is_live();
    let given = job.wishes.budget.map(|usd| Budget { usd: Usd(usd), from: BudgetFrom::Given });
    let bill = Bill::of_steps(forecast, |step| bills(forecast, step));
    let from = |from, usd| Budget { usd: Usd(usd), from };
    match bill.unpriced {
        0 if !bill.unbounded => given.or(Some(from(BudgetFrom::Total, bill.max))),
        _ => given
            .or_else(|| Some(from(BudgetFrom::Usual, providers::budget(&job.project, &job.wishes, live)?))),
    }
    .filter(|_| live)
}

/// The workflow of a plan: in the folder where the project was seen from the plan's file, else
/// in the project in which the user stands.
fn workflow_of(plan: &Frozen, from: &Path) -> Result<PathBuf, Trouble> {
    let beside = parent(&absolute(from)).join(&plan.project);
    let here = Project::near(Path::new(".")).0.root;
    let found = [beside, here].iter().map(|root| clean(&root.join(&plan.file))).find(|file| file.is_file());
    found.ok_or_else(|| {
        Trouble::usage(
            format!("`{}` plans the workflow `{}`, which is not there", shown(from), plan.file),
            "stand in the project that it is in",
        )
    })
}

/// True for what a plan may name: what is in the project, and elsewhere the files that it was made
/// from, as they were then.
pub(crate) fn was_there(
    place: &Path,
    path: &str,
    project: &Project,
    files: &BTreeMap<String, Digest>,
) -> bool {
    let root = &project.root;
    let is_same = |place: &Path| {
        let before = files.get(&seen_from(root, place));
        before.is_some_and(|before| user_file::read(place).is_ok_and(|bytes| Digest::of(&bytes) == *before))
    };
    if is_inside(root, place) {
        return true;
    }
    if !is_pattern(path) || place.is_file() {
        return is_same(place);
    }
    let text = place.to_string_lossy();
    let found = crate::listing::files(&text, place, None, project);
    found.is_ok_and(|found| found.iter().all(|file| is_same(Path::new(file))))
}

/// A plan names a file that it was not made from.
pub(crate) fn strange(path: &str) -> Trouble {
    Trouble::usage(
        format!("the plan names `{path}`, which is not what it was made from"),
        "put the file back as it was, or make a new plan with `castline plan -o`",
    )
}

/// Which documents and files are not as they were.
fn moved_on_disk(plan: &Frozen, workflow: &Path) -> Vec<Moved> {
    let root = Project::near(workflow).0.root;
    let files = plan.documents.iter().chain(&plan.files);
    let digest = |path: &String| user_file::read(&root.join(path)).ok().map(|bytes| Digest::of(&bytes));
    let moved = files.map(|(path, before)| (path, before, digest(path)));
    let moved = moved.filter(|(_, before, now)| Some(**before) != *now);
    moved.map(|(path, before, now)| Moved::File { path: path.clone(), before: Some(*before), now }).collect()
}

fn refused(from: &Path, workflow: &Path, moved: &[Moved]) -> Trouble {
    let name = shown(from);
    let head = match moved.len() {
        1 => format!("`{name}` is not applied: something has moved since it was made"),
        n => format!("`{name}` is not applied: {n} things have moved since it was made"),
    };
    let mut lines: Vec<_> = moved.iter().take(MOST).map(|moved| format!("  {moved}")).collect();
    if moved.len() > MOST {
        lines.push(format!("  and {} more", moved.len() - MOST));
    }
    let message = format!("{head}\n{}", lines.join("\n"));
    let hint =
        format!("put back what moved, or make a new plan with `castline plan {} -o {name}`", shown(workflow));
    match moved.iter().all(Moved::is_money) {
        true => Trouble::Refused { message, hint: Some(hint) },
        false => Trouble::usage(message, hint),
    }
}

/// A path as it is seen from a folder, with `/`; absolute where there is no way.
pub(crate) fn seen_from(folder: &Path, path: &Path) -> String {
    let (folder, path) = (clean(folder), clean(path));
    if folder.components().next() != path.components().next() {
        return path.to_string_lossy().replace('\\', "/");
    }
    match castline_library::way(&folder, &path) {
        way if way.is_empty() => ".".to_owned(),
        way => way,
    }
}

/// The same as a document in the folder names it: beginning with `./` or `../`, or from the root.
pub(crate) fn named_from(folder: &Path, path: &Path) -> String {
    let seen = seen_from(folder, path);
    match seen.as_str() {
        "." => "./".to_owned(),
        ".." => seen,
        _ if seen.starts_with("../") || Path::new(&seen).is_absolute() => seen,
        _ => format!("./{seen}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_outside_of_the_project_only_what_it_was_made_from() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let project = Project::near(folder.path()).0;
        let place = other.path().join("words.txt");
        std::fs::write(&place, "a boat").unwrap();
        let key = seen_from(&project.root, &place);
        let was_there = |path: &str, files: &BTreeMap<String, Digest>| {
            was_there(&project.root.join(path), path, &project, files)
        };
        let made_from = |text: &str| BTreeMap::from([(key.clone(), Digest::of(text.as_bytes()))]);
        assert!(was_there(&key, &made_from("a boat")));
        assert!(!was_there(&key, &made_from("a guess")));
        assert!(!was_there(&key, &BTreeMap::new()));
        let pattern = key.replace("words.txt", "*.txt");
        assert!(was_there(&pattern, &made_from("a boat")));
        assert!(!was_there(&pattern, &BTreeMap::new()));
        assert!(was_there("words.txt", &BTreeMap::new()), "what is in the project is judged later");
        assert!(!was_there("/dev/zero", &BTreeMap::from([("/dev/zero".to_owned(), Digest::of(b""))])));
    }

    #[test]
    fn a_path_is_seen_from_a_folder() {
        let seen = |folder: &str, path: &str| seen_from(Path::new(folder), Path::new(path));
        assert_eq!(seen("/home/me", "/home/me/flows/a.yaml"), "flows/a.yaml");
        assert_eq!(seen("/home/me/plans", "/home/me"), "..");
        assert_eq!(seen("/home/me", "/home/me"), ".");
        assert_eq!(seen("/home/me/x/../y", "/home/you/./a.png"), "../../you/a.png");
    }
}
