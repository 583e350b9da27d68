//! Files of inputs: inside the request, uploaded, or behind a link.

use std::collections::BTreeMap;

use castline_core::{Digest, MediaType};

use super::*;
use crate::call::Links;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Files that can be read, by their digests.
#[derive(Default)]
struct Shelf(BTreeMap<Digest, Vec<u8>>);

impl MediaSource for Shelf {
    fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>> {
        self.0.get(&artifact.digest).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

impl Shelf {
    /// A picture of that many bytes, told from others by its name.
    fn picture(&mut self, name: &str, bytes: usize) -> Artifact {
        let mut file = [PNG, name.as_bytes()].concat();
        file.resize(bytes, 0);
        let artifact = Artifact::describe(Digest::of(&file), bytes as u64, &file);
        self.0.insert(artifact.digest, file);
        artifact
    }
}

/// A picture that nobody reads.
fn unread(name: &str, bytes: u64) -> Artifact {
    let digest = Digest::of(name.as_bytes());
    Artifact { digest, media_type: MediaType::new("image/png"), bytes, width: None, height: None }
}

fn input(fields: &[(&str, Value)]) -> IndexMap<String, Value> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn model() -> ModelRef {
    "acme/paint".parse().unwrap()
}

fn uploads(
    provider: &HttpProvider,
    input: &IndexMap<String, Value>,
    links: &Links,
) -> Result<Vec<Artifact>, String> {
    let model = model();
    let create = Create { links, ..Create::new(&model, input, PICTURES) };
    let uploads = provider.uploads(&create).map_err(|e| e.to_string())?;
    Ok(uploads.into_iter().cloned().collect())
}

fn provider_with(change: impl Fn(&mut HttpOptions)) -> HttpProvider {
    let mut options = options(Dialect::Replicate);
    change(&mut options);
    HttpProvider::new(options).unwrap()
}

#[test]
fn pitfall_13_what_does_not_fit_is_uploaded_once_and_what_has_a_link_never() {
    let (large, linked, small) = (unread("large", 300 << 10), unread("linked", 1 << 20), unread("small", 99));
    let links = Links::from([(linked.digest, "https://files.test/linked".to_owned())]);
    let both = Value::List(vec![Value::Media(linked), Value::Media(large.clone())]);
    let input =
        input(&[("image", Value::Media(large.clone())), ("refs", both), ("mask", Value::Media(small))]);
    let provider = provider_with(|_| ());
    assert!(provider.capabilities().upload);
    assert_eq!(uploads(&provider, &input, &links).unwrap(), [large]);
}

#[test]
fn pitfall_13_where_nothing_is_uploaded_the_field_and_what_would_work_are_named() {
    let input = input(&[("image", Value::Media(unread("large", 300 << 10)))]);
    let text = "the file in `image` has 300 KiB, and at most 256 KiB can travel inside a request; put `std/resize` before \
                this step, or `std/convert` to webp or jpg; or give the text of a public https address of it, or use a \
                provider that takes uploads";
    for provider in [provider_with(|o| o.uploads = false), provider_with(|o| o.dialect = Dialect::CometApi)] {
        assert!(!provider.capabilities().upload);
        assert_eq!(uploads(&provider, &input, &Links::new()).unwrap_err(), text);
    }
}

#[test]
fn pitfall_14_a_file_too_large_for_an_upload_is_refused_with_its_field() {
    let input = input(&[("video", Value::Media(unread("film", 101 << 20)))]);
    assert_eq!(
        uploads(&provider_with(|_| ()), &input, &Links::new()).unwrap_err(),
        "the file in `video` has 101.0 MiB, and at most 100.0 MiB can be uploaded; give a smaller one, or the text of a \
         public https address of it"
    );
}

#[tokio::test]
async fn pitfall_38_a_link_is_sent_as_text_and_the_rest_inside_the_request() {
    let mut shelf = Shelf::default();
    let (linked, small) = (shelf.picture("linked", 300 << 10), shelf.picture("", 8));
    let links = Links::from([(linked.digest, "https://api.acme.test/v1/files/f1".to_owned())]);
    let input =
        input(&[("image", Value::Media(linked)), ("mask", Value::Media(small.clone())), ("n", Value::Null)]);
    let stub = Stub::start(vec![json("201 Created", &running())]).await;
    let (provider, model) = (provider(&stub, Dialect::Replicate), model());
    let create = Create { links: &links, ..Create::new(&model, &input, PICTURES) };
    provider.create(&create, &shelf).await.unwrap();
    let sent = |mask: &str| json!({ "image": "https://api.acme.test/v1/files/f1", "mask": mask });
    let body: serde_json::Value = serde_json::from_str(&stub.requests()[0].body).unwrap();
    assert_eq!(body, json!({ "input": sent("data:image/png;base64,iVBORw0KGgo=") }));
    assert_eq!(provider.sent(&create).unwrap(), sent(&format!("data:{}", small.digest)));
}

#[test]
fn pitfall_11_the_token_is_not_noted_as_sent_either() {
    let (input, model) = (input(&[("prompt", "a-token-of-some-length".into())]), model());
    let error = provider_with(|_| ()).sent(&Create::new(&model, &input, PICTURES)).unwrap_err();
    assert_eq!(error.to_string(), "the input holds the token of acme, which is never sent as an input");
}

fn uploaded(more: &serde_json::Value) -> serde_json::Value {
    let mut file =
        json!({ "id": "f1", "name": "x.png", "urls": { "get": "https://api.acme.test/v1/files/f1" } });
    file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    file
}

#[tokio::test]
async fn pitfall_16_an_upload_has_a_name_with_an_extension_and_the_type_of_its_bytes() {
    let stub = Stub::start(vec![json("201 Created", &uploaded(&json!({})))]).await;
    let mut shelf = Shelf::default();
    let picture = shelf.picture("grüße", 300 << 10);
    let called = Artifact { media_type: MediaType::new("image/jpeg"), ..picture.clone() };
    let link = provider(&stub, Dialect::Replicate).upload(&called, &shelf).await.unwrap();
    assert_eq!(link.url, "https://api.acme.test/v1/files/f1");
    let sent = &stub.requests()[0];
    assert_eq!(sent.line, "POST /replicate/v1/files");
    assert_eq!(sent.header("authorization"), Some("Bearer a-token-of-some-length"));
    assert!(sent.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    let (head, _) = sent.body.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().skip(1).map(str::to_ascii_lowercase).collect();
    lines.sort();
    let name = format!("{}.png", &picture.digest.hex()[..16]);
    assert_eq!(
        lines,
        [
            format!(r#"content-disposition: form-data; name="content"; filename="{name}""#),
            "content-type: image/png".to_owned()
        ]
    );
    assert!(sent.header("content-length").unwrap().parse::<usize>().unwrap() > 300 << 10);
}

#[test]
fn pitfall_17_the_name_of_an_upload_is_ascii_and_short() {
    let mut shelf = Shelf::default();
    let picture = shelf.picture(&"ü".repeat(300), 999);
    let provider = provider_with(|_| ());
    let request = provider.upload_request(&picture, shelf.read(&picture).unwrap()).unwrap();
    assert_eq!(request.url().as_str(), "https://api.acme.test/v1/files");
    let name = crate::http::upload::file_name(&picture, &picture.media_type);
    assert_eq!((name.is_ascii(), name.len()), (true, 20), "{name}");
}

#[tokio::test]
async fn pitfall_15_the_end_of_an_upload_is_told_by_our_clock() {
    let theirs = Timestamp::now() + SignedDuration::from_mins(10);
    let kept = SignedDuration::from_hours(24);
    let file = uploaded(&json!({ "expires_at": (theirs + kept).to_string() }));
    let dated = |file: &serde_json::Value| {
        reply("201 Created", &date(SignedDuration::from_mins(10)), file.to_string())
    };
    let stub = Stub::start(vec![dated(&file), dated(&uploaded(&json!({})))]).await;
    let mut shelf = Shelf::default();
    let picture = shelf.picture("a", 99);
    for _ in ["said", "not said"] {
        let link = provider(&stub, Dialect::Replicate).upload(&picture, &shelf).await.unwrap();
        let left = link.expires.unwrap().duration_since(Timestamp::now());
        assert!((left - kept).abs() < SignedDuration::from_secs(60), "{left}");
    }
}

#[tokio::test]
async fn pitfall_14_an_upload_that_is_too_large_is_not_sent() {
    let stub = Stub::start(vec![Reply::HangUp]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let error = provider.upload(&unread("film", 101 << 20), &Shelf::default()).await.unwrap_err();
    assert!(matches!(&error, CallFault::BadInput(_)), "{error:?}");
    assert!(error.to_string().starts_with("the file has 101.0 MiB, and at most 100.0 MiB can be uploaded"));
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn pitfall_14_a_page_with_413_is_read() {
    let page = "<html><head><title>413 Request Entity Too Large</title></head></html>";
    let stub = Stub::start(vec![reply("413 Request Entity Too Large", "", page)]).await;
    let mut shelf = Shelf::default();
    let picture = shelf.picture("a", 99);
    let error = provider(&stub, Dialect::Replicate).upload(&picture, &shelf).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "acme refused this (413): 413 Request Entity Too Large; files of up to 100.0 MiB are uploaded, and this server \
         takes less; make the file smaller"
    );
}

#[test]
fn pitfall_14_large_uploads_are_given_more_time() {
    let seconds = |bytes: usize| {
        let request = provider_with(|_| ()).upload_request(&unread("a", 1), vec![0; bytes]).unwrap();
        request.timeout().unwrap().as_secs()
    };
    assert_eq!([seconds(1), seconds(1 << 20), seconds(50 << 20)], [30, 34, 230]);
}

#[tokio::test]
async fn an_upload_without_an_address_can_be_repeated() {
    for answer in [json!({ "id": "f1" }), uploaded(&json!({ "urls": { "get": "file:///etc/passwd" } }))] {
        let stub = Stub::start(vec![json("201 Created", &answer)]).await;
        let mut shelf = Shelf::default();
        let picture = shelf.picture("a", 99);
        let error = provider(&stub, Dialect::Replicate).upload(&picture, &shelf).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(
            error.to_string().starts_with("acme answered 201 without the address of the file"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn cometapi_is_never_sent_a_file() {
    let stub = Stub::start(vec![Reply::HangUp]).await;
    let fault = provider(&stub, Dialect::CometApi).upload(&unread("a", 1), &NoMedia).await;
    assert!(matches!(fault, Err(CallFault::Refused { status: 405, .. })));
    assert_eq!(stub.requests().len(), 0);
}
