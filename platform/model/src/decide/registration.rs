//! Whether a device may send: by its registration, and by what its specification declares.

use lastmeter_units::HardwareId;

use crate::documents::Documents;
use crate::entity::{Device, DeviceStatus, Registration, Specification, TenantSettings};
use crate::message::{Message, MessageBody};
use crate::refusal::RefusalReason;

/// The token of the document with a tenant's settings.
pub const SETTINGS: &str = "settings";

/// How a device that may send is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Somebody has registered it, or it has registered itself.
    Registered,
    /// Nobody has: only a part of what it sends is kept.
    Recognised,
}

/// Whether a hardware id is one of the platform's own.
pub fn is_reserved(device: &HardwareId) -> bool {
    device.as_str().starts_with('$')
}

/// How a device stands in a tenant, by its document, whether it was heard before, and the tenant's
/// rule.
///
/// # Errors
/// The reason why nothing of it is taken.
pub fn admission(
    device: &HardwareId,
    status: Option<DeviceStatus>,
    is_heard: bool,
    rule: Registration,
) -> Result<Admission, RefusalReason> {
    if is_reserved(device) {
        return Err(RefusalReason::ReservedId);
    }
    match (status, rule) {
        (Some(DeviceStatus::Blocked | DeviceStatus::Deleted), _) => {
            Err(RefusalReason::BlockedDevice)
        }
        (None, _) if is_heard => Ok(Admission::Registered),
        (Some(DeviceStatus::Waiting | DeviceStatus::Registered), _)
        | (None, Registration::Open) => Ok(Admission::Registered),
        (Some(DeviceStatus::Recognised), _) | (None, Registration::Recognise) => {
            Ok(Admission::Recognised)
        }
        (None, Registration::Closed) => Err(RefusalReason::UnknownDevice),
    }
}

/// How the device of a message stands, and whether its specification allows the message.
///
/// # Errors
/// The reason why it is not taken, with what was found and expected.
pub fn admit(
    documents: &Documents,
    message: &Message,
    is_heard: bool,
) -> Result<Admission, (RefusalReason, String)> {
    let id = &message.device;
    let device = documents.body::<Device>(id.as_str());
    let status = device.as_ref().map(|device| device.status);
    let rule = match status {
        None if !is_heard => documents.body::<TenantSettings>(SETTINGS),
        _ => None,
    };
    let rule = rule.map_or(Registration::Open, |settings| settings.registration);
    let admitted = admission(id, status, is_heard, rule).map_err(|reason| {
        let detail = match reason {
            RefusalReason::ReservedId => format!("`{id}` begins with `$`, as the platform's own"),
            RefusalReason::BlockedDevice => format!("`{id}` is blocked or decommissioned"),
            _ => format!("`{id}` is not registered, and the tenant takes only devices that are"),
        };
        (reason, detail)
    })?;
    if let MessageBody::Alert { kind, .. } = &message.body
        && let Some(specification) = device.and_then(|device| specification(documents, &device))
        && specification.strict_alerts
        && specification.alert_level(kind).is_none()
    {
        let kind = crate::refusal::shortened(kind, 80);
        let detail = format!("the specification of `{id}` declares no alert `{kind}`");
        return Err((RefusalReason::UndeclaredAlert, detail));
    }
    Ok(admitted)
}

/// The specification of a device.
pub fn specification(
    documents: &Documents,
    device: &Device,
) -> Option<std::sync::Arc<Specification>> {
    documents.body(device.specification_token.as_ref()?.as_str())
}
