//! Laws of access that hold for any grant, key and instant.

use std::collections::BTreeSet;

use lastmeter_units::{HardwareId, SimTime};
use proptest::prelude::*;

use super::sample::{self, HOUR, Sample};
use crate::access::action::Action;
use crate::access::facts::Facts;
use crate::access::grant::{Grant, Quantities, Span, Window};
use crate::access::may::{Decision, Scope, may};
use crate::access::principal::{KeyScope, Principal, PrincipalRef, Role};
use crate::access::resource::{Kind, Owner, Resource, Subject, Target};
use crate::access::topics::{may_publish, may_subscribe};

const DEVICES: [&str; 7] = ["mine", "others", "nobody", "public", "former", "once-free", "absent"];

fn principals() -> impl Strategy<Value = Principal> {
    let references = [
        "anonymous",
        "user:me",
        "device:dev",
        "devices",
        "gateway:0000000000000007",
        "app:app",
        "bench",
    ];
    let roles = proptest::sample::subsequence(Role::ALL.to_vec(), 0..=4);
    (proptest::sample::select(references.to_vec()), roles).prop_map(|(reference, roles)| {
        Principal {
            reference: reference.parse().unwrap(),
            tenant: Some(sample::tenants().0),
            roles: roles.into_iter().collect(),
            key: None,
        }
    })
}

prop_compose! {
    fn grants()(
        on in proptest::sample::select(vec!["mine", "others", "former", "public", "zone z-others"]),
        actions in proptest::sample::subsequence(Action::ALL.to_vec(), 1..11),
        has_finest: bool, with_history: bool, is_purpose: bool, is_mine: bool,
        from in 0i64..2000, length in 0i64..1500, revoked in proptest::option::of(0i64..2000),
    ) -> Grant {
        let me = "user:me".parse().unwrap();
        let mut grant = sample::grant(&me, sample::target(on).unwrap());
        grant.actions = actions.into_iter().collect();
        grant.finest = has_finest.then_some(HOUR);
        grant.with_history = with_history;
        grant.purpose = is_purpose.then(|| "outage".to_owned());
        grant.by = if is_mine { me } else { grant.by };
        (grant.from, grant.until) = (SimTime(from), SimTime(from + length));
        grant.revoked = revoked.map(SimTime);
        grant
    }
}

/// Kind, subject (a list without one), and whether the document is the principal's.
fn questions() -> impl Strategy<Value = (Kind, Action, Option<Target>, bool)> {
    let subject = proptest::sample::select(DEVICES.to_vec()).prop_map(sample::target);
    (
        proptest::sample::select(Kind::ALL.to_vec()),
        proptest::sample::select(Action::ALL.to_vec()),
        prop_oneof![4 => subject, 1 => Just(None)],
        any::<bool>(),
    )
}

fn sample_of(who: &Principal, grants: Vec<Grant>) -> Sample {
    let grants = grants.into_iter().map(|grant| Grant { to: who.reference.clone(), ..grant });
    Sample { me: "user:me".parse().unwrap(), grants: grants.collect(), has_administrator: true }
}

