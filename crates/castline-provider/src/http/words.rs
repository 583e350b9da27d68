//! What a server says when it refuses: problem details, OpenAI's envelope, FastAPI's list,
//! or the first words of a page.

use std::time::Duration;

use castline_core::MediaType;
use serde_json::Value;

use super::data_uri;

/// Words longer than this are cut: servers echo whole requests.
const LENGTH: usize = 300;

/// A refusal in the server's words.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Words {
    /// For people; empty when the server said nothing.
    pub text: String,
    /// `invalid_request`, where there is a code.
    pub code: Option<String>,
    /// When to come back, where the body says so.
    pub retry_after: Option<Duration>,
}

impl Words {
    /// Reads the body of a refusal.
    pub fn of(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(json) => Self::of_json(&json),
            Err(_) => Self { text: first_words(body), ..Self::default() },
        }
    }

    fn of_json(json: &Value) -> Self {
        let error = json.get("error").filter(|e| e.is_object()).unwrap_or(json);
        let text = said(error).or_else(|| said(json)).unwrap_or_else(|| json.to_string());
        let retry_after = json
            .get("retry_after")
            .and_then(Value::as_f64)
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .or_else(|| resets_in(&text));
        let code = error.get("code").and_then(Value::as_str).filter(|c| !c.is_empty());
        Self { text: cut(text.trim()), code: code.map(str::to_owned), retry_after }
    }
}

fn said(json: &Value) -> Option<String> {
    let text = |name: &str| json.get(name)?.as_str().map(str::trim).filter(|s| !s.is_empty());
    let detail = text("detail").map(str::to_owned).or_else(|| findings(json.get("detail")?));
    match (text("title"), detail) {
        (Some(title), Some(detail)) if !detail.contains(title) => {
            Some(format!("{}: {detail}", title.trim_end_matches(['.', ':'])))
        }
        (_, Some(detail)) => Some(detail),
        (Some(title), None) => Some(title.to_owned()),
        (None, None) => text("message").or_else(|| text("error")).map(str::to_owned),
    }
}

/// FastAPI's list: where, and what is wrong there.
fn findings(detail: &Value) -> Option<String> {
    let one = |finding: &Value| {
        let place = finding.get("loc").and_then(Value::as_array).into_iter().flatten();
        let place: Vec<String> = place
            .filter(|part| part.as_str() != Some("body"))
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        Some(format!("{}: {}", place.join("."), finding.get("msg")?.as_str()?))
    };
    let found: Vec<String> = detail.as_array()?.iter().filter_map(one).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// Finds `in 1 second` and `in ~30s`.
fn resets_in(text: &str) -> Option<Duration> {
    text.match_indices(" in ").find_map(|(at, found)| {
        let rest = text[at + found.len()..].trim_start_matches('~');
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &rest[..rest.len() - unit.len()];
        let seconds = unit.trim_start().starts_with('s');
        seconds.then(|| digits.parse().ok()).flatten().map(Duration::from_secs)
    })
}

/// The beginning of what is no JSON, for people: tags and line breaks left out.
pub(super) fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let page = MediaType::sniff(&body[..body.len().min(4096)]).as_str() == "text/html";
    let text = if page { without_tags(&text) } else { text.into_owned() };
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn without_tags(page: &str) -> String {
    let mut pieces = page.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or("", |(_, after)| after));
    }
    text
}

/// The beginning of somebody else's words, for a message.
pub(crate) fn cut(text: &str) -> String {
    let text = data_uri::shortened(text);
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", text[..end].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        Words::of(body.as_bytes()).text
    }

    #[test]
    fn every_known_form_of_refusal_is_read() {
        let forms = [
            r#"{"title":"Unauthenticated","detail":"You did not pass an authentication token","status":401}"#,
            r#"{"detail":"The requested resource could not be found.","status":404}"#,
            r#"{"title":"Insufficient credit"}"#,
            r#"{"title":"No credit","detail":"No credit left."}"#,
            r#"{"error":{"message":"The input is not valid (request id: 2026-abc)","type":"comet_api_error","code":"x"}}"#,
            r#"{"error":"At capacity"}"#,
            r#"{"message":"gone fishing"}"#,
            r#"{"detail":[{"loc":["body","input","steps"],"msg":"9 is too large"},{"loc":["body",0],"msg":"Field required"}]}"#,
            "<!doctype html><html><head><title>413</title></head><body><h1>Too\nlarge</h1></body></html>",
            "upstream timed out\n",
            r#"{"odd":1}"#,
            "",
        ];
        assert_eq!(
            forms.map(said),
            [
                "Unauthenticated: You did not pass an authentication token",
                "The requested resource could not be found.",
                "Insufficient credit",
                "No credit left.",
                "The input is not valid (request id: 2026-abc)",
                "At capacity",
                "gone fishing",
                "input.steps: 9 is too large; 0: Field required",
                "413 Too large",
                "upstream timed out",
                r#"{"odd":1}"#,
                "",
            ]
        );
    }

    #[test]
    fn pitfall_9_the_delay_of_a_throttled_account_is_found_in_member_or_text() {
        let delay = |body: &str| Words::of(body.as_bytes()).retry_after.map(|d| d.as_secs());
        assert_eq!(
            delay(r#"{"detail":"Throttled. Your rate limit resets in ~30s.","retry_after":5}"#),
            Some(5)
        );
        assert_eq!(delay(r#"{"detail":"Throttled. Your rate limit resets in ~30s."}"#), Some(30));
        assert_eq!(delay(r#"{"detail":"Expected available in 1 second."}"#), Some(1));
        assert_eq!(delay(r#"{"detail":"Not in time, in 5 minutes."}"#), None);
    }

    #[test]
    fn pitfall_60_a_file_that_a_server_echoes_is_not_printed() {
        let echoed = format!(r#"{{"detail":"data:image/png;base64,{} is no uri"}}"#, "A".repeat(99));
        assert_eq!(said(&echoed), "data:image/png;base64,... is no uri");
    }

    #[test]
    fn a_server_that_echoes_the_request_is_cut_short() {
        assert_eq!(said(&format!(r#"{{"detail":"{}"}}"#, "ü".repeat(1000))).chars().count(), LENGTH + 3);
    }
}
