//! One input for whatever brings libraries: an archive, a registry's manifest, a `library.yaml`, and
//! what a lock says of a library.
//!
//! Whatever the bytes are, reading them ends within the limits. Of a tree that is taken, every file can
//! be written below one folder on every system, each in a place of its own.
//!
//! Start reading at [`archive`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Component, Path};

use castline_library::{LibraryError, Pin, Tree, document, layer, pack, unpack};
use castline_spec::library::{bad_name, is_digest};
use castline_spec::{Library, Source};
use flate2::Compression;
use flate2::write::GzEncoder;
use unicode_normalization::UnicodeNormalization as _;

/// Longer inputs say nothing new and take longer.
pub const MOST_BYTES: usize = 64 << 10;
/// What a library can have; see `docs/reference/library.md`.
const MOST_FILES: usize = 4_096;
const MOST_IN_FILE: usize = 16 << 20;
const MOST_IN_ALL: u64 = 64 << 20;
/// More than this is nothing for people. Twenty files are named at most, with their names.
const LONGEST: usize = 10_000;
/// Larger trees are not packed again: that takes a while, and rightly so.
const PACKED_AGAIN: u64 = 1 << 20;

/// Bytes as an archive, as what is packed in one, and as that with its sums put right.
pub fn archive(bytes: &[u8]) {
    if bytes.len() > MOST_BYTES {
        return;
    }
    unpacked(bytes);
    unpacked(&gzip(bytes));
    let right = with_right_sums(bytes);
    if right != bytes {
        unpacked(&gzip(&right));
    }
}

/// Bytes as a manifest, as a `library.yaml`, and as what a lock says.
pub fn papers(bytes: &[u8]) {
    if bytes.len() > MOST_BYTES {
        return;
    }
    match layer(bytes, "the library") {
        Ok((digest, size)) => assert!(is_digest(&digest) && size <= MOST_IN_ALL, "{digest} of {size} bytes"),
        Err(error) => said(&error),
    }
    let text = String::from_utf8_lossy(bytes);
    let (library, found) = Library::parse(&Source::new("library.yaml", text));
    if let Some(library) = library.filter(|_| !found.has_errors()) {
        assert_eq!(bad_name(&library.name.value), None, "{:?}", library.name.value);
    }
    let pins: BTreeMap<String, Pin> = serde_json::from_slice(bytes).unwrap_or_default();
    for (name, pin) in pins.iter().filter(|(name, pin)| pin.problem(name).is_none()) {
        // Both become a part of a path.
        assert!(is_one_part(name), "a library is called {name:?}");
        assert!(is_digest(&pin.digest), "{:?} is taken for a digest", pin.digest);
        assert!(pin.place().is_some(), "a pin comes from nowhere: {pin:?}");
    }
}

fn unpacked(archive: &[u8]) {
    match unpack(archive, "the archive") {
        Ok(tree) => check(&tree),
        Err(error) => said(&error),
    }
}

fn check(tree: &Tree) {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut folders = BTreeSet::new();
    for (path, content) in tree.files() {
        assert!(content.len() <= MOST_IN_FILE, "{path:?} has {} bytes", content.len());
        assert_eq!(unfit(path), None, "{path:?} is taken");
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for exact in ends.map(|end| &path[..end]) {
            let other = *taken.entry(folded(exact)).or_insert(exact);
            assert_eq!(other, exact, "two names are one where case does not count");
        }
        folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    let both = tree.files().find(|(path, _)| folders.contains(path));
    assert!(both.is_none(), "{both:?} is a file and a folder");
    assert!(tree.files().count() <= MOST_FILES, "it has {} files", tree.files().count());
    assert!(tree.bytes() <= MOST_IN_ALL, "it has {} bytes", tree.bytes());
    if tree.bytes() <= PACKED_AGAIN {
        let again = unpack(&pack(tree).expect("what was taken can be packed"), "it");
        let again = again.expect("what was packed can be taken");
        assert_eq!(again.digest(), tree.digest(), "packing changes it: {tree:?}");
    }
    match document(tree, "the library") {
        Ok(library) => assert_eq!(bad_name(&library.name.value), None, "{:?}", library.name.value),
        Err(error) => said(&error),
    }
}

/// Why a file cannot be called that everywhere; none when it can.
fn unfit(path: &str) -> Option<&'static str> {
    let parts = || path.split('/');
    let device = |part: &str| {
        let stem = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
        let numbered = |name| stem.strip_prefix(name).is_some_and(|n| n.chars().count() == 1 && is_number(n));
        ["con", "prn", "aux", "nul"].contains(&&*stem) || numbered("com") || numbered("lpt")
    };
    match () {
        () if path.is_empty() || path.len() > 200 => Some("it is empty or long"),
        () if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) => {
            Some("it leads elsewhere")
        }
        () if parts().any(|part| part.is_empty() || part.starts_with('.')) => Some("it is hidden"),
        () if parts().any(|part| part.ends_with(['.', ' '])) => Some("its end is lost on Windows"),
        () if path.contains(|c: char| c.is_control() || "<>:\"|?*\\".contains(c)) => Some("a character"),
        () if parts().any(device) => Some("it is a device"),
        () => None,
    }
}

