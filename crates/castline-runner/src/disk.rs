//! Files on the disk where somebody else may have put something in the way.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// Larger files are none that people write.
pub(crate) const MOST_BYTES: u64 = 16 << 20;

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

/// The bytes of a file; none when there are more than that. Where `path` is a pipe or a device, no
/// more is read of it either.
pub(crate) fn read_within(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// The same of a text that people write; what is too much of it, or none, is an error that says so.
pub(crate) fn text_within(path: &Path) -> io::Result<String> {
    let bytes = read_within(path, MOST_BYTES)?.ok_or_else(|| io::Error::other("it is larger than 16 MiB"))?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// The first thing on the way from a folder down to another that leads elsewhere: a link, or `..`.
/// What is not there yet leads nowhere.
pub(crate) fn astray(base: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    let Ok(below) = folder.strip_prefix(base) else { return Ok(Some(folder.to_owned())) };
    let mut place = base.to_owned();
    for part in below.components() {
        place.push(part);
        if !matches!(part, Component::Normal(_)) {
            return Ok(Some(place));
        }
        match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_symlink() => return Ok(Some(place)),
            Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(e);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_target_or_of_what_is_beside_it_is_not_followed() {
        use std::io::Write as _;
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

    #[test]
    fn no_more_is_read_than_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "boat").unwrap();
        assert_eq!(read_within(&file, 4).unwrap(), Some(b"boat".to_vec()));
        assert_eq!(read_within(&file, 3).unwrap(), None);
        #[cfg(unix)]
        assert_eq!(read_within(Path::new("/dev/zero"), 4096).unwrap(), None);
    }

    #[test]
    fn a_way_goes_down_through_folders_alone() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let astray = |name: &str| astray(root.path(), &at(name)).unwrap();
        fs::create_dir_all(at("out/flow")).unwrap();
        assert_eq!(["out/flow", "./out/flow", "gone/flow", ""].map(astray), [const { None }; 4]);
        assert_eq!(astray("out/../../x"), Some(at("out/..")));
        assert_eq!(astray("/elsewhere"), Some("/elsewhere".into()));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("out"), at("link")).unwrap();
            std::os::unix::fs::symlink(at("nowhere"), at("out/flow/dead")).unwrap();
            assert_eq!(astray("link/flow"), Some(at("link")));
            assert_eq!(astray("out/flow/dead/deep"), Some(at("out/flow/dead")));
        }
    }
}
