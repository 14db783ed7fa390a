//! Who may publish on and subscribe to which topics.

use lastmeter_units::{HardwareId, SimTime, TenantName};

use super::action::Action;
use super::facts::Facts;
use super::grant::Quantities;
use super::may::{Decision, Scope, may};
use super::principal::{Principal, PrincipalRef};
use super::resource::{Kind, Resource, Subject, Target};

/// Topics below the tenant, `*` standing for a level that names something.
const SHAPES: [(&[&str], Kind); 9] = [
    (&["device", "*", "input", "*"], Kind::OwnInput),
    (&["SiteWhere", "input", "*"], Kind::SharedInput),
    (&["SiteWhere", "commands", "*"], Kind::CommandTopic),
    (&["device", "*", "ack"], Kind::CommandTopic),
    (&["live", "device", "*"], Kind::Live),
    (&["live", "alerts"], Kind::LiveAlerts),
    (&["se", "*"], Kind::Estimates),
    (&["echo", "*"], Kind::Forwarded),
    (&["rts", "*", "*"], Kind::Forwarded),
];

/// How the pseudo-device of a zone's aggregates begins.
const AGGREGATE: &str = "$aggregate-";
/// How the id begins under which the alerts of an electric network stand.
const NETWORK: &str = "$network-";

/// Decides whether a principal may publish on a topic.
pub fn may_publish(who: &Principal, topic: &str, facts: &dyn Facts, now: SimTime) -> Decision {
    decide_exact(who, Action::Write, topic, facts, now)
}

/// Decides whether a principal may subscribe to a filter: one with wildcards only if it may have
/// all of every topic that the filter can match. What comes of a topic that is not of one thing
/// (alerts) is delivered within the scope.
pub fn may_subscribe(who: &Principal, filter: &str, facts: &dyn Facts, now: SimTime) -> Decision {
    if !filter.contains(['+', '#']) {
        return decide_exact(who, Action::Read, filter, facts, now);
    }
    let Some((tenant, levels)) = split(filter) else { return Decision::Hidden };
    let kinds = SHAPES.iter().filter(|(shape, _)| can_match(&levels, shape));
    let mut decisions = kinds.map(|(_, kind)| {
        let on = Resource::new(*kind, &tenant, Subject::List);
        may(who, Action::Read, &on, facts, now)
    });
    let first = decisions.next();
    let is_all = |decision: &Decision| *decision == Decision::Yes(Scope::All);
    match first {
        Some(first) if is_all(&first) && decisions.all(|one| is_all(&one)) => first,
        _ => Decision::Hidden,
    }
}

/// Decides whether a principal may follow a filter: as [`may_subscribe`], and where only committed
/// readings and alerts can come by it also who may have some of them; [`may_hear`] cuts what comes.
pub fn may_follow(who: &Principal, filter: &str, facts: &dyn Facts, now: SimTime) -> bool {
    if may_subscribe(who, filter, facts, now) == Decision::Yes(Scope::All) {
        return true;
    }
    let Some((tenant, levels)) = split(filter) else { return false };
    if !filter.contains(['+', '#']) {
        let is_live = shape_of(&levels).is_some_and(|(_, kind)| is_live(*kind));
        return is_live && is_some(&decide_exact(who, Action::Read, filter, facts, now), now);
    }
    let mut kinds = SHAPES.iter().filter(|(shape, _)| can_match(&levels, shape)).peekable();
    kinds.peek().is_some()
        && kinds.all(|(_, kind)| {
            let on = Resource::new(*kind, &tenant, Subject::List);
            is_live(*kind) && is_some(&may(who, Action::Read, &on, facts, now), now)
        })
}

/// Whether a decision gives something of now on.
fn is_some(decision: &Decision, now: SimTime) -> bool {
    match decision {
        Decision::Yes(Scope::All) => true,
        Decision::Yes(Scope::Windows(windows)) => {
            windows.iter().any(|window| window.span().until > now)
        }
        _ => false,
    }
}

/// A committed reading or alert: whose it is, and of when.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The device.
    pub device: HardwareId,
    /// The instant of the event.
    pub event: SimTime,
}

