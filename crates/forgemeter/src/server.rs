//! The HTTP server: our own accept loop with header, body and idle time-outs.
//!
