//! The colors of a scene at an hour.

use super::dice::Dice;
use super::theme::Hour;
use crate::std_tools::color::Color;

/// The colors of a scene at an hour.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    /// From the top down to the horizon.
    pub(crate) sky: [Color; 3],
    /// Sun or moon.
    pub(crate) sun: Color,
    /// Land in the distance.
    pub(crate) far: Color,
    /// Land at one's feet.
    pub(crate) near: Color,
    /// Water at the horizon.
    pub(crate) shallow: Color,
    /// Water at one's feet.
    pub(crate) deep: Color,
    /// What catches the eye.
    pub(crate) accent: Color,
    /// True when stars are out and windows lit.
    pub(crate) dark: bool,
}

/// top, middle, horizon, sun, far, near, shallow, deep, accent
type Row = [u32; 9];

const SUNRISE: &[Row] = &[
    [
        0x5b_6c_a8, 0xf0_a5_8f, 0xff_e0_a8, 0xff_f6_dc, 0xb9_7a_86, 0x3a_2d_4d, 0xf4_bf_9c, 0x3f_4d_7c,
        0xe8_57_3f,
    ],
    [
        0x6f_a3_bf, 0xf5_c9_a4, 0xff_f1_d2, 0xff_fb_ec, 0x9f_b4_b4, 0x2c_4b_52, 0xf3_d4_b8, 0x3c_78_8a,
        0xe0_5f_46,
    ],
    [
        0x4b_3f_72, 0xd9_6c_75, 0xff_c8_8a, 0xff_ef_c8, 0xa0_56_6e, 0x2a_1f_3d, 0xf0_a2_85, 0x3a_30_60,
        0xf7_e4_c4,
    ],
];
const DAY: &[Row] = &[
    [
        0x3a_8a_c4, 0x8c_c6_e4, 0xe6_f4_ee, 0xff_fd_f0, 0x92_bb_b4, 0x25_5f_48, 0x8f_d0_d4, 0x1b_67_88,
        0xe5_53_3d,
    ],
    [
        0x55_a4_c6, 0xa9_d9_dc, 0xf8_f2_dc, 0xff_fb_e8, 0xac_c5_a2, 0x3d_68_3a, 0x9f_d8_d2, 0x26_75_86,
        0xf0_94_2f,
    ],
    [
        0x2e_7f_8f, 0x8c_c0_b0, 0xf5_e7_c6, 0xff_f8_e0, 0xc9_b7_8a, 0x5f_47_2b, 0x9f_cd_bc, 0x1f_5f_70,
        0xc8_44_2f,
    ],
];
const SUNSET: &[Row] = &[
    [
        0x35_35_6b, 0xc8_51_6b, 0xff_b1_5e, 0xff_ee_c0, 0x8d_3f_63, 0x22_18_38, 0xf2_98_66, 0x33_2c_5e,
        0xff_cf_6b,
    ],
    [
        0x6b_3b_6e, 0xee_7a_5a, 0xff_d0_7a, 0xff_f4_d0, 0xa8_55_56, 0x35_1a_33, 0xf7_a8_70, 0x4d_2c_58,
        0xff_f0_d8,
    ],
    [
        0x23_47_6b, 0xe2_8a_5c, 0xfb_dc_9a, 0xff_f4_d6, 0x8a_6a_6e, 0x1c_2c_42, 0xeb_b0_82, 0x22_44_66,
        0xe2_4a_33,
    ],
];
const NIGHT: &[Row] = &[
    [
        0x0a_12_2e, 0x1c_2b_5c, 0x4d_63_98, 0xf6_f1_dc, 0x2f_42_74, 0x06_0a_1a, 0x3d_55_8c, 0x09_12_2c,
        0xff_cc_66,
    ],
    [
        0x10_12_2b, 0x2f_23_58, 0x80_4a_88, 0xf8_e8_dc, 0x46_30_6c, 0x0b_09_1c, 0x5d_3a_78, 0x10_0e_2a,
        0xff_a8_5c,
    ],
    [
        0x04_1c_2c, 0x0d_3b_4f, 0x46_86_8a, 0xee_f4_e4, 0x1f_54_60, 0x02_11_1b, 0x2c_6c_74, 0x05_20_2e,
        0xff_d6_7a,
    ],
];
const GRAY: &[Row] = &[
    [
        0x66_78_88, 0xa6_b2_b8, 0xe2_e6_e2, 0xfa_f8_f0, 0x9f_ab_ae, 0x30_3e_46, 0xb4_c0_c2, 0x3c_50_5c,
        0xc8_4d_38,
    ],
    [
        0x5a_6b_72, 0x94_a6_a6, 0xdc_dc_cf, 0xf8_f4_e4, 0x94_a0_9a, 0x2c_38_38, 0xa8_b6_b0, 0x38_4c_50,
        0xe0_a0_30,
    ],
];
const WINTER: &[Row] = &[
    [
        0x7f_aa_cc, 0xcb_df_ec, 0xfd_f4_ea, 0xff_ff_fa, 0xb9_cd_dc, 0x4d_6a_86, 0xbf_d8_e6, 0x3f_6a_90,
        0xcb_45_3a,
    ],
    [
        0x6a_7f_b0, 0xd8_c4_d8, 0xff_e8_dc, 0xff_f8_f0, 0xb0_b4_d0, 0x44_4e_78, 0xd0_cc_e0, 0x48_5a_90,
        0xd8_6a_4a,
    ],
];
const AUTUMN: &[Row] = &[
    [
        0x7a_a2_b6, 0xe8_d3_ae, 0xfd_ee_d0, 0xff_fa_e8, 0xcc_96_62, 0x5f_2a_20, 0xe0_c8_a0, 0x55_60_60,
        0xd4_52_26,
    ],
    [
        0x9a_6a_58, 0xe8_a8_6a, 0xfb_e0_ac, 0xff_f4_d8, 0xb8_74_4a, 0x42_20_1c, 0xdc_a8_78, 0x4c_38_40,
        0xf0_b0_30,
    ],
];
const SPRING: &[Row] = &[
    [
        0x84_c0_d4, 0xd4_e8_da, 0xff_ee_e8, 0xff_fc_f4, 0xb9_d5_aa, 0x42_80_52, 0xb4_dc_d8, 0x3a_84_94,
        0xec_7a_a0,
    ],
    [
        0xb0_a8_d8, 0xf0_d0_dc, 0xff_f4_e4, 0xff_fb_f2, 0xc4_c8_c0, 0x50_70_68, 0xdc_d0_e0, 0x58_70_a0,
        0xe8_6a_8c,
    ],
];

