use super::*;
use crate::project::Project;
use crate::testing::{findings, source};

fn found(text: &str) -> String {
    findings(&Library::parse(&source(text)).1)
}

/// What is found where a project names this place.
fn place(text: &str) -> String {
    findings(&Project::parse(&source(&format!("libraries: {{a: {{{text}}}}}"))).1)
}

fn taken(text: &str) -> Place {
    let (project, found) = Project::parse(&source(&format!("libraries: {{a: {{{text}}}}}")));
    assert!(found.list.is_empty(), "{text}: {}", findings(&found));
    project.expect("it is a map").libraries["a"].place.clone()
}

#[test]
fn a_library_says_what_it_is_and_what_it_needs() {
    let text = "castline: 1\nname: brand\nversion: 1.4.0\ndescription: Our style.\nlicence: CC0-1.0\n\
        libraries:\n  base: { git: https://example.com/base.git, rev: v2, folder: presets }\n";
    let (library, found) = Library::parse(&source(text));
    assert!(found.list.is_empty(), "{}", findings(&found));
    let library = library.expect("it is there");
    assert_eq!((library.name.value.as_str(), library.version.value.as_str()), ("brand", "1.4.0"));
    assert_eq!(library.libraries["base"].place.to_string(), "https://example.com/base.git presets at v2");
}

#[test]
fn what_is_wrong_with_a_library_is_said_at_once() {
    let texts = [
        "name: brand",
        "nam: brand\nversion: 1.4",
        "name: Brand\nversion: one two\nlicense: MIT",
        "name: std\nversion: \"1\"",
        "name: x\nversion: \"1\"\nlibraries: {model: {path: ./y}}",
        "steps: {}",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}--- {text}\n{}", found(text)));
    insta::assert_snapshot!(all);
}

#[test]
fn a_library_comes_from_one_place() {
    let texts = [
        "",
        "pat: ./x",
        "path: x",
        "path: ./x, git: https://example.com/x.git",
        "path: ./x, rev: v1",
        "git: https://example.com/x.git, rev: -v, folder: ../up",
        "oci: team/presets",
        "oci: \"registry.example.com/team/presets:1.4 \"",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}--- {text}\n{}", place(text)));
    insta::assert_snapshot!(all);
}

#[test]
fn git_is_asked_for_few_kinds_of_addresses() {
    for good in [
        "https://example.com/x.git",
        "ssh://git@example.com/x.git",
        "git@example.com:team/x.git",
        "file:///srv/x.git",
        "../x.git",
        "http://127.0.0.1:8080/x.git",
        "http://[::1]:8080/x.git",
    ] {
        taken(&format!("git: '{good}'"));
    }
    for wrong in [
        "ext::sh -c touch",
        "ext::sh",
        "--upload-pack=touch",
        "ssh://-oProxyCommand=touch/x",
        "git@-oProxyCommand=touch:x",
        "http://example.com/x.git",
        "https://me:secret@example.com/x.git",
        "git://example.com/x.git",
        "ftp://example.com/x.git",
        "https://",
        "example.com/x.git",
        "",
    ] {
        let found = place(&format!("git: '{wrong}'"));
        assert!(found.starts_with("error[invalid-value]"), "{wrong}: {found}");
        assert!(!found.contains("cannot be `https://me:secret"), "{found}");
    }
}

#[test]
fn a_registry_is_named_by_tag_or_digest() {
    let digest = format!("sha256:{}", "0f".repeat(32));
    let place: OciPlace = "oci://registry.example.com/team/presets:1.4".parse().expect("a place");
    assert_eq!((place.host.as_str(), place.repository.as_str()), ("registry.example.com", "team/presets"));
    assert_eq!(place.to_string(), "registry.example.com/team/presets:1.4");
    let by_digest: OciPlace = format!("localhost:5000/x@{digest}").parse().expect("a place");
    assert_eq!(by_digest.version, OciVersion::Digest(digest.clone()));
    assert_eq!(by_digest.to_string(), format!("localhost:5000/x@{digest}"));
    for wrong in [
        "x:1",
        "team/x:1",
        "a.b/x",
        "a.b/X:1",
        "a.b/../x:1",
        "a.b/x:-1",
        "a.b/x@sha256:12",
        "a.b/x:1 2",
        "u:p@a.b/x:1",
    ] {
        assert!(wrong.parse::<OciPlace>().is_err(), "{wrong}");
    }
}

#[test]
fn a_place_knows_its_host_and_whether_it_is_here() {
    let host = |text: &str| taken(text).host().map(str::to_owned);
    assert_eq!(host("git: 'ssh://git@example.com:22/x'").as_deref(), Some("example.com:22"));
    assert_eq!(host("git: 'git@example.com:x'").as_deref(), Some("example.com"));
    assert_eq!(host("oci: 'a.b:5000/x:1'").as_deref(), Some("a.b:5000"));
    assert_eq!(host("git: 'file:///x'"), None);
    assert!(taken("path: ../x").is_local() && taken("git: ../x").is_local());
    assert!(!taken("git: 'https://a.b/x'").is_local());
    assert!(is_loopback("127.0.0.1:80") && is_loopback("[::1]") && is_loopback("localhost"));
    assert!(!is_loopback("127.0.0.1.example.com") && !is_loopback("localhost.example.com"));
}
