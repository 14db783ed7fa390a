//! Which commands a device has, and how they come to it: those that all have, and those of its
//! specification.

use std::sync::Arc;

use lastmeter_model::documents::Documents;
use lastmeter_model::entity::{CommandBody, Delivery, Device, Specification};
use lastmeter_units::HardwareId;
use lastmeter_wire::commands::{self, Command};

/// The definitions of a tenant.
#[derive(Clone, Debug)]
pub(crate) struct Definitions(pub(crate) Arc<Documents>);

impl Definitions {
    /// The token of a device's specification, if it has one.
    fn specification(&self, device: &HardwareId) -> Option<String> {
        let device = self.0.body::<Device>(device.as_str())?;
        device.specification_token.as_ref().map(ToString::to_string)
    }

    /// The commands that a device has by its specification.
    fn own(&self, device: &HardwareId) -> Vec<Command> {
        let Some(specification) = self.specification(device) else { return Vec::new() };
        let own = self.0.bodies_with::<CommandBody>("specification", &specification);
        own.into_iter().map(|(token, body)| body.command(&token)).collect()
    }

    /// A command of a device, by its token or its name.
    pub(crate) fn find(&self, device: &HardwareId, name: &str) -> Option<Command> {
        if let Some(kind) = commands::find(name) {
            return Some(Command::from(kind));
        }
        let mut own = self.own(device);
        let place = own.iter().position(|command| command.token == name);
        let place = place.or_else(|| own.iter().position(|command| command.name == name))?;
        Some(own.swap_remove(place))
    }

    /// The names of all commands of a device, for people.
    pub(crate) fn names(&self, device: &HardwareId) -> String {
        let own = self.own(device).into_iter().map(|command| command.name);
        std::iter::once(commands::names()).chain(own).collect::<Vec<_>>().join(", ")
    }

    /// Whether commands wait for a device until it is heard.
    pub(crate) fn is_mailbox(&self, device: &HardwareId) -> bool {
        let specification = self.specification(device);
        let specification = specification.and_then(|token| self.0.body::<Specification>(&token));
        specification.is_some_and(|specification| specification.delivery == Delivery::Mailbox)
    }
}
