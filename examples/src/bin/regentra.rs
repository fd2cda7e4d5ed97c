//! regentra
fn main() {}
