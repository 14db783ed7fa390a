//! What is shared, and what administrators do with people, keys, refusals and the audit.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Household, header, reading};
use crate::losses::LossKind;
use crate::ops::homes::POWER;
use crate::tests::{Accepted, accept, bytes};

#[tokio::test]
async fn what_is_shared_is_seen_as_its_owner_sees_it_beforehand_and_ends_at_once() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let (_, page) = household.page("/sharing", &ann).await;
    assert!(page.contains("Nobody but you sees your devices"), "{page}");
    let form = |rest: &str| format!("to=bob&device=p1&quantity=&finest=&until=2027-03-31{rest}");
    for wrong in [
        "to=ann&",
        "to=b+b&",
        "to=nobody&",
        "until=2027-01-17&",
        "until=soon&",
        "finest=7&",
        "finest=900&switch=yes&",
        "device=m1&switch=yes&",
        "quantity=heating.energy&",
    ] {
        let body = format!("{}&{}", form(""), wrong.trim_end_matches('&'));
        let answer = household.form("/sharing", &ann, &body).await;
        let text = String::from_utf8(answer.body).unwrap();
        assert!(answer.status == 422 && text.contains("role=\"alert\""), "{wrong}: {text}");
    }
    assert_eq!(household.page("/devices/p1", &bob).await.0, 404);
    let answer = household.form("/sharing", &ann, &form("&switch=yes")).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let (_, page) = household.page(header(&answer, "location").unwrap(), &ann).await;
    let sentence = "bob will see each reading of Heater: everything, from Mon 18 Jan, until Wed 31 \
                    Mar, and may switch it.";
    assert!(page.contains(sentence), "{page}");
    assert!(page.contains("Did not look in the last 7 days"), "{page}");
    // The preview is the page of the other one, and no look.
    let preview = page.split("href=\"").find(|rest| rest.starts_with("&#x2f;sharing&#x2f;"));
    let preview = preview.unwrap().split('"').next().unwrap().replace("&#x2f;", "/");
    let rows = |page: &str| {
        let rows = page.split("<ul class=\"rows\">").nth(1).unwrap().split("</ul>").next().unwrap();
        rows.replace("<a href=\"&#x2f;devices&#x2f;p1\">", "").replace("</a>", "")
    };
    let (status, seen) = household.page(&preview, &ann).await;
    let (_, shared) = household.page("/shared", &bob).await;
    assert_eq!((status, rows(&seen)), (200, rows(&shared)));
    assert!(shared.contains("href=\"&#x2f;devices&#x2f;p1\"") && !seen.contains("devices&#x2f;p1"));
    // With what that shows now, which is the owner's look and not the other's.
    let sample = seen.split("What that shows now").nth(1).unwrap();
    assert!(
        sample.contains("Heater: Power") && sample.contains("<data value=\"0.82\">"),
        "{sample}"
    );
    assert!(!shared.contains("What that shows now"), "{shared}");
    assert!(seen.contains("everything, each reading, from Mon 18 Jan"), "{seen}");
    assert_eq!(household.page(&preview, &bob).await.0, 404);
    let (_, page) = household.page("/sharing", &ann).await;
    assert!(page.contains("Did not look in the last 7 days"), "{page}");
    // Looking is seen; switching is in the name of who did it.
    let (status, device) = household.page("/devices/p1", &bob).await;
    assert!(status == 200 && device.contains("Switch off"), "{device}");
    let mut looked = String::new();
    for _ in 0..100 {
        looked = household.page("/sharing", &ann).await.1;
        if looked.contains("Looked on 1 of the last 7 days") {
            break;
        }
        household.0.bench.core.barrier().await.unwrap();
    }
    assert!(looked.contains("Looked on 1 of the last 7 days"), "{looked}");
    // Nobody shares or ends what is another's.
    let others =
        household.form("/sharing", &bob, "to=ann&device=m1&finest=&until=2027-03-31").await;
    assert!([403, 404, 422].contains(&others.status), "{others:?}");
    let end = format!("{preview}/end");
    assert_eq!(household.form(&end, &bob, "").await.status, 404);
    assert_eq!(household.page("/devices/p1", &bob).await.0, 200);
    assert_eq!(household.form(&end, &ann, "").await.status, 303);
    assert_eq!(household.page("/devices/p1", &bob).await.0, 404);
    assert!(household.page("/shared", &bob).await.1.contains("Nobody shares anything"));
    household.0.stop().await;
}

