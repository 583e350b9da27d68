//! Files that the user names to be written: over what castline reads or keeps they are not.
//!
//! What was written there before, a drawing, a report or events, is written over.

use std::path::{Path, PathBuf};

use crate::lock;
use crate::project::{FILE, Project, absolute, clean, parent, shown};
use crate::trouble::Trouble;

/// Refuses a file that is a document, or in a store. Nothing is made or changed.
pub fn check(file: &Path) -> Result<(), Trouble> {
    let refused = |why: String, hint: &str| {
        Err(Trouble::usage(format!("`{}` is not written over: {why}", shown(file)), hint))
    };
    let another = "name another file";
    for place in places(file) {
        if let Some(store) = store_of(&place) {
            return Err(Trouble::usage(
                format!("`{}` is not written: `{}` is castline's own store", shown(file), shown(&store)),
                "name a file outside of it",
            ));
        }
        let yaml = place
            .extension()
            .is_some_and(|ending| ["yaml", "yml"].iter().any(|yaml| ending.eq_ignore_ascii_case(yaml)));
        let name = place.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match name.as_str() {
            FILE => return refused("it is where a project has its settings".to_owned(), another),
            lock::FILE => return refused("it is where a project pins what it uses".to_owned(), another),
            _ if yaml && place.is_file() => {
                let hint = "name another file; remove this one first if nobody needs it";
                return refused("it is a YAML document, as workflows and presets are".to_owned(), hint);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A file by its name, and where links lead.
fn places(file: &Path) -> Vec<PathBuf> {
    let named = clean(file);
    let real = file.canonicalize().or_else(|_| {
        let folder = parent(&absolute(file)).canonicalize()?;
        Ok::<_, std::io::Error>(folder.join(file.file_name().unwrap_or_default()))
    });
    let mut places = vec![named];
    places.extend(real.ok().filter(|real| *real != places[0]));
    places
}

/// The store that a place is in.
fn store_of(place: &Path) -> Option<PathBuf> {
    let store = clean(&Project::near(place).0.store());
    let real = store.canonicalize().unwrap_or_else(|_| store.clone());
    let default = place.ancestors().skip(1).find(|folder| folder.ends_with(".castline"));
    let known = [store, real].into_iter().find(|store| place.starts_with(store));
    known.or_else(|| default.map(Path::to_owned))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_castline_reads_or_keeps_is_not_written_over_and_anything_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at(".castline/runs/1")).unwrap();
        fs::create_dir(at("kept")).unwrap();
        for name in ["flow.yaml", "plan.json", "graph.svg", "kept/ledger.db"] {
            fs::write(at(name), "text").unwrap();
        }
        fs::write(at(FILE), "castline: 1\nstore: kept\n").unwrap();
        for name in
            ["flow.yaml", FILE, lock::FILE, ".castline/runs/1/x.html", ".castline/new", "kept/ledger.db"]
        {
            let trouble = check(&at(name)).expect_err(name).to_string();
            assert!(trouble.contains("is not written"), "{trouble}");
        }
        for name in ["plan.json", "graph.svg", "new.yaml", "no/such/folder.svg", "castline.svg"] {
            check(&at(name)).expect(name);
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("flow.yaml", at("link.svg")).unwrap();
            std::os::unix::fs::symlink(".castline", at("folder")).unwrap();
            check(&at("link.svg")).expect_err("a link to a workflow");
            check(&at("folder/new.svg")).expect_err("a link to a store");
            check(Path::new("/dev/null")).expect("it takes everything");
        }
    }
}
