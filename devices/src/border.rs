//! The border between the runner and a device: messages in, messages out, nothing shared.
//!
//! Terms: *data time* is how far the device has seen its terminal; *now* is the instant the runner
//! is at. Everything that crosses is serialisable, so a device can be a process of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_sim::{Block, DeclaredSpan, ElectricityFacts, PipeState, ReferenceSpan, Spectrum};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use crate::answer::CommandFault;
use crate::board::{BoardDevice, BoardFault};

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
    /// What a pipe carries.
    Pipe,
    /// Nothing: what it reports comes from elsewhere.
    Nothing,
    /// Nothing but the time: what it measures is not of the plant's making.
    Clock,
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
    },
    /// The pipe carried this since the last such message.
    Pipe {
        /// Up to when, since the scenario's start.
        until: SimDuration,
        /// What it carried.
        state: PipeState,
    },
    /// A message from the platform.
    Received {
        /// What it says.
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

/// Faults a device can play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFault {
    /// The next readings are made and numbered but not sent.
    SkipReading {
        /// How many.
        count: u32,
    },
    /// The next reading is sent twice, the second time under the following serial; later readings
    /// are numbered after it. Only the first is announced.
    RenumberReading,
    /// A message with an identifier that exists nowhere is sent beside the readings.
    UnknownIdentifier,
    /// The device makes no readings and gives no answers, while its metrology goes on.
    Freeze {
        /// Until when; `None` for ever. A reading due at this instant is made again.
        until: Option<SimTime>,
    },
    /// Something goes wrong with its board.
    Board(BoardFault),
    /// Somebody tampers with it.
    Tamper {
        /// How.
        what: TamperKind,
        /// Until when; `None`: to the end.
        until: Option<SimTime>,
    },
    /// A sensor of tampering shows what is not so.
    TamperSensor {
        /// Of what.
        what: TamperKind,
        /// What it shows.
        shows: TamperSensorFault,
        /// Until when; `None`: to the end.
        until: Option<SimTime>,
    },
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
        /// What it says.
        payload: Vec<u8>,
    },
    /// Bytes for the field network.
    Transmit {
        /// When the first one begins, now or later.
        at: SimTime,
        /// At which rate they go.
        bits_per_second: u32,
        /// Them.
        bytes: Vec<u8>,
    },
    /// A reading was made: what it is called and what it spans. Goes to the record, outside of any
    /// message, and comes before the reading's own `Send` or `Transmit`.
    Reading {
        /// The epoch it is numbered in.
        epoch: Epoch,
        /// Its number.
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
    /// A command was carried out.
    Obeyed {
        /// Its invocation.
        invocation: String,
    },
    /// Something for the record.
    Event {
        /// What kind.
        kind: EventKind,
        /// More about it, for people.
        detail: String,
    },
}

lastmeter_units::words! {
    /// What a device notes about itself.
    pub enum EventKind in files {
        /// A command was carried out.
        CommandObeyed = "command_obeyed",
        /// An invocation that had been carried out came again, and was only answered.
        CommandRepeated = "command_repeated",
        /// A command was answered with an error.
        CommandRefused = "command_refused",
        /// A command was neither carried out nor answered.
        CommandIgnored = "command_ignored",
        /// Something arrived that is no command.
        CommandMalformed = "command_malformed",
        /// A fault that was asked for has begun.
        FaultBegun = "fault_begun",
        /// A reading was due, but no window had been completed since the last.
        ReadingWithoutWindow = "reading_without_window",
        /// The waveform may exceed the converter's range, which `windows` does not model.
        BeyondRange = "beyond_range",
        /// Samples were clipped at the end of the converter's range.
        Clipped = "clipped",
        /// An input that does not fit this device or does not follow the last one; it was not used.
        InputRefused = "input_refused",
        /// A board was asked again, since it had not answered, or had refused what it was sent.
        BoardRetried = "board_retried",
        /// A board has not answered.
        BoardSilent = "board_silent",
        /// The port of a board is gone.
        BoardLost = "board_lost",
        /// A board has started anew by itself, or by an injection.
        BoardRestarted = "board_restarted",
        /// Something that a board sent was late, or not of its language, and was discarded.
        BoardDiscarded = "board_discarded",
        /// A reading was due that the board could not give, or not of all the time it covers.
        ReadingLeftOut = "reading_left_out",
        /// The voltage that it lives on was away for longer than it can hold out: it does not work.
        Dark = "dark",
        /// The voltage is back, and it has booted.
        WorksAgain = "works_again",
        /// Its last gasp was sent, and lost on the way.
        LastGaspLost = "last_gasp_lost",
        /// Its power-up message was sent, and lost on the way.
        PowerUpLost = "power_up_lost",
    }
}

