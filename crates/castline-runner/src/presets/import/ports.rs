//! Which fields take piped media, guessed by their kinds and names.
//!
//! Start reading at [`ports`].

use castline_spec::preset::{OutputKind, Repaint};
use castline_spec::schema::MediaKind;

use super::fields::Field;
use super::kinds;

/// A port that a field fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    /// `image`, `mask`, ...
    pub name: &'static str,
    /// The field.
    pub field: String,
    /// For a mask: the color that is painted anew.
    pub repaint: Option<Repaint>,
    /// Where the guess comes from.
    pub note: String,
}

/// The ports of a model, and the fields of media that got none.
pub(super) fn ports(fields: &[Field], output: OutputKind) -> (Vec<Port>, Vec<String>) {
    let mut ports: Vec<Port> = Vec::new();
    let mut left = Vec::new();
    let video = output == OutputKind::Video;
    let draws = matches!(output, OutputKind::Image | OutputKind::Video);
    let frames = fields.iter().any(is_last_frame);
    for field in fields.iter().filter(|field| field.secret.is_none()) {
        let names: &[&'static str] = match (field.media(), field.list_of_media()) {
            (Some(MediaKind::Image), _) if is_mask(field) => &["mask"],
            (Some(MediaKind::Image), _) if is_last_frame(field) => &["last_frame"],
            (Some(MediaKind::Image), _) if is_first_frame(field) || (video && frames) => &["first_frame"],
            (Some(MediaKind::Image), _) if video => &["first_frame", "image"],
            (Some(MediaKind::Image), _) => &["image"],
            (Some(MediaKind::Video), _) => &["video"],
            (Some(MediaKind::Audio), _) => &["audio"],
            (Some(MediaKind::File), _) => &["file"],
            // What is looked at are images; what is drawn after are references.
            (None, Some(MediaKind::Image)) if draws => &["references", "images"],
            (None, Some(MediaKind::Image)) => &["images", "references"],
            (None, Some(MediaKind::Video)) => &["videos"],
            (None, Some(MediaKind::Audio)) => &["audios"],
            (None, Some(MediaKind::File)) => &["files"],
            (None, None) => continue,
        };
        match names.iter().find(|name| ports.iter().all(|port| port.name != **name)) {
            Some(name) => ports.push(port(name, field)),
            None => left.push(field.name.clone()),
        }
    }
    ports.extend(text(fields));
    (ports, left)
}

fn port(name: &'static str, field: &Field) -> Port {
    let (repaint, note) = match name {
        "mask" => {
            let (repaint, why) = repaint(field.description());
            (Some(repaint), why.to_owned())
        }
        _ => (None, format!("does a piped {} belong into `{}`?", noun(name), field.name)),
    };
    Port { name, field: field.name.clone(), repaint, note }
}

fn noun(port: &str) -> String {
    match port {
        "first_frame" | "last_frame" => port.replace('_', " "),
        "images" | "videos" | "audios" | "files" => format!("list of {port}"),
        "references" => "list of references".to_owned(),
        other => other.to_owned(),
    }
}

/// Words that are spoken or sung are piped as text; a prompt is written.
fn text(fields: &[Field]) -> Option<Port> {
    let names = ["text", "script", "lyrics"];
    let field = fields.iter().find(|field| field.is_text() && names.contains(&field.name.as_str()))?;
    let note = format!("does a piped text belong into `{}`?", field.name);
    Some(Port { name: "text", field: field.name.clone(), repaint: None, note })
}

/// True for the picture that says where to paint.
pub(super) fn is_mask(field: &Field) -> bool {
    field.media() == Some(MediaKind::Image) && says(field, &["mask"])
}

fn is_last_frame(field: &Field) -> bool {
    field.media() == Some(MediaKind::Image) && says(field, &["last", "end", "tail", "final"])
}

fn is_first_frame(field: &Field) -> bool {
    field.media() == Some(MediaKind::Image) && says(field, &["first", "start"])
}

fn says(field: &Field, list: &[&str]) -> bool {
    kinds::words(&field.name).iter().any(|word| list.contains(&word.as_str()))
}

/// The color that is painted anew: the first one in a sentence that speaks of painting, else not
/// the one in a sentence that speaks of keeping.
fn repaint(description: &str) -> (Repaint, &'static str) {
    const ANEW: &[&str] = &[
        "inpaint",
        "repaint",
        "paint",
        "fill",
        "replac",
        "edit",
        "chang",
        "regenerat",
        "generat",
        "modif",
        "remov",
    ];
    const KEPT: &[&str] = &["keep", "kept", "preserv", "unchang", "protect", "untouch", "remain"];
    let sentences = description.split(['.', ',', ';', ':', '\n', '(', ')']);
    for clause in
        sentences.flat_map(|sentence| sentence.split(" and ")).flat_map(|part| part.split(" while "))
    {
        let words = kinds::words(clause);
        let has = |list: &[&str]| kinds::begins(&words, list);
        let color = words.iter().find_map(|word| match word.as_str() {
            "white" => Some(Repaint::White),
            "black" => Some(Repaint::Black),
            _ => None,
        });
        match color {
            Some(color) if has(KEPT) => return (other(color), "the color by the description"),
            Some(color) if has(ANEW) => return (color, "the color by the description"),
            _ => {}
        }
    }
    (Repaint::White, "which color is painted anew is not said")
}

fn other(color: Repaint) -> Repaint {
    match color {
        Repaint::White => Repaint::Black,
        Repaint::Black => Repaint::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_color_of_a_mask_is_read_off_its_description() {
        let color = |text| repaint(text).0;
        assert_eq!(color("Black and white mask. White areas are inpainted, black is kept."), Repaint::White);
        assert_eq!(color("Black areas will be edited and white areas preserved"), Repaint::Black);
        assert_eq!(color("White areas will be preserved"), Repaint::Black);
        assert_eq!(repaint("A mask.").1, "which color is painted anew is not said");
    }
}
