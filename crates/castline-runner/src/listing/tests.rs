use std::fs;

use super::*;

/// A folder with these files, each with its own path in it.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        fs::write(path, file).expect("written");
    }
    folder
}

fn list(root: &Path, pattern: &str) -> Result<Vec<String>, Broken> {
    let project = Project { root: root.to_owned(), document: None };
    let place = root.join(pattern);
    files(pattern, &place, Some(std::slice::from_ref(&project.root)), &project).map(|paths| paths.to_vec())
}

#[test]
fn numbers_in_names_count_as_numbers_folder_by_folder() {
    let root = folder(&["p/10.png", "p/2.png", "p/1.png", "p/b/1.png", "p/a-b/1.png", "p/a/02.png"]);
    assert_eq!(list(root.path(), "./p/*.png").unwrap(), ["./p/1.png", "./p/2.png", "./p/10.png"]);
    assert_eq!(
        list(root.path(), "p/**/*.png").unwrap(),
        ["p/1.png", "p/2.png", "p/10.png", "p/a/02.png", "p/a-b/1.png", "p/b/1.png"]
    );
}

#[test]
fn a_star_stays_in_its_folder_and_words_and_characters_can_be_named() {
    let root = folder(&["a1.png", "a2.jpg", "b1.png", "a3.gif", "in/a4.png"]);
    assert_eq!(list(root.path(), "./*.{png,jpg}").unwrap(), ["./a1.png", "./a2.jpg", "./b1.png"]);
    assert_eq!(list(root.path(), "./[!b]?.png").unwrap(), ["./a1.png"]);
    assert_eq!(list(root.path(), "./*/*.png").unwrap(), ["./in/a4.png"]);
}

#[test]
fn hidden_files_and_what_a_run_wrote_are_left_out() {
    let root = folder(&["a.png", ".b.png", ".thumbs/c.png", "out/flow/d.png", "out/flow/.e.png"]);
    assert_eq!(list(root.path(), "./**/*.png").unwrap(), ["./a.png"]);
    assert_eq!(list(root.path(), "./out/**/*.png").unwrap(), ["./out/flow/d.png"]);
}

#[test]
fn no_match_says_where_it_looked_and_what_is_there() {
    let root = folder(&["p/1.JPG", "p/2.JPG", "p/3.JPG", "p/10.JPG"]);
    let broken = list(root.path(), "./p/*.jpg").unwrap_err();
    assert_eq!(broken.code, Code::NoMatch);
    assert!(
        broken.message.starts_with("has the pattern `./p/*.jpg`, and no file in `"),
        "{}",
        broken.message
    );
    assert_eq!(broken.hint.as_deref(), Some("it has `1.JPG`, `2.JPG`, `3.JPG` and 1 more"));
    let broken = list(root.path(), "./q/*.jpg").unwrap_err();
    assert!(broken.message.ends_with("/q/` does not exist"), "{}", broken.message);
    let broken = list(root.path(), "./p/*.{jpg").unwrap_err();
    assert_eq!(broken.code, Code::InvalidValue);
}

#[cfg(unix)]
#[test]
fn links_are_followed_within_the_project_and_no_further() {
    use std::os::unix::fs::symlink;
    let root = folder(&["p/a.png", "more/b.png"]);
    let other = folder(&["secret.png"]);
    symlink(root.path().join("more"), root.path().join("p/linked")).expect("linked");
    symlink(root.path().join("p"), root.path().join("p/loop")).expect("linked");
    symlink(root.path().join("gone.png"), root.path().join("p/gone.png")).expect("linked");
    assert_eq!(
        list(root.path(), "./p/**/*.png").unwrap(),
        ["./p/a.png", "./p/gone.png", "./p/linked/b.png"],
        "a link that leads nowhere is for its reader to complain about"
    );
    symlink(other.path(), root.path().join("p/outside")).expect("linked");
    let broken = list(root.path(), "./p/**/*.png").unwrap_err();
    assert_eq!(broken.code, Code::InvalidPath);
    assert!(broken.message.contains("a link that leads outside"), "{}", broken.message);
    assert_eq!(
        list(root.path(), "./p/*.png").unwrap(),
        ["./p/a.png", "./p/gone.png"],
        "it is not looked into"
    );
    let broken = list(root.path(), "../*.png").unwrap_err();
    assert_eq!(broken.code, Code::InvalidPath);
}

/// The order must be one, or sorting may panic.
#[test]
fn the_natural_order_is_an_order() {
    let letters = ["", "0", "1", "a", "中", "-", "00", "01", "10", "/"];
    let mut names = Vec::new();
    for a in letters {
        for b in ["", "0", "9", "é", "/"] {
            for c in ["", "1", "a"] {
                names.push(format!("{a}{b}{c}"));
            }
        }
    }
    names.sort();
    names.dedup();
    for a in &names {
        for b in &names {
            assert_eq!(natural(a, b), natural(b, a).reverse(), "{a} {b}");
            for c in &names {
                if natural(a, b).is_lt() && natural(b, c).is_lt() {
                    assert!(natural(a, c).is_lt(), "{a} < {b} < {c}");
                }
            }
        }
    }
}