/// Whether a principal may have what comes on a topic of committed readings or alerts: all
/// quantities of an interval that it may read, and what a network's switches do where it may read
/// topologies. `heard` is asked for what is not decided by the topic.
pub fn may_hear(
    who: &Principal,
    topic: &str,
    heard: impl FnOnce() -> Option<Heard>,
    (facts, now): (&dyn Facts, SimTime),
) -> bool {
    if decide_exact(who, Action::Read, topic, facts, now) == Decision::Yes(Scope::All) {
        return true;
    }
    let Some((tenant, levels)) = split(topic) else { return false };
    let kind = shape_of(&levels).map(|(_, kind)| *kind).filter(|kind| is_live(*kind));
    let (Some(kind), Some(Heard { device, event })) = (kind, heard()) else { return false };
    let asked =
        |kind, subject| may(who, Action::Read, &Resource::new(kind, &tenant, subject), facts, now);
    if device.as_str().starts_with(NETWORK) {
        return matches!(asked(Kind::Topology, Subject::Nothing), Decision::Yes(_));
    }
    match asked(kind, Subject::One(&Target::Device(device))) {
        Decision::Yes(Scope::All) => true,
        Decision::Yes(Scope::Windows(windows)) => windows.iter().any(|window| {
            let is_whole = window.quantities == Quantities::All && window.finest.is_none();
            is_whole && window.span().contains(event)
        }),
        _ => false,
    }
}

/// Whether committed readings or alerts can come by a filter.
pub fn can_hear_live(filter: &str) -> bool {
    split(filter).is_some_and(|(_, levels)| {
        SHAPES.iter().any(|(shape, kind)| is_live(*kind) && can_match(&levels, shape))
    })
}

const fn is_live(kind: Kind) -> bool {
    matches!(kind, Kind::Live | Kind::LiveAlerts)
}

/// The shape of a topic of these levels.
fn shape_of(levels: &[&str]) -> Option<&'static (&'static [&'static str], Kind)> {
    SHAPES.iter().find(|(shape, _)| can_match(levels, shape))
}

/// The tenant and the levels below it.
fn split(topic: &str) -> Option<(TenantName, Vec<&str>)> {
    let (tenant, rest) = topic.split_once('/')?;
    Some((TenantName::new(tenant).ok()?, rest.split('/').collect()))
}

fn can_match(filter: &[&str], shape: &[&str]) -> bool {
    match (filter, shape) {
        (["#"], _) | ([], []) => true,
        ([first, filter @ ..], [level, shape @ ..]) => {
            (*first == "+" || *level == "*" || first == level) && can_match(filter, shape)
        }
        _ => false,
    }
}

fn decide_exact(
    who: &Principal,
    action: Action,
    topic: &str,
    facts: &dyn Facts,
    now: SimTime,
) -> Decision {
    let Some((tenant, levels)) = split(topic) else { return Decision::Hidden };
    let is_name = |level: &&str| !level.is_empty() && !level.contains(['+', '#']);
    if topic.contains(char::is_control) || !levels.iter().all(is_name) {
        return Decision::Hidden;
    }
    let Some((shape, kind)) = shape_of(&levels) else { return Decision::Hidden };
    // What is concluded is published by applications, and by nobody in their place.
    let is_input = matches!(kind, Kind::OwnInput | Kind::SharedInput);
    let is_result = is_input && action == Action::Write && levels.last() == Some(&"result");
    if is_result && !matches!(who.reference, PrincipalRef::Application(_) | PrincipalRef::Bench) {
        return Decision::Hidden;
    }
    let named = shape.iter().position(|level| *level == "*").map(|index| levels[index]);
    let target = match (kind, named) {
        (Kind::OwnInput | Kind::CommandTopic | Kind::Live, Some(id)) => {
            match id.strip_prefix(AGGREGATE) {
                Some(zone) => Some(Target::Zone(zone.to_owned())),
                None => HardwareId::new(id).ok().map(Target::Device),
            }
        }
        (Kind::Estimates, Some(zone)) => Some(Target::Zone(zone.to_owned())),
        _ => None,
    };
    let subject = match &target {
        Some(target) => Subject::One(target),
        None if *kind == Kind::LiveAlerts => Subject::List,
        None => Subject::Nothing,
    };
    may(who, action, &Resource::new(*kind, &tenant, subject), facts, now)
}
