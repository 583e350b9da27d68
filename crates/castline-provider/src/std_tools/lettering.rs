//! Text on pictures: any script, wrapped, cut with an ellipsis, in fonts that are part of
//! the program, so that a caption looks the same everywhere.
//!
//! Start reading at [`Lettering::set`].

use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use cosmic_text::fontdb::{Database, Source};
use cosmic_text::{Align, Attrs, Buffer, Fallback, Family, FontSystem, Metrics, Shaping, SwashCache, Wrap};
use flate2::read::GzDecoder;
use image::Rgba;
use unicode_script::Script;

use super::color::Color;
use super::picture::{self, Picture};

/// The fonts, the first for everything that it has; the large one is compressed. See `fonts/README.md`.
const FONTS: [(&str, &[u8]); 5] = [
    ("Noto Sans", include_bytes!("../../fonts/NotoSans.ttf")),
    ("DejaVu Sans", include_bytes!("../../fonts/DejaVuSans.ttf")),
    ("Droid Sans Fallback", include_bytes!("../../fonts/DroidSansFallback.ttf.gz")),
    ("Noto Sans Thai", include_bytes!("../../fonts/NotoSansThai.ttf")),
    ("Noto Sans Devanagari", include_bytes!("../../fonts/NotoSansDevanagari.ttf")),
];

/// What is compressed begins so.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Longer texts are cut before they are set; no caption shows as much.
const MOST_CHARACTERS: usize = 1_000;

/// Stands for what was left out.
const ELLIPSIS: char = '\u{2026}';

static TYPE_CASE: LazyLock<Mutex<FontSystem>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for (_, bytes) in FONTS {
        fonts.load_font_source(Source::Binary(unpacked(bytes)));
    }
    fonts.set_sans_serif_family(FONTS[0].0);
    Mutex::new(FontSystem::new_with_locale_and_db_and_fallback("en-US".to_owned(), fonts, Embedded))
});

fn unpacked(bytes: &'static [u8]) -> Arc<dyn AsRef<[u8]> + Send + Sync> {
    if !bytes.starts_with(&GZIP) {
        return Arc::new(bytes);
    }
    let mut font = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut font).expect("it was packed whole");
    Arc::new(font)
}

/// Falls back from one embedded font to the next, never to the system's.
struct Embedded;

impl Fallback for Embedded {
    fn common_fallback(&self) -> &[&'static str] {
        const { &[FONTS[0].0, FONTS[1].0, FONTS[2].0, FONTS[3].0, FONTS[4].0] }
    }

    fn forbidden_fallback(&self) -> &[&'static str] {
        &[]
    }

    fn script_fallback(&self, _: Script, _: &str) -> &[&'static str] {
        &[]
    }
}

/// Where the lines of a text stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranged {
    /// At the side where its script begins.
    Start,
    /// In the middle.
    Center,
}

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Height of the letters' body, in pixels.
    pub(crate) size: f32,
    /// Width of the lines, in pixels.
    pub(crate) width: f32,
    /// What does not fit into so many lines is cut with an ellipsis.
    pub(crate) lines: usize,
    /// Where the lines stand.
    pub(crate) ranged: Ranged,
}

impl Style {
    /// From one line to the next, in pixels.
    pub(crate) fn leading(&self) -> f32 {
        (self.size * 1.32).ceil()
    }
}

/// A text that is set and can be drawn.
pub(crate) struct Lettering {
    buffer: Buffer,
    lines: usize,
    leading: f32,
    cut: bool,
}

impl Lettering {
    /// Sets a text; line breaks and other blanks become single spaces.
    pub(crate) fn set(text: &str, style: &Style) -> Self {
        let mut fonts = type_case();
        let mut text = plain(text);
        let mut buffer = Buffer::new(&mut fonts, Metrics::new(style.size, style.leading()));
        buffer.set_wrap(Wrap::WordOrGlyph);
        buffer.set_size(Some(style.width), None);
        let mut cut = false;
        let lines = loop {
            fill(&mut buffer, &mut fonts, &text, style);
            let lines = buffer.layout_runs().count();
            if lines <= style.lines {
                break lines;
            }
            text = shortened(&buffer, &text, style.lines);
            cut = true;
        };
        Self { buffer, lines, leading: style.leading(), cut }
    }

    /// How high it is, in pixels.
    pub(crate) fn height(&self) -> f32 {
        self.lines as f32 * self.leading
    }

    /// True when the end of the text was left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Draws it with its top left corner at a place.
    pub(crate) fn draw(&mut self, canvas: &mut Picture, left: u32, top: u32, color: Color) {
        let ink = cosmic_text::Color::rgba(color.red, color.green, color.blue, color.alpha);
        let mut fonts = type_case();
        let mut glyphs = SwashCache::new();
        self.buffer.draw(&mut fonts, &mut glyphs, ink, |x, y, width, height, color| {
            let (Some(left), Some(top)) = (left.checked_add_signed(x), top.checked_add_signed(y)) else {
                return;
            };
            for row in 0..height {
                for column in 0..width {
                    dot(canvas, left + column, top + row, color);
                }
            }
        });
    }

