//! Up to where the numbered packets of a gateway are on disk, and frames that wait until it is
//! known which node they are from. It is kept as a cursor of the store, in one transaction with
//! what packets change; packets that became readings need no mark, since these have their numbers.

use lastmeter_model::access::Permit;
use lastmeter_model::document::Cursor;
use lastmeter_store::{Page, Range, StoreError};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_zigbee::payload::Delivered;

use crate::tenant::Tenant;

/// Frames that wait at a gateway.
const HELD_MAX: usize = 64;
const HEAD_BYTES: usize = 8;

/// A frame that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingFrame {
    pub(super) epoch: u32,
    pub(super) sequence: u32,
    pub(super) taken_s: u32,
    pub(super) frame: Vec<u8>,
}

/// What is kept of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) delivered: Delivered,
    pub(super) held: Vec<WaitingFrame>,
}

impl Standing {
    /// Has a frame wait; the one that it takes the place of, if there are too many.
    pub(super) fn hold(&mut self, held: WaitingFrame) -> Option<WaitingFrame> {
        self.held.push(held);
        (self.held.len() > HELD_MAX).then(|| self.held.remove(0))
    }

    /// As it is kept under the gateway's number.
    pub(super) fn cursor(&self, gateway_number: u32) -> Cursor {
        let mut value = Vec::with_capacity(HEAD_BYTES);
        value.extend(self.delivered.epoch.to_be_bytes());
        value.extend(self.delivered.next.to_be_bytes());
        for WaitingFrame { epoch, sequence, taken_s, frame } in &self.held {
            for field in [*epoch, *sequence, *taken_s, frame.len() as u32] {
                value.extend(field.to_be_bytes());
            }
            value.extend(frame);
        }
        Cursor { name: name(gateway_number), value }
    }

    /// Reads what is kept; what cannot be read is none.
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut number = || {
            let (found, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            Some(u32::from_be_bytes(*found))
        };
        let delivered = Delivered { epoch: number()?, next: number()? };
        let mut held = Vec::new();
        while !bytes.is_empty() {
            let mut numbers = [0; 4];
            for number in &mut numbers {
                let (found, rest) = bytes.split_first_chunk()?;
                (*number, bytes) = (u32::from_be_bytes(*found), rest);
            }
            let [epoch, sequence, taken_s, length] = numbers;
            let (frame, rest) = bytes.split_at_checked(length as usize)?;
            bytes = rest;
            held.push(WaitingFrame { epoch, sequence, taken_s, frame: frame.to_vec() });
        }
        Some(Self { delivered, held })
    }

    /// What is known of a gateway: what is kept, and the numbers of its nodes' last readings.
    pub(super) async fn of(
        tenant: &Tenant,
        (token, gateway_number): (&str, u32),
        nodes: impl Iterator<Item = HardwareId>,
    ) -> Result<Self, StoreError> {
        let store = tenant.readers.permitted();
        let kept = store.cursor(name(gateway_number)).await?;
        let mut standing = kept.and_then(|bytes| Self::read(&bytes)).unwrap_or_default();
        if let Some(known) = tenant.gateways.delivered(token) {
            standing.delivered = standing.delivered.max(known);
            return Ok(standing);
        }
        let whole = Permit::whole_tenant();
        for id in nodes {
            let Some(row) = tenant.devices.row(&id) else { continue };
            let range = Range { start: SimTime(i64::MIN), end: SimTime(i64::MAX) };
            let (page, cut) = (Page { offset: 0, limit: 1 }, whole.cut(&id));
            let (_, last) = store.events(row, range, page, cut).await?;
            let number = last.first().and_then(|reading| reading.number);
            let Some((epoch, serial)) = number else { continue };
            if epoch >> 32 == u64::from(gateway_number) {
                let delivered = Delivered { epoch: epoch as u32, next: serial as u32 + 1 };
                standing.delivered = standing.delivered.max(delivered);
            }
        }
        Ok(standing)
    }
}

fn name(gateway_number: u32) -> String {
    format!("gateway-{gateway_number}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_reads_back(
            delivered in any::<(u32, u32)>(),
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..99),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut standing = Standing {
                delivered: Delivered { epoch: delivered.0, next: delivered.1 },
                held: Vec::new(),
            };
            let mut dropped = 0;
            for (sequence, frame) in (0..).zip(frames.iter().cloned()) {
                let held = WaitingFrame { epoch: 1, sequence, taken_s: 7, frame };
                dropped += usize::from(standing.hold(held).is_some());
            }
            prop_assert_eq!(standing.held.len() + dropped, frames.len());
            prop_assert!(standing.held.len() <= HELD_MAX);
            prop_assert_eq!(Standing::read(&standing.cursor(3).value), Some(standing));
            let _ = Standing::read(&bytes);
        }
    }
}
