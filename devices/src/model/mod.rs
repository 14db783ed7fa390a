//! Device models: one file each.

pub(crate) mod stpm3x;
