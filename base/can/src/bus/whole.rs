//! A frame that nothing disturbs, in one step: who wins the arbitration, how long it takes, and
//! what each node notes, as bit by bit.

use super::{Bus, BusEvent, ErrorState, Happening, Node, Offer, Quiet, later, note};
use crate::frame::CanFrame;
use crate::wire::{INTERMISSION_BITS, TRAILER_BITS};

impl Bus {
    /// Sends the frame that is first now, if nothing but its bits decides about it; all nodes
    /// listen, or are away.
    pub(super) fn send_whole(&mut self) -> bool {
        let Some((winner, won)) = self.winner() else { return false };
        let length = won.bits.len() as u32 + TRAILER_BITS;
        let end = later(self.now, self.bits(length));
        let free = later(end, self.bits(INTERMISSION_BITS));
        let listens = |node: &Node| node.quiet() == Quiet::Listens;
        let acknowledges = |node: &&Node| listens(node) && !node.only_listens;
        let is_heard = self.nodes.iter().filter(acknowledges).count() > 1;
        if !is_heard || self.next_change().is_some_and(|at| at < free) {
            return false;
        }
        self.contend(&won);
        // CRC delimiter and acknowledge slot; the last bit but one.
        let acknowledged = later(self.now, self.bits(won.bits.len() as u32 + 2));
        let valid = later(self.now, self.bits(length - 1));
        let Self { nodes, due, .. } = self;
        let mut receivers = |at, act: fn(&mut Node, CanFrame, &mut dyn FnMut(Happening))| {
            for (number, node) in nodes.iter_mut().enumerate() {
                if number != winner && listens(node) {
                    note(due, at, number, node, |node, happened| act(node, won.frame, happened));
                }
            }
        };
        receivers(acknowledged, |node, _, happened| {
            node.act_counted(happened, |node, _| node.acknowledged());
        });
        receivers(valid, |_, frame, happened| happened(Happening::Received(frame)));
        let sender = &mut self.nodes[winner];
        sender.offer = None;
        note(&mut self.due, end, winner, sender, |node, happened| {
            node.act_counted(happened, |node, happened| node.sent(won.frame, happened));
        });
        self.now = free;
        if sender.counters.state() == ErrorState::Passive {
            sender.suspend();
        }
        true
    }

    /// Who has the right of way of those that begin now; `None` if that is not all that is to be
    /// decided: two nodes send frames of one identifier.
    fn winner(&mut self) -> Option<(usize, Offer)> {
        self.contenders.clear();
        let (mut best, mut is_shared) = (None::<(u32, usize)>, false);
        for (number, node) in self.nodes.iter().enumerate() {
            let offer = node.offer.as_ref().filter(|offer| offer.at <= self.now);
            let Some(offer) = offer.filter(|_| node.quiet() == Quiet::Listens) else { continue };
            self.contenders.push(number);
            match best {
                Some((priority, _)) if priority < offer.priority => {}
                Some((priority, _)) if priority == offer.priority => is_shared = true,
                _ => (best, is_shared) = (Some((offer.priority, number)), false),
            }
        }
        let (_, winner) = best.filter(|_| !is_shared)?;
        Some((winner, self.nodes[winner].offer?))
    }

    /// Notes who begins, and where the others lose.
    fn contend(&mut self, won: &Offer) {
        let Self { now, bit, nodes, due, contenders, .. } = self;
        let begun = later(*now, *bit);
        let offers =
            || contenders.iter().filter_map(|&node| Some((node, nodes[node].offer.as_ref()?)));
        due.extend(offers().map(|(node, offer)| {
            let (what, counters) = (Happening::Begun(offer.frame), nodes[node].counters);
            BusEvent { at: begun, node, what, counters }
        }));
        let first = due.len();
        due.extend(offers().filter_map(|(node, offer)| {
            let place = offer.bits.first_difference(&won.bits)?;
            let at = later(begun, super::SimDuration(bit.0.saturating_mul(place as i64)));
            let (what, counters) = (Happening::LostArbitration, nodes[node].counters);
            Some(BusEvent { at, node, what, counters })
        }));
        due.make_contiguous()[first..].sort_by_key(|event| (event.at, event.node));
    }
}
