//! The sections of the language: the keys their tables share, and the entries registered in them.

use lastmeter_devices::{DEVICES, DeviceKind, INJECTIONS, InjectionKind};
use lastmeter_params::{Dimension, Entry, Field, Kind};
use lastmeter_reports::{CHECK_FIELDS, CHECKS, CheckKind};
use lastmeter_sim::{SOURCES, SourceKind};

/// The version of the language that is read and written here.
pub(crate) const FORMAT: i64 = 1;

/// The longest scenario: ten years, so that every instant stays within a 64-bit nanosecond count.
const DURATION_S_MAX: f64 = 10.0 * 365.25 * 86_400.0;

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
        "virtual: done as fast as possible, latency not judged; real: not in this version",
    ),
    Field::default(
        "start",
        Kind::Instant,
        "2027-01-01T00:00:00Z",
        "event time of the first sample",
    ),
    Field::required(
        "duration",
        Kind::Quantity { dimension: Dimension::Time, min: 0.001, max: DURATION_S_MAX },
        "how long it lasts in event time",
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
];

/// Keys every `[[source]]` has.
pub(crate) static SOURCE_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what devices refer to"),
    Field::required("kind", Kind::Text, "which source"),
];

/// Keys every `[[device]]` has.
pub(crate) static DEVICE_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what checks and injections refer to; its hardware id"),
    Field::required("at", Kind::Text, "where it is connected: `source:NAME`"),
    Field::required("model", Kind::Text, "which device model"),
    Field::default(
        "as",
        Kind::Choice(&["simulated", "emulated", "hardware"]),
        "\"simulated\"",
        "how it is there; this version has simulated devices only",
    ),
    Field::default("under_test", Kind::Boolean, "false", "whether it is what the run judges"),
];

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
    Field::required("verdict", Kind::Choice(&["fail"]), "how the named check has to end"),
    Field::required("check", Kind::Name, "the check that has to end so, and it alone"),
    Field::required("twin_of", Kind::Text, "the check it mirrors, as `SCENARIO/CHECK`"),
];

/// The injection `command`, which the runner carries out itself.
pub(crate) static COMMAND: Entry = Entry {
    name: "command",
    summary: "a command to a device, given through the platform's interface",
    description: "The bench asks the platform over REST to invoke a command on a device, as an \
        application would, and waits for the acknowledgement. `command` holds the command's `name` \
        and its parameters: `command = { name = \"setReportingPeriod\", seconds = 5 }`.",
    fields: &[
        Field::required("device", Kind::Name, "the device it is for"),
        Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
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

/// A registered injection: one the runner carries out itself, or a fault of a device.
#[derive(Clone, Copy)]
pub(crate) enum InjectKind {
    Command,
    Kill,
    Device(&'static InjectionKind),
}

impl InjectKind {
    pub(crate) fn entry(self) -> &'static Entry {
        match self {
            Self::Command => &COMMAND,
            Self::Kill => &KILL,
            Self::Device(kind) => &kind.entry,
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Self::Command, Self::Kill].into_iter().chain(INJECTIONS.iter().map(Self::Device))
    }
}

/// A section whose tables repeat, with what its tables may be.
pub(crate) struct Section {
    /// The key in the file.
    pub(crate) name: &'static str,
    /// The key that says which entry a table is.
    pub(crate) kind_key: &'static str,
    /// What an entry is called in messages.
    pub(crate) noun: &'static str,
    /// The keys all its tables have.
    pub(crate) fields: &'static [Field],
}

pub(crate) static SOURCE: Section =
    Section { name: "source", kind_key: "kind", noun: "source kind", fields: SOURCE_FIELDS };
pub(crate) static DEVICE: Section =
    Section { name: "device", kind_key: "model", noun: "device model", fields: DEVICE_FIELDS };
pub(crate) static INJECT: Section =
    Section { name: "inject", kind_key: "kind", noun: "injection", fields: INJECT_FIELDS };

/// The section of checks; its common keys belong to the package of the checks.
pub(crate) fn check_section() -> Section {
    Section { name: "check", kind_key: "kind", noun: "check", fields: CHECK_FIELDS }
}

/// The sections whose tables repeat, in the order of a file.
pub(crate) fn sections() -> [Section; 4] {
    let copy = |section: &Section| Section { ..*section };
    [copy(&SOURCE), copy(&DEVICE), copy(&INJECT), check_section()]
}

/// The sections that stand once, with their keys.
pub(crate) fn single_sections() -> [(&'static str, &'static [Field]); 3] {
    [("scenario", SCENARIO_FIELDS), ("platform", PLATFORM_FIELDS), ("expect", EXPECT_FIELDS)]
}

impl Section {
    /// The entries that may stand in it.
    pub(crate) fn entries(&self) -> Vec<&'static Entry> {
        match self.name {
            "source" => SOURCES.iter().map(|kind: &SourceKind| &kind.entry).collect(),
            "device" => DEVICES.iter().map(|kind: &DeviceKind| &kind.entry).collect(),
            "inject" => InjectKind::all().map(InjectKind::entry).collect(),
            _ => CHECKS.iter().map(|kind: &CheckKind| &kind.entry).collect(),
        }
    }
}

/// One registered source, device, injection or check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registered {
    /// The section it may stand in: `source`, `device`, `inject` or `check`.
    pub section: &'static str,
    /// Its name, texts and keys.
    pub entry: &'static Entry,
}

/// Everything that is registered, section by section.
pub fn registry() -> Vec<Registered> {
    let of = |section: Section| {
        let name = section.name;
        section.entries().into_iter().map(move |entry| Registered { section: name, entry })
    };
    sections().into_iter().flat_map(of).collect()
}
