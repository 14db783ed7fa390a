//! `simulator`: something goes wrong inside a simulator.

use lastmeter_devices::endpoint::EndpointFault;
use lastmeter_params::{Entry, Field, Kind};

use super::injection::{FOR, Injection};
use super::kind::InjectKind;
use super::order::Order;
use super::target::Places;
use crate::draft::Row;
use crate::references::Target;

pub(super) struct Simulator;

impl InjectKind for Simulator {
    fn entry(&self) -> Entry {
        Entry {
            name: "simulator",
            summary: "a simulator falls silent, repeats old values, loses frames, or is operated \
                by hand",
            description: "`silent`: no frames. `stale`: frames go on, with the measured values of \
                the last one. `lossy`: of `every` frames the one in the middle is lost. `manual`: \
                the point of role `mode` stands at 0, and what is written is not obeyed.",
            fields: FIELDS,
        }
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("simulator")?;
        places.simulators.find(name, span, places.out).map(Target::Simulator)
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let values = &injection.values;
        let until = values.duration_opt("for").map(|length| injection.instant + length);
        let fault = match values.text("what") {
            "silent" => EndpointFault::Silent { until },
            "stale" => EndpointFault::Stale { until },
            "manual" => EndpointFault::Manual { until },
            _ => {
                let every = u64::try_from(values.integer("every")).unwrap_or(1);
                EndpointFault::Lossy { every, until }
            }
        };
        vec![Order::Simulator(fault)]
    }
}

const FIELDS: &[Field] = &[
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
    FOR,
];