fn user() -> Principal {
    let tenant = Some(sample::tenants().0);
    let reference = "user:me".parse().unwrap();
    Principal { reference, tenant, roles: [Role::User].into(), key: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_other_tenant_is_reached(
        who in principals(), grant in grants(), (kind, action, target, is_own) in questions(),
    ) {
        let (_, other) = sample::tenants();
        let subject = target.as_ref().map_or(Subject::List, Subject::One);
        let owner = if is_own { Owner::Of(&who.reference) } else { Owner::Tenant };
        let on = Resource::new(kind, &other, subject).owned(owner);
        let facts = sample_of(&who, vec![grant]);
        let decision = may(&who, action, &on, &facts, SimTime(1000));
        let is_anonymous = who.reference == PrincipalRef::Anonymous;
        let expected = if is_anonymous { Decision::LogIn } else { Decision::Hidden };
        prop_assert_eq!(decision, expected);
    }

    #[test]
    fn a_grant_that_is_not_in_force_is_none(
        who in principals(), grant in grants(), (kind, action, target, _) in questions(),
        now in 0i64..4000,
    ) {
        let now = SimTime(now);
        prop_assume!(now < grant.from || grant.until <= now
            || grant.revoked.is_some_and(|at| at <= now));
        let tenant = sample::tenants().0;
        let subject = target.as_ref().map_or(Subject::List, Subject::One);
        let on = Resource::new(kind, &tenant, subject);
        let [with, without] = [vec![grant], vec![]]
            .map(|grants| may(&who, action, &on, &sample_of(&who, grants), now));
        prop_assert_eq!(with, without);
    }

    #[test]
    fn a_finest_width_gives_closed_roll_ups_of_series_only(
        who in principals(), grant in grants(), (kind, action, target, _) in questions(),
    ) {
        let tenant = sample::tenants().0;
        let grant = Grant { finest: Some(HOUR), ..grant };
        let subject = target.as_ref().map_or(Subject::List, Subject::One);
        let on = Resource::new(kind, &tenant, subject);
        let [with, without] = [vec![grant], vec![]]
            .map(|grants| may(&who, action, &on, &sample_of(&who, grants), SimTime(1000)));
        if with != without {
            let is_series = matches!(kind, Kind::Series | Kind::Export);
            // Reading series makes other actions with them forbidden instead of hidden.
            prop_assert!(is_series, "{kind} {action}: {with:?}, {without:?}");
            prop_assert!(action == Action::Read || with == Decision::Forbidden);
        }
    }

    #[test]
    fn windows_lie_within_tenure_and_grant(
        grant in grants(), (kind, action, target, _) in questions(), now in 0i64..2500,
    ) {
        let (who, tenant) = (user(), sample::tenants().0);
        let subject = target.as_ref().map_or(Subject::List, Subject::One);
        let on = Resource::new(kind, &tenant, subject);
        let facts = sample_of(&who, vec![grant.clone()]);
        let decision = may(&who, action, &on, &facts, SimTime(now));
        let Decision::Yes(Scope::Windows(windows)) = decision else { return Ok(()) };
        for window in windows {
            let device = Target::Device(window.device.clone());
            let is_public = Some(&device) == sample::target("public").as_ref();
            let within = |outer: Span| outer.intersection(window.span()) == Some(window.span());
            let is_lawful = facts.tenures(&device).iter().filter(|it| within(it.span)).any(|it| {
                let is_by_grant = grant.is_in_force(SimTime(now))
                    && within(grant.data_span())
                    && (grant.purpose.is_some() || it.owner.as_ref() == Some(&grant.by));
                it.owner.as_ref() == Some(&who.reference)
                    || is_by_grant
                    || is_public && it.span.contains(SimTime(now))
            });
            prop_assert!(is_lawful, "{window:?}");
        }
    }

    #[test]
    fn a_list_has_what_its_things_have(
        grant in grants(), now in 0i64..2500,
        kind in proptest::sample::select(vec![
            Kind::Series, Kind::Export, Kind::Latest, Kind::Live, Kind::Invocation, Kind::Device,
        ]),
    ) {
        let (who, tenant) = (user(), sample::tenants().0);
        let facts = sample_of(&who, vec![grant]);
        let ask = |subject: Subject<'_>| {
            may(&who, Action::Read, &Resource::new(kind, &tenant, subject), &facts, SimTime(now))
        };
        let Decision::Yes(Scope::Windows(list)) = ask(Subject::List) else {
            return Err(TestCaseError::fail("a user has lists"));
        };
        // Lists have nothing of what is public.
        for id in DEVICES.into_iter().filter(|id| *id != "public") {
            let target = sample::target(id).unwrap();
            let listed: Vec<_> =
                list.iter().filter(|one| Some(&one.device) == target.device()).cloned().collect();
            match ask(Subject::One(&target)) {
                Decision::Yes(Scope::Windows(windows)) => prop_assert_eq!(windows, listed),
                Decision::Yes(_) => prop_assert!(!listed.is_empty(), "{}", id),
                other => prop_assert!(listed.is_empty(), "{id}: {other:?}, {listed:?}"),
            }
        }
    }

    #[test]
    fn a_cut_leaves_what_lies_in_a_window_of_the_device(
        windows in proptest::collection::vec(
            (any::<bool>(), 0i64..9, 1i64..9, 0usize..3, any::<bool>()), 0..4,
        ),
        event in 0i64..20, received in 0i64..20,
    ) {
        let device = |is_own| HardwareId::new(if is_own { "own" } else { "other" }).unwrap();
        let patterns = ["*", "v.*", "v.a"];
        let window = |(is_own, from, length, pattern, is_coarse): (bool, i64, i64, usize, bool)| {
            Window {
                device: device(is_own),
                from: SimTime(from),
                until: SimTime(from + length),
                quantities: match pattern {
                    0 => Quantities::All,
                    other => Quantities::Like([patterns[other].parse().unwrap()].into()),
                },
                finest: is_coarse.then_some(HOUR),
            }
        };
        let windows: Vec<_> = windows.into_iter().map(window).collect();
        let permit = Decision::Yes(Scope::Windows(windows.clone())).permit().unwrap();
        let (cut, at) = (permit.cut(&device(true)), event.min(received));
        let open = windows.iter().filter(|one| one.device == device(true) && one.finest.is_none());
        let open: Vec<_> = open.filter(|one| (one.from.0..one.until.0).contains(&at)).collect();
        // The patterns that select each name.
        for (name, count) in [("v.a", 3), ("v.b", 2), ("w", 1)] {
            let selecting = &patterns[..count];
            let is_selected = |one: &&Window| match &one.quantities {
                Quantities::All => true,
                Quantities::Like(like) => {
                    like.iter().all(|one| selecting.contains(&&*one.to_string()))
                }
            };
            let expected = open.iter().any(is_selected);
            let found = cut.has_value(SimTime(event), SimTime(received), name);
            prop_assert_eq!(found, expected, "{}", name);
            prop_assert!(!found || cut.first() <= SimTime(event));
        }
        let is_whole = open.iter().any(|one| one.quantities == Quantities::All);
        prop_assert_eq!(cut.has(SimTime(at)), is_whole);
    }

    #[test]
    fn hidden_is_as_absent(
        who in principals(), grant in grants(), (kind, action, target, is_own) in questions(),
    ) {
        let tenant = sample::tenants().0;
        let other = "user:other".parse().unwrap();
        let owner = Owner::Of(if is_own { &who.reference } else { &other });
        let subject = target.as_ref().map_or(Subject::Nothing, Subject::One);
        let facts = sample_of(&who, vec![grant]);
        let now = SimTime(1000);
        let there = may(&who, action, &Resource::new(kind, &tenant, subject).owned(owner), &facts, now);
        let absent = sample::target("absent").unwrap();
        let subject = target.as_ref().map_or(Subject::Nothing, |_| Subject::One(&absent));
        let on = Resource::new(kind, &tenant, subject);
        // The shared credential serves any device without one of its own, new ones included.
        let is_new = who.reference == PrincipalRef::SharedDevices
            && matches!(kind, Kind::OwnInput | Kind::CommandTopic);
        if !is_new && matches!(there, Decision::Hidden | Decision::LogIn) {
            prop_assert_eq!(may(&who, action, &on, &facts, now), there);
        }
    }

    #[test]
    fn a_key_gives_no_more_than_its_owner_has(
        grant in grants(), (kind, action, target, _) in questions(),
        actions in proptest::sample::subsequence(Action::ALL.to_vec(), 0..11),
        on_device in proptest::option::of(proptest::sample::select(DEVICES.to_vec())),
    ) {
        let (who, tenant) = (user(), sample::tenants().0);
        let on: Option<BTreeSet<_>> = on_device.map(|id| [sample::target(id).unwrap()].into());
        let actions: BTreeSet<_> = actions.into_iter().collect();
        let key = KeyScope { actions: actions.clone(), on: on.clone(), until: SimTime(0) };
        let narrowed = Principal { key: Some(key), ..who.clone() };
        let subject = target.as_ref().map_or(Subject::List, Subject::One);
        let resource = Resource::new(kind, &tenant, subject);
        let facts = sample_of(&who, vec![grant]);
        let [all, part] =
            [&who, &narrowed].map(|who| may(who, action, &resource, &facts, SimTime(1000)));
        let is_named = |id| on.as_ref().is_none_or(|on| on.contains(&Target::Device(id)));
        match (all, part) {
            (Decision::Yes(Scope::Windows(all)), Decision::Yes(Scope::Windows(part))) => {
                prop_assert!(part.iter().all(|one| all.contains(one)));
                prop_assert!(part.into_iter().all(|one| is_named(one.device)));
            }
            (Decision::Yes(Scope::All), Decision::Yes(Scope::Windows(part))) => {
                prop_assert!(part.into_iter().all(|one| is_named(one.device)));
            }
            (Decision::Yes(all), Decision::Yes(part)) => prop_assert_eq!(all, part),
            (all, Decision::Yes(part)) => prop_assert!(false, "{all:?}, {part:?}"),
            _ => {}
        }
        let is_outline = action == Action::Outline && actions.contains(&Action::Read);
        if !actions.contains(&action) && !is_outline {
            let decision = may(&narrowed, action, &resource, &facts, SimTime(1000));
            prop_assert!(!matches!(decision, Decision::Yes(_)));
        }
    }
}

