//! send_mail
//!
