//! Once each: what a gateway keeps until the platform has it on disk, and what the platform holds
//! against that.
//!
//! The serial number in a packet's header is for freshness: it begins again with each connection.
//! The number of a *numbered* packet is for delivery: it stays with its content over connections,
//! restarts and days. Numbers of one *epoch* have no gaps; an epoch ends when a gateway's store is
//! lost or its numbers are used up.

use std::collections::VecDeque;

use crate::opcode::Opcode;
use crate::packet::PAYLOAD_BYTES_MAX;
use crate::payload::{Content, Delivered, NUMBER_BYTES};

/// Content that waits to be on the platform's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub sequence: u32,
    /// What it is.
    pub opcode: Opcode,
    /// The payload of its packet: number, time and content.
    pub payload: Vec<u8>,
}

/// The store of a gateway for what it has not delivered, oldest first. Bounded: content without
/// room is not kept, but its number is used, so that the platform sees the gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbox {
    epoch: u32,
    next: u32,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    bytes_max: usize,
    lost: u64,
    /// The first number that was not sent over the connection that is there.
    unsent: u32,
}

impl Outbox {
    /// An empty store of so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let waiting = VecDeque::new();
        Self { epoch: 0, next: 0, waiting, bytes: 0, bytes_max, lost: 0, unsent: 0 }
    }

    /// Keeps content that was taken in at an instant (Unix seconds).
    pub fn put(&mut self, taken_s: u32, content: &Content<'_>) {
        if self.next == u32::MAX {
            self.begin_epoch(self.epoch.wrapping_add(1));
        }
        let sequence = self.next;
        self.next += 1;
        let mut payload = Vec::with_capacity(NUMBER_BYTES + 64);
        for field in [self.epoch, sequence, taken_s] {
            payload.extend_from_slice(&field.to_be_bytes());
        }
        content.write(&mut payload);
        // What no packet can hold has no room either.
        if payload.len() > PAYLOAD_BYTES_MAX || self.bytes + payload.len() > self.bytes_max {
            self.lost += 1;
            return;
        }
        self.bytes += payload.len();
        self.waiting.push_back(Waiting { sequence, opcode: content.opcode(), payload });
    }

    /// A connection is there, and up to here all is on the platform's disk. What waits is sent
    /// again from its front. If the platform has more than this store ever gave out, the store is
    /// an older one: it goes on in an epoch of its own.
    pub fn connected(&mut self, delivered: Delivered) {
        if delivered.epoch > self.epoch
            || (delivered.epoch == self.epoch && delivered.next > self.next)
        {
            self.begin_epoch(delivered.epoch.wrapping_add(1));
        }
        self.delivered(delivered);
        self.unsent = self.waiting.front().map_or(self.next, |first| first.sequence);
    }

    /// Numbers what waits from 0 in another epoch.
    fn begin_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
        for (place, waiting) in self.waiting.iter_mut().enumerate() {
            waiting.sequence = place as u32;
            waiting.payload[..4].copy_from_slice(&epoch.to_be_bytes());
            waiting.payload[4..8].copy_from_slice(&waiting.sequence.to_be_bytes());
        }
        self.next = self.waiting.len() as u32;
        self.unsent = 0;
    }

    /// Up to here all is on the platform's disk.
    pub fn delivered(&mut self, delivered: Delivered) {
        while let Some(first) = self.waiting.front()
            && delivered.epoch == self.epoch
            && first.sequence < delivered.next
        {
            self.bytes -= first.payload.len();
            self.waiting.pop_front();
        }
    }

    /// What is next to be sent, while fewer than `under_way` wait for the platform; `None` if
    /// nothing is. It counts as sent.
    pub fn next_to_send(&mut self, under_way: usize) -> Option<&Waiting> {
        let place = self.waiting.partition_point(|waiting| waiting.sequence < self.unsent);
        let next = self.waiting.get(place).filter(|_| place < under_way)?;
        self.unsent = next.sequence + 1;
        Some(next)
    }

    /// The number of what comes next, epoch first.
    pub fn numbered(&self) -> u64 {
        u64::from(self.epoch) << 32 | u64::from(self.next)
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How much had no room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What is to be kept over a restart: epoch, next number, count of the lost, then each packet
    /// with its opcode and length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.bytes + 4 * self.waiting.len());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.next.to_be_bytes());
        bytes.extend_from_slice(&self.lost.to_be_bytes());
        for waiting in &self.waiting {
            bytes.extend_from_slice(&waiting.opcode.code().to_be_bytes());
            // A payload fits into a packet, whose length is 16 bits.
            bytes.extend_from_slice(&(waiting.payload.len() as u16).to_be_bytes());
            bytes.extend_from_slice(&waiting.payload);
        }
        bytes
    }

    /// A store as [`Self::to_bytes`] kept it; `None` if the bytes are none.
    pub fn from_bytes(bytes: &[u8], bytes_max: usize) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (lost, mut rest) = rest.split_first_chunk()?;
        let mut outbox = Self {
            epoch: u32::from_be_bytes(*epoch),
            next: u32::from_be_bytes(*next),
            lost: u64::from_be_bytes(*lost),
            ..Self::new(bytes_max)
        };
        while !rest.is_empty() {
            let (code, behind) = rest.split_first_chunk()?;
            let (length, behind) = behind.split_first_chunk()?;
            let opcode = Opcode::of(u16::from_be_bytes(*code))?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (payload, behind) = behind.split_at_checked(length)?;
            let sequence = u32::from_be_bytes(*payload.get(4..)?.first_chunk()?);
            let is_after = outbox.waiting.back().is_none_or(|last| last.sequence < sequence);
            let is_numbered = length >= NUMBER_BYTES && payload[..4] == *epoch;
            if !is_after || !is_numbered || sequence >= outbox.next {
                return None;
            }
            outbox.bytes += length;
            outbox.waiting.push_back(Waiting { sequence, opcode, payload: payload.to_vec() });
            rest = behind;
        }
        Some(outbox)
    }
}

