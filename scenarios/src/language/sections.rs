//! The sections of the language: the keys their tables share, and the entries registered in them.

use std::sync::LazyLock;

use lastmeter_devices::{DEVICES, DeviceKind, INJECTIONS, InjectionKind};
use lastmeter_link::impair::{self, Breakage, PRESETS};
use lastmeter_params::{Dimension, Entry, Field, Kind, Table};
use lastmeter_plans::calibration::CALIBRATION_FIELDS;
use lastmeter_plans::standard::SUITE_FIELDS;
use lastmeter_reports::{CHECK_FIELDS, CHECKS, CheckKind};
use lastmeter_sim::{
    INJECTIONS as SOURCE_INJECTIONS, InjectionKind as SourceInjection, SOURCES, SourceKind,
};

use super::grid::{DEFECT_FIELDS, DefectKind, GRID_FIELDS, LOAD_FIELDS, Profile};

/// The version of the language that is read and written here.
pub(crate) const FORMAT: i64 = 1;

/// The longest scenario: ten years, so that every instant stays within a 64-bit nanosecond count.
const DURATION_S_MAX: f64 = 10.0 * 365.25 * 86_400.0;

/// Most devices that one table makes: a machine's worth of connections, ports included.
pub(crate) const COUNT_MAX: i64 = 20_000;

/// Keys of `[scenario]`.
pub(crate) static SCENARIO_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what reports, verdicts and twins call it"),
    Field::optional("title", Kind::Text, "one line for the head of the report"),
    Field::optional("description", Kind::Text, "what it is about, at length"),
    Field::default("tags", Kind::List(&Kind::Name), "[]", "words to select scenarios by"),
    Field::default(
        "time",
        Kind::Choice(&["virtual", "real"]),
        "\"virtual\"",
        "virtual: done as fast as possible, latency not judged; real: as long as it says, by the \
         clock on the wall",
    ),
    Field::optional(
        "time_in_file",
        Kind::Choice(&["virtual", "real"]),
        "stands in resolved scenarios: what the file said where `--time` overrode it, so that \
         checks of latency are known to be skipped, not misplaced",
    ),
    Field::default(
        "start",
        Kind::Instant,
        "2027-01-01T00:00:00Z",
        "event time of the first sample",
    ),
    Field::optional(
        "duration",
        Kind::Quantity { dimension: Dimension::Time, min: 0.001, max: DURATION_S_MAX },
        "how long it lasts in event time; with `[suite]` or `[calibration]` as long as its plan",
    ),
    Field::default(
        "seed",
        Kind::Integer { min: 0, max: i64::MAX },
        "1",
        "the number all randomness comes from",
    ),
];

/// Keys of `[platform]`.
pub(crate) static PLATFORM_FIELDS: &[Field] = &[
    Field::default(
        "use",
        Kind::Text,
        "\"embedded\"",
        "embedded: in the bench's process; child: a process of its own; or a profile file that \
         says where a platform runs",
    ),
    Field::default(
        "strict_table2",
        Kind::Boolean,
        "false",
        "whether the tenant accepts the identifiers of Table 2 only",
    ),
    Field::default(
        "tls",
        Kind::Choice(&["none", "server", "mutual"]),
        "\"none\"",
        "between devices and broker. none: plain TCP; server: TLS, devices verify the broker; \
         mutual: devices also show certificates that bear their hardware ids",
    ),
    Field::optional(
        "tls_authority",
        Kind::Text,
        "certificate of the authority to use, a PEM file; else the bench makes one for the run",
    ),
    Field::optional(
        "tls_authority_key",
        Kind::Text,
        "private key of that authority, a PEM file; issues what the run needs",
    ),
];

