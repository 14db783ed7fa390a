//! An interface protection in the switch of a load, which may be a generator.

use super::{Act, Cause, Device, DeviceInputs, Move};
use crate::motion::OperationKind;
use crate::protection::{Interface, InterfaceCause, InterfaceEvent, InterfaceView};
use crate::transient::Pole;

/// The device, its load, and how that comes back.
#[derive(Clone, Debug)]
pub struct InterfaceProtection {
    interface: Interface,
    load: usize,
    ramp_s: f64,
}

impl InterfaceProtection {
    /// In the switch of a load, by its index in the network, whose power rises from nothing in so
    /// many seconds after a reconnection.
    #[must_use]
    pub const fn new(interface: Interface, load: usize, ramp_s: f64) -> Self {
        Self { interface, load, ramp_s }
    }
}

impl Device for InterfaceProtection {
    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64> {
        self.interface.due_in(seen.voltages)
    }

    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act> {
        let act = |event: InterfaceEvent| match event {
            InterfaceEvent::Tripped(cause) => {
                (Move::Stay, OperationKind::Tripped, disconnected_by(cause, seen.voltages))
            }
            InterfaceEvent::Opened => (Move::Open(Pole::All), OperationKind::Opened, String::new()),
            InterfaceEvent::Closed => {
                (Move::Close, OperationKind::Closed, "the network has come back".to_owned())
            }
        };
        let acts = self.interface.step(dt_s, seen.voltages).into_iter().map(|it| {
            let (moves, kind, detail) = act(it.event);
            Act { after_s: it.after_s, moves, kind, detail, cause: Cause::Other }
        });
        acts.collect()
    }

    fn hold(&mut self) {
        self.interface.hold();
    }

    fn goes_on(&mut self) -> bool {
        self.interface.close();
        true
    }

    fn load(&self) -> Option<usize> {
        Some(self.load)
    }

    fn has_disconnected(&self) -> bool {
        self.interface.is_open()
    }

    fn ramp_s(&self) -> f64 {
        self.ramp_s
    }

    fn know_frequency(&mut self, course: &[(i64, f64)]) {
        self.interface = self.interface.clone().with_frequency(course);
    }
}

fn disconnected_by(cause: InterfaceCause, seen: &InterfaceView) -> String {
    let voltages: Vec<String> =
        seen.voltages_pu.iter().map(|it| format!("{:.1} %", 100.0 * it)).collect();
    let voltages = voltages.join(", ");
    match cause {
        InterfaceCause::Undervoltage(stage) => {
            format!("by undervoltage, stage {}: {voltages}", stage + 1)
        }
        InterfaceCause::Overvoltage(stage) => {
            format!("by overvoltage, stage {}: {voltages}", stage + 1)
        }
        InterfaceCause::MeanOvervoltage => {
            format!("by the voltage over ten minutes: now {voltages}")
        }
        InterfaceCause::Underfrequency => "by underfrequency".to_owned(),
        InterfaceCause::Overfrequency => "by overfrequency".to_owned(),
    }
}