#[tokio::test]
async fn administrators_add_change_and_remove_people_and_keys_and_nobody_else_does() {
    let household = Household::start().await;
    let (ann, adam) = (household.sign_in("ann").await, household.sign_in("adam").await);
    for (path, body) in [
        ("/admin/people", "name=eve&user=yes"),
        ("/admin/people/bob", "disabled=yes"),
        ("/admin/people/bob/code", ""),
        ("/admin/people/bob/remove", "name=bob"),
        ("/admin/keys", "of=ann&read=yes&until=2100-01-01"),
        ("/admin/tenants", "name=b"),
    ] {
        assert_eq!(household.form(path, &ann, body).await.status, 404, "{path}");
    }
    let made = household.form("/admin/people", &adam, "name=carl&user=yes").await;
    let text = String::from_utf8(made.body).unwrap();
    let code: String = text
        .split("<output class=\"secret\">")
        .nth(1)
        .unwrap()
        .split("</output>")
        .next()
        .unwrap()
        .replace("<span>", "")
        .replace("</span>", "");
    assert!(made.status == 200 && code.len() == 32, "{text}");
    let form = format!("name=carl&password={code}&new-password=carls+horse");
    assert_eq!(household.form("/sign-in", "", &form).await.status, 303);
    for taken in ["name=carl", "name=", "name=a+b"] {
        assert_eq!(household.form("/admin/people", &adam, taken).await.status, 422, "{taken}");
    }
    let (_, found) = household.page("/admin/people?find=CAR&role=user", &adam).await;
    assert!(found.contains("carl") && !found.contains("people&#x2f;bob"), "{found}");
    let (_, person) = household.page("/admin/people/carl", &adam).await;
    assert!(person.contains("active") && !person.contains(&code), "{person}");
    let only = household.form("/admin/people/adam", &adam, "user=yes").await;
    let text = String::from_utf8(only.body).unwrap();
    assert!(only.status == 422 && text.contains("only administrator"), "{text}");
    let shut = household.form("/admin/people/carl", &adam, "user=yes&disabled=yes").await;
    assert_eq!(shut.status, 303);
    let form = "name=carl&password=carls+horse";
    assert_eq!(household.form("/sign-in", "", form).await.status, 422);
    // A log-in is over once its user was shut out, and where its rights are other ones.
    let bob = household.sign_in("bob").await;
    for form in ["user=yes&disabled=yes", "user=yes"] {
        assert_eq!(household.form("/admin/people/bob", &adam, form).await.status, 303, "{form}");
    }
    assert_eq!(household.page("/now", &bob).await.0, 303, "the way to sign in");
    let bob = household.sign_in("bob").await;
    assert_eq!(
        household.form("/admin/people/bob", &adam, "user=yes&tenant-admin=yes").await.status,
        303
    );
    assert_eq!(household.page("/admin/people", &bob).await.0, 303);
    assert_eq!(household.form("/admin/people/carl/remove", &adam, "name=carla").await.status, 422);
    assert_eq!(household.form("/admin/people/carl/remove", &adam, "name=carl").await.status, 303);
    assert_eq!(household.page("/admin/people/carl", &adam).await.0, 404);
    // A key is shown once, and worth nothing once it is ended.
    let form = "of=ann&read=yes&until=2100-01-01";
    let made = household.form("/admin/keys", &adam, form).await;
    let text = String::from_utf8(made.body).unwrap();
    let key = text.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let bearer = format!("Authorization: Bearer {key}\r\n");
    let latest = household.0.ask("GET", "/api/v1/latest?device=m1", &bearer, "").await;
    assert_eq!(latest.status, 200, "{latest:?}");
    let (_, list) = household.page("/admin/keys", &adam).await;
    assert!(!list.contains(&key), "{list}");
    let end = list.split("action=\"").find(|rest| rest.contains("&#x2f;end\"")).unwrap();
    let end = end.split('"').next().unwrap().replace("&#x2f;", "/");
    assert_eq!(household.form(&end, &ann, "").await.status, 404);
    assert_eq!(household.form(&end, &adam, "").await.status, 303);
    assert_eq!(household.0.ask("GET", "/api/v1/latest?device=m1", &bearer, "").await.status, 401);
    household.0.stop().await;
}

