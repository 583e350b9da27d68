use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Node, NodeKind, Style, Text, parse, read};
use crate::testing::{at, findings, source};

fn json(text: &str) -> Value {
    match parse(&source(text)) {
        Ok(node) => node.to_json(),
        Err(found) => panic!("{}", findings(&found)),
    }
}

fn found(text: &str) -> String {
    findings(&read(&source(text)).1)
}

#[test]
fn each_spelling_of_a_scalar_is_pinned() {
    let table = [
        ("", json!(null)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("Null", json!(null)),
        ("nULL", json!("nULL")),
        ("true", json!(true)),
        ("True", json!(true)),
        ("FALSE", json!(false)),
        ("yes", json!("yes")),
        ("On", json!("On")),
        ("off", json!("off")),
        ("1:1", json!("1:1")),
        ("16:9", json!("16:9")),
        ("12", json!(12)),
        ("+1", json!(1)),
        ("-1", json!(-1)),
        ("--1", json!("--1")),
        ("+-1", json!("+-1")),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("007", json!("007")),
        ("-007", json!("-007")),
        ("0x10", json!(16)),
        ("-0x10", json!(-16)),
        ("0X10", json!("0X10")),
        ("0o7", json!(7)),
        ("0o8", json!("0o8")),
        ("0b11", json!(3)),
        ("1_000", json!("1_000")),
        ("1.0", json!(1.0)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("1e3", json!(1000.0)),
        ("1e", json!("1e")),
        ("00.5", json!(0.5)),
        ("1.2.3", json!("1.2.3")),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("2024-01-01", json!("2024-01-01")),
        ("2026-01", json!("2026-01")),
        ("inf", json!("inf")),
        ("NaN", json!("NaN")),
        ("'12'", json!("12")),
        ("\"true\"", json!("true")),
        ("!!str 12", json!("12")),
        ("!!int '12'", json!(12)),
        ("!!float 1", json!(1.0)),
        ("!!bool 'true'", json!(true)),
    ];
    for (text, value) in table {
        assert_eq!(json(&format!("a: {text}\n"))["a"], value, "{text}");
        let theirs: Value = serde_yaml::from_str(&format!("a: {text}\n")).unwrap();
        assert_eq!(theirs["a"], value, "yaml_serde reads {text} otherwise");
    }
}

#[test]
fn numbers_that_json_cannot_say_are_findings() {
    insta::assert_snapshot!(found("a: .inf\nb: -.INF\nc: .nan\nd: 99999999999999999999\n"), @r#"
    error[yaml-trap] 1:4-8 <.inf>: `.inf` is a number that JSON does not have
      hint: put it in quotes if it is text
      fix 1:4-8: .inf -> ".inf"
    error[yaml-trap] 2:4-9 <-.INF>: `-.INF` is a number that JSON does not have
      hint: put it in quotes if it is text
      fix 2:4-9: -.INF -> "-.INF"
    error[yaml-trap] 3:4-8 <.nan>: `.nan` is a number that JSON does not have
      hint: put it in quotes if it is text
      fix 3:4-8: .nan -> ".nan"
    error[yaml-trap] 4:4-24 <99999999999999999999>: `99999999999999999999` is a whole number of more than 64 bits
      hint: write one up to 18446744073709551615, or put it in quotes if it is text
    "#);
}

#[test]
fn a_place_is_counted_in_characters_and_bytes() {
    let node = parse(&source("# größe 🎨\nä: 'é' # ü\n\"ö\": [日本, x]\n")).unwrap();
    let NodeKind::Map(entries) = &node.kind else { panic!() };
    let spans: Vec<_> = entries.iter().map(|(k, v)| (at(k.span), at(v.span))).collect();
    assert_eq!(
        spans,
        [("2:1-2".into(), "2:4-7".into()), ("3:1-4".into(), "3:6-13".into())] as [(String, String); 2]
    );
    let list = entries[1].1.kind.clone();
    let NodeKind::List(items) = list else { panic!() };
    assert_eq!(at(items[1].span), "3:11-12");
    assert_eq!(items[1].span.start.offset, "# größe 🎨\nä: 'é' # ü\n\"ö\": [日本, ".len());
}

/// Every byte of the text that is a letter or a digit must lie at the place where it was written.
fn assert_places(file: &str, text: &Text) {
    let map = text.map(&source(file));
    for (offset, c) in text.value.char_indices() {
        let pos = map.pos(offset);
        assert_eq!(pos, source(file).pos(pos.offset), "{file:?}: place of {c:?} in {:?}", text.value);
        if c.is_alphanumeric() && text.style != Style::Double {
            assert!(
                file[pos.offset..].starts_with(c),
                "{file:?}: {c:?} in {:?} is not at {pos:?}",
                text.value
            );
        }
    }
    let end = map.pos(text.value.len());
    assert!(end.offset <= file.len());
}

fn texts(node: &Node) -> Vec<Text> {
    match &node.kind {
        NodeKind::Text(text) => vec![text.clone()],
        NodeKind::List(items) => items.iter().flat_map(texts).collect(),
        NodeKind::Map(entries) => entries.iter().flat_map(|(_, node)| texts(node)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_style_of_text_maps_back_to_its_place() {
    let files = [
        "a: plain text é over\n  two lines\n\n  and a gap\n",
        "a: 'it''s  é\n\n  single x ''y'''\n",
        "a: \"esc \\u00e9 \\x41b \\\" \\n c \\\n   joined\\\n\n   d\n\n\n  e\\n\n  f\"\n",
        "a: |\n  one é\n   two\n\n  three\nb: x\n",
        "a: |2\n    one\n  two\n",
        "a: |+\n\n\n  one\n\n",
        "a: |-\n  one",
        "a: >\n  folded é\n  line\n\n  para\n    more\n    indented\n  back\n\n\nb: x\n",
        "a: >-\n\n  late start\n  x\n",
        "- &x |\n  anchored\n  block\n- *x\n",
        "- !!str &y >\n\n  tagged é\n  block\n- &z 'q'\n- &p # note\n  plain\n",
        "\u{feff}a: one é\r\nb: |\r\n  two\r\n  three\r\nc: 'four\r\n  five'\r\n",
        "a:\n  - - |\n     deep\n     er\n    - >\n     folded\n     too\n",
        "[a b, 'c', \"d\", {e: f g}]\n",
        "|\n top\n level\n",
        "a: |\n  x\ttab\n  \ty\n",
        "a: |\n  ends\n  here",
        "a: >+\n  ends\n  here",
        "a: |\n  ends here\n  ",
        "a: |\n   ends here\n\n ",
    ];
    for file in files {
        let node = parse(&source(file)).unwrap_or_else(|d| panic!("{file:?} {}", findings(&d)));
        let theirs: Value = serde_yaml::from_str(file.trim_start_matches('\u{feff}'))
            .unwrap_or_else(|e| panic!("{file:?} {e}"));
        assert_eq!(node.to_json(), theirs, "{file:?}");
        for text in texts(&node) {
            assert_places(file, &text);
        }
    }
}

#[test]
fn the_span_of_a_text_is_what_was_written() {
    let file =
        "a: 'x' # note\nb: \"y\\\"\"  \nc: |\n  one\n  two\n\nd: >-\n\n  x\ne: plain  # n\nf: &q 'z'\n";
    let node = parse(&source(file)).unwrap();
    let spans: Vec<_> = texts(&node).iter().map(|t| source(file).slice(t.span).to_owned()).collect();
    assert_eq!(spans, ["'x'", "\"y\\\"\"", "one\n  two", "x", "plain", "'z'"]);
}

#[test]
fn a_list_or_map_ends_where_its_last_value_ends() {
    let file = "a:\n  b: 1\n  c: [x, {y: z} ] # note\n\n# more\nd:\n- 1\n- e:\n\n";
    let node = parse(&source(file)).unwrap();
    let value = |key: &str| source(file).slice(node.get(key).unwrap().span).to_owned();
    assert_eq!(value("a"), "b: 1\n  c: [x, {y: z} ]");
    assert_eq!(value("d"), "- 1\n- e:");
    assert_eq!(at(node.get("a").unwrap().get("c").unwrap().span), "3:6-18");
}

#[test]
fn what_is_left_out_is_right_after_its_key() {
    let node = parse(&source("a:\n\n\nb: { c: , d }\n")).unwrap();
    assert_eq!(at(node.get("a").unwrap().span), "1:3");
    let b = node.get("b").unwrap();
    assert_eq!((at(b.get("c").unwrap().span), at(b.get("d").unwrap().span)), ("4:8".into(), "4:12".into()));
}

#[test]
fn a_color_without_quotes_is_a_comment() {
    insta::assert_snapshot!(found("a:\n  background: #ff8800\n  n: 1\n"));
}

#[test]
fn valid_text_gets_no_complaint() {
    let quiet = [
        "a: 1:1\nb: On\nc: 16:9\nd: yes\n",
        "a: value  # words\nb: value # words\nc: 4 #\n",
        "a: \"{{ x }}\"\nb: '{% if x %}'\nc: see {{ x }} there\nd: |\n  {{ x }}\n",
        "a: # fff\nb: x#4\nc: 'paint #4'\n",
        "key: \tvalue\n",
        "? a\n: b\n",
        "a: &x [1]\nb: *x\n",
        "\u{feff}a: 1\r\nb: 2\r\n",
        "--- # start\na: 1\n...\n",
        "%YAML 1.2\n---\na: 1\n",
        "\"<<\": 1\n",
        "",
        "# only a comment\n",
    ];
    for text in quiet {
        assert_eq!(found(text), "", "{text:?}");
    }
}

#[test]
fn templates_without_quotes_are_one_finding_each() {
    insta::assert_snapshot!(found("a: {{ inputs.x }}\nb: 1\nc: [{{ a.b }}, {{ x | f }}]\nd: { e: {{ x }} }\nf:\n  {{ x }}\n"), @r#"
    error[yaml-trap] 1:4-18 <{{ inputs.x }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:4-18: {{ inputs.x }} -> "{{ inputs.x }}"
    error[yaml-trap] 3:5-14 <{{ a.b }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 3:5-14: {{ a.b }} -> "{{ a.b }}"
    error[yaml-trap] 3:16-27 <{{ x | f }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 3:16-27: {{ x | f }} -> "{{ x | f }}"
    error[yaml-trap] 4:9-16 <{{ x }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 4:9-16: {{ x }} -> "{{ x }}"
    error[yaml-trap] 6:3-10 <{{ x }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 6:3-10: {{ x }} -> "{{ x }}"
    "#);
}

#[test]
fn a_template_that_is_no_yaml_at_all_is_a_finding_about_quotes() {
    let texts = [
        "prompt: {{ x }} more\n",
        "prompt: {{ x }} more # note\nb: 1\n",
        "prompt: {{ steps['x'].image }}\n",
        "with: { prompt: {{ \"a, b\" ~ c }}, b: 1 }\n",
        "a:\n  - {{ f('}}') }} {{ y }}\n",
        "a: {% if x %}y{% endif %}\nb: 1\n",
        "a: {# note #} text\nb: 1\n",
        "a: {{ x | default(\"y\") }}\n",
        "a: {{ x\nb: 1\n",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}{text:?}\n{}", found(text)));
    insta::assert_snapshot!(all, @r#"
    "prompt: {{ x }} more\n"
    error[yaml-trap] 1:9-21 <{{ x }} more>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:9-21: {{ x }} more -> "{{ x }} more"
    "prompt: {{ x }} more # note\nb: 1\n"
    error[yaml-trap] 1:9-21 <{{ x }} more>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:9-21: {{ x }} more -> "{{ x }} more"
    "prompt: {{ steps['x'].image }}\n"
    error[yaml-trap] 1:9-31 <{{ steps['x'].image }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:9-31: {{ steps['x'].image }} -> "{{ steps['x'].image }}"
    "with: { prompt: {{ \"a, b\" ~ c }}, b: 1 }\n"
    error[yaml-trap] 1:17-33 <{{ "a, b" ~ c }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:17-33: {{ "a, b" ~ c }} -> '{{ "a, b" ~ c }}'
    "a:\n  - {{ f('}}') }} {{ y }}\n"
    error[yaml-trap] 2:5-26 <{{ f('}}') }} {{ y }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 2:5-26: {{ f('}}') }} {{ y }} -> "{{ f('}}') }} {{ y }}"
    "a: {% if x %}y{% endif %}\nb: 1\n"
    error[yaml-trap] 1:4-26 <{% if x %}y{% endif %}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:4-26: {% if x %}y{% endif %} -> "{% if x %}y{% endif %}"
    "a: {# note #} text\nb: 1\n"
    error[yaml-trap] 1:4-19 <{# note #} text>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:4-19: {# note #} text -> "{# note #} text"
    "a: {{ x | default(\"y\") }}\n"
    error[yaml-trap] 1:4-26 <{{ x | default("y") }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:4-26: {{ x | default("y") }} -> '{{ x | default("y") }}'
    "a: {{ x\nb: 1\n"
    error[yaml-trap] 1:4-8 <{{ x>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:4-8: {{ x -> "{{ x"
    "#);
}

#[test]
fn a_template_without_quotes_is_read_as_it_was_meant() {
    let (node, _) = read(&source("a: {{ inputs.x }}\nb: 1\n"));
    assert_eq!(node.unwrap().to_json(), json!({"a": "{{ inputs.x }}", "b": 1}));
}

#[test]
fn traps_are_findings() {
    let texts = [
        "a: 1\nb: 2\na: 3\n'b': 4\n",
        "a: &x {b: 1}\nc:\n  <<: *x\n",
        "prompt: paint #4 red\nb: [x #y\n  ]\n",
        "a:\tb\n",
        "a:\n\tb: 1\n",
        "a:\n  b: 1\n\tc: 2\n",
        "prompt: Style: watercolor\n",
        "rows: @rows.csv\n",
        "a: *\n",
        "a: **bold**\n",
        "a: %x\n",
        "a: !important x\n",
        "a: !x [1]\nb: !y {c: 1}\n",
        "a: [?b, c?]\n",
        "a: {&type: x}\n",
        "a: &b:c x\n",
        "# note\n%größe\na: 1\n",
        "a: \"x\" y\n",
        "a: \"x\nb: y\n",
        "a: 'x\n",
        "a: \"\\d\"\n",
        "a: b\n c\nd\n",
        "a: b\nc d\n\ne: f\n",
        "a: 1\n b: 2\n",
        "- a\nb: 1\n",
        "a: [1, 2\nb: 3\n",
        "a: {b: 1\n",
        "a: text # cut\n  more text\n",
        "a: 1\n---\nb: 2\n",
        "{a: 1}: 2\n[x]: 3\n",
        "a: &a [*a]\n",
        "a: \u{0}\n",
        "a: \"16:9\"#wide\n",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}{text:?}\n{}", found(text)));
    insta::assert_snapshot!(all, @r##"
    "a: 1\nb: 2\na: 3\n'b': 4\n"
    error[duplicate-key] 3:1-2 <a>: key `a` stands twice
      label 1:1-2: first here
    error[duplicate-key] 4:1-4 <'b'>: key `b` stands twice
      label 2:1-2: first here
    "a: &x {b: 1}\nc:\n  <<: *x\n"
    error[yaml-trap] 3:3-5 <<<>: `<<` merges nothing: it would be a key like any other
      hint: write the keys out; an alias `*name` can stand for a whole value
    "prompt: paint #4 red\nb: [x #y\n  ]\n"
    warning[yaml-trap] 1:15-21 <#4 red>: the text ends before ` #`: the rest of the line is a comment
      hint: put the text in quotes, or a space after `#` if it is a comment
      fix 1:9-21: paint #4 red -> "paint #4 red"
    warning[yaml-trap] 2:7-9 <#y>: the text ends before ` #`: the rest of the line is a comment
      hint: put the text in quotes, or a space after `#` if it is a comment
    "a:\tb\n"
    error[yaml-trap] 1:3-4 <	>: a tab stands where YAML takes only a space
      hint: write a space
      fix 1:3-4: 	 ->  
    "a:\n\tb: 1\n"
    error[yaml-trap] 2:1-2 <	>: a tab stands in the indentation
      hint: YAML takes only spaces there
      fix 2:1-2: 	 ->   
    "a:\n  b: 1\n\tc: 2\n"
    error[yaml-trap] 3:1-2 <	>: a tab stands in the indentation
      hint: YAML takes only spaces there
      fix 3:1-2: 	 ->   
    "prompt: Style: watercolor\n"
    error[yaml-syntax] 1:14-15 <:>: `: ` stands inside a text without quotes
      hint: put the text in quotes
      fix 1:9-26: Style: watercolor -> "Style: watercolor"
    "rows: @rows.csv\n"
    error[yaml-syntax] 1:7-8 <@>: text without quotes cannot begin with `@`
      hint: put the text in quotes
      fix 1:7-16: @rows.csv -> "@rows.csv"
    "a: *\n"
    error[yaml-syntax] 1:4-5 <*>: text without quotes cannot begin with `*`
      hint: put the text in quotes
      fix 1:4-5: * -> "*"
    "a: **bold**\n"
    error[yaml-syntax] 1:4-5 <*>: text without quotes cannot begin with `*`
      hint: put the text in quotes
      fix 1:4-12: **bold** -> "**bold**"
    "a: %x\n"
    error[yaml-syntax] 1:4-5 <%>: text without quotes cannot begin with `%`
      hint: put the text in quotes
      fix 1:4-6: %x -> "%x"
    "a: !important x\n"
    error[yaml-trap] 1:4-14 <!important>: castline has no tags such as `!name`
      hint: text that begins with `!` needs quotes
      fix 1:4-16: !important x -> "!important x"
    "a: !x [1]\nb: !y {c: 1}\n"
    error[yaml-trap] 1:4-6 <!x>: castline has no tags such as `!name`
      hint: text that begins with `!` needs quotes
    error[yaml-trap] 2:4-6 <!y>: castline has no tags such as `!name`
      hint: text that begins with `!` needs quotes
    "a: [?b, c?]\n"
    error[yaml-trap] 1:5-7 <?b>: text that begins with `?` is a key to some readers of YAML
      hint: put it in quotes
      fix 1:5-7: ?b -> "?b"
    "a: {&type: x}\n"
    error[yaml-trap] 1:5-11 <&type:>: `type:` is not a name for an anchor
      hint: text that begins with `&` needs quotes; an anchor is named with letters, digits, `-` and `_`
    "a: &b:c x\n"
    error[yaml-trap] 1:4-8 <&b:c>: `b:c` is not a name for an anchor
      hint: text that begins with `&` needs quotes; an anchor is named with letters, digits, `-` and `_`
    "# note\n%größe\na: 1\n"
    error[yaml-syntax] 2:1-7 <%größe>: a directive has characters that directives cannot have
      hint: a document needs no line that begins with `%`
    "a: \"x\" y\n"
    error[yaml-syntax] 1:8-9 <y>: something stands after the closing quote
      hint: put all of it inside the quotes; `''` is a quote inside single quotes
    "a: \"x\nb: y\n"
    error[yaml-syntax] 1:4-5 <">: a quote is opened and not closed
      hint: add the closing quote, or indent the lines of the text
    "a: 'x\n"
    error[yaml-syntax] 1:4-5 <'>: a quote is opened and not closed
      hint: add the closing quote
    "a: \"\\d\"\n"
    error[yaml-syntax] 1:4-5 <">: `\` begins an escape inside double quotes, and this one does not exist
      hint: use single quotes, or write `\\`
    "a: b\n c\nd\n"
    error[yaml-syntax] 3:1-2 <d>: this line is neither `key: value` nor part of the value above
      hint: end the key with `:`, or indent the line to continue the text above
    "a: b\nc d\n\ne: f\n"
    error[yaml-syntax] 2:1-4 <c d>: this line is neither `key: value` nor part of the value above
      hint: end the key with `:`, or indent the line to continue the text above
    "a: 1\n b: 2\n"
    error[yaml-syntax] 2:3-4 <:>: a key stands where the text above goes on
      hint: indent it like the keys around it, or put the text in quotes
    "- a\nb: 1\n"
    error[yaml-syntax] 2:1-2 <b>: something else than a list item stands here
      hint: is the line indented like the items above
    "a: [1, 2\nb: 3\n"
    error[yaml-syntax] 2:2-3 <:>: a key stands inside a list or map that is not closed
      hint: add the closing bracket above
    "a: {b: 1\n"
    error[yaml-syntax] 2:1 <>: `,` or `}` is missing here
      hint: text with `,`, `[` or `{` in it needs quotes inside braces
    "a: text # cut\n  more text\n"
    error[yaml-syntax] 1:9-10 <#>: a comment stands in the middle of a text
      hint: put the text in quotes if ` #` belongs to it
    "a: 1\n---\nb: 2\n"
    error[yaml-syntax] 2:1-4 <--->: a second document begins here
      hint: a file holds one document; put the other into a file of its own
    "{a: 1}: 2\n[x]: 3\n"
    error[invalid-name] 1:1-7 <{a: 1}>: a key is text, not a list or a map
      hint: text that begins with `{` or `[` needs quotes
    error[invalid-name] 2:1-4 <[x]>: a key is text, not a list or a map
      hint: text that begins with `{` or `[` needs quotes
    "a: &a [*a]\n"
    error[yaml-syntax] 1:8-10 <*a>: an alias stands inside the value that it repeats
    "a: \0\n"
    error[yaml-syntax] 1:4 <>: the character U+0000 cannot be printed
      hint: remove it
    "a: \"16:9\"#wide\n"
    error[yaml-syntax] 1:10-11 <#>: a comment begins right after a value
      hint: put a blank before `#`, or the whole text in quotes
    "##);
}

#[test]
fn what_another_reader_refuses_is_a_finding() {
    let texts = [
        "%YAML 3.0\n---\na: 1\n",
        "%FOO x\n---\na: 1\n",
        "...\n%FOO x\n---\na: 1\n",
        ": x\n",
        "a: { : x }\n",
        "{a\n b: c}\n",
        "{a # x\n : c}\n",
        "{'a\n b': c}\n",
        "{&a\n b: c}\n",
        "a: !!int x\nb: !!bool 1\nc: !!null ''\nd: !!float ''\n",
        "|\n# one\ntwo\n",
        "a: 'b\u{7}'\n",
        "a: [|b, >c]\n",
        "a: [b,:c]\n",
        "a: {b:, c: 1}\n",
        "a: {b:[c]}\n",
        "# \u{7f}\na: 1\n",
    ];
    let all = texts.iter().fold(String::new(), |out, text| {
        let theirs = serde_yaml::from_str::<Value>(text);
        assert!(theirs.is_err(), "{text:?} {theirs:?}");
        format!("{out}{text:?}\n{}", found(text))
    });
    insta::assert_snapshot!(all, @r##"
    "%YAML 3.0\n---\na: 1\n"
    error[yaml-syntax] 1:1-10 <%YAML 3.0>: there is no YAML of version `3.0`
      hint: a document needs no line that begins with `%`
    "%FOO x\n---\na: 1\n"
    error[yaml-syntax] 1:1-7 <%FOO x>: YAML has no directive `%FOO`
      hint: a document needs no line that begins with `%`
    "...\n%FOO x\n---\na: 1\n"
    error[yaml-syntax] 2:1-7 <%FOO x>: YAML has no directive `%FOO`
      hint: a document needs no line that begins with `%`
    ": x\n"
    error[yaml-syntax] 1:1-2 <:>: a key is missing before `:`
      hint: text that begins with `:` needs quotes
    "a: { : x }\n"
    error[yaml-syntax] 1:6-7 <:>: a key is missing before `:`
      hint: text that begins with `:` needs quotes
    "{a\n b: c}\n"
    error[yaml-syntax] 1:2-2:3 <a\n b>: a key and its `:` do not stand on one line
      hint: is a comma or a closing bracket missing
    "{a # x\n : c}\n"
    error[yaml-syntax] 1:2-3 <a>: a key and its `:` do not stand on one line
      hint: is a comma or a closing bracket missing
    "{'a\n b': c}\n"
    error[yaml-syntax] 1:2-2:4 <'a\n b'>: a key and its `:` do not stand on one line
      hint: is a comma or a closing bracket missing
    "{&a\n b: c}\n"
    error[yaml-syntax] 2:2-3 <b>: a key and its `:` do not stand on one line
      hint: is a comma or a closing bracket missing
    "a: !!int x\nb: !!bool 1\nc: !!null ''\nd: !!float ''\n"
    error[yaml-trap] 1:10-11 <x>: the value is not what its tag `!!int` says
      hint: leave the tag out
    error[yaml-trap] 2:11-12 <1>: the value is not what its tag `!!bool` says
      hint: leave the tag out
    error[yaml-trap] 3:11-13 <''>: the value is not what its tag `!!null` says
      hint: leave the tag out
    error[yaml-trap] 4:12-14 <''>: the value is not what its tag `!!float` says
      hint: leave the tag out
    "|\n# one\ntwo\n"
    error[yaml-syntax] 2:1-3:4 <# one\ntwo>: the lines below `|` or `>` are not indented
      hint: indent them
    "a: 'b\u{7}'\n"
    error[yaml-syntax] 1:6 <>: the character U+0007 cannot be printed
      hint: remove it
    "a: [|b, >c]\n"
    error[yaml-trap] 1:5-7 <|b>: text that begins with `|` is a block of lines to some readers of YAML
      hint: put it in quotes
      fix 1:5-7: |b -> "|b"
    error[yaml-trap] 1:9-11 <>c>: text that begins with `>` is a block of lines to some readers of YAML
      hint: put it in quotes
      fix 1:9-11: >c -> ">c"
    "a: [b,:c]\n"
    error[yaml-trap] 1:7-9 <:c>: text that begins with `:` is the value of a key to some readers of YAML
      hint: put it in quotes
      fix 1:7-9: :c -> ":c"
    "a: {b:, c: 1}\n"
    error[yaml-syntax] 1:6-7 <:>: a blank is missing after `:`
      hint: write a blank
      fix 1:6-7: : -> : 
    "a: {b:[c]}\n"
    error[yaml-syntax] 1:6-7 <:>: not YAML: ':' may not precede any of `[{` in flow mapping
    "# \u{7f}\na: 1\n"
    error[yaml-syntax] 1:3 <>: the character U+007F cannot be printed
      hint: remove it
    "##);
}

#[test]
fn a_line_ends_where_every_reader_ends_it() {
    let said = found("a: one\u{2028}two # x\u{85}y\n");
    let twice = found("\u{feff}\u{feff}a: 1\n").replace('\u{feff}', "[BOM]");
    assert!(twice.starts_with("error[yaml-syntax] 1:1-2 <[BOM]>: the character U+FEFF"), "{twice}");
    let shown = said.replace('\u{2028}', "[LS]").replace('\u{85}', "[NEL]");
    insta::assert_snapshot!(shown, @r"
    error[yaml-trap] 1:7-8 <[LS]>: the character U+2028 is the end of a line to some readers of YAML
      hint: put a blank there; inside double quotes the character is `\u2028`
      fix 1:7-8: [LS] ->  
    error[yaml-trap] 1:15-16 <[NEL]>: the character U+0085 is the end of a line to some readers of YAML
      hint: put a blank there; inside double quotes the character is `\u0085`
      fix 1:15-16: [NEL] ->
    ");
}

#[test]
fn a_key_is_as_long_as_another_reader_takes_it() {
    for (length, taken) in [(1024, true), (1025, false)] {
        for text in [format!("{}: x\n", "k".repeat(length)), format!("{{{}: x}}\n", "k".repeat(length))] {
            assert_eq!(parse(&source(&text)).is_ok(), taken, "{length}");
            assert_eq!(serde_yaml::from_str::<Value>(&text).is_ok(), taken, "{length}");
        }
    }
    assert!(parse(&source(&format!("{{{}: x}}\n", "é".repeat(600)))).is_err());
    assert_eq!(json("? a\n  b\n: c\n? \n: d\n"), json!({"a b": "c", "": "d"}));
}

#[test]
fn nesting_and_aliases_have_limits() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&source(&nested(128))).is_ok());
    assert!(found(&nested(129)).contains("nested deeper than 128"));
    assert!(found(&nested(100_000)).contains("yaml-syntax"));
    let laughs: String = (0..9).fold("a0: &a0 [x, x]\n".into(), |text, i| {
        format!("{text}a{0}: &a{0} [*a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}]\n", i + 1)
    });
    assert!(found(&laughs).contains("aliases grow"));
    let deep: String =
        (0..200).fold("a0: &a0 [x]\n".into(), |t, i| format!("{t}a{0}: &a{0} [*a{i}]\n", i + 1));
    assert!(found(&deep).contains("nested deeper"), "{}", found(&deep));
}

#[test]
fn an_alias_is_the_value_and_the_place_of_its_anchor() {
    let node = parse(&source("a: &x {b: 1}\nc: *x\n")).unwrap();
    assert_eq!(node.get("a"), node.get("c"));
    assert_eq!(json("- &k key\n- *k : 1\n"), json!(["key", {"key": 1}]));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|n| json!(n)),
        "[ -~éü日\n\t]{0,20}".prop_map(|s| json!(s)),
        "[a-z:#{}%' \n]{0,12}".prop_map(|s| json!(s)),
        "[+-]?(0[xob])?[0-9_.e:]{1,8}".prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(("[a-z0-9 :#é-]{0,8}", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_yaml_serde_writes_is_read_as_yaml_serde_reads_it(value in value()) {
        let text = serde_yaml::to_string(&value).unwrap();
        let theirs: Value = serde_yaml::from_str(&text).unwrap();
        let node = parse(&source(&text)).map_err(|d| TestCaseError::fail(format!("{text}\n{}", findings(&d))))?;
        prop_assert_eq!(node.to_json(), theirs, "{}", text);
        for text_node in texts(&node) {
            assert_places(&text, &text_node);
        }
    }

    #[test]
    fn a_plain_scalar_is_read_as_yaml_serde_reads_it(text in "[-+.0-9a-zA-Z_~:]{1,10}") {
        let file = format!("a: {text}\n");
        let theirs = serde_yaml::from_str::<Value>(&file);
        let ours = parse(&source(&file));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours.to_json(), theirs, "{}", file),
            (Err(_), Ok(theirs)) => prop_assert_eq!(&theirs["a"], &Value::Null, "{}", file),
            (Ok(ours), Err(error)) => prop_assert!(false, "{file} {ours:?} {error}"),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}|[ \n\t:'\"{}\\[\\]#&*!|>%@`,?a-c0\\\\-]{0,60}") {
        let file = source(&text);
        let (node, _) = read(&file);
        for text_node in node.iter().flat_map(texts) {
            text_node.map(&file);
        }
    }
}
