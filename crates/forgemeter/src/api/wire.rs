//! GitHub's field names, and no rules: the only types that are read from or written as GitHub's JSON. Keys come in the order of
//! GitHub's samples.

pub(crate) mod legacy;
pub(crate) mod reports;