/// How a device lives on the voltage at its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupplyFacts {
    /// For how long it goes on working without that voltage, from when it notices.
    pub hold_up: SimDuration,
    /// How long it does not work yet when the voltage is back after that.
    pub boot: SimDuration,
    /// The voltage is there while the RMS voltage of any phase is at least this, in V.
    pub minimum_v: f64,
    /// Whether it sends a last gasp (`supply.failed`) when the voltage is gone.
    pub gasps: bool,
    /// Whether it sends a power-up message (`supply.returned`).
    pub reports: bool,
}

lastmeter_units::words! {
    /// Voltage events (IEC 61000-4-30, 5.4 and 5.5).
    pub enum VoltageEventKind in files {
        /// Below the dip threshold.
        Dip = "dip",
        /// Above the swell threshold.
        Swell = "swell",
        /// Below the interruption threshold.
        Interruption = "interruption",
    }
}

impl VoltageEventKind {
    /// The type of the alert that reports it.
    #[must_use]
    pub const fn alert_type(self) -> &'static str {
        match self {
            Self::Dip => "voltage.dip",
            Self::Swell => "voltage.swell",
            Self::Interruption => "voltage.interruption",
        }
    }
}

lastmeter_units::words! {
    /// How somebody may tamper with a meter.
    pub enum TamperKind in files {
        /// The cover of the meter is open.
        Cover = "cover",
        /// The cover over its terminals is open.
        TerminalCover = "terminal-cover",
        /// A strong magnetic DC field acts on it.
        MagneticField = "magnetic-field",
    }
}

impl TamperKind {
    /// Whether it is sensed by a contact, which a battery can read.
    #[must_use]
    pub const fn is_contact(self) -> bool {
        matches!(self, Self::Cover | Self::TerminalCover)
    }
}

lastmeter_units::words! {
    /// What a broken sensor of tampering shows.
    pub enum TamperSensorFault in files {
        /// Nothing, whatever is done.
        Nothing = "nothing",
        /// That somebody tampers with the meter.
        Tampering = "tampering",
    }
}

/// Which tampering a device reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TamperFacts {
    /// What it has sensors for.
    pub kinds: Vec<TamperKind>,
    /// For how long a sensor has to show a change until it is one.
    pub debounce: SimDuration,
    /// Whether contacts are read on a battery while the device has no supply.
    pub has_battery: bool,
}

/// Which voltage events a device reports, by the half-cycle RMS values of each phase. An event that
/// had begun before the device saw anything is not reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventFacts {
    /// The declared voltage in V, primary, of a phase.
    pub declared_v: f64,
    /// A dip is below this, in V.
    pub dip_v: f64,
    /// A swell is above this, in V.
    pub swell_v: f64,
    /// An interruption is below this, in V.
    pub interruption_v: f64,
    /// An event is over when the voltage is back by so much beyond its threshold, in V.
    pub hysteresis_v: f64,
    /// What is reported.
    pub kinds: Vec<VoltageEventKind>,
}

/// A device on the bench.
///
/// Its readings are due at start + k * period (k >= 1) exactly; after an obeyed change of the
/// period at the instant T, at T + k * new period. What it puts out depends on the inputs alone,
/// not on how the terminal's data was cut.
pub trait Device: Send {
    /// What it wants to see of its metering point.
    fn feed(&self) -> Feed;

    /// What its readings contain, in the order of the message.
    fn quantities(&self) -> &[MeasurementId];

    /// What only an electricity meter has; `None` of all others.
    fn electricity(&self) -> Option<ElectricityFacts> {
        None
    }

    /// Its address on the field network, as a gateway's configuration writes it; `None`: it is on
    /// none.
    fn network_address(&self) -> Option<String> {
        None
    }

    /// When it says something by itself on a field network next: it has to see its metering point
    /// up to then, in time. `None`: only when it is asked.
    fn wake_at(&self) -> Option<SimTime> {
        None
    }

    /// What it declares of its readings where it cannot announce what they span; `None`: it
    /// announces that.
    fn declared(&self) -> Option<DeclaredSpan> {
        None
    }

    /// It as a device that is a board; `None`: it is none.
    fn board(&mut self) -> Option<&mut dyn BoardDevice> {
        None
    }

    /// How it lives on the voltage at its terminal; `None`: it has a supply of its own.
    fn supply(&self) -> Option<SupplyFacts> {
        None
    }

    /// Which voltage events it reports; `None`: it looks for none.
    fn watched_events(&self) -> Option<EventFacts> {
        None
    }

    /// Which tampering it reports; `None`: it has no sensors for any.
    fn watched_tamper(&self) -> Option<TamperFacts> {
        None
    }

    /// What is wrong with a command, its parameters written as texts, as far as can be told without
    /// giving it; `None` of one that the device understands and should carry out.
    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault>;

    /// The time between two readings, as it stands.
    fn report_period(&self) -> SimDuration;

    /// Takes one input and appends what follows from it.
    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>);

    /// Messages published or waiting that the platform has not acknowledged.
    fn unacknowledged(&self) -> usize;
}
