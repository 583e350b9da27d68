//! Where a provider is, and the routes below it.

use castline_core::{ModelRef, PredictionId};
use reqwest::Url;

use super::route::Route;

/// The configured beginning of every route, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(Url);

/// A text that is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBaseUrl {
    /// Not a URL at all.
    #[error("`{text}` is not a URL: {cause}")]
    NotUrl {
        /// As written.
        text: String,
        /// The parser's words.
        cause: String,
    },
    /// Another scheme.
    #[error("the base URL `{0}` does not begin with http:// or https://")]
    NotHttp(String),
    /// A character that URL readers understand differently: the host that is checked must be
    /// the host that is called.
    #[error("the base URL `{0}` contains a backslash, a blank or a line break")]
    Ambiguous(String),
    /// Credentials in the URL would end up in logs.
    #[error(
        "the base URL of `{0}` contains a user name or password; put the token into an environment variable"
    )]
    Credentials(String),
    /// A query or fragment cannot be followed by a route.
    #[error("the base URL `{0}` has a `?` or `#` part, after which no route can stand")]
    Tail(String),
}

impl BaseUrl {
    /// Takes a base URL as people write it: with any prefix, white space around it and
    /// slashes after it.
    pub fn parse(text: &str) -> Result<Self, BadBaseUrl> {
        let text = text.trim().trim_end_matches('/');
        if text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(BadBaseUrl::Ambiguous(text.to_owned()));
        }
        let url = Url::parse(text)
            .map_err(|e| BadBaseUrl::NotUrl { text: text.to_owned(), cause: e.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadBaseUrl::NotHttp(text.to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadBaseUrl::Credentials(host_and_port(&url)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadBaseUrl::Tail(text.to_owned()));
        }
        Ok(Self(url))
    }

    /// The URL itself.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Where a prediction is created.
    pub fn create(&self, route: Route<'_>) -> Url {
        match route {
            Route::Name(model) => self.below(&["models", &model.owner, &model.name, "predictions"]),
            Route::Version(..) => self.predictions(),
            Route::Deployment(owner, name) => self.below(&["deployments", owner, name, "predictions"]),
        }
    }

    /// Where predictions are listed.
    pub fn predictions(&self) -> Url {
        self.below(&["predictions"])
    }

    /// Where files are uploaded.
    pub fn files(&self) -> Url {
        self.below(&["files"])
    }

    /// Where a model is described.
    pub fn model(&self, model: &ModelRef) -> Url {
        self.below(&["models", &model.owner, &model.name])
    }

    /// Where a model's versions are listed.
    pub fn versions(&self, model: &ModelRef) -> Url {
        self.below(&["models", &model.owner, &model.name, "versions"])
    }

    /// Where a version of a model is described.
    pub fn version(&self, model: &ModelRef, id: &str) -> Url {
        self.below(&["models", &model.owner, &model.name, "versions", id])
    }

    /// Where a token says whose it is.
    pub fn account(&self) -> Url {
        self.below(&["account"])
    }

    /// Where a prediction is read. Always below the configured base: the URLs inside
    /// answers may name hosts that must never see the token.
    pub fn prediction(&self, id: &PredictionId) -> Url {
        self.below(&["predictions", &id.0])
    }

    /// Where a prediction is canceled.
    pub fn cancel(&self, id: &PredictionId) -> Url {
        self.below(&["predictions", &id.0, "cancel"])
    }

    pub(crate) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(segments);
        url
    }
}

/// True for an id that can stand in a route. Blanks of which a URL takes no notice could make two dots of
/// what is none.
pub(crate) fn is_segment(id: &str) -> bool {
    let left: String = id.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    !matches!(left.as_str(), "" | "." | "..")
}

/// The host that a base URL leads to, exactly as it will be connected to: what trust in a
/// host must be decided by.
pub fn host(base_url: &str) -> Result<String, BadBaseUrl> {
    Ok(BaseUrl::parse(base_url)?.0.host_str().unwrap_or_default().to_owned())
}

/// Host and port as people write them; the port only where it is not the scheme's own.
pub(crate) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pitfall_58_every_spelling_of_a_base_url_leads_to_the_same_route() {
        for base in ["http://h:81/replicate/v1", "http://h:81/replicate/v1/", " http://h:81/replicate/v1//\n"]
        {
            let url = BaseUrl::parse(base).unwrap().create(Route::Name(&"acme/paint".parse().unwrap()));
            assert_eq!(url.as_str(), "http://h:81/replicate/v1/models/acme/paint/predictions");
        }
        let bare = BaseUrl::parse("http://h:5000").unwrap();
        assert_eq!(bare.account().as_str(), "http://h:5000/account");
    }

    #[test]
    fn an_id_cannot_leave_its_route() {
        let base = BaseUrl::parse("https://h/v1").unwrap();
        let url = |id: &str| base.prediction(&PredictionId(id.to_owned())).to_string();
        assert_eq!(url("abc"), "https://h/v1/predictions/abc");
        assert_eq!(url("a/../b?c"), "https://h/v1/predictions/a%2F..%2Fb%3Fc");
        for id in ["", ".", "..", ".\t.", "\n..", "\r"] {
            assert!(!is_segment(id), "{id:?}");
        }
        assert!(is_segment("...") && is_segment("a\tb"));
    }

    #[test]
    fn what_is_not_a_base_url_is_refused_with_the_reason() {
        let refused = |text: &str| BaseUrl::parse(text).unwrap_err().to_string();
        assert_eq!(
            [
                "api.example.com/v1",
                "ftp://h/v1",
                r"https://evil.test\@api.replicate.com/v1",
                "https://me:pw@h:8/v1",
                "https://h/v1?key=1",
            ]
            .map(refused),
            [
                "`api.example.com/v1` is not a URL: relative URL without a base",
                "the base URL `ftp://h/v1` does not begin with http:// or https://",
                r"the base URL `https://evil.test\@api.replicate.com/v1` contains a backslash, a blank or a line break",
                "the base URL of `h:8` contains a user name or password; put the token into an environment variable",
                "the base URL `https://h/v1?key=1` has a `?` or `#` part, after which no route can stand",
            ]
        );
    }
}
