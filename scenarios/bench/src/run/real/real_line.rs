//! A network that is a real line.

use lastmeter_language::NetworkRow;
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelSettings};
use lastmeter_units::SimTime;

use crate::output::print_err;
use crate::run::device_note::DeviceNote;
use crate::run::error::{BenchError, chain};
use crate::run::field::Field;

/// Where a network is on a real line, and how.
#[derive(Clone, Debug)]
pub(crate) struct RealLine {
    /// Its place among the networks of whoever serves it.
    pub(crate) network: usize,
    /// What the scenario calls the network.
    pub(crate) name: String,
    pub(crate) address: ChannelAddress,
    pub(crate) settings: ChannelSettings,
}

impl RealLine {
    /// The real line of a network, if it is one.
    pub(crate) fn of(row: &NetworkRow, network: usize) -> Option<Self> {
        let baud = row.bits_per_second().unwrap_or(ChannelSettings::M_BUS.baud);
        let settings = if row.carries_bytes() {
            ChannelSettings { baud, ..ChannelSettings::M_BUS }
        } else {
            ChannelSettings::SLCAN
        };
        let address = row.line.clone()?;
        Some(Self { network, name: row.name.clone(), address, settings })
    }

    /// The real lines of a field's nodes.
    pub(crate) fn of_nodes(field: &Field) -> impl Iterator<Item = Self> {
        field.real_nodes().map(|(network, name, address)| Self {
            network,
            name: name.to_owned(),
            address: address.clone(),
            settings: ChannelSettings::SLCAN,
        })
    }

    /// Opens it, and prints where it is.
    pub(crate) async fn open(&self) -> Result<Channel, BenchError> {
        let opened = Channel::open(&self.address, self.settings).await;
        let channel = opened.map_err(|error| BenchError::Line {
            network: self.name.clone(),
            message: chain(&error),
        })?;
        print_err(&format!(
            "`{}` is at {}; the run begins once somebody is there",
            self.name,
            channel.place()
        ));
        Ok(channel)
    }
}

/// Something about a line, for the record.
pub(crate) fn line_note(at: SimTime, kind: &'static str, name: &str, detail: &str) -> DeviceNote {
    let detail = match detail {
        "" => format!("network `{name}`"),
        detail => format!("network `{name}`: {detail}"),
    };
    DeviceNote::new(at, kind, detail)
}
