//! What may be injected: what the runner does, faults of devices, and what happens to sources and
//! to the network.

use std::sync::LazyLock;

use lastmeter_devices::{INJECTIONS, InjectionKind};
use lastmeter_link::impair::{self, Breakage};
use lastmeter_params::{Dimension, Entry, Field, Kind};
use lastmeter_sim::{INJECTIONS as SOURCE_INJECTIONS, InjectionKind as SourceInjection};

use super::network::GridInject;
use crate::language::draft::Row;
use crate::language::section::scenario::DURATION_S_MAX;

/// The injection `command`, which the runner carries out itself.
static COMMAND: Entry = Entry {
    name: "command",
    summary: "a command to a device, given through the platform's interface",
    description: "The bench asks the platform over REST to invoke a command on a device, as an \
        application would, and waits for the acknowledgement. `command` holds the command's `name` \
        and its parameters: `command = { name = \"setReportingPeriod\", seconds = 5 }`. The \
        platform knows a device from its first reading on, so no command can come before. A \
        command that is refused, fails, expires or is never answered, and that no `command_ack` \
        check judges, makes the run inconclusive: what it was to test did not happen.",
    fields: &[
        Field::required("device", Kind::Name, "the device it is for"),
        Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
        Field::default("refused", Kind::Boolean, "false", "whether the device has to refuse it"),
    ],
};

/// The injection `kill`, which the runner carries out itself.
static KILL: Entry = Entry {
    name: "kill",
    summary: "the platform's process is killed and started again",
    description: "While messages are on their way the platform's process gets SIGKILL, as from a \
        power failure of its host, and is started again on the same data. Needs a platform that is \
        a child process: `use = \"child\"` under `[platform]`.",
    fields: &[Field::default("target", Kind::Choice(&["platform"]), "\"platform\"", "what dies")],
};

/// The injection `restart`, which the runner carries out itself.
static RESTART: Entry = Entry {
    name: "restart",
    summary: "a gateway loses its supply and starts again",
    description: "What the gateway held in memory is gone; it starts again at once with what it \
        kept durably. Its devices and their network stay as they are.",
    fields: &[Field::required("gateway", Kind::Name, "the gateway it befalls")],
};

/// The injection `simulator`, which the simulator carries out itself.
static SIMULATOR: Entry = Entry {
    name: "simulator",
    summary: "a simulator falls silent, repeats old values, loses frames, or is operated by hand",
    description: "`silent`: no frames. `stale`: frames go on, with the measured values of the \
        last one. `lossy`: of `every` frames the one in the middle is lost. `manual`: the \
        point of role `mode` stands at 0, and what is written is not obeyed.",
    fields: &[
        Field::required("simulator", Kind::Name, "the simulator it befalls"),
        Field::required(
            "what",
            Kind::Choice(&["silent", "stale", "lossy", "manual"]),
            "what goes wrong",
        ),
        Field::default(
            "every",
            Kind::Integer { min: 1, max: 1_000_000_000 },
            "1000",
            "of `lossy`: one frame in so many is lost",
        ),
        Field::optional(
            "for",
            Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: DURATION_S_MAX },
            "how long, within the scenario; until the end if left out",
        ),
    ],
};

const LINK_FIELD: Field = Field::required("link", Kind::Name, "the link it happens to");

const LINK_DEVICE_FIELD: Field = Field::optional(
    "device",
    Kind::Text,
    "only the connections of these devices: a name, or a pattern with *; else everything that goes \
     through the link, observers too",
);

/// The injection `impair`, which the runner carries out itself.
static IMPAIR: LazyLock<Entry> = LazyLock::new(|| {
    let own = [
        LINK_FIELD,
        LINK_DEVICE_FIELD,
        Field::optional(
            "for",
            Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: DURATION_S_MAX },
            "how long, within the scenario; until the end if left out",
        ),
    ];
    let fields = own.into_iter().chain(impair::IMPAIR_FIELDS.iter().copied());
    Entry {
        name: "impair",
        summary: "a link gets worse for a while: slower, lossy, narrow, corrupting",
        description: "Its effect comes on top of what the link does anyway: delays add up, \
            losses are further causes of their own, a bandwidth is one more line in series. \
            Connections stay. In virtual time the same law is computed for each message, and what \
            comes out is labelled modelled. Two impairments of one link may follow each other, but \
            not overlap.",
        fields: fields.collect::<Vec<Field>>().leak(),
    }
});

/// The injection `disconnect`, which the runner carries out itself.
static DISCONNECT: Entry = Entry {
    name: "disconnect",
    summary: "a link breaks for a while: reset, closed, half-open, stalled",
    description: "`reset`: connections end with a TCP reset, and new ones as soon as they are \
        there. `close`: the same with an orderly end. `half-open`: connections stay and swallow \
        what is written, and neither end hears of it; what notices is a limit for acknowledgements \
        (`acknowledge_limit`) or the keep-alive. `stall`: connections stay, everything is held, \
        and comes out in order afterwards.\n\n\
        When `for` is over the link works again. Devices connect again by themselves and send what \
        is in their outbox, in order. Two breakages of one link may follow each other, but not \
        overlap.",
    fields: &[
        LINK_FIELD,
        LINK_DEVICE_FIELD,
        Field::default("how", Kind::Choice(Breakage::WORDS), "\"reset\"", "how it breaks"),
        Field::optional(
            "for",
            Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
            "how long, within the scenario; `0 s`: only connections that are there; until the end \
             if left out",
        ),
    ],
};

/// A registered injection: one the runner carries out itself, a fault of a device, or something
/// that happens to a source or to an element of the network.
#[derive(Clone, Copy)]
pub(crate) enum InjectKind {
    Command,
    Kill,
    Restart,
    Simulator,
    Impair,
    Disconnect,
    Grid(GridInject),
    Device(&'static InjectionKind),
    Source(&'static SourceInjection),
}

impl InjectKind {
    pub(crate) fn entry(self) -> &'static Entry {
        match self {
            Self::Command => &COMMAND,
            Self::Kill => &KILL,
            Self::Restart => &RESTART,
            Self::Simulator => &SIMULATOR,
            Self::Impair => &IMPAIR,
            Self::Disconnect => &DISCONNECT,
            Self::Grid(kind) => kind.entry(),
            Self::Device(kind) => &kind.entry,
            Self::Source(kind) => &kind.entry,
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let own = [
            Self::Command,
            Self::Kill,
            Self::Restart,
            Self::Simulator,
            Self::Impair,
            Self::Disconnect,
        ];
        let sources = SOURCE_INJECTIONS.iter().map(Self::Source);
        let own = own.into_iter().chain(GridInject::ALL.map(Self::Grid));
        own.chain(INJECTIONS.iter().map(Self::Device)).chain(sources)
    }
}

/// The registered kind of a table.
pub(crate) fn kind_of(row: &Row<'_>) -> Option<InjectKind> {
    row.kind_of(InjectKind::all(), |kind| kind.entry())
}
