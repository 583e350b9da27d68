//! What a prediction asks for, and who does it here.
//!
//! Start reading at [`Job::answer`].

use castline_core::request::OutputShape;
use castline_core::{ModelRef, Value};
use castline_spec::preset::OutputKind;
use serde_json::Value as Json;

use super::dice::Dice;
use super::frame::Frame;
use super::sources::{self, Sources};
use super::{cutout, edit, json, plate, repaint, scene, sound, upscale, video, words};
use crate::std_tools::color::Color;
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::Fields;
use crate::std_tools::format::{self, Format};
use crate::std_tools::picture::Picture;
use crate::std_tools::workbench::Made;

/// One prediction, with everything that is needed to answer it.
pub(crate) struct Job {
    pub(crate) model: ModelRef,
    pub(crate) task: Option<String>,
    pub(crate) output: OutputShape,
    pub(crate) fields: Fields,
    /// Which of several answers to the same words is wanted; empty for the one and only.
    pub(crate) draw: Vec<Value>,
    /// JSON Schema that the text has to satisfy.
    pub(crate) json: Option<Json>,
}

/// Inputs that change how a file is written or a model is run, never what is in the picture.
const WITHOUT_INFLUENCE: &[&str] = &[
    "aspect_ratio",
    "background_type",
    "disable_safety_checker",
    "format",
    "go_fast",
    "height",
    "image_size",
    "max_images",
    "megapixels",
    "moderation",
    "n",
    "num_outputs",
    "number_of_images",
    "output_compression",
    "output_format",
    "output_megapixels",
    "output_quality",
    "resolution",
    "safety_filter_level",
    "safety_tolerance",
    "size",
    "width",
];

/// The same for films, whose length is nothing that is seen in them.
const WITHOUT_INFLUENCE_ON_FILMS: &[&str] = &[
    "camera_fixed",
    "duration",
    "fps",
    "frames_per_second",
    "generate_audio",
    "loop",
    "num_frames",
    "video_length",
];

/// The fields that say how many pictures.
const COUNTS: [&str; 4] = ["num_outputs", "number_of_images", "max_images", "n"];

/// More pictures than any model gives at once.
const MOST_PICTURES: f64 = 20.0;

/// The fields that hold the words.
const PROMPTS: [&str; 6] = ["prompt", "text", "question", "instruction", "caption", "input"];

impl Job {
    /// Does the work.
    pub(crate) fn answer(&self) -> Result<Made, Fault> {
        match self.gives() {
            OutputKind::Image | OutputKind::File => self.pictures(),
            OutputKind::Text => self.text(),
            OutputKind::Json => {
                Ok(Made::Json(words::object(self.prompt(), &Sources::of(&self.fields)?, &self.dice(0))))
            }
            OutputKind::Audio => self.sound(),
            OutputKind::Video => self.video(),
        }
    }

    /// What kind of output is made. Of a model that gives files of any kind its inputs and its task
    /// tell: what changes a film gives one.
    fn gives(&self) -> OutputKind {
        let names_sound =
            |task: &str| task.split('-').any(|word| ["audio", "music", "sound", "speech"].contains(&word));
        match self.output.kind {
            OutputKind::File if self.fields.files().iter().any(sources::is_film) => OutputKind::Video,
            OutputKind::File if self.task.as_deref().is_some_and(names_sound) => OutputKind::Audio,
            kind => kind,
        }
    }

    fn text(&self) -> Result<Made, Fault> {
        let text = match &self.json {
            Some(schema) => json::answer(schema, self.prompt(), &self.dice(0))?,
            None => words::answer(self.prompt(), &Sources::of(&self.fields)?, &self.dice(0)),
        };
        if !self.output.many {
            return Ok(Made::Json(text.into()));
        }
        let pieces: Vec<Json> = text.split_inclusive(' ').map(Into::into).collect();
        Ok(Made::Json(pieces.into()))
    }

    fn sound(&self) -> Result<Made, Fault> {
        let file = sound::sound(&self.fields, self.task.as_deref(), self.prompt(), &self.dice(0))?;
        Ok(if self.output.many { Made::Files(vec![file]) } else { Made::File(file) })
    }

    fn video(&self) -> Result<Made, Fault> {
        let file = video::film(self, &Sources::of(&self.fields)?)?;
        Ok(if self.output.many { Made::Files(vec![file]) } else { Made::File(file) })
    }

