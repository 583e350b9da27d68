//! Sound: a small tune for music, a voice without words for speech. Always WAV, 16 bits,
//! mono.

use super::dice::Dice;
use crate::std_tools::fault::Fault;
use crate::std_tools::fields::Fields;

const RATE: u32 = 22_050;

/// The longest that is played, in seconds.
const LONGEST: f64 = 600.0;

/// Seconds of music when nobody says how many.
const USUAL: f64 = 8.0;

/// Seconds of speech for one letter.
const LETTER: f64 = 0.075;

/// Steps of a scale that sounds well in any order, in semitones.
const SCALE: [u8; 5] = [0, 2, 4, 7, 9];

/// Makes the sound that is asked for.
pub(crate) fn sound(fields: &Fields, task: Option<&str>, words: &str, dice: &Dice) -> Result<Vec<u8>, Fault> {
    let spoken = matches!(task, Some("speech" | "text-to-speech")) || fields.text("text").is_some();
    let usual = if spoken { (words.chars().count() as f64 * LETTER).max(0.5) } else { USUAL };
    let seconds = seconds(fields).unwrap_or(usual);
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(Fault::new(format!("the sandbox plays from 0 to {LONGEST} seconds, not {seconds}")));
    }
    let mut samples = vec![0.0_f32; (seconds * f64::from(RATE)) as usize];
    let mut dice = dice.fork("sound");
    if spoken {
        speak(&mut samples, words, &mut dice);
    } else {
        play(&mut samples, &mut dice);
    }
    Ok(wav(&samples))
}

fn seconds(fields: &Fields) -> Option<f64> {
    let milliseconds = || fields.number("music_length_ms").map(|ms| ms / 1000.0);
    ["duration", "seconds", "seconds_total"]
        .into_iter()
        .find_map(|name| fields.number(name))
        .or_else(milliseconds)
}

/// A tune of plucked notes over slow chords.
fn play(samples: &mut [f32], dice: &mut Dice) {
    let beat = RATE as f32 * 60.0 / dice.between(78.0, 132.0);
    let home = 48 + dice.below(10) as u8;
    let beats = (samples.len() as f32 / beat).ceil() as usize;
    for index in 0..beats {
        let start = (index as f32 * beat) as usize;
        if index % 4 == 0 {
            let root = SCALE[dice.below(SCALE.len())];
            for step in [0, 7, 12] {
                tone(samples, start, beat * 4.2, pitch(home - 12 + root + step), 0.07, 0.9);
            }
        }
        let notes = 1 + dice.below(2);
        for note in 0..notes {
            let step = SCALE[dice.below(SCALE.len())] + 12 * dice.below(2) as u8;
            let at = start + (beat * note as f32 / notes as f32) as usize;
            tone(samples, at, beat * 1.6, pitch(home + 12 + step), 0.2, 4.0);
        }
    }
}

/// A syllable for every word's vowels, rising and falling like a sentence.
fn speak(samples: &mut [f32], words: &str, dice: &mut Dice) {
    let letters: Vec<char> = words.chars().collect();
    let length = samples.len() as f32 / letters.len().max(1) as f32;
    let voice = dice.between(110.0, 210.0);
    for (index, letter) in letters.iter().enumerate() {
        let at = (index as f32 * length) as usize;
        let along = index as f32 / letters.len() as f32;
        let melody = voice * (1.12 - 0.24 * along + dice.between(-0.05, 0.05));
        match letter.to_lowercase().next() {
            Some('a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'ä' | 'ö' | 'ü') => {
                tone(samples, at, length * 1.9, melody, 0.3, 1.2);
            }
            Some(c) if c.is_alphanumeric() => hiss(samples, at, length * 0.7, dice),
            _ => {}
        }
    }
}

/// A note that begins softly and dies away; `decay` is how fast.
fn tone(samples: &mut [f32], start: usize, length: f32, pitch: f32, loud: f32, decay: f32) {
    let turn = std::f32::consts::TAU * pitch / RATE as f32;
    for (index, sample) in samples.iter_mut().skip(start).take(length as usize).enumerate() {
        let time = index as f32;
        let fade = (1.0 - time / length) * libm::expf(-decay * time / length) * (time / 160.0).min(1.0);
        let phase = turn * time;
        let wave = libm::sinf(phase) + 0.4 * libm::sinf(2.0 * phase) + 0.18 * libm::sinf(3.0 * phase);
        *sample += loud * fade * wave;
    }
}

fn hiss(samples: &mut [f32], start: usize, length: f32, dice: &mut Dice) {
    for (index, sample) in samples.iter_mut().skip(start).take(length as usize).enumerate() {
        let time = index as f32 / length;
        *sample += dice.between(-0.07, 0.07) * time * (1.0 - time) * 4.0;
    }
}

fn pitch(semitones: u8) -> f32 {
    440.0 * libm::exp2f((f32::from(semitones) - 69.0) / 12.0)
}

/// How long a WAV file lasts; none for what is none. Seconds.
pub(crate) fn length(file: &[u8]) -> Option<f64> {
    let word = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    if !file.starts_with(b"RIFF") || file.get(8..16) != Some(b"WAVEfmt ") {
        return None;
    }
    let mut at = 12;
    loop {
        let length = word(at + 4)?;
        if &file[at..at + 4] == b"data" {
            return Some(f64::from(length) / f64::from(word(28)?.max(1)));
        }
        at = at.checked_add(8 + length as usize + length as usize % 2)?;
    }
}

fn wav(samples: &[f32]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for word in [1_u16, 1] {
        file.extend(word.to_le_bytes());
    }
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    for word in [2_u16, 16] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    for sample in samples {
        file.extend(((sample.clamp(-1.0, 1.0) * 32_000.0) as i16).to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sounds(task: &str, words: &str) -> Vec<u8> {
        sound(&Fields::default(), Some(task), words, &Dice::of(words)).unwrap()
    }

    #[test]
    fn a_tune_lasts_eight_seconds_and_is_a_wav() {
        let tune = sounds("music", "a calm piano");
        assert_eq!(
            (&tune[..4], &tune[8..16], tune.len()),
            (&b"RIFF"[..], &b"WAVEfmt "[..], 44 + 8 * 2 * RATE as usize)
        );
        assert_eq!((length(&tune), length(b"no sound"), length(&tune[..20])), (Some(8.0), None, None));
        assert!(tune == sounds("music", "a calm piano"));
        assert!(tune != sounds("music", "a wild drum"));
    }

    #[test]
    fn speech_lasts_as_long_as_its_words() {
        assert!(
            sounds("speech", "A longer sentence about the sea.").len()
                > sounds("speech", "Hello there.").len()
        );
    }

    #[test]
    fn no_sound_is_silent_or_out_of_bounds() {
        for file in [sounds("music", "x"), sounds("speech", "Good morning.")] {
            let loudest =
                file[44..].chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs()).max().unwrap();
            assert!((6_000..=32_000).contains(&loudest), "{loudest}");
        }
    }
}
