//! The border between the runner and a gateway: it carries readings of devices on field networks
//! to the platform.
//!
//! Sans-I/O like a [`Device`](crate::Device): bytes of its networks, acknowledgements and times
//! come in; what follows from them goes out. It never names a topic: whoever moves it makes topics
//! of owners, and wires of network numbers.
//!
//! Terms: a *network* is counted from 0 in the order of the gateway's description; a *record* is
//! what a gateway has written durably, numbered from 1 without gaps; a message is *open* from when
//! it is made until the platform has acknowledged it.
//!
//! | file or folder | purpose |
//! |---|---|
//! | `kind`, `registry` | a gateway model for the scenario language; the slice [`GATEWAYS`] |
//! | `can_aggregator` | the master of CAN buses: frames of meter nodes to readings |
//! | `can_dbc_reader` | frames of boards that a DBC file describes, to readings |
//! | `concentrator` | masters of M-Bus lines: bytes to readings of meters |
//! | `simulator` | frames of a simulator to readings, and orders to frames |
//! | `transparent` | a ZigBee home: frames of nodes carried unread to the dispatcher |
//! | `slcan_adapter` | the adapter by which somebody on a real line is on a simulated CAN bus |
//! | `slcan_host` | the other side of it: real nodes behind an adapter are on a simulated bus |
//! | `slcan_line` | what both have in common |
//! | `refusal` | answers to commands where devices take none |
//! | `reachability` | alerts of devices that do not answer, and answer again |
//! | `store`, `record` | messages and states that survive a restart, and their encoding |
//! | `metric` | what a gateway counts |
//!
//! Bytes and frames come in on networks; readings go through `store` to the platform; commands
//! take the way back.

mod can_aggregator;
mod can_dbc_reader;
mod concentrator;
mod kind;
mod metric;
mod reachability;
mod record;
mod refusal;
mod registry;
mod simulator;
mod slcan_adapter;
mod slcan_host;
mod slcan_line;
mod store;
mod transparent;

use std::collections::BTreeMap;

use lastmeter_can::bus::Happening;
use lastmeter_can::frame::CanFrame;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::rest::{Answer, Request};

use crate::border::{ExchangeStage, PageAnswer, PageRequest};
use crate::household::record::{Billed, Decided};
pub use kind::{BuildGateway, DispatcherUplink, GatewayContext, GatewayKind, NetworkContext};
pub use metric::{Metric, MetricKind};
pub use registry::GATEWAYS;
pub use simulator::measured_of_waveforms;
pub use slcan_adapter::slcan_adapter;
pub use slcan_host::slcan_host;

/// What reaches a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayInput {
    /// The instant that [`Gateway::wake_at`] named; earlier it does no harm.
    Wake,
    /// Bytes of a network, without a pause between them; the last one's stop bit ended at this
    /// instant. A gateway listens for silence, so bytes must not be held back until a frame is
    /// whole.
    Bytes {
        /// The network, from 0.
        network: usize,
        /// Which of its devices they are from, in the order of the gateway's description, where
        /// the medium distinguishes them: not on a bus.
        lane: Option<usize>,
        /// Received bytes.
        bytes: Vec<u8>,
    },
    /// Something happened at its end of a CAN bus.
    Wire {
        /// The network, from 0.
        network: usize,
        /// What.
        what: Happening,
    },
    /// Somebody is at the other end of a real line, at first or again; what was sent before may be
    /// lost.
    LineUp {
        /// The network, from 0.
        network: usize,
    },
    /// Nobody is at the other end of a real line any more: what is sent now goes nowhere.
    LineDown {
        /// The network, from 0.
        network: usize,
    },
    /// A command of the platform, for the gateway or for one of its devices.
    Command {
        /// Whom it concerns, as its topic has it.
        owner: HardwareId,
        /// The encoded message.
        payload: Vec<u8>,
    },
    /// The link to the platform is there: everything open goes out again.
    Connected,
    /// The link to the platform is gone.
    Disconnected,
    /// The platform has taken over a message.
    Acknowledged {
        /// The message's number.
        message: u64,
    },
    /// A record and all before it are durable.
    Kept {
        /// The record's number, from 1.
        number: u64,
    },
    /// A message that came beside the commands, on the channel that [`GatewayKind::live`] names.
    Live {
        /// The encoded message.
        payload: Vec<u8>,
    },
    /// A message of a flow of information that [`GatewayKind::flows`] names.
    Flow {
        /// Its topic.
        topic: String,
        /// The message.
        payload: Vec<u8>,
    },
    /// A whole frame that came beside its networks.
    Frame {
        /// Whether it is the JSON of `VILLASnode`, else of the format of the network.
        is_json: bool,
        /// One frame.
        bytes: Vec<u8>,
    },
    /// What came of a request to the platform's REST.
    Answer(Answer),
    /// A browser asks for one of its pages.
    Page {
        /// The number of the request.
        number: u64,
        /// What is asked.
        request: PageRequest,
    },
}