impl Light {
    /// The light of an hour, a little different at every throw.
    pub(crate) fn at(hour: Hour, tint: Option<Color>, accent: Option<Color>, dice: &mut Dice) -> Self {
        let rows = match hour {
            Hour::Sunrise => SUNRISE,
            Hour::Day => DAY,
            Hour::Sunset => SUNSET,
            Hour::Night => NIGHT,
            Hour::Gray => GRAY,
            Hour::Winter => WINTER,
            Hour::Autumn => AUTUMN,
            Hour::Spring => SPRING,
        };
        let colors = dice.pick(rows).map(Color::hex);
        let (turn, lift) = (dice.between(-12.0, 12.0), dice.between(-0.03, 0.03));
        let air = |color: Color, strength: f32| {
            let own = color.turned(turn).lit(lift);
            tint.map_or(own, |tint| own.tinted(tint, strength))
        };
        let [top, middle, low, sun, far, near, shallow, deep, eye] = colors;
        Self {
            sky: [air(top, 0.95), air(middle, 0.9), air(low, 0.6)],
            sun: air(sun, 0.15),
            far: air(far, 0.7),
            near: air(near, 0.4),
            shallow: air(shallow, 0.8),
            deep: air(deep, 0.75),
            accent: accent.unwrap_or(eye),
            dark: hour == Hour::Night,
        }
    }

    /// Land between far (0) and near (1).
    pub(crate) fn land(&self, nearness: f32) -> Color {
        self.far.mix(self.near, nearness)
    }
}
