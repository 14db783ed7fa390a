//! The one function that decides about access.

use std::sync::Arc;

use lastmeter_units::{HardwareId, SimTime};

use super::action::Action;
use super::facts::{Facts, Network};
use super::grant::{Grant, Span, Tenure, Visibility, Window};
use super::matrix::{Column, Condition, MATRIX, Matrix, Row};
use super::principal::{Eui64, KeyScope, Principal, PrincipalRef};
use super::resource::{Kind, Owner, Resource, Subject, Target};

/// What is answered to a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may, within a scope.
    Yes(Scope),
    /// As if there were no such thing (404).
    Hidden,
    /// It sees the thing and may do something else with it (403).
    Forbidden,
    /// It has not logged in (401); whether there is such a thing makes no difference.
    LogIn,
}

/// What a principal may have; lists and series are queried with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that was asked for.
    All,
    /// What lies in one of the windows; in lists of documents those about what lies there, and
    /// those that the principal owns or that are to it.
    Windows(Vec<Window>),
    /// What is public.
    Public,
}

/// Decides whether a principal may do something with a resource, and within which scope. `facts`
/// are those of the resource's tenant, `now` is on its clock.
pub fn may(
    who: &Principal,
    action: Action,
    on: &Resource<'_>,
    facts: &dyn Facts,
    now: SimTime,
) -> Decision {
    Question { matrix: &MATRIX, columns: &Column::of(who), who, on, facts, now }.decide(action)
}

/// A principal before a resource.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) matrix: &'a Matrix,
    pub(super) columns: &'a [Column],
    pub(super) who: &'a Principal,
    pub(super) on: &'a Resource<'a>,
    pub(super) facts: &'a dyn Facts,
    pub(super) now: SimTime,
}

/// An interval of a thing that a tenure or a grant gives.
struct Piece<'a> {
    device: Option<HardwareId>,
    span: Span,
    grant: Option<&'a Grant>,
}

impl Piece<'_> {
    fn window(&self) -> Option<Window> {
        let device = self.device.as_ref()?;
        Some(match self.grant {
            Some(grant) => grant.window(device, self.span),
            None => Window::of(device, self.span),
        })
    }
}

/// Whether the values of former times remain with who owned the thing then; other rights are those
/// of who owns it now.
fn reaches_back(row: Row, action: Action) -> bool {
    match row {
        Row::Series | Row::Invocations | Row::Results | Row::Audit => action == Action::Read,
        Row::Refusals => matches!(action, Action::Read | Action::Content),
        Row::Grants => action == Action::Grant,
        _ => false,
    }
}

/// Whether a row holds data of devices, of which windows are cut; a document is given as a whole.
fn has_windows(row: Row) -> bool {
    use Row::{Audit, Invocations, Latest, Live, Refusals, Results, Series};
    matches!(row, Latest | Series | Invocations | Results | Refusals | Audit | Live)
}

/// Adds a scope to another.
fn joined(one: Option<Scope>, other: Option<Scope>) -> Option<Scope> {
    use Scope::{All, Public, Windows};
    match (one, other) {
        (None, scope) | (scope, None) => scope,
        (Some(All), _) | (_, Some(All)) => Some(All),
        (Some(Windows(mut windows)), Some(Windows(more))) => {
            windows.extend(more);
            Some(Windows(windows))
        }
        (Some(Windows(windows)), _) | (_, Some(Windows(windows))) => Some(Windows(windows)),
        (Some(Public), Some(Public)) => Some(Public),
    }
}

