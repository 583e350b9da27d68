//! How large a picture is to be: aspect ratios, megapixels and the many spellings of size.
//!
//! Start reading at [`Frame::of`].

use crate::std_tools::fault::Fault;
use crate::std_tools::fields::{Fields, first_number};
use crate::std_tools::picture;

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What FLUX makes of the usual ratios at one megapixel; others follow its rule.
const USUAL: [(f64, f64, u32, u32); 11] = [
    (1.0, 1.0, 1024, 1024),
    (16.0, 9.0, 1344, 768),
    (21.0, 9.0, 1536, 640),
    (3.0, 2.0, 1216, 832),
    (2.0, 3.0, 832, 1216),
    (4.0, 5.0, 896, 1088),
    (5.0, 4.0, 1088, 896),
    (3.0, 4.0, 896, 1152),
    (4.0, 3.0, 1152, 896),
    (9.0, 16.0, 768, 1344),
    (9.0, 21.0, 640, 1536),
];

/// One megapixel as models count it.
const MEGAPIXEL: f64 = 1024.0 * 1024.0;

/// The fields that say how many pixels, the plainest first.
const AMOUNTS: [&str; 5] = ["megapixels", "output_megapixels", "resolution", "size", "image_size"];

/// How many pixels, apart from the shape.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    /// So many pixels in all.
    Area(f64),
    /// The shorter side is so long.
    Short(f64),
    /// The longer side is so long.
    Long(f64),
    /// Exactly this.
    Exact(Frame),
}

impl Frame {
    /// Works out the size; `input` is the size of the first input image.
    pub(crate) fn of(fields: &Fields, input: Option<Self>) -> Result<Self, Fault> {
        let frame = Self::asked(fields, input);
        if picture::fits(u64::from(frame.width), u64::from(frame.height)) {
            return Ok(frame);
        }
        Err(Fault::new(format!(
            "a picture of {}x{} pixels is too large: the sandbox draws {} megapixels and {} a side at most",
            frame.width,
            frame.height,
            picture::MOST_MEGAPIXELS,
            picture::LONGEST_SIDE
        )))
    }

    fn asked(fields: &Fields, input: Option<Self>) -> Self {
        let ratio = fields.text("aspect_ratio").or_else(|| fields.text("ratio"));
        if let Some(exact) = exact(fields.text("resolution")).or_else(|| exact(ratio)) {
            return exact;
        }
        let amount = amount(fields, input);
        if let Some((across, down)) = ratio.and_then(shape) {
            return Self::shaped(across, down, amount);
        }
        let own = ratio.is_none() || ratio == Some("custom") || !fields.declares("aspect_ratio");
        if own && let Some(exact) = sides(fields) {
            return exact;
        }
        if let Some(input) = input {
            return Self::shaped(f64::from(input.width), f64::from(input.height), amount);
        }
        match amount {
            Some(Amount::Exact(exact)) => exact,
            _ => sides(fields).filter(|_| own).unwrap_or_else(|| Self::shaped(1.0, 1.0, amount)),
        }
    }

    fn shaped(across: f64, down: f64, amount: Option<Amount>) -> Self {
        let shape = across / down;
        match amount {
            None => Self::of_area(shape, MEGAPIXEL),
            Some(Amount::Area(area)) => Self::of_area(shape, area),
            Some(Amount::Exact(frame)) => {
                Self::of_area(shape, f64::from(frame.width) * f64::from(frame.height))
            }
            Some(Amount::Short(short)) if shape >= 1.0 => Self::even(short * shape, short),
            Some(Amount::Short(short)) => Self::even(short, short / shape),
            Some(Amount::Long(long)) if shape >= 1.0 => Self::even(long, long / shape),
            Some(Amount::Long(long)) => Self::even(long * shape, long),
        }
    }

