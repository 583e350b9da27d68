//! One input for whatever reads pictures, films and sounds, and what a picture tells of how it was made.
//!
//! Whatever the bytes are, they are described, looked into and decoded without a panic, and within the
//! limits. A text that is put into a picture comes out as it went in, and so does the picture. What a
//! picture tells becomes a workflow in which nothing that it says is taken for a template.
//!
//! Start reading at [`picture`].

use std::io::Cursor;

use castline_core::provenance::container::{HEAD, embed, may_carry, take, without};
use castline_core::provenance::{CameFrom, Find, Provenance};
use castline_core::{Artifact, Digest, MediaType, Value, ebml};
use castline_provider::pictures::Pair;
use castline_spec::template::tree::{Body, ExprKind};
use castline_spec::template::{Target, Template};
use castline_spec::{Dynamic, DynamicKind, Name, Source, Workflow};
use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::Value as Json;

/// Longer inputs say nothing new and take longer.
pub const MOST_BYTES: usize = 64 << 10;
/// More characters than these are nothing for people.
const LONGEST: usize = 2_000;
/// Larger pictures are rightly slow to decode.
const MOST_PIXELS: u64 = 1 << 20;
/// Larger ones are not compared.
const COMPARED: u64 = 1 << 14;
/// So many texts in one picture are taken out one after another.
const MOST_TEXTS: usize = 8;

/// Bytes as a file from outside.
pub fn picture(bytes: &[u8]) {
    if bytes.len() > MOST_BYTES {
        return;
    }
    describe(bytes);
    put_in(bytes);
    take_out(bytes);
    decode(bytes);
}

fn describe(bytes: &[u8]) -> Artifact {
    let file = Artifact::describe(Digest::of(bytes), bytes.len() as u64, bytes);
    assert_eq!(file.media_type, MediaType::sniff(bytes));
    let mut inside = 0;
    for (_, content) in ebml::elements(bytes) {
        inside += content.len();
        assert!(inside <= bytes.len(), "there is more in it than there is");
    }
    file
}

fn put_in(bytes: &[u8]) {
    let words = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(200)..]);
    let text = serde_json::to_string(&words).expect("a text is JSON");
    let Some(with) = embed(bytes, &text) else { return };
    assert!(may_carry(&with[..HEAD]));
    let taken = take(&with).expect("what was put in is there");
    assert!(taken.picture == bytes, "the picture came out otherwise");
    let read = |text: &str| serde_json::from_str::<String>(text).expect("it is JSON still");
    assert_eq!(read(&taken.text), words, "the text came out otherwise");
    // These two are written otherwise, because XML has none.
    assert!(taken.text == text || text.contains(['\u{fffe}', '\u{ffff}']), "{text:?} {:?}", taken.text);
    let (before, after) = (describe(bytes), describe(&with));
    let shape = |file: &Artifact| (file.media_type.clone(), file.width, file.height);
    // In a broken WebP two bits of each side may be set that no encoder sets, and that count as pixels.
    let is_odd = before.width.max(before.height).is_some_and(|side| side > 0x3fff);
    assert!(is_odd || shape(&after) == shape(&before), "the picture looks otherwise with a text in it");
    assert!(without(with) == bytes, "the picture is another one without the text");
}

fn take_out(bytes: &[u8]) {
    let mut picture = bytes.to_vec();
    for _ in 0..MOST_TEXTS {
        let Some(taken) = take(&picture) else {
            assert!(without(picture.clone()) == picture, "nothing was in it, and it is another one");
            return;
        };
        assert!(taken.picture.len() < picture.len(), "there is more without the text than with it");
        assert!(without(picture) == taken.picture);
        provenance(taken.text.as_bytes());
        picture = taken.picture;
    }
}

fn decode(bytes: &[u8]) {
    let said = describe(bytes);
    let pixels = said.width.zip(said.height).map(|(width, height)| u64::from(width) * u64::from(height));
    if pixels.is_some_and(|pixels| pixels > MOST_PIXELS) {
        return;
    }
    match Pair::read(bytes, bytes) {
        Err(why) => check_words(&why),
        Ok(pair) if pixels.is_some_and(|pixels| pixels <= COMPARED) => {
            let alike = pair.likeness();
            assert!(alike.ssim.is_some_and(|ssim| ssim > 0.999), "it is unlike itself: {alike:?}");
            assert_eq!((alike.difference, alike.left), (Some(0.0), alike.right));
            let sheet = pair.to_look_at().expect("a picture of both can be drawn");
            assert_eq!(MediaType::sniff(&sheet).as_str(), "image/png");
        }
        Ok(_) => {}
    }
}

