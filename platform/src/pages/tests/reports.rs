//! Reports, and what zones take as a whole.

use super::*;

#[tokio::test]
async fn a_report_shows_the_number_first_and_what_was_missing_to_whom_it_is() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let (_, list) = household.page("/reports", &ann).await;
    assert_eq!(numbers(&list), ["24.0"], "{list}");
    assert!(
        list.contains("href=\"&#x2f;reports&#x2f;p1\"") && list.contains("Sun 17 Jan"),
        "{list}"
    );
    let (_, none) = household.page("/reports?kind=TI.E", &ann).await;
    assert!(numbers(&none).is_empty(), "{none}");
    let (_, days) = household.page("/reports?kind=NILM&period=day", &ann).await;
    assert_eq!(numbers(&days), ["24.0"]);
    let (_, page) = household.page("/reports/p1", &ann).await;
    // The numbers of what is stored; their parts are a whole.
    assert_eq!(numbers(&page)[..4], ["24.0", "14.2", "3.4", "6.4"], "{page}");
    let shares = page
        .split("<meter ")
        .skip(1)
        .filter_map(|rest| rest.split("value=\"").nth(1)?.split('"').next()?.parse::<f64>().ok());
    assert!((shares.sum::<f64>() - 100.0).abs() < 1e-9, "{page}");
    assert!(
        page.contains("explained to 73.3") && page.contains("readings are missing (1)"),
        "{page}"
    );
    assert!(page.contains("p&lt;2&gt;"), "names are text");
    let (hidden, absent) =
        (household.page("/reports/p1", &bob).await, household.page("/reports/p2", &bob).await);
    assert_eq!((hidden.0, &hidden), (404, &absent));
    assert!(numbers(&household.page("/reports", &bob).await.1).is_empty());
    household.0.stop().await;
}

#[tokio::test]
async fn a_group_shows_what_is_published_and_why_another_is_not() {
    let household = Household::start().await;
    let made = async |path: &str, body: &Value| {
        let answer = household.0.post(path, body).await;
        assert!([200, 201].contains(&answer.status), "{path} {answer:?}");
    };
    let user = json!({ "username": "uma", "password": PASSWORD, "roles": ["utility"] });
    made("/sitewhere/api/users", &user).await;
    for zone in ["big", "small"] {
        let name = format!("Feeder <{zone}>");
        let body = json!({ "token": zone, "name": name, "kind": "feeder", "statistical": true });
        made("/sitewhere/api/zones", &body).await;
    }
    let mut messages = Vec::new();
    for (zone, households) in [("big", 16), ("small", 9)] {
        for number in 0..households {
            let device = format!("{zone}-{number}");
            made("/sitewhere/api/devices", &json!({ "hardwareId": device })).await;
            let body = json!({ "deviceHardwareId": device, "zoneToken": zone });
            made("/sitewhere/api/assignments", &body).await;
            for quarter in 0..4_u64 {
                let at = time("2027-01-31T23:00:00Z").0 + quarter as i64 * 900_000_000_000;
                let power = 0.5 + 0.125 * f64::from(number);
                let at = SimTime(at).to_string();
                messages.push(reading(&device, quarter + 1, &at, &[(POWER, power)]));
            }
        }
    }
    let advance = async |to: &str| made("/api/v1/clock/advance", &json!({ "to": to })).await;
    advance("2027-01-31T23:50:00Z").await;
    store(&household.0.bench.core, &messages).await;
    advance("2027-02-01T00:05:00Z").await;
    let form = format!("name=uma&password={}", PASSWORD.replace(' ', "+"));
    let answer = household.form("/sign-in", "", &form).await;
    assert_eq!(header(&answer, "location"), Some("/groups"));
    let uma = cookie_of(&answer);
    let (_, page) = household.page("/groups?z=big", &uma).await;
    // 0.5 + 0.125 x 7.5.
    assert!(
        page.contains("<data value=\"16\">") && page.contains("<data value=\"1.4375\">"),
        "{page}"
    );
    assert!(
        page.contains("Feeder &lt;small&gt;") && page.contains("fewer than 15 households"),
        "{page}"
    );
    let (_, csv) = household.page("/groups?z=big&as=csv", &uma).await;
    assert_eq!(csv.lines().nth(1), Some("big,2027-01-31T23:00:00.000Z,16,1.4375,23.0"), "{csv}");
    let (_, small) = household.page("/groups?z=small", &uma).await;
    assert!(small.contains("Nothing published in this time"), "{small}");
    let csv = household.page("/groups?z=small&as=csv", &uma).await;
    assert_eq!(csv, (200, "zone,time,households,mean_kw,sum_kw\n".to_owned()));
    // Households see groups of their own alone.
    let ann = household.sign_in("ann").await;
    for zone in ["big", "none"] {
        assert_eq!(household.page(&format!("/groups?z={zone}"), &ann).await.0, 404, "{zone}");
    }
    household.0.stop().await;
}
