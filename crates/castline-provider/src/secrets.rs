//! Inputs that stand in no document: they are filled in when a request is sent, and nowhere else.

use std::collections::BTreeMap;

use castline_core::Snapshot;
use castline_core::prediction::CallFault;
use serde_json::{Map, Value as Json};

use crate::http::Token;

/// What stands for a secret in an input as it was sent. No text of a document has such a beginning.
pub(crate) const SENT: &str = "\u{0}secret";

/// Secrets by the model's field names. Never shown.
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<String, Token>);

impl Secrets {
    /// No secrets.
    pub const NONE: &'static Self = &Self(BTreeMap::new());

    /// Keeps one for a field of the model.
    pub fn put(&mut self, field: &str, secret: Token) {
        self.0.insert(field.to_owned(), secret);
    }

    /// Takes all of them out of somebody else's words.
    fn scrub(&self, text: &str) -> String {
        self.0.values().fold(text.to_owned(), |text, secret| secret.scrub(&text))
    }

    /// An answer without them, should the provider repeat what it was sent.
    pub fn out_of(&self, answer: Result<Snapshot, CallFault>) -> Result<Snapshot, CallFault> {
        if self.0.is_empty() {
            return answer;
        }
        let answer = answer.map(|snapshot| Snapshot {
            output: snapshot.output.map(|output| self.out_of_json(output)),
            error: snapshot.error.map(|words| self.scrub(&words)),
            logs: snapshot.logs.map(|words| self.scrub(&words)),
            ..snapshot
        });
        answer.map_err(|fault| fault.map_message(|words| self.scrub(&words)))
    }

    fn out_of_json(&self, json: Json) -> Json {
        match json {
            Json::String(text) => self.scrub(&text).into(),
            Json::Array(items) => items.into_iter().map(|item| self.out_of_json(item)).collect(),
            Json::Object(map) => {
                map.into_iter().map(|(name, value)| (name, self.out_of_json(value))).collect()
            }
            other => other,
        }
    }

    /// Writes them into an input on its way out.
    pub(crate) fn fill(&self, input: &mut Map<String, Json>) {
        input.extend(self.0.iter().map(|(field, secret)| (field.clone(), secret.reveal().into())));
    }

    /// Writes that they were sent, and not what they are.
    pub(crate) fn mark(&self, input: &mut Map<String, Json>) {
        input.extend(self.0.keys().map(|field| (field.clone(), SENT.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_filled_in_and_shown_nowhere_else() {
        let mut secrets = Secrets::default();
        secrets.put("openai_api_key", Token::new("sk-zebra-quartz").unwrap());
        let (mut sent, mut noted) = (Map::new(), Map::new());
        secrets.fill(&mut sent);
        secrets.mark(&mut noted);
        assert_eq!(sent["openai_api_key"], "sk-zebra-quartz");
        assert_eq!(noted["openai_api_key"], SENT);
        assert_eq!(secrets.scrub("bad key sk-zebra-quartz"), "bad key [token]");
        assert!(!format!("{secrets:?}").contains("zebra"));
    }
}
