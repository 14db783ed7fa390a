//! The commands that a device has: the built-in ones, and those of its specification.

use std::sync::Arc;

use lastmeter_model::documents::{Documents, Named};
use lastmeter_model::entity::{Batch, CommandBody, Delivery, Device, Specification};
use lastmeter_units::HardwareId;
use lastmeter_wire::commands::{self, Command};

/// What the documents of a tenant define.
#[derive(Clone)]
pub(crate) struct Definitions(pub(crate) Arc<Documents>);

impl Definitions {
    /// A command of a device, by its token or its name.
    pub(crate) fn find(&self, device: &HardwareId, text: &str) -> Option<Command> {
        if let Some(kind) = commands::find(text) {
            return Some(kind.into());
        }
        let own = self.own(device);
        let by_token = own.iter().find(|(token, _)| token == text);
        let found = by_token.or_else(|| own.iter().find(|(_, body)| body.name.as_str() == text));
        found.map(|(token, body)| body.command(token))
    }

    /// The names of a device's commands, for a message.
    pub(crate) fn names(&self, device: &HardwareId) -> String {
        let own = self.own(device);
        let own = own.iter().map(|(_, body)| format!(", {}", body.name));
        commands::names() + &own.collect::<String>()
    }

    /// Whether commands of a device wait until it is heard.
    pub(crate) fn is_mailbox(&self, device: &HardwareId) -> bool {
        let specification = self.specification(device);
        let body = specification.and_then(|token| self.0.body::<Specification>(&token));
        body.is_some_and(|body| body.delivery == Delivery::Mailbox)
    }

    /// Whether there are batches that are not done.
    pub(crate) fn has_batches(&self) -> bool {
        !self.0.bodies_with::<Batch>("state", "open").is_empty()
    }

    /// The commands that the specification of a device defines.
    pub(crate) fn of_specification(&self, device: &HardwareId) -> Vec<Command> {
        self.own(device).iter().map(|(token, body)| body.command(token)).collect()
    }

    fn own(&self, device: &HardwareId) -> Vec<Named<CommandBody>> {
        let of = |token: String| self.0.bodies_with("specification", &token);
        self.specification(device).map(of).unwrap_or_default()
    }

    fn specification(&self, device: &HardwareId) -> Option<String> {
        let body = self.0.body::<Device>(device.as_str())?;
        body.specification_token.as_ref().map(ToString::to_string)
    }
}
