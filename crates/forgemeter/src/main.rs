//! Forgemeter: metered billing and usage reporting for software forges, on GitHub's billing REST API.
//!
//! The program around `billing` (the rules) and `store` (the facts): command line, HTTP API, background jobs, sources of usage.
//! Start at [`cli`] for the verbs, at [`api`] for the routes.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

mod accounts_file;
mod api;
mod app;
mod cli;
mod config;
mod demo;
mod instant;
mod jobs;
mod report_csv;
mod server;
mod sources;
mod spelling;
mod table;
mod toml_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
