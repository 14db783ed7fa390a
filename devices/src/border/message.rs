//! What reaches a device, and what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_can::bus::Happening;
use lastmeter_can::frame::CanFrame;
use lastmeter_sim::{Block, PipeState, ReferenceSpan, Spectrum};
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::event::EventKind;
use super::fault::DeviceFault;

/// What a device wants to see of its metering point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// Samples of all channels; sample k is the value at `k / rate_hz` seconds since the start.
    Samples {
        /// Samples per second and channel.
        rate_hz: f64,
    },
    /// The tones the channels are made of.
    Spectrum,
    /// What a pipe carries, or a room is like.
    Pipe,
    /// Nothing: what it reports comes from elsewhere.
    Nothing,
    /// Nothing but the time: what it measures is not of the plant's making.
    Clock,
}

lastmeter_units::words! {
    /// How far the software of a node on a CAN bus has come with a frame.
    pub enum ExchangeStage {
        /// Its application wants something of another node.
        Asked = "asked",
        /// The frame is in a mailbox of its controller.
        Requested = "requested",
        /// Its interrupt routine has taken a frame from its controller.
        Taken = "taken",
    }
}

/// What reaches a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The next samples, without a gap after the last ones, up to now.
    Samples {
        /// Number of the first sample; the scenario's first is 0.
        first_sample: u64,
        /// The rate asked for in [`Feed::Samples`].
        rate_hz: f64,
        /// Primary values of all phases.
        block: Block,
    },
    /// The terminal carried this spectrum since the last such message.
    Spectrum {
        /// Up to when, since the scenario's start.
        until: SimDuration,
        /// Primary values of all phases.
        spectrum: Arc<Spectrum>,
        /// The ambient temperature in degrees Celsius.
        celsius: f64,
    },
    /// The pipe carried this, or the room was like this, since the last such message.
    Pipe {
        /// Up to when, since the scenario's start.
        until: SimDuration,
        /// What that was.
        state: PipeState,
    },
    /// A message from the platform.
    Received {
        /// The message as it was encoded.
        payload: Vec<u8>,
    },
    /// The platform has taken over a message that was sent.
    Acknowledged {
        /// The number given in [`Output::Send`].
        message: u64,
    },
    /// Bytes from the field network, the last of which ended now.
    Heard {
        /// What was received.
        bytes: Vec<u8>,
    },
    /// Something happened at its end of a CAN bus.
    #[serde(skip)]
    Wire {
        /// What.
        what: Happening,
    },
    /// Nothing has happened up to now but that time has passed.
    Passed,
    /// The link to the platform is there. What was sent before and is not acknowledged has to be
    /// sent again.
    Connected,
    /// The link to the platform is gone.
    Disconnected,
    /// Something goes wrong inside the device, on purpose.
    Fault(DeviceFault),
}

/// What a device does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A message for the platform, at least once (MQTT QoS 1). Under which address it goes is the
    /// transport's affair.
    Send {
        /// Its number: rises from message to message, the same when it is sent again.
        message: u64,
        /// The encoded message.
        payload: Vec<u8>,
    },
    /// Bytes for the field network.
    Transmit {
        /// When the first one begins, now or later.
        at: SimTime,
        /// At which rate they go.
        bits_per_second: u32,
        /// One frame.
        bytes: Vec<u8>,
    },
    /// On a CAN bus it has this frame to send from now on and no other one, or none.
    #[serde(skip)]
    Offer {
        /// The frame.
        frame: Option<CanFrame>,
    },
    /// Its software has come to a stage of an exchange on a CAN bus.
    #[serde(skip)]
    Stage {
        /// Which.
        stage: ExchangeStage,
        /// Of the frame that is asked for, requested or taken.
        frame: CanFrame,
    },
    /// It has a supply from now on, or none: what has none takes no part in a CAN bus.
    #[serde(skip)]
    Supply {
        /// Whether it has one.
        is_on: bool,
    },
    /// A reading was made: what it is called and what it spans. Goes to the record, outside of any
    /// message, and comes before the reading's own `Send` or `Transmit`.
    Reading {
        /// The epoch it is numbered in.
        epoch: Epoch,
        /// Its number, from 1 in each epoch.
        serial: Serial,
        /// When it was due, the event time of its message.
        at: SimTime,
        /// What its values cover.
        span: ReferenceSpan,
    },
    /// What was transmitted last carries these values, in SI units as they went over the line.
    Answered {
        /// By their identifiers.
        values: BTreeMap<String, f64>,
    },
    /// The reading that was announced last goes out as these frames, and carries these values, in
    /// SI units: of a device that numbers no readings on its network.
    Reported {
        /// By their identifiers; no number where nobody can read what is sent.
        values: BTreeMap<String, f64>,
        /// Each as its application made it.
        frames: Vec<Vec<u8>>,
    },
    /// Its display shows something else from now on.
    Shown {
        /// The texts, by the identifiers of what they show.
        values: BTreeMap<String, String>,
    },
    /// It cannot go on: the run has broken.
    Failed {
        /// What has gone wrong.
        why: String,
    },
    /// A command was carried out.
    Obeyed {
        /// Its invocation, as the command has it.
        invocation: String,
    },
    /// Its breaker or relay acted: from now on what it is connected behind carries nothing, or does
    /// again.
    Switched {
        /// Whether current may flow.
        is_closed: bool,
    },
    /// Something for the record.
    Event {
        /// The kind of event.
        kind: EventKind,
        /// More about it, for people.
        detail: String,
    },
}
