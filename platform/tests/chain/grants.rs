//! What a third party has of a device before, during and after a grant, on a clock that is driven
//! and with keys as programs have them.

use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use serde_json::{Value, json};

use crate::common::{TOKEN, advance, ask};
use crate::identity::{PASSWORD, basic, bearer, get, key, post, user};

const FAR: &str = "2100-01-01T00:00:00Z";
const VOLTAGE: &str = "electricity.voltage.rms.l1";

/// Sends a reading of an instant.
async fn send(platform: &Running, at: &str, volts: f64) {
    let line = json!({
        "hardwareId": "home", "type": "DeviceMeasurements",
        "request": { "measurements": { VOLTAGE: volts }, "eventDate": at, "updateState": true },
    });
    let more = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/x-ndjson\r\n");
    let done = raw(platform, "/api/v1/import", &line.to_string(), &more).await;
    assert!(done.contains("\"stored\":1"), "{done}");
}

async fn raw(platform: &Running, path: &str, body: &str, more: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(platform.rest_address()).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}Content-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The voltages that somebody is shown.
async fn volts(platform: &Running, head: &str) -> Option<Vec<f64>> {
    let (status, answer) = get(platform, "/api/v1/series?device=home", head).await;
    if status == 404 {
        assert_eq!(answer["code"], "unknown_device");
        // What there is not is answered alike.
        let (status, other) = get(platform, "/api/v1/series?device=homf", head).await;
        let text = |answer: &Value, name: &str| answer.to_string().replace(name, "@");
        assert_eq!((status, text(&other, "homf")), (404, text(&answer, "home")));
        return None;
    }
    assert_eq!(status, 200, "{answer:?}");
    let series = answer["results"].as_array().unwrap().iter();
    let points = series.flat_map(|series| series["points"].as_array().unwrap().clone());
    Some(points.map(|point| point[1].as_f64().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_party_has_what_is_granted_while_it_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Driven);
    let platform = Platform::start(config).await.unwrap();
    advance(&platform, "2027-01-15T08:00:00Z").await;
    user(&platform, "adam", &["tenant-admin"]).await;
    user(&platform, "tom", &["user"]).await;
    let (adam, tom) = (basic("adam", PASSWORD), basic("tom", PASSWORD));
    let (_, toms) = key(&platform, json!({ "actions": ["read"], "until": FAR }), &tom).await;
    let toms = bearer(&toms);
    send(&platform, "2027-01-15T08:00:00Z", 1.0).await;
    let grant = json!({
        "to": "user:tom", "on": "device:home", "actions": ["read"], "quantities": ["*"],
        "from": "2027-01-15T09:00:00Z", "until": "2027-01-15T11:00:00Z",
        "purpose": "advice", "by": "user:adam",
    });
    // Nobody grants to himself what is not his.
    assert!([403, 404].contains(&post(&platform, "/api/v1/grants", &grant, &tom).await.0));
    let made = post(&platform, "/api/v1/grants", &grant, &adam).await;
    assert_eq!(made.0, 201, "{made:?}");
    assert_eq!(volts(&platform, &toms).await, None, "before");
    advance(&platform, "2027-01-15T09:30:00Z").await;
    send(&platform, "2027-01-15T09:30:00Z", 2.0).await;
    for head in [&toms, &tom] {
        assert_eq!(volts(&platform, head).await, Some(vec![2.0]), "what is of the grant");
    }
    let latest = get(&platform, "/api/v1/latest", &toms).await;
    assert_eq!(latest.1["results"][0]["values"][0]["value"], 2.0, "{latest:?}");
    advance(&platform, "2027-01-15T11:00:00Z").await;
    send(&platform, "2027-01-15T10:59:00Z", 3.0).await;
    assert_eq!(volts(&platform, &toms).await, None, "after");
    // Another that is revoked while it is in force.
    let mut other = grant.clone();
    other["until"] = "2027-01-15T13:00:00Z".into();
    let made = post(&platform, "/api/v1/grants", &other, &adam).await;
    assert_eq!(volts(&platform, &toms).await, Some(vec![2.0, 3.0]));
    let mut revoked = made.1.clone();
    revoked["revoked"] = "2027-01-15T11:00:00Z".into();
    let path = format!("/api/v1/grants/{}", made.1["token"].as_str().unwrap());
    let done = ask(&platform, "PUT", &path, Some(&revoked), TOKEN).await;
    assert_eq!(done.0, 200, "{done:?}");
    assert_eq!(volts(&platform, &toms).await, None, "revoked");
    platform.shutdown().await;
}