/// What a gateway wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayOutput {
    /// A message to the platform, to be delivered at least once.
    Send {
        /// Its number, the same each time it is sent.
        message: u64,
        /// Whose message it is: a device behind the gateway, or the gateway itself.
        owner: HardwareId,
        /// The encoded message.
        payload: Vec<u8>,
    },
    /// Bytes that it begins to send on a network now.
    Bytes {
        /// The network, from 0.
        network: usize,
        /// To which of its devices alone, where the medium has a lane for each.
        lane: Option<usize>,
        /// The rate, in bits per second.
        bits_per_second: u32,
        /// Bytes to send, without a pause between them.
        bytes: Vec<u8>,
    },
    /// On a CAN bus it has this frame to send from now on and no other one, or none.
    Offer {
        /// The network, from 0.
        network: usize,
        /// The frame.
        frame: Option<CanFrame>,
    },
    /// Its software has come to a stage of an exchange on a CAN bus.
    Stage {
        /// The network, from 0.
        network: usize,
        /// Which.
        stage: ExchangeStage,
        /// Of the frame that is asked for, requested or taken.
        frame: CanFrame,
    },
    /// What comes on a network cannot be read any more: where it is a real line, it is to be opened
    /// again.
    Reopen {
        /// The network, from 0.
        network: usize,
    },
    /// A record to be written durably, in the order of the numbers.
    Keep {
        /// The record's number, from 1.
        number: u64,
        /// What to write.
        record: Vec<u8>,
    },
    /// Records that are no longer needed: all up to this number.
    Forget {
        /// The last of them.
        upto: u64,
    },
    /// A message that goes out at once or never: it is not kept, and not sent again.
    Live {
        /// The channel, one level of a topic.
        channel: &'static str,
        /// The encoded message.
        payload: Vec<u8>,
    },
    /// A request to the platform's REST, with the credential that it was given.
    Request(Request),
    /// What a browser gets.
    Page {
        /// The number of its request.
        number: u64,
        /// The answer.
        answer: PageAnswer,
    },
    /// It has decided something about its household.
    Decided(Box<Decided>),
    /// The bill of its household so far.
    Billed(Box<Billed>),
    /// Something for the record of the run.
    Event {
        /// The kind of event.
        kind: GatewayEventKind,
        /// The device that it is about, where it is about one.
        about: Option<HardwareId>,
        /// More about it, for people.
        detail: String,
    },
}

lastmeter_units::words! {
    /// What a gateway notes about itself and its devices.
    pub enum GatewayEventKind in files {
        /// A device that is not configured was found.
        DeviceFound = "device_found",
        /// A configured device was not found by a search.
        DeviceNotFound = "device_not_found",
        /// A device has not answered.
        DeviceUnreachable = "device_unreachable",
        /// A device answers again.
        DeviceReachable = "device_reachable",
        /// An answer was garbled, or has no reading in it.
        AnswerRefused = "answer_refused",
        /// An answer came again and makes no second message.
        AnswerRepeated = "answer_repeated",
        /// A value of an answer is an error or no number, and was left out.
        ValueRefused = "value_refused",
        /// A device reports an error of its own.
        DeviceStatus = "device_status",
        /// A poll was due while the one before was still running.
        PollLate = "poll_late",
        /// A message was dropped because the outbox was full.
        MessageDropped = "message_dropped",
        /// A record that was kept before a restart cannot be read.
        RecordRefused = "record_refused",
        /// A command was answered with an error.
        CommandRefused = "command_refused",
        /// Something arrived that is no command.
        CommandMalformed = "command_malformed",
        /// A point of a simulator was given another value.
        PointWritten = "point_written",
        /// A command was answered as written, by a point that nothing of the simulator reflects.
        NotReflected = "not_reflected",
        /// Writes came faster than the simulator's card takes them.
        WritesThinned = "writes_thinned",
        /// Frames of a simulator are missing, or it repeats one.
        FramesMissing = "frames_missing",
        /// Its controller has another state on a CAN bus: error-active, error-passive or bus-off.
        BusState = "bus_state",
        /// Its controller has lost a frame, as its software took none in time.
        FrameLost = "frame_lost",
        /// A message on a CAN bus is not genuine, or not new.
        MessageRefused = "message_refused",
        /// So many messages were refused on a CAN bus that it is an attack.
        AuthenticationAlarm = "authentication_alarm",
        /// Two nodes of a CAN bus have one number.
        NumberShared = "number_shared",
        /// A request of a browser was refused.
        PageRefused = "page_refused",
        /// A step of a register is not charged, or not yet.
        StepOpen = "step_open",
        /// A switching unit has not answered an order.
        SwitchUnanswered = "switch_unanswered",
        /// A device counts its readings from an earlier number on.
        DeviceRestarted = "device_restarted",
        /// Files were read again.
        FilesRead = "files_read",
        /// An input that does not fit this gateway; it was not used.
        InputRefused = "input_refused",
    }
}

/// A gateway on the bench.
pub trait Gateway: Send {
    /// Takes one input and appends what follows from it.
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>);

    /// When it wants [`GatewayInput::Wake`] next; before its start, that is the start.
    fn wake_at(&self) -> Option<SimTime>;

    /// Messages the platform has not acknowledged, those included that still wait.
    fn unacknowledged(&self) -> usize;

    /// What it counts; values of one name stand together.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    /// The latest sample as JSON, of gateways that have such.
    fn points(&self) -> Option<Vec<u8>> {
        None
    }

    /// When it wants all that is on its way to be settled next, and the plant to have followed what
    /// was switched: it then sees what came of what it did, or is about to do something.
    fn settles_at(&self) -> Option<SimTime> {
        None
    }

    /// What it writes to its network at present, as JSON, of gateways that do.
    fn set_points(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes the files that its keys name as they are now, by those names. What was gathered by the
    /// old ones goes out before the new ones hold.
    ///
    /// # Errors
    /// All mistakes of the files; the old ones hold on.
    fn reload(
        &mut self,
        _now: SimTime,
        _files: &BTreeMap<String, String>,
        _out: &mut Vec<GatewayOutput>,
    ) -> Result<(), Vec<String>> {
        Err(vec!["this gateway has no files to read again".to_owned()])
    }
}

type Out = Vec<GatewayOutput>;

fn event(out: &mut Out, kind: GatewayEventKind, detail: String) {
    event_about(out, None, kind, detail);
}

fn event_about(out: &mut Out, about: Option<HardwareId>, kind: GatewayEventKind, detail: String) {
    out.push(GatewayOutput::Event { kind, about, detail });
}
