//! Faults of devices and what happens to sources, which their own packages register.

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Presence};

use super::injection::{Injection, report_late_end};
use super::kind::{InjectKind, PlacedDevice};
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row};
use crate::references::Target;
use crate::section::device::{is_hardware, kind_of};

/// A fault of a device.
impl InjectKind for lastmeter_devices::InjectionKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        places.device(row)
    }

    fn validate_target(&self, row: &Row<'_>, device: &PlacedDevice<'_>, out: &mut Diagnostics) {
        if is_hardware(device.table) {
            let (name, span) = row.text("device").unwrap_or(("", row.span));
            let message = format!("`{name}` is hardware, out of reach of injections");
            out.report(Code::DOES_NOT_FIT, span, message, "expected a simulated device");
        }
        if let (Some(network), Some(kind)) = (self.on, kind_of(device.table))
            && kind.on != Some(network)
        {
            let (name, span) = row.text("device").unwrap_or(("", row.span));
            let message = format!("`{name}` is on no network of kind `{network}`");
            let label = format!("expected a device of a model for `{network}`");
            out.report(Code::DOES_NOT_FIT, span, message, label);
        }
    }

    /// The end of one would end the other, of those that last and befall all of the device.
    fn excludes(&self, one: &Target, other: &Target) -> bool {
        let fields = self.entry.fields;
        let lasts = fields.iter().any(|field| field.name == "for");
        // Such as which of its tasks.
        let is_part = |field: &Field| {
            field.presence == Presence::Required && matches!(field.kind, Kind::Choice(_))
        };
        lasts && one == other && !fields.iter().any(is_part)
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let fault = (self.build)(&injection.values, injection.instant);
        let order = injection.device().map(|device| Order::Fault { device, fault });
        order.into_iter().collect()
    }
}

/// What happens to a source.
impl InjectKind for lastmeter_sim::InjectionKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        report_late_end(row, draft, out);
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("source")?;
        let label = "expected a source that is written here";
        if places.player == Some(name) {
            let message =
                format!("nothing can be injected into `{name}`, which plays its plan's points");
            let section = name.replace('-', "_");
            let help = format!(
                "leave the injection out, or write a `[[source]]` of its own instead of \
                 `[{section}]`"
            );
            places.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
            return None;
        }
        if places.sources.position(name).is_some_and(|place| place >= places.grid_from) {
            let message = format!("nothing can be injected into `{name}`, which the network feeds");
            places.out.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        places.sources.find(name, span, places.out).map(Target::Source)
    }
}
