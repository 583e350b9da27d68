//! Colors as people write them, mixed as people see them.

use image::Rgba;

/// A color with its alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color {
    pub(crate) red: u8,
    pub(crate) green: u8,
    pub(crate) blue: u8,
    pub(crate) alpha: u8,
}

/// The names that are understood, besides `transparent`.
const NAMES: [(&str, u32); 24] = [
    ("white", 0xff_ff_ff),
    ("black", 0x00_00_00),
    ("gray", 0x80_80_80),
    ("grey", 0x80_80_80),
    ("silver", 0xc0_c0_c0),
    ("red", 0xe5_39_35),
    ("orange", 0xfb_8c_00),
    ("gold", 0xe0_b0_20),
    ("yellow", 0xfd_d8_35),
    ("olive", 0x80_80_00),
    ("green", 0x00_ff_00),
    ("teal", 0x00_89_7b),
    ("cyan", 0x00_bc_d4),
    ("blue", 0x1e_88_e5),
    ("navy", 0x0d_1b_4c),
    ("indigo", 0x3f_51_b5),
    ("violet", 0x8e_5b_d0),
    ("purple", 0x7b_1f_a2),
    ("magenta", 0xd8_1b_8c),
    ("pink", 0xf0_6e_a9),
    ("brown", 0x79_55_48),
    ("beige", 0xf2_e8_d5),
    ("ivory", 0xff_fd_f0),
    ("cream", 0xfb_f5_e6),
];

impl Color {
    /// Nothing at all.
    pub(crate) const CLEAR: Self = Self { red: 255, green: 255, blue: 255, alpha: 0 };
    /// Plain white.
    pub(crate) const WHITE: Self = Self::hex(0xff_ff_ff);

    /// An opaque color from `0xrrggbb`.
    pub(crate) const fn hex(rgb: u32) -> Self {
        Self { red: (rgb >> 16) as u8, green: (rgb >> 8) as u8, blue: rgb as u8, alpha: 255 }
    }

    /// Reads `#rgb`, `#rrggbb`, `#rrggbbaa`, a name, or `transparent`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if let Some(digits) = text.strip_prefix('#') {
            return Self::parse_hex(digits);
        }
        if text == "transparent" {
            return Some(Self::CLEAR);
        }
        Self::named(&text)
    }

    /// The color of a name, as it stands in a sentence.
    pub(crate) fn named(word: &str) -> Option<Self> {
        NAMES.iter().find(|(name, _)| *name == word).map(|&(_, rgb)| Self::hex(rgb))
    }

    fn parse_hex(digits: &str) -> Option<Self> {
        let value = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            3 => {
                let double = |shift: u32| ((value >> shift) & 15) * 17;
                Some(Self::hex(double(8) << 16 | double(4) << 8 | double(0)))
            }
            6 => Some(Self::hex(value)),
            8 => Some(Self { alpha: value as u8, ..Self::hex(value >> 8) }),
            _ => None,
        }
    }

    /// Another alpha, from 0 to 1.
    pub(crate) fn with_alpha(self, alpha: f32) -> Self {
        Self { alpha: (alpha.clamp(0.0, 1.0) * 255.0 + 0.5) as u8, ..self }
    }

    /// The pixel, its alpha kept.
    pub(crate) fn pixel(self) -> Rgba<u8> {
        Rgba([self.red, self.green, self.blue, self.alpha])
    }

    /// The pixel without its alpha.
    pub(crate) fn opaque(self) -> Rgba<u8> {
        Rgba([self.red, self.green, self.blue, 255])
    }

    /// The color on the way to another one, as the eye sees the way.
    pub(crate) fn mix(self, other: Self, way: f32) -> Self {
        let (from, to) = (Lab::of(self), Lab::of(other));
        let at = |a: f32, b: f32| a + (b - a) * way.clamp(0.0, 1.0);
        let mixed = Lab { light: at(from.light, to.light), a: at(from.a, to.a), b: at(from.b, to.b) };
        let alpha = at(f32::from(self.alpha), f32::from(other.alpha));
        Self { alpha: (alpha + 0.5) as u8, ..mixed.color() }
    }

    /// The same color, lighter (above 0) or darker (below 0); 0.1 is well seen.
    pub(crate) fn lit(self, by: f32) -> Self {
        let lab = Lab::of(self);
        Self { alpha: self.alpha, ..Lab { light: (lab.light + by).clamp(0.0, 1.0), ..lab }.color() }
    }

    /// The same color with its hue turned by degrees.
    pub(crate) fn turned(self, degrees: f32) -> Self {
        let lab = Lab::of(self);
        let (sin, cos) = libm::sincosf(degrees.to_radians());
        let turned = Lab { a: lab.a * cos - lab.b * sin, b: lab.a * sin + lab.b * cos, ..lab };
        Self { alpha: self.alpha, ..turned.color() }
    }

    /// As light as it is, with the hue of another color.
    pub(crate) fn tinted(self, hue: Self, strength: f32) -> Self {
        let (lab, hue) = (Lab::of(self), Lab::of(hue));
        let own = lab.chroma();
        let wanted = own.max(0.07) / hue.chroma().max(1e-4);
        let tinted = Lab { light: lab.light, a: hue.a * wanted, b: hue.b * wanted };
        Self { alpha: self.alpha, ..self.mix(tinted.color(), strength) }
    }

    /// How light it looks, from 0 to 1.
    pub(crate) fn luma(self) -> f32 {
        (0.2126 * f32::from(self.red) + 0.7152 * f32::from(self.green) + 0.0722 * f32::from(self.blue))
            / 255.0
    }
}