impl Question<'_> {
    pub(super) fn decide(&self, action: Action) -> Decision {
        let is_platform = matches!(self.who.reference, PrincipalRef::PlatformAdmin(_));
        let is_visitor = self.on.tenant.is_some() && self.who.tenant.as_ref() == self.on.tenant;
        let is_within = is_platform || is_visitor;
        if let Some(scope) = self.scope(action).filter(|_| is_within) {
            Decision::Yes(scope)
        } else if self.who.reference == PrincipalRef::Anonymous {
            Decision::LogIn
        } else if is_within && Action::ALL.iter().any(|&other| self.scope(other).is_some()) {
            Decision::Forbidden
        } else {
            Decision::Hidden
        }
    }

    fn row(&self) -> Row {
        self.on.kind.row()
    }

    /// What the columns give together, less what a key takes away.
    fn scope(&self, action: Action) -> Option<Scope> {
        let key = self.who.key.as_ref();
        // What may be read may be read in outline.
        let has = |key: &KeyScope, one: Action| key.actions.contains(&one);
        let is_for = |key: &KeyScope| {
            has(key, action) || action == Action::Outline && has(key, Action::Read)
        };
        if key.is_some_and(|key| !is_for(key)) {
            return None;
        }
        let mut scope = None;
        for column in self.columns {
            let by_itself = Question { columns: &[*column], ..*self };
            let cell = self.matrix[self.row() as usize][*column as usize];
            for clause in cell.iter().filter(|clause| clause.0.contains(&action)) {
                scope = joined(scope, by_itself.meets(clause.1, action));
            }
        }
        match key.and_then(|key| key.on.as_ref()) {
            Some(targets) => self.narrowed(scope?, targets.iter()),
            None => scope,
        }
    }

    /// What one condition gives: one arm for each, in the order of [`Condition`].
    fn meets(&self, condition: Condition, action: Action) -> Option<Scope> {
        use Condition as If;
        let who = &self.who.reference;
        let is_own = self.on.owner == Owner::Of(who);
        let is_list = self.on.subject == Subject::List && action == Action::Read;
        let zone = self.target().filter(|target| matches!(target, Target::Zone(_)));
        // A list of own documents is answered to everybody who may have some.
        let is_met = match condition {
            If::Any => true,
            If::Own | If::To | If::OwnOnZone | If::OwnOnOwnData if is_list => {
                return Some(Scope::Windows(Vec::new()));
            }
            If::Own => is_own,
            If::To => self.on.to == Some(who),
            If::Tenants => self.on.owner == Owner::Tenant,
            If::Platforms => self.on.tenant.is_none(),
            If::OwnData => return self.owned_by(Some(who), action),
            If::OwnOnOwnData => is_own && self.owned_by(Some(who), action).is_some(),
            If::OwnNode => {
                self.network().is_some_and(|network| network.owner.as_ref() == Some(who))
            }
            If::OnZone => zone.is_some(),
            If::OwnOnZone => is_own && zone.is_some(),
            If::OwnZone => zone.is_some_and(|zone| self.is_at_home(zone)),
            If::Public => return self.public(),
            If::Unowned => return self.owned_by(None, action),
            If::Granted => return self.granted(action, |_| true),
            If::Purpose => return self.granted(action, |grant| grant.purpose.is_some()),
            If::GrantedItself => {
                return self.granted(action, |grant| Some(&grant.on) == self.target());
            }
            If::GrantedParent => {
                let parent = zone.and_then(|zone| self.facts.parent(zone))?;
                let on = Resource { subject: Subject::One(&parent), ..*self.on };
                return Question { on: &on, ..*self }.granted(action, |grant| grant.on == parent);
            }
            If::Itself => self.is_itself(),
            If::Nodes => match who {
                PrincipalRef::Gateway(address) => {
                    self.device().is_some() && self.gateway() == Some(*address)
                }
                _ => false,
            },
            If::SharedSecret => *who == PrincipalRef::SharedDevices,
            If::Uncredentialed => {
                *who == PrincipalRef::SharedDevices
                    && self.target().is_some_and(|device| !self.facts.has_credential(device))
            }
            If::FirstAdmin => !self.facts.has_administrator(),
            If::ReadsSeries => {
                // As alerts are: roll-ups alone do not show what a message had in it.
                let on = Resource { kind: Kind::Alert, ..*self.on };
                return Question { on: &on, ..*self }.scope(Action::Read);
            }
        };
        is_met.then_some(Scope::All)
    }

    fn target(&self) -> Option<&Target> {
        match self.on.subject {
            Subject::One(target) => Some(target),
            Subject::Nothing | Subject::List => None,
        }
    }

    fn device(&self) -> Option<&HardwareId> {
        self.target().and_then(Target::device)
    }

    fn network(&self) -> Option<Network> {
        self.facts.network(self.target()?)
    }

    fn gateway(&self) -> Option<Eui64> {
        self.network()?.gateway
    }

    fn is_itself(&self) -> bool {
        match (&self.who.reference, self.target()) {
            (PrincipalRef::Device(id), Some(Target::Device(device))) => id == device,
            (PrincipalRef::Application(name), Some(Target::Device(device))) => {
                name.as_str() == device.as_str()
            }
            (PrincipalRef::Gateway(address), Some(Target::FieldNetwork(_))) => {
                self.gateway() == Some(*address)
            }
            _ => false,
        }
    }

    /// Whether the principal owns something in a zone now.
    fn is_at_home(&self, zone: &Target) -> bool {
        let holdings = self.facts.holdings(Some(&self.who.reference));
        holdings.into_iter().filter(|(_, span)| span.contains(self.now)).any(|(device, _)| {
            let spans = self.facts.memberships(&Target::Device(device), zone);
            spans.iter().any(|span| span.contains(self.now))
        })
    }

    /// The scope of pieces: of a list or of data their windows, else all. Where what was remains
    /// with nobody, only those of now count.
    fn pieced(&self, mut pieces: Vec<Piece<'_>>, action: Action) -> Option<Scope> {
        if !reaches_back(self.row(), action) {
            pieces.retain(|piece| piece.span.contains(self.now));
        }
        let windows = || Scope::Windows(pieces.iter().filter_map(Piece::window).collect());
        if self.on.subject == Subject::List {
            return (action == Action::Read).then(windows);
        }
        (!pieces.is_empty()).then(|| if self.is_cut() { windows() } else { Scope::All })
    }

    /// Whether the resource is data of a device, of which windows are cut.
    fn is_cut(&self) -> bool {
        has_windows(self.row()) && self.device().is_some()
    }

    fn owned_by(&self, owner: Option<&PrincipalRef>, action: Action) -> Option<Scope> {
        let pieces: Vec<_> = match self.on.subject {
            Subject::Nothing => return None,
            Subject::List => {
                let holdings = self.facts.holdings(owner).into_iter();
                holdings
                    .map(|(device, span)| Piece { device: Some(device), span, grant: None })
                    .collect()
            }
            Subject::One(target) => {
                let tenures = self.facts.tenures(target).into_iter();
                let owned = tenures.filter(|tenure| tenure.owner.as_ref() == owner);
                let device = target.device();
                owned
                    .map(|Tenure { span, .. }| Piece { device: device.cloned(), span, grant: None })
                    .collect()
            }
        };
        self.pieced(pieces, action)
    }

    fn public(&self) -> Option<Scope> {
        let Some(target) = self.target() else {
            return (self.on.subject == Subject::List).then_some(Scope::Public);
        };
        if self.facts.visibility(target) != Visibility::Public {
            return None;
        }
        let Some(device) = self.device().filter(|_| self.is_cut()) else {
            return Some(Scope::Public);
        };
        // What its owner of today made public does not include what was measured before.
        let tenures = self.facts.tenures(target).into_iter();
        let tenure = tenures.map(|tenure| tenure.span).find(|span| span.contains(self.now))?;
        Some(Scope::Windows(vec![Window::of(device, tenure)]))
    }

    /// The grants that hold now and have the action. One with a finest width is for closed
    /// roll-ups and nothing else.
    fn grants(&self, action: Action) -> impl Iterator<Item = Arc<Grant>> {
        let is_rolled_up =
            action == Action::Read && matches!(self.on.kind, Kind::Series | Kind::Export);
        // What may be read may be read in outline.
        let asked = if action == Action::Outline { Action::Read } else { action };
        let grants = self.facts.grants(&self.who.reference).into_iter();
        grants.filter(move |grant| {
            grant.to == self.who.reference
                && grant.is_in_force(self.now)
                && (grant.actions.contains(&asked) || grant.actions.contains(&action))
                && (grant.finest.is_none() || is_rolled_up)
        })
    }

    fn granted(&self, action: Action, is_meant: impl Fn(&Grant) -> bool) -> Option<Scope> {
        let grants: Vec<_> = self.grants(action).filter(|grant| is_meant(grant)).collect();
        let pieces: Vec<_> = grants.iter().flat_map(|grant| self.pieces(grant)).collect();
        self.pieced(pieces, action)
    }

    /// What a grant gives of the subject, or of all that it is on.
    fn pieces<'g>(&self, grant: &'g Grant) -> Vec<Piece<'g>> {
        let things: Vec<(Target, Span)> = match self.on.subject {
            Subject::Nothing => Vec::new(),
            Subject::List if grant.on.device().is_some() => {
                vec![(grant.on.clone(), Span::ALWAYS)]
            }
            Subject::List => {
                let members = self.facts.members(&grant.on).into_iter();
                members.map(|(device, span)| (Target::Device(device), span)).collect()
            }
            Subject::One(target) => {
                let spans = self.spans(target, &grant.on).into_iter();
                spans.map(|span| (target.clone(), span)).collect()
            }
        };
        let mut pieces = Vec::new();
        for (target, span) in things {
            let is_given = |tenure: &Tenure| {
                grant.purpose.is_some() || tenure.owner.as_ref() == Some(&grant.by)
            };
            let tenures = self.facts.tenures(&target).into_iter().filter(is_given);
            pieces.extend(tenures.filter_map(|tenure| {
                let span = tenure.span.intersection(span)?.intersection(grant.data_span())?;
                Some(Piece { device: target.device().cloned(), span, grant: Some(grant) })
            }));
        }
        pieces
    }

    /// When a thing was another or belonged to it.
    fn spans(&self, target: &Target, within: &Target) -> Vec<Span> {
        if target == within {
            return vec![Span::ALWAYS];
        }
        self.facts.memberships(target, within)
    }

    /// What a key for some things leaves of a scope.
    fn narrowed<'t>(
        &self,
        scope: Scope,
        targets: impl Iterator<Item = &'t Target> + Clone,
    ) -> Option<Scope> {
        let windows = match scope {
            Scope::Windows(windows) => windows,
            Scope::All | Scope::Public => match self.on.subject {
                Subject::Nothing => return None,
                Subject::One(target) => {
                    let mut spans = targets.flat_map(|within| self.spans(target, within));
                    return spans.any(|span| span.contains(self.now)).then_some(scope);
                }
                Subject::List if scope == Scope::Public => return None,
                Subject::List => {
                    let members = targets.clone().flat_map(|target| match target.device() {
                        Some(device) => vec![(device.clone(), Span::ALWAYS)],
                        None => self.facts.members(target),
                    });
                    members.map(|(device, span)| Window::of(&device, span)).collect()
                }
            },
        };
        let cut = |window: Window| {
            let device = self.target().cloned();
            let device = device.unwrap_or_else(|| Target::Device(window.device.clone()));
            let spans = targets.clone().flat_map(move |within| self.spans(&device, within));
            let spans: Vec<_> = spans.filter_map(|span| span.intersection(window.span())).collect();
            spans.into_iter().map(move |Span { from, until }| Window {
                from,
                until,
                ..window.clone()
            })
        };
        let windows: Vec<_> = windows.into_iter().flat_map(cut).collect();
        (!windows.is_empty()).then_some(Scope::Windows(windows))
    }
}