#[tokio::test]
async fn the_audit_has_what_was_done_and_the_rejected_messages_are_whole_for_their_owner_alone() {
    let household = Household::start().await;
    let mut cookies = BTreeMap::new();
    for name in ["ann", "bob", "adam"] {
        cookies.insert(name, household.sign_in(name).await);
    }
    // The same number with other content.
    let again = reading("m1", 2, "2027-01-17T23:15:00Z", &[(POWER, 7.625)]);
    let taken = accept(&household.0.bench.core, bytes(&again)).await.unwrap();
    assert!(matches!(taken, Accepted::Refused(_)));
    household.0.bench.core.barrier().await.unwrap();
    let page = async |path: &str, who: &str| household.page(path, &cookies[who]).await.1;
    let own = page("/admin/rejected", "ann").await;
    assert!(own.contains("conflicting content: m1") && own.contains("7.625"), "{own}");
    assert!(own.contains("Set a new epoch"), "{own}");
    let admins = page("/admin/rejected?reason=conflicting", "adam").await;
    assert!(admins.contains("conflicting content: m1") && !admins.contains("7.625"), "{admins}");
    assert!(!page("/admin/rejected", "bob").await.contains("m1"));
    assert_eq!(
        household
            .form("/devices/p1/command", &cookies["ann"], "command=setBreaker&p.state=open")
            .await
            .status,
        303
    );
    let audit = page("/admin/audit?who=ann", "adam").await;
    assert!(audit.contains("<td>user:ann</td>") && !audit.contains("user:adam"), "{audit}");
    assert_eq!(household.page("/admin/audit", &cookies["ann"]).await.0, 404);
    household.0.stop().await;
}

#[tokio::test]
async fn losses_are_acknowledged_by_name_and_only_by_who_may() {
    let household = Household::start().await;
    let (ann, adam) = (household.sign_in("ann").await, household.sign_in("adam").await);
    let losses = &household.0.bench.core.losses;
    losses.note(LossKind::DamagedStore, "reading 7", "it is <not> what was stored");
    let (_, page) = household.page("/admin/health", &adam).await;
    assert!(page.contains("1 reports of lost or damaged data"), "{page}");
    assert!(page.contains("damaged store: reading 7") && page.contains("&lt;not&gt;"), "{page}");
    let path = "/admin/losses/1/acknowledge";
    assert_eq!(household.form(path, &ann, "note=seen").await.status, 404);
    assert_eq!(losses.open_ones().0, 1);
    for nowhere in ["/admin/losses/2/acknowledge", "/admin/losses/x/acknowledge"] {
        assert_eq!(household.form(nowhere, &adam, "note=seen").await.status, 404, "{nowhere}");
    }
    assert_eq!(household.form(path, &adam, "note=restored").await.status, 303);
    assert_eq!(losses.open_ones().0, 0);
    let (_, page) = household.page("/admin/health", &adam).await;
    assert!(page.contains("user:adam: restored") && page.contains("All well"), "{page}");
    household.0.stop().await;
}

#[tokio::test]
async fn administrators_have_lists_of_roles_tariffs_and_connections() {
    let household = Household::start().await;
    let adam = household.sign_in("adam").await;
    let (_, page) = household.page("/admin/roles", &adam).await;
    let row = |thing: &str| -> Vec<String> {
        let begin = format!("<th scope=\"row\">{thing}</th>");
        let row = page.split(&begin).nth(1).unwrap().split("</tr>").next().unwrap();
        let cells = row.split("<td data-label=\"").skip(1);
        cells.map(|cell| cell.split('>').skip(1).collect::<String>()).collect()
    };
    // user, utility, operator, tenant-admin
    let series = row("series, alerts, roll-ups, export");
    assert!(series[0].contains("read: what is or was of their devices"), "{series:?}");
    assert!(series[1].starts_with('\u{2013}') && series[2].starts_with('\u{2013}'), "{series:?}");
    assert!(series[3].contains("read: what nobody owned"), "{series:?}");
    let users = row("users, roles, credentials");
    assert!(users[..3].iter().all(|cell| cell.starts_with('\u{2013}')), "{users:?}");
    assert!(users[3].contains("read, change: all"), "{users:?}");
    for (token, name) in [("t", "Home"), ("u", "Work")] {
        let tariff = json!({
            "token": token, "name": name, "currency": "EUR", "zone": "Europe/Rome",
            "validFrom": "2026-01-01T00:00:00Z", "imports": [{ "name": "Base", "price": "0.22" }],
        });
        assert_eq!(household.0.post("/api/v1/tariffs", &tariff).await.status, 201);
    }
    let (_, page) = household.page("/admin/tariffs?find=WO", &adam).await;
    assert!(page.contains("tariff&#x3d;u") || page.contains("tariff=u"), "{page}");
    assert!(page.contains("Work") && !page.contains(">Home<"), "{page}");
    let (status, page) = household.page("/tariff?tariff=u", &adam).await;
    assert!(status == 200 && page.contains("value=\"0.22\""), "{page}");
    assert_eq!(household.page("/tariff?tariff=v", &adam).await.0, 404);
    let (_, page) = household.page("/admin/connections", &adam).await;
    assert!(page.contains("There is none"), "{page}");
    household.0.stop().await;
}