/// Keys of `[floor]`.
pub(crate) static FLOOR_FIELDS: &[Field] = &[
    Field::default(
        "messages",
        Kind::Integer { min: 100, max: 1_000_000 },
        "2000",
        "echo messages, and as many timer probes, before and after the run",
    ),
    Field::default(
        "period",
        Kind::Quantity { dimension: Dimension::Time, min: 1e-4, max: 10.0 },
        "\"2 ms\"",
        "from one echo message to the next; they are sent by the clock, not after the answer",
    ),
    Field::default("via", Kind::Name, NO_LINK, VIA_DOC),
];

/// What `via` says where there is no link, as a TOML value.
const NO_LINK: &str = "\"none\"";

const VIA_DOC: &str = "the link its connections go through; `none`: straight to the platform";

/// The word for no link; no link may be called so.
pub(crate) const NO_LINK_WORD: &str = "none";

/// Keys every `[[source]]` has.
pub(crate) static SOURCE_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what devices refer to"),
    Field::required("kind", Kind::Text, "which source"),
];

/// Keys every `[[device]]` has.
pub(crate) static DEVICE_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what checks and injections refer to; its hardware id"),
    Field::optional(
        "count",
        Kind::Integer { min: 1, max: COUNT_MAX },
        "makes so many devices of the table, named NAME-1 to NAME-9, NAME-01 to NAME-50, ...",
    ),
    Field::required(
        "at",
        Kind::Text,
        "where it is connected: `source:NAME`, or with a `[grid]` also `load:NAME`; `load:*` or \
         another pattern makes a device for each of the loads, named by this name, a dash and the \
         load's",
    ),
    Field::required("model", Kind::Text, "which device model"),
    Field::default(
        "as",
        Kind::Choice(&["simulated", "emulated", "hardware"]),
        "\"simulated\"",
        "how it is there; this version has simulated devices only",
    ),
    Field::default("under_test", Kind::Boolean, "false", "whether it is what the run judges"),
    Field::default("via", Kind::Name, NO_LINK, VIA_DOC),
    Field::default(
        "nodelay",
        Kind::Boolean,
        "true",
        "TCP_NODELAY of its connection; off, Nagle's algorithm may hold small packets back",
    ),
    Field::default(
        "keep_alive",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 65_535.0 },
        "\"10 s\"",
        "MQTT keep-alive, in whole seconds of wall time: a silent broker is noticed after one to \
         two of them; `0 s`: none",
    ),
    Field::default(
        "acknowledge_limit",
        Kind::Quantity { dimension: Dimension::Time, min: 0.1, max: 86_400.0 },
        "\"30 s\"",
        "wall time a message may stay unacknowledged before its connection counts as lost",
    ),
];

/// Keys of `[[observer]]`.
pub(crate) static OBSERVER_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what checks refer to"),
    Field::default("via", Kind::Name, NO_LINK, VIA_DOC),
    Field::default(
        "devices",
        Kind::Text,
        "\"*\"",
        "whose messages it subscribes to: the name of a device, or a pattern with *",
    ),
    Field::default(
        "connections",
        Kind::Choice(&["one", "per-device"]),
        "\"one\"",
        "one: a single subscriber, like a head-end; per-device: one for each device, so that none \
         waits behind another's messages (needs devices with `input_topic = \"bound\"`)",
    ),
];

/// Keys of `[[link]]`: its name, and those that the package of the links reads.
pub(crate) static LINK_FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let name = Field::required("name", Kind::Name, "what `via` and injections refer to");
    std::iter::once(name).chain(impair::LINK_FIELDS.iter().copied()).collect()
});

/// Keys every `[[inject]]` has.
pub(crate) static INJECT_FIELDS: &[Field] = &[
    Field::optional("name", Kind::Name, "what overrides call it; else its number"),
    Field::required(
        "at",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
        "when it happens, since the start",
    ),
    Field::required("kind", Kind::Text, "which injection"),
];

