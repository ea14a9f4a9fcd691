//! `forgemeter serve`.
//!

use super::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    Err(Failure::Failed(format!("{arguments:?} is not built yet")))
}
