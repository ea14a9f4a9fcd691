//! report