/// Keys of `[expect]`.
pub(crate) static EXPECT_FIELDS: &[Field] = &[
    Field::required(
        "verdict",
        Kind::Choice(&["fail", "inconclusive"]),
        "how the named check has to end",
    ),
    Field::required(
        "check",
        Kind::Name,
        "the check that has to end so; no other one may fail or end in error",
    ),
    Field::required("twin_of", Kind::Text, "the check it mirrors, as `SCENARIO/CHECK`"),
];

/// The injection `command`, which the runner carries out itself.
pub(crate) static COMMAND: Entry = Entry {
    name: "command",
    summary: "a command to a device, given through the platform's interface",
    description: "The bench asks the platform over REST to invoke a command on a device, as an \
        application would, and waits for the acknowledgement. `command` holds the command's `name` \
        and its parameters: `command = { name = \"setReportingPeriod\", seconds = 5 }`. The platform \
        knows a device from its first reading on, so no command can come before. A command that is \
        refused, fails, expires or is never answered, and that no `command_ack` check judges, \
        makes the run inconclusive: what it was to test did not happen.",
    fields: &[
        Field::required("device", Kind::Name, "the device it is for"),
        Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
        Field::default("refused", Kind::Boolean, "false", "whether the device has to refuse it"),
    ],
};

/// The injection `kill`, which the runner carries out itself.
pub(crate) static KILL: Entry = Entry {
    name: "kill",
    summary: "the platform's process is killed and started again",
    description: "While messages are on their way the platform's process gets SIGKILL, as from a \
        power failure of its host, and is started again on the same data. Needs a platform that is \
        a child process: `use = \"child\"` under `[platform]`.",
    fields: &[Field::default("target", Kind::Choice(&["platform"]), "\"platform\"", "what dies")],
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
        description: "What it says comes on top of what the link does anyway: delays add up, losses \
            are further causes of their own, a bandwidth is one more line in series. Connections \
            stay. In virtual time the same law is computed for each message, and what comes out is \
            labelled modelled. Two impairments of one link may follow each other, but not overlap.",
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
        (`acknowledge_limit`) or the keep-alive. `stall`: connections stay, everything is held, and \
        comes out in order afterwards.\n\n\
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
/// that happens to a source.
#[derive(Clone, Copy)]
pub(crate) enum InjectKind {
    Command,
    Kill,
    Impair,
    Disconnect,
    Device(&'static InjectionKind),
    Source(&'static SourceInjection),
}

impl InjectKind {
    pub(crate) fn entry(self) -> &'static Entry {
        match self {
            Self::Command => &COMMAND,
            Self::Kill => &KILL,
            Self::Impair => &IMPAIR,
            Self::Disconnect => &DISCONNECT,
            Self::Device(kind) => &kind.entry,
            Self::Source(kind) => &kind.entry,
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let own = [Self::Command, Self::Kill, Self::Impair, Self::Disconnect];
        let sources = SOURCE_INJECTIONS.iter().map(Self::Source);
        own.into_iter().chain(INJECTIONS.iter().map(Self::Device)).chain(sources)
    }
}

/// A section whose tables repeat, with what its tables may be.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// The key in the file.
    pub(crate) name: &'static str,
    /// The key that says which entry a table is, if its tables are of several kinds.
    pub(crate) kind_key: Option<&'static str>,
    /// What an entry is called in messages.
    pub(crate) noun: &'static str,
    /// What the section is for.
    pub(crate) doc: &'static str,
    /// The keys all its tables have.
    pub(crate) fields: &'static [Field],
}

pub(crate) static SOURCE: Section = Section {
    name: "source",
    kind_key: Some("kind"),
    noun: "source kind",
    doc: "What makes voltage and current.",
    fields: SOURCE_FIELDS,
};
pub(crate) static DEVICE: Section = Section {
    name: "device",
    kind_key: Some("model"),
    noun: "device model",
    doc: "A device, or with `count` many alike. An override addresses the table and with it all \
        of them: `--set device.meter.report_every=\"5 s\"`.",
    fields: DEVICE_FIELDS,
};
pub(crate) static OBSERVER: Section = Section {
    name: "observer",
    kind_key: None,
    noun: "observer",
    doc: "A subscriber of the bench, which receives what devices publish: where a latency path \
        ends in `received`. With `via` it sits behind that link's down leg. In virtual time what \
        it receives is modelled.",
    fields: OBSERVER_FIELDS,
};
pub(crate) static INJECT: Section = Section {
    name: "inject",
    kind_key: Some("kind"),
    noun: "injection",
    doc: "Something that is done to the bench at an instant.",
    fields: INJECT_FIELDS,
};

pub(crate) static GRID_LOAD: Section = Section {
    name: "grid.load",
    kind_key: Some("profile"),
    noun: "load profile",
    doc: "What a load of the network draws over time, or several loads whose names fit a pattern. \
        Several tables about one load add up. What no table is about keeps what the network's \
        file says. An override addresses a table by that name or pattern, `--set \
        grid.load.h1.peak=\"4 kW\"`, and where several have it with the number among them: `--set \
        grid.load.h1.2.peak=\"4 kW\"`.",
    fields: LOAD_FIELDS,
};
pub(crate) static GRID_DEFECT: Section = Section {
    name: "grid.defect",
    kind_key: Some("kind"),
    noun: "defect",
    doc: "Something that is wrong with the plant: what makes meters and the declared network \
        disagree. An override addresses one by its name, or by its number: `--set \
        grid.defect.1.share=\"20 %\"`.",
    fields: DEFECT_FIELDS,
};

/// The section of links; its keys are put together when they are asked for.
pub(crate) fn link_section() -> Section {
    Section {
        name: "link",
        kind_key: None,
        noun: "link",
        doc: "What is between devices or observers and the platform, leg by leg: `up` is towards \
            the platform, `down` from it. Each device and each observer's connection has a lane of \
            its own, so that none waits behind another's messages. In real time a TCP proxy on \
            this machine does it, in virtual time the same law is computed. It ends TCP: the \
            kernels see the loopback interface, not the link.",
        fields: &LINK_FIELDS,
    }
}

/// The section of checks; its common keys belong to the package of the checks.
pub(crate) fn check_section() -> Section {
    Section {
        name: "check",
        kind_key: Some("kind"),
        noun: "check",
        doc: "What is judged.",
        fields: CHECK_FIELDS,
    }
}

/// The sections whose tables repeat, in the order of a file.
pub(crate) fn sections() -> [Section; 8] {
    [GRID_LOAD, GRID_DEFECT, SOURCE, link_section(), DEVICE, OBSERVER, INJECT, check_section()]
}

/// A section that stands once.
#[derive(Clone, Copy)]
pub(crate) struct SingleSection {
    /// The key in the file.
    pub(crate) name: &'static str,
    /// What the section is for.
    pub(crate) doc: &'static str,
    /// Its keys.
    pub(crate) fields: &'static [Field],
}

/// The sections that stand once, with their keys.
pub(crate) fn single_sections() -> [SingleSection; 7] {
    [
        SingleSection { name: "scenario", doc: "The experiment.", fields: SCENARIO_FIELDS },
        SingleSection { name: "platform", doc: "What it runs against.", fields: PLATFORM_FIELDS },
        SingleSection {
            name: "floor",
            doc: "How the floor is measured: what this machine, its timers and the broker cost by \
                themselves, before and after a run in real time. A latency limit below ten times \
                the floor's 99th percentile is not measurable here.",
            fields: FLOOR_FIELDS,
        },
        SingleSection {
            name: "suite",
            doc: "A standard's tests, one operating point after another at a source of its own, to \
                which the device is connected with `at = \"source:suite\"`. How long the scenario \
                lasts follows from the plan. Checks of kind `suite` judge it. `lastmeter list \
                suites` shows which come along, `lastmeter explain` one of them all its limits.",
            fields: SUITE_FIELDS,
        },
        SingleSection {
            name: "calibration",
            doc: "A meter is calibrated against a reference meter, both `at = \
                \"source:calibration\"`: a sweep of the errors before, the points the procedure \
                measures at, the same sweep after. The bench computes coefficients from what both \
                reported through the platform, and sends them to the meter's registers as \
                commands. How long the scenario lasts follows from the plan. Checks of kind \
                `calibration` judge it.",
            fields: CALIBRATION_FIELDS,
        },
        SingleSection {
            name: "grid",
            doc: "A network in the plant. Its power flow is solved for every step before anything \
                runs, so that each load and each feeding point has voltages and currents of its \
                own. A device is connected to a load with `at = \"load:NAME\"`, one to each of \
                several with a pattern (`at = \"load:*\"`, named by the table's name and the \
                load's), and to a feeding point with `at = \"source:NAME\"`. What the loads draw \
                stands in `[[grid.load]]`, what is wrong with the plant in `[[grid.defect]]`.",
            fields: GRID_FIELDS,
        },
        SingleSection {
            name: "expect",
            doc: "Makes the scenario a must-fail twin.",
            fields: EXPECT_FIELDS,
        },
    ]
}

impl Section {
    /// The section it stands in, and its key there; `None` if it stands by itself.
    pub(crate) fn within(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once('.')
    }

    /// Whether several of its tables may have the same name, which then is that of something else.
    pub(crate) fn may_share_names(&self) -> bool {
        self.name == GRID_LOAD.name
    }

    /// The entries that may stand in it; none if its tables are of one kind.
    pub(crate) fn entries(&self) -> Vec<&'static Entry> {
        match self.name {
            "source" => SOURCES.iter().map(|kind: &SourceKind| &kind.entry).collect(),
            "device" => DEVICES.iter().map(|kind: &DeviceKind| &kind.entry).collect(),
            "inject" => InjectKind::all().map(InjectKind::entry).collect(),
            "check" => CHECKS.iter().map(|kind: &CheckKind| &kind.entry).collect(),
            "grid.load" => Profile::ALL.into_iter().map(Profile::entry).collect(),
            "grid.defect" => DefectKind::ALL.into_iter().map(DefectKind::entry).collect(),
            _ => Vec::new(),
        }
    }

    /// The entry a table says it is, if it says so.
    pub(crate) fn entry_of(&self, table: &Table) -> Option<&'static Entry> {
        let kind = table.text(self.kind_key?)?;
        self.entries().into_iter().find(|entry| entry.name == kind)
    }
}

