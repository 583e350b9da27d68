//! A bust in a few plain shapes before a disc.

use super::Scene;
use crate::sandbox::easel::{Fill, arc};
use crate::std_tools::color::Color;

const SKINS: [u32; 6] = [0xf2_c9_a8, 0xe4_ac_84, 0xc6_8a_5e, 0x9c_64_40, 0x70_46_2e, 0xf7_d9_c0];
const HAIRS: [u32; 6] = [0x2a_1c_18, 0x5a_36_20, 0x9a_5a_2c, 0xd8_a8_5a, 0x8a_8a_90, 0x18_1a_28];

/// Draws a portrait.
pub(super) fn draw(scene: &mut Scene) {
    let (width, height) = (scene.w(), scene.h());
    let wall = scene.light.sky[1];
    scene.easel.ground(Fill::Line((0.0, 0.0), (width, height), vec![wall.lit(0.04), wall.lit(-0.06)]));
    let middle = width * scene.dice.between(0.46, 0.54);
    let head = (middle, height * scene.dice.between(0.36, 0.42));
    let size = scene.u(scene.dice.clone().between(16.0, 19.0));
    disc(scene, head, size);
    let skin = Color::hex(*scene.dice.pick(&SKINS)).mix(scene.light.sun, 0.12);
    let hair = Color::hex(*scene.dice.pick(&HAIRS));
    let style = scene.dice.below(4);
    let side = scene.dice.side();
    if style == 0 {
        long_hair(scene, head, size, hair);
    }
    shoulders(scene, head, size, side);
    neck(scene, head, size, skin);
    scene.easel.disc(head, (size * 0.82, size * 1.04), skin);
    half_shade(scene, head, size, skin, side);
    face(scene, head, size, skin, side);
    hairdo(scene, head, size, hair, style, side);
}

fn disc(scene: &mut Scene, head: (f32, f32), size: f32) {
    let far = scene.u(5.0) * scene.dice.between(-1.0, 1.0);
    let at = (head.0 + far, head.1 + size * 0.5);
    let color = scene.light.sky[2];
    scene.easel.disc(at, (size * 2.5, size * 2.5), color);
    let ring = arc(at, (size * 2.8, size * 2.8), 0.0, 360.0);
    scene.easel.line(&ring, size * 0.05, color.with_alpha(0.7));
}

fn shoulders(scene: &mut Scene, head: (f32, f32), size: f32, side: f32) {
    let bottom = scene.h();
    let cloth = scene.light.accent;
    let top = head.1 + size * 1.5;
    let mut body = vec![(head.0 - size * 2.5, bottom)];
    body.extend(arc((head.0, top + size * 1.5), (size * 2.3, size * 1.55), 185.0, 355.0));
    body.push((head.0 + size * 2.5, bottom));
    let dark = cloth.lit(-0.14);
    let (from, to) = (head.0 - size * 2.0 * side, head.0 + size * 2.2 * side);
    scene.easel.shape(&body, Fill::Line((from, top), (to, bottom), vec![cloth.lit(0.05), cloth, dark]));
    let collar = arc((head.0, top + size * 0.1), (size * 0.75, size * 0.5), 0.0, 180.0);
    scene.easel.line(&collar, size * 0.16, dark);
}

fn neck(scene: &mut Scene, head: (f32, f32), size: f32, skin: Color) {
    let (x, y) = head;
    scene.easel.block((x - size * 0.36, y + size * 0.5), (x + size * 0.36, y + size * 1.55), skin.lit(-0.08));
    scene.easel.disc((x, y + size * 1.55), (size * 0.36, size * 0.3), skin.lit(-0.08));
}

/// The side of the face that is turned away from the light.
fn half_shade(scene: &mut Scene, head: (f32, f32), size: f32, skin: Color, side: f32) {
    let mut half = arc(head, (size * 0.82, size * 1.04), -90.0, -90.0 + 180.0 * side);
    let mut inner = arc(head, (size * 0.12, size * 1.04), -90.0, -90.0 + 180.0 * side);
    inner.reverse();
    half.append(&mut inner);
    scene.easel.shape(&half, skin.lit(-0.07));
}

fn face(scene: &mut Scene, head: (f32, f32), size: f32, skin: Color, side: f32) {
    let line = skin.lit(-0.3);
    let (x, y) = head;
    for eye in [-1.0_f32, 1.0] {
        let at = (x + eye * size * 0.34, y - size * 0.02);
        scene.easel.line(&arc(at, (size * 0.14, size * 0.09), 10.0, 170.0), size * 0.05, line);
        scene.easel.line(
            &arc((at.0, at.1 - size * 0.2), (size * 0.2, size * 0.1), 205.0, 335.0),
            size * 0.05,
            line.with_alpha(0.7),
        );
        scene.easel.disc(
            (x + eye * size * 0.48, y + size * 0.3),
            (size * 0.15, size * 0.11),
            scene.light.accent.with_alpha(0.22),
        );
    }
    scene.easel.line(
        &[(x, y), (x + size * 0.12 * side, y + size * 0.3), (x, y + size * 0.34)],
        size * 0.045,
        line.with_alpha(0.7),
    );
    scene.easel.line(
        &arc((x, y + size * 0.52), (size * 0.2, size * 0.12), 15.0, 165.0),
        size * 0.06,
        scene.light.accent.mix(line, 0.4),
    );
}

fn long_hair(scene: &mut Scene, head: (f32, f32), size: f32, hair: Color) {
    let (x, y) = head;
    let mut shape = arc((x, y - size * 0.1), (size * 1.12, size * 1.2), 180.0, 360.0);
    shape.push((x + size * 1.2, y + size * 1.9));
    shape.push((x - size * 1.2, y + size * 1.9));
    scene.easel.blob(&shape, hair);
}

fn hairdo(scene: &mut Scene, head: (f32, f32), size: f32, hair: Color, style: usize, side: f32) {
    let (x, y) = head;
    if style == 1 {
        scene.easel.disc((x, y - size * 1.25), (size * 0.48, size * 0.45), hair);
    }
    let mut cap = arc((x, y - size * 0.08), (size * 0.9, size * 1.06), 178.0, 362.0);
    let part = x + size * 0.35 * side;
    cap.push((x + size * 0.72, y - size * 0.35));
    cap.push((part, y - size * 0.72));
    cap.push((x - size * 0.72, y - size * 0.3));
    scene.easel.shape(&cap, hair);
    if style == 3 {
        let brim = scene.light.accent.lit(-0.12);
        scene.easel.disc((x, y - size * 0.62), (size * 1.5, size * 0.2), brim);
        let crown = arc((x, y - size * 0.66), (size * 0.82, size * 0.78), 180.0, 360.0);
        scene.easel.shape(&crown, brim.lit(0.05));
        scene.easel.block(
            (x - size * 0.82, y - size * 0.86),
            (x + size * 0.82, y - size * 0.66),
            scene.light.sky[2],
        );
    }
}
