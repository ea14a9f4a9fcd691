//! The command line: every verb and its options in one place. What a verb does is left to the file of its name.
//!
//! Exit codes: 0 ok, 1 failed, 2 wrong usage, 4 not authorized.

pub(crate) mod apply;
pub(crate) mod demo;
pub(crate) mod folder;
pub(crate) mod ingest;
pub(crate) mod prices;
pub(crate) mod report;
pub(crate) mod reprice;
pub(crate) mod serve;
mod server_call;
pub(crate) mod token;
pub(crate) mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "forgemeter", version, about = "Metered billing and usage reporting for software forges, on GitHub's billing REST API.")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve a believable enterprise with three months of usage
    Demo(demo::Arguments),
    /// Serve the accounts and the usage of a data folder
    Serve(serve::Arguments),
    /// Write accounts, plans, seats and price versions from a TOML file into a data folder
    Apply(apply::Arguments),
    /// Create, list and revoke access tokens
    Token(token::Arguments),
    /// Send usage events from a file or standard input to a server
    Ingest(ingest::Arguments),
    /// Make a usage report from a data folder, or let a server make it
    Report(report::Arguments),
    /// List price versions, show one, or show what two differ in
    Prices(prices::Arguments),
    /// Tell what the same usage would have cost under other prices, without touching the books
    Reprice(reprice::Arguments),
    /// Check a data folder: make every derived number again from the events and compare
    Verify(verify::Arguments),
}

/// Why a verb ended early: what to tell the user, and the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    Failed(String),
    Usage(String),
    NotAuthorized(String),
}

pub(crate) fn run() -> ExitCode {
    #[cfg(feature = "planted")]
    crate::config::plant();
    let outcome = match Arguments::parse().verb {
        Verb::Demo(arguments) => demo::run(arguments),
        Verb::Serve(arguments) => serve::run(arguments),
        Verb::Apply(arguments) => apply::run(arguments),
        Verb::Token(arguments) => token::run(arguments),
        Verb::Ingest(arguments) => ingest::run(arguments),
        Verb::Report(arguments) => report::run(arguments),
        Verb::Prices(arguments) => prices::run(arguments),
        Verb::Reprice(arguments) => reprice::run(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
    };
    let (text, code) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => (text, 1),
        Err(Failure::Usage(text)) => (text, 2),
        Err(Failure::NotAuthorized(text)) => (text, 4),
    };
    eprintln!("error: {text}");
    ExitCode::from(code)
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Failure {
        Failure::Failed(error.to_string())
    }
}
