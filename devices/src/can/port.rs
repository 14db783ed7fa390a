//! A CAN controller as the software of a node has it: it interrupts for each frame that it has
//! received, and software puts frames into its mailboxes.

use std::collections::VecDeque;

use lastmeter_can::bus::Happening;
use lastmeter_can::controller::{
    Controller, ControllerConfiguration, FifoNumber, FilterBank, FilterForm, Mask16, OverrunPolicy,
    Reception, RequestHandle, TransmitOrder, filter_word_16,
};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};

/// How a node uses its controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortSettings {
    /// Which of several requests is sent first.
    pub(crate) order: TransmitOrder,
    /// Which frame is lost if a FIFO is full.
    pub(crate) overrun: OverrunPolicy,
    /// From the end of a frame to the interrupt routine that takes it.
    pub(crate) interrupt_latency: SimDuration,
}

/// What has to be reported of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortEvent {
    /// A frame was lost, as a FIFO was full.
    Overrun(CanFrame),
}

/// What the bus is offered from now on: a frame, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer(pub(crate) Option<CanFrame>);

/// A controller with its software's end.
#[derive(Debug)]
pub(crate) struct Port {
    controller: Controller,
    settings: PortSettings,
    /// When interrupt routines run.
    interrupts: VecDeque<SimTime>,
    /// Frames that wait for an empty mailbox.
    waiting: VecDeque<CanFrame>,
    /// Frames that have got into a mailbox since it was last asked.
    requested: Vec<CanFrame>,
    /// Frames in a mailbox, with the handles of their requests.
    in_mailboxes: Vec<(RequestHandle, CanFrame)>,
    /// What the bus was offered last, as far as it has not sent it.
    offered: Option<CanFrame>,
}

/// Filters of 16 bits that take identifiers of a node for which all bits of the mask agree.
fn bank(filters: &[(u16, u16)]) -> FilterBank {
    let word = |identifier: u16| {
        // Eleven bits at most.
        CanId::standard(u32::from(identifier & 0x7FF)).map_or(0, |id| filter_word_16(id, false))
    };
    // Whether a frame is a remote one is not compared, whether it is an extended one is.
    let filter = |&(identifier, mask): &(u16, u16)| Mask16 {
        identifier: word(identifier),
        mask: word(mask) | 0b1000,
    };
    let first = filters.first().map(filter).unwrap_or_default();
    let second = filters.get(1).map_or(first, filter);
    FilterBank::active(FilterForm::Mask16([first, second]), FifoNumber::Fifo0)
}

impl Port {
    /// A controller that accepts base frames whose identifiers agree with one of these, each an
    /// identifier and the bits of it that count.
    pub(crate) fn new(settings: PortSettings, filters: &[(u16, u16)]) -> Self {
        let configuration = ControllerConfiguration {
            transmit_order: settings.order,
            overrun_policy: settings.overrun,
            has_automatic_bus_off_recovery: true,
            filter_banks: filters.chunks(2).map(bank).collect(),
            ..ControllerConfiguration::default()
        };
        // No bank has bits that its form does not allow; without banks it accepts nothing.
        let controller = Controller::new(configuration)
            .or_else(|_| Controller::new(ControllerConfiguration::default()));
        Self {
            controller: controller.unwrap_or_else(|_| unreachable!("the reset state is allowed")),
            settings,
            interrupts: VecDeque::new(),
            waiting: VecDeque::new(),
            requested: Vec::new(),
            in_mailboxes: Vec::new(),
            offered: None,
        }
    }

    /// Takes what happened at its end of the bus.
    pub(crate) fn wire(&mut self, now: SimTime, what: Happening) -> Option<PortEvent> {
        if matches!(what, Happening::Sent(_)) {
            self.offered = None;
        }
        let reception = self.controller.take(what);
        self.fill();
        match reception? {
            Reception::Stored { .. } => {
                self.interrupts.push_back(now + self.settings.interrupt_latency);
                None
            }
            Reception::Overrun { lost, .. } => Some(PortEvent::Overrun(lost.frame)),
            Reception::Filtered | Reception::BusOff => None,
        }
    }

    /// Requests a frame, behind those that wait for a mailbox.
    pub(crate) fn request(&mut self, frame: CanFrame) {
        self.waiting.push_back(frame);
        self.fill();
    }

    /// Takes back what waits and is to be sent no more; what is on the wire goes on until its
    /// attempt ends.
    pub(crate) fn withdraw(&mut self, frame: CanFrame) {
        self.waiting.retain(|waiting| *waiting != frame);
        for (handle, _) in self.in_mailboxes.iter().filter(|(_, of)| *of == frame) {
            self.controller.abort(*handle);
        }
        self.fill();
    }

