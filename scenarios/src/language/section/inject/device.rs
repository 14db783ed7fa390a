//! Faults of devices, which their own package registers.

use lastmeter_devices::InjectionKind;
use lastmeter_params::{Code, Diagnostics, Entry};

use super::injection::Injection;
use super::kind::{InjectKind, PlacedDevice};
use super::order::Order;
use super::target::{Places, Target};
use crate::language::draft::Row;
use crate::language::section::device::is_hardware;

impl InjectKind for InjectionKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        places.device(row)
    }

    fn fits(&self, row: &Row<'_>, device: &PlacedDevice<'_>, out: &mut Diagnostics) {
        if is_hardware(device.table) {
            let (name, span) = row.text("device").unwrap_or(("", row.span));
            let message = format!("`{name}` is hardware, out of reach of injections");
            out.report(Code::DOES_NOT_FIT, span, message, "expected a simulated device");
        }
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let fault = (self.build)(&injection.values, injection.instant);
        let order = |&device: &usize| Order::Fault { device, fault: fault.clone() };
        injection.devices().iter().map(order).collect()
    }
}
