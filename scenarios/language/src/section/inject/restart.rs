//! `restart`: a gateway loses its supply and starts again.

use lastmeter_params::{Entry, Field, Kind};

use super::injection::Injection;
use super::kind::InjectKind;
use super::order::Order;
use super::target::Places;
use crate::draft::Row;
use crate::references::Target;

pub(super) struct Restart;

impl InjectKind for Restart {
    fn entry(&self) -> Entry {
        Entry {
            name: "restart",
            summary: "a gateway loses its supply and starts again",
            description: "What the gateway held in memory is gone; it starts again at once with \
                what it kept durably. Its devices and their network stay as they are.",
            fields: FIELDS,
        }
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("gateway")?;
        places.gateways.find(name, span, places.out).map(Target::Gateway)
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        match injection.target {
            Target::Gateway(gateway) => vec![Order::RestartGateway(gateway)],
            _ => Vec::new(),
        }
    }
}

const FIELDS: &[Field] = &[Field::required("gateway", Kind::Name, "the gateway it befalls")];
