//! The pictures that come in: which is edited, which lend, which is a mask.

use super::dice::Dice;
use super::frame::Frame;
use super::video::Video;
use super::{plate, scene};
use castline_spec::schema::MediaKind;

use crate::std_tools::fault::Fault;
use crate::std_tools::fields::{Content, Fields, FileField};
use crate::std_tools::format::Format;
use crate::std_tools::picture::Picture;

/// The pictures of an input.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// In order of weight: the one to edit, further ones, then mere references, and with
    /// which one a film ends.
    pub(crate) pictures: Vec<Source>,
    /// Which part is to be painted anew.
    pub(crate) mask: Option<Picture>,
    /// The films to change; of those that only lend there is a picture.
    pub(crate) videos: Vec<Video>,
}

/// A picture that came in.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its pixels, alpha included.
    pub(crate) picture: Picture,
    /// How its file was written, when it was one.
    pub(crate) format: Option<Format>,
    /// What it is for.
    pub(crate) rank: Rank,
}

impl Sources {
    /// Reads every picture and opens every film of the input.
    pub(crate) fn of(fields: &Fields) -> Result<Self, Fault> {
        let (mut masks, mut pictures, mut videos) = (Vec::new(), Vec::new(), Vec::new());
        for file in fields.files() {
            match rank(&file) {
                Some(Rank::Film) if file.field.contains("reference") => {
                    pictures.push(still(&Video::open(&file))?);
                }
                Some(Rank::Film) => videos.push(Video::open(&file)),
                Some(Rank::Mask) => masks.push(open(&file, Rank::Mask)?),
                Some(rank) => pictures.push(open(&file, rank)?),
                None => {}
            }
        }
        pictures.sort_by_key(|source| source.rank);
        Ok(Self { pictures, mask: masks.into_iter().next().map(|source| source.picture), videos })
    }

    /// Where there are only films: a picture from the middle of each.
    pub(crate) fn with_stills(mut self) -> Result<Self, Fault> {
        if self.pictures.is_empty() {
            self.pictures = self.videos.iter().map(still).collect::<Result<_, Fault>>()?;
        }
        Ok(self)
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
pub(crate) enum Rank {
    Edited,
    Prompting,
    Referred,
    Last,
    Mask,
    Film,
}

/// By its first bytes; what stands at a URL by the field's name.
pub(super) fn is_film(file: &FileField) -> bool {
    match &file.content {
        Content::Bytes(bytes) => castline_core::MediaType::sniff(bytes).kind() == MediaKind::Video,
        Content::Url(_) => file.field.contains("video"),
    }
}

/// None for fields that take no pictures.
fn rank(file: &FileField) -> Option<Rank> {
    let name = file.field.as_str();
    if is_film(file) {
        return Some(Rank::Film);
    }
    let holds = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if holds(&["audio", "song", "voice", "speaker", "instrumental", "weights", "lora"]) {
        return None;
    }
    Some(if holds(&["mask"]) {
        Rank::Mask
    } else if name.split('_').any(|word| ["last", "end", "tail"].contains(&word)) {
        Rank::Last
    } else if holds(&["reference", "style", "character", "subject"]) {
        Rank::Referred
    } else if holds(&["image_prompt"]) {
        Rank::Prompting
    } else {
        Rank::Edited
    })
}

fn open(file: &FileField, rank: Rank) -> Result<Source, Fault> {
    if let Content::Url(url) = &file.content {
        return Ok(Source { picture: elsewhere(url), format: None, rank });
    }
    Ok(Source { picture: file.picture()?, format: Format::sniff(file.bytes()?), rank })
}

/// A picture from the middle of a film.
fn still(video: &Video) -> Result<Source, Fault> {
    Ok(Source { picture: video.at(0.5)?, format: None, rank: Rank::Referred })
}

/// Nothing is downloaded here: a picture at a URL is one drawn from the URL.
fn elsewhere(url: &str) -> Picture {
    scene::draw(1024, 768, url.rsplit('/').next().unwrap_or(url), &Dice::of(url))
}

/// The picture without a plate of ours, for edits.
pub(crate) fn bare(picture: &Picture) -> Picture {
    plate::without_plate(picture).unwrap_or_else(|| picture.clone())
}