    fn fill(&mut self) {
        // A mailbox may have become empty.
        while let Some(end) = self.controller.next_end() {
            self.in_mailboxes.retain(|(handle, _)| *handle != end.handle);
        }
        while let Some(&frame) = self.waiting.front() {
            let Ok(handle) = self.controller.request(frame) else { return };
            self.waiting.pop_front();
            self.in_mailboxes.push((handle, frame));
            self.requested.push(frame);
        }
    }

    /// Takes the frame of the next interrupt that has come by now.
    pub(crate) fn interrupt(&mut self, now: SimTime) -> Option<CanFrame> {
        if self.is_raised(now) { self.take() } else { None }
    }

    /// Whether another interrupt has come by now, whose routine then takes a frame.
    pub(crate) fn is_raised(&mut self, now: SimTime) -> bool {
        self.interrupts.pop_front_if(|at| *at <= now).is_some()
    }

    /// Takes the frame that came first out of the controller.
    pub(crate) fn take(&mut self) -> Option<CanFrame> {
        self.controller.fifo_mut(FifoNumber::Fifo0).release().map(|received| received.frame)
    }

    /// When the next interrupt routine runs.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.interrupts.front().copied()
    }

    /// The frames that have got into a mailbox since it was last asked.
    pub(crate) fn take_requested(&mut self) -> Vec<CanFrame> {
        std::mem::take(&mut self.requested)
    }

    /// What the bus is to be offered, if that is not what it was offered.
    pub(crate) fn offer(&mut self) -> Option<Offer> {
        // What is on the wire goes on by itself.
        if self.controller.is_sending() {
            return None;
        }
        let pending = self.controller.pending().copied();
        (pending != self.offered).then(|| {
            self.offered = pending;
            Offer(pending)
        })
    }

    /// The node has lost its supply, or its software has started again: nothing is under way any
    /// more.
    pub(crate) fn reset(&mut self) {
        self.controller.reset();
        self.interrupts.clear();
        self.waiting.clear();
        self.requested.clear();
        self.in_mailboxes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: SimDuration = SimDuration(100);

    fn port() -> Port {
        let (order, overrun) = (TransmitOrder::ByRequest, OverrunPolicy::DiscardNewest);
        let settings = PortSettings { order, overrun, interrupt_latency: LATENCY };
        Port::new(settings, &[(0x020, 0x7FF), (0x003, 0x01F)])
    }

    fn frame(text: &str) -> CanFrame {
        text.parse().unwrap()
    }

    #[test]
    fn frames_of_its_node_interrupt_and_no_others() {
        let mut port = port();
        for (at, text) in [(1, "223#R8"), (2, "224#R8"), (3, "020#07"), (4, "040#07")] {
            assert_eq!(port.wire(SimTime(at), Happening::Received(frame(text))), None);
        }
        assert_eq!(port.next(), Some(SimTime(101)));
        assert_eq!(port.interrupt(SimTime(100)), None);
        assert_eq!(port.interrupt(SimTime(101)), Some(frame("223#R8")));
        assert_eq!(port.interrupt(SimTime(103)), Some(frame("020#07")));
        assert_eq!(port.next(), None);
    }

    #[test]
    fn a_fourth_frame_before_the_first_is_taken_is_lost_and_named() {
        let mut port = port();
        let mut wire = |at, text| port.wire(SimTime(at), Happening::Received(frame(text)));
        for at in 0..3 {
            assert_eq!(wire(at, "223#R8"), None);
        }
        assert_eq!(wire(3, "243#R8"), Some(PortEvent::Overrun(frame("243#R8"))));
    }

    #[test]
    fn the_bus_is_offered_what_is_first_once() {
        let mut port = port();
        let frames = ["223#01", "123#02", "323#03", "023#04"].map(frame);
        for frame in frames {
            port.request(frame);
        }
        assert_eq!(port.take_requested(), frames[..3]);
        assert_eq!(port.offer(), Some(Offer(Some(frames[0]))));
        assert_eq!(port.offer(), None);
        port.wire(SimTime(5), Happening::Begun(frames[0]));
        port.wire(SimTime(9), Happening::LostArbitration);
        assert_eq!(port.offer(), None, "it is still what the bus was offered");
        port.wire(SimTime(10), Happening::Begun(frames[0]));
        port.wire(SimTime(19), Happening::Sent(frames[0]));
        assert_eq!(port.take_requested(), frames[3..]);
        assert_eq!(port.offer(), Some(Offer(Some(frames[1]))));
        port.withdraw(frames[1]);
        assert_eq!(port.offer(), Some(Offer(Some(frames[2]))), "what was withdrawn is not sent");
        port.reset();
        assert_eq!(port.offer(), Some(Offer(None)));
    }
}
