//! Faults that a device can play, and tampering with it.

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};

/// Faults a device can play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFault {
    /// The next readings are made and numbered but not sent.
    SkipReading {
        /// Number of readings.
        count: u32,
    },
    /// The next reading is sent twice, the second time under the following serial; later readings
    /// are numbered after it. Only the first is announced.
    RenumberReading,
    /// A message with an identifier that exists nowhere is sent beside the readings.
    UnknownIdentifier,
    /// It sends a last gasp although it has its supply.
    FalseGasp,
    /// The device makes no readings and gives no answers, while its metrology goes on.
    Freeze {
        /// Until when; `None` forever. A reading due at this instant is made again.
        until: Option<SimTime>,
    },
    /// It is no member of its radio network.
    Away {
        /// Until when, from where on it joins again.
        until: SimTime,
        /// Whether it is off without a word, otherwise it leaves.
        is_silent: bool,
    },
    /// The main task of a node on a CAN bus disables one of its tasks.
    NodeTask {
        /// Which.
        task: NodeTask,
        /// When it enables that task again; `None`: never.
        until: Option<SimTime>,
    },
    /// A node on a CAN bus has no supply: what it had in RAM is lost.
    NodePowerLoss {
        /// Until when.
        until: SimTime,
    },
    /// Its display shows the same from now on.
    DisplaySticks,
    /// The numbers by which a node of a radio network scales a quantity are not what they were.
    Scaling {
        /// Whose.
        of: ScaledQuantity,
        /// What is wrong.
        what: ScalingChange,
    },
    /// Its contact shows the same from now on.
    ContactSticks,
    /// The contact of its switch does not follow its drive.
    SwitchSticks {
        /// Until when; `None` forever.
        until: Option<SimTime>,
        /// Whether the auxiliary contact that is read back follows the drive all the same.
        is_unnoticed: bool,
    },
    /// Something goes wrong with its board.
    Board(BoardFault),
    /// Somebody tampers with it.
    Tamper {
        /// The kind of tampering.
        what: TamperKind,
        /// Until when; `None`: to the end.
        until: Option<SimTime>,
    },
    /// A sensor of tampering shows what is not so.
    TamperSensor {
        /// The kind of tampering that it senses.
        what: TamperKind,
        /// What it shows.
        shows: TamperSensorFault,
        /// Until when; `None`: to the end.
        until: Option<SimTime>,
    },
}

/// Faults that only a device with a board can play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardFault {
    /// Its board starts again.
    Reset,
    /// Its board stands still.
    Stop {
        /// Instant at which its clock goes on.
        until: SimTime,
    },
    /// Single bits of what is sent to its board's stimulus port are inverted, in every other frame.
    Noise {
        /// In so many frames.
        frames: u32,
    },
}

lastmeter_units::words! {
    /// The tasks of a node on a CAN bus, beside its main task, which enables and disables them.
    pub enum NodeTask in files {
        /// Serves the bus: without it the node answers nothing.
        Can = "can",
        /// Measures: without it there is nothing to close a reading of.
        Measure = "measure",
        /// Serves pages over TCP/IP.
        Server = "server",
        /// Draws the display, and looks for touches.
        UserInterface = "user-interface",
    }
}

lastmeter_units::words! {
    /// What a node scales by a multiplier of its own.
    pub enum ScaledQuantity in files {
        /// Voltage.
        Voltage = "voltage",
        /// Current.
        Current = "current",
        /// Active, reactive and apparent power.
        Power = "power",
        /// Frequency.
        Frequency = "frequency",
        /// Energies.
        Energy = "energy",
    }
}

lastmeter_units::words! {
    /// What is wrong with a multiplier.
    pub enum ScalingChange in files {
        /// The node does not have it.
        Absent = "absent",
        /// It is 0.
        Zero = "zero",
        /// It is five times as large, and numbers are scaled by it.
        Changed = "changed",
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
