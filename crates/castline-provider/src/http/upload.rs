//! Brings files to a provider that are too large for a request.

use std::time::Duration;

use castline_core::{Artifact, MediaType};
use jiff::{SignedDuration, Timestamp};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Request};
use serde::Deserialize;

use super::exchange::Answer;
use super::input::{Loose, size};
use super::options::Limits;
use super::refusal::Call;
use super::{HttpProvider, built};
use crate::call::{CallFault, Create, Link, MediaSource};

/// The slowest connection that is waited for. Bytes a second.
const SLOWEST: u64 = 256 << 10;

/// How long a file is kept where the answer does not say.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

impl HttpProvider {
    /// The files of an input that have to be uploaded before the create: those that are too
    /// large to travel inside the request, and of the others, where they do not fit together,
    /// as few bytes as possible.
    pub fn uploads<'a>(&self, create: &'a Create<'_>) -> Result<Vec<&'a Artifact>, CallFault> {
        let sending = self.sending(create);
        if !self.capabilities.upload {
            sending.sent()?;
            return Ok(Vec::new());
        }
        let uploads = chosen(sending.loose()?, &self.options.limits);
        for file in &uploads {
            check_size(file.artifact, &format!("the file in `{}`", file.at), &self.options.limits)?;
        }
        Ok(uploads.into_iter().map(|file| file.artifact).collect())
    }

    /// Uploads a file, under a name that says only what it is.
    pub async fn upload(&self, artifact: &Artifact, media: &dyn MediaSource) -> Result<Link, CallFault> {
        if !self.capabilities.upload {
            return Err(crate::none("uploads"));
        }
        check_size(artifact, "the file", &self.options.limits)?;
        let request = self.upload_request(artifact, media.read(artifact)?)?;
        let answer = self.exchange(request).await?;
        if !answer.status.is_success() {
            return Err(self.refusals().of(Call::Upload, &answer));
        }
        link(&answer, self.clock(), Timestamp::now())
            .ok_or_else(|| self.refusals().empty(Call::Upload, &answer))
    }

    pub(super) fn upload_request(&self, artifact: &Artifact, bytes: Vec<u8>) -> Result<Request, CallFault> {
        let url = self.base.files();
        let limit = self.options.limits.upload + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let media_type = MediaType::sniff(&bytes);
        let part = Part::bytes(bytes)
            .file_name(file_name(artifact, &media_type))
            .mime_str(media_type.as_str())
            .expect("sniffing gives media types");
        let request = self.request(Method::POST, &url, limit)?;
        built(&url, request.multipart(Form::new().part("content", part)))
    }
}

/// Models look at the extension, and headers take no more than ASCII.
pub(super) fn file_name(artifact: &Artifact, media_type: &MediaType) -> String {
    format!("{}.{}", &artifact.digest.hex()[..16], media_type.extension())
}

fn check_size(artifact: &Artifact, name: &str, limits: &Limits) -> Result<(), CallFault> {
    if artifact.bytes <= limits.upload_bytes {
        return Ok(());
    }
    Err(CallFault::BadInput(format!(
        "{name} has {}, and at most {} can be uploaded; give a smaller one, or the text of a public https address \
         of it",
        size(artifact.bytes),
        size(limits.upload_bytes)
    )))
}

/// Which files are uploaded, in the order of the input.
fn chosen<'a>(files: Vec<Loose<'a>>, limits: &Limits) -> Vec<Loose<'a>> {
    let (small, mut chosen): (Vec<_>, Vec<_>) =
        files.into_iter().enumerate().partition(|(_, file)| file.artifact.bytes <= limits.file_bytes);
    if small.iter().map(|(_, file)| file.inside).sum::<u64>() > limits.request_bytes {
        let staying = staying(&small, limits.request_bytes);
        chosen.extend(small.into_iter().filter(|(place, _)| !staying.contains(place)));
        chosen.sort_by_key(|(place, _)| *place);
    }
    chosen.into_iter().map(|(_, file)| file).collect()
}

/// Which files fit into the request together so that the most bytes do. Room is counted in
/// whole KiB: nobody waits for the upload of less.
fn staying(files: &[(usize, Loose<'_>)], room: u64) -> Vec<usize> {
    // For each room: the most bytes that fit into it, and whose they are.
    let mut best = vec![(0, Vec::new()); (room >> 10) as usize + 1];
    for (place, file) in files {
        let needed = usize::try_from(file.inside.div_ceil(1 << 10)).unwrap_or(usize::MAX);
        for room in (needed..best.len()).rev() {
            let bytes = best[room - needed].0 + file.artifact.bytes;
            if bytes > best[room].0 {
                let mut places = best[room - needed].1.clone();
                places.push(*place);
                best[room] = (bytes, places);
            }
        }
    }
    best.pop().map(|(_, places)| places).unwrap_or_default()
}

/// What is read of an answer to an upload.
#[derive(Deserialize)]
struct Uploaded {
    urls: Urls,
    #[serde(default)]
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Urls {
    get: String,
}

/// The address of an uploaded file, which is opaque, and its end by our clock.
fn link(answer: &Answer, clock: Option<SignedDuration>, now: Timestamp) -> Option<Link> {
    let file: Uploaded = serde_json::from_slice(&answer.body).ok()?;
    let is_web = ["http://", "https://"].iter().any(|scheme| file.urls.get.starts_with(scheme));
    let theirs = file.expires_at.and_then(|text| text.parse::<Timestamp>().ok());
    let ours = match theirs {
        Some(theirs) => theirs.checked_sub(clock.unwrap_or_default()),
        None => now.checked_add(KEPT),
    };
    is_web.then_some(Link { url: file.urls.get, expires: Some(ours.ok()?) })
}

#[cfg(test)]
mod tests {
    use castline_core::Digest;

    use super::*;

    fn artifact(name: &str, bytes: u64) -> Artifact {
        let digest = Digest::of(name.as_bytes());
        Artifact { digest, media_type: MediaType::new("image/png"), bytes, width: None, height: None }
    }

    fn uploaded(sizes: &[u64]) -> Vec<u64> {
        let files: Vec<_> = sizes.iter().map(|kib| artifact(&kib.to_string(), kib << 10)).collect();
        let loose = files.iter().map(|artifact| Loose {
            artifact,
            at: String::new(),
            inside: crate::http::data_uri::encoded_len(&artifact.media_type, artifact.bytes),
        });
        chosen(loose.collect(), &Limits::default()).iter().map(|file| file.artifact.bytes >> 10).collect()
    }

    #[test]
    fn pitfall_13_only_what_does_not_fit_is_uploaded() {
        assert_eq!(uploaded(&[256, 255, 250]), [0; 0]);
        assert_eq!(uploaded(&[10, 257, 20]), [257]);
        assert_eq!(uploaded(&[]), [0; 0]);
    }

    #[test]
    fn pitfall_13_of_files_that_do_not_fit_together_the_fewest_bytes_are_uploaded() {
        // 768 KiB of bytes fit when base64 has made them a third longer, less the words around them.
        assert_eq!(uploaded(&[250, 200, 180, 160, 100]), [160]);
        assert_eq!(uploaded(&[256, 9999, 255, 254, 30]), [9999, 30]);
    }
}
