//! A small tenant for tests.

use std::sync::Arc;

use lastmeter_units::{HardwareId, SimDuration, SimTime, TenantName};

use crate::access::action::Action;
use crate::access::facts::{Facts, Network};
use crate::access::grant::{Grant, Span, Tenure, Visibility};
use crate::access::matrix::Column;
use crate::access::principal::{Eui64, PrincipalRef};
use crate::access::resource::Target;

pub(super) const NOW: SimTime = SimTime(1000);
pub(super) const HOUR: SimDuration = SimDuration::from_seconds(3600);

pub(super) fn tenants() -> (TenantName, TenantName) {
    (TenantName::default(), TenantName::new("b").unwrap())
}

/// The columns that a principal of a column stands in, as the page has them.
pub(super) fn columns_of(column: Column) -> &'static [Column] {
    use Column::*;
    match column {
        Anonymous => &[Anonymous],
        UserOnOwn | ThirdParty => &[Anonymous, UserOnOwn, ThirdParty],
        Utility => &[Anonymous, Utility],
        Operator => &[Anonymous, Operator],
        TenantAdmin => &[Anonymous, TenantAdmin],
        Application => &[Anonymous, Application],
        Device => &[Anonymous, Device],
        Gateway => &[Anonymous, Gateway],
        PlatformAdmin => &[PlatformAdmin],
        Bench => &[Anonymous, Bench],
    }
}

pub(super) fn target(subject: &str) -> Option<Target> {
    Some(match subject.split_once(' ') {
        Some(("zone", token)) => Target::Zone(token.to_owned()),
        Some(("network", token)) => Target::FieldNetwork(token.to_owned()),
        _ if ["nothing", "list"].contains(&subject) => return None,
        _ => Target::Device(HardwareId::new(subject).unwrap()),
    })
}

/// A grant of the user `other` of everything from 900 to 1100.
pub(super) fn grant(to: &PrincipalRef, on: Target) -> Grant {
    Grant {
        to: to.clone(),
        on,
        actions: Action::ALL.into(),
        quantities: ["*".parse().unwrap()].into(),
        finest: None,
        with_history: false,
        from: SimTime(900),
        until: SimTime(1100),
        purpose: None,
        by: "user:other".parse().unwrap(),
        revoked: None,
    }
}

/// Its facts, as far as they concern one principal.
pub(super) struct Sample {
    pub(super) me: PrincipalRef,
    pub(super) grants: Vec<Grant>,
    pub(super) has_administrator: bool,
}

const DEVICES: [&str; 9] =
    ["mine", "others", "nobody", "public", "former", "once-free", "node", "dev", "app"];

impl Facts for Sample {
    fn tenures(&self, of: &Target) -> Vec<Tenure> {
        let (me, other) = (Some(self.me.clone()), "user:other".parse().ok());
        let changed = |at: i64, before: Option<PrincipalRef>, after: Option<PrincipalRef>| {
            let Span { from, until } = Span::ALWAYS;
            vec![
                Tenure { owner: before, span: Span { from, until: SimTime(at) } },
                Tenure { owner: after, span: Span { from: SimTime(at), until } },
            ]
        };
        let always = |owner| vec![Tenure { owner, span: Span::ALWAYS }];
        match of {
            Target::Device(id) => match id.as_str() {
                "mine" => changed(100, other, me),
                "nobody" => always(None),
                "public" => changed(200, None, other),
                "former" => changed(500, me, other),
                "once-free" => changed(500, None, other),
                id if DEVICES.contains(&id) => always(other),
                _ => vec![],
            },
            Target::FieldNetwork(_) => always(other),
            _ => always(None),
        }
    }

    fn holdings(&self, of: Option<&PrincipalRef>) -> Vec<(HardwareId, Span)> {
        let devices = DEVICES.iter().map(|id| HardwareId::new(*id).unwrap());
        let held = devices.flat_map(|device| {
            let tenures = self.tenures(&Target::Device(device.clone())).into_iter();
            tenures.map(move |tenure| (device.clone(), tenure))
        });
        let held = held.filter(|(_, tenure)| tenure.owner.as_ref() == of);
        held.map(|(device, tenure)| (device, tenure.span)).collect()
    }

    fn grants(&self, _to: &PrincipalRef) -> Vec<Arc<Grant>> {
        self.grants.iter().cloned().map(Arc::new).collect()
    }

    fn visibility(&self, of: &Target) -> Visibility {
        let is_public = *of == target("public").unwrap();
        if is_public { Visibility::Public } else { Visibility::Private }
    }

    fn memberships(&self, of: &Target, within: &Target) -> Vec<Span> {
        let pairs = [("mine", "z-mine"), ("others", "z-others"), ("zone z-mine", "z-top")];
        let is_within = |(thing, zone): &(&str, &str)| {
            target(thing).as_ref() == Some(of) && *within == Target::Zone((*zone).to_owned())
        };
        if pairs.iter().any(is_within) { vec![Span::ALWAYS] } else { vec![] }
    }

    fn members(&self, of: &Target) -> Vec<(HardwareId, Span)> {
        let devices = DEVICES.iter().map(|id| HardwareId::new(*id).unwrap());
        let members = devices.flat_map(|device| {
            let spans = self.memberships(&Target::Device(device.clone()), of).into_iter();
            spans.map(move |span| (device.clone(), span))
        });
        members.collect()
    }

    fn network(&self, of: &Target) -> Option<Network> {
        let gateway = Some(Eui64(7));
        if *of == target("node").unwrap() {
            return Some(Network { owner: Some(self.me.clone()), gateway });
        }
        matches!(of, Target::FieldNetwork(_)).then_some(Network { owner: None, gateway })
    }

    fn parent(&self, of: &Target) -> Option<Target> {
        (*of == target("zone z-mine").unwrap()).then(|| Target::Zone("z-top".to_owned()))
    }

    fn has_credential(&self, device: &Target) -> bool {
        ["others", "dev"].iter().any(|id| target(id).as_ref() == Some(device))
    }

    fn has_administrator(&self) -> bool {
        self.has_administrator
    }
}
