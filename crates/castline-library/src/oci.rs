//! Libraries in OCI registries: a manifest that names one layer, the packed library.
//!
//! Whatever comes is compared with the digest that names it before it is looked at, and is read
//! no further than a library can be large.
//!
//! Start reading at [`Registry::pull`] and [`Registry::push`].

mod credentials;
mod wire;

use std::collections::BTreeMap;

use castline_spec::Library;
use castline_spec::library::{OciPlace, OciVersion, is_digest};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use crate::archive;
use crate::error::{LibraryError, same};
use crate::tree::{MOST_TOTAL, Tree, digest_of, printable};

pub use wire::Registry;
use wire::Scope;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.castline.library.config.v1+json";
const LAYER: &str = "application/vnd.castline.library.v1.tar+gzip";
/// How those of every version begin.
const LIBRARY: &str = "application/vnd.castline.library.";
/// Most bytes of a manifest.
const MOST_MANIFEST: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self { media_type: media_type.to_owned(), digest: digest_of(bytes), size: bytes.len() as u64 }
    }
}

impl Registry {
    /// Fetches a library. Returns its files and the digest of its manifest.
    pub async fn pull(&self, place: &OciPlace) -> Result<(Tree, String), LibraryError> {
        let what = place.to_string();
        let path = format!("manifests/{}", place.reference());
        let request = self.request(place, Method::GET, &path)?.header(ACCEPT, MANIFEST);
        let answer = self.send(place, request, Scope::Pull).await?;
        let bytes = answer.bytes(MOST_MANIFEST).await?;
        let digest = digest_of(&bytes);
        if let OciVersion::Digest(pinned) = &place.version {
            same(&format!("the manifest of {what}"), pinned, &digest)?;
        }
        let (named, size) = layer(&bytes, &what)?;
        let request = self.request(place, Method::GET, &format!("blobs/{named}"))?;
        let archive = self.send(place, request, Scope::Pull).await?.bytes(size).await?;
        same(&format!("the archive of {what}"), &named, &digest_of(&archive))?;
        let tree = archive::unpack(&archive, &what)?;
        Ok((tree, digest))
    }

    /// Puts a library into a registry. Returns the digest of its manifest, which names it for ever.
    pub async fn push(
        &self,
        place: &OciPlace,
        tree: &Tree,
        library: &Library,
    ) -> Result<String, LibraryError> {
        let what = place.to_string();
        let archive = archive::pack(tree).map_err(LibraryError::disk(format!("{what} cannot be packed")))?;
        let config = serde_json::json!({ "name": *library.name, "version": *library.version }).to_string();
        let annotation = |name: &str, value: Option<&String>| {
            value.map(|value| (format!("org.opencontainers.image.{name}"), value.clone()))
        };
        let annotations = [
            annotation("title", Some(&library.name.value)),
            annotation("version", Some(&library.version.value)),
            annotation("description", library.description.as_ref()),
            annotation("licenses", library.licence.as_ref()),
        ];
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: Descriptor::of(CONFIG, config.as_bytes()),
            layers: vec![Descriptor::of(LAYER, &archive)],
            annotations: annotations.into_iter().flatten().collect(),
        };
        let bytes = serde_json::to_vec(&manifest).expect("a manifest is plain data");
        let digest = digest_of(&bytes);
        if let OciVersion::Digest(wanted) = &place.version {
            same(&what, wanted, &digest)?;
        }
        self.upload(place, config.into_bytes()).await?;
        self.upload(place, archive).await?;
        let request = self.request(place, Method::PUT, &format!("manifests/{}", place.reference()))?;
        let request = request.header(CONTENT_TYPE, MANIFEST).body(bytes);
        self.send(place, request, Scope::Push).await?;
        Ok(digest)
    }

    /// A blob, unless the registry has it.
    async fn upload(&self, place: &OciPlace, bytes: Vec<u8>) -> Result<(), LibraryError> {
        let digest = digest_of(&bytes);
        let head = self.request(place, Method::HEAD, &format!("blobs/{digest}"))?;
        if self.send_for(place, head, Scope::Push).await?.is_success() {
            return Ok(());
        }
        let begin = self.request(place, Method::POST, "blobs/uploads/")?.body(Vec::new());
        let begun = self.send(place, begin, Scope::Push).await?;
        let request = self.put_upload(place, &begun, &digest)?;
        let request = request.header(CONTENT_TYPE, "application/octet-stream").body(bytes);
        self.send(place, request, Scope::Push).await.map(drop)
    }
}

/// Says why a layer cannot be read.
fn check_kind(media_type: &str) -> Result<(), String> {
    let shown = printable(media_type);
    match media_type {
        LAYER => Ok(()),
        _ if media_type.starts_with(LIBRARY) => {
            Err(format!("a newer castline packed it, as {shown}: update castline"))
        }
        _ => Err(format!("it is no library of castline but {shown}")),
    }
}

/// What a manifest names as the archive of a library: its digest, and how many bytes it has.
pub fn layer(manifest: &[u8], what: &str) -> Result<(String, u64), LibraryError> {
    let wrong = |why: String| Err(LibraryError::fetch(what, why));
    // An error repeats what it is about, however long that is.
    let unreadable =
        |e: serde_json::Error| format!("its manifest cannot be read: {}", printable(&e.to_string()));
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|e| LibraryError::fetch(what, unreadable(e)))?;
    let [layer] = &manifest.layers[..] else {
        return wrong(format!("it has {} layers, and a library has one", manifest.layers.len()));
    };
    check_kind(&layer.media_type).map_err(|why| LibraryError::fetch(what, why))?;
    if !is_digest(&layer.digest) {
        return wrong("its manifest names no digest of sha256".to_owned());
    }
    if layer.size > MOST_TOTAL {
        return wrong("it is larger than 64 MiB".to_owned());
    }
    Ok((layer.digest.clone(), layer.size))
}

/// An archive as a file, as `library pack` writes it.
pub fn pack(tree: &Tree) -> std::io::Result<Vec<u8>> {
    archive::pack(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_of_a_later_form_says_to_update_castline() {
        assert_eq!(check_kind(LAYER), Ok(()));
        assert_eq!(
            check_kind("application/vnd.castline.library.v2.tar+zstd").unwrap_err(),
            "a newer castline packed it, as application/vnd.castline.library.v2.tar+zstd: update castline"
        );
        assert_eq!(
            check_kind("application/vnd.oci.image.layer.v1.tar+gzip").unwrap_err(),
            "it is no library of castline but application/vnd.oci.image.layer.v1.tar+gzip"
        );
    }

    #[test]
    fn what_is_said_of_a_manifest_is_no_longer_than_a_line() {
        let long = format!(r#"{{"schemaVersion": "{}"}}"#, "x".repeat(100_000));
        let error = layer(long.as_bytes(), "it").expect_err("it is no number").to_string();
        assert!(
            error
                .starts_with("it cannot be fetched: its manifest cannot be read: invalid type: string \"xxx")
        );
        assert!(error.len() < 300, "{} bytes", error.len());
    }
}
