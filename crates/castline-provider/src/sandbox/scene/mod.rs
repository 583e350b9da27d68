//! Pictures out of words: a landscape, a still life, a portrait or a pattern, composed by
//! dice and steered by the prompt.
//!
//! Every kind of scene is one file and one function over a [`Scene`]. Distances are in
//! hundredths of the picture's shorter side ([`Scene::u`]), so that a scene keeps its look
//! at every size and shape.
//!
//! Start reading at [`draw`].

mod city;
mod desert;
mod forest;
mod meadow;
mod mountains;
mod pattern;
mod portrait;
mod sea;
mod sea_like;
mod sky;
mod space;
mod table;
mod thing;

use super::dice::{Dice, Ridge};
use super::easel::{At, Easel};
use super::light::Light;
use super::theme::{Hour, Place, Theme, Thing};
use crate::std_tools::picture::Picture;

/// A picture in the making.
pub(crate) struct Scene {
    easel: Easel,
    light: Light,
    theme: Theme,
    hour: Hour,
    dice: Dice,
}

/// Draws what the prompt asks for; the dice decide the rest.
pub(crate) fn draw(width: u32, height: u32, prompt: &str, dice: &Dice) -> Picture {
    let theme = Theme::of(prompt);
    let mut choice = dice.fork("choice");
    let place = theme.place.unwrap_or_else(|| any_place(&mut choice));
    let hour = theme.hour.unwrap_or_else(|| any_hour(place, &mut choice));
    let light = Light::at(hour, theme.tint, theme.accent, &mut choice);
    let easel = Easel::new(width, height);
    let mut scene = Scene { easel, light, theme, hour, dice: dice.fork("composition") };
    match place {
        Place::Sea => sea::draw(&mut scene),
        Place::Mountains => mountains::draw(&mut scene),
        Place::Forest => forest::draw(&mut scene),
        Place::City => city::draw(&mut scene),
        Place::Desert => desert::draw(&mut scene),
        Place::Meadow => meadow::draw(&mut scene),
        Place::Space => space::draw(&mut scene),
        Place::Table => table::draw(&mut scene),
        Place::Portrait => portrait::draw(&mut scene),
        Place::Pattern => pattern::draw(&mut scene),
    }
    scene.easel.picture()
}

fn any_place(dice: &mut Dice) -> Place {
    *dice.pick(&[
        Place::Sea,
        Place::Mountains,
        Place::Forest,
        Place::City,
        Place::Desert,
        Place::Meadow,
        Place::Space,
        Place::Table,
        Place::Pattern,
    ])
}

fn any_hour(place: Place, dice: &mut Dice) -> Hour {
    match place {
        Place::City => *dice.pick(&[Hour::Night, Hour::Sunset, Hour::Day, Hour::Sunrise]),
        Place::Space => Hour::Night,
        Place::Desert => *dice.pick(&[Hour::Sunset, Hour::Sunrise, Hour::Day]),
        Place::Table | Place::Portrait | Place::Pattern => {
            *dice.pick(&[Hour::Day, Hour::Sunset, Hour::Autumn, Hour::Spring, Hour::Sunrise])
        }
        _ => *dice.pick(&[
            Hour::Sunrise,
            Hour::Day,
            Hour::Day,
            Hour::Sunset,
            Hour::Night,
            Hour::Autumn,
            Hour::Spring,
        ]),
    }
}

impl Scene {
    fn w(&self) -> f32 {
        self.easel.width()
    }

    fn h(&self) -> f32 {
        self.easel.height()
    }

    /// So many hundredths of the shorter side, in pixels.
    fn u(&self, hundredths: f32) -> f32 {
        self.easel.unit() * hundredths
    }

    fn asks_for(&self, thing: Thing) -> bool {
        self.theme.things.contains(&thing)
    }

    /// A line from edge to edge at `base`, up and down by `height`; `length` is from one
    /// rise to the next, all in hundredths.
    fn skyline(&mut self, base: f32, height: f32, length: f32, octaves: u32) -> Vec<At> {
        let ridge = Ridge::new(&mut self.dice, octaves);
        let (step, height, length) = (3.0_f32.max(self.w() / 600.0), self.u(height), self.u(length));
        let steps = (self.w() / step).ceil() as u32 + 1;
        (0..=steps)
            .map(|i| {
                let x = i as f32 * step - step / 2.0;
                (x, base - ridge.at(x / length) * height)
            })
            .collect()
    }
}

/// How high a line runs at `x`.
fn height_at(line: &[At], x: f32) -> f32 {
    let index = line.partition_point(|at| at.0 < x).clamp(1, line.len() - 1);
    let (left, right) = (line[index - 1], line[index]);
    let way = ((x - left.0) / (right.0 - left.0)).clamp(0.0, 1.0);
    left.1 + (right.1 - left.1) * way
}
