//! Injections that go wrong inside a device, on purpose.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimTime;

use crate::border::{BoardFault, DeviceFault, NodeTask, ScaledQuantity, ScalingChange};

/// A fault of a device: its place in the scenario language, and what the device gets.
#[derive(Clone, Copy)]
pub struct InjectionKind {
    /// Name, texts and fields, besides those every injection has. The field `device` names the
    /// device.
    pub entry: Entry,
    /// The kind of network that its device has to be on; `None`: any, or none.
    pub on: Option<&'static str>,
    /// The fault that the device gets at the injection's instant.
    pub build: fn(&Values, SimTime) -> DeviceFault,
}

pub(crate) const DEVICE: Field = Field::required("device", Kind::Name, "The device it befalls.");

/// How many of something an injection concerns.
const fn count(summary: &'static str) -> Field {
    Field::default("count", Kind::Integer { min: 1, max: 1_000_000 }, "1", summary)
}

pub(crate) const SKIP_READING: InjectionKind = InjectionKind {
    entry: Entry {
        name: "skip_reading",
        summary: "readings are made and numbered but never sent",
        description: "The device makes its next readings as ever and uses up their serial \
            numbers, but sends nothing. A `no_loss` check has to miss exactly these.",
        fields: &[DEVICE, count("How many readings.")],
    },
    on: None,
    build: |values, _| DeviceFault::SkipReading {
        count: u32::try_from(values.integer("count")).unwrap_or(u32::MAX),
    },
};

pub(crate) const RENUMBER_READING: InjectionKind = InjectionKind {
    entry: Entry {
        name: "renumber_reading",
        summary: "a reading is sent a second time under a fresh serial number",
        description: "The device sends its next reading twice, the second time under the \
            following serial number, so that the platform cannot distinguish it from a new reading. \
            Only the first is announced to the record; a `no_loss` check has to find the \
            second one too many.",
        fields: &[DEVICE],
    },
    on: None,
    build: |_, _| DeviceFault::RenumberReading,
};

pub(crate) const UNKNOWN_IDENTIFIER: InjectionKind = InjectionKind {
    entry: Entry {
        name: "unknown_identifier",
        summary: "a message with a measurement identifier that exists nowhere",
        description: "Beside its readings the device sends one message, without a serial \
            number, whose measurement identifier is not in the registry. The platform has to \
            refuse it and to report that.",
        fields: &[DEVICE],
    },
    on: None,
    build: |_, _| DeviceFault::UnknownIdentifier,
};

pub(crate) const FALSE_GASP: InjectionKind = InjectionKind {
    entry: Entry {
        name: "false_gasp",
        summary: "a meter sends a last gasp although it has its supply",
        description: "Its comparator takes a disturbance for the loss of its supply: it sends the \
            alert `supply.failed`, and works on. A meter without `hold_up` sends none.",
        fields: &[DEVICE],
    },
    on: None,
    build: |_, _| DeviceFault::FalseGasp,
};

pub(crate) const FREEZE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "freeze",
        summary: "the device makes no readings and gives no answers",
        description: "The device's application hangs: no readings and no answers to commands. \
            Its metrology goes on, so that the first reading afterwards covers the time \
            between, and so does its network part: what waits in the outbox is sent.",
        fields: &[
            DEVICE,
            Field::optional(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
                "How long; to the end if left out.",
            ),
        ],
    },
    on: None,
    build: |values, at| DeviceFault::Freeze {
        until: values.duration_opt("for").map(|span| at + span),
    },
};

pub(crate) const NODE_AWAY: InjectionKind = InjectionKind {
    entry: Entry {
        name: "node_away",
        summary: "a node of a radio network leaves it, and joins again",
        description: "The node leaves its network, or falls silent as one whose battery is taken \
            out, and joins again under another short address. No reading is due of it in the \
            meantime, nor in the half minute in which it joins.",
        fields: &[
            DEVICE,
            Field::required(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 1.0, max: 1e9 },
                "How long.",
            ),
            Field::default("silent", Kind::Boolean, "false", "Whether it goes without a word."),
        ],
    },
    on: Some("zigbee"),
    build: |values, at| DeviceFault::Away {
        until: at + values.duration("for"),
        is_silent: values.boolean("silent"),
    },
};

pub(crate) const NODE_TASK: InjectionKind = InjectionKind {
    entry: Entry {
        name: "node_task",
        summary: "the main task of a CAN node disables one of its tasks, and enables it again",
        description: "What waits for the task is dropped. Without `can` the node is silent, and \
            closes no reading; without `measure` it has nothing to close a reading of, and does \
            not answer the order to. Its registers count on. The others cost no time any more.",
        fields: &[
            DEVICE,
            Field::required("task", Kind::Choice(NodeTask::WORDS), "Which task."),
            Field::optional(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
                "How long; to the end if left out.",
            ),
        ],
    },
    on: Some("can"),
    build: |values, at| DeviceFault::NodeTask {
        task: NodeTask::from_word(values.text("task")).unwrap_or(NodeTask::Can),
        until: values.duration_opt("for").map(|span| at + span),
    },
};

