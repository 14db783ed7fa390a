//! What the documents of a tenant hold about access: who owned which device when, what was granted,
//! what belongs to what.

use std::collections::BTreeSet;
use std::sync::Arc;

use lastmeter_units::{HardwareId, TenantName};

use crate::access::{
    Facts, Grant, Network, Principal, PrincipalRef, Role, Span, Target, Tenure, Visibility,
};
use crate::directory::DeviceDirectory;
use crate::documents::{Documents, Named};
use crate::entity::{
    Application, Asset, Assignment, Credential, Device, DeviceStatus, Feed, FieldNetwork, Group,
    MemberReference, Token, User, Zone, tenures,
};

/// The facts of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct DocumentFacts<'a> {
    /// Its resident documents.
    pub documents: &'a Documents,
    /// The devices that it has heard of.
    pub devices: &'a DeviceDirectory,
}

impl DocumentFacts<'_> {
    /// A principal of the tenant as it is now; none if it may not come in.
    pub fn principal(&self, tenant: &TenantName, of: &PrincipalRef) -> Option<Principal> {
        let plain = Principal::of(of.clone(), tenant.clone());
        match of {
            PrincipalRef::User(name) => {
                let user = self.documents.body::<User>(name.as_str());
                let user = user.filter(|user| !user.disabled)?;
                Some(Principal { roles: user.roles.clone(), ..plain })
            }
            PrincipalRef::Application(name) => {
                let found = self.documents.body::<Application>(name.as_str());
                found.filter(|found| !found.disabled).map(|_| plain)
            }
            PrincipalRef::Device(id) => {
                let status = self.documents.body::<Device>(id.as_str()).map(|device| device.status);
                let is_out = matches!(status, Some(DeviceStatus::Blocked | DeviceStatus::Deleted));
                (!is_out).then_some(plain)
            }
            PrincipalRef::Gateway(_) => Some(plain),
            _ => None,
        }
    }

    /// The assignments of a device.
    pub fn assignments(&self, device: &HardwareId) -> Vec<Named<Assignment>> {
        self.documents.bodies_with("device", device.as_str())
    }

    /// The device that a virtual device is a part of.
    fn whole(device: &HardwareId) -> Option<HardwareId> {
        let (whole, _) = device.as_str().rsplit_once('~')?;
        HardwareId::new(whole).ok()
    }

    fn is_known(&self, device: &HardwareId) -> bool {
        self.devices.find(device.as_str()).is_some()
            || self.documents.body::<Device>(device.as_str()).is_some()
    }

    fn owner(&self, assignment: &Assignment) -> Option<PrincipalRef> {
        let person = self.documents.body::<Asset>(assignment.owner()?.as_str())?;
        person.user.clone().map(PrincipalRef::User)
    }

    fn device_tenures(&self, device: &HardwareId) -> Vec<Tenure> {
        let own = self.assignments(device);
        let own: Vec<_> = own.iter().map(|(token, one)| (token, (**one).clone())).collect();
        tenures(&own, device, |assignment| self.owner(assignment), None)
    }

    /// Every device that there is, with and without a document.
    fn all_devices(&self) -> BTreeSet<HardwareId> {
        let documents = self.documents.bodies::<Device>().into_iter();
        let declared = documents.filter_map(|(token, _)| HardwareId::new(token).ok());
        declared
            .chain(self.devices.page(0, u32::MAX).1.into_iter().map(|row| row.hardware_id))
            .collect()
    }

    /// The devices of which a principal owned something at some time.
    fn devices_of(&self, user: &PrincipalRef) -> BTreeSet<HardwareId> {
        let PrincipalRef::User(name) = user else { return BTreeSet::new() };
        let persons = self.documents.bodies_with::<Asset>("user", name.as_str()).into_iter();
        let of = |(person, _): (String, _)| {
            let by = |key| self.documents.bodies_with::<Assignment>(key, &person).into_iter();
            by("customer").chain(by("asset")).map(|(_, one)| one.device_hardware_id.clone())
        };
        persons.flat_map(of).collect()
    }

    /// The zones that a zone is a part of, itself included.
    fn zones_around(&self, zone: &str) -> BTreeSet<String> {
        let (mut around, mut next) = (BTreeSet::new(), Some(zone.to_owned()));
        while let Some(token) = next.take() {
            let parent = self.documents.body::<Zone>(&token);
            if around.insert(token) {
                let parent = parent.as_ref().and_then(|zone| zone.parent_token.as_ref());
                next = parent.map(|token| token.as_str().to_owned());
            }
        }
        around
    }

    /// The zones that are parts of a zone, itself included.
    fn zones_within(&self, zone: &str) -> BTreeSet<String> {
        let (mut within, mut open) = (BTreeSet::new(), vec![zone.to_owned()]);
        while let Some(token) = open.pop() {
            let parts = self.documents.bodies_with::<Zone>("parent", &token);
            if within.insert(token) {
                open.extend(parts.into_iter().map(|(part, _)| part));
            }
        }
        within
    }

    /// The devices of a group, by themselves or through groups in it, while that one was in it.
    fn group_members(&self, group: &str) -> Vec<(HardwareId, Span)> {
        let mut found = Vec::new();
        let mut open = vec![(group.to_owned(), Span::ALWAYS, vec![group.to_owned()])];
        while let Some((token, within, path)) = open.pop() {
            let Some(group) = self.documents.body::<Group>(&token) else { continue };
            for member in &group.members {
                let Some(span) = member.span().intersection(within) else { continue };
                match &member.of {
                    MemberReference::Device(id) => found.push((id.clone(), span)),
                    MemberReference::Group(part)
                        if !path.iter().any(|one| one == part.as_str()) =>
                    {
                        let part = part.as_str().to_owned();
                        open.push((part.clone(), span, [path.clone(), vec![part]].concat()));
                    }
                    MemberReference::Group(_) => {}
                }
            }
        }
        found
    }

    fn assigned_spans(
        &self,
        device: &HardwareId,
        is_meant: impl Fn(&Assignment) -> bool,
    ) -> Vec<Span> {
        let own = self.assignments(device).into_iter();
        own.filter(|(_, one)| is_meant(one)).map(|(_, one)| one.span()).collect()
    }

    fn assigned(&self, key: &str, tokens: BTreeSet<String>) -> Vec<(HardwareId, Span)> {
        let of = |token: String| self.documents.bodies_with::<Assignment>(key, &token).into_iter();
        let assignments = tokens.into_iter().flat_map(of);
        assignments.map(|(_, one)| (one.device_hardware_id.clone(), one.span())).collect()
    }
}

