//! What a Cog server says of itself.

use serde::Deserialize;

use crate::http::words;

/// How many of the last lines of a failed setup are shown.
const LINES: usize = 8;
/// How many characters are shown of a line, and of a status.
const WIDTH: usize = 160;

/// The answer of `/health-check`, which is 200 whatever it says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Health {
    status: String,
    #[serde(default)]
    setup: Option<Setup>,
    #[serde(default)]
    version: Option<Version>,
    #[serde(default)]
    user_healthcheck_error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Setup {
    #[serde(default)]
    started_at: Option<String>,
    #[serde(default)]
    logs: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Version {
    #[serde(default)]
    coglet: Option<String>,
}

/// Whether predictions can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// They can.
    Ready,
    /// They can as soon as a slot is free.
    Busy,
    /// The model is being loaded.
    Loading,
    /// They cannot until somebody restarts the server, and why.
    Broken(String),
}

impl Health {
    /// `READY`, `BUSY`, ...
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Whether predictions can run.
    pub fn condition(&self) -> Condition {
        match self.status.as_str() {
            "READY" => Condition::Ready,
            "BUSY" => Condition::Busy,
            "STARTING" | "UNKNOWN" => Condition::Loading,
            _ => Condition::Broken(self.reason()),
        }
    }

    /// The state in words, with what led to it, as long as a message has room for it.
    pub fn reason(&self) -> String {
        let status = cut(&self.status);
        match (self.user_healthcheck_error.as_deref(), self.setup_log()) {
            (Some(error), _) if !error.is_empty() => format!("{status}: {}", words::cut(error)),
            (_, Some(log)) if self.status != "UNHEALTHY" => {
                format!("{status}; its setup ended with\n{log}")
            }
            _ => status,
        }
    }

    /// When this process of the server began to load; another time means another process.
    pub fn born(&self) -> Option<&str> {
        self.setup.as_ref()?.started_at.as_deref()
    }

    /// The version of the newer generation's server; the older one does not tell it here.
    pub fn coglet(&self) -> Option<&str> {
        self.version.as_ref()?.coglet.as_deref()
    }

    fn setup_log(&self) -> Option<String> {
        let log = self.setup.as_ref()?.logs.as_deref()?;
        let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        (!last.is_empty()).then(|| last.iter().map(|line| cut(line)).collect::<Vec<_>>().join("\n"))
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(health: &serde_json::Value) -> Condition {
        serde_json::from_value::<Health>(health.clone()).unwrap().condition()
    }

    #[test]
    fn only_a_server_that_serves_or_loads_is_waited_for() {
        for (status, expected) in [
            ("READY", Condition::Ready),
            ("BUSY", Condition::Busy),
            ("STARTING", Condition::Loading),
            ("UNKNOWN", Condition::Loading),
            ("DEFUNCT", Condition::Broken("DEFUNCT".into())),
            ("SOMETHING_NEW", Condition::Broken("SOMETHING_NEW".into())),
        ] {
            assert_eq!(condition(&json!({ "status": status })), expected);
        }
    }

    #[test]
    fn a_broken_server_says_what_broke_it() {
        let log: Vec<String> = (1..=20).map(|n| format!("line {n}\n\n")).collect();
        let setup = json!({ "status": "failed", "logs": log.concat() });
        assert_eq!(
            condition(&json!({ "status": "SETUP_FAILED", "setup": setup })),
            Condition::Broken(
                "SETUP_FAILED; its setup ended with\nline 13\nline 14\nline 15\nline 16\nline 17\nline 18\nline 19\nline 20"
                    .into()
            )
        );
        let unhealthy =
            json!({ "status": "UNHEALTHY", "setup": setup, "user_healthcheck_error": "no more ink" });
        assert_eq!(condition(&unhealthy), Condition::Broken("UNHEALTHY: no more ink".into()));
    }
}