/// One registered source, link, device, injection or check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registered {
    /// The section it may stand in: `source`, `link`, `device`, `inject`, `check`, `grid.load` or
    /// `grid.defect`.
    pub section: &'static str,
    /// The word in a scenario.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it is, at length.
    pub description: &'static str,
    /// The keys it adds to its table, besides those every table of its section has.
    pub fields: &'static [Field],
}

/// Everything that is registered, section by section.
pub fn registry() -> Vec<Registered> {
    sections().into_iter().flat_map(|section| section.registered()).collect()
}

/// The names of all sections.
pub fn section_names() -> impl Iterator<Item = &'static str> {
    let single = single_sections().into_iter().map(|section| section.name);
    single.chain(sections().into_iter().map(|section| section.name))
}

impl Section {
    /// What is registered in it: its entries, or the presets of links.
    fn registered(&self) -> Vec<Registered> {
        let section = self.name;
        let of_entry = |entry: &'static Entry| {
            let Entry { name, summary, description, fields } = *entry;
            Registered { section, name, summary, description, fields }
        };
        if section == "link" {
            let of_preset = |preset: &'static impair::Preset| {
                let impair::Preset { name, summary, description, .. } = *preset;
                Registered { section, name, summary, description, fields: &[] }
            };
            return PRESETS.iter().map(of_preset).collect();
        }
        self.entries().into_iter().map(of_entry).collect()
    }
}
