use super::{Project, ProviderKind};
use crate::testing::{check_places, findings, mutated, source};
use proptest::prelude::*;

const STUDIO: &str = r#"castline: 1
provider: studio
providers:
  studio: { kind: cog, base_url: http://127.0.0.1:5000, models: [me/upscaler] }
  proxy:
    kind: replicate
    base_url: https://gateway.example.com/replicate/v1
    token_env: GATEWAY_KEY
    parallel: 20
    realm: public
limits: { budget_usd: 5.00, budget_usd_per_day: 20, parallel: 16, confirm_above_usd: 0 }
prices:
  flux-schnell: { usd: 0.01, per: image }
sandbox: { latency: realistic, fail: { flux-dev: out of memory, "*": throttled } }
out: pictures
store: ../store
"#;

fn found(text: &str) -> String {
    findings(&Project::parse(&source(text)).1)
}

#[test]
fn a_project_is_read() {
    let (project, findings_of) = Project::parse(&source(STUDIO));
    assert_eq!(findings(&findings_of), "");
    let project = project.unwrap();
    let studio = &project.providers["studio"];
    assert_eq!(
        (studio.kind, studio.models.as_slice()),
        (ProviderKind::Cog, ["me/upscaler".to_owned()].as_slice())
    );
    let proxy = &project.providers["proxy"];
    assert_eq!((proxy.parallel, proxy.public_realm), (Some(20), true));
    assert_eq!(proxy.token_env.as_ref().unwrap().value, "GATEWAY_KEY");
    assert_eq!(project.limits.budget_usd.as_ref().map(|usd| usd.value), Some(5.0));
    assert_eq!(project.limits.parallel.as_ref().unwrap().value, 16);
    assert_eq!(project.prices["flux-schnell"].iter().map(|p| p.usd_max).collect::<Vec<_>>(), [0.01]);
    assert!(project.sandbox.realistic_latency);
    assert_eq!(project.sandbox.fail["*"], "throttled");
    assert_eq!(project.store.unwrap().value, "../store");
}

#[test]
fn an_empty_project_is_a_project() {
    let (project, found) = Project::parse(&source("# nothing yet\n"));
    assert!(project.is_some_and(|project| project.providers.is_empty()) && found.list.is_empty());
}

#[test]
fn each_mistake_is_one_finding() {
    let texts = [
        "provder: x",
        "provider: [x]",
        "when_lost: never",
        "providers: {replicate: {kind: cog, base_url: http://x}}",
        "providers: {My Own: {kind: cog, base_url: http://x}}",
        "providers: {a: {kind: cogg, base_url: ftp://x}}",
        "providers: {a: {knd: cog}}",
        "providers: {a: {kind: cog, base_url: http://x, rate: {create: 1/day, rd: 1/s}, upload: ftp, list_lag: soon}}",
        "providers: {a: {kind: cog, base_url: http://x, parallel: 0, realm: private, models: me/x}}",
        "limits: {budget: 5, parallel: many}",
        "limits: {budget_usd: -5}",
        "limits: {budget_usd: 5 USD}",
        "prices: {a: 4}",
        "sandbox: {latency: slow, fail: {a: 4}}",
        "out: 4",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}--- {text}\n{}", found(text)));
    insta::assert_snapshot!(all, @r#"
    --- provder: x
    error[unknown-key] 1:1-8 <provder>: a project has no key `provder`
      hint: there is a key `provider`
      fix 1:1-8: provder -> provider
    --- provider: [x]
    error[wrong-type] 1:11-14 <[x]>: `provider` takes text, not a list
    --- when_lost: never
    error[invalid-value] 1:12-17 <never>: `when_lost` cannot be `never`
      hint: known: `retry`, `ask`
    --- providers: {replicate: {kind: cog, base_url: http://x}}
    error[invalid-name] 1:13-22 <replicate>: `replicate` is a provider that castline brings along
      hint: give yours another name
    --- providers: {My Own: {kind: cog, base_url: http://x}}
    error[invalid-name] 1:13-19 <My Own>: `My Own` cannot be the name of a provider
      hint: such names are lower case letters, digits, `-`, `_` and `.`
    --- providers: {a: {kind: cogg, base_url: ftp://x}}
    error[invalid-value] 1:23-27 <cogg>: `kind` cannot be `cogg`
      hint: there is the value `cog`
      fix 1:23-27: cogg -> cog
    error[invalid-value] 1:39-46 <ftp://x>: `base_url` cannot be `ftp://x`
      hint: it begins with `https://` or `http://`
    --- providers: {a: {knd: cog}}
    error[missing-key] 1:13-14 <a>: provider `a` needs `base_url`
    error[unknown-key] 1:17-20 <knd>: provider `a` has no key `knd`
      hint: there is a key `kind`
      fix 1:17-20: knd -> kind
    --- providers: {a: {kind: cog, base_url: http://x, rate: {create: 1/day, rd: 1/s}, upload: ftp, list_lag: soon}}
    error[invalid-value] 1:63-68 <1/day>: `create` cannot be `1/day`
      hint: a rate is `600/min` or `10/s`
    error[unknown-key] 1:70-72 <rd>: `rate` has no key `rd`
      hint: known: `create`, `read`
    error[invalid-value] 1:88-91 <ftp>: `upload` cannot be `ftp`
      hint: known: `data-uri`, `files`
    error[invalid-value] 1:103-107 <soon>: `list_lag` cannot be `soon`
      hint: a duration is `30s`, `10m`, `1h30m`, or a number of seconds
    --- providers: {a: {kind: cog, base_url: http://x, parallel: 0, realm: private, models: me/x}}
    error[invalid-value] 1:58-59 <0>: `parallel` takes a whole number from 1 on, not 0
    error[invalid-value] 1:68-75 <private>: `realm` cannot be `private`
      hint: known: `public`
    error[wrong-type] 1:85-89 <me/x>: `models` takes a list, not text
    --- limits: {budget: 5, parallel: many}
    error[unknown-key] 1:10-16 <budget>: `limits` has no key `budget`
      hint: known: `budget_usd`, `budget_usd_per_day`, `parallel`, `confirm_above_usd`
    error[wrong-type] 1:31-35 <many>: `parallel` takes a whole number, not text
    --- limits: {budget_usd: -5}
    error[invalid-value] 1:22-24 <-5>: `budget_usd` cannot be less than 0
    --- limits: {budget_usd: 5 USD}
    error[wrong-type] 1:22-27 <5 USD>: `budget_usd` takes a number, not text
    --- prices: {a: 4}
    error[wrong-type] 1:13-14 <4>: `price` takes a map or a list of maps, not the number 4
    --- sandbox: {latency: slow, fail: {a: 4}}
    error[invalid-value] 1:20-24 <slow>: `latency` cannot be `slow`
      hint: known: `realistic`, `none`
    error[wrong-type] 1:36-37 <4>: the failure of `a` takes text, not the number 4
      hint: put it in quotes if it is text
      fix 1:36-37: 4 -> "4"
    --- out: 4
    error[wrong-type] 1:6-7 <4>: `out` takes text, not the number 4
      hint: put it in quotes if it is text
      fix 1:6-7: 4 -> "4"
    "#);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in mutated(&[STUDIO])) {
        let file = source(&text);
        check_places(&file, &Project::parse(&file).1)?;
    }
}
