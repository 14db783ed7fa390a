//! A frame that nothing disturbs, in one step: who wins the arbitration, how long it takes, and
//! what each node notes, as bit by bit.

use std::cmp::Ordering;

use super::{Bus, BusEvent, ErrorState, Happening, Offer, Quiet, later};
use crate::wire::{INTERMISSION_BITS, TRAILER_BITS};

impl Bus {
    /// Sends the frame that is first now, if nothing but its bits decides about it; all nodes
    /// listen.
    pub(super) fn send_whole(&mut self) -> bool {
        let Some((winner, won)) = self.winner() else { return false };
        let length = won.bits.len() as u32 + TRAILER_BITS;
        let end = later(self.now, self.bits(length));
        let free = later(end, self.bits(INTERMISSION_BITS));
        let listens = |number: usize| self.nodes[number].quiet() == Quiet::Listens;
        let is_heard = (0..self.nodes.len()).any(|number| number != winner && listens(number));
        if !is_heard || self.next_change().is_some_and(|at| at < free) {
            return false;
        }
        self.contend(&won);
        let valid = later(self.now, self.bits(length - 1));
        for (number, node) in self.nodes.iter_mut().enumerate() {
            if number == winner || node.quiet() != Quiet::Listens {
                continue;
            }
            let mut note = |what| self.due.push_back(BusEvent { at: valid, node: number, what });
            node.do_counted(&mut note, |node, note| node.received(won.frame, note));
        }
        let mut note = |what| self.due.push_back(BusEvent { at: end, node: winner, what });
        let sender = &mut self.nodes[winner];
        sender.do_counted(&mut note, |node, note| node.sent(won.frame, note));
        self.now = free;
        if sender.counters.state() == ErrorState::Passive {
            sender.suspend();
        }
        true
    }

    /// Who has the right of way of those that begin now; `None` if that is not all that is to be
    /// decided: two nodes send frames of one identifier.
    fn winner(&self) -> Option<(usize, Offer)> {
        let mut best = None::<(usize, Offer)>;
        let mut is_shared = false;
        for (number, offer) in self.contenders() {
            let Some((_, won)) = &best else {
                best = Some((number, offer));
                continue;
            };
            let is_same = |one: &Offer| (one.frame.id(), one.frame.is_remote());
            let order = match offer.bits.first_difference(&won.bits) {
                _ if is_same(&offer) == is_same(won) => Ordering::Equal,
                Some(place) if offer.bits.is_recessive(place) => Ordering::Greater,
                Some(_) => Ordering::Less,
                None => Ordering::Equal,
            };
            match order {
                Ordering::Less => (best, is_shared) = (Some((number, offer)), false),
                Ordering::Equal => is_shared = true,
                Ordering::Greater => {}
            }
        }
        best.filter(|_| !is_shared)
    }

    fn contenders(&self) -> impl Iterator<Item = (usize, Offer)> {
        let nodes = self.nodes.iter().enumerate();
        let listening = nodes.filter(|(_, node)| node.quiet() == Quiet::Listens);
        listening.filter_map(|(number, node)| {
            let offer = node.offer.filter(|offer| offer.at <= self.now)?;
            Some((number, offer))
        })
    }

    /// Notes who begins, and where the others lose.
    fn contend(&mut self, won: &Offer) {
        let begun = later(self.now, self.bit);
        let mut lost = Vec::new();
        for (node, offer) in self.contenders().collect::<Vec<_>>() {
            let what = Happening::Begun(offer.frame);
            self.due.push_back(BusEvent { at: begun, node, what });
            if let Some(place) = offer.bits.first_difference(&won.bits) {
                let at = later(self.now, self.bits(place as u32 + 1));
                lost.push(BusEvent { at, node, what: Happening::LostArbitration });
            }
        }
        lost.sort_by_key(|event| (event.at, event.node));
        self.due.extend(lost);
    }
}
