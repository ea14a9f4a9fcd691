//! jobs