/// A color in Oklab, where equal steps look equal.
#[derive(Debug, Clone, Copy)]
struct Lab {
    light: f32,
    a: f32,
    b: f32,
}

impl Lab {
    fn of(color: Color) -> Self {
        let [red, green, blue] = [color.red, color.green, color.blue].map(linear);
        let l = libm::cbrtf(0.412_221_46 * red + 0.536_332_55 * green + 0.051_445_995 * blue);
        let m = libm::cbrtf(0.211_903_5 * red + 0.680_699_5 * green + 0.107_396_96 * blue);
        let s = libm::cbrtf(0.088_302_46 * red + 0.281_718_85 * green + 0.629_978_7 * blue);
        Self {
            light: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    fn color(self) -> Color {
        let cube = |v: f32| v * v * v;
        let l = cube(self.light + 0.396_337_78 * self.a + 0.215_803_76 * self.b);
        let m = cube(self.light - 0.105_561_346 * self.a - 0.063_854_17 * self.b);
        let s = cube(self.light - 0.089_484_18 * self.a - 1.291_485_5 * self.b);
        Color {
            red: gamma(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
            green: gamma(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s),
            blue: gamma(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
            alpha: 255,
        }
    }

    fn chroma(self) -> f32 {
        (self.a * self.a + self.b * self.b).sqrt()
    }
}

fn linear(channel: u8) -> f32 {
    let v = f32::from(channel) / 255.0;
    if v <= 0.040_45 { v / 12.92 } else { libm::powf((v + 0.055) / 1.055, 2.4) }
}

fn gamma(v: f32) -> u8 {
    let v = v.clamp(0.0, 1.0);
    let curved = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * libm::powf(v, 1.0 / 2.4) - 0.055 };
    (curved * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_read_in_every_spelling() {
        let read: Vec<_> = ["#fff", "#102030", "#10203040", "White", " transparent ", "#12345", "mauvish"]
            .map(|text| Color::parse(text).map(|c| (c.red, c.green, c.blue, c.alpha)))
            .into();
        assert_eq!(
            read,
            [
                Some((255, 255, 255, 255)),
                Some((16, 32, 48, 255)),
                Some((16, 32, 48, 64)),
                Some((255, 255, 255, 255)),
                Some((255, 255, 255, 0)),
                None,
                None
            ]
        );
    }

    #[test]
    fn mixing_ends_where_it_should() {
        let (red, blue) = (Color::hex(0xe5_39_35), Color::hex(0x1e_88_e5));
        assert_eq!(red.mix(blue, 0.0), red);
        assert_eq!(red.mix(blue, 1.0), blue);
        assert_eq!(red.turned(360.0), red);
    }
}
