//! Texts in the formats of JSON Schema.

use crate::sandbox::dice::Dice;

/// A text in a format; none for formats that say nothing about it here. `word` is a short
/// word of the subject, as it may stand in an address.
pub(crate) fn text(format: &str, word: &str, dice: &mut Dice) -> Option<String> {
    let mut below = |count: usize| dice.below(count);
    Some(match format {
        "date" => format!("2030-{:02}-{:02}", 1 + below(12), 1 + below(28)),
        "time" => format!("{:02}:{:02}:00Z", below(24), 5 * below(12)),
        "date-time" => format!(
            "2030-{:02}-{:02}T{:02}:{:02}:00Z",
            1 + below(12),
            1 + below(28),
            below(24),
            5 * below(12)
        ),
        "duration" => format!("PT{}S", 2 + below(28)),
        "email" | "idn-email" => format!("{word}{}@example.com", 1 + below(99)),
        "hostname" | "idn-hostname" => format!("{word}-{}.example.com", 1 + below(99)),
        "ipv4" => format!("192.0.2.{}", 1 + below(254)),
        "ipv6" => format!("2001:db8::{:x}", 1 + below(0xffff)),
        "uri" | "iri" | "url" => format!("https://example.com/{word}/{}", 1 + below(999)),
        "uri-reference" | "iri-reference" => format!("/{word}/{}", 1 + below(999)),
        "uri-template" => format!("https://example.com/{word}/{{id}}"),
        "json-pointer" => format!("/{word}/{}", below(10)),
        "relative-json-pointer" => format!("{}/{word}", below(4)),
        "regex" => format!("^{word}-?[0-9]{{{}}}$", 1 + below(4)),
        "uuid" => {
            let [a, b, c] = [dice.throw(), dice.throw(), dice.throw()];
            format!(
                "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                a as u32,
                (a >> 32) as u16,
                (b & 0xfff),
                0x8000 | (b >> 16) & 0x3fff,
                c & 0xffff_ffff_ffff
            )
        }
        _ => return None,
    })
}
