//! Answers that are not as they should be, of calls that were carried out.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderValue, Response};
use futures_util::{StreamExt, stream};

use crate::fault::OddAnswer;

/// So many pieces, and a pause after each: half a second.
const PIECES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// A gigabyte, which no client reads.
const HUGE: u64 = 1 << 30;

/// An answer as a fault has it.
pub(crate) async fn odd(answer: Response<Body>, how: OddAnswer) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body = match how {
        OddAnswer::Malformed => whole.slice(..whole.len() / 2).into(),
        OddAnswer::Slow => dribble(&whole),
        OddAnswer::Huge => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(HUGE));
            Body::from_stream(stream::once(async { Ok::<_, std::io::Error>(whole) }).chain(stream::pending()))
        }
        OddAnswer::Hold(time) => {
            tokio::time::sleep(time).await;
            whole.into()
        }
    };
    Response::from_parts(parts, body)
}

/// Bytes that come a few at a time.
pub(crate) fn dribble(bytes: &[u8]) -> Body {
    let size = bytes.len().div_ceil(PIECES).max(1);
    let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(PAUSE).await;
        Ok::<_, std::io::Error>(piece)
    }))
}