    fn pictures(&self) -> Result<Made, Fault> {
        let sources = Sources::of(&self.fields)?.with_stills()?;
        let count = self.count();
        let files = (0..count)
            .map(|index| self.file(&self.picture(&sources, index)?, &sources))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match files.len() {
            1 if !self.output.many => Made::File(files.into_iter().next().expect("there is one")),
            _ => Made::Files(files),
        })
    }

    fn picture(&self, sources: &Sources, index: u32) -> Result<Picture, Fault> {
        let dice = self.dice(index);
        let Some(source) = sources.pictures.first() else { return self.worded(&dice) };
        match self.kind() {
            Kind::Upscale => upscale::upscale(&self.fields, &source.picture),
            Kind::Cutout => cutout::cut_out(&self.fields, &source.picture),
            Kind::Edit => match repaint::canvas(&self.fields, &source.picture, sources.mask.as_ref()) {
                Some(canvas) => Ok(canvas.painted(self.prompt(), &dice)),
                None => self.edited(sources, &dice),
            },
        }
    }

    fn worded(&self, dice: &Dice) -> Result<Picture, Fault> {
        if matches!(self.kind(), Kind::Upscale | Kind::Cutout) {
            return Err(Fault::new(format!("`{}` needs an image, and the input has none", self.model)));
        }
        let frame = Frame::of(&self.fields, None)?;
        let art = plate::art(frame);
        Ok(self.plated(&scene::draw(art.width, art.height, self.prompt(), dice), frame))
    }

    fn edited(&self, sources: &Sources, dice: &Dice) -> Result<Picture, Fault> {
        let frame = Frame::of(&self.fields, sources.frame())?;
        let pictures: Vec<_> = sources.pictures.iter().map(|source| sources::bare(&source.picture)).collect();
        let drawn = edit::edit(&self.fields, self.prompt(), &pictures, plate::art(frame), dice);
        Ok(self.plated(&drawn, frame))
    }

    pub(super) fn plated(&self, art: &Picture, frame: Frame) -> Picture {
        let mut note = self.model.name.clone();
        if let Some(seed) = self.fields.get("seed").and_then(|_| self.fields.number("seed")) {
            note.extend([" \u{b7} seed ", &seed.to_string()]);
        }
        note.push_str(" \u{b7} sandbox");
        plate::with_plate(art, frame, self.prompt(), &note)
    }

    fn file(&self, picture: &Picture, sources: &Sources) -> Result<Vec<u8>, Fault> {
        let asked = self.fields.text("output_format").or_else(|| self.fields.text("format"));
        let format = match asked {
            Some("original" | "auto" | "match_input") => {
                sources.pictures.first().and_then(|source| source.format)
            }
            Some(text) => Format::parse(text),
            None => None,
        };
        let quality = ["output_quality", "output_compression", "compression_quality", "quality"]
            .into_iter()
            .find_map(|name| self.fields.number(name))
            .unwrap_or(80.0);
        format::encode(picture, format.unwrap_or(Format::Png), quality.clamp(0.0, 100.0) as u8, Color::WHITE)
    }

    pub(super) fn prompt(&self) -> &str {
        PROMPTS.into_iter().find_map(|name| self.fields.text(name)).unwrap_or_default()
    }

    fn count(&self) -> u32 {
        if self.kind() != Kind::Edit || self.fields.text("sequential_image_generation") == Some("disabled") {
            return 1;
        }
        let asked = COUNTS.into_iter().find_map(|name| self.fields.number(name)).unwrap_or(1.0);
        asked.clamp(1.0, MOST_PICTURES) as u32
    }

    /// By the task; without one by the model's name and its fields.
    pub(super) fn kind(&self) -> Kind {
        let name = self.model.name.to_lowercase();
        let says = |parts: &[&str]| self.task.is_none() && parts.iter().any(|part| name.contains(part));
        match self.task.as_deref() {
            Some("upscale" | "video-upscale") => Kind::Upscale,
            Some("background-removal") => Kind::Cutout,
            _ if says(&["upscale", "esrgan"]) => Kind::Upscale,
            _ if says(&["rembg", "remove-bg", "background-remov"]) => Kind::Cutout,
            _ => Kind::Edit,
        }
    }

    /// Dice that every input with influence has a say in.
    pub(super) fn dice(&self, index: u32) -> Dice {
        let mut asked = format!("{}\n{index}\n", self.model.path());
        let films = self.gives() == OutputKind::Video;
        let counts = |name: &str| {
            !(WITHOUT_INFLUENCE.contains(&name) || films && WITHOUT_INFLUENCE_ON_FILMS.contains(&name))
        };
        for (name, value) in self.fields.iter().filter(|(name, _)| counts(name)) {
            let json = value.to_json(&mut |artifact| artifact.digest.to_string().into());
            asked.extend([name, "=", &json.to_string(), "\n"]);
        }
        // A seed is made of the draw; a model without one draws otherwise each time.
        if self.fields.get("seed").is_none() {
            for value in &self.draw {
                asked
                    .push_str(&value.to_json(&mut |artifact| artifact.digest.to_string().into()).to_string());
            }
        }
        Dice::of(&asked)
    }
}

/// What is done with pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Upscale,
    Cutout,
    /// Drawn from words, or from words and pictures.
    Edit,
}