impl Facts for DocumentFacts<'_> {
    fn tenures(&self, of: &Target) -> Vec<Tenure> {
        let always = |owner| vec![Tenure { owner, span: Span::ALWAYS }];
        let if_there = |is_there: bool| if is_there { always(None) } else { Vec::new() };
        match of {
            Target::Device(id) if self.is_known(id) => self.device_tenures(id),
            Target::VirtualDevice(id) if self.is_known(id) => {
                // What is assigned by itself is no part of another, whatever its id.
                let whole = Self::whole(id).filter(|_| self.assignments(id).is_empty());
                whole.map_or_else(Vec::new, |whole| self.device_tenures(&whole))
            }
            Target::Asset(token) => match self.documents.body::<Asset>(token) {
                Some(asset) => always(asset.user.clone().map(PrincipalRef::User)),
                None => Vec::new(),
            },
            Target::Group(token) => if_there(self.documents.body::<Group>(token).is_some()),
            Target::Zone(token) => if_there(self.documents.body::<Zone>(token).is_some()),
            Target::Feed(token) => if_there(self.documents.body::<Feed>(token).is_some()),
            Target::FieldNetwork(token) => match self.documents.body::<FieldNetwork>(token) {
                Some(network) => always(network.owner.clone()),
                None => Vec::new(),
            },
            Target::Device(_) | Target::VirtualDevice(_) => Vec::new(),
            // They are not resident, and the tenant's.
            Target::ElectricNetwork(_) => always(None),
        }
    }

    fn holdings(&self, of: Option<&PrincipalRef>) -> Vec<(HardwareId, Span)> {
        let devices = of.map_or_else(|| self.all_devices(), |user| self.devices_of(user));
        let held = devices.into_iter().flat_map(|device| {
            let tenures = self.device_tenures(&device).into_iter();
            tenures.map(move |tenure| (device.clone(), tenure))
        });
        let held = held.filter(|(_, tenure)| tenure.owner.as_ref() == of);
        held.map(|(device, tenure)| (device, tenure.span)).collect()
    }

    fn grants(&self, to: &PrincipalRef) -> Vec<Arc<Grant>> {
        let grants = self.documents.bodies_with("to", &to.to_string());
        grants.into_iter().map(|(_, grant)| grant).collect()
    }

    fn visibility(&self, of: &Target) -> Visibility {
        let device = of.device().and_then(|id| self.documents.body::<Device>(id.as_str()));
        device.map_or(Visibility::Private, |device| device.visibility)
    }

    fn memberships(&self, of: &Target, within: &Target) -> Vec<Span> {
        let always = |is_there: bool| if is_there { vec![Span::ALWAYS] } else { Vec::new() };
        match (of, within) {
            (Target::VirtualDevice(part), Target::Device(whole)) => {
                always(Self::whole(part).as_ref() == Some(whole))
            }
            (Target::Zone(part), Target::Zone(whole)) => {
                always(self.zones_around(part).contains(whole))
            }
            (Target::Device(id), Target::Zone(zone)) => self.assigned_spans(id, |one| {
                let within = one.zone_token.as_ref();
                within.is_some_and(|within| self.zones_around(within.as_str()).contains(zone))
            }),
            (Target::Device(id), Target::Asset(asset)) => self.assigned_spans(id, |one| {
                let mut of = one.asset_id.iter().chain(&one.customer_id);
                of.any(|token| token.as_str() == asset)
            }),
            (Target::Device(id), _) => {
                let spans = self.members(within).into_iter();
                spans.filter(|(device, _)| device == id).map(|(_, span)| span).collect()
            }
            _ => Vec::new(),
        }
    }

    fn members(&self, of: &Target) -> Vec<(HardwareId, Span)> {
        match of {
            Target::Device(id) | Target::VirtualDevice(id) => vec![(id.clone(), Span::ALWAYS)],
            Target::Asset(token) => {
                let by = |key| self.assigned(key, [token.clone()].into());
                let mut members = by("asset");
                members.extend(by("customer"));
                members
            }
            Target::Group(token) => self.group_members(token),
            Target::Zone(token) => self.assigned("zone", self.zones_within(token)),
            Target::FieldNetwork(token) => {
                let nodes = self.documents.bodies_with::<Device>("field_network", token);
                let ids = nodes.into_iter().filter_map(|(id, _)| HardwareId::new(id).ok());
                ids.map(|id| (id, Span::ALWAYS)).collect()
            }
            Target::Feed(_) | Target::ElectricNetwork(_) => Vec::new(),
        }
    }

    fn network(&self, of: &Target) -> Option<Network> {
        let of_device = |id: &HardwareId| {
            let device = self.documents.body::<Device>(id.as_str())?;
            device.field_network_token.as_ref().map(|token| token.as_str().to_owned())
        };
        let token = match of {
            Target::FieldNetwork(token) => token.clone(),
            Target::Device(id) => of_device(id)?,
            Target::VirtualDevice(id) => of_device(&Self::whole(id)?)?,
            _ => return None,
        };
        let network = self.documents.body::<FieldNetwork>(&token)?;
        Some(Network { owner: network.owner.clone(), gateway: Some(network.gateway_address) })
    }

    fn parent(&self, of: &Target) -> Option<Target> {
        let Target::Zone(token) = of else { return None };
        let parent = self.documents.body::<Zone>(token)?.parent_token.clone();
        parent.map(|token| Target::Zone(Token::as_str(&token).to_owned()))
    }

    fn has_credential(&self, device: &Target) -> bool {
        let Some(id) = device.device() else { return false };
        let reference = PrincipalRef::Device(id.clone()).to_string();
        let own = self.documents.bodies_with::<Credential>("of", &reference);
        // A revoked one does not give the device back to those who share a secret.
        !own.is_empty()
    }

    fn has_administrator(&self) -> bool {
        let of_role = self.documents.bodies_with::<User>("role", Role::TenantAdmin.word());
        of_role.iter().any(|(_, user)| !user.disabled)
    }
}
