//! The few colors of a print.

use crate::sandbox::dice::Dice;
use crate::sandbox::theme::Theme;
use crate::std_tools::color::Color;

/// The few colors of a print, from dark to light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inks {
    pub(super) key: Color,
    pub(super) second: Color,
    pub(super) paper: Color,
}

const SETS: [[u32; 3]; 8] = [
    [0x1d_1d_24, 0xc9_47_30, 0xf4_eb_da],
    [0x15_30_50, 0xe8_a0_3a, 0xf7_f0_e0],
    [0x20_40_30, 0xd8_86_65, 0xf5_ed_da],
    [0x38_1e_4c, 0x58_b0_a0, 0xf7_ef_e4],
    [0x14_3c_44, 0xe0_6c_4c, 0xf2_ec_dc],
    [0x40_18_24, 0xe4_b0_4a, 0xf8_ef_dc],
    [0x1c_24_58, 0xee_78_8c, 0xf8_f0_e8],
    [0x28_28_2c, 0x5a_8c_b4, 0xf2_ee_e4],
];

impl Inks {
    /// Inks in the color that the words name, else what the dice say.
    pub(super) fn of(theme: &Theme, dice: &mut Dice) -> Self {
        let [key, second, paper] = dice.pick(&SETS).map(Color::hex);
        match theme.tint.or(theme.accent) {
            Some(tint) => Self { key: tint.mix(Color::hex(0x10_10_18), 0.72), second: tint, paper },
            None => Self { key, second, paper },
        }
    }
}
