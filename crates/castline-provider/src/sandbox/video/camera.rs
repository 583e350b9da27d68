//! How a still picture is filmed.

use crate::sandbox::dice::Dice;
use crate::sandbox::frame::Frame;
use crate::sandbox::plane::smoothstep;
use crate::sandbox::theme;
use crate::std_tools::picture::{self, Part, Picture};

/// How much of a picture is out of view at the far end of a move.
const REACH: f64 = 0.2;

/// A slow move over a picture. At its start nothing of the picture is out of view, so that a
/// film begins with the picture that it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Camera {
    /// Where it ends, from 0 (left, top) to 1 (right, bottom).
    across: f64,
    down: f64,
    /// From 0 to 1: how far it goes in.
    reach: f64,
    /// It comes from near and ends with the whole.
    outward: bool,
}

impl Camera {
    /// As the words say, else as the dice do. A fixed camera still breathes.
    pub(crate) fn of(prompt: &str, fixed: bool, free: bool, dice: &Dice) -> Self {
        let mut dice = dice.fork("camera");
        let (across, down) = (f64::from(dice.unit()), f64::from(dice.between(0.2, 0.8)));
        let outward = free && dice.chance(0.4);
        let mut camera = Self { across, down, reach: REACH, outward };
        let words = theme::words(prompt);
        let says = |word: &str| words.iter().any(|w| w == word);
        let moves = ["pan", "panning", "tilt", "track", "tracking", "move", "moves", "camera"]
            .iter()
            .any(|w| says(w));
        if says("zoom") || says("zooms") || says("dolly") {
            (camera.across, camera.down) = (0.5, 0.5);
            camera.outward = free && (says("out") || says("back"));
        } else if moves && says("left") {
            camera.across = 0.0;
        } else if moves && says("right") {
            camera.across = 1.0;
        } else if moves && says("up") {
            camera.down = 0.0;
        } else if moves && says("down") {
            camera.down = 1.0;
        }
        if fixed {
            camera.reach = REACH / 8.0;
            (camera.across, camera.down) = (0.5, 0.5);
        }
        camera
    }

    /// What is seen after a part of the time, from 0 to 1.
    pub(crate) fn view(&self, picture: &Picture, way: f64, frame: Frame) -> Picture {
        let eased = f64::from(smoothstep(0.0, 1.0, way.clamp(0.0, 1.0) as f32));
        let near = if self.outward { 1.0 - eased } else { eased };
        let whole = Part::of_shape(picture, frame.width.into(), frame.height.into(), 0.5, 0.5);
        let scale = 1.0 - self.reach * near;
        let (width, height) = (whole.width * scale, whole.height * scale);
        let part = Part {
            x: whole.x + (whole.width - width) * self.across,
            y: whole.y + (whole.height - height) * self.down,
            width,
            height,
        };
        picture::resize_part(picture, part, frame.width, frame.height)
    }
}
