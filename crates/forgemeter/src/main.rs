//! Program
fn main() {}
