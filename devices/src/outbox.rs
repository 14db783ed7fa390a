//! Messages of a device that the platform has not acknowledged yet.
//!
//! In memory, in order. It survives a simulated reset of the device: whoever resets the
//! device keeps the outbox and calls [`Outbox::disconnected`]. Delivery is at least once: a
//! message leaves only when it is acknowledged, and everything that is left is handed out again,
//! in order, whenever the link comes back.
//!
//! Terms: a message is *open* from when it is put in until it is acknowledged.

use std::collections::VecDeque;

use crate::border::Output;

/// An open message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number, the same each time it is handed out.
    pub number: u64,
    /// The encoded message.
    pub payload: Vec<u8>,
}

/// The open messages of one device.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    open: VecDeque<Message>,
    last_number: u64,
    is_connected: bool,
    /// Up to this number all was handed out to the link that is there.
    handed_out: u64,
}

impl Outbox {
    /// Puts a message in, and hands it out at once if the link is there.
    pub fn put(&mut self, payload: Vec<u8>, out: &mut Vec<Output>) {
        self.last_number += 1;
        let message = Message { number: self.last_number, payload };
        if self.is_connected {
            self.handed_out = message.number;
            out.push(send(&message));
        }
        self.open.push_back(message);
    }

    /// The link is there: hands out everything that is open, in order.
    pub fn connected(&mut self, out: &mut Vec<Output>) {
        self.handed_out = 0;
        self.resumed(out);
    }

    /// The device sends nothing for a while; its link stays as it is: what was handed out before
    /// is on its way, and the platform may take it over.
    pub fn paused(&mut self) {
        self.is_connected = false;
    }

    /// It goes on: hands out what the link that is there has not had yet.
    pub fn resumed(&mut self, out: &mut Vec<Output>) {
        self.is_connected = true;
        out.extend(self.open.iter().filter(|it| it.number > self.handed_out).map(send));
        self.handed_out = self.last_number;
    }

    /// The link is gone, or the device was reset.
    pub fn disconnected(&mut self) {
        self.is_connected = false;
        self.handed_out = 0;
    }

    /// A message was taken over by the platform. Numbers that are not open are of no interest: an
    /// acknowledgement may come twice.
    pub fn acknowledged(&mut self, number: u64) {
        if let Ok(place) = self.open.binary_search_by_key(&number, |message| message.number) {
            self.open.remove(place);
        }
    }

    /// The open messages, oldest first.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Message> {
        self.open.iter()
    }
}

fn send(message: &Message) -> Output {
    let Message { number, payload } = message.clone();
    Output::Send { message: number, payload }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum LinkAction {
        Put,
        Connect,
        Disconnect,
        /// The platform takes over the oldest message under way.
        Deliver,
        /// It does so, but the acknowledgement is lost with the link.
        DeliverThenLose,
    }

    fn action() -> impl Strategy<Value = LinkAction> {
        prop_oneof![
            4 => Just(LinkAction::Put),
            1 => Just(LinkAction::Connect),
            1 => Just(LinkAction::Disconnect),
            4 => Just(LinkAction::Deliver),
            1 => Just(LinkAction::DeliverThenLose),
        ]
    }

    /// A link that loses whatever is under way when it breaks, and the platform behind it.
    #[derive(Default)]
    struct SimulatedLink {
        outbox: Outbox,
        put: u64,
        under_way: VecDeque<u64>,
        received: Vec<u64>,
    }

    impl SimulatedLink {
        fn take(&mut self, out: Vec<Output>) {
            for output in out {
                let Output::Send { message, payload } = output else {
                    panic!("an outbox only sends");
                };
                assert_eq!(payload, message.to_le_bytes().to_vec());
                self.under_way.push_back(message);
            }
        }

        fn apply(&mut self, action: &LinkAction) {
            let mut out = Vec::new();
            match action {
                LinkAction::Put => {
                    self.put += 1;
                    self.outbox.put(self.put.to_le_bytes().to_vec(), &mut out);
                }
                LinkAction::Connect => {
                    // A new connection: what was under way in the old one is gone.
                    self.under_way.clear();
                    self.outbox.connected(&mut out);
                }
                LinkAction::Disconnect => {
                    self.under_way.clear();
                    self.outbox.disconnected();
                }
                LinkAction::Deliver => {
                    if let Some(message) = self.under_way.pop_front() {
                        self.received.push(message);
                        self.outbox.acknowledged(message);
                    }
                }
                LinkAction::DeliverThenLose => {
                    self.received.extend(self.under_way.pop_front());
                    self.under_way.clear();
                    self.outbox.disconnected();
                }
            }
            self.take(out);
        }
    }

    proptest! {
        #[test]
        fn every_message_arrives_in_order_and_at_least_once(
            actions in prop::collection::vec(action(), 0..200),
        ) {
            let mut link = SimulatedLink::default();
            for action in &actions {
                link.apply(action);
                let open: Vec<_> = link.outbox.open().map(|message| message.number).collect();
                prop_assert!(open.windows(2).all(|pair| pair[0] < pair[1]));
            }
            link.apply(&LinkAction::Connect);
            while !link.under_way.is_empty() {
                link.apply(&LinkAction::Deliver);
            }
            prop_assert_eq!(link.outbox.open().len(), 0);
            // First arrivals are in order and without a gap.
            let mut highest = 0;
            for &message in &link.received {
                prop_assert!(message <= highest + 1, "{message} after {highest}");
                highest = highest.max(message);
            }
            prop_assert_eq!(highest, link.put);
        }
    }

    #[test]
    fn a_message_keeps_its_number_and_waits_for_the_link() {
        let (mut outbox, mut out) = (Outbox::default(), Vec::new());
        outbox.put(vec![1], &mut out);
        outbox.put(vec![2], &mut out);
        assert!(out.is_empty());
        outbox.connected(&mut out);
        outbox.acknowledged(1);
        outbox.acknowledged(1);
        outbox.acknowledged(99);
        outbox.disconnected();
        outbox.connected(&mut out);
        let numbers: Vec<_> = out
            .iter()
            .map(|output| match output {
                Output::Send { message, .. } => *message,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(numbers, [1, 2, 2]);
    }
}
