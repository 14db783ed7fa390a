//! The keys of a board file.

use lastmeter_params::{Dimension, Field, Kind};

use super::{Language, PortRole};

const fn time(min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Time, min, max }
}

const WORDS: Kind = Kind::List(&Kind::Text);

pub(super) static BOARD: &[Field] = &[
    Field::required("name", Kind::Name, "how locks, lists and reports refer to it"),
    Field::default("summary", Kind::Text, "\"\"", "what it is, in a line"),
    Field::required("language", Kind::Choice(Language::WORDS), "what its port speaks"),
    Field::default(
        "node",
        Kind::Integer { min: 1, max: 31 },
        "1",
        "of a meter node: its number on the network",
    ),
    Field::default("answer_within", time(1e-3, 600.0), "\"1 s\"", "how long an answer may take"),
    Field::optional(
        "span_window",
        time(1e-3, 86_400.0),
        "what a mean of a reading covers up to its end; without it, everything since the reading \
         before",
    ),
    Field::default(
        "span_earliest",
        time(0.0, 86_400.0),
        "\"0 s\"",
        "how long before it was asked for what a reading covers may end",
    ),
    Field::default(
        "span_latest",
        time(0.0, 86_400.0),
        "\"0 s\"",
        "how long after it was asked for what a reading covers may end",
    ),
    Field::optional(
        "register_earliest",
        time(0.0, 86_400.0),
        "how long before it was asked for a register (energy) may have stood so, where that is \
         less than `span_earliest`",
    ),
];

pub(super) static READY: &[Field] = &[
    Field::optional(
        "banner",
        Kind::Text,
        "the line by which it reports that it has started, with `{version}`, `{node}` and \
         `{image}` where these stand; `*` is any text",
    ),
    Field::default("within", time(1e-3, 600.0), "\"3 s\"", "how long its start may take"),
    Field::optional("version", Kind::Text, "the version that the banner has to have"),
];

pub(super) static EMULATED: &[Field] = &[
    Field::default("machine", Kind::Text, "\"stm32vldiscovery\"", "the machine that QEMU emulates"),
    Field::required(
        "firmware",
        Kind::Text,
        "the image that runs: the name of one that is built here (`meter`), or the path of an ELF \
         file",
    ),
    Field::default(
        "ports",
        Kind::List(&Kind::Choice(PortRole::WORDS)),
        "[\"network\", \"bench\"]",
        "what its serial ports are, in their order",
    ),
    Field::default(
        "deterministic",
        Kind::Boolean,
        "false",
        "whether instructions are counted, so that the firmware's own clock repeats itself",
    ),
];

pub(super) static HARDWARE: &[Field] = &[
    Field::required(
        "line",
        Kind::Text,
        "where its port is: `tty:/dev/serial/by-id/...`, `tcp:HOST:PORT`, `unix:PATH`",
    ),
    Field::default("baud", Kind::Integer { min: 50, max: 4_000_000 }, "115200", "its baud rate"),
    Field::default(
        "parity",
        Kind::Choice(&["none", "even", "odd"]),
        "\"none\"",
        "the parity bit of a byte",
    ),
    Field::default("data_bits", Kind::Integer { min: 5, max: 8 }, "8", "data bits of a byte"),
    Field::default("stop_bits", Kind::Integer { min: 1, max: 2 }, "1", "stop bits of a byte"),
    Field::default(
        "can_bit_rate",
        Kind::Integer { min: 10_000, max: 1_000_000 },
        "125000",
        "of a meter node: bits per second of the CAN bus behind its adapter",
    ),
    Field::optional("power_on", WORDS, "the command that gives it its supply: program, arguments"),
    Field::optional("power_off", WORDS, "the command that takes its supply away"),
    Field::default("power_settle", time(0.0, 600.0), "\"500 ms\"", "the wait after each of both"),
    Field::optional("flash", WORDS, "the command that writes `{image}` into it"),
    Field::optional("image", Kind::Text, "the path of the image that is to be in it"),
    Field::default("command_within", time(1e-3, 3600.0), "\"60 s\"", "how long a command may take"),
];
