use super::*;
use crate::shelf::Shelf;

fn tree(files: &[(&str, &str)]) -> Result<Tree, LibraryError> {
    let mut tree = Growing::new("a library");
    for (path, content) in files {
        if tree.admit(path, content.len() as u64)? {
            tree.put(path, content.as_bytes().to_vec())?;
        }
    }
    tree.finish()
}

fn refusals(result: Result<Tree, LibraryError>) -> Vec<String> {
    match result {
        Err(LibraryError::Refused { entries, .. }) => {
            entries.into_iter().map(|refused| format!("{} {}", refused.entry, refused.why)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_digest_of_a_tree_is_what_it_always_was() {
    // Every lock depends on it: another value needs another format.
    let one = tree(&[("library.yaml", "name: a\n"), ("presets/b.yaml", "x")]).expect("fine");
    assert_eq!(one.digest(), "sha256:ed494a7ec501450224588aecd68a8a879497e0ce9b1c335844f5a748c9c875a4");
}

#[test]
fn names_and_bytes_count_and_the_order_does_not() {
    let digest = |files: &[(&str, &str)]| tree(files).expect("fine").digest();
    let one = digest(&[("a", "1"), ("b", "2")]);
    assert_eq!(digest(&[("b", "2"), ("a", "1")]), one);
    for other in [&[("a", "2"), ("b", "1")][..], &[("a", "12"), ("b", "")], &[("a1b", "2")], &[("a", "1")]] {
        assert_ne!(digest(other), one);
    }
}

#[test]
fn what_no_file_can_be_called_is_refused_by_its_name() {
    let long = "x/".repeat(200) + "x";
    let wrong = [
        "../up.yaml",
        "a/../../up.yaml",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "C:/x",
        "a\\b",
        "nul.txt",
        "a/COM1",
        "a.",
        "a /b",
        "a\nb",
        long.as_str(),
        "",
    ];
    let all = refusals(tree(&wrong.map(|path| (path, ""))));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn names_that_are_the_same_elsewhere_are_refused() {
    let found =
        refusals(tree(&[("Presets/a.yaml", ""), ("presets/b.yaml", ""), ("x", ""), ("X", ""), ("x/y", "")]));
    insta::assert_snapshot!(found.join("\n"));
    // One letter that can be written in two ways.
    assert_eq!(refusals(tree(&[("\u{e9}", ""), ("e\u{301}", "")])).len(), 1);
    // Another one whose capital cannot, and two small letters with the same capital.
    for twins in [["\u{1f0}", "J\u{30c}"], ["\u{17f}.yaml", "s.yaml"], ["\u{3c2}", "\u{3c3}"]] {
        assert_eq!(refusals(tree(&twins.map(|path| (path, "")))).len(), 1, "{twins:?}");
    }
}

#[test]
fn hidden_files_are_left_out() {
    let found = tree(&[("a", "1"), (".git/config", "x"), ("b/.env", "x")]).expect("fine");
    assert_eq!(found, tree(&[("a", "1")]).expect("fine"));
}

#[test]
fn a_hundred_thousand_files_are_too_many() {
    let mut tree = Growing::new("a library");
    let first = (0..100_000).find_map(|n| tree.admit(&format!("f{n}"), 0).err()).expect("it ends");
    assert_eq!(refusals(Err(first)), ["f4096 is one file more than 4096"]);
}

#[test]
fn a_tree_that_is_too_large_ends_at_once() {
    let mut tree = Growing::new("a library");
    assert!(!tree.admit("large", MOST_BYTES + 1).expect("refused in the end"));
    let most = (0..10).find_map(|n| tree.admit(&format!("f{n}"), MOST_BYTES).err()).expect("it ends");
    assert_eq!(
        refusals(Err(most)),
        ["large is larger than 16 MiB", "f4 makes the library larger than 64 MiB"]
    );
    // A file that is longer than it was said to be.
    let mut tree = Growing::new("a library");
    assert!(tree.admit("liar", 1).expect("it fits"));
    tree.put("liar", vec![0; MOST_BYTES as usize + 1]).expect("refused in the end");
    assert_eq!(refusals(tree.finish()), ["liar is larger than 16 MiB"]);
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("library.yaml"), "x").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("secret.txt")).expect("linked");
    std::os::unix::fs::symlink("/etc", folder.path().join("etc")).expect("linked");
    let found = refusals(Tree::of_folder(folder.path(), "a library"));
    assert_eq!(found, ["etc is a link", "secret.txt is a link"]);
}

#[test]
fn one_changed_byte_is_refused_with_both_digests() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(&folder.path().join("store"), &folder.path().join("vendor"));
    let whole = tree(&[("library.yaml", "name: a\n"), ("presets/b.yaml", "x")]).expect("fine");
    let digest = shelf.put(&whole).expect("kept");
    let shelved = shelf.open("a", &digest).expect("there");
    assert_eq!(shelved.tree, whole);
    std::fs::write(shelved.folder.join("presets/b.yaml"), "y").expect("written");
    let error = shelf.open("a", &digest).expect_err("it was changed").to_string();
    let now = tree(&[("library.yaml", "name: a\n"), ("presets/b.yaml", "y")]).expect("fine").digest();
    assert!(error.contains(&digest) && error.contains(&now), "{error}");
    // What is put there again is whole again.
    shelf.put(&whole).expect("kept");
    assert!(shelf.open("a", &digest).is_ok());
    let missing = shelf.open("a", &now).expect_err("it was never there").to_string();
    assert_eq!(missing, "library `a` is pinned and not here");
}

#[test]
fn what_is_vendored_comes_first_and_is_verified_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(&folder.path().join("store"), &folder.path().join("vendor"));
    let whole = tree(&[("library.yaml", "name: a\n")]).expect("fine");
    let there = shelf.vendor("a", &whole).expect("written");
    assert_eq!(shelf.open("a", &whole.digest()).expect("there").folder, there);
    assert_eq!(shelf.vendored_names(), ["a"]);
    assert_eq!(shelf.folder_of(&there.join("presets/x.yaml")), Some(there.clone()));
    assert_eq!(shelf.folder_of(folder.path()), None);
    std::fs::write(there.join("library.yaml"), "name: b\n").expect("written");
    assert!(matches!(shelf.open("a", &whole.digest()), Err(LibraryError::Changed { .. })));
    assert!(shelf.unvendor("a").expect("removed") && !there.exists());
}

#[test]
fn what_is_no_library_is_neither_replaced_nor_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let vendor = folder.path().join("vendor");
    let shelf = Shelf::new(&folder.path().join("store"), &vendor);
    let notes = vendor.join("photos/notes.txt");
    std::fs::create_dir_all(vendor.join("photos")).expect("made");
    std::fs::write(&notes, "mine").expect("written");
    let whole = tree(&[("library.yaml", "name: photos\n")]).expect("fine");
    let error = shelf.vendor("photos", &whole).expect_err("it is somebody's");
    assert!(matches!(&error, LibraryError::Kept { path, .. } if *path == vendor.join("photos")), "{error}");
    assert!(error.to_string().contains("has no `library.yaml`") && error.hint().is_some(), "{error}");
    assert!(!shelf.unvendor("photos").expect("it is none"));
    // One that is in the way keeps all others as they are.
    assert!(shelf.may_vendor(["other", "photos"]).is_err() && shelf.may_vendor(["other"]).is_ok());
    assert_eq!(std::fs::read_to_string(&notes).expect("it is still there"), "mine");
    assert_eq!(std::fs::read_dir(&vendor).expect("a folder").count(), 1);
}

