//! The switching unit of a node: what orders it, and where it stands.
//!
//! The unit stays where it is without a supply. Where it stands is kept in the EEPROM, as readings
//! are; a node that comes back sets the unit to what is stored, which is the state before the last
//! order if the supply failed while that was written. An order that names the state in which the
//! unit is, so also one that is repeated since its answer was lost, is answered and does nothing.

use lastmeter_can::frame::CanFrame;

use crate::can::seal::Authentication;

/// An order to open or close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SwitchOrder {
    pub(super) is_closed: bool,
    token: u8,
}

impl SwitchOrder {
    /// The order that a data frame of the register has for a node, if it has one.
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        let &[state @ (0 | 1), token, ..] = data else { return None };
        Some(Self { is_closed: state == 1, token })
    }

    /// The data of its answer.
    pub(super) fn answer(self) -> [u8; 2] {
        [u8::from(self.is_closed), self.token]
    }
}

/// Whether a data frame of the register of switching units, with this node in its identifier, is
/// for a node. What is authenticated is to all nodes, as no others have a key of the master.
pub(super) fn is_for(
    frame: &CanFrame,
    addressed: u8,
    node: u8,
    authentication: Authentication,
) -> bool {
    match addressed {
        0 => {
            matches!(*frame.bytes(), [_, _] | [_, _, 0, ..]) || frame.bytes().get(2) == Some(&node)
        }
        _ => addressed == node && authentication == Authentication::None,
    }
}

/// The data of the answer to a remote frame, which has no token.
pub(super) fn state(is_closed: bool) -> [u8; 2] {
    [u8::from(is_closed), 0]
}
