//! `restart`: a gateway loses its supply and starts again; `stop_application`: an application is
//! killed for a while.

use lastmeter_params::{Diagnostics, Entry, Field, Kind};

use super::injection::{FOR, Injection, report_late_end};
use super::kind::InjectKind;
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row};
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

pub(super) struct StopApplication;

impl InjectKind for StopApplication {
    fn entry(&self) -> Entry {
        Entry {
            name: "stop_application",
            summary: "an application is killed, and started again after a while",
            description: "What it held in memory is gone; what it has to know when it starts again \
                it reads from the platform.",
            fields: STOP_FIELDS,
        }
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        report_late_end(row, draft, out);
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("application")?;
        places.applications.find(name, span, places.out).map(Target::Application)
    }

    fn excludes(&self, one: &Target, other: &Target) -> bool {
        one == other
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        runs(injection, false)
    }

    fn end(&self, injection: &Injection) -> Vec<Order> {
        runs(injection, true)
    }
}

fn runs(injection: &Injection, runs: bool) -> Vec<Order> {
    match injection.target {
        Target::Application(application) => vec![Order::Application { application, runs }],
        _ => Vec::new(),
    }
}

const STOP_FIELDS: &[Field] =
    &[Field::required("application", Kind::Name, "the application it befalls"), FOR];