    /// How many characters no font has.
    #[cfg(test)]
    fn missing(&self) -> usize {
        self.buffer.layout_runs().flat_map(|run| run.glyphs).filter(|glyph| glyph.glyph_id == 0).count()
    }
}

fn fill(buffer: &mut Buffer, fonts: &mut FontSystem, text: &str, style: &Style) {
    let align = (style.ranged == Ranged::Center).then_some(Align::Center);
    buffer.set_text(text, &Attrs::new().family(Family::SansSerif), Shaping::Advanced, align);
    buffer.shape_until_scroll(fonts, false);
}

/// What fits into the first lines, at least a letter less than before, and an ellipsis.
fn shortened(buffer: &Buffer, text: &str, lines: usize) -> String {
    let shown =
        buffer.layout_runs().take(lines).flat_map(|run| run.glyphs).map(|glyph| glyph.end).max().unwrap_or(0);
    let kept = text.trim_end_matches(ELLIPSIS);
    let mut end = shown.min(kept.len());
    if end == kept.len() || kept.len() < text.len() {
        end = kept[..end].char_indices().next_back().map_or(0, |(last, _)| last);
    }
    format!("{}{ELLIPSIS}", kept[..end].trim_end())
}

fn type_case() -> MutexGuard<'static, FontSystem> {
    TYPE_CASE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn dot(canvas: &mut Picture, x: u32, y: u32, color: cosmic_text::Color) {
    if let Some(pixel) = canvas.get_pixel_mut_checked(x, y) {
        let (red, green, blue, alpha) = color.as_rgba_tuple();
        picture::blend(pixel, Rgba([red, green, blue, 255]), f32::from(alpha) / 255.0);
    }
}

fn plain(text: &str) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut plain = words.next().unwrap_or_default().to_owned();
    for word in words {
        plain.push(' ');
        plain.push_str(word);
    }
    match plain.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}{ELLIPSIS}", &plain[..end]),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(lines: usize) -> Style {
        Style { size: 24.0, width: 400.0, lines, ranged: Ranged::Start }
    }

    fn ink(text: &str) -> Vec<u8> {
        let mut canvas = Picture::from_pixel(400, 40, Color::WHITE.pixel());
        Lettering::set(text, &style(1)).draw(&mut canvas, 0, 0, Color::hex(0));
        canvas.into_raw()
    }

    #[test]
    fn every_common_script_has_its_letters() {
        for text in [
            "The quick brown fox jumps. Árvíztűrő tükörfúrógép, Łódź, Đà Nẵng, naïve “quotes” – 42 €",
            "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
            "Съешь ещё этих мягких французских булок, їжак",
            "一只纸船漂浮在日出时平静的水面上。",
            "日の出の静かな水面に浮かぶ紙の舟、カタカナ",
            "해돋이에 잔잔한 물 위에 떠 있는 종이배",
            "قارب ورقي يطفو على الماء",
            "סירת נייר צפה על מים",
            "เรือกระดาษลอยน้ำ",
            "शांत पानी पर कागज़ की नाव",
            "Հայերեն ქართული → ★ ♥ ½ ≠ ∑",
        ] {
            assert_eq!(Lettering::set(text, &style(9)).missing(), 0, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut_with_an_ellipsis() {
        let mut short = Lettering::set("a paper boat", &style(2));
        let long = Lettering::set(&"a paper boat ".repeat(400), &style(2));
        assert_eq!((short.lines, short.is_cut()), (1, false));
        assert_eq!((long.lines, long.is_cut()), (2, true));
        assert!(long.height() > short.height());
        short.draw(&mut Picture::new(1, 1), 0, 0, Color::WHITE);
    }

    #[test]
    fn line_breaks_become_spaces() {
        assert_eq!(plain(" a\r\n\tboat\0at  sea "), "a boat at sea");
    }

    #[test]
    fn text_leaves_ink_and_other_text_leaves_other_ink() {
        let blank = vec![255; 400 * 40 * 4];
        assert_ne!(ink("boat"), blank);
        assert_ne!(ink("boat"), ink("coat"));
        assert_eq!(ink(""), blank);
    }

    #[test]
    fn arabic_begins_at_the_right() {
        let first_ink = |text: &str| {
            let canvas = ink(text);
            (0..400).find(|x| (0..40).any(|y| canvas[(y * 400 + x) * 4] < 128)).unwrap()
        };
        assert!(first_ink("boat") < 20);
        assert!(first_ink("قارب") > 300);
    }
}
