//! Short films: a scene or a picture under a slow camera, a film enlarged or treated.
//!
//! They are small and have few pictures, whatever is asked: a rehearsal needs a film of the
//! right shape and length that really plays, not one that takes a minute to draw. Always
//! WebM, see [`webm`].
//!
//! Start reading at [`film`].

mod camera;
#[cfg(test)]
mod tests;
pub(crate) mod webm;

use castline_core::Digest;

use super::dice::Dice;
use super::frame::{self, Frame};
use super::job::{Job, Kind};
use super::sources::{self, Rank, Sources};
use super::{edit, plate, scene, upscale};
use crate::std_tools::color::Color;
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::{Content, Fields, FileField};
use crate::std_tools::picture::{self, Picture};
use camera::Camera;
use webm::Film;

/// The longer side of a film, and of an enlarged one. Pixels.
const LONGEST_SIDE: u32 = 480;
const LONGEST_ENLARGED: u32 = 960;

/// Pictures a second, and in all; a longer film shows each for longer.
const RATE: f64 = 8.0;
const MOST_FRAMES: usize = 40;

/// Pictures of a film of which each is treated by itself.
const MOST_TREATED: usize = 16;

/// The longest film, and the usual one. Seconds.
const LONGEST: f64 = 120.0;
const USUAL: f64 = 5.0;

/// Pictures a second that models give where nobody says.
const USUAL_RATE: f64 = 24.0;

/// The shape of films where nobody says.
const WIDE: (f64, f64) = (480.0, 270.0);

/// Of lossy pictures.
const QUALITY: u8 = 72;

/// Films what the job asks for.
pub(crate) fn film(job: &Job, sources: &Sources) -> Result<Vec<u8>, Fault> {
    let film = match (sources.videos.first(), job.kind()) {
        (Some(video), Kind::Upscale) => enlarged(&job.fields, video)?,
        (None, Kind::Upscale) => {
            return Err(Fault::new(format!("`{}` needs a video, and the input has none", job.model)));
        }
        (Some(video), _) => treated(job, video)?,
        (None, _) => filmed(job, sources)?,
    };
    Ok(film.write())
}

/// A scene from words, or the given picture, under a moving camera.
fn filmed(job: &Job, sources: &Sources) -> Result<Film, Fault> {
    let dice = job.dice(0);
    let given = |ranks: &[Rank]| {
        sources.pictures.iter().find(|source| ranks.contains(&source.rank)).map(|source| &source.picture)
    };
    let (first, last) = (given(&[Rank::Edited, Rank::Prompting]), given(&[Rank::Last]));
    let frame = shape(&job.fields, first.or(last));
    let [first, last] = [first, last].map(|picture| picture.map(|p| opaque(&sources::bare(p))));
    let art = plate::art(frame);
    // Drawn larger than shown, for the camera to come near.
    let canvas = Frame { width: art.width * 5 / 4, height: art.height * 5 / 4 };
    let free = first.is_none() && last.is_none();
    let from = match (first, &last) {
        (Some(first), _) => picture::cover(&first, canvas.width, canvas.height, 0.5, 0.5),
        (None, None) if !sources.pictures.is_empty() => {
            let pictures: Vec<_> = sources.pictures.iter().map(|s| sources::bare(&s.picture)).collect();
            edit::edit(&job.fields, job.prompt(), &pictures, canvas, &dice)
        }
        (None, _) => scene::draw(canvas.width, canvas.height, job.prompt(), &dice),
    };
    let to = last.map(|last| picture::cover(&last, canvas.width, canvas.height, 0.5, 0.5));
    let camera = Camera::of(job.prompt(), job.fields.flag("camera_fixed"), free, &dice);
    let seconds = seconds(&job.fields)?.unwrap_or(USUAL);
    let plated = job.plated(&picture::resize(&from, art.width, art.height), frame);
    let round = job.fields.flag("loop");
    shot(frame, seconds, rate(&job.fields), MOST_FRAMES, |way| {
        let way = if round { 1.0 - (2.0 * way - 1.0).abs() } else { way };
        let mut seen = camera.view(&from, way, art);
        if let Some(to) = &to {
            // Comes to rest on the whole of the last picture.
            let over = camera.view(to, 1.0 - way, art);
            let fade = super::plane::smoothstep(0.3, 0.7, way as f32);
            picture::paste(&mut seen, &over, 0, 0, fade);
        }
        let mut whole = plated.clone();
        picture::paste(&mut whole, &seen, 0, 0, 1.0);
        Ok(whole)
    })
}

/// The film as the words say; without words only its shape changes.
fn treated(job: &Job, video: &Video) -> Result<Film, Fault> {
    let frame = shape(&job.fields, Some(&video.at(0.0)?));
    let art = plate::art(frame);
    let seconds = seconds(&job.fields)?.or_else(|| spoken(&job.fields)).unwrap_or_else(|| video.seconds());
    let (dice, prompt) = (job.dice(0), job.prompt());
    let most = if prompt.is_empty() { MOST_FRAMES } else { MOST_TREATED };
    shot(frame, seconds, rate(&job.fields), most, |way| {
        let source = opaque(&sources::bare(&video.at(way)?));
        let drawn = match prompt.is_empty() {
            true => picture::cover(&source, art.width, art.height, 0.5, 0.5),
            false => edit::edit(&job.fields, prompt, &[source], art, &dice),
        };
        Ok(job.plated(&drawn, frame))
    })
}