pub(crate) const NODE_POWER_LOSS: InjectionKind = InjectionKind {
    entry: Entry {
        name: "node_power_loss",
        summary: "a CAN node loses its supply, and with it all that is not in its EEPROM",
        description: "The node takes no part in the bus. Once it is back its energy registers \
            are those of the last reading that was stored to its end, and it measures from its \
            first whole measuring period on; numbers of readings go on behind all that it may \
            have given.",
        fields: &[
            DEVICE,
            Field::required(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e9 },
                "How long.",
            ),
        ],
    },
    on: Some("can"),
    build: |values, at| DeviceFault::NodePowerLoss { until: at + values.duration("for") },
};

pub(crate) const DISPLAY_STICKS: InjectionKind = InjectionKind {
    entry: Entry {
        name: "display_sticks",
        summary: "the display of a plug shows the same from now on",
        description: "The display does not change any more, while the plug goes on measuring and \
            reporting.",
        fields: &[DEVICE],
    },
    on: Some("zigbee"),
    build: |_, _| DeviceFault::DisplaySticks,
};

pub(crate) const SCALING: InjectionKind = InjectionKind {
    entry: Entry {
        name: "scaling",
        summary: "the multiplier of a plug's quantity is absent, zero or another one",
        description: "From now on the node has no multiplier of a quantity, reads 0 there, or \
            scales by five times the number; it reports its multipliers again, as after a restart. \
            Without one that it has reported before, or with one that is 0 or that changes, nobody \
            can read its numbers: the platform has to leave them out, and the rest of the reading \
            has to be there.",
        fields: &[
            DEVICE,
            Field::required("of", Kind::Choice(ScaledQuantity::WORDS), "The quantity."),
            Field::required(
                "what",
                Kind::Choice(ScalingChange::WORDS),
                "What is wrong with its multiplier.",
            ),
        ],
    },
    on: Some("zigbee"),
    build: |values, _| DeviceFault::Scaling {
        of: ScaledQuantity::from_word(values.text("of")).unwrap_or(ScaledQuantity::Power),
        what: ScalingChange::from_word(values.text("what")).unwrap_or(ScalingChange::Absent),
    },
};

pub(crate) const CONTACT_STICKS: InjectionKind = InjectionKind {
    entry: Entry {
        name: "contact_sticks",
        summary: "the contact of a room sensor shows the same from now on",
        description: "The magnet of the contact has come off, or its spring is broken: whether the \
            door or window opens or closes, the sensor goes on reporting what it reported last.",
        fields: &[DEVICE],
    },
    on: Some("zigbee"),
    build: |_, _| DeviceFault::ContactSticks,
};

pub(crate) const SWITCH_STICKS: InjectionKind = InjectionKind {
    entry: Entry {
        name: "switch_sticks",
        summary: "the contact of a switch of the network does not follow its drive",
        description: "A command is taken and the drive of a `switch` or `recloser` moves, but not \
            its contact: the network stays as it is, and the command is answered with an error by \
            what is read back. What a protective device does to the switch is another mechanism, \
            and goes on.",
        fields: &[
            DEVICE,
            Field::optional(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
                "How long; to the end if left out.",
            ),
            Field::default(
                "unnoticed",
                Kind::Boolean,
                "false",
                "Whether the auxiliary contact follows the drive all the same, so that what is read \
                 back is what was ordered, and not what stands.",
            ),
        ],
    },
    on: None,
    build: |values, at| DeviceFault::SwitchSticks {
        until: values.duration_opt("for").map(|span| at + span),
        is_unnoticed: values.boolean("unnoticed"),
    },
};

pub(crate) const BOARD_RESET: InjectionKind = InjectionKind {
    entry: Entry {
        name: "board_reset",
        summary: "the board of a device starts again, in the midst of whatever it does",
        description: "The reset line of an emulated board is pulled. What it keeps in its \
            EEPROM survives; the reading under way is lost with its memory.",
        fields: &[DEVICE],
    },
    on: None,
    build: |_, _| DeviceFault::Board(BoardFault::Reset),
};

pub(crate) const BOARD_HANG: InjectionKind = InjectionKind {
    entry: Entry {
        name: "board_hang",
        summary: "the board of a device stands still and answers nothing",
        description: "The clock of an emulated board stops and goes on later. What it was \
            asked in between is answered late; such answers must not be taken for later ones.",
        fields: &[
            DEVICE,
            Field::required(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e6 },
                "How long.",
            ),
        ],
    },
    on: None,
    build: |values, at| DeviceFault::Board(BoardFault::Stop { until: at + values.duration("for") }),
};

pub(crate) const BOARD_NOISE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "board_noise",
        summary: "bits on the line to the board of a device are inverted",
        description: "One bit of every other frame of samples to an emulated board is inverted. \
            The board has to refuse such frames, and the bench sends them again.",
        fields: &[DEVICE, count("How many frames.")],
    },
    on: None,
    build: |values, _| {
        let frames = u32::try_from(values.integer("count")).unwrap_or(u32::MAX);
        DeviceFault::Board(BoardFault::Noise { frames })
    },
};
