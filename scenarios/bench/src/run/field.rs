//! A gateway with the field networks it is on and the devices there, in virtual time.
//!
//! One machine without sockets: it goes from event to event, which are bytes that arrive at
//! somebody's end of a medium and the instants at which the gateway, or a device that speaks by
//! itself, wants to be woken. A device sees its metering point up to the instant at which something
//! reaches it or it wants to speak, no further.

use std::collections::BTreeMap;

use lastmeter_can::capture::Captured;
use lastmeter_can::frame::CanFrame;
use lastmeter_devices::endpoint::EndpointInput;
use lastmeter_devices::{
    Device, DeviceFault, ExchangeStage, Gateway, GatewayInput, GatewayOutput, Input, Output,
    PageAnswer, PageRequest,
};
use lastmeter_link::channel::ChannelAddress;
use lastmeter_link::medium::{Arrival, Medium, MediumEvent, Party as End, WireEvent};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{Serial, SimDuration, SimTime};

use super::bus_faults::BusCounters;
use super::carried::{OnAir, in_message_units};
use super::client_output::{ClientOutput, LinkEvent};
use super::device_note::DeviceNote;
use super::exchanges::BusExchanges;
use super::field_simulator::FieldSimulator;
use super::household;
use super::ledger::{AnnouncedReading, SentReading};
use super::real_node::RealNode;
use super::signal_feed::SignalFeed;

/// Events after which whoever moves the field gets a turn.
const EVENTS_AT_ONCE: usize = 512;

/// A device on one of the networks.
pub(crate) struct FieldDevice {
    /// Whether it is the thing itself at the other end of a real line: then the model here only
    /// stands for what it is called and asked for.
    pub(crate) is_hardware: bool,
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) device: Box<dyn Device>,
    pub(crate) feed: SignalFeed,
    /// When it was woken last.
    pub(crate) last_turn: Option<SimTime>,
}

impl FieldDevice {
    /// The number of its node, on a CAN bus: its address begins with it.
    pub(crate) fn node_number(&self) -> Option<u8> {
        self.device.network_address()?.split(' ').next()?.parse().ok()
    }

    /// When it wants to speak by itself next: also once what it senses has changed.
    fn wake_at(&self) -> Option<SimTime> {
        // One that has had its turn at that instant has another one behind it.
        let after = self.last_turn.map(|last| last + SimDuration(1));
        let at = self.device.wake_at()?;
        let at = self.feed.next_change().map_or(at, |change| at.min(change));
        Some(after.map_or(at, |after| at.max(after)))
    }
}

/// A network with the devices on it, by their place on the medium.
pub(crate) struct FieldNetwork {
    /// `None`: a real line, which whoever moves the field serves.
    pub(crate) medium: Option<Medium>,
    /// Indices into the field's devices.
    pub(crate) devices: Vec<usize>,
    /// What sends for all of them, where they are points of a simulator: it alone is on the medium.
    pub(crate) simulator: Option<FieldSimulator>,
    /// What is asked and answered on it, where it is a CAN bus.
    pub(crate) exchanges: Option<BusExchanges>,
    /// Its number in the scenario, where it is a CAN bus whose traffic is kept.
    pub(crate) captured_as: Option<usize>,
    /// The error counters of its nodes, likewise.
    pub(crate) counters: Option<BusCounters>,
}

/// The medium that a device is on, and its end of it.
fn end_of(networks: &mut [FieldNetwork], device: usize) -> Option<(&mut Medium, End)> {
    networks.iter_mut().find_map(|network| {
        let place = network.devices.iter().position(|&other| other == device)?;
        Some((network.medium.as_mut()?, End::Slave(place)))
    })
}

/// What makes the gateway anew from the records it kept: a restart.
pub(crate) type MakeGateway = Box<dyn Fn(&[Vec<u8>]) -> Option<Box<dyn Gateway>> + Send>;

