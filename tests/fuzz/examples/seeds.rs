//! Writes what the targets `archives`, `answers` and `pictures` begin with into a folder for each,
//! below the one that is named.

use std::fs;
use std::path::Path;

use castline_fuzz::{answers, archives, pictures};

fn main() {
    let corpus = std::env::args().nth(1).expect("a folder");
    let targets =
        [("archives", archives::seeds()), ("answers", answers::seeds()), ("pictures", pictures::seeds())];
    for (target, seeds) in targets {
        let folder = Path::new(&corpus).join(target);
        fs::create_dir_all(&folder).expect("made");
        seeds.iter().for_each(|(name, seed)| fs::write(folder.join(name), seed).expect("written"));
    }
}
