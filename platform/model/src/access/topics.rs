//! Who may publish on and subscribe to which topics.

use lastmeter_units::{HardwareId, SimTime, TenantName};

use super::action::Action;
use super::facts::Facts;
use super::may::{Decision, Scope, may};
use super::principal::Principal;
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

/// Whether committed readings or alerts can come by a filter.
pub fn can_hear_live(filter: &str) -> bool {
    let is_live = |kind: &Kind| matches!(kind, Kind::Live | Kind::LiveAlerts);
    split(filter).is_some_and(|(_, levels)| {
        SHAPES.iter().any(|(shape, kind)| is_live(kind) && can_match(&levels, shape))
    })
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
    let shape = SHAPES.iter().find(|(shape, _)| can_match(&levels, shape));
    let Some((shape, kind)) = shape else { return Decision::Hidden };
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
