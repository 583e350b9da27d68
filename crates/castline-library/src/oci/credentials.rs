//! The user's credentials for a registry, from where `docker login` and its like keep them.
//!
//! They are read when a registry asks for them, go to that registry and its token server, and
//! are in no message.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// A name and a password, or a token in the place of one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(..)")
    }
}

/// `config.json` of docker, as far as it is about logins.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: BTreeMap<String, Kept>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

/// One login, where no helper has it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Kept {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// Where docker's configuration is.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("DOCKER_CONFIG").or_else(|| Some(named("HOME").or_else(|| named("USERPROFILE"))?.join(".docker")))
}

/// The login for a host; none where the user has none. A configuration that cannot be read is an error.
pub(crate) fn login(folder: Option<&Path>, host: &str) -> Result<Option<Login>, String> {
    let Some(file) = folder.map(|folder| folder.join("config.json")) else { return Ok(None) };
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("`{}` cannot be read: {e}", file.display())),
    };
    // What stands there is not repeated: it may be a password.
    let config: Config = serde_json::from_slice(&text)
        .map_err(|e| format!("`{}` is broken at line {}", file.display(), e.line()))?;
    let key = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    let helper = config.cred_helpers.get(host).or(config.creds_store.as_ref());
    if let Some(helper) = helper
        && let Some(login) = ask_helper(helper, key)?
    {
        return Ok(Some(login));
    }
    let found = config.auths.iter().find(|(name, _)| name.as_str() == key || host_of(name) == host);
    // Nothing in it means that a helper has it.
    let found = found.map(|(_, kept)| kept).filter(|kept| !kept.is_empty());
    let broken = || format!("the login for {host} in `{}` is broken", file.display());
    found.map(|kept| kept.login().ok_or_else(broken)).transpose()
}

/// Older files name an address: `https://host/v1/`.
fn host_of(name: &str) -> &str {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.password.is_none() && self.auth.as_ref().is_none_or(String::is_empty)
    }

    /// None where it cannot be read.
    fn login(&self) -> Option<Login> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Login { user: user.clone(), password: password.clone() });
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(self.auth.as_ref()?.trim()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Login { user: user.to_owned(), password: password.to_owned() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// `docker-credential-NAME get`, which the user configured.
fn ask_helper(helper: &str, key: &str) -> Result<Option<Login>, String> {
    if helper.is_empty() || !helper.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err("docker's configuration names a credential helper that is none".to_owned());
    }
    let name = format!("docker-credential-{helper}");
    let failed = |e: std::io::Error| format!("`{name}` cannot be asked: {e}");
    let mut child = Command::new(&name)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // A helper that has nothing may end before it reads.
    let _ = stdin.write_all(key.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Ok(None);
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|_| format!("`{name}` answers what is no login"))?;
    Ok(Some(Login { user: answer.username, password: answer.secret }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login_of(config: &str, host: &str) -> Result<Option<(String, String)>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.json"), config).expect("written");
        let found = login(Some(folder.path()), host)?;
        Ok(found.map(|login| (login.user, login.password)))
    }

    #[test]
    fn a_login_is_found_by_its_host() {
        let encoded = BASE64_STANDARD.encode("anna:p:w");
        let config = format!(
            "{{\"auths\": {{\"https://a.b/v1/\": {{\"auth\": \"{encoded}\"}}, \"c.d:5000\": {{\"username\": \"u\", \"password\": \"p\"}}, \"e.f\": {{}}}}}}"
        );
        let some = |user: &str, password: &str| Ok(Some((user.to_owned(), password.to_owned())));
        assert_eq!(login_of(&config, "a.b"), some("anna", "p:w"));
        assert_eq!(login_of(&config, "c.d:5000"), some("u", "p"));
        assert_eq!(login_of(&config, "c.d"), Ok(None));
        assert_eq!(login_of(&config, "e.f"), Ok(None));
    }

    #[test]
    fn a_broken_configuration_says_so_without_its_words() {
        let found = login_of("{\"auths\": {\"a.b\": \"geheim\"}}", "a.b").expect_err("it is broken");
        assert!(found.contains("is broken at line 1") && !found.contains("geheim"), "{found}");
        let found = login_of("{\"auths\": {\"a.b\": {\"auth\": \"geheim!\"}}}", "a.b").expect_err("broken");
        assert!(found.contains("login for a.b") && !found.contains("geheim"), "{found}");
        let found = login_of("{\"credsStore\": \"../evil\"}", "a.b").expect_err("no helper");
        assert!(found.contains("none"), "{found}");
    }
}
