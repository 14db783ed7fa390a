//! What the aggregator of a household has decided and billed: two checks, and the part of the
//! report about it. Nothing here is shared with what decides and bills.

mod bill;
mod decisions;
mod section;

pub(super) use bill::KIND as BILL;
pub(super) use decisions::KIND as DECISIONS;