/// The same film, larger.
fn enlarged(fields: &Fields, video: &Video) -> Result<Film, Fault> {
    let still = video.at(0.0)?;
    let (width, height) = still.dimensions();
    let (_, factor) = upscale::factor(fields);
    let most = f64::from(LONGEST_ENLARGED.max(width.max(height)));
    let factor = factor.min(most / f64::from(width.max(height)));
    let side = |length: u32| ((f64::from(length) * factor / 2.0).round().max(1.0) * 2.0) as u32;
    let frame = Frame { width: side(width), height: side(height) };
    shot(frame, video.seconds(), RATE, MOST_FRAMES, |way| {
        Ok(picture::resize(&opaque(&video.at(way)?), frame.width, frame.height))
    })
}

/// Puts pictures one after the other; `draw` is told which part of the time has gone, 1 for
/// the last picture.
fn shot(
    frame: Frame,
    seconds: f64,
    rate: f64,
    most: usize,
    draw: impl Fn(f64) -> Result<Picture, Fault>,
) -> Result<Film, Fault> {
    let count = ((seconds * rate).round() as usize).clamp(1, most);
    let mut film = Film::new(frame.width, frame.height, (seconds * 1_000.0).round() as u64);
    for index in 0..count {
        let way = index as f64 / (count - 1).max(1) as f64;
        let at = (seconds * 1_000.0 * index as f64 / count as f64).round() as u64;
        film.add(at, &draw(way)?, QUALITY)?;
    }
    Ok(film)
}

/// As the fields say, small: of the picture's shape, else of the asked one.
fn shape(fields: &Fields, picture: Option<&Picture>) -> Frame {
    let said = frame::said_shape(fields);
    let reshaped = fields.declares("video") && said.is_some();
    let own = picture.filter(|_| !reshaped).map(|p| (f64::from(p.width()), f64::from(p.height())));
    let most = f64::from(LONGEST_SIDE);
    let (across, down) = own.or(said.map(|(a, d)| (a * most, d * most))).unwrap_or(WIDE);
    let scale = (most / across.max(down)).min(1.0);
    let side = |length: f64| ((length * scale / 2.0).round().max(8.0) * 2.0) as u32;
    Frame { width: side(across), height: side(down) }
}

/// How long it is to be, if the fields say so. Seconds.
fn seconds(fields: &Fields) -> Result<Option<f64>, Fault> {
    let positive = |name: &&str| fields.number(name).filter(|n| *n > 0.0);
    let frames = ["num_frames", "video_length", "frames"].iter().find_map(positive);
    let asked = ["duration", "seconds", "duration_seconds"].iter().find_map(positive);
    let seconds = asked.or_else(|| frames.map(|frames| frames / told_rate(fields)));
    match seconds.filter(|s| *s > LONGEST) {
        Some(seconds) => Err(Fault::new(format!(
            "the sandbox films up to {LONGEST} seconds, and {seconds:.0} are asked for"
        ))),
        None => Ok(seconds),
    }
}

fn told_rate(fields: &Fields) -> f64 {
    let names = ["fps", "frames_per_second", "frame_rate", "target_fps"];
    names.iter().find_map(|name| fields.number(name)).filter(|rate| *rate > 0.0).unwrap_or(USUAL_RATE)
}

fn rate(fields: &Fields) -> f64 {
    told_rate(fields).min(RATE)
}

/// How long a given sound lasts, for lips that are to move with it. Seconds.
fn spoken(fields: &Fields) -> Option<f64> {
    let sounds = fields.files().into_iter().filter(|file| file.field.contains("audio"));
    let seconds = |file: FileField| super::sound::length(file.bytes().ok()?);
    sounds.filter_map(seconds).find(|s| *s > 0.0 && *s <= LONGEST)
}

fn opaque(picture: &Picture) -> Picture {
    picture::flattened(picture, Color::WHITE)
}

/// A film that came in: one that can be read, or a still that stands for it.
#[derive(Debug)]
pub(crate) enum Video {
    /// Its pictures can be read.
    Film(Film),
    /// They cannot; this is drawn from its bytes or its address instead.
    Still(Picture),
}

impl Video {
    /// A film in a field.
    pub(crate) fn open(file: &FileField) -> Self {
        let words = match &file.content {
            Content::Url(url) => url.clone(),
            Content::Bytes(bytes) => match Film::read(bytes) {
                Some(film) => return Self::Film(film),
                None => Digest::of(bytes).to_string(),
            },
        };
        Self::Still(scene::draw(LONGEST_SIDE, LONGEST_SIDE * 9 / 16, "", &Dice::of(&words)))
    }

    /// The picture after a part of the time, from 0 to 1.
    pub(crate) fn at(&self, way: f64) -> Result<Picture, Fault> {
        match self {
            Self::Film(film) => film
                .at((film.length as f64 * way) as u64)
                .ok_or_else(|| Fault::new("a picture of the video is broken and cannot be read")),
            Self::Still(picture) => Ok(picture.clone()),
        }
    }

    /// How long it is. Seconds.
    pub(crate) fn seconds(&self) -> f64 {
        match self {
            Self::Film(film) if film.length > 0 => (film.length as f64 / 1_000.0).min(LONGEST),
            _ => USUAL,
        }
    }
}
