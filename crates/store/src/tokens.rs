//! tokens