/// Bytes as what a picture tells of how it was made.
pub fn provenance(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let made = match Provenance::parse(text) {
        Ok(made) => made,
        Err(why) => return check_words(&why),
    };
    let again = Provenance::parse(&made.text()).expect("what was read can be written and read");
    assert_eq!(again.text(), made.text(), "it is another one when it is read again");
    let written = made.workflow(&Find {
        preset: &|made| format!("model:{}", made.request.model),
        file: &|read| match &read.from {
            CameFrom::File { path } => Ok(path.clone()),
            _ => Err("nobody says where it came from".to_owned()),
        },
    });
    assert_eq!(written.steps.len(), made.predictions.len(), "a prediction has no step of its own");
    let source = Source::new("again.yaml", written.document.to_string());
    let (workflow, _) = Workflow::parse(&source);
    let Some(workflow) = workflow else { return };
    let steps: Vec<&str> = written.steps.keys().map(Name::as_str).collect();
    for (name, made) in written.steps.keys().zip(&made.predictions) {
        let with = workflow.steps.get(name).map(|step| &step.with);
        for (field, value) in made.request.input.iter() {
            if let Some(binding) = with.and_then(|with| with.get(field)) {
                same(value, &binding.value, &steps);
            }
        }
    }
}

/// What a picture says stands in the workflow, and nothing of it is anything else there.
fn same(value: &Value, dynamic: &Dynamic, steps: &[&str]) {
    match (&dynamic.kind, value) {
        (DynamicKind::List(items), Value::List(values)) => {
            items.iter().zip(values).for_each(|(item, value)| same(value, item, steps));
        }
        (DynamicKind::Map(items), Value::Map(values)) => {
            let both = items.iter().filter_map(|(key, (_, item))| Some((item, values.get(key)?)));
            both.for_each(|(item, value)| same(value, item, steps));
        }
        // It is another step's, or a path, or not known.
        (DynamicKind::Literal(Json::Null | Json::String(_)), Value::Media(_))
        | (DynamicKind::Literal(_), Value::Null | Value::Bool(_) | Value::Number(_)) => {}
        (DynamicKind::Template(template), Value::Media(_)) => {
            let step = |target: &Target| matches!(target, Target::Step { step, .. } if steps.contains(&&*step.value));
            let fine = template.references.iter().all(|reference| step(&reference.target));
            assert!(fine || text_of(template).is_some(), "a file became {:?}", template.code);
        }
        (DynamicKind::Template(template), Value::String(text)) => {
            assert_eq!(text_of(template), Some(text.as_str()), "a text became {:?}", template.code);
        }
        (DynamicKind::Literal(Json::String(there)), Value::String(text)) => assert_eq!(there, text),
        (kind, value) => panic!("{value:?} became {kind:?}"),
    }
}

/// The text that a template is, when it is nothing else.
fn text_of(template: &Template) -> Option<&str> {
    match &*template.body {
        Body::Lone(expression) => match &expression.kind {
            ExprKind::Text(text) => Some(&text.value),
            ExprKind::Literal(Json::String(text)) => Some(text),
            _ => None,
        },
        Body::Text(_) => None,
    }
}

fn check_words(words: &str) {
    let (length, begin) = (words.chars().count(), words.chars().take(200).collect::<String>());
    assert!(length <= LONGEST, "{length} characters are said: {begin:?}");
}

/// What a picture tells, with everything that can stand in it.
const TOLD: &str = r#"{
  "schema_version": 1, "castline": "0.1.0", "workflow": "boats", "file": "boats.yaml", "leg": "styled[style=linocut]",
  "workflow_digest": "DIGEST", "lock_digest": "DIGEST", "digest": "DIGEST",
  "predictions": [
    { "leg": "draft", "uses": "flux-schnell", "cost": 3000, "key": "DIGEST", "model": "acme/paint", "provider": "sandbox",
      "input": { "prompt": "A {{ boat }} \"on\" {% calm %} {# water", "seed": 7, "go": true, "none": null, "size": 1.5,
                 "list": ["{{ read('./x') }}", ["a"]], "map": { "{{ k }}": "}}" } } },
    { "leg": "styled[style=linocut]", "uses": "brand/hero", "key": "DIGEST", "model": "acme/style:3f0e", "provider": "own",
      "draw": ["{{ x }}", 2],
      "input": { "image": { "digest": "DIGEST", "media_type": "image/png", "bytes": 9, "width": 8, "height": 8 },
                 "mask": { "digest": "MASK", "media_type": "image/png", "bytes": 9 } },
      "reads": [{ "digest": "DIGEST", "leg": "draft", "nth": 1 }, { "digest": "MASK", "path": "photos/{{ mask }}.png" }] }
  ]
}"#;

