//! Things that stand in scenes, each a few shapes. Sizes are in hundredths of the shorter
//! side, places are where a thing touches the ground.

mod animals;
mod boats;
mod buildings;
mod flyers;
mod plants;
mod vessels;

pub(super) use animals::{cat, fox, whale};
pub(super) use boats::{paper_boat, sailboat};
pub(super) use buildings::{house, lighthouse, pyramid, umbrella, windmill};
pub(super) use flyers::{balloon, rocket};
pub(super) use plants::{branches, cactus, conifer, crown, cypress};
pub(super) use vessels::{bottle, candle, cup, fruit, shadow, teapot, vase};

use super::Scene;
use crate::sandbox::easel::At;

/// Corners in a thing's own measure (1 is its size, up is negative), put into the picture.
fn placed(at: At, size: f32, corners: &[At]) -> Vec<At> {
    corners.iter().map(|(x, y)| (at.0 + x * size, at.1 + y * size)).collect()
}