/// A gateway with everything behind it.
pub(crate) struct Field {
    /// Of the gateway.
    pub(crate) name: String,
    gateway: Box<dyn Gateway>,
    make: MakeGateway,
    networks: Vec<FieldNetwork>,
    /// Nodes of its buses that are real; their lines have numbers behind those of the networks.
    real_nodes: Vec<RealNode>,
    pub(crate) devices: Vec<FieldDevice>,
    /// The places of those that speak by themselves, and when each wants to next.
    speakers: Vec<(usize, Option<SimTime>)>,
    /// When the gateway wants to be woken.
    gateway_wakes: Option<SimTime>,
    start: SimTime,
    /// Up to when it has been moved.
    pub(crate) now: SimTime,
    /// What the gateway keeps durably, by number.
    kept: BTreeMap<u64, Vec<u8>>,
    is_connected: bool,
    /// Whether the gateway knows that its simulators are there.
    has_begun: bool,
    /// Of each device, the last reading of which a share of usable samples was noted.
    shares: BTreeMap<String, Serial>,
    output: Vec<Output>,
    from_gateway: Vec<GatewayOutput>,
    /// Of a gateway that carries frames unread.
    on_air: Option<OnAir>,
}

impl Field {
    /// A field at its start; `None` if the gateway cannot be made.
    pub(crate) fn new(
        name: &str,
        start: SimTime,
        make: MakeGateway,
        networks: Vec<FieldNetwork>,
        devices: Vec<FieldDevice>,
    ) -> Option<Self> {
        let speaker = |(place, device): (usize, &FieldDevice)| {
            let wakes = device.wake_at().filter(|_| !device.is_hardware)?;
            Some((place, Some(wakes)))
        };
        let gateway = make(&[])?;
        Some(Self {
            speakers: devices.iter().enumerate().filter_map(speaker).collect(),
            name: name.to_owned(),
            gateway_wakes: gateway.wake_at(),
            gateway,
            make,
            networks,
            real_nodes: Vec::new(),
            devices,
            start,
            now: start,
            kept: BTreeMap::new(),
            is_connected: false,
            has_begun: false,
            shares: BTreeMap::new(),
            output: Vec::new(),
            from_gateway: Vec::new(),
            on_air: None,
        })
    }

    /// Its gateway carries frames unread, and has this number at the platform.
    pub(crate) fn carries_unread(&mut self, gateway_number: u64) {
        let address = |device: &FieldDevice| {
            let text = device.device.network_address().unwrap_or_default();
            u64::from_str_radix(&text.replace(':', ""), 16).unwrap_or_default()
        };
        let addresses: Vec<u64> = self.devices.iter().map(address).collect();
        self.on_air = Some(OnAir::new(gateway_number, &addresses));
    }

    /// These nodes of its buses are real.
    pub(crate) fn place_real_nodes(&mut self, nodes: Vec<RealNode>) {
        self.real_nodes = nodes;
    }

    /// Its real nodes, with the number of the line that each is on.
    pub(crate) fn real_nodes(&self) -> impl Iterator<Item = (usize, &str, &ChannelAddress)> {
        let nodes = self.real_nodes.iter().enumerate();
        let first = self.networks.len();
        nodes.map(move |(line, node)| (first + line, node.name.as_str(), &node.address))
    }

    /// Gives the host of a real node's line an input, and puts its outputs where they belong.
    fn step_real_node(&mut self, line: usize, input: GatewayInput, out: &mut Vec<ClientOutput>) {
        let Some(node) = self.real_nodes.get_mut(line) else { return };
        for output in node.step(self.now, input) {
            match output {
                GatewayOutput::Bytes { bits_per_second, bytes, .. } => {
                    let network = self.networks.len() + line;
                    out.push(ClientOutput::ToLine { network, bits_per_second, bytes });
                }
                GatewayOutput::Offer { frame, .. } => {
                    let on = self.networks.get_mut(node.network);
                    if let Some(can) = on.and_then(|on| on.medium.as_mut()?.can()) {
                        can.offer(End::Slave(node.place), self.now, frame);
                    }
                }
                GatewayOutput::Event { kind, detail, .. } => {
                    let note = DeviceNote::new(self.now, kind.word(), detail);
                    out.push(ClientOutput::Note { of: node.name.clone(), note });
                }
                // It has no connection to the platform, and keeps nothing.
                _ => {}
            }
        }
    }

