//! The retired summaries of Actions minutes, Packages transfer and shared storage, as a projection of a rated month (rulings A1, A10).
//!
//! They agree with the reports in what is paid, not digit by digit: minutes carry weights, and every figure is a whole number.