fn told() -> String {
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    TOLD.replace("DIGEST", &digest("a")).replace("MASK", &digest("b"))
}

/// What an input may be, each by a name.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let picture = |alpha: u8| RgbaImage::from_fn(9, 7, |x, y| Rgba([x as u8 * 28, y as u8 * 36, 90, alpha]));
    let file = |picture: &RgbaImage, format: ImageFormat| {
        let mut bytes = Cursor::new(Vec::new());
        let opaque = image::DynamicImage::from(picture.clone()).into_rgb8();
        match format {
            ImageFormat::Jpeg => opaque.write_to(&mut bytes, format),
            _ => picture.write_to(&mut bytes, format),
        }
        .expect("into memory");
        bytes.into_inner()
    };
    let lossy = |alpha| webp::Encoder::from_rgba(picture(alpha).as_raw(), 9, 7).encode(60.0).to_vec();
    let deep = image::DynamicImage::from(picture(9)).into_rgba16();
    let mut deep_png = Cursor::new(Vec::new());
    deep.write_to(&mut deep_png, ImageFormat::Png).expect("into memory");
    let pictures = [
        ("png", file(&picture(255), ImageFormat::Png)),
        ("png-clear", file(&picture(9), ImageFormat::Png)),
        ("png-deep", deep_png.into_inner()),
        ("jpeg", file(&picture(255), ImageFormat::Jpeg)),
        ("gif", file(&picture(255), ImageFormat::Gif)),
        ("webp-exact", file(&picture(9), ImageFormat::WebP)),
        ("webp", lossy(255)),
        ("webp-clear", lossy(9)),
    ];
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, picture) in pictures {
        if let Some(with) = embed(&picture, &told()) {
            let twice = embed(&with, "{}");
            seeds.push((format!("{name}-tells"), with));
            seeds.extend(twice.map(|twice| (format!("{name}-tells-twice"), twice)));
        }
        seeds.push((name.to_owned(), picture));
    }
    seeds.extend(OTHERS.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
    seeds.push(("told".to_owned(), told().into_bytes()));
    seeds
}

/// Beginnings of other files.
const OTHERS: &[(&str, &[u8])] = &[
    (
        "webm",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff\x16\x54\xae\x6b\x8d\xae\x8b\xe0\x89\xb0\x82\
        \x02\x00\xba\x81\x5a\x86\x80",
    ),
    ("mp4", b"\0\0\0\x18ftypisom\0\0\0\0isomavc1\0\0\0\x08moov"),
    ("avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1\0\0\0\x2cmeta\0\0\0\0\0\0\0\x14ispe\0\0\0\0\0\0\0\x09\0\0\0\x07"),
    ("wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0"),
    ("mp3", b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0"),
    ("svg", b"<?xml version=\"1.0\"?><svg width=\"9\" height=\"7\"/>"),
    ("tiff", b"II*\0\x08\0\0\0\x02\0\0\x01\x04\0\x01\0\0\0\x09\0\0\0\x01\x01\x04\0\x01\0\0\0\x07\0\0\0"),
    ("bmp", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x09\0\0\0\x07\0\0\0\x01\0\x18\0"),
    ("text", b"caf\xc3"),
];

/// What means something to whoever reads pictures.
pub const WORDS: &[&[u8]] = &[
    b"\x89PNG\r\n\x1a\n",
    b"IHDR",
    b"IDAT",
    b"IEND",
    b"iTXt",
    b"iCCP",
    b"eXIf",
    b"tRNS",
    b"PLTE",
    b"acTL",
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc0",
    b"\xff\xc2",
    b"\xff\xe1",
    b"\xff\xff",
    b"RIFF",
    b"WEBP",
    b"VP8 ",
    b"VP8L",
    b"VP8X",
    b"XMP ",
    b"ALPH",
    b"ANIM",
    b"ANMF",
    b"EXIF",
    b"GIF89a",
    b"\x21\xf9\x04",
    b"\x2c",
    b"\x3b",
    b"castline:provenance=\"",
    b"castline:provenance",
    b"castline:simple=\"yes\"",
    b"http://ns.adobe.com/xap/1.0/\0",
    b"&quot;",
    b"&amp;",
    b"Exif\0\0MM\0*",
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\xb0\x82",
    b"\xba\x82",
    b"{{ ",
    b" }}",
    b"{%",
    b"{#",
    b"\\u0000",
    b"\"",
    b"null",
    b"[]",
    b"{}",
    b"\"leg\":",
    b"\"input\":{",
    b"\"reads\":[",
    b"\"digest\":",
    b"\"media_type\":",
    b"\"draw\":[",
    b"1e308",
    b"-1",
];
