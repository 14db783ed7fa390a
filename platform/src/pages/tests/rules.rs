//! Rules: made, tried, paused and removed by their owner, and those that others offer.

use super::*;

#[tokio::test]
async fn a_rule_is_made_paused_and_removed_by_its_owner_and_reads_as_a_sentence() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let form = |device: &str, level: &str| {
        format!(
            "name=Too+much&device={device}&quantity={POWER}&side=above&level={level}&minutes=10\
             &does=open&target=p1"
        )
    };
    let wrong = household.form("/rules", &ann, &form("m1", "much")).await;
    let text = String::from_utf8(wrong.body).unwrap();
    assert!(wrong.status == 422 && text.contains("value=\"much\""), "{text}");
    assert_eq!(household.form("/rules", &ann, &form("m1", "2,9")).await.status, 303);
    let (_, page) = household.page("/rules", &ann).await;
    let sentence = "When power of Home &lt;b&gt;meter&lt;&#x2f;b&gt; is above 2.90 kW for 10 min: \
                    switch off Heater.";
    assert!(page.contains(sentence), "{page}");
    // Nobody sees or changes another's.
    let (_, others) = household.page("/rules", &bob).await;
    assert!(!others.contains("Too much"), "{others}");
    let pause = page.split("action=\"").find(|rest| rest.contains("&#x2f;pause\"")).unwrap();
    let pause = pause.split('"').next().unwrap().replace("&#x2f;", "/");
    assert_eq!(household.form(&pause, &bob, "").await.status, 404);
    assert_eq!(household.form(&pause, &ann, "").await.status, 303);
    assert!(household.page("/rules", &ann).await.1.contains("paused"));
    let remove = pause.replace("/pause", "/remove");
    assert_eq!(household.form(&remove, &bob, "").await.status, 404);
    assert_eq!(household.form(&remove, &ann, "").await.status, 303);
    assert!(household.page("/rules", &ann).await.1.contains("No rule yet"));
    household.0.stop().await;
}

/// Conditions with how often each has begun within thirty days up to now, counted by hand: the
/// register passes 105 kWh once; it is 06:00 on thirty days, and dear at the beginning already;
/// frost is eight hours off.
fn cases() -> [(String, &'static str, &'static str); 7] {
    [
        (
            format!("kind=value&device=m1&quantity={ENERGY}&side=above&level=105"),
            "1 time. It",
            "energy of Home &lt;b&gt;meter&lt;&#x2f;b&gt; is above 105.0 kWh",
        ),
        (
            "kind=price&tariff=t&side=above&level=0,25".to_owned(),
            "31 times. It",
            "the price of Two prices is above 0.25 EUR for 1 kWh",
        ),
        (
            "kind=time&days=all&from=06:00&until=07:00".to_owned(),
            "30 times. It",
            "it is 06:00 to 07:00 on mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            "kind=weather&feed=f&side=below&level=-2&ahead=8".to_owned(),
            "1 time. It",
            "temperature of Outside is below -2.0 Cel in 8 h",
        ),
        (
            "kind=weather&feed=f&side=below&level=-2&ahead=7".to_owned(),
            "0 times. It",
            "temperature of Outside is below -2.0 Cel in 7 h",
        ),
        (
            "kind=silence&device=m1&minutes=60".to_owned(),
            "2 times. It",
            "nothing of Home &lt;b&gt;meter&lt;&#x2f;b&gt; comes for 1 h",
        ),
        (
            "kind=price&tariff=t&side=above&level=0,25&days=free&from=07:00&until=20:00".to_owned(),
            "10 times. It",
            "on sat, sun",
        ),
    ]
}

