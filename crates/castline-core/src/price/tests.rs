use castline_spec::Source;
use castline_spec::preset::{Body, Preset};
use serde_json::json;

use crate::media::Artifact;
use crate::{Digest, MediaType};

use super::*;

/// The rules of a preset with this `price`.
fn rules(price: &str) -> Vec<PriceRule> {
    let text = format!(
        "castline: 1\nname: m\ndescription: d\nmodel: a/m\ninput: {{type: object, properties: {{}}}}\noutput: {{type: image}}\nprice: {price}\n"
    );
    let (preset, found) = Preset::parse(&Source::new("m.yaml", text));
    assert!(!found.has_errors(), "{found:?}");
    match preset.expect("a preset").body {
        Body::Model(model) => model.price,
        Body::Derived(_) => unreachable!(),
    }
}

fn input(json: Json) -> IndexMap<String, Value> {
    let Value::Map(map) = Value::from_json(json) else { panic!("a map") };
    map
}

/// `0.04`, `0.04 to 0.16` or `unpriced`.
fn quote(price: &str, given: Json) -> String {
    match estimate(&rules(price), &input(given)) {
        None => "unpriced".to_owned(),
        Some(Estimate { min, max }) if min == max => max.usd().to_string(),
        Some(Estimate { min, max }) => format!("{} to {}", min.usd(), max.usd()),
    }
}

fn picture(width: u32, height: u32) -> Artifact {
    Artifact {
        digest: Digest::of(&[]),
        media_type: MediaType::new("image/png"),
        bytes: 1,
        width: Some(width),
        height: Some(height),
    }
}

fn pictures(count: usize) -> Output {
    Output { raw: Value::List(vec![Value::Media(picture(1000, 500)); count]).into() }
}

fn paid(price: &str, given: Json, metrics: &Json, output: &Output) -> Option<f64> {
    let observed = Observed::of(Some(metrics), output);
    settle(&rules(price), &input(given), &observed).map(MicroUsd::usd)
}

#[test]
fn an_image_counts_as_often_as_the_inputs_say() {
    let price = "{usd: 0.03, per: image}";
    assert_eq!(quote(price, json!({})), "0.03");
    assert_eq!(quote(price, json!({"num_outputs": 4})), "0.12");
    assert_eq!(quote(price, json!({"number_of_images": "2"})), "0.06");
    assert_eq!(quote(price, json!({"max_images": 5})), "0.03 to 0.15");
    assert_eq!(quote(price, json!({"num_outputs": "auto"})), "unpriced");
    assert_eq!(quote("{usd: 0.03, per: image, quantity: input.rows * 2}", json!({"rows": 3})), "0.18");
}

#[test]
fn seconds_pixels_and_tokens_are_counted_from_inputs() {
    assert_eq!(quote("{usd: 0.05, per: second}", json!({"duration": 5})), "0.25");
    assert_eq!(quote("{usd: 0.05, per: second}", json!({"duration": "10"})), "0.5");
    assert_eq!(quote("{usd: 0.05, per: second}", json!({"duration": -1})), "unpriced");
    assert_eq!(quote("{usd: 0.1, per: megapixel}", json!({"width": 1000, "height": 2000})), "0.2");
    assert_eq!(quote("{usd: 0.1, per: megapixel}", json!({"megapixels": "0.25", "num_outputs": 2})), "0.05");
    let ratio = json!({"width": 1000, "height": 2000, "aspect_ratio": "1:1"});
    assert_eq!(quote("{usd: 0.1, per: megapixel}", ratio), "unpriced");
    assert_eq!(quote("{usd: 0.1, per: output-kilotoken}", json!({"max_tokens": 500})), "0 to 0.05");
    assert_eq!(quote("{usd: 0.1, per: kilotoken}", json!({"max_tokens": 500})), "unpriced");
    assert_eq!(quote("{usd: 0.1, per: kilotoken, quantity: '[1, 4]'}", json!({})), "0.1 to 0.4");
}

#[test]
fn the_pictures_that_are_sent_count_by_their_pixels() {
    let rules = rules("[{usd: 0.03, per: run}, {usd: 0.01, per: input-megapixel}]");
    let mut given = IndexMap::from([("image".to_owned(), Value::Media(picture(2000, 1000)))]);
    assert_eq!(estimate(&rules, &given).unwrap().max, MicroUsd(50_000));
    given.insert("mask".to_owned(), Value::Media(Artifact { width: None, ..picture(1, 1) }));
    assert_eq!(estimate(&rules, &given), None, "a file whose size is not known");
}

#[test]
fn ranges_and_sums_keep_the_least_and_the_most() {
    assert_eq!(quote("{usd: [0.01, 0.04], per: image}", json!({"num_outputs": 2})), "0.02 to 0.08");
    assert_eq!(quote("[{usd: 0.03, per: run}, {usd: [0.01, 0.02], per: image}]", json!({})), "0.04 to 0.05");
    assert_eq!(quote("{usd: 0.01, per: second, per_run_usd: 0.1}", json!({"duration": 2})), "0.12");
    assert_eq!(quote("{usd: 1, per: image, quantity: input.missing}", json!({})), "unpriced");
    assert_eq!(quote("{usd: 1, per: gpu-second}", json!({})), "unpriced");
}

