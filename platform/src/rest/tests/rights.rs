//! Every route and every topic asked for by every kind of principal, of the tenant and of another.
//!
//! | file | purpose |
//! |---|---|
//! | `world` | a tenant with everything in it, and what everybody may have of it in plain words |
//! | `product` | whole requests: every route by every principal about every device |
//! | `named`, `taken`, `networks` | single cases, by name |
//! | `samples` | a document of each kind |
//! | `outline` | what is given in outline or of some hours, by name |

mod named;
mod networks;
mod outline;
mod product;
mod samples;
mod taken;
pub(super) mod world;

use lastmeter_model::access::{
    Action, Decision, Denied, NoFacts, Principal, PrincipalRef, Resource, Role, Scope, Subject,
    may_publish, may_subscribe,
};
use lastmeter_units::{SimTime, TenantName};

use super::super::routes::{Access, all};
use crate::access::require;

const NOW: SimTime = SimTime(0);

/// Kinds of principals as the tables below name them.
const KINDS: [(&str, &str, &[Role]); 11] = [
    ("anonymous", "anonymous", &[]),
    ("user", "user:ann", &[Role::User]),
    ("utility", "user:grid", &[Role::Utility]),
    ("operator", "user:olga", &[Role::Operator]),
    ("admin", "user:adam", &[Role::TenantAdmin]),
    ("app", "app:locator", &[]),
    ("device", "device:m-home", &[]),
    ("devices", "devices", &[]),
    ("gateway", "gateway:00124b0001020304", &[]),
    ("platform", "platform:root", &[]),
    ("bench", "bench", &[]),
];

/// Who may use a route in full; all others are refused.
const ROUTES: &[(&str, &str)] = &[
    ("POST /api/v1/import", "devices bench"),
    ("GET /api/v1/readings", "bench"),
    ("GET /api/v1/refusals", "bench"),
    ("GET /api/v1/alerts", "bench"),
    ("GET /api/v1/clock", "bench"),
    ("POST /api/v1/clock/advance", "bench"),
    ("GET /api/v1/losses", "operator admin bench"),
    ("POST /api/v1/losses/{id}/acknowledge", "operator admin"),
    ("GET /api/v1/connections", "admin bench"),
    ("POST /api/v1/connections/{name}/read", "admin bench"),
    ("GET /metrics", "operator admin bench"),
    ("GET /sitewhere/api/devices/specification/{token}", "operator admin bench"),
    ("GET /sitewhere/api/devices/group/{token}", "operator admin bench"),
    ("GET /sitewhere/api/authorities", "admin bench"),
    ("GET /api/v1/firmware", "operator admin bench"),
    ("POST /api/v1/firmware", "admin bench"),
    ("GET /api/v1/firmware/{token}", "operator admin bench"),
    ("GET /api/v1/electric-networks/{token}/supply", "operator admin bench"),
    ("GET /api/v1/outages", "operator admin bench"),
    ("GET /api/v1/outages/{token}", "operator admin bench"),
    ("POST /api/v1/outages/{token}/review", "operator admin"),
];

/// Who may publish on a topic, and who may have all that comes by it.
const TOPICS: &[(&str, &str, &str)] = &[
    ("device/m-home/input/json", "device devices bench", "bench"),
    ("device/other/input/json", "devices bench", "bench"),
    ("device/+/input/json", "", "bench"),
    ("device/m-home/input/block", "device devices bench", "bench"),
    ("device/m-home/input/result", "bench", "bench"),
    ("device/locator/input/result", "app bench", "bench"),
    ("device/locator/input/block", "app devices bench", "bench"),
    ("SiteWhere/input/json", "devices bench", "bench"),
    ("SiteWhere/input/result", "bench", "bench"),
    ("SiteWhere/input/block", "devices bench", "bench"),
    ("SiteWhere/commands/m-home", "", "device devices bench"),
    ("SiteWhere/commands/other", "", "devices bench"),
    ("SiteWhere/commands/+", "", "bench"),
    ("device/m-home/ack", "", "device devices bench"),
    ("live/device/m-home", "", "bench"),
    ("live/alerts", "", "bench"),
    ("live/#", "", "bench"),
    ("se/feeder", "", "utility bench"),
    ("echo/probe", "app devices bench", "app devices bench"),
    ("echo/+", "", "app devices bench"),
    ("rts/rack/frames", "app devices bench", "app devices bench"),
    ("elsewhere", "", ""),
    ("#", "", "bench"),
];

fn principals(tenant: &TenantName) -> Vec<(&'static str, Principal)> {
    let of = |(name, reference, roles): (&'static str, &str, &[Role])| {
        let reference: PrincipalRef = reference.parse().unwrap();
        let principal = Principal::of(reference, tenant.clone());
        (name, Principal { roles: roles.iter().copied().collect(), ..principal })
    };
    KINDS.into_iter().map(of).collect()
}

#[test]
fn each_route_and_topic_is_for_those_whom_the_tables_name_and_for_nobody_of_another_tenant() {
    let own = TenantName::default();
    let other = TenantName::new("other").unwrap();
    let guarded: Vec<_> = all()
        .filter_map(|route| match route.access {
            // The platform's own routes ask for the token of the process and no other right.
            // Where handlers ask themselves, `product` sends whole requests.
            Access::Open | Access::Platform | Access::Within(..) => None,
            Access::To(kind, action) => {
                Some((format!("{} {}", route.method.word(), route.path), kind, action))
            }
        })
        .collect();
    let places: Vec<&str> = guarded.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places.len(), ROUTES.len(), "{places:?}");
    let mut cells = 0;
    for (place, kind, action) in &guarded {
        let expected = ROUTES.iter().find(|(known, _)| known == place);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{place} is in no table"));
        let on = Resource::new(*kind, &own, Subject::List);
        for (tenant, is_own) in [(&own, true), (&other, false)] {
            for (name, who) in principals(tenant) {
                let found = require(&[who], *action, &on, &NoFacts, NOW);
                let is_meant = is_own && expected.split(' ').any(|one| one == name);
                let is_all = found.as_ref().is_ok_and(|permit| *permit.scope() == Scope::All);
                assert_eq!(is_all, is_meant, "{place} by {name} of {tenant}: {found:?}");
                if name == "anonymous" {
                    assert!(!is_all, "{place}");
                } else if !is_own && name != "platform" {
                    assert_eq!(found, Err(Denied::Hidden), "{place} by {name}");
                }
                cells += 1;
            }
        }
    }
    for (topic, publishers, subscribers) in TOPICS {
        let topic = format!("{own}/{topic}");
        for (tenant, is_own) in [(&own, true), (&other, false)] {
            for (name, who) in principals(tenant) {
                for (action, expected) in [(Action::Write, publishers), (Action::Read, subscribers)]
                {
                    let found = match action {
                        Action::Write => may_publish(&who, &topic, &NoFacts, NOW),
                        _ => may_subscribe(&who, &topic, &NoFacts, NOW),
                    };
                    let is_meant = is_own && expected.split(' ').any(|one| one == name);
                    let is_all = found == Decision::Yes(Scope::All);
                    assert_eq!(is_all, is_meant, "{action} {topic}, {name} of {tenant}: {found:?}");
                    cells += 1;
                }
            }
        }
    }
    println!("{cells} cells: {} routes, {} topics", ROUTES.len(), TOPICS.len());
}