#[tokio::test]
async fn a_rule_of_each_kind_is_tried_on_the_past_and_reads_as_a_sentence() {
    let household = Household::start().await;
    let ann = household.sign_in("ann").await;
    let tariff = json!({
        "token": "t", "name": "Two prices", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z", "imports": [
            { "name": "Night", "price": "0.2" },
            { "name": "Day", "from": "08:00:00", "until": "19:00:00", "price": "0.3" },
        ],
    });
    assert_eq!(household.0.post("/api/v1/tariffs", &tariff).await.status, 201);
    let feed = json!({
        "token": "f", "name": "Outside", "kind": "weather", "quantity": "temperature",
        "unit": "Cel", "validFrom": "2027-01-01T00:00:00Z", "validUntil": "2027-02-01T00:00:00Z",
        "points": [["2027-01-01T00:00:00Z", 4.0], ["2027-01-18T20:00:00Z", -6.0]],
    });
    assert_eq!(household.0.post("/api/v1/feeds", &feed).await.status, 201);
    for (fields, count, sentence) in cases() {
        let form = format!("name=It&does=alarm&{fields}");
        let tried = household.form("/rules/try", &ann, &form).await;
        let page = String::from_utf8(tried.body).unwrap();
        let shown = page.replace("</data>", "");
        assert!(tried.status == 200 && shown.contains(count), "{form}: {page}");
        assert!(page.contains("No rule yet"), "nothing is kept");
        assert_eq!(household.form("/rules", &ann, &form).await.status, 303, "{form}");
        let (_, page) = household.page("/rules", &ann).await;
        assert!(page.contains(sentence), "{sentence}: {page}");
        let remove = page.split("action=\"").find(|rest| rest.contains("&#x2f;remove\"")).unwrap();
        let remove = remove.split('"').next().unwrap().replace("&#x2f;", "/");
        assert_eq!(household.form(&remove, &ann, "").await.status, 303);
    }
    // What would be sent is tried like what would be done.
    let form = "name=It&does=email&kind=silence&device=m1&minutes=60";
    let tried = household.form("/rules/try", &ann, form).await;
    let page = String::from_utf8(tried.body).unwrap();
    assert!(tried.status == 200 && page.contains("it would have acted"), "{page}");
    // What is another's is as what is not there; what is wrong comes again as it was entered.
    for (fields, error) in [
        ("kind=silence&device=m2&minutes=60", "there is no device `m2` that you may read"),
        (
            "kind=silence&device=nothing&minutes=60",
            "there is no device `nothing` that you may read",
        ),
        ("kind=silence&device=m1&minutes=0", "Enter the minutes as a number from 1 to 1440"),
        ("kind=time&from=06:00", "Enter both times"),
        ("kind=weather&feed=f&level=1&ahead=1e9", "Enter the hours ahead"),
    ] {
        let form = format!("name=Kept+name&does=alarm&{fields}");
        let tried = household.form("/rules/try", &ann, &form).await;
        let page = String::from_utf8(tried.body).unwrap();
        assert!(tried.status == 422 && page.contains(error), "{form}: {page}");
        assert!(page.contains("value=\"Kept name\""), "{page}");
    }
    household.0.stop().await;
}

#[tokio::test]
async fn an_offered_rule_does_nothing_until_its_owner_accepts_it() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let offer = json!({ "to": "user:ann", "rule": {
        "name": "Peak", "when": { "absence": { "device": "m1", "forSeconds": 3600 } },
        "then": [{ "alarm": { "type": "peak", "level": "Info", "text": "silent" } }],
    } });
    let made = household.0.post("/api/v1/rules/offer", &offer).await;
    assert_eq!(made.status, 201, "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let shown = async |text: &str| {
        let (_, page) = household.page("/rules", &ann).await;
        assert!(page.contains(text), "{text}: {page}");
        page
    };
    let page = shown("offered by bench, does nothing yet").await;
    assert!(!page.contains("/pause"), "what does nothing is not paused: {page}");
    for (way, who, status) in [("accept", &bob, 404), ("revoke", &ann, 303), ("accept", &ann, 303)]
    {
        let answer = household.form(&format!("/rules/{token}/{way}"), who, "").await;
        assert_eq!(answer.status, status, "{way}");
    }
    shown("accepted, of bench").await;
    assert_eq!(household.form(&format!("/rules/{token}/revoke"), &ann, "").await.status, 303);
    shown("revoked, of bench").await;
    assert!(!household.page("/rules", &bob).await.1.contains("Peak"));
    household.0.stop().await;
}

#[tokio::test]
async fn a_rule_sends_mail_or_calls_an_address_that_may_be_called() {
    let household = Household::start().await;
    let ann = household.sign_in("ann").await;
    let form = |does: &str, url: &str| {
        format!(
            "name=Warm&kind=value&device=m1&quantity={POWER}&side=above&level=0,5&minutes=0\
             &does={does}&url={url}"
        )
    };
    let inside = household.form("/rules", &ann, &form("webhook", "http://127.0.0.1/x")).await;
    let text = String::from_utf8(inside.body).unwrap();
    assert!(inside.status == 422 && text.contains("does not send to 127.0.0.1:80"), "{text}");
    for wrong in ["", "//host/x", "javascript:alert(1)", "ftp://a/"] {
        assert_eq!(household.form("/rules", &ann, &form("webhook", wrong)).await.status, 422);
    }
    assert_eq!(household.form("/rules", &ann, &form("email", "")).await.status, 303);
    let (_, page) = household.page("/rules", &ann).await;
    assert!(page.contains(": send an e-mail."), "{page}");
    let told = json!({
        "owner": "user:ann", "channel": "email", "subject": "<b>Warm", "text": "",
        "level": "Warning", "cause": "rule:r", "at": "2027-01-18T17:00:00Z", "state": "failed", "tries": 1,
        "settled": "2027-01-18T17:00:00Z", "failure": "no mail server is set",
    });
    put(&household.0.bench.core, "notification", "n-1", told).await;
    let (_, page) = household.page("/rules", &ann).await;
    assert!(page.contains("&lt;b&gt;Warm") && page.contains("not sent: no mail server is set"));
    let bob = household.sign_in("bob").await;
    assert!(!household.page("/rules", &bob).await.1.contains("Warm"));
    household.0.stop().await;
}
