//! Files on the disk where somebody else may have put something in the way.

use std::fs::File;
use std::io;
use std::path::Path;

/// How a file is called until it is whole. `gc` removes what a process left that died.
const UNFINISHED: (&str, &str) = (".castline-", ".tmp");

/// Writes beside the target and renames over it: readers see the old file or the new one. The name
/// of the file beside it cannot be guessed, and nothing that is there is opened.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::Builder::new();
    new.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    // It is as much for others as the folder is.
    #[cfg(unix)]
    new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = new.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

/// True for a name that [`replace`] gives.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(UNFINISHED.0).is_some_and(|rest| rest.ends_with(UNFINISHED.1))
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_target_or_of_what_is_beside_it_is_not_followed() {
        use std::fs;
        use std::io::{self, Write as _};

        use super::replace;

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("mine"), "mine").unwrap();
        let planted = format!(".note.txt.{}.tmp", std::process::id());
        for name in ["note.txt", planted.as_str()] {
            std::os::unix::fs::symlink(at("mine"), at(name)).unwrap();
        }
        replace(&at("note.txt"), |file| file.write_all(b"a boat")).unwrap();
        assert_eq!(fs::read_to_string(at("mine")).unwrap(), "mine");
        assert_eq!(fs::read_to_string(at("note.txt")).unwrap(), "a boat");
        assert!(!at("note.txt").is_symlink());
        assert!(replace(&at("note.txt"), |_| Err(io::ErrorKind::Other.into())).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left of a file that failed");
    }
}
