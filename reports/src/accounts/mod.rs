//! The bench's own account of what no check judges: of readings, of alerts and of the platform's
//! answers. What is not in order makes an implicit verdict.

pub(crate) mod alerts;
pub(crate) mod answers;
pub(crate) mod readings;
