//! Crash tests against the real program: kills, power cuts, I/O errors, planted faults, and a checker that shares no code with it.
//!
//! [`disk`] is the disk that forgets and [`mount`] its way into the kernel; what else there is follows from the modes of the program.
//! A failure ends the run with a panic that names the seed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

pub mod checker;
pub mod cut;
pub mod dice;
pub mod disk;
pub mod errors;
pub mod exports;
pub mod failure;
pub mod history;
pub mod kill;
pub mod model;
pub mod mount;
pub mod plant;
pub mod run;
pub mod server;
pub mod work;
pub mod world;
