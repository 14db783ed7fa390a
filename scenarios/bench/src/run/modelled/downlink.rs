//! The modelled way from the platform to an observer.

use lastmeter_link::impair::{Breakage, Impairment, Leg};
use lastmeter_units::SimTime;

use super::Outage;

/// The down legs of one observer: one per connection, or none without a link.
pub(crate) struct Downlink {
    pub(crate) name: String,
    /// The index of its link.
    pub(crate) via: Option<usize>,
    /// Whether it covers the device of this index.
    pub(crate) covers: Vec<bool>,
    /// By device, or one for all.
    pub(super) legs: Vec<Leg>,
    /// Outages by device, each in order.
    pub(super) outages: Vec<Vec<Outage>>,
}

impl Downlink {
    /// Whether there is a link to pass.
    pub(crate) fn has_link(&self) -> bool {
        !self.legs.is_empty()
    }

    /// When a message arrives that the broker passes on at `at`; `None` if the connection is gone
    /// by then: a broker keeps nothing for a subscriber that is away.
    pub(crate) fn receive(&mut self, device: usize, at: SimTime, bytes: usize) -> Option<SimTime> {
        let only = self.legs.len() == 1;
        let Some(leg) = self.legs.get_mut(if only { 0 } else { device }) else {
            return Some(at);
        };
        let mut arrival = SimTime(leg.send_bytes(at.0, bytes));
        for outage in self.outages.get(device).into_iter().flatten() {
            if outage.to <= at || arrival < outage.from {
                continue;
            }
            match outage.how {
                Breakage::Stall => arrival = arrival.max(outage.to),
                Breakage::Reset | Breakage::Close | Breakage::HalfOpen => return None,
            }
        }
        Some(arrival)
    }

    pub(crate) fn impair(&mut self, now: SimTime, change: &Impairment, devices: Option<&[usize]>) {
        self.each(devices, |leg| leg.impair(now.0, change));
    }

    pub(crate) fn restore(&mut self, now: SimTime, devices: Option<&[usize]>) {
        self.each(devices, |leg| leg.restore(now.0));
    }

    fn each(&mut self, devices: Option<&[usize]>, change: impl Fn(&mut Leg)) {
        let only = self.legs.len() == 1;
        for (index, leg) in self.legs.iter_mut().enumerate() {
            if only || devices.is_none_or(|devices| devices.contains(&index)) {
                change(leg);
            }
        }
    }
}
