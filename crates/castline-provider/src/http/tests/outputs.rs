//! Downloads.

use super::*;
use crate::http::download::Downloads;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand the rest of it";

/// What a fetch gave, and what it left behind.
async fn fetch(provider: &HttpProvider, uri: &str) -> (Result<u64, CallFault>, Option<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let fetched = provider.fetch(uri, &to).await.map(|f| f.bytes);
    (fetched, std::fs::read(to).ok())
}

async fn fetch_from(replies: Vec<Reply>) -> (Result<u64, CallFault>, Option<Vec<u8>>, Stub) {
    let stub = Stub::start(replies).await;
    let provider = provider(&stub, Dialect::Replicate);
    let (fetched, left) = fetch(&provider, &stub.url("/out.png?signature=x")).await;
    (fetched, left, stub)
}

#[tokio::test]
async fn pitfall_47_an_output_is_fetched_without_the_token() {
    let (fetched, file, stub) = fetch_from(vec![reply("200 OK", "", PNG)]).await;
    assert_eq!(fetched.unwrap(), PNG.len() as u64);
    assert_eq!(file.unwrap(), PNG);
    let sent = &stub.requests()[0];
    assert_eq!((sent.line.as_str(), sent.header("authorization")), ("GET /out.png?signature=x", None));
}

#[tokio::test]
async fn pitfall_39_a_truncated_file_is_fetched_again_and_not_kept() {
    let short = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\x89PNG\r\n\x1a\n".to_vec());
    let (fetched, file, stub) = fetch_from(vec![short]).await;
    let error = fetched.unwrap_err();
    assert!(matches!(error, CallFault::BadOutput { retry: true, .. }) && error.is_transient());
    let start = format!("{}/out.png ended after 8 bytes of 5 KiB", stub.address);
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(file, None);
}

#[tokio::test]
async fn pitfall_39_an_empty_file_is_no_output() {
    let (fetched, file, stub) = fetch_from(vec![reply("200 OK", "", "")]).await;
    assert_eq!(fetched.unwrap_err().to_string(), format!("{}/out.png is empty", stub.address));
    assert_eq!(file, None);
}

#[tokio::test]
async fn pitfall_39_a_download_that_stalls_is_given_up() {
    let stalled = Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\x89PNG\r\n\x1a\n".to_vec());
    let (fetched, file, stub) = fetch_from(vec![stalled]).await;
    assert_eq!(
        fetched.unwrap_err().to_string(),
        format!("{}/out.png ended after 8 bytes of 5 KiB: nothing came for 0.4 s", stub.address)
    );
    assert_eq!(file, None);
}

#[tokio::test]
async fn pitfall_40_a_wrong_content_type_does_not_matter() {
    let (fetched, file, _) = fetch_from(vec![reply("200 OK", "content-type: text/html\r\n", PNG)]).await;
    assert!(fetched.is_ok());
    assert_eq!(file.unwrap(), PNG);
}

#[tokio::test]
async fn a_web_page_is_not_taken_for_an_output() {
    let page = "<!doctype html><title>Sign in</title>";
    let (fetched, file, stub) = fetch_from(vec![reply("200 OK", "content-type: image/png\r\n", page)]).await;
    let text = format!("{}/out.png is a web page, not the output", stub.address);
    assert_eq!(fetched.unwrap_err().to_string(), text);
    assert_eq!(file, None);
}

#[tokio::test]
async fn pitfall_41_data_uris_are_decoded_into_files() {
    let provider = provider_at("https://api.acme.test/v1", Dialect::Replicate);
    let uri = "data:application/octet-stream;base64,iVBORw0KGgo=";
    let (fetched, file) = fetch(&provider, uri).await;
    assert_eq!((fetched.unwrap(), file.unwrap().as_slice()), (8, b"\x89PNG\r\n\x1a\n".as_slice()));
    let (fetched, file) = fetch(&provider, "data:image/png;base64,").await;
    assert_eq!((fetched.unwrap_err().to_string().as_str(), file), ("the output is empty", None));
    let (fetched, _) = fetch(&provider, "data:image/png;base64,%%%").await;
    assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })));
}

#[tokio::test]
async fn pitfall_37_an_output_that_is_gone_is_told_from_a_server_that_fails() {
    for status in ["404 Not Found", "410 Gone", "403 Forbidden"] {
        assert!(matches!(fetch_from(vec![reply(status, "", "no")]).await.0, Err(CallFault::Gone)));
    }
    for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
        let error = fetch_from(vec![reply(status, "", "no")]).await.0.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn pitfall_47_an_output_larger_than_the_limit_is_refused() {
    let said = reply("200 OK", "", vec![1; 100_001]);
    let unsaid = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![1; 100_001]].concat();
    for large in [said, Reply::Bytes(unsaid)] {
        let (fetched, file, stub) = fetch_from(vec![large]).await;
        assert_eq!(
            fetched.unwrap_err().to_string(),
            format!("{}/out.png is larger than 98 KiB", stub.address)
        );
        assert_eq!(file, None);
    }
}

