use serde_json::json;

use super::*;

fn parse(name: &str, text: &str) -> Result<Data, Broken> {
    Data::parse(Source::new(name, text), DataFormat::of_path(name).expect("a format"))
}

/// What a file gives for an input, and what is wrong with it.
fn read(name: &str, text: &str, schema: &Json) -> String {
    match parse(name, text) {
        Ok(data) => {
            let reading = data.reading(schema);
            let mut shown = vec![reading.value.to_string()];
            for Wrong { misfit, span } in reading.wrong {
                let hint = misfit.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                let span = span.or_else(|| data.place(&misfit.pointer)).expect("a place");
                let slice = data.source().slice(span);
                let place = span.start;
                shown.push(format!(
                    "{}:{} `{slice}`: {} {}{hint}",
                    place.line, place.column, misfit.path, misfit.message
                ));
            }
            shown.join("\n")
        }
        Err(broken) => {
            let mut shown = vec![broken.message];
            if let Some((source, span, what)) = broken.place.map(|place| *place) {
                let slice = source.slice(span);
                shown.push(format!("{}:{} `{slice}`: {what}", span.start.line, span.start.column));
            }
            if let Some(hint) = broken.hint {
                shown.push(format!("({hint})"));
            }
            shown.join("\n")
        }
    }
}

/// Rows of everything that a schema can ask for.
fn rows() -> Json {
    json!({ "type": "array", "items": {
        "type": "object",
        "required": ["sku"],
        "properties": {
            "sku": { "type": "string" },
            "count": { "type": "integer" },
            "price": { "type": ["number", "null"] },
            "sale": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "size": { "enum": ["S", "M", 42] },
            "photo": { "type": "string", "format": "uri", "contentMediaType": "image/*" },
            "more": { "type": "array", "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" } },
        },
    } })
}

