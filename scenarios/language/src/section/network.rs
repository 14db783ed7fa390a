//! `[[network]]`: a medium between devices and the gateway that asks them.

use std::sync::Arc;

use lastmeter_link::channel::ChannelAddress;
use lastmeter_link::medium::{MediumSpec, NETWORKS, NetworkKind};
use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values};

use super::scenario::is_in_real_time;
use crate::draft::{Draft, Row, Section};

/// The key of the real line that a network is.
pub(super) const LINE: &str = "line";

/// The key of how often a device is read by whoever is at the other end.
pub(super) const POLL_EVERY: &str = "poll_every";

pub(crate) static NETWORK: Section = Section {
    name: "network",
    noun: "network",
    doc: "A field network: a medium with its rate and its faults between devices that do not \
        speak to the platform themselves and the gateway that carries their readings. Devices and \
        gateways are put on it with `on = \"network:NAME\"`.",
    fields: &[
        Field::required("name", Kind::Name, "what `on` refers to"),
        Field::required("kind", Kind::Text, "which kind of network"),
        Field::optional(
            LINE,
            Kind::Text,
            "the real line that it is, in real time: `pty:PATH`, `tty:PATH`, `tcp:HOST:PORT`, \
             `tcp-listen:HOST:PORT`, `udp:HOST:PORT`. With a gateway here its devices are at the \
             other end (`as = \"hardware\"`), without one whoever reads the devices that are \
             simulated here; without this key the line is simulated. A CAN bus is simulated in any \
             case, and whoever is at the other end is on it by an SLCAN adapter",
        ),
        Field::optional(
            POLL_EVERY,
            Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 86_400.0 },
            "how often whoever is at the other end of `line` reads each device and sends the \
             reading to the platform; where the gateway is here, that is its affair",
        ),
    ],
    kind: Some(("kind", "kind of network")),
    entries: || NETWORKS.iter().map(|kind| kind.entry).collect(),
    heading: "networks",
    rules: &[report_unusable_lines, report_unfit_keys],
    ..Section::REPEATED
};

/// A field network.
#[derive(Clone)]
pub struct NetworkRow {
    /// The network's name.
    pub name: String,
    /// The registered kind.
    pub kind: &'static NetworkKind,
    /// The real line that it is; `None`: it is simulated.
    pub line: Option<ChannelAddress>,
    /// Its keys.
    pub values: Arc<Values>,
}

impl NetworkRow {
    /// What its medium is like; `None` if its keys do not fit together.
    fn spec(&self) -> Option<MediumSpec> {
        (self.kind.build)(&self.values, &mut Diagnostics::new())
    }

    /// The rate at which its parties begin, where it has one for all of them.
    pub fn bits_per_second(&self) -> Option<u32> {
        self.spec()?.bits_per_second()
    }

    /// Whether what is asked and answered on it is recorded.
    pub fn records_exchanges(&self) -> bool {
        self.spec().is_some_and(|spec| spec.records_exchanges())
    }

    /// Whether a real line can be it; to what carries no bytes a real line leads, by an adapter.
    pub fn carries_bytes(&self) -> bool {
        self.spec().is_none_or(|spec| spec.carries_bytes())
    }

    /// Whether what passes on it is kept in files of the run folder.
    pub fn is_captured(&self) -> bool {
        self.spec().is_some_and(|spec| spec.is_captured())
    }
}

/// The registered kind of a table.
pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static NetworkKind> {
    row.kind_of(NETWORKS, |kind| &kind.entry)
}

pub(crate) fn network(row: &Row<'_>) -> Option<NetworkRow> {
    let values = Arc::clone(row.values.as_ref()?);
    // That it is an address was looked at before.
    let line = values.text_opt(LINE).map(str::parse).transpose().ok()?;
    Some(NetworkRow { name: row.name()?.to_owned(), kind: kind_of(row)?, line, values })
}

/// Each medium has to be one that its kind can make.
fn report_unfit_keys(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&NETWORK) {
        if let Some((kind, values)) = kind_of(row).zip(row.values.as_ref()) {
            (kind.build)(values, out);
        }
    }
}

/// A real line has an address, is there in real time only, and is one for all on it.
fn report_unusable_lines(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&NETWORK) {
        report_unusable_line(row, draft, out);
    }
}

/// The line of a network or a device has an address, and is there in real time only.
pub(super) fn report_unusable_line(row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some((address, span)) = row.text(LINE) else { return };
    if let Err(error) = address.parse::<ChannelAddress>() {
        out.report(Code::OUT_OF_RANGE, span, error.to_string(), "no address of a line");
    }
    if !is_in_real_time(draft) {
        let message = "whoever is at the other end of a real line has a clock of their own";
        let help = "write `time = \"real\"` under `[scenario]`, or leave `line` out: the line is \
                    simulated then";
        let label = "not in virtual time";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}