/// What the platform makes of the number of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one.
    New,
    /// It is new, and so many before it were never sent: they are lost.
    AfterGap {
        /// How many.
        missing: u32,
    },
    /// It came before.
    Repeated,
}

/// What the platform has of a gateway's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    next: Delivered,
}

impl Received {
    /// Up to here all is on disk.
    pub const fn up_to(delivered: Delivered) -> Self {
        Self { next: delivered }
    }

    /// Up to where all has come.
    pub const fn delivered(self) -> Delivered {
        self.next
    }

    /// Takes the number of a packet. What is not repeated is stored under its number, which makes
    /// it harmless if it comes once more all the same.
    pub fn take(&mut self, epoch: u32, sequence: u32) -> Arrival {
        let expected = if epoch > self.next.epoch { 0 } else { self.next.next };
        if epoch < self.next.epoch || sequence < expected {
            return Arrival::Repeated;
        }
        self.next = Delivered { epoch, next: sequence.saturating_add(1) };
        match sequence - expected {
            0 => Arrival::New,
            missing => Arrival::AfterGap { missing },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::payload::{Numbered, Up};

    fn put(outbox: &mut Outbox, frame: u32) {
        let frame = frame.to_be_bytes();
        outbox.put(7, &Content::Relay { network_type: 0, frame: &frame });
    }

    fn numbered(waiting: &Waiting) -> (u32, u32, u32) {
        match Up::read(waiting.opcode, &waiting.payload) {
            Some(Ok(Up::Numbered(Numbered {
                epoch,
                sequence,
                taken_s: 7,
                content: Content::Relay { frame, .. },
            }))) => (epoch, sequence, u32::from_be_bytes(frame.try_into().unwrap())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_has_no_room_leaves_a_gap_that_is_seen() {
        let mut outbox = Outbox::new(40);
        (0..4).for_each(|frame| put(&mut outbox, frame));
        assert_eq!((outbox.len(), outbox.lost()), (2, 2));
        outbox.delivered(Delivered { epoch: 0, next: 1 });
        put(&mut outbox, 4);
        let mut received = Received::default();
        let mut arrivals = Vec::new();
        received.take(0, 0);
        while let Some(waiting) = outbox.next_to_send(8) {
            let (epoch, sequence, _) = numbered(waiting);
            arrivals.push(received.take(epoch, sequence));
        }
        assert_eq!(arrivals, [Arrival::New, Arrival::AfterGap { missing: 2 }]);
    }

    #[test]
    fn a_store_that_was_lost_goes_on_in_an_epoch_of_its_own() {
        let mut outbox = Outbox::new(1000);
        put(&mut outbox, 5);
        outbox.connected(Delivered { epoch: 3, next: 900 });
        assert_eq!(numbered(outbox.next_to_send(8).unwrap()), (4, 0, 5));
        let mut received = Received::up_to(Delivered { epoch: 3, next: 900 });
        assert_eq!(received.take(3, 899), Arrival::Repeated);
        assert_eq!(received.take(4, 0), Arrival::New);
        assert_eq!(received.take(3, 900), Arrival::Repeated);
    }

    #[test]
    fn bytes_that_are_no_store_are_none() {
        let mut outbox = Outbox::new(1000);
        (0..3).for_each(|frame| put(&mut outbox, frame));
        let bytes = outbox.to_bytes();
        assert_eq!(Outbox::from_bytes(&bytes, 1000), Some(outbox));
        for length in (0..bytes.len()).filter(|length| ![16, 36, 56].contains(length)) {
            assert_eq!(Outbox::from_bytes(&bytes[..length], 1000), None, "{length}");
        }
        let mut other = bytes;
        other[27] = 9;
        assert_eq!(Outbox::from_bytes(&other, 1000), None);
    }

    /// What happens to a gateway and its connection.
    #[derive(Clone, Debug)]
    enum Happening {
        Put,
        /// So many packets are sent, of which so many arrive before the connection breaks, if so.
        Send {
            count: usize,
            broken_after: Option<usize>,
        },
        /// All that has come is on disk, and the gateway hears of it or not.
        Delivered {
            is_heard: bool,
        },
        /// The platform forgets what is not on disk.
        PlatformKilled,
        /// The gateway restarts from its store.
        Restarted,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            4 => Just(Happening::Put),
            3 => (1..6_usize, prop::option::of(0..4_usize))
                .prop_map(|(count, broken_after)| Happening::Send { count, broken_after }),
            2 => any::<bool>().prop_map(|is_heard| Happening::Delivered { is_heard }),
            1 => Just(Happening::PlatformKilled),
            1 => Just(Happening::Restarted),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Whatever breaks: each content is on disk once, in its order, none is lost.
        #[test]
        fn each_content_is_stored_once_in_order(
            happenings in prop::collection::vec(happening(), 1..80),
        ) {
            let mut outbox = Outbox::new(1 << 20);
            let (mut received, mut durable) = (Received::default(), Received::default());
            let (mut come, mut disk) = (Vec::new(), Vec::<u32>::new());
            let mut count = 0;
            for happening in happenings.into_iter().chain([
                Happening::PlatformKilled,
                Happening::Send { count: 1000, broken_after: None },
                Happening::Delivered { is_heard: true },
            ]) {
                match happening {
                    Happening::Put => {
                        put(&mut outbox, count);
                        count += 1;
                    }
                    Happening::Send { count, broken_after } => {
                        for place in 0..count {
                            let Some(waiting) = outbox.next_to_send(1000) else { break };
                            if broken_after.is_some_and(|after| place >= after) {
                                continue;
                            }
                            let (epoch, sequence, frame) = numbered(waiting);
                            if received.take(epoch, sequence) != Arrival::Repeated {
                                come.push(frame);
                            }
                        }
                        if broken_after.is_some() {
                            outbox.connected(durable.delivered());
                            (received, come) = (durable, Vec::new());
                        }
                    }
                    Happening::Delivered { is_heard } => {
                        disk.append(&mut come);
                        durable = received;
                        if is_heard {
                            outbox.delivered(durable.delivered());
                        }
                    }
                    Happening::PlatformKilled => {
                        (received, come) = (durable, Vec::new());
                        outbox.connected(durable.delivered());
                    }
                    Happening::Restarted => {
                        outbox = Outbox::from_bytes(&outbox.to_bytes(), 1 << 20).unwrap();
                        (received, come) = (durable, Vec::new());
                        outbox.connected(durable.delivered());
                    }
                }
            }
            prop_assert_eq!(disk, (0..count).collect::<Vec<_>>());
            prop_assert_eq!((outbox.len(), outbox.lost()), (0, 0));
        }
    }
}
