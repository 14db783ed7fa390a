//! What deciding about access asks about a tenant.

use std::sync::Arc;

use lastmeter_units::HardwareId;

use super::grant::{Grant, Span, Tenure, Visibility};
use super::principal::{Eui64, PrincipalRef};
use super::resource::Target;

/// The field network that a device is a node of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its owner, who administers its nodes.
    pub owner: Option<PrincipalRef>,
    /// The address of its gateway.
    pub gateway: Option<Eui64>,
}

/// What deciding asks about one tenant.
pub trait Facts {
    /// Who owned a thing when, for all of time; nothing if there is no such thing.
    fn tenures(&self, of: &Target) -> Vec<Tenure>;
    /// What a principal owns or owned, or, with `None`, what nobody did.
    fn holdings(&self, of: Option<&PrincipalRef>) -> Vec<(HardwareId, Span)>;
    /// The grants to a principal.
    fn grants(&self, to: &PrincipalRef) -> Vec<Arc<Grant>>;
    /// Who sees a device, virtual device or zone without being named.
    fn visibility(&self, of: &Target) -> Visibility;
    /// When a thing belonged to another: a device to a network, asset, group or zone, a virtual
    /// device to its device, a zone to one above it.
    fn memberships(&self, of: &Target, within: &Target) -> Vec<Span>;
    /// The devices that belong or belonged to a thing.
    fn members(&self, of: &Target) -> Vec<(HardwareId, Span)>;
    /// The field network that a thing is, or is a node of.
    fn network(&self, of: &Target) -> Option<Network>;
    /// The zone directly above a zone.
    fn parent(&self, of: &Target) -> Option<Target>;
    /// Whether a device has a credential of its own.
    fn has_credential(&self, device: &Target) -> bool;
    /// Whether the tenant has an administrator.
    fn has_administrator(&self) -> bool;
}

/// Those of a tenant without documents: nobody owns anything, nothing is granted, no device has a
/// credential of its own.
#[derive(Clone, Copy, Debug)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn tenures(&self, _: &Target) -> Vec<Tenure> {
        vec![Tenure { owner: None, span: Span::ALWAYS }]
    }

    fn holdings(&self, _: Option<&PrincipalRef>) -> Vec<(HardwareId, Span)> {
        Vec::new()
    }

    fn grants(&self, _: &PrincipalRef) -> Vec<Arc<Grant>> {
        Vec::new()
    }

    fn visibility(&self, _: &Target) -> Visibility {
        Visibility::Private
    }

    fn memberships(&self, _: &Target, _: &Target) -> Vec<Span> {
        Vec::new()
    }

    fn members(&self, _: &Target) -> Vec<(HardwareId, Span)> {
        Vec::new()
    }

    fn network(&self, _: &Target) -> Option<Network> {
        None
    }

    fn parent(&self, _: &Target) -> Option<Target> {
        None
    }

    fn has_credential(&self, _: &Target) -> bool {
        false
    }

    /// So that nobody may make the first one.
    fn has_administrator(&self) -> bool {
        true
    }
}
