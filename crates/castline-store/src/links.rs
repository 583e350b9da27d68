//! Where providers can read artifacts by themselves: uploads, and outputs of their own.
//!
//! A forgotten link costs an upload and nothing else, so that links are written in passing and
//! errors are no trouble of whoever asks. The rows lie in the ledger's database.

use castline_core::Digest;
use jiff::Timestamp;

use crate::ledger::{Ledger, LinkSeen};

/// The links of a store.
#[derive(Debug, Clone, Copy)]
pub struct KnownLinks<'a>(pub(crate) &'a Ledger);

impl KnownLinks<'_> {
    /// The URL under which a provider reads an artifact for an account, if it does so beyond
    /// `now`. `whose` names both.
    pub fn find(&self, digest: &Digest, whose: &str, now: Timestamp) -> Option<String> {
        self.0.link(digest, whose, now).unwrap_or_default()
    }

    /// Remembers a URL until then; none is for ever. It takes the place of a former one.
    pub fn put(&self, digest: &Digest, whose: &str, url: &str, until: Option<Timestamp>) {
        self.0.remember_link(LinkSeen {
            digest: *digest,
            whose: whose.to_owned(),
            url: url.to_owned(),
            until,
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::Store;

    #[tokio::test]
    async fn a_link_is_found_at_its_provider_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (now, digest) = (Timestamp::now(), Digest::of(b"boat"));
        let (here, there) = ("replicate 1f", "replicate 2e");
        let later = now + SignedDuration::from_mins(45);
        store.links().put(&digest, here, "https://files.example/1", Some(later));
        store.settle().await.unwrap();
        assert_eq!(store.links().find(&digest, here, now).as_deref(), Some("https://files.example/1"));
        assert_eq!(store.links().find(&digest, there, now), None);
        assert_eq!(store.links().find(&digest, here, later), None);

        store.links().put(&digest, here, "https://files.example/2", None);
        store.settle().await.unwrap();
        assert_eq!(store.links().find(&digest, here, later).as_deref(), Some("https://files.example/2"));
    }
}