/// Windows takes the small ones for numbers too.
fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c))
}

fn is_one_part(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// What is the same for names that are one where neither case nor composition counts.
fn folded(name: &str) -> String {
    let large = name.nfd().flat_map(char::to_uppercase);
    large.flat_map(char::to_lowercase).collect::<String>().nfd().collect()
}

/// What is said is for people, and what stands in an archive is not let through to their terminals.
fn said(error: &LibraryError) {
    let words = error.to_string();
    let length = words.chars().count();
    assert!(length <= LONGEST, "{length} characters are said: {:?}", &words.as_bytes()[..200].escape_ascii());
    if let LibraryError::Refused { entries, .. } = error {
        let wild = entries.iter().find(|entry| entry.entry.contains(char::is_control));
        assert!(wild.is_none(), "control characters are said: {wild:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(bytes).expect("into memory");
    gzip.finish().expect("into memory")
}

/// A tar in which every header has the sum that it must have, so that what else is wrong is looked at.
fn with_right_sums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..).and_then(|rest| rest.get_mut(..BLOCK)) {
        if header.iter().any(|byte| *byte != 0) {
            put_sum(header);
        }
        at += BLOCK + size(header).next_multiple_of(BLOCK);
    }
    tar
}

const BLOCK: usize = 512;

fn put_sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The size that a header says, where it is a usual one.
fn size(header: &[u8]) -> usize {
    let digits: String = header[124..136].iter().map(|byte| char::from(*byte)).collect();
    usize::from_str_radix(digits.trim_matches([' ', '\0']), 8).unwrap_or_default().min(MOST_BYTES)
}

/// An entry of a tar, whatever it is called.
fn entry(path: &[u8], kind: u8, link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    header[..path.len()].copy_from_slice(path);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link);
    header[257..265].copy_from_slice(if b"xg".contains(&kind) { b"ustar\x0000" } else { b"ustar  \0" });
    put_sum(&mut header);
    let mut entry = [&header[..], content].concat();
    entry.resize(entry.len().next_multiple_of(BLOCK), 0);
    entry
}

fn file(path: &str, content: &str) -> Vec<u8> {
    entry(path.as_bytes(), b'0', b"", content.as_bytes())
}

/// One attribute of the entry that follows.
fn attribute(kind: u8, name: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {name}={value}\n");
    let digits = (rest.len() + 2).to_string().len();
    entry(b"PaxHeaders/x", kind, b"", format!("{}{rest}", rest.len() + digits).as_bytes())
}

/// A tar of files with these names.
fn files(paths: &[&str]) -> Vec<u8> {
    paths.iter().flat_map(|path| file(path, "x")).collect()
}

