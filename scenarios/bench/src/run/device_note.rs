//! Something a device reported besides its messages.

use lastmeter_record::{Event, field};
use lastmeter_units::SimTime;

#[derive(Clone, Debug)]
pub(crate) struct DeviceNote {
    pub(crate) at: SimTime,
    /// What kind, in the word of the record.
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    /// The device that it is about, if a gateway reports it of one.
    pub(crate) about: Option<String>,
}

impl DeviceNote {
    /// About nobody but its sender.
    pub(crate) fn new(at: SimTime, kind: &'static str, detail: String) -> Self {
        Self { at, kind, detail, about: None }
    }

    /// For people, of the device with this name.
    pub(crate) fn words(&self, device: &str) -> String {
        let about = self.about.as_deref().map(|about| format!(" {about}")).unwrap_or_default();
        format!("{device} {}{about}: {}", self.kind, self.detail)
    }

    /// As the record takes it, of the device with this name.
    pub(crate) fn event(&self, device: &str) -> Event {
        let event = Event::device(self.at, device, self.kind, &self.detail);
        match &self.about {
            Some(about) => event.with(field::DEVICE, about.as_str()),
            None => event,
        }
    }
}
