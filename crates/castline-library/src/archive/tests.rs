use std::io::Write;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// An entry as it stands in an archive, whatever it is called.
fn entry(tar: &mut Vec<u8>, path: &[u8], kind: EntryType, link: &str, content: &[u8], said: u64) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(said);
    header.set_mode(0o777);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).expect("into memory");
    gzip.finish().expect("into memory")
}

fn refused(tar: &[u8]) -> String {
    unpack(&gzip(tar), "the archive of a library").expect_err("it is hostile").to_string()
}

#[test]
fn what_is_packed_is_unpacked_and_always_the_same() {
    let mut tree = Growing::new("a library");
    let long = format!("presets/{}.yaml", "x".repeat(150));
    for (path, content) in [("library.yaml", "name: a\n"), (long.as_str(), "y")] {
        assert!(tree.admit(path, content.len() as u64).expect("it fits"));
        tree.put(path, content.as_bytes().to_vec()).expect("it fits");
    }
    let tree = tree.finish().expect("fine");
    let packed = pack(&tree).expect("into memory");
    assert_eq!(packed, pack(&tree).expect("into memory"));
    assert_eq!(unpack(&packed, "it").expect("whole"), tree);
}

#[test]
fn a_hostile_archive_is_refused_entry_by_entry() {
    let mut tar = Vec::new();
    let plain: &[&[u8]] = &[
        b"library.yaml",
        b"../../up.yaml",
        b"/etc/cron.d/x",
        b"presets/../../x",
        b"presets/con.yaml",
        b"PRESETS/a.yaml",
        b"presets/a.yaml",
        b"\xff\xfe",
        b"library.yaml",
    ];
    plain.iter().for_each(|path| entry(&mut tar, path, EntryType::Regular, "", b"x", 1));
    entry(&mut tar, b"link.yaml", EntryType::Symlink, "/etc/passwd", b"", 0);
    entry(&mut tar, b"hard.yaml", EntryType::Link, "../../secret", b"", 0);
    entry(&mut tar, b"pipe", EntryType::Fifo, "", b"", 0);
    entry(&mut tar, b"disk", EntryType::Block, "", b"", 0);
    entry(&mut tar, b"../folder/", EntryType::Directory, "", b"", 0);
    entry(&mut tar, b"labelled", EntryType::new(b'V'), "", b"", 0);
    insta::assert_snapshot!(refused(&tar));
}

#[test]
fn an_archive_that_is_larger_than_it_looks_is_left() {
    let mut tar = Vec::new();
    entry(&mut tar, b"library.yaml", EntryType::Regular, "", b"x", 1);
    entry(&mut tar, b"bomb", EntryType::Regular, "", &[], 1 << 40);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar).expect("into memory");
    for _ in 0..200 {
        packed.write_all(&vec![0; 1 << 20]).expect("into memory");
    }
    let packed = packed.finish().expect("into memory");
    assert!(packed.len() < 2 << 20, "it does not look large: {}", packed.len());
    let error = unpack(&packed, "the archive of a library").expect_err("it is a bomb").to_string();
    insta::assert_snapshot!(error);
}

#[test]
fn a_hundred_thousand_files_are_refused_at_the_first_that_is_too_many() {
    let mut tar = Vec::new();
    (0..100_000).for_each(|n| entry(&mut tar, format!("f{n}").as_bytes(), EntryType::Regular, "", b"", 0));
    insta::assert_snapshot!(refused(&tar));
}

#[test]
fn an_archive_that_ends_in_the_middle_is_broken() {
    let mut tar = Vec::new();
    entry(&mut tar, b"library.yaml", EntryType::Regular, "", &[b'x'; 2000], 2000);
    let whole = gzip(&tar);
    for end in [0, 3, whole.len() / 2, whole.len() - 1] {
        let error = unpack(&whole[..end], "it").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("it cannot be fetched: its archive is broken"), "{end}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = unpack(&bytes, "it");
        let _ = unpack(&gzip(&bytes), "it");
    }
}