/// Tars, each by a name: healthy ones and hostile ones.
fn tars() -> Vec<(&'static str, Vec<u8>)> {
    let plain =
        [file("library.yaml", DOCUMENT), file("presets/hero.yaml", "extends: flux-schnell\n")].concat();
    let long = format!("presets/{}/{}.yaml", "x".repeat(90), "y".repeat(90));
    let links: [(u8, &[u8]); 4] = [(b'1', b"../secret"), (b'2', b"/etc/passwd"), (b'3', b""), (b'6', b"")];
    let folders = [entry(b"presets/", b'5', b"", b""), entry(b"../x/", b'5', b"", b"")];
    let long_name = entry(b"././@LongLink", b'L', b"", long.as_bytes());
    let long_link = entry(b"././@LongLink", b'K', b"", long.as_bytes());
    vec![
        ("plain", plain.clone()),
        ("paths", files(&["../up", "/abs", "a/../b", "a//b", "./a", "a\\b", ".git/x", "a./b"])),
        ("devices", files(&["con.yaml", "presets/COM1", "nul", "aux.a.b", "lpt9.yaml"])),
        ("twins", files(&["a/b", "A/b", "a/B", "a", "\u{e9}", "e\u{301}", "E\u{301}"])),
        ("odd", files(&["\u{17f}.yaml", "\u{1f0}.yaml", "stra\u{df}e", "com\u{b2}x"])),
        ("links", links.map(|(kind, link)| entry(b"link", kind, link, b"")).concat()),
        ("folders", [folders.concat(), plain.clone()].concat()),
        ("long", [long_name, file("x", "y")].concat()),
        ("long-link", [long_link, entry(b"x", b'2', b"y", b"")].concat()),
        ("path", [attribute(b'x', "path", &long), file("x", "y")].concat()),
        ("size", [attribute(b'x', "size", "1099511627776"), file("x", "y")].concat()),
        ("sparse", [attribute(b'x', "GNU.sparse.major", "1"), entry(b"x", b'S', b"", b"y")].concat()),
        ("comment", [attribute(b'g', "comment", "0123456789"), plain.clone()].concat()),
        ("others", b"7VMDNZ".map(|kind| entry(b"other", kind, b"", b"x")).concat()),
        ("ends", plain[..plain.len() - 700].to_vec()),
    ]
}

const DOCUMENT: &str = "castline: 1
name: brand
version: '1.0'
licence: MIT
libraries:
  base: { git: 'https://example.com/x.git', rev: v1, folder: presets }
";

const LAYER: &str = r#"{
  "mediaType": "application/vnd.castline.library.v1.tar+gzip",
  "digest": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "size": 700
}"#;

const PINS: [(&str, &str); 3] = [
    ("pin-path", r#""path": "../brand", "libraries": ["base"]"#),
    ("pin-git", r#""git": "https://example.com/x", "rev": "v1", "folder": "a", "commit": "COMMIT""#),
    ("pin-oci", r#""oci": "example.com/team/presets:1", "manifest": "sha256:COMMIT""#),
];

/// What an input may be, each by a name.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let tars = tars();
    let tree = unpack(&gzip(&tars[0].1), "the library").expect("it is healthy");
    let manifest = format!(r#"{{"schemaVersion": 2, "config": {LAYER}, "layers": [{LAYER}]}}"#);
    let mut seeds = vec![
        ("packed".to_owned(), pack(&tree).expect("into memory")),
        ("library".to_owned(), DOCUMENT.into()),
        ("manifest".to_owned(), manifest.into()),
    ];
    seeds.extend(tars.iter().map(|(name, tar)| (format!("gzip-{name}"), gzip(tar))));
    seeds.extend(tars.into_iter().map(|(name, tar)| (format!("tar-{name}"), tar)));
    seeds.extend(PINS.map(|(name, place)| {
        let digest = "0123456789abcdef".repeat(4);
        let pin = format!(r#"{{"brand": {{"version": "1", {place}, "digest": "sha256:{digest}"}}}}"#);
        (name.to_owned(), pin.replace("COMMIT", &digest).into())
    }));
    seeds
}

/// What means something to whoever reads archives.
pub const WORDS: &[&[u8]] = &[
    b"../",
    b"/",
    b"./",
    b"\\",
    b"..",
    b".",
    b"\0",
    b" ",
    b"con",
    b"COM1",
    b"nul.",
    b"ustar  \0",
    b"ustar\x0000",
    b"././@LongLink",
    b"path=",
    b"size=",
    b"GNU.sparse.",
    b"library.yaml",
    b"presets/",
    b"\x1f\x8b\x08",
    b"7777777",
    b"00000000000\0",
    b"\x80\0\0\0\0\0\0\0\xff",
    b"\xff",
    "\u{301}".as_bytes(),
    "\u{e9}".as_bytes(),
    b"L",
    b"x",
    b"g",
    b"S",
    b"\"digest\":",
    b"sha256:",
    b"layers",
    b"null",
    b"[]",
    b"{}",
    b"name: ",
    b"version: ",
    b"git: ",
    b"oci: ",
    b"path: ",
];
