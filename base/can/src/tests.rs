//! Any frame, for property tests.

use proptest::prelude::*;

use crate::frame::{CanFrame, CanId, EXTENDED_ID_MAX, STANDARD_ID_MAX};

/// Any identifier of both formats.
fn id() -> impl Strategy<Value = CanId> {
    prop_oneof![
        (0..=STANDARD_ID_MAX).prop_map(|value| CanId::standard(value).unwrap()),
        (0..=EXTENDED_ID_MAX).prop_map(|value| CanId::extended(value).unwrap()),
    ]
}

/// Any frame.
pub(crate) fn frame() -> impl Strategy<Value = CanFrame> {
    let data = (id(), prop::collection::vec(any::<u8>(), 0..=8))
        .prop_map(|(id, bytes)| CanFrame::data(id, &bytes).unwrap());
    let remote = (id(), 0_u8..=8).prop_map(|(id, dlc)| CanFrame::remote(id, dlc).unwrap());
    prop_oneof![3 => data, 1 => remote]
}
