//! expire_exports
//!
