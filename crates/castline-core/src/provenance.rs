//! How a file was made: what a saved picture carries, and what makes the same again.
//!
//! It is put together from what a run recorded, and holds the predictions that the file took, each
//! with the request as it was sent. `container` puts it into a picture and takes it out again.
//!
//! Start reading at [`Provenance`].

pub mod container;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use castline_spec::Name;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::event::RequestRecord;
use crate::media::Artifact;
use crate::money::MicroUsd;
use crate::record::{LegRecord, RunRecord};
use crate::value::Value;
use castline_spec::schema::MediaKind;

pub use workflow::{Find, Written};

/// Raised when what is written changes.
pub const SCHEMA_VERSION: u32 = 1;

/// A file that took more predictions tells of the last one only.
const MOST_STEPS: usize = 200;

/// So many characters are said of what cannot be read.
const MOST_SAID: usize = 300;

/// How a file was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Where it came from.
    #[serde(flatten)]
    pub run: OfRun,
    /// Which leg made it, `styled[style=linocut]`.
    pub leg: String,
    /// The file as the model gave it, without this.
    pub digest: Digest,
    /// The predictions it took, each after those whose files it reads; the last one made it.
    pub predictions: Vec<Made>,
}

/// What is the same for all files of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfRun {
    /// The version of castline.
    pub castline: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file, relative to the project.
    pub file: String,
    /// The workflow's text; none when it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_digest: Option<Digest>,
    /// `castline.lock`, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_digest: Option<Digest>,
}

/// A prediction that was made for a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// The leg.
    pub leg: String,
    /// The preset that its step calls.
    pub uses: String,
    /// USD; none when nobody knows, and for an output that was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroUsd>,
    /// What was sent.
    #[serde(flatten)]
    pub request: RequestRecord,
    /// Where the files of its input came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
}

/// A file in the input of a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Its bytes.
    pub digest: Digest,
    /// Where it came from.
    #[serde(flatten)]
    pub from: CameFrom,
}

/// Where a file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CameFrom {
    /// Another prediction.
    Leg {
        /// Which.
        leg: String,
        /// Which of its files of this kind, from 0.
        nth: usize,
    },
    /// A file of the user, relative to the project.
    File {
        /// Its path.
        path: String,
    },
    /// Nobody says.
    Unknown {},
}

/// Which leg of a record made a file, and which of its files that is.
#[derive(Debug, Clone, Default)]
pub struct Makers(BTreeMap<Digest, (usize, usize)>);

impl Makers {
    /// Of a record that was read.
    pub fn of(record: &RunRecord) -> Self {
        let mut makers = Self::default();
        for (at, leg) in record.legs.iter().enumerate() {
            leg.output.iter().for_each(|output| makers.add(at, output));
        }
        makers
    }

    /// Remembers what a leg made; of several that made the same the first one counts.
    pub(crate) fn add(&mut self, leg: usize, output: &Value) {
        let media = output.media();
        for (at, artifact) in media.iter().enumerate() {
            let same =
                |other: &&&Artifact| artifact.kind() == MediaKind::File || other.kind() == artifact.kind();
            let nth = media[..at].iter().filter(same).count();
            self.0.entry(artifact.digest).or_insert((leg, nth));
        }
    }
}

impl Provenance {
    /// How a file was made that a run recorded; none when no leg of it did. `files` are the user's
    /// files that the run read, relative to the project.
    pub fn of(
        digest: Digest,
        run: &OfRun,
        record: &RunRecord,
        makers: &Makers,
        files: &BTreeMap<Digest, String>,
    ) -> Option<Self> {
        let (maker, _) = *makers.0.get(&digest)?;
        let look = Look { record, makers, files };
        Some(Self {
            schema_version: SCHEMA_VERSION,
            run: run.clone(),
            leg: record.legs[maker].leg.name.clone(),
            digest,
            predictions: look.predictions(maker),
        })
    }

