//! Every command a person runs on this workspace.
fn main() {}