#[cfg(unix)]
#[test]
fn nothing_is_replaced_or_removed_through_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (vendor, elsewhere) = (folder.path().join("vendor"), folder.path().join("elsewhere"));
    let shelf = Shelf::new(&folder.path().join("store"), &vendor);
    let file = elsewhere.join("a/library.yaml");
    std::fs::create_dir_all(elsewhere.join("a")).expect("made");
    std::fs::write(&file, "name: old\n").expect("written");
    let whole = tree(&[("library.yaml", "name: a\n")]).expect("fine");
    let unchanged = |shelf: &Shelf| {
        let error = shelf.vendor("a", &whole).expect_err("it is elsewhere").to_string();
        assert!(error.contains("is a link"), "{error}");
        let removed = shelf.unvendor("a");
        assert!(!matches!(removed, Ok(true)), "{removed:?}");
        assert_eq!(std::fs::read_to_string(&file).expect("it is still there"), "name: old\n");
    };
    // Of all libraries, of one, and of the file that makes it one.
    std::os::unix::fs::symlink("elsewhere", &vendor).expect("linked");
    unchanged(&shelf);
    std::fs::remove_file(&vendor).expect("removed");
    std::fs::create_dir(&vendor).expect("made");
    std::os::unix::fs::symlink("../elsewhere/a", vendor.join("a")).expect("linked");
    unchanged(&shelf);
    assert!(shelf.vendored_names().is_empty());
    std::fs::remove_file(vendor.join("a")).expect("removed");
    std::fs::create_dir(vendor.join("a")).expect("made");
    std::os::unix::fs::symlink(&file, vendor.join("a/library.yaml")).expect("linked");
    assert!(shelf.vendor("a", &whole).is_err() && vendor.join("a/library.yaml").is_symlink());
}
