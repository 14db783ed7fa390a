//! Controllers at the nodes of a bus: by whose order a node sends decides what its messages wait.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

use lastmeter_can::bus::{Bus, BusEvent, Change, Detail, Happening};
use lastmeter_can::controller::{
    Controller, ControllerConfiguration, FifoNumber, FilterBank, TransmitOrder, TransmitOutcome,
};
use lastmeter_can::frame::CanFrame;
use lastmeter_units::{SimDuration, SimTime};

/// Nanoseconds of a bit at 125 kbit/s.
const BIT: i64 = 8_000;

/// A bus with a controller at each node.
struct Network {
    bus: Bus,
    controllers: Vec<Controller>,
}

impl Network {
    fn new(nodes: usize, configuration: &ControllerConfiguration) -> Self {
        let bus = Bus::new(Detail::Frames, SimDuration(BIT), SimTime(-11 * BIT), nodes);
        let controller = || Controller::new(configuration.clone()).unwrap();
        let mut network = Self { bus, controllers: (0..nodes).map(|_| controller()).collect() };
        for (node, controller) in network.controllers.iter().enumerate() {
            controller.join(&mut network.bus, node);
        }
        network
    }

    fn request(&mut self, node: usize, at: SimTime, frame: CanFrame) {
        self.controllers[node].request(frame).unwrap();
        self.controllers[node].offer(&mut self.bus, node, at);
    }

    fn pop(&mut self, until: SimTime) -> Option<BusEvent> {
        let event = self.bus.pop(until)?;
        self.controllers[event.node].follow(&mut self.bus, &event);
        Some(event)
    }
}

fn configuration() -> ControllerConfiguration {
    ControllerConfiguration {
        filter_banks: vec![FilterBank::accept_all(FifoNumber::Fifo0)],
        ..ControllerConfiguration::default()
    }
}

/// When an urgent message is out that was requested behind one that can wait, while a third one of
/// another node always goes before that.
fn urgent_after_bits(transmit_order: TransmitOrder) -> Option<i64> {
    let mut network =
        Network::new(3, &ControllerConfiguration { transmit_order, ..configuration() });
    let [urgent, steady, patient] =
        ["010#00", "300#0011223344556677", "700#00"].map(|text| text.parse::<CanFrame>().unwrap());
    network.request(1, SimTime(0), steady);
    network.request(0, SimTime(0), patient);
    network.request(0, SimTime(0), urgent);
    while let Some(event) = network.pop(SimTime(100_000 * BIT)) {
        if event.what == Happening::Sent(urgent) {
            return Some(event.at.0 / BIT);
        }
        if event.what == Happening::Sent(steady) {
            network.request(1, event.at, steady);
        }
    }
    None
}

#[test]
fn a_controller_that_sends_by_request_breaks_the_bound() {
    // It has the right of way: nothing goes before it, and none may have begun.
    let within = urgent_after_bits(TransmitOrder::ByIdentifier).unwrap();
    assert!(within < 70, "{within}");
    assert_eq!(urgent_after_bits(TransmitOrder::ByRequest), None);
}

/// As long as three messages wait that are less urgent, there is no mailbox for a fourth one.
#[test]
fn a_controller_that_is_full_breaks_the_bound() {
    let mut network = Network::new(3, &configuration());
    let steady: CanFrame = "300#0011223344556677".parse().unwrap();
    network.request(1, SimTime(0), steady);
    for text in ["700#", "701#", "702#"] {
        network.request(0, SimTime(0), text.parse().unwrap());
    }
    let urgent: CanFrame = "010#00".parse().unwrap();
    while let Some(event) = network.pop(SimTime(100_000 * BIT)) {
        let full = network.controllers[0].request(urgent).unwrap_err();
        assert_eq!(full.frame, urgent);
        if event.what == Happening::Sent(steady) {
            network.request(1, event.at, steady);
        }
    }
}

/// A node that loses its supply while it sends, and is bus-off before.
#[test]
fn a_node_that_was_reset_sends_again() {
    let mut network = Network::new(3, &configuration());
    network.bus.schedule(SimTime(0), Change::Hold(true));
    network.bus.schedule(SimTime(600 * BIT), Change::Release);
    network.request(0, SimTime(0), "010#".parse().unwrap());
    while network.pop(SimTime(600 * BIT)).is_some() {}
    assert!(network.controllers[0].is_bus_off());
    network.bus.schedule(SimTime(600 * BIT), Change::Supply(0, false));
    network.controllers[0].reset();
    network.bus.schedule(SimTime(700 * BIT), Change::Supply(0, true));
    while network.pop(SimTime(700 * BIT)).is_some() {}
    network.request(0, SimTime(700 * BIT), "011#".parse().unwrap());
    while network.pop(SimTime(900 * BIT)).is_some() {}
    assert_eq!(network.controllers[0].next_end().unwrap().outcome, TransmitOutcome::Sent);
    assert!(network.controllers[0].next_end().is_none());
    assert_eq!(network.controllers[1].fifo(FifoNumber::Fifo0).pending_count(), 1);
}

/// A frame that was offered past a controller is none of its requests.
#[test]
fn what_another_has_offered_ends_no_request() {
    let mut network = Network::new(3, &configuration());
    let [stranger, own] = ["700#", "010#"].map(|text| text.parse::<CanFrame>().unwrap());
    network.bus.offer(0, SimTime(0), Some(stranger));
    network.controllers[0].request(own).unwrap();
    let begun = network.pop(SimTime(100 * BIT)).unwrap();
    assert_eq!(begun.what, Happening::Begun(stranger));
    assert!(!network.controllers[0].is_sending());
    while network.pop(SimTime(1_000 * BIT)).is_some() {}
    let end = network.controllers[0].next_end().unwrap();
    assert_eq!((end.frame, network.controllers[0].next_end()), (own, None));
    assert_eq!(network.controllers[1].fifo(FifoNumber::Fifo0).pending_count(), 2);
}

#[test]
fn frames_are_in_the_receivers_queues_and_their_ends_at_the_senders() {
    let one_shot = ControllerConfiguration { is_one_shot: true, ..configuration() };
    for (configuration, expected) in
        [(configuration(), TransmitOutcome::Sent), (one_shot, TransmitOutcome::LostArbitration)]
    {
        let mut network = Network::new(3, &configuration);
        let [first, second] = ["010#01", "011#02"].map(|text| text.parse::<CanFrame>().unwrap());
        network.request(0, SimTime(0), first);
        network.request(1, SimTime(0), second);
        while network.pop(SimTime(1_000 * BIT)).is_some() {}
        let outcome = |network: &mut Network, node: usize| {
            network.controllers[node].next_end().unwrap().outcome
        };
        assert_eq!(outcome(&mut network, 0), TransmitOutcome::Sent);
        assert_eq!(outcome(&mut network, 1), expected);
        let fifo = network.controllers[2].fifo(FifoNumber::Fifo0);
        let count = if expected == TransmitOutcome::Sent { 2 } else { 1 };
        assert_eq!(fifo.pending_count(), count);
    }
}