/// Two devices, one of which nobody owns, granted hour by hour: each kind and each action is asked
/// for by everybody that a grant can be made to.
#[test]
fn no_latest_value_alert_presence_or_refusal_is_given_for_a_finest_width() {
    let tenant = sample::tenants().0;
    let principal = |reference: &str, roles: &[Role]| Principal {
        reference: reference.parse().unwrap(),
        roles: roles.iter().copied().collect(),
        ..user()
    };
    let asking = [
        user(),
        principal("user:me", &[Role::Operator]),
        principal("user:me", &[Role::TenantAdmin]),
        principal("app:a", &[]),
    ];
    let mut given_by_the_whole = 0;
    for (who, device) in asking.iter().flat_map(|who| [(who, "others"), (who, "nobody")]) {
        let target = sample::target(device).unwrap();
        let whole = Grant {
            purpose: Some("a purpose".to_owned()),
            ..sample::grant(&who.reference, target.clone())
        };
        let coarse = Grant { finest: Some(HOUR), ..whole.clone() };
        let decision = |kind: Kind, action: Action, grants: Vec<Grant>| {
            let on = Resource::new(kind, &tenant, Subject::One(&target));
            may(who, action, &on, &sample_of(who, grants), SimTime(1000))
        };
        for (kind, action) in
            Kind::ALL.into_iter().flat_map(|kind| Action::ALL.map(|action| (kind, action)))
        {
            if matches!(kind, Kind::Series | Kind::Export) {
                continue;
            }
            let nothing = decision(kind, action, Vec::new());
            let name = format!("{} {kind} {action} of {device}", who.reference);
            assert_eq!(decision(kind, action, vec![coarse.clone()]), nothing, "{name}");
            given_by_the_whole += u32::from(decision(kind, action, vec![whole.clone()]) != nothing);
        }
    }
    assert!(given_by_the_whole >= 20, "{given_by_the_whole}: a whole grant gives some of them");
}