    fn of_area(shape: f64, area: f64) -> Self {
        let scale = (area / MEGAPIXEL).sqrt();
        let usual = USUAL.iter().find(|(across, down, ..)| (across / down - shape).abs() < 1e-9);
        let (width, height) = match usual {
            Some(&(_, _, width, height)) => (f64::from(width), f64::from(height)),
            None => ((MEGAPIXEL * shape).sqrt(), (MEGAPIXEL / shape).sqrt()),
        };
        let side = |length: f64| ((length * scale / 16.0).round().max(1.0) * 16.0) as u32;
        Self { width: side(width), height: side(height) }
    }

    fn even(width: f64, height: f64) -> Self {
        let side = |length: f64| ((length / 2.0).round().max(1.0) * 2.0) as u32;
        Self { width: side(width), height: side(height) }
    }
}

/// The shape that the fields say, across and down; none where they say only how much, or
/// nothing.
pub(crate) fn said_shape(fields: &Fields) -> Option<(f64, f64)> {
    let numbers = |frame: Frame| (f64::from(frame.width), f64::from(frame.height));
    ["aspect_ratio", "ratio"]
        .into_iter()
        .find_map(|name| fields.text(name).and_then(shape))
        .or_else(|| {
            let sizes = ["resolution", "size", "image_size", "aspect_ratio", "ratio"];
            sizes.into_iter().find_map(|name| exact(fields.text(name))).map(numbers)
        })
        .or_else(|| sides(fields).map(numbers))
}

/// `width` and `height`, both given or by default.
fn sides(fields: &Fields) -> Option<Frame> {
    let side = |name: &str| fields.number(name).filter(|&n| n >= 1.0).map(|n| n.min(1e6) as u32);
    Some(Frame { width: side("width")?, height: side("height")? })
}

fn amount(fields: &Fields, input: Option<Frame>) -> Option<Amount> {
    AMOUNTS.iter().find_map(|name| {
        let number =
            || fields.number(name).filter(|&n| n > 0.0 && n < 1_000.0).map(|n| Amount::Area(n * MEGAPIXEL));
        match fields.text(name) {
            Some(text) => {
                spelled(text, input).or_else(|| name.ends_with("megapixels").then(number).flatten())
            }
            None => name.ends_with("megapixels").then(number).flatten(),
        }
    })
}

/// `1024x1024`, `1280*720`, `2K`, `1 MP`, `720p`, `match_input`, `small`.
fn spelled(text: &str, input: Option<Frame>) -> Option<Amount> {
    if let Some(frame) = exact(Some(text)) {
        return Some(Amount::Exact(frame));
    }
    let lower = text.to_ascii_lowercase();
    let number = first_number(&lower).filter(|&n| n > 0.0);
    match lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim() {
        "k" => number.map(|n| Amount::Area(n * n * MEGAPIXEL)),
        "mp" | "megapixel" | "megapixels" => number.map(|n| Amount::Area(n * MEGAPIXEL)),
        "p" => number.map(Amount::Short),
        "small" => Some(Amount::Short(512.0)),
        "regular" => Some(Amount::Area(MEGAPIXEL)),
        "big" => Some(Amount::Long(2048.0)),
        "match_input" | "match_input_image" => {
            input.map(|frame| Amount::Area(f64::from(frame.width) * f64::from(frame.height)))
        }
        _ => None,
    }
}

/// `16:9`, not `match_input_image`.
fn shape(text: &str) -> Option<(f64, f64)> {
    let (across, down) = text.split_once(':')?;
    let (across, down) = (across.trim().parse().ok()?, down.trim().parse().ok()?);
    let fine = |n: f64| n.is_finite() && n > 0.0;
    (fine(across) && fine(down)).then_some((across, down))
}

/// `1024x768` or `1024*768`.
fn exact(text: Option<&str>) -> Option<Frame> {
    let (width, height) = text?.split_once(['x', '*'])?;
    let (width, height) = (width.trim().parse().ok()?, height.trim().parse().ok()?);
    (width > 0 && height > 0).then_some(Frame { width, height })
}
