//! Has the crate built anew when a preset comes or goes.

fn main() {
    println!("cargo::rerun-if-changed=../../presets");
}
