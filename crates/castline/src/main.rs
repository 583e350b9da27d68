//! The castline command.
fn main() {}
