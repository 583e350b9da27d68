//! The pictures that come in: which is edited, which lend, which is a mask.

use super::dice::Dice;
use super::frame::Frame;
use super::{plate, scene};
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::{Content, Fields, FileField};
use crate::std_tools::format::Format;
use crate::std_tools::picture::Picture;

/// The pictures of an input.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// In order of weight: the one to edit, further ones, then mere references.
    pub(crate) pictures: Vec<Source>,
    /// Which part is to be painted anew.
    pub(crate) mask: Option<Picture>,
}

/// A picture that came in.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its pixels, alpha included.
    pub(crate) picture: Picture,
    /// How its file was written, when it was one.
    pub(crate) format: Option<Format>,
}

impl Sources {
    /// Reads every picture of the input.
    pub(crate) fn of(fields: &Fields) -> Result<Self, Fault> {
        let (mut masks, mut pictures) = (Vec::new(), Vec::new());
        for file in fields.files() {
            match rank(&file) {
                Some(Rank::Mask) => masks.push(open(&file)?),
                Some(rank) => pictures.push((rank, open(&file)?)),
                None => {}
            }
        }
        pictures.sort_by_key(|(rank, _)| *rank);
        Ok(Self {
            pictures: pictures.into_iter().map(|(_, source)| source).collect(),
            mask: masks.into_iter().next().map(|source| source.picture),
        })
    }

    /// The size of the picture to edit.
    pub(crate) fn frame(&self) -> Option<Frame> {
        self.pictures
            .first()
            .map(|source| Frame { width: source.picture.width(), height: source.picture.height() })
    }
}

/// What a file field is for, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Edited,
    Prompting,
    Referred,
    Mask,
}

/// None for fields that take no pictures.
fn rank(file: &FileField) -> Option<Rank> {
    let name = file.field.as_str();
    let holds = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if holds(&["audio", "video", "song", "voice", "speaker", "instrumental", "weights", "lora"]) {
        return None;
    }
    Some(if holds(&["mask"]) {
        Rank::Mask
    } else if holds(&["reference", "style", "character", "subject"]) {
        Rank::Referred
    } else if holds(&["image_prompt"]) {
        Rank::Prompting
    } else {
        Rank::Edited
    })
}

fn open(file: &FileField) -> Result<Source, Fault> {
    if let Content::Url(url) = &file.content {
        return Ok(Source { picture: elsewhere(url), format: None });
    }
    Ok(Source { picture: file.picture()?, format: Format::sniff(file.bytes()?) })
}

/// Nothing is downloaded here: a picture at a URL is one drawn from the URL.
fn elsewhere(url: &str) -> Picture {
    scene::draw(1024, 768, url.rsplit('/').next().unwrap_or(url), &Dice::of(url))
}

/// The picture without a plate of ours, for edits.
pub(crate) fn bare(picture: &Picture) -> Picture {
    plate::without_plate(picture).unwrap_or_else(|| picture.clone())
}
