//! A canvas with smooth edges: what a picture is painted on.

use tiny_skia::{
    Color as Paint8, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point,
    RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

use crate::std_tools::color::Color;
use crate::std_tools::picture::Picture;

/// A place on the canvas, in pixels from the top left corner.
pub(crate) type At = (f32, f32);

/// What a shape is filled with.
#[derive(Debug, Clone)]
pub(crate) enum Fill {
    /// One color.
    Plain(Color),
    /// From one place to another, in even steps of these colors.
    Line(At, At, Vec<Color>),
    /// From a center to a distance, in even steps of these colors.
    Glow(At, f32, Vec<Color>),
}

impl From<Color> for Fill {
    fn from(color: Color) -> Self {
        Self::Plain(color)
    }
}

/// A canvas.
pub(crate) struct Easel {
    canvas: Pixmap,
}

impl Easel {
    /// An empty canvas.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { canvas: Pixmap::new(width.max(1), height.max(1)).expect("sizes are checked before drawing") }
    }

    /// A canvas with a picture on it.
    pub(crate) fn over(picture: &Picture) -> Self {
        let mut easel = Self::new(picture.width(), picture.height());
        for (to, from) in easel.canvas.pixels_mut().iter_mut().zip(picture.pixels()) {
            *to = tiny_skia::ColorU8::from_rgba(from[0], from[1], from[2], from[3]).premultiply();
        }
        easel
    }

    pub(crate) fn width(&self) -> f32 {
        self.canvas.width() as f32
    }

    pub(crate) fn height(&self) -> f32 {
        self.canvas.height() as f32
    }

    /// A hundredth of the shorter side, but not of very long shapes: the unit of motifs.
    pub(crate) fn unit(&self) -> f32 {
        let (short, long) = (self.width().min(self.height()), self.width().max(self.height()));
        short.min(long * 0.75).max(1.0) / 100.0 * (long / short).min(1.6).sqrt()
    }

    /// Takes the picture off; it is opaque where the canvas was covered.
    pub(crate) fn picture(self) -> Picture {
        let (width, height) = (self.canvas.width(), self.canvas.height());
        let mut bytes = self.canvas.take();
        for pixel in bytes.chunks_exact_mut(4) {
            if pixel[3] != 0 && pixel[3] != 255 {
                let alpha = u32::from(pixel[3]);
                for channel in &mut pixel[..3] {
                    *channel = ((u32::from(*channel) * 255 + alpha / 2) / alpha).min(255) as u8;
                }
            }
        }
        Picture::from_raw(width, height, bytes).expect("four bytes a pixel")
    }

    /// Fills everything.
    pub(crate) fn ground(&mut self, fill: impl Into<Fill>) {
        let (width, height) = (self.width(), self.height());
        self.block((0.0, 0.0), (width, height), fill);
    }

    /// An upright rectangle from one corner to the other.
    pub(crate) fn block(&mut self, from: At, to: At, fill: impl Into<Fill>) {
        let paint = paint(&fill.into());
        if let Some(rect) =
            Rect::from_ltrb(from.0.min(to.0), from.1.min(to.1), from.0.max(to.0), from.1.max(to.1))
        {
            self.canvas.fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// A closed shape with straight edges.
    pub(crate) fn shape(&mut self, corners: &[At], fill: impl Into<Fill>) {
        self.fill(polygon(corners, true), fill);
    }

    /// A closed shape whose corners are rounded off into curves.
    pub(crate) fn blob(&mut self, corners: &[At], fill: impl Into<Fill>) {
        self.fill(rounded(corners), fill);
    }

    /// Everything below a line, down to `bottom`.
    pub(crate) fn below(&mut self, line: &[At], bottom: f32, fill: impl Into<Fill>) {
        let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
        let mut corners = line.to_vec();
        corners.push((last.0, bottom));
        corners.push((first.0, bottom));
        self.fill(polygon(&corners, true), fill);
    }

    /// A disc or an upright ellipse.
    pub(crate) fn disc(&mut self, center: At, radii: (f32, f32), fill: impl Into<Fill>) {
        let oval =
            Rect::from_ltrb(center.0 - radii.0, center.1 - radii.1, center.0 + radii.0, center.1 + radii.1)
                .and_then(PathBuilder::from_oval);
        self.fill(oval, fill);
    }

    /// An ellipse turned by degrees around its center.
    pub(crate) fn turned_disc(&mut self, center: At, radii: (f32, f32), degrees: f32, fill: impl Into<Fill>) {
        let oval =
            Rect::from_ltrb(center.0 - radii.0, center.1 - radii.1, center.0 + radii.0, center.1 + radii.1)
                .and_then(PathBuilder::from_oval)
                .and_then(|path| path.transform(Transform::from_rotate_at(degrees, center.0, center.1)));
        self.fill(oval, fill);
    }

    /// A bar with round ends, lying.
    pub(crate) fn bar(&mut self, left: At, length: f32, thickness: f32, color: Color) {
        self.line(&[left, (left.0 + length, left.1)], thickness, color);
    }

    /// A line with round ends and joins.
    pub(crate) fn line(&mut self, points: &[At], thickness: f32, color: Color) {
        let stroke = Stroke {
            width: thickness.max(0.1),
            line_cap: tiny_skia::LineCap::Round,
            line_join: tiny_skia::LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(path) = polygon(points, false) {
            self.canvas.stroke_path(&path, &paint(&color.into()), &stroke, Transform::identity(), None);
        }
    }

    fn fill(&mut self, path: Option<Path>, fill: impl Into<Fill>) {
        if let Some(path) = path {
            self.canvas.fill_path(
                &path,
                &paint(&fill.into()),
                FillRule::Winding,
                Transform::identity(),
                None,
            );
        }
    }
}

/// Points of a circle's part, from one angle to another in degrees, clockwise from the right.
pub(crate) fn arc(center: At, radii: (f32, f32), from: f32, to: f32) -> Vec<At> {
    const STEPS: u16 = 80;
    (0..=STEPS)
        .map(|step| {
            let angle = from + (to - from) * f32::from(step) / f32::from(STEPS);
            let (sin, cos) = libm::sincosf(angle.to_radians());
            (center.0 + radii.0 * cos, center.1 + radii.1 * sin)
        })
        .collect()
}

fn polygon(corners: &[At], close: bool) -> Option<Path> {
    let (first, rest) = corners.split_first()?;
    let mut path = PathBuilder::with_capacity(corners.len() + 2, corners.len() + 2);
    path.move_to(first.0, first.1);
    for corner in rest {
        path.line_to(corner.0, corner.1);
    }
    if close {
        path.close();
    }
    path.finish()
}

/// Curves through the middles of the edges, pulled by the corners.
fn rounded(corners: &[At]) -> Option<Path> {
    let middle = |a: At, b: At| (f32::midpoint(a.0, b.0), f32::midpoint(a.1, b.1));
    let (&first, &last) = (corners.first()?, corners.last()?);
    let start = middle(last, first);
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for (index, &corner) in corners.iter().enumerate() {
        let next = corners[(index + 1) % corners.len()];
        let end = middle(corner, next);
        path.quad_to(corner.0, corner.1, end.0, end.1);
    }
    path.close();
    path.finish()
}

fn paint(fill: &Fill) -> Paint<'static> {
    let shader = match fill {
        Fill::Plain(color) => Some(Shader::SolidColor(ink(*color))),
        Fill::Line(from, to, colors) => LinearGradient::new(
            Point::from_xy(from.0, from.1),
            Point::from_xy(to.0, to.1),
            stops(colors),
            SpreadMode::Pad,
            Transform::identity(),
        ),
        Fill::Glow(center, radius, colors) => RadialGradient::new(
            Point::from_xy(center.0, center.1),
            0.0,
            Point::from_xy(center.0, center.1),
            radius.max(0.5),
            stops(colors),
            SpreadMode::Pad,
            Transform::identity(),
        ),
    };
    Paint {
        shader: shader.unwrap_or(Shader::SolidColor(Paint8::TRANSPARENT)),
        anti_alias: true,
        ..Paint::default()
    }
}

/// Even steps of colors, each gone through as the eye sees it.
fn stops(colors: &[Color]) -> Vec<GradientStop> {
    const BETWEEN: usize = 4;
    let Some(steps) = colors.len().checked_sub(1).filter(|&n| n > 0) else {
        return colors.iter().map(|&color| GradientStop::new(0.0, ink(color))).collect();
    };
    (0..=steps * BETWEEN)
        .map(|step| {
            let from = (step / BETWEEN).min(steps - 1);
            let way = (step - from * BETWEEN) as f32 / BETWEEN as f32;
            let color = colors[from].mix(colors[from + 1], way);
            GradientStop::new(step as f32 / (steps * BETWEEN) as f32, ink(color))
        })
        .collect()
}

fn ink(color: Color) -> Paint8 {
    Paint8::from_rgba8(color.red, color.green, color.blue, color.alpha)
}
