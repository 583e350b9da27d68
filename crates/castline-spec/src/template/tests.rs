use std::fmt::Write;

use minijinja::machinery;
use proptest::prelude::*;

use super::names::{FILTERS, FUNCTIONS, TESTS};
use super::{All, Dynamic, Reference, Scope, Shape, Target, Template};
use crate::diagnostic::Diagnostics;
use crate::raw::{self, NodeKind, Text};
use crate::span::Source;
use crate::testing::{at, findings, source};

fn text_of(file: &Source) -> Text {
    let node = raw::parse(file).unwrap_or_else(|found| panic!("{}", findings(&found)));
    match node.get("a").map(|node| node.kind.clone()) {
        Some(NodeKind::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn parse(file: &str) -> Result<Template, Diagnostics> {
    let file = source(file);
    Template::parse(&text_of(&file), &file, Scope::SAVE).map(|template| template.expect("a template"))
}

/// A template written as a quoted text in a file.
fn quoted(code: &str) -> String {
    format!("a: '{}'\n", code.replace('\'', "''"))
}

fn template(code: &str) -> Template {
    parse(&quoted(code)).unwrap_or_else(|found| panic!("{}", findings(&found)))
}

fn refused(code: &str) -> String {
    match parse(&quoted(code)) {
        Ok(template) => panic!("{template:?}"),
        Err(found) => findings(&found),
    }
}

fn describe(reference: &Reference) -> String {
    let rest = |rest: &[String]| rest.iter().fold(String::new(), |out, part| out + "." + part);
    let target = match &reference.target {
        Target::Input(name, more) => format!("input {}{}", name.value, rest(more)),
        Target::Var(name) => format!("var {}", name.value),
        Target::Each(name, more) => format!("each {}{}", name.value, rest(more)),
        Target::Index(name) => format!("index {}", name.value),
        Target::File => "file".into(),
        Target::Read(path) => format!("read {} @{}", path.value, at(path.span)),
        Target::Step { step, all, attribute, rest: more, picked, tested } => {
            let all = match all {
                None => String::new(),
                Some(All::Every) => " all".into(),
                Some(All::Named(axes)) => axes
                    .iter()
                    .fold(" all".into(), |text, axis| format!("{text} {}@{}", axis.value, at(axis.span))),
            };
            let attribute =
                attribute.as_ref().map(|a| format!(" .{}@{}", a.value, at(a.span))).unwrap_or_default();
            let picked = if *picked { " picked" } else { "" };
            let tested = if *tested { " tested" } else { "" };
            format!("step {}@{}{all}{picked}{attribute}{}{tested}", step.value, at(step.span), rest(more))
        }
    };
    let guarded = if reference.guarded { " guarded" } else { "" };
    let whole = if reference.whole { " whole" } else { "" };
    format!("{target}{guarded}{whole}")
}

fn references(template: &Template, file: &str) -> String {
    let file = source(file);
    template.references.iter().fold(String::new(), |mut out, reference| {
        let _ =
            writeln!(out, "{} <{}> {}", at(reference.span), file.slice(reference.span), describe(reference));
        out
    })
}

fn all_references(codes: &[&str]) -> String {
    codes.iter().fold(String::new(), |mut out, code| {
        let file = quoted(code);
        let _ = write!(out, "{code}\n{}", references(&template(code), &file));
        out
    })
}

#[test]
fn a_lone_expression_keeps_its_code_and_anything_else_is_text() {
    let shapes = [
        ("{{ inputs.x }}", Shape::Lone, "inputs.x"),
        ("  {{- inputs.x -}}\n ", Shape::Lone, "inputs.x"),
        ("{{ (inputs.x) | upper }}", Shape::Lone, "(inputs.x) | upper"),
        ("{{ '}}' }}", Shape::Lone, "'}}'"),
        ("{{ [1, 2] }}", Shape::Lone, "[1, 2]"),
        ("{{ inputs.x }}.", Shape::Text, "{{ inputs.x }}."),
        ("{{ inputs.x }} {{ inputs.y }}", Shape::Text, "{{ inputs.x }} {{ inputs.y }}"),
        ("{% if inputs.x %}y{% endif %}", Shape::Text, "{% if inputs.x %}y{% endif %}"),
        ("{{ inputs.x }}{# note #}", Shape::Text, "{{ inputs.x }}{# note #}"),
        ("{# note #}", Shape::Text, "{# note #}"),
        (
            "{{ inputs.x }}{% if inputs.y %}{% endif %}{{ inputs.x }}",
            Shape::Text,
            "{{ inputs.x }}{% if inputs.y %}{% endif %}{{ inputs.x }}",
        ),
    ];
    for (text, shape, code) in shapes {
        let file = source(&format!("a: \"{}\"\n", text.replace('\n', "\\n")));
        let parsed = Template::parse(&text_of(&file), &file, Scope::STEP).unwrap().unwrap();
        assert_eq!((parsed.shape, &*parsed.code), (shape, code), "{text}");
        if shape == Shape::Lone {
            assert_eq!(file.slice(parsed.span()), code);
        }
    }
}

#[test]
fn text_without_braces_is_no_template() {
    for text in ["a: plain { text }\n", "a: 'a } b'\n", "a: '{x}'\n"] {
        let file = source(text);
        assert_eq!(Template::parse(&text_of(&file), &file, Scope::STEP), Ok(None));
    }
}

#[test]
fn references_have_their_target_and_place() {
    insta::assert_snapshot!(all_references(&[
        "{{ inputs.subject }}",
        "{{ inputs['subject'].a.b[0]['c'] }}",
        "{{ inputs.rows[index.row].name[1:2] }}",
        "{{ vars.style }}",
        "{{ each.row.sku }} {{ index.row }} {{ file.index }}",
        "{{ read('./notes/a.md') }}",
        "{{ steps.draft.image }}",
        "{{ steps.draft.image.width }}",
        "{{ steps['draft'].images[0].digest }}",
        "{{ steps.draft.images[-1] }}",
        "{{ steps.x.all.image }}",
        "{{ steps.x.all('a', 'b').image }}",
        "{{ steps.x.all[0].image }}",
        "{{ steps.x.all[index.i].image }}",
        "{{ steps.x.all[1:].image }}",
        "{{ steps.x.all('a')[0].image }}",
        "{{ steps.x.all.each.style }}",
        "{{ steps.x is succeeded }}",
        "{{ steps.x.all is failed }}",
        "{{ steps.x is not skipped }}",
        "{{ steps.x.error.kind == 'moderation' }}",
        "{{ steps.x }}",
    ]), @r"
    {{ inputs.subject }}
    1:8-22 <inputs.subject> input subject whole
    {{ inputs['subject'].a.b[0]['c'] }}
    1:8-41 <inputs[''subject''].a.b[0][''c'']> input subject.a.b.0.c whole
    {{ inputs.rows[index.row].name[1:2] }}
    1:8-40 <inputs.rows[index.row].name[1:2]> input rows.[].name.[:] whole
    1:20-29 <index.row> index row
    {{ vars.style }}
    1:8-18 <vars.style> var style whole
    {{ each.row.sku }} {{ index.row }} {{ file.index }}
    1:8-20 <each.row.sku> each row.sku
    1:27-36 <index.row> index row
    1:43-53 <file.index> file
    {{ read('./notes/a.md') }}
    1:8-30 <read(''./notes/a.md'')> read ./notes/a.md @1:15-27 whole
    {{ steps.draft.image }}
    1:8-25 <steps.draft.image> step draft@1:14-19 .image@1:20-25 whole
    {{ steps.draft.image.width }}
    1:8-31 <steps.draft.image.width> step draft@1:14-19 .image@1:20-25.width whole
    {{ steps['draft'].images[0].digest }}
    1:8-41 <steps[''draft''].images[0].digest> step draft@1:16-21 .images@1:25-31.0.digest whole
    {{ steps.draft.images[-1] }}
    1:8-30 <steps.draft.images[-1]> step draft@1:14-19 .images@1:20-26.[] whole
    {{ steps.x.all.image }}
    1:8-25 <steps.x.all.image> step x@1:14-15 all .image@1:20-25 whole
    {{ steps.x.all('a', 'b').image }}
    1:8-39 <steps.x.all(''a'', ''b'').image> step x@1:14-15 all a@1:22-23 b@1:29-30 .image@1:34-39 whole
    {{ steps.x.all[0].image }}
    1:8-28 <steps.x.all[0].image> step x@1:14-15 all picked .image@1:23-28 whole
    {{ steps.x.all[index.i].image }}
    1:8-34 <steps.x.all[index.i].image> step x@1:14-15 all picked .image@1:29-34 whole
    1:20-27 <index.i> index i
    {{ steps.x.all[1:].image }}
    1:8-29 <steps.x.all[1:].image> step x@1:14-15 all .image@1:24-29 whole
    {{ steps.x.all('a')[0].image }}
    1:8-35 <steps.x.all(''a'')[0].image> step x@1:14-15 all a@1:22-23 picked .image@1:30-35 whole
    {{ steps.x.all.each.style }}
    1:8-30 <steps.x.all.each.style> step x@1:14-15 all .each@1:20-24.style whole
    {{ steps.x is succeeded }}
    1:8-15 <steps.x> step x@1:14-15 tested guarded
    {{ steps.x.all is failed }}
    1:8-19 <steps.x.all> step x@1:14-15 all tested guarded
    {{ steps.x is not skipped }}
    1:8-15 <steps.x> step x@1:14-15 tested guarded
    {{ steps.x.error.kind == 'moderation' }}
    1:8-26 <steps.x.error.kind> step x@1:14-15 .error@1:16-21.kind
    {{ steps.x }}
    1:8-15 <steps.x> step x@1:14-15 whole
    ");
}

#[test]
fn a_reference_is_guarded_where_an_absent_value_is_only_looked_at() {
    insta::assert_snapshot!(all_references(&[
        "{{ steps.a.text or steps.b.text }}",
        "{{ not steps.a.text and steps.b.text }}",
        "{{ steps.a.text | default(steps.b.text) }}",
        "{{ steps.a.text | d('x') }}",
        "{{ steps.a.text | upper | default('x') }}",
        "{{ steps.a.text is defined }}",
        "{{ steps.a.text is none }}",
        "{{ steps.a.image if steps.b.json.ok else steps.c.image }}",
        "{{ steps.a.text == 'x' }}",
        "{{ 1 < steps.a.seed < 3 }}",
        "{{ steps.a.seed + 1 }}",
        "{{ -steps.a.seed }}",
        "{{ steps.a.text ~ 'x' or 'y' }}",
        "{{ [steps.a.image, {'k': steps.b.image}, (steps.c.image, 1)] }}",
        "{{ 'x' in steps.a.text }}",
        "{{ range(steps.a.seed) }}",
        "{{ (steps.a or steps.b).image }}",
        "{% if steps.a.text %}{{ steps.b.text }}{% elif not steps.c.text %}x{% endif %}",
        "{% for i in steps.a.images if steps.b.ok %}{{ i }}{% endfor %}",
    ]), @r"
    {{ steps.a.text or steps.b.text }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20 guarded
    1:24-36 <steps.b.text> step b@1:30-31 .text@1:32-36 guarded
    {{ not steps.a.text and steps.b.text }}
    1:12-24 <steps.a.text> step a@1:18-19 .text@1:20-24 guarded
    1:29-41 <steps.b.text> step b@1:35-36 .text@1:37-41 guarded
    {{ steps.a.text | default(steps.b.text) }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20 guarded
    1:31-43 <steps.b.text> step b@1:37-38 .text@1:39-43
    {{ steps.a.text | d('x') }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20 guarded
    {{ steps.a.text | upper | default('x') }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20
    {{ steps.a.text is defined }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20 guarded
    {{ steps.a.text is none }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20
    {{ steps.a.image if steps.b.json.ok else steps.c.image }}
    1:8-21 <steps.a.image> step a@1:14-15 .image@1:16-21
    1:25-40 <steps.b.json.ok> step b@1:31-32 .json@1:33-37.ok guarded
    1:46-59 <steps.c.image> step c@1:52-53 .image@1:54-59
    {{ steps.a.text == 'x' }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20
    {{ 1 < steps.a.seed < 3 }}
    1:12-24 <steps.a.seed> step a@1:18-19 .seed@1:20-24
    {{ steps.a.seed + 1 }}
    1:8-20 <steps.a.seed> step a@1:14-15 .seed@1:16-20
    {{ -steps.a.seed }}
    1:9-21 <steps.a.seed> step a@1:15-16 .seed@1:17-21
    {{ steps.a.text ~ 'x' or 'y' }}
    1:8-20 <steps.a.text> step a@1:14-15 .text@1:16-20
    {{ [steps.a.image, {'k': steps.b.image}, (steps.c.image, 1)] }}
    1:9-22 <steps.a.image> step a@1:15-16 .image@1:17-22
    1:32-45 <steps.b.image> step b@1:38-39 .image@1:40-45
    1:49-62 <steps.c.image> step c@1:55-56 .image@1:57-62
    {{ 'x' in steps.a.text }}
    1:17-29 <steps.a.text> step a@1:23-24 .text@1:25-29
    {{ range(steps.a.seed) }}
    1:14-26 <steps.a.seed> step a@1:20-21 .seed@1:22-26
    {{ (steps.a or steps.b).image }}
    1:9-16 <steps.a> step a@1:15-16 guarded
    1:20-27 <steps.b> step b@1:26-27 guarded
    {% if steps.a.text %}{{ steps.b.text }}{% elif not steps.c.text %}x{% endif %}
    1:11-23 <steps.a.text> step a@1:17-18 .text@1:19-23 guarded
    1:29-41 <steps.b.text> step b@1:35-36 .text@1:37-41
    1:56-68 <steps.c.text> step c@1:62-63 .text@1:64-68 guarded
    {% for i in steps.a.images if steps.b.ok %}{{ i }}{% endfor %}
    1:17-31 <steps.a.images> step a@1:23-24 .images@1:25-31
    1:35-45 <steps.b.ok> step b@1:41-42 .ok@1:43-45 guarded
    ");
}

#[test]
fn locals_shadow_names() {
    insta::assert_snapshot!(all_references(&[
        "{% for inputs in vars.list %}{{ inputs.x }}{{ loop.index }}{{ each.a }}{% else %}{{ inputs.y }}{% endfor %}{{ inputs.z }}",
        "{% for k, v in inputs.m | items %}{{ k }}{{ v[each.k] }}{% endfor %}",
        "{% set x = inputs.a %}{{ x.b }}{% set inputs = x %}{{ inputs.c }}",
        "{% with a = inputs.a, (b, c) = vars.pair %}{{ a }}{{ b }}{{ c }}{% endwith %}",
        "{% set block | upper %}{{ inputs.a }}{% endset %}{{ block }}",
        "{% filter upper | replace(vars.x, '') %}{{ inputs.a }}{% endfilter %}",
        "{% set ns = namespace(n=inputs.a) %}{% set ns.n = vars.b %}{{ ns.n }}",
    ]), @r"
    {% for inputs in vars.list %}{{ inputs.x }}{{ loop.index }}{{ each.a }}{% else %}{{ inputs.y }}{% endfor %}{{ inputs.z }}
    1:22-31 <vars.list> var list
    1:67-73 <each.a> each a
    1:89-97 <inputs.y> input y
    1:115-123 <inputs.z> input z
    {% for k, v in inputs.m | items %}{{ k }}{{ v[each.k] }}{% endfor %}
    1:20-28 <inputs.m> input m
    1:51-57 <each.k> each k
    {% set x = inputs.a %}{{ x.b }}{% set inputs = x %}{{ inputs.c }}
    1:16-24 <inputs.a> input a
    {% with a = inputs.a, (b, c) = vars.pair %}{{ a }}{{ b }}{{ c }}{% endwith %}
    1:17-25 <inputs.a> input a
    1:36-45 <vars.pair> var pair
    {% set block | upper %}{{ inputs.a }}{% endset %}{{ block }}
    1:31-39 <inputs.a> input a
    {% filter upper | replace(vars.x, '') %}{{ inputs.a }}{% endfilter %}
    1:31-37 <vars.x> var x
    1:50-58 <inputs.a> input a
    {% set ns = namespace(n=inputs.a) %}{% set ns.n = vars.b %}{{ ns.n }}
    1:29-37 <inputs.a> input a
    1:55-61 <vars.b> var b
    ");
}

#[test]
fn names_that_are_not_there_are_findings_with_the_nearest() {
    let codes = [
        "{{ input.x }}",
        "{{ subject }}",
        "{% for item in inputs.x %}{{ itm }}{% endfor %}",
        "{{ inputs.my-step }}",
        "{{ steps.my-step.image }}",
        "{{ inputs }}",
        "{{ steps | length }}",
        "{{ steps[each.name].image }}",
        "{{ inputs[each.name] }}",
        "{{ steps.x[each.name] }}",
        "{{ steps.x.all() }}",
        "{{ steps.x.all(each.a).image }}",
        "{{ loop.index }}",
        "{{ range }}",
        "{{ self.x }}",
        "{{ inputs.x | uper }}",
        "{{ inputs.x | debug }}",
        "{{ inputs.x is defnied }}",
        "{{ inputs.x | map('uper') | select('defind') | selectattr('a', 'od') | list }}",
        "{{ slug(inputs.x) }}",
        "{{ rang(3) }}",
        "{{ debug() }}",
        "{{ inputs.x.upper() }}",
        "{{ steps.x.image.resize(2) }}",
        "{{ read(inputs.x) }}",
        "{{ read('notes.md') }}",
        "{{ a }} {{ b }} {{ inputs.x | c }}",
    ];
    let all = codes.iter().fold(String::new(), |out, code| format!("{out}{code}\n{}", refused(code)));
    insta::assert_snapshot!(all, @r"
    {{ input.x }}
    error[unknown-name] 1:8-13 <input>: `input` is not in scope here
      hint: there is the name `inputs`
    {{ subject }}
    error[unknown-name] 1:8-15 <subject>: `subject` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`, `file`
    {% for item in inputs.x %}{{ itm }}{% endfor %}
    error[unknown-name] 1:34-37 <itm>: `itm` is not in scope here
      hint: there is the name `item`
    {{ inputs.my-step }}
    error[unknown-name] 1:18-22 <step>: `step` is not in scope here
      hint: `-` subtracts: names have `_` instead
    {{ steps.my-step.image }}
    error[unknown-name] 1:17-21 <step>: `step` is not in scope here
      hint: `-` subtracts: names have `_` instead
    {{ inputs }}
    error[unknown-name] 1:8-14 <inputs>: `inputs` needs a name after it
      hint: write the name out: `inputs.NAME`
    {{ steps | length }}
    error[computed-step] 1:8-13 <steps>: `steps` needs the name of a step after it
      hint: write the name out: `steps.NAME`
    {{ steps[each.name].image }}
    error[computed-step] 1:8-30 <steps[each.name].image>: a step is referred to by a computed name
      hint: write the name out: `steps.NAME`
    {{ inputs[each.name] }}
    error[unknown-name] 1:8-25 <inputs[each.name]>: `inputs` is followed by a computed name
      hint: write the name out: `inputs.NAME`
    {{ steps.x[each.name] }}
    error[computed-step] 1:8-26 <steps.x[each.name]>: what `steps.x` offers is read by a name that is written out
    {{ steps.x.all() }}
    error[unknown-axis] 1:8-21 <steps.x.all()>: `.all` takes names of axes in quotes
      hint: `.all` closes every axis, `.all('seed')` the ones that it names
    {{ steps.x.all(each.a).image }}
    error[unknown-axis] 1:8-27 <steps.x.all(each.a)>: `.all` takes names of axes in quotes
      hint: `.all` closes every axis, `.all('seed')` the ones that it names
    {{ loop.index }}
    error[unknown-name] 1:8-12 <loop>: `loop` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`, `file`
    {{ range }}
    error[unknown-name] 1:8-13 <range>: `range` is not in scope here
      hint: a function is called: `range(...)`
    {{ self.x }}
    error[unknown-name] 1:8-12 <self>: `self` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`, `file`
    {{ inputs.x | uper }}
    error[unknown-filter] 1:19-23 <uper>: there is no filter `uper`
      hint: there is a filter `upper`
      fix 1:19-23: uper -> upper
    {{ inputs.x | debug }}
    error[unknown-filter] 1:19-24 <debug>: there is no filter `debug`
    {{ inputs.x is defnied }}
    error[unknown-filter] 1:20-27 <defnied>: there is no test `defnied`
      hint: there is a test `defined`
      fix 1:20-27: defnied -> defined
    {{ inputs.x | map('uper') | select('defind') | selectattr('a', 'od') | list }}
    error[unknown-filter] 1:76-78 <od>: there is no test `od`
      hint: there is a test `odd`
      fix 1:76-78: od -> odd
    error[unknown-filter] 1:44-50 <defind>: there is no test `defind`
      hint: there is a test `defined`
      fix 1:44-50: defind -> defined
    error[unknown-filter] 1:25-29 <uper>: there is no filter `uper`
      hint: there is a filter `upper`
      fix 1:25-29: uper -> upper
    {{ slug(inputs.x) }}
    error[unknown-filter] 1:8-12 <slug>: there is no function `slug`
      hint: there is a filter of that name: `value | slug`
    {{ rang(3) }}
    error[unknown-filter] 1:8-12 <rang>: there is no function `rang`
      hint: there is a function `range`
      fix 1:8-12: rang -> range
    {{ debug() }}
    error[unknown-filter] 1:8-13 <debug>: there is no function `debug`
      hint: known: `dict`, `namespace`, `range`, `read`
    {{ inputs.x.upper() }}
    error[unknown-filter] 1:17-22 <upper>: values have no method `upper`
      hint: there is a filter of that name: `value | upper`
    {{ steps.x.image.resize(2) }}
    error[unknown-filter] 1:22-28 <resize>: values have no method `resize`
    {{ read(inputs.x) }}
    error[invalid-path] 1:8-22 <read(inputs.x)>: `read` takes one path that is written out
      hint: `read('./notes/prompt.md')`
    {{ read('notes.md') }}
    error[invalid-path] 1:15-23 <notes.md>: the path `notes.md` does not begin with `./` or `../`
      hint: `./notes.md`
    {{ a }} {{ b }} {{ inputs.x | c }}
    error[unknown-name] 1:8-9 <a>: `a` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`, `file`
    error[unknown-name] 1:16-17 <b>: `b` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`, `file`
    error[unknown-filter] 1:35-36 <c>: there is no filter `c`
    ");
}

#[test]
fn each_place_has_its_scope() {
    let refuse = |code: &str, scope: Scope| {
        let file = source(&quoted(code));
        findings(&Template::parse(&text_of(&file), &file, scope).unwrap_err())
    };
    let all = [
        refuse("{{ file.index }}", Scope::STEP),
        refuse("{{ each.style }}", Scope::OUTPUT),
        refuse("{{ steps.a.image }}", Scope::DERIVED),
        refuse("{{ inputs.a }}", Scope::PRICE),
    ];
    insta::assert_snapshot!(all.concat(), @r"
    error[unknown-name] 1:8-12 <file>: `file` is not in scope here
      hint: it is in `save`
    error[unknown-name] 1:8-12 <each>: `each` is not in scope here
      hint: it is in steps and vars
    error[unknown-name] 1:8-13 <steps>: `steps` is not in scope here
      hint: it is in workflows
    error[unknown-name] 1:8-14 <inputs>: `inputs` is not in scope here
      hint: there is the name `input`
    ");
}

#[test]
fn syntax_errors_stand_where_they_were_written() {
    let files = [
        "a: '{{ inputs.x'\n",
        "a: '{{ inputs. }}'\n",
        "a: '{{ }}'\n",
        "a: 'é {{ 1 + }} x'\n",
        "a: \"\\u00e9\\n{{ x ! y }}\"\n",
        "a: |\n  one\n  {{ inputs.x | }}\n  two\n",
        "a: >\n  one\n  two {{ a b }}\n",
        "a: '{% if inputs.x %}y'\n",
        "a: '{% iff inputs.x %}'\n",
        "a: '{% macro f() %}{% endmacro %}'\n",
        "a: '{% include \"x\" %}'\n",
        "a: '{% block x %}{% endblock %}'\n",
        "a: '{% endif %}'\n",
        "a: '{% autoescape true %}x{% endautoescape %}'\n",
        "a: '{% do range(3) %}'\n",
        "a: '{# never closed'\n",
        "a: '{{ \"x }}'\n",
        "a: '{{ inputs.a && inputs.b }}'\n",
        "a: '{{ inputs.a || inputs.b }}'\n",
        "a: '{{ !inputs.a }}'\n",
        "a: '{{ inputs.a ? 1 : 2 }}'\n",
        "a: '{{ inputs.a = 1 }}'\n",
        "a: '{{ [1, 2 }}'\n",
        "a: '{{ f(a=1, 2) }}'\n",
    ];
    let all = files.iter().fold(String::new(), |out, file| {
        format!("{out}{file:?}\n{}", findings(&parse(file).expect_err(file)))
    });
    insta::assert_snapshot!(all, @r#"
    "a: '{{ inputs.x'\n"
    error[template-syntax] 1:15-16 <x>: `{{` is not closed with `}}`
    "a: '{{ inputs. }}'\n"
    error[template-syntax] 1:16-18 <}}>: unexpected `}}`, expected identifier or integer
    "a: '{{ }}'\n"
    error[template-syntax] 1:8-10 <}}>: an expression is missing before `}}`
    "a: 'é {{ 1 + }} x'\n"
    error[template-syntax] 1:14-16 <}}>: an expression is missing before `}}`
    "a: \"\\u00e9\\n{{ x ! y }}\"\n"
    error[template-syntax] 1:18-19 <!>: unexpected character
      hint: write `not`
    "a: |\n  one\n  {{ inputs.x | }}\n  two\n"
    error[template-syntax] 3:17-19 <}}>: unexpected `}}`, expected identifier
    "a: >\n  one\n  two {{ a b }}\n"
    error[template-syntax] 3:12-13 <b>: unexpected identifier, expected `}}`
    "a: '{% if inputs.x %}y'\n"
    error[template-syntax] 1:22-23 <y>: a statement is not ended, `{% endif %}` or its like is missing
    "a: '{% iff inputs.x %}'\n"
    error[template-syntax] 1:8-11 <iff>: castline's templates have no `{% iff %}`
      hint: there are `if`, `for`, `set`, `with` and `filter`
    "a: '{% macro f() %}{% endmacro %}'\n"
    error[template-syntax] 1:8-13 <macro>: castline's templates have no `{% macro %}`
      hint: repeat yourself with `{% for %}`, or bind a value in `vars`
    "a: '{% include \"x\" %}'\n"
    error[template-syntax] 1:8-15 <include>: castline's templates have no `{% include %}`
      hint: `read('./file.md')` gives the text of a file
    "a: '{% block x %}{% endblock %}'\n"
    error[template-syntax] 1:8-13 <block>: castline's templates have no `{% block %}`
      hint: repeat yourself with `{% for %}`, or bind a value in `vars`
    "a: '{% endif %}'\n"
    error[template-syntax] 1:8-13 <endif>: castline's templates have no `{% endif %}`
      hint: there are `if`, `for`, `set`, `with` and `filter`
    "a: '{% autoescape true %}x{% endautoescape %}'\n"
    error[template-syntax] 1:8-43 <autoescape true %}x{% endautoescape>: castline's templates have no `{% autoescape %}`
    "a: '{% do range(3) %}'\n"
    error[template-syntax] 1:8-19 <do range(3)>: castline's templates have no `{% do %}`
    "a: '{# never closed'\n"
    error[template-syntax] 1:20 <>: `{#` is not closed with `#}`
    "a: '{{ \"x }}'\n"
    error[template-syntax] 1:13 <>: unexpected end of string
    "a: '{{ inputs.a && inputs.b }}'\n"
    error[template-syntax] 1:17-18 <&>: unexpected character
      hint: write `and`
    "a: '{{ inputs.a || inputs.b }}'\n"
    error[template-syntax] 1:18-19 <|>: unexpected `|`, expected identifier
      hint: write `or`
    "a: '{{ !inputs.a }}'\n"
    error[template-syntax] 1:8-9 <!>: unexpected character
      hint: write `not`
    "a: '{{ inputs.a ? 1 : 2 }}'\n"
    error[template-syntax] 1:17-18 <?>: unexpected character
      hint: write `a if condition else b`
    "a: '{{ inputs.a = 1 }}'\n"
    error[template-syntax] 1:17-18 <=>: unexpected `=`, expected `}}`
      hint: two values are compared with `==`
    "a: '{{ [1, 2 }}'\n"
    error[template-syntax] 1:14-15 <}>: unexpected `}`, expected `,`
    "a: '{{ f(a=1, 2) }}'\n"
    error[template-syntax] 1:15-16 <2>: non-keyword arg after keyword arg
    "#);
}

#[test]
fn a_condition_is_an_expression_with_or_without_braces() {
    let condition = |text: &str| {
        let file = source(&format!("a: {text}\n"));
        match Template::expression(&text_of(&file), &file, Scope::STEP) {
            Ok(template) => {
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(words(file.slice(template.span())), words(&template.code));
                format!("{} {:?}\n{}", template.code, template.shape, references(&template, &file.text))
            }
            Err(found) => findings(&found),
        }
    };
    let all: String = [
        "steps.a.json.ok",
        "' {{ steps.a.json.ok }} '",
        "steps.a is succeeded and inputs.x > 3",
        "|\n  inputs.x\n  and inputs.y\n",
        "'{{ inputs.x }} y'",
        "'{% if x %}y{% endif %}'",
        "inputs.x and",
        "inputs.x }}",
        "''",
        "unknown",
    ]
    .into_iter()
    .map(condition)
    .collect();
    insta::assert_snapshot!(all, @r"
    steps.a.json.ok Lone
    1:4-19 <steps.a.json.ok> step a@1:10-11 .json@1:12-16.ok guarded whole
    steps.a.json.ok Lone
    1:9-24 <steps.a.json.ok> step a@1:15-16 .json@1:17-21.ok guarded whole
    steps.a is succeeded and inputs.x > 3 Lone
    1:4-11 <steps.a> step a@1:10-11 tested guarded
    1:29-37 <inputs.x> input x
    inputs.x
    and inputs.y Lone
    2:3-11 <inputs.x> input x guarded
    3:7-15 <inputs.y> input y guarded
    error[template-syntax] 1:4-22 <'{{ inputs.x }} y'>: text stands beside the expression
      hint: write one expression and nothing else; the braces may be left out
    error[unknown-name] 1:11-12 <x>: `x` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`
    error[template-syntax] 1:13-16 <and>: an expression is missing here
    error[template-syntax] 1:13-15 <}}>: unexpected input after expression
    error[template-syntax] 1:5 <>: an expression is missing here
    error[unknown-name] 1:4-11 <unknown>: `unknown` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`
    ");
}

#[test]
fn references_in_blocks_have_their_lines() {
    let file = "a: |\n  first é {{ inputs.a }}\n\n    {{ steps.b\n    .image }} {{ inputs.c }}\nb: 1\n";
    insta::assert_snapshot!(references(&parse(file).unwrap(), file), @r"
    2:14-22 <inputs.a> input a
    4:8-5:11 <steps.b
        .image> step b@4:14-15 .image@5:6-11
    5:18-26 <inputs.c> input c
    ");
    let file = "a: >-\n  folded\n  {{ inputs.a }}\n\n  日本 {{ inputs.b }}\n";
    insta::assert_snapshot!(references(&parse(file).unwrap(), file), @r"
    3:6-14 <inputs.a> input a
    5:9-17 <inputs.b> input b
    ");
    let file = "a: \"\\\"{{ inputs['a'] }}\\\" \\\n   {{ inputs.b }}\"\n";
    insta::assert_snapshot!(references(&parse(file).unwrap(), file), @r"
    1:10-21 <inputs['a']> input a
    2:7-15 <inputs.b> input b
    ");
}

#[test]
fn a_dynamic_value_knows_its_templates_at_any_depth() {
    let file =
        source("a: x\nb: ['{{ inputs.b }}', {c: '{{ vars.c }} {{ each.d }}'}]\nc: [1, {d: true}, null]\n");
    let node = raw::parse(&file).unwrap();
    let mut found = Diagnostics::default();
    let value = Dynamic::parse(&node, &file, Scope::STEP, &mut found);
    let refs: Vec<_> = value.references().map(|r| file.slice(r.span)).collect();
    assert_eq!(refs, ["inputs.b", "vars.c", "each.d"]);
    assert!(!value.is_literal() && value.as_literal().is_none());
    let literal = Dynamic::parse(node.get("c").unwrap(), &file, Scope::STEP, &mut found);
    assert_eq!(literal.as_literal(), Some(serde_json::json!([1, {"d": true}, null])));
    assert_eq!(found, Diagnostics::default());
}

#[test]
fn too_deep_templates_are_refused_before_they_need_the_stack() {
    let long = [
        format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(900)),
        format!("{{{{ inputs.x{} }}}}", " | upper".repeat(300)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(5_000)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(5_000)),
        format!("{{% set {}x = 1 %}}", "(".repeat(50_000)),
        "{% if 1 %}".repeat(5_000),
        format!("{{{{ inputs{} }}}}", ".a".repeat(500)),
    ];
    for code in long {
        let found = refused(&code);
        assert!(found.starts_with("error[template-syntax]"), "{}: {found}", &code[..40]);
    }
    let wide = format!("{{{{ [{}] }}}}", vec!["inputs.a.b"; 250].join(", "));
    assert_eq!(template(&wide).references.len(), 250);
    let path = format!("{{{{ inputs{} }}}}", ".a".repeat(150));
    assert_eq!(template(&path).references.len(), 1);
}

/// What is read of minijinja's tree. When this changes, read the new tree before the snapshot is
/// taken over: `walk` relies on every span and name in it.
#[test]
fn the_tree_of_minijinja_is_the_one_that_was_read() {
    let code = "{{ a.b['c'][0].d | f(1, k=2) is t(3) }}{% for x, y in l if c %}{% set n = -1 %}{% endfor %}";
    let tree = machinery::parse(code, "template", minijinja::syntax::SyntaxConfig::default()).unwrap();
    insta::assert_snapshot!(format!("{tree:?}"), @r#"
    Template { children: [EmitExpr { expr: Test { name: "t", expr: Filter { name: "f", expr: Some(GetAttr { expr: GetItem { expr: GetItem { expr: GetAttr { expr: Var { id: "a" } @ 1:3-1:4, name: "b" } @ 1:3-1:6, subscript_expr: Const { value: 'c' } @ 1:7-1:10 } @ 1:4-1:11, subscript_expr: Const { value: 0 } @ 1:12-1:13 } @ 1:6-1:14, name: "d" } @ 1:11-1:16), args: [Pos(Const { value: 1 } @ 1:21-1:22), Kwarg("k", Const { value: 2 } @ 1:26-1:27)] } @ 1:19-1:28, args: [Pos(Const { value: 3 } @ 1:34-1:35)] } @ 1:32-1:36 } @ 1:3-1:36, ForLoop { target: List { items: [Var { id: "x" } @ 1:46-1:47, Var { id: "y" } @ 1:49-1:50] } @ 1:46-1:50, iter: Var { id: "l" } @ 1:54-1:55, filter_expr: Some(Var { id: "c" } @ 1:59-1:60), recursive: false, body: [Set { target: Var { id: "n" } @ 1:70-1:71, expr: UnaryOp { op: Neg, expr: Const { value: 1 } @ 1:75-1:76 } @ 1:74-1:76 } @ 1:66-1:76], else_body: [] } @ 1:42-1:88] } @ 0:0-1:91
    "#);
}

#[test]
fn castline_has_every_filter_test_and_function_of_minijinja_but_debug() {
    let env = minijinja::Environment::new();
    let ours = ["basename", "from_json", "json", "regex_replace", "regex_search", "slug"];
    for filter in FILTERS.iter().filter(|filter| !ours.contains(filter)) {
        let call = format!("{{% if false %}}{{{{ 1 | {filter} }}}}{{% endif %}}");
        assert!(env.render_str(&call, ()).is_ok(), "{filter}");
        assert!(
            env.compile_expression(&format!("'{filter}' is filter")).unwrap().eval(()).unwrap().is_true()
        );
    }
    for test in TESTS.iter().filter(|test| !["succeeded", "failed", "skipped"].contains(test)) {
        assert!(
            env.compile_expression(&format!("'{test}' is test")).unwrap().eval(()).unwrap().is_true(),
            "{test}"
        );
    }
    let mut globals: Vec<_> =
        env.globals().map(|(name, _)| name.to_owned()).filter(|n| n != "debug").collect();
    globals.push("read".into());
    globals.sort();
    assert_eq!(globals, FUNCTIONS);
    assert!(FILTERS.is_sorted() && TESTS.is_sorted() && FUNCTIONS.is_sorted());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_template_makes_the_parser_panic(code in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}|steps|inputs|\\.|all|x|é|\\(|\\)|\\[|\\]|'|\"|\\||if|else|for|in|set|not|is| |~|-|[a-z0-9=,:\\\\]){0,40}") {
        let file = source(&quoted(&code));
        let text = text_of(&file);
        let _ = Template::parse(&text, &file, Scope::STEP);
        let _ = Template::expression(&text, &file, Scope::STEP);
    }
}

#[test]
fn what_cannot_be_read_after_a_text_is_a_finding() {
    let file = source("a: '\"one\"$ \"'\n");
    let found = Template::expression(&text_of(&file), &file, Scope::STEP).expect_err("nothing to compile");
    insta::assert_snapshot!(findings(&found), @"error[template-syntax] 1:10-11 <$>: unexpected character");
}