#[test]
fn cells_become_what_the_schema_says() {
    let text = "sku,count,price,sale,tags,size,photo,more,free\n\
                007, 012 ,1.5,TRUE,\"[red, blue]\",42,photos/a.png,photos/*.png,8\n\
                008,-3,2e3,false,[],S,./b.png,[c.png],\n";
    insta::assert_snapshot!(read("rows.csv", text, &rows()), @r#"[{"sku":"007","count":12,"price":1.5,"sale":true,"tags":["red","blue"],"size":42,"photo":"photos/a.png","more":"photos/*.png","free":"8"},{"sku":"008","count":-3,"price":2000.0,"sale":false,"tags":[],"size":"S","photo":"./b.png","more":["c.png"]}]"#);
}

#[test]
fn an_empty_cell_is_none() {
    let text = "sku,count,price,free\nA,,,\n,1,,\n";
    insta::assert_snapshot!(read("rows.csv", text, &rows()), @r#"[{"sku":"A","price":null},{"count":1,"price":null}]"#);
}

#[test]
fn spreadsheets_are_taken_as_they_are() {
    let schema = rows();
    let plain = read("rows.csv", "sku,count\nA,1\n\"B, \"\"2\"\"\",2\n", &schema);
    insta::assert_snapshot!(plain, @r#"[{"sku":"A","count":1},{"sku":"B, \"2\"","count":2}]"#);
    for text in [
        "\u{feff}sku,count\r\nA,1\r\n\"B, \"\"2\"\"\",2\r\n",
        "sku;count\nA;1\n\"B, \"\"2\"\"\";2\n",
        "sku\tcount\nA\t1\n\"B, \"\"2\"\"\"\t2",
        "\n\n sku , count \n\nA,1\n,\n\"B, \"\"2\"\"\",2\n,\n",
        "sku,count,\nA,1,\n\"B, \"\"2\"\"\",2,\n",
        "sku,count\rA,1\r\"B, \"\"2\"\"\",2\r",
    ] {
        assert_eq!(read("rows.csv", text, &schema), plain, "{text:?}");
    }
}

#[test]
fn a_broken_table_names_the_line() {
    let texts = [
        "",
        "\n\n",
        "sku,count\nA,1\n\nB\n",
        "sku,count\nA,1,2\n",
        "sku,count\nA,1\n\"B,2\nC,3\n",
        "sku,count,sku\nA,1,2\n",
        "sku,count,\nA,1,\nB,2,extra\n",
        "sku;name,count\nA;B,1\n",
        "sku,count\n\"a\nb\",1\nC\n",
    ];
    let shown = texts.map(|text| format!("--- {text:?}\n{}", read("rows.csv", text, &rows())));
    insta::assert_snapshot!(shown.join("\n"), @r#"
    --- ""
    names `rows.csv`, which is empty
    (the first line names the columns)
    --- "\n\n"
    names `rows.csv`, which is empty
    (the first line names the columns)
    --- "sku,count\nA,1\n\nB\n"
    names `rows.csv`, where line 4 has 1 cell, and the header names 2 columns
    4:1 `B`: 1 cell
    (a cell that has the separator in it stands in double quotes)
    --- "sku,count\nA,1,2\n"
    names `rows.csv`, where line 2 has 3 cells, and the header names 2 columns
    2:1 `A,1,2`: 3 cells
    (a cell that has the separator in it stands in double quotes)
    --- "sku,count\nA,1\n\"B,2\nC,3\n"
    names `rows.csv`, where a quote opens in line 3 and never closes
    3:1 `"`: opens here
    (a quote inside of a cell is written twice)
    --- "sku,count,sku\nA,1,2\n"
    names `rows.csv`, where two columns are called `sku`
    1:11 `sku`: again
    (give each column a name of its own)
    --- "sku,count,\nA,1,\nB,2,extra\n"
    names `rows.csv`, whose column 3 has no name
    3:5 `extra`: in this column
    (the first line names the columns)
    --- "sku;name,count\nA;B,1\n"
    names `rows.csv`, whose header has both `,` and `;`
    1:1 `sku;name,count`: which of them separates?
    (put a name that has one of them in double quotes)
    --- "sku,count\n\"a\nb\",1\nC\n"
    names `rows.csv`, where line 4 has 1 cell, and the header names 2 columns
    4:1 `C`: 1 cell
    (a cell that has the separator in it stands in double quotes)
    "#);
}

#[test]
fn a_wrong_cell_is_named_with_its_place() {
    let texts = [
        "sku,count\nA,three\nB,\"1,5\"\n",
        "sku,price\nA,\"1,5\"\n",
        "sku,sale\n\"Ä, ö\",yes\n",
        "sku,tags\nA,\"red, blue\"\n",
    ];
    let shown = texts.map(|text| format!("--- {text:?}\n{}", read("rows.csv", text, &rows())));
    insta::assert_snapshot!(shown.join("\n"), @r#"
    --- "sku,count\nA,three\nB,\"1,5\"\n"
    [{"sku":"A","count":"three"},{"sku":"B","count":"1,5"}]
    2:3 `three`: [0].count must be an integer, and the cell has `three`
    3:3 `"1,5"`: [1].count must be an integer, and the cell has `1,5`
    --- "sku,price\nA,\"1,5\"\n"
    [{"sku":"A","price":"1,5"}]
    2:3 `"1,5"`: [0].price must be a number, and the cell has `1,5` (decimals have a point: `1.5`)
    --- "sku,sale\n\"Ä, ö\",yes\n"
    [{"sku":"Ä, ö","sale":"yes"}]
    2:8 `yes`: [0].sale must be a boolean, and the cell has `yes` (write `true` or `false`)
    --- "sku,tags\nA,\"red, blue\"\n"
    [{"sku":"A","tags":"red, blue"}]
    2:3 `"red, blue"`: [0].tags must be a list, and the cell has `red, blue` (a list in a cell stands in brackets: `[red, blue]`)
    "#);
}

#[test]
fn columns_are_held_against_the_schema_once() {
    let mut closed = rows();
    closed["items"]["additionalProperties"] = false.into();
    let shown = [
        read("rows.csv", "sku,colour,cuont\nA,red,1\nB,blue,2\n", &closed),
        read("rows.csv", "SKU,count\nA,1\n", &rows()),
        read(
            "rows.csv",
            "A-1,3\nA-2,4\n",
            &json!({ "type": "array", "items": { "properties": { "sku": {} } } }),
        ),
        read("rows.csv", "style\nlinocut\n", &json!({ "type": "array", "items": { "type": "string" } })),
        read("rows.csv", "style\nlinocut\n", &json!({ "type": "string" })),
        read("rows.csv", "style\nlinocut\n", &json!(true)),
    ];
    insta::assert_snapshot!(shown.join("\n---\n"), @r#"
    null
    1:5 `colour`:  has no column `colour` (known: `sku`, `count`, `price`, `sale`, `tags`, `size`, `photo`, `more`)
    1:12 `cuont`:  has no column `cuont` (there is a column `count`)
    ---
    null
    1:1 `SKU,count`:  needs a column `sku` (there is `SKU`; upper and lower case differ)
    ---
    null
    1:1 `A-1,3`:  has the columns `sku`, and the first line names none of them (the first line names the columns, as the schema calls them)
    ---
    null
    1:1 `style`:  takes no rows, and a `.csv` file has nothing else (give a list with one value a line in a `.txt` file, or declare `items` as an object)
    ---
    null
    1:1 `style`:  takes no rows, and a `.csv` file has nothing else (give a list with one value a line in a `.txt` file, or declare `items` as an object)
    ---
    [{"style":"linocut"}]
    "#);
}

#[test]
fn other_files_say_their_value() {
    let list = json!({ "type": "array" });
    let text = json!({ "type": "string" });
    let shown = [
        read("rows.jsonl", "{\"sku\": \"A\"}\r\n\n[1]\n", &list),
        read("rows.json", "\u{feff}[{\"sku\": \"007\"}]", &list),
        read("rows.yaml", "- sku: 007\n- { sku: \"007\" }\n", &list),
        read("lines.txt", "\u{feff}linocut\r\n\n  ukiyo-e  \nclaymation", &list),
        read("lines.txt", "One line.\n\nAnother.\n\n", &text),
        read("rows.jsonl", "{\"sku\": \"A\"}\n{\"sku\": }\n", &list),
        read("rows.json", "[1,\n 2,]\n", &list),
        read("rows.json", "", &list),
        read("rows.yaml", "a: 1\na: 2\n", &list),
    ];
    insta::assert_snapshot!(shown.join("\n---\n"), @r#"
    [{"sku":"A"},[1]]
    ---
    [{"sku":"007"}]
    ---
    [{"sku":"007"},{"sku":"007"}]
    ---
    ["linocut","  ukiyo-e  ","claymation"]
    ---
    "One line.\n\nAnother."
    ---
    names `rows.jsonl`, where line 2 is not JSON
    2:9 ``: expected value
    (a `.jsonl` file has one whole JSON value on each line)
    ---
    names `rows.json`, which is not JSON
    2:4 ``: trailing comma
    ---
    names `rows.json`, which is not JSON
    1:1 ``: EOF while parsing a value
    ---
    names `rows.yaml`, which is not YAML as castline reads it
    2:1 `a`: key `a` stands twice
    "#);
}

#[test]
fn places_are_found_by_pointer() {
    let place = |name: &str, text: &str, pointer: &str| {
        let data = parse(name, text).expect("it parses");
        let span = data.place(pointer).expect("a place");
        format!("{}:{} {}", span.start.line, span.start.column, data.source().slice(span))
    };
    let table = "sku,note\nA,\"x\ny\"\n\n\"Ä, ö\",plain\n";
    assert_eq!(place("a.csv", table, "/1/note"), "5:8 plain");
    assert_eq!(place("a.csv", table, "/1"), "5:1 \"Ä, ö\",plain");
    assert_eq!(place("a.csv", table, "/0/note"), "2:3 \"x");
    assert_eq!(place("a.json", "[\n {\"a\": [1, \"x\"]}\n]", "/0/a/1"), "2:12 \"x\"");
    assert_eq!(place("a.yaml", "- a: 1\n- b: [2]\n", "/1/b/0"), "2:7 2");
    assert_eq!(place("a.yaml", "- a: 1\n", "/0/missing"), "1:3 a: 1");
    assert_eq!(place("a.jsonl", "1\n\n{\"a\": 2}\n", "/1/a"), "3:1 {\"a\": 2}");
    assert_eq!(place("a.txt", "one\n\ntwo\n", "/1"), "3:1 two");
}
