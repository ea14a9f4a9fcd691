//! demo
//!