    /// When the oldest reading was made that is on its way to the gateway.
    pub(crate) fn oldest_on_air(&self) -> Option<SimTime> {
        self.on_air.as_ref()?.oldest(self.now)
    }

    /// The names of all whose messages it carries, its own first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let devices = self.devices.iter().map(|device| device.name.as_str());
        std::iter::once(self.name.as_str()).chain(devices)
    }

    pub(crate) fn device(&self, name: &str) -> Option<usize> {
        self.devices.iter().find(|device| device.name == name).map(|device| device.index)
    }

    /// Messages that the platform has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.gateway.unacknowledged()
    }

    /// Whether one of its devices waits for what the platform answers to a request of its own.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.devices.iter().any(|device| device.device.awaits_answer())
    }

    /// When something happens next without anybody's doing.
    pub(crate) fn next_event(&self) -> Option<SimTime> {
        let media = self.networks.iter().filter_map(|network| network.medium.as_ref()?.next());
        let own = self.speakers.iter().filter_map(|(_, wakes)| *wakes);
        let simulators =
            self.networks.iter().filter_map(|network| network.simulator.as_ref()?.wake_at());
        media.chain(self.gateway_wakes).chain(own).chain(simulators).min()
    }

    /// When its gateway wants all that is on its way to be settled.
    pub(crate) fn settles_at(&self) -> Option<SimTime> {
        self.gateway.settles_at()
    }

    /// Moves on from event to event, at most up to and including an instant.
    pub(crate) fn step(&mut self, until: SimTime, out: &mut Vec<ClientOutput>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            for network in 0..self.networks.len() {
                let on = &self.networks[network];
                if on.simulator.is_some() && on.medium.is_some() {
                    self.step_gateway(GatewayInput::LineUp { network }, out);
                }
            }
        }
        for _ in 0..EVENTS_AT_ONCE {
            let Some(next) = self.next_event().filter(|&next| next <= until) else {
                self.now = until;
                for device in 0..self.devices.len() {
                    self.feed(device, out);
                }
                return;
            };
            // What is late happens now.
            self.now = self.now.max(next);
            if let Some(device) = self.waking() {
                self.feed(device, out);
                // What it wants to do is not about its metering point.
                let FieldDevice { device: machine, last_turn, .. } = &mut self.devices[device];
                *last_turn = Some(self.now);
                machine.step(self.now, Input::Passed, &mut self.output);
                self.translate(device, out);
                continue;
            }
            if let Some((network, event)) = self.arrival() {
                match event {
                    Some(MediumEvent::Arrival(arrival)) => self.arrived(network, arrival, out),
                    Some(MediumEvent::Wire(event)) => self.on_wire(network, event, out),
                    Some(MediumEvent::Attacked(report)) => {
                        let counters = self.networks[network].counters.iter();
                        let event = counters.map(|counters| counters.attacked(&report));
                        out.extend(event.map(|event| ClientOutput::Event(Box::new(event))));
                    }
                    // A bus has gone on without anything to report.
                    None => {}
                }
            } else if let Some(network) = self.simulating() {
                self.simulate(network, EndpointInput::Wake, out);
            } else {
                self.step_gateway(GatewayInput::Wake, out);
            }
        }
    }

    /// The device that wanted to speak first by now.
    fn waking(&self) -> Option<usize> {
        let due = self.speakers.iter().filter_map(|&(place, wakes)| Some((wakes?, place)));
        due.min().filter(|(at, _)| *at <= self.now).map(|(_, place)| place)
    }

    /// The network whose simulator wants to send by now.
    fn simulating(&self) -> Option<usize> {
        let wake_at = |network: &FieldNetwork| network.simulator.as_ref()?.wake_at();
        self.networks.iter().position(|network| wake_at(network).is_some_and(|at| at <= self.now))
    }

    /// Gives a simulator an input, and puts its frames on the medium.
    fn simulate(&mut self, network: usize, input: EndpointInput, out: &mut Vec<ClientOutput>) {
        let now = self.now;
        let Some(on) = self.networks.get_mut(network) else { return };
        let Some(simulator) = &mut on.simulator else { return };
        for bytes in simulator.step(now, input, out) {
            if let Some(medium) = &mut on.medium {
                medium.transmit(End::Slave(0), None, now, 0, &bytes);
            }
        }
    }

    /// The simulators of its networks.
    pub(crate) fn simulators(&self) -> impl Iterator<Item = &FieldSimulator> {
        self.networks.iter().filter_map(|network| network.simulator.as_ref())
    }

    /// Takes what has happened by now out of a medium.
    fn arrival(&mut self) -> Option<(usize, Option<MediumEvent>)> {
        let media = self.networks.iter().enumerate();
        let next =
            media.filter_map(|(index, network)| Some((network.medium.as_ref()?.next()?, index)));
        let (_, index) = next.min().filter(|(at, _)| *at <= self.now)?;
        Some((index, self.networks[index].medium.as_mut()?.pop(self.now)))
    }

    fn arrived(&mut self, network: usize, arrival: Arrival, out: &mut Vec<ClientOutput>) {
        match arrival.to {
            End::Master => {
                let Arrival { lane, bytes, .. } = arrival;
                self.step_gateway(GatewayInput::Bytes { network, lane, bytes }, out);
            }
            End::Slave(_) if self.networks[network].simulator.is_some() => {
                self.simulate(network, EndpointInput::Bytes(arrival.bytes), out);
            }
            End::Slave(place) => {
                let device = self.networks[network].devices[place];
                self.feed(device, out);
                let input = Input::Heard { bytes: arrival.bytes };
                self.devices[device].device.step(self.now, input, &mut self.output);
                self.translate(device, out);
            }
        }
    }

    /// Something happened at a party's end of a wire that all share.
    fn on_wire(&mut self, network: usize, event: WireEvent, out: &mut Vec<ClientOutput>) {
        let WireEvent { party, at, what, counters } = event;
        let number = self.networks[network].captured_as;
        let captured = number.zip(Captured::of(what, counters));
        out.extend(captured.map(|(network, captured)| ClientOutput::Captured {
            network,
            at,
            captured,
        }));
        if let Some(exchanges) = &mut self.networks[network].exchanges {
            exchanges.on_wire(at, what);
        }
        let counters = self.networks[network].counters.as_mut();
        let noted = counters.and_then(|counters| counters.on_wire(&event));
        out.extend(noted.map(|noted| ClientOutput::Event(Box::new(noted))));
        let End::Slave(place) = party else {
            return self.step_gateway(GatewayInput::Wire { network, what }, out);
        };
        let is_here = |node: &RealNode| (node.network, node.place) == (network, place);
        if let Some(line) = self.real_nodes.iter().position(is_here) {
            return self.step_real_node(line, GatewayInput::Wire { network, what }, out);
        }
        let Some(&device) = self.networks[network].devices.get(place) else { return };
        if self.devices[device].is_hardware {
            return;
        }
        self.devices[device].device.step(self.now, Input::Wire { what }, &mut self.output);
        self.translate(device, out);
    }

    /// The software of a device has come to a stage of an exchange.
    fn on_stage(&mut self, device: usize, stage: ExchangeStage, frame: CanFrame) {
        let now = self.now;
        let on = self.networks.iter_mut().find(|network| network.devices.contains(&device));
        if let Some(exchanges) = on.and_then(|on| on.exchanges.as_mut()) {
            exchanges.by_slave(now, stage, frame);
        }
    }

    /// Shows a device its metering point up to the present instant.
    fn feed(&mut self, device: usize, out: &mut Vec<ClientOutput>) {
        let FieldDevice { device: machine, feed, is_hardware, .. } = &mut self.devices[device];
        if *is_hardware {
            return;
        }
        feed.run_to(machine.as_mut(), self.now, &mut self.output);
        self.translate(device, out);
    }

    /// Puts the outputs of a device where they belong, after each of its steps.
    fn translate(&mut self, device: usize, out: &mut Vec<ClientOutput>) {
        // There is an event for each frame and many devices, of which most sleep meanwhile.
        if let Some((_, wakes)) = self.speakers.iter_mut().find(|(place, _)| *place == device) {
            *wakes = self.devices[device].wake_at();
        }
        let FieldDevice { index, name, .. } = &self.devices[device];
        let (mut last, mut stages) = (None, Vec::new());
        for output in self.output.drain(..) {
            match output {
                Output::Transmit { at, bits_per_second, bytes } => {
                    if let Some((medium, end)) = end_of(&mut self.networks, device) {
                        let at = at.max(self.now);
                        medium.transmit(end, None, at, bits_per_second, &bytes);
                    }
                }
                Output::Offer { frame } => {
                    if let Some((medium, end)) = end_of(&mut self.networks, device)
                        && let Some(can) = medium.can()
                    {
                        can.offer(end, self.now, frame);
                    }
                }
                Output::Stage { stage, frame } => stages.push((stage, frame)),
                Output::Supply { is_on } => {
                    if let Some((medium, end)) = end_of(&mut self.networks, device)
                        && let Some(can) = medium.can()
                    {
                        can.set_supply(end, self.now, is_on);
                    }
                }
                Output::Reported { values, frames } => {
                    let (Some(on_air), Some((key, at))) = (&mut self.on_air, last) else {
                        continue;
                    };
                    let (event_time, values) = (Some(at), in_message_units(values));
                    let sent = SentReading { key, event_time, usable: None, values };
                    on_air.made(device, &sent, frames);
                    out.push(ClientOutput::Sent { device: *index, sent });
                }
                Output::Reading { epoch, serial, at, span } => {
                    last = Some(((epoch, serial), at));
                    out.push(ClientOutput::Reading {
                        device: *index,
                        made: AnnouncedReading { epoch, serial, at, span },
                    });
                }
                Output::Event { kind, detail } => {
                    let note = DeviceNote::new(self.now, kind.word(), detail);
                    out.push(ClientOutput::Note { of: name.clone(), note });
                }
                Output::Shown { values } => {
                    let event = Event::new(self.now, name, EventKind::Display)
                        .with(field::DEVICE, name.as_str())
                        .with(field::SHOWN, serde_json::json!(values));
                    out.push(ClientOutput::Event(Box::new(event)));
                }
                Output::Failed { why } => {
                    out.push(ClientOutput::Failed { of: name.clone(), why });
                }
                Output::Switched { is_closed } => {
                    out.push(ClientOutput::Switched { device: *index, is_closed });
                }
                Output::Answered { values } => {
                    let (device, at) = (*index, self.now);
                    out.push(ClientOutput::Answered { device, at, values });
                }
                // It has no connection to the platform.
                Output::Send { .. } | Output::Obeyed { .. } => {}
            }
        }
        for (stage, frame) in stages {
            self.on_stage(device, stage, frame);
        }
    }

    /// Gives the gateway an input, and puts its outputs where they belong.
    fn step_gateway(&mut self, input: GatewayInput, out: &mut Vec<ClientOutput>) {
        self.gateway.step(self.now, input, &mut self.from_gateway);
        while !self.from_gateway.is_empty() {
            for output in std::mem::take(&mut self.from_gateway) {
                self.follow(output, out);
            }
        }
        self.gateway_wakes = self.gateway.wake_at();
    }

    /// Announces the reading in a message, where nothing but the adapter numbers readings; and
    /// notes once which share of its samples it rests on, where that is not all of them.
    fn announce(&mut self, owner: &str, payload: &[u8], out: &mut Vec<ClientOutput>) {
        let Some(sent) = SentReading::read(payload) else { return };
        if let Some(usable) = sent.usable
            && self.shares.insert(owner.to_owned(), sent.key.1).is_none_or(|last| last < sent.key.1)
        {
            let event = Event::new(self.now, owner, EventKind::ReadingShare)
                .with(field::DEVICE, owner)
                .with(field::EPOCH, sent.key.0.0)
                .with(field::SERIAL, sent.key.1.0)
                .with(field::USABLE, usable);
            out.push(ClientOutput::Event(Box::new(event)));
        }
        let Some(place) = self.devices.iter().position(|device| device.name == owner) else {
            return;
        };
        let device = self.devices[place].index;
        let on = self.networks.iter_mut().find(|network| network.devices.contains(&place));
        let made = on.and_then(|on| on.simulator.as_mut()?.announced(device, &sent));
        out.extend(made.map(|made| ClientOutput::Reading { device, made }));
    }

    fn follow(&mut self, output: GatewayOutput, out: &mut Vec<ClientOutput>) {
        match output {
            GatewayOutput::Send { message, owner, payload } => {
                let owner = owner.as_str().to_owned();
                match &mut self.on_air {
                    Some(on_air) => {
                        let carried = on_air.carried(&payload);
                        out.extend(carried.map(|(place, carried)| {
                            let device = self.devices[place].index;
                            ClientOutput::Carried { device, carried }
                        }));
                    }
                    None => self.announce(&owner, &payload, out),
                }
                out.push(ClientOutput::Send { message, owner, at: self.now, payload });
            }
            GatewayOutput::Bytes { network, lane, bits_per_second, bytes } => {
                let Some(on) = self.networks.get_mut(network) else { return };
                let Some(medium) = &mut on.medium else {
                    out.push(ClientOutput::ToLine { network, bits_per_second, bytes });
                    return;
                };
                // Answers come at the rate of the question.
                medium.set_rate(End::Master, bits_per_second);
                let lane = on.simulator.as_ref().map(|_| 0).or(lane);
                medium.transmit(End::Master, lane, self.now, bits_per_second, &bytes);
            }
            GatewayOutput::Offer { network, frame } => {
                let on = self.networks.get_mut(network);
                if let Some(can) = on.and_then(|on| on.medium.as_mut()?.can()) {
                    can.offer(End::Master, self.now, frame);
                }
            }
            GatewayOutput::Stage { network, stage, frame } => {
                let now = self.now;
                let on = self.networks.get_mut(network);
                let exchanges = on.and_then(|on| on.exchanges.as_mut());
                let over = exchanges.and_then(|it| it.by_master(now, stage, frame));
                if let Some(exchange) = over {
                    self.exchanged(network, frame.id().value(), exchange, out);
                }
            }
            // In virtual time what is to be durable is so at once.
            GatewayOutput::Keep { number, record } => {
                self.kept.insert(number, record);
                let kept = GatewayInput::Kept { number };
                self.gateway.step(self.now, kept, &mut self.from_gateway);
            }
            GatewayOutput::Forget { upto } => {
                self.kept = self.kept.split_off(&(upto + 1));
            }
            GatewayOutput::Reopen { network } => {
                if self.networks.get(network).is_some_and(|on| on.medium.is_none()) {
                    out.push(ClientOutput::Reopen { network });
                }
            }
            // Nobody listens to it here, and the record has readings only.
            GatewayOutput::Live { .. } => {}
            GatewayOutput::Request(request) => out.push(ClientOutput::Asked(request)),
            GatewayOutput::Page { number, answer } => {
                out.push(ClientOutput::Paged { number, answer });
            }
            GatewayOutput::Decided(decided) => {
                out.push(household::decision(self.now, &self.name, *decided).into());
            }
            GatewayOutput::Billed(billed) => {
                out.push(household::bill(self.now, &self.name, &billed).into());
            }
            GatewayOutput::Event { kind, about, detail } => {
                let about = about.map(|id| id.as_str().to_owned());
                let note = DeviceNote { about, ..DeviceNote::new(self.now, kind.word(), detail) };
                out.push(ClientOutput::Note { of: self.name.clone(), note });
            }
        }
    }

    /// Gives its gateway what came of a request of its own, or a request for a page.
    pub(crate) fn hand(&mut self, input: GatewayInput, out: &mut Vec<ClientOutput>) {
        self.step_gateway(input, out);
    }

    /// Asks its gateway for a page when the run is over: time goes on, by whatever clock, but
    /// nothing on the networks does, and what the gateway does beside answering goes nowhere.
    pub(crate) fn page_aside(&mut self, now: SimTime, request: PageRequest) -> Option<PageAnswer> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        self.hand(GatewayInput::Page { number: 0, request }, &mut out);
        out.into_iter().find_map(|output| match output {
            ClientOutput::Paged { answer, .. } => Some(answer),
            _ => None,
        })
    }

    /// Gives the gateway, or the host of a real node, what the line of this number brought, after
    /// all that happened before it.
    pub(crate) fn on_line(
        &mut self,
        (at, line): (SimTime, usize),
        input: GatewayInput,
        out: &mut Vec<ClientOutput>,
    ) {
        while self.now < at {
            self.step(at, out);
        }
        match line.checked_sub(self.networks.len()) {
            Some(line) => self.step_real_node(line, input, out),
            None => self.step_gateway(input, out),
        }
    }

    /// Gives the gateway what happened on its connection.
    pub(crate) fn on_link_event(&mut self, what: LinkEvent, out: &mut Vec<ClientOutput>) {
        let input = match what {
            LinkEvent::Connected => {
                self.is_connected = true;
                GatewayInput::Connected
            }
            LinkEvent::Disconnected => {
                self.is_connected = false;
                GatewayInput::Disconnected
            }
            LinkEvent::Acknowledged { message } => GatewayInput::Acknowledged { message },
            LinkEvent::Received { owner, payload } => GatewayInput::Command { owner, payload },
        };
        self.step_gateway(input, out);
    }

    /// Injects a fault into one of the devices, by its index in the scenario.
    pub(crate) fn fault(&mut self, index: usize, fault: DeviceFault, out: &mut Vec<ClientOutput>) {
        let place = self.devices.iter().position(|device| device.index == index);
        // Hardware gets no input: the language has seen to it.
        if let Some(place) = place.filter(|&place| !self.devices[place].is_hardware) {
            self.feed(place, out);
            let input = Input::Fault(fault);
            self.devices[place].device.step(self.now, input, &mut self.output);
            self.translate(place, out);
        }
    }

    /// What the gateway keeps durably, by number.
    pub(crate) const fn kept(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.kept
    }

    /// The gateway begins with what it kept before.
    pub(crate) fn restore(&mut self, kept: BTreeMap<u64, Vec<u8>>) {
        self.kept = kept;
        self.restart(&mut Vec::new());
    }

    /// The gateway loses its supply and starts again with what it kept.
    pub(crate) fn restart(&mut self, out: &mut Vec<ClientOutput>) {
        let kept: Vec<Vec<u8>> = self.kept.values().cloned().collect();
        if let Some(gateway) = (self.make)(&kept) {
            self.gateway = gateway;
            self.gateway_wakes = self.gateway.wake_at();
            // It learns anew that its simulators are there.
            self.has_begun = false;
        }
        if self.is_connected {
            self.step_gateway(GatewayInput::Connected, out);
        }
    }
}

#[path = "field_buses.rs"]
mod buses;

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
