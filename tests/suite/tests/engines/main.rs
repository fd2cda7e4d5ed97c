//! Engines.
#[test]
fn x() {}
