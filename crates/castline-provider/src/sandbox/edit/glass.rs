//! Stained glass: panes of one color, held by lead.

use super::{grain, painted};
use crate::sandbox::dice::Dice;
use crate::sandbox::plane::smoothstep;
use crate::std_tools::picture::{self, Picture};

/// Sets the picture in glass.
pub(super) fn treat(source: &Picture, dice: &mut Dice) -> Picture {
    let unit = grain(source);
    let cell = dice.between(19.0, 25.0) * unit;
    let (columns, rows) =
        ((source.width() as f32 / cell) as i32 + 3, (source.height() as f32 / cell) as i32 + 3);
    let panes: Vec<Pane> = (0..rows * columns)
        .map(|index| Pane::new(source, (index % columns - 1, index / columns - 1), cell, dice))
        .collect();
    let soft = picture::resize(source, source.width(), source.height());
    painted(&soft, |x, y, own| {
        let at = (x as f32, y as f32);
        let (column, row) = ((at.0 / cell) as i32 + 1, (at.1 / cell) as i32 + 1);
        let (mut nearest, mut second, mut pane) = (f32::MAX, f32::MAX, 0);
        for neighbor_row in row - 1..=row + 1 {
            for neighbor in column - 1..=column + 1 {
                let index =
                    (neighbor_row.clamp(0, rows - 1) * columns + neighbor.clamp(0, columns - 1)) as usize;
                let (dx, dy) = (panes[index].at.0 - at.0, panes[index].at.1 - at.1);
                let away = dx * dx + dy * dy;
                if away < nearest {
                    second = nearest;
                    (nearest, pane) = (away, index);
                } else if away < second {
                    second = away;
                }
            }
        }
        let lead = smoothstep(0.9 * unit, 2.8 * unit, second.sqrt() - nearest.sqrt());
        let glass = panes[pane].color;
        let light = 1.0 + 0.16 * ((at.0 - panes[pane].at.0) + (panes[pane].at.1 - at.1)) / cell;
        [0, 1, 2].map(|c| {
            (24.0 + (glass[c] * 0.86 + f32::from(own[c]) * 0.14) * light * lead - 24.0 * lead).max(0.0)
        })
    })
}

struct Pane {
    at: (f32, f32),
    color: [f32; 3],
}

impl Pane {
    fn new(source: &Picture, place: (i32, i32), cell: f32, dice: &mut Dice) -> Self {
        let at = (
            (place.0 as f32 + dice.between(0.12, 0.88)) * cell,
            (place.1 as f32 + dice.between(0.12, 0.88)) * cell,
        );
        let inside = |value: f32, side: u32| (value.max(0.0) as u32).min(side - 1);
        let pixel = source.get_pixel(inside(at.0, source.width()), inside(at.1, source.height()));
        let own = [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])];
        let mean = own.iter().sum::<f32>() / 3.0;
        let shade = dice.between(0.92, 1.12);
        Self { at, color: own.map(|c| (mean + (c - mean) * 1.5) * shade) }
    }
}
