//! `[[network]]`: a medium between devices and the gateway that asks them.

use std::sync::Arc;

use lastmeter_link::medium::{NETWORKS, NetworkKind};
use lastmeter_params::{Field, Kind, Values};

use crate::language::draft::{Row, Section};

pub(crate) static NETWORK: Section = Section {
    name: "network",
    noun: "network",
    doc: "A field network: a medium with its rate and its faults between devices that do not \
        speak to the platform themselves and the gateway that carries their readings. Devices and \
        gateways are put on it with `on = \"network:NAME\"`.",
    fields: &[
        Field::required("name", Kind::Name, "what `on` refers to"),
        Field::required("kind", Kind::Text, "which kind of network"),
    ],
    kind: Some(("kind", "kind of network")),
    entries: || NETWORKS.iter().map(|kind| kind.entry).collect(),
    heading: "networks",
    ..Section::REPEATED
};

/// A field network.
#[derive(Clone)]
pub struct NetworkRow {
    /// Its name.
    pub name: String,
    /// The registered kind.
    pub kind: &'static NetworkKind,
    pub(crate) values: Arc<Values>,
}

/// The registered kind of a table.
pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static NetworkKind> {
    row.kind_of(NETWORKS, |kind| &kind.entry)
}

pub(crate) fn network(row: &Row<'_>) -> Option<NetworkRow> {
    let values = Arc::clone(row.values.as_ref()?);
    Some(NetworkRow { name: row.name()?.to_owned(), kind: kind_of(row)?, values })
}