#[test]
fn a_grant_is_a_document() {
    let me = "user:me".parse().unwrap();
    let mut grant = sample::grant(&me, sample::target("zone z-mine").unwrap());
    let text = serde_json::to_string(&grant).unwrap();
    assert!(text.contains(r#""to":"user:me","on":"zone:z-mine""#), "{text}");
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
    grant.finest = Some(HOUR);
    grant.revoked = Some(SimTime(1));
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
    assert!(serde_json::from_str::<Grant>(&text.replace("\"on\"", "\"an\"")).is_err());
}

#[test]
fn topics_are_exact_but_for_those_who_may_have_all() {
    let who = |reference: &str, roles: &[Role]| Principal {
        reference: reference.parse().unwrap(),
        tenant: Some(sample::tenants().0),
        roles: roles.iter().copied().collect(),
        key: None,
    };
    let (device, shared, bench) = (who("device:dev", &[]), who("devices", &[]), who("bench", &[]));
    let utility = who("user:u", &[Role::Utility]);
    let me = user();
    let facts = sample_of(&me, vec![]);
    let now = SimTime(1000);
    // By section: own input and commands, the shared credential, wildcards, committed values.
    for (who, action, topic, is_allowed) in [
        (&device, Action::Write, "default/device/dev/input/json", true),
        (&device, Action::Write, "default/device/mine/input/json", false),
        (&device, Action::Write, "default/device/+/input/json", false),
        (&device, Action::Write, "default/SiteWhere/input/json", false),
        (&device, Action::Write, "b/device/dev/input/json", false),
        (&device, Action::Read, "default/SiteWhere/commands/dev", true),
        (&device, Action::Read, "default/SiteWhere/commands/+", false),
        (&device, Action::Read, "default/#", false),
        (&shared, Action::Write, "default/SiteWhere/input/json", true),
        (&shared, Action::Read, "default/SiteWhere/input/json", false),
        (&shared, Action::Write, "default/device/dev/input/json", false),
        (&shared, Action::Write, "default/device/mine/input/json", true),
        (&shared, Action::Read, "default/SiteWhere/commands/dev", false),
        (&shared, Action::Read, "default/SiteWhere/commands/mine", true),
        (&bench, Action::Read, "default/device/+/input/json", true),
        (&bench, Action::Read, "default/#", true),
        (&bench, Action::Read, "+/SiteWhere/input/json", false),
        (&bench, Action::Read, "#", false),
        (&bench, Action::Read, "b/#", false),
        (&bench, Action::Write, "default/SiteWhere/commands/mine", false),
        (&bench, Action::Read, "default/unknown/+", false),
        (&me, Action::Read, "default/live/device/mine", true),
        (&me, Action::Read, "default/live/device/others", false),
        (&me, Action::Read, "default/live/device/+", false),
        (&me, Action::Read, "default/live/alerts", true),
        (&utility, Action::Read, "default/live/device/$aggregate-z-mine", true),
        (&utility, Action::Read, "default/live/device/mine", false),
        (&utility, Action::Read, "default/se/+", true),
        (&utility, Action::Read, "default/+/z-mine", false),
    ] {
        let decision = match action {
            Action::Write => may_publish(who, topic, &facts, now),
            _ => may_subscribe(who, topic, &facts, now),
        };
        let is_yes = matches!(decision, Decision::Yes(_));
        assert_eq!(is_yes, is_allowed, "{} {action} {topic}: {decision:?}", who.reference);
    }
}
