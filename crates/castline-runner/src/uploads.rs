//! One upload of a file for all legs that send it.
//!
//! The store remembers links from run to run; here is what happens while none is known yet and
//! several legs want the same one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use castline_core::Digest;
use castline_provider::{CallFault, Link};
use jiff::{SignedDuration, Timestamp};

/// An upload is used while it lives at least so long.
const LEFT: SignedDuration = SignedDuration::from_hours(1);

/// The uploads of a run to one provider.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<BTreeMap<Digest, Arc<tokio::sync::Mutex<Option<Link>>>>>);

impl Uploads {
    /// The link of a file: whoever comes first uploads it, the others wait for that.
    pub(crate) async fn once(
        &self,
        digest: Digest,
        upload: impl Future<Output = Result<Link, CallFault>>,
    ) -> Result<Link, CallFault> {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(digest).or_default().clone();
        let mut known = place.lock().await;
        if let Some(link) =
            known.as_ref().filter(|link| until(link).is_none_or(|until| until > Timestamp::now()))
        {
            return Ok(link.clone());
        }
        let link = upload.await?;
        *known = Some(link.clone());
        Ok(link)
    }
}

/// How long a link may be used; none is for ever.
pub(crate) fn until(link: &Link) -> Option<Timestamp> {
    link.expires.map(|until| until.saturating_sub(LEFT).unwrap_or(Timestamp::MIN))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn legs_that_send_one_file_upload_it_once_and_a_failed_upload_is_tried_by_the_next() {
        let (uploads, sent) = (Uploads::default(), AtomicU32::new(0));
        let upload = |expires: Option<Timestamp>| {
            let sent = &sent;
            async move {
                tokio::task::yield_now().await;
                match sent.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(CallFault::Gone),
                    n => Ok(Link { url: format!("https://files.example/{n}"), expires }),
                }
            }
        };
        let digest = Digest::of(b"boat");
        let (first, second, third) = tokio::join!(
            uploads.once(digest, upload(None)),
            uploads.once(digest, upload(None)),
            uploads.once(digest, upload(None))
        );
        assert!(first.is_err());
        assert_eq!(second.as_ref().map(|link| link.url.as_str()), Ok("https://files.example/1"));
        assert_eq!(second, third);
        let other = Digest::of(b"kite");
        let soon = Some(Timestamp::now());
        for url in ["https://files.example/2", "https://files.example/3"] {
            assert_eq!(uploads.once(other, upload(soon)).await.unwrap().url, url, "it is about to expire");
        }
    }
}
