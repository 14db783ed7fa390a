//! Something a device said besides its messages.

use lastmeter_record::Event;
use lastmeter_units::SimTime;

/// What, and when.
#[derive(Clone, Debug)]
pub(crate) struct DeviceNote {
    pub(crate) at: SimTime,
    /// What kind, in the word of the record.
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
}

impl DeviceNote {
    /// As the record takes it, of the device with this name.
    pub(crate) fn event(&self, device: &str) -> Event {
        Event::device(self.at, device, self.kind, &self.detail)
    }
}