const TIERS: &str = "[{usd: 0.15, per: image, if: \"input.resolution != '4K'\"}, {usd: 0.3, per: image, if: \"input.resolution == '4K'\"}]";
const QUALITY: &str = "[{usd: 0.012, per: image, if: \"input.quality == 'low'\"}, {usd: 0.128, per: image, if: \"input.quality == 'high'\"}]";

#[test]
fn a_tier_is_picked_by_the_inputs() {
    assert_eq!(quote(TIERS, json!({"resolution": "1K"})), "0.15");
    assert_eq!(quote(TIERS, json!({"resolution": "4K"})), "0.3");
    assert_eq!(quote(QUALITY, json!({"quality": "high"})), "0.128");
    assert_eq!(quote(QUALITY, json!({"quality": "auto"})), "unpriced");
}

#[test]
fn a_tier_that_the_model_picks_is_a_range() {
    assert_eq!(quote(QUALITY, json!({})), "0.012 to 0.128");
    let with_base = format!("[{{usd: 0.01, per: run}}, {}", &QUALITY[1..]);
    assert_eq!(quote(&with_base, json!({})), "0.01 to 0.138");
    let extra = "[{usd: 0.01, per: run}, {usd: 0.02, per: run, if: input.image}]";
    assert_eq!(quote(extra, json!({})), "0.01", "an input that is not given is not there");
}

#[test]
fn what_was_observed_counts_instead_of_what_was_expected() {
    let none = Output { raw: Value::Null.into() };
    let images = "{usd: 0.03, per: image}";
    assert_eq!(paid(images, json!({"num_outputs": 4}), &json!({}), &pictures(3)), Some(0.09));
    assert_eq!(paid(images, json!({}), &json!({"image_count": 2}), &pictures(1)), Some(0.06));
    assert_eq!(paid(images, json!({}), &json!({"image_count": 0}), &pictures(1)), Some(0.03));
    assert_eq!(paid(images, json!({}), &json!({"image_count": "many"}), &none), Some(0.03));
    let gpu = "{usd: 0.001, per: gpu-second, quantity: '[1, 60]'}";
    assert_eq!(paid(gpu, json!({}), &json!({"predict_time": 2.5}), &none), Some(0.0025));
    assert_eq!(paid(gpu, json!({}), &json!({}), &none), Some(0.06), "unknown is the most, never nothing");
    let video = "{usd: 0.05, per: second}";
    let seconds = json!({"video_output_duration_seconds": 4.0});
    assert_eq!(paid(video, json!({"duration": 5}), &seconds, &none), Some(0.2));
    assert_eq!(paid(video, json!({"duration": 5}), &json!({"predict_time": 90}), &none), Some(0.25));
    assert_eq!(paid(video, json!({}), &json!({"predict_time": 90}), &none), None);
    let text = "[{usd: 0.1, per: input-kilotoken}, {usd: 0.2, per: output-kilotoken}]";
    let tokens = json!({"input_token_count": 1000, "output_token_count": 500});
    assert_eq!(paid(text, json!({}), &tokens, &none), Some(0.2));
    assert_eq!(paid(text, json!({}), &json!({"output_token_count": 500}), &none), None);
    assert_eq!(paid("{usd: 0.1, per: megapixel}", json!({}), &json!({}), &pictures(2)), Some(0.1));
    assert_eq!(paid(QUALITY, json!({}), &json!({}), &pictures(1)), Some(0.128), "the dearest that it may be");
}

#[test]
fn nothing_is_free_because_a_metric_is_absurd() {
    let gpu = "{usd: 0.001, per: gpu-second, quantity: '[1, 60]'}";
    for time in [json!(-1), json!(1e30), json!("2"), json!(null)] {
        let none = Output { raw: Value::Null.into() };
        let settled = paid(gpu, json!({}), &json!({ "predict_time": time }), &none);
        assert!(settled.is_none_or(|usd| usd >= 0.06), "{settled:?}");
    }
}

#[test]
fn a_price_is_covered_but_for_rounding() {
    let expected = Estimate { min: MicroUsd(10_000), max: MicroUsd(20_000) };
    assert!(expected.covers(MicroUsd(9_999)) && expected.covers(MicroUsd(20_001)));
    assert!(!expected.covers(MicroUsd(9_000)) && !expected.covers(MicroUsd(21_000)));
}

#[test]
fn the_inputs_that_decide_about_a_price_are_known() {
    let of = |price: &str| reads(&rules(price)).map(|f| f.into_iter().collect::<Vec<_>>().join(" "));
    assert_eq!(of(TIERS).as_deref(), Some("max_images n num_images num_outputs number_of_images resolution"));
    assert_eq!(of("{usd: 1, per: image, quantity: input.a.b + input.c}").as_deref(), Some("a c"));
    assert_eq!(of("{usd: 1, per: run}").as_deref(), Some(""));
    assert_eq!(of("{usd: 1, per: input-megapixel}"), None);
}
