use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::{Store, StoreError};

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join(".castline")).unwrap();
    (folder, store)
}

fn settle(store: &Store) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.settle()).unwrap();
}

fn incoming_files(store: &Store) -> usize {
    fs::read_dir(store.folder().join("incoming")).unwrap().count()
}

/// A file of the user's that nobody has touched for a while.
fn old_file(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    File::options().write(true).open(path).unwrap().set_modified(hour_ago).unwrap();
}

#[test]
fn what_comes_in_is_named_by_its_digest_and_described_by_its_bytes() {
    let (_folder, store) = store();
    let incoming = store.blobs().incoming();
    fs::write(incoming.path(), PNG).unwrap();
    let artifact = incoming.finish().unwrap();
    assert_eq!(artifact.digest, Digest::of(PNG));
    assert_eq!(
        (artifact.media_type.as_str(), artifact.width, artifact.height),
        ("image/png", Some(2), Some(3))
    );
    assert!(store.blobs().path(&artifact).ends_with(artifact.digest.hex()));
    assert_eq!(store.blobs().read(&artifact).unwrap(), PNG);
    assert_eq!(incoming_files(&store), 0);
}

#[test]
fn what_is_given_up_on_its_way_leaves_nothing() {
    let (_folder, store) = store();
    let incoming = store.blobs().incoming();
    fs::write(incoming.path(), "half of it").unwrap();
    drop(incoming);
    assert_eq!(incoming_files(&store), 0);
}

#[test]
fn a_long_file_is_hashed_as_a_whole() {
    let (_folder, store) = store();
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let artifact = store.blobs().write(&bytes).unwrap();
    assert_eq!((artifact.digest, artifact.bytes), (Digest::of(&bytes), 1_200_000));
}

#[test]
fn what_has_reached_the_disk_is_known_to_the_next_process() {
    let (folder, store) = store();
    let few = store.blobs().write(b"one").unwrap();
    settle(&store);
    let many: Vec<_> =
        (0..20).map(|n: u8| store.blobs().write(&[b'a'; 9][..usize::from(n % 9)]).unwrap()).collect();
    settle(&store);
    drop(store);
    let store = Store::open(&folder.path().join(".castline")).unwrap();
    assert!(store.blobs().is_kept(&few.digest));
    assert!(
        many.iter().all(|artifact| store.blobs().is_kept(&artifact.digest) && store.blobs().has(artifact))
    );
}

#[test]
fn what_may_not_have_reached_the_disk_is_looked_at_before_it_is_used() {
    let (folder, store) = store();
    let artifact = store.blobs().write(b"a picture").unwrap();
    let path = store.blobs().path(&artifact);
    // As after a power cut: the right length, and nothing in it.
    std::mem::forget(store);
    fs::write(&path, [0; 9]).unwrap();
    let store = Store::open(&folder.path().join(".castline")).unwrap();
    assert!(!store.blobs().has(&artifact));
    let error = store.blobs().read(&artifact).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    // The same bytes once more heal it.
    assert_eq!(store.blobs().write(b"a picture").unwrap(), artifact);
    assert!(store.blobs().has(&artifact));
}

#[test]
fn a_missing_file_is_not_there() {
    let (_folder, store) = store();
    let artifact = store.blobs().write(b"a picture").unwrap();
    fs::remove_file(store.blobs().path(&artifact)).unwrap();
    assert!(!store.blobs().has(&artifact));
    let error = store.blobs().read(&artifact).unwrap_err();
    assert!(error.to_string().ends_with("no such file or directory"), "{error}");
}

#[test]
fn a_users_file_is_read_again_only_when_it_looks_different() {
    let (folder, store) = store();
    let path = folder.path().join("sketch.png");
    old_file(&path, b"first");
    let first = store.blobs().import(&path).unwrap();
    settle(&store);
    let name = fs::canonicalize(&path).unwrap();
    let seen = store.ledger().file(&name.to_string_lossy()).unwrap().unwrap();
    assert_eq!(seen.artifact, first);
    assert_eq!(store.blobs().import(&path).unwrap(), first);

    old_file(&path, b"other");
    let inode_or_time_differs = store.blobs().import(&path).unwrap();
    assert_eq!(inode_or_time_differs.digest, Digest::of(b"other"));
}

#[test]
fn a_file_that_was_just_changed_is_not_remembered() {
    let (folder, store) = store();
    let path = folder.path().join("sketch.png");
    fs::write(&path, b"fresh").unwrap();
    store.blobs().import(&path).unwrap();
    settle(&store);
    assert_eq!(store.ledger().file(&fs::canonicalize(&path).unwrap().to_string_lossy()).unwrap(), None);
}

#[test]
fn what_was_read_is_known_until_the_file_looks_different() {
    let (folder, store) = store();
    let path = folder.path().join("boat.png");
    old_file(&path, b"first");
    assert_eq!(store.blobs().seen(&path), None);
    let artifact = Artifact::describe(Digest::of(b"first"), 5, b"first");
    store.blobs().look_at(&path).unwrap()(artifact.clone());
    settle(&store);
    assert_eq!(store.blobs().seen(&path), Some(artifact.clone()));

    let remember = store.blobs().look_at(&path).unwrap();
    old_file(&path, b"longer");
    assert_eq!(store.blobs().seen(&path), None);
    // It was changed while it was read.
    remember(artifact);
    settle(&store);
    assert_eq!(store.blobs().seen(&path), None);
    fs::write(&path, "fresh").unwrap();
    assert!(store.blobs().look_at(&path).is_none(), "it may change again and look the same");
}

#[test]
fn what_the_dead_were_receiving_is_swept() {
    let (folder, store) = store();
    let incoming = store.folder().join("incoming");
    let dead = incoming.join(format!("{}-0", ulid::Ulid::generate()));
    fs::write(&dead, "half").unwrap();
    fs::write(incoming.join("letter.txt"), "dear").unwrap();
    let mine = store.blobs().incoming();
    fs::write(mine.path(), "half").unwrap();
    let _second = Store::open(&folder.path().join(".castline")).unwrap();
    assert!(!dead.exists());
    assert!(incoming.join("letter.txt").exists(), "nobody was receiving it");
    assert!(mine.path().exists());
}

#[test]
fn a_file_that_cannot_be_imported_is_named() {
    let (folder, store) = store();
    let error = store.blobs().import(&folder.path().join("none.png")).unwrap_err();
    assert!(error.to_string().contains("none.png`: no such file or directory"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_link_is_no_artifact_and_nothing_is_stored_behind_one() {
    use std::os::unix::fs::symlink;
    let (folder, store) = store();
    let artifact = store.blobs().write(PNG).unwrap();
    let place = store.blobs().path(&artifact);
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::rename(&place, theirs.join("picture.png")).unwrap();
    symlink(theirs.join("picture.png"), &place).unwrap();
    assert!(!store.blobs().has(&artifact));
    assert_eq!(store.blobs().write(PNG).unwrap(), artifact);
    assert!(store.blobs().has(&artifact) && !place.is_symlink());

    let inner = place.parent().unwrap();
    fs::remove_dir_all(inner).unwrap();
    symlink(&theirs, inner).unwrap();
    assert!(matches!(store.blobs().write(PNG).unwrap_err(), StoreError::Link { .. }));
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
}
