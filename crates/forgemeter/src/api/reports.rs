//! reports
//!
