//! A frame of a node with all that reading it depends on: what a journal keeps of it.
//!
//! Big endian: version u8, network type u8, gateway's number u32, epoch u32, sequence u32, when it
//! was taken in u32 (Unix seconds), node u64, its network address u16, context and invocation with
//! a length u16 in front of each, then the frame.

use crate::network_type::{FrameRefusal, NetworkType, NodeContext, STATE_BYTES_MAX};

const VERSION: u8 = 1;
/// The longest name of an invocation, bytes.
const INVOCATION_BYTES_MAX: usize = 64;

/// A frame with what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayEntry<'a> {
    /// The type of the network, by its number.
    pub network_type: u8,
    /// The number of the gateway.
    pub gateway_number: u32,
    /// The life of the gateway's store.
    pub epoch: u32,
    /// The number of the frame in it.
    pub sequence: u32,
    /// When the gateway took it in: Unix seconds.
    pub taken_s: u32,
    /// What was known of its node.
    pub context: NodeContext,
    /// The invocation that it answers; empty if none.
    pub invocation: &'a str,
    /// The frame, as its type has it.
    pub frame: &'a [u8],
}

impl<'a> RelayEntry<'a> {
    /// Epoch and serial under which its reading is stored once, whichever gateway carries a node.
    pub fn number(&self) -> (u64, u64) {
        (u64::from(self.gateway_number) << 32 | u64::from(self.epoch), self.sequence.into())
    }

    /// Its type.
    ///
    /// # Errors
    /// If this version has no such type.
    pub fn kind(
        &self,
        types: &'static [NetworkType],
    ) -> Result<&'static NetworkType, FrameRefusal> {
        let found = types.iter().find(|row| row.code == self.network_type);
        found.ok_or_else(|| {
            let code = self.network_type;
            let detail =
                format!("network type {code} is none of this version; start the later one");
            FrameRefusal { reason: "unknown_network_type", detail }
        })
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let (state, invocation) = (&self.context.state, self.invocation.as_bytes());
        let mut out = Vec::with_capacity(36 + state.len() + invocation.len() + self.frame.len());
        out.extend([VERSION, self.network_type]);
        for field in [self.gateway_number, self.epoch, self.sequence, self.taken_s] {
            out.extend(field.to_be_bytes());
        }
        out.extend(self.context.node.to_be_bytes());
        out.extend(self.context.address.to_be_bytes());
        let parts = [(&state[..], STATE_BYTES_MAX), (invocation, INVOCATION_BYTES_MAX)];
        for (part, bytes_max) in parts {
            let part = &part[..part.len().min(bytes_max)];
            out.extend((part.len() as u16).to_be_bytes());
            out.extend(part);
        }
        out.extend(self.frame);
        out
    }

    /// Reads it.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameRefusal> {
        let short = || FrameRefusal::malformed(format!("an entry of {} bytes ends", bytes.len()));
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or_else(short)?;
        if head[0] != VERSION {
            let detail = format!("an entry of version {}, expected {VERSION}", head[0]);
            return Err(FrameRefusal { reason: "malformed_frame", detail });
        }
        let mut rest = rest;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let (found, behind) = rest.split_first_chunk().ok_or_else(short)?;
            (*number, rest) = (u32::from_be_bytes(*found), behind);
        }
        let (node, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (address, mut rest) = rest.split_first_chunk().ok_or_else(short)?;
        let mut parts = [&[][..]; 2];
        for part in &mut parts {
            let (length, behind) = rest.split_first_chunk().ok_or_else(short)?;
            let length = usize::from(u16::from_be_bytes(*length));
            (*part, rest) = behind.split_at_checked(length).ok_or_else(short)?;
        }
        let [gateway_number, epoch, sequence, taken_s] = numbers;
        let invocation = std::str::from_utf8(parts[1]).map_err(FrameRefusal::malformed)?;
        let context = NodeContext {
            node: u64::from_be_bytes(*node),
            address: u16::from_be_bytes(*address),
            state: parts[0].to_vec(),
        };
        let network_type = head[1];
        Ok(Self {
            network_type,
            gateway_number,
            epoch,
            sequence,
            taken_s,
            context,
            invocation,
            frame: rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_entry_reads_back_and_any_bytes_are_read_without_a_panic(
            numbers in any::<(u8, u32, u32, u32, u32, u64, u16)>(),
            state in prop::collection::vec(any::<u8>(), 0..99),
            invocation in "[0-9a-f]{0,24}",
            frame in prop::collection::vec(any::<u8>(), 0..99),
            cut in any::<prop::sample::Index>(),
        ) {
            let (network_type, gateway_number, epoch, sequence, taken_s, node, address) = numbers;
            let context = NodeContext { node, address, state };
            let entry = RelayEntry {
                network_type, gateway_number, epoch, sequence, taken_s, context,
                invocation: &invocation, frame: &frame,
            };
            let bytes = entry.encode();
            prop_assert_eq!(RelayEntry::decode(&bytes), Ok(entry));
            let _ = RelayEntry::decode(&bytes[..cut.index(bytes.len())]);
            let _ = RelayEntry::decode(&frame);
        }
    }

    #[test]
    fn numbers_of_two_gateways_never_meet() {
        let entry = |gateway_number, epoch| RelayEntry {
            network_type: 0,
            gateway_number,
            epoch,
            sequence: 7,
            taken_s: 0,
            context: NodeContext::default(),
            invocation: "",
            frame: &[],
        };
        assert_eq!(entry(1, 0).number(), (1 << 32, 7));
        assert_ne!(entry(1, u32::MAX).number(), entry(2, 0).number());
        assert!(i64::try_from(entry((1 << 31) - 1, u32::MAX).number().0).is_ok());
    }
}