#[tokio::test]
async fn pitfall_47_at_most_five_redirects_are_followed() {
    let onward = |n: usize| reply("302 Found", &format!("location: /next-{n}\r\n"), "");
    let five: Vec<_> = (0..5).map(onward).chain([reply("200 OK", "", PNG)]).collect();
    assert!(fetch_from(five).await.0.is_ok());
    let six: Vec<_> = (0..6).map(onward).chain([reply("200 OK", "", PNG)]).collect();
    let (fetched, _, stub) = fetch_from(six).await;
    assert_eq!(
        fetched.unwrap_err().to_string(),
        format!("{}/next-5 is behind more than 5 redirects", stub.address)
    );
}

#[tokio::test]
async fn pitfall_47_a_redirect_to_another_scheme_leads_nowhere() {
    let (fetched, ..) = fetch_from(vec![reply("302 Found", "location: file:///etc/passwd\r\n", "")]).await;
    assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })));
}

#[tokio::test]
async fn pitfall_47_a_remote_provider_cannot_point_at_this_machine() {
    let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
    let provider = provider_at("https://api.acme.test/v1", Dialect::Replicate);
    for uri in [stub.url("/x"), stub.url("/x").replace("127.0.0.1", "localhost")] {
        let (fetched, file) = fetch(&provider, &uri).await;
        let error = fetched.unwrap_err();
        assert!(matches!(error, CallFault::BadOutput { retry: false, .. }), "{error:?}");
        assert!(error.to_string().contains("on a private network"), "{error}");
        assert_eq!(file, None);
    }
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn pitfall_47_each_hop_of_a_download_is_checked() {
    // The host that the user configured may be private, but not what it redirects to.
    let inside = Stub::start(vec![reply("200 OK", "", PNG)]).await;
    let to_inside = format!("location: {}\r\n", inside.url("/secret"));
    let stub = Stub::start(vec![reply("302 Found", &to_inside, "")]).await;
    let base = reqwest::Url::parse(&stub.url("/v1")).unwrap();
    let downloads = Downloads::new(&base, false, &Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let fetched = downloads.fetch(&stub.url("/out.png"), &folder.path().join("out")).await;
    assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })), "{fetched:?}");
    assert_eq!((stub.requests().len(), inside.requests().len()), (1, 0));
}

#[tokio::test]
async fn of_a_server_of_ones_own_every_port_of_its_host_is_allowed_and_no_other_private_host() {
    let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
    let base = reqwest::Url::parse("http://127.0.0.1:9/").unwrap();
    let downloads = Downloads::of_host(&base, false, &Limits::default());
    let folder = tempfile::tempdir().unwrap();
    downloads.fetch(&stub.url("/out.png"), &folder.path().join("own")).await.unwrap();
    let other = stub.url("/out.png").replace("127.0.0.1", "localhost");
    let fetched = downloads.fetch(&other, &folder.path().join("other")).await;
    assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })), "{fetched:?}");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn an_existing_file_is_never_overwritten() {
    let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    std::fs::write(&to, "mine").unwrap();
    let fetched = provider(&stub, Dialect::Replicate).fetch(&stub.url("/x"), &to).await;
    assert!(matches!(fetched, Err(CallFault::Io(_))));
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
}

#[tokio::test]
async fn pitfall_39_a_download_that_dribbles_ends() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n".to_vec();
    let stub = Stub::start(vec![Reply::Dribble(head)]).await;
    let mut options = HttpOptions { base_url: stub.url("/v1"), ..options(Dialect::Replicate) };
    options.limits.download = Duration::from_millis(400);
    let (fetched, file) = fetch(&HttpProvider::new(options).unwrap(), &stub.url("/out.png?key=1")).await;
    let error = fetched.unwrap_err();
    assert_eq!(error.to_string(), format!("{}/out.png was not there as a whole after 0.4 s", stub.address));
    assert!(error.is_transient());
    assert_eq!(file, None);
}

#[tokio::test]
async fn pitfall_47_even_the_providers_own_files_are_fetched_without_the_token() {
    let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let (fetched, _) = fetch(&provider, &stub.url("/replicate/v1/files/f1/download?signature=x")).await;
    fetched.unwrap();
    assert_eq!(stub.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn pitfall_60_an_address_with_the_token_in_it_is_not_printed() {
    let stub = Stub::start(vec![reply("500 Internal Server Error", "", "")]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let (fetched, _) = fetch(&provider, &stub.url("/a-token-of-some%2Dlength/x.png")).await;
    assert_eq!(fetched.unwrap_err().to_string(), format!("{}/[token]/x.png answered 500", stub.address));
}

#[tokio::test]
async fn pitfall_41_a_data_uri_is_never_printed() {
    let provider = provider_at("https://api.acme.test/v1", Dialect::Replicate);
    for uri in ["data:image/png;base64,%%%AAAA", "data:image/png;AAAA", "data:text/html,<html>AAAA"] {
        let error = fetch(&provider, uri).await.0.unwrap_err().to_string();
        assert!(!error.contains("AAAA"), "{error}");
    }
}

#[tokio::test]
async fn a_long_address_is_not_printed_as_a_whole() {
    let stub = Stub::start(vec![reply("500 Internal Server Error", "", "")]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let host = format!("http://{}.invalid/", "x".repeat(100_000));
    for uri in [stub.url(&format!("/{}", "x".repeat(5_000))), host] {
        let error = fetch(&provider, &uri).await.0.unwrap_err().to_string();
        assert!(error.contains("xxx") && error.len() < 600, "{} bytes: {}", error.len(), &error[..80]);
    }
}