    /// Reads what a picture carries; the message says why it cannot be.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        // An error repeats what it is about, and that is a stranger's.
        let why = |e: serde_json::Error| e.to_string().chars().take(MOST_SAID).collect::<String>();
        let version: Version = serde_json::from_str(text).map_err(why)?;
        // First of all: what else stands in a newer one may be anything.
        match version.schema_version {
            0 => Err("`schema_version` in it is a number from 1 on".to_owned()),
            1..=SCHEMA_VERSION => serde_json::from_str(text).map_err(why),
            newer => Err(format!(
                "it has version {newer}, and this castline knows versions up to {SCHEMA_VERSION}: update castline"
            )),
        }
    }

    /// As it is carried.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("it is plain data")
    }
}

/// A record in which is looked for where files came from.
struct Look<'a> {
    record: &'a RunRecord,
    makers: &'a Makers,
    files: &'a BTreeMap<Digest, String>,
}

impl Look<'_> {
    /// The predictions that a leg took, the leg last; of too many only that. No recursion: a chain may
    /// be long.
    fn predictions(&self, last: usize) -> Vec<Made> {
        let (mut order, mut known, mut open) = (Vec::new(), BTreeSet::new(), vec![(last, false)]);
        while let Some((leg, is_read)) = open.pop() {
            if is_read {
                order.push(leg);
            } else if known.insert(leg) {
                open.push((leg, true));
                open.extend(self.needs(leg).map(|need| (need, false)));
            }
        }
        let told = if order.len() > MOST_STEPS { &order[order.len() - 1..] } else { &order };
        told.iter().filter_map(|leg| self.made(&self.record.legs[*leg], told)).collect()
    }

    fn needs(&self, leg: usize) -> impl Iterator<Item = usize> + '_ {
        let request = self.record.legs[leg].request.as_ref();
        let media = request.into_iter().flat_map(|request| request.input.values()).flat_map(Value::media);
        media.filter_map(|artifact| Some(self.maker(&artifact.digest)?.0))
    }

    /// A prediction, of which it is told beside these.
    fn made(&self, leg: &LegRecord, told: &[usize]) -> Option<Made> {
        let request = RequestRecord::clone(leg.request.as_ref()?);
        let mut reads: Vec<Read> = Vec::new();
        for artifact in request.input.values().flat_map(Value::media) {
            if reads.iter().all(|read| read.digest != artifact.digest) {
                reads.push(Read { digest: artifact.digest, from: self.origin(&artifact.digest, told) });
            }
        }
        let uses = |step: &Name| self.record.steps.iter().find(|s| s.name == *step).map(|s| s.uses.clone());
        Some(Made {
            leg: leg.leg.name.clone(),
            uses: uses(&leg.leg.step).unwrap_or_default(),
            cost: leg.cost.filter(|_| !leg.reused),
            request,
            reads,
        })
    }

    /// Who made a file. What the user gave needs nobody, though a leg may have made the same.
    fn maker(&self, digest: &Digest) -> Option<(usize, usize)> {
        self.makers.0.get(digest).copied().filter(|_| !self.files.contains_key(digest))
    }

    fn origin(&self, digest: &Digest, told: &[usize]) -> CameFrom {
        match (self.maker(digest), self.files.get(digest)) {
            (Some((leg, nth)), _) if told.contains(&leg) => {
                CameFrom::Leg { leg: self.record.legs[leg].leg.name.clone(), nth }
            }
            (None, Some(path)) => CameFrom::File { path: path.clone() },
            _ => CameFrom::Unknown {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_castline_wrote_says_so_whatever_stands_in_it() {
        let says = |text: &str| Provenance::parse(text).unwrap_err();
        assert_eq!(
            says(r#"{"schema_version":2,"made":[]}"#),
            "it has version 2, and this castline knows versions up to 1: update castline"
        );
        assert!(says(r#"{"schema_version":0}"#).contains("from 1 on"));
        assert!(says(r#"{"schema_version":1}"#).contains("missing field"));
        assert!(says("{}").contains("schema_version"));
    }

    #[test]
    fn what_is_said_of_a_strangers_text_is_no_longer_than_a_line() {
        let text = format!(r#"{{"schema_version": "{}"}}"#, "x".repeat(100_000));
        let why = Provenance::parse(&text).expect_err("it is no number");
        assert!(
            why.starts_with("invalid type: string \"xxx") && why.len() == MOST_SAID,
            "{} bytes",
            why.len()
        );
    }
}
