//! Each way in which a platform can be wrong about alerts and answers, and what is noted of it.

use lastmeter_units::HardwareId;
use serde_json::json;

use super::super::commands::{CommandOrder, Commands};
use super::*;

fn at(seconds: i64) -> SimTime {
    SimTime(1_800_000_000_000_000_000 + seconds * 1_000_000_000)
}

/// Of this sender and number: a dip at so many seconds.
fn dip(device: &str, serial: u64) -> Alert {
    let json = json!({
        "device": device, "type": "voltage.dip", "level": "Warning", "message": "m: dip",
        "event_time": at(serial as i64), "epoch": 1, "serial": serial,
        "metadata": { "phase": "l1", "residual_v": "81.2" },
    });
    serde_json::from_value(json).unwrap()
}

fn changed(alert: &Alert, change: impl Fn(&mut serde_json::Value)) -> Alert {
    let mut json = json!({
        "device": alert.device, "type": alert.kind, "level": alert.level,
        "message": alert.message.to_string(), "event_time": alert.event_time,
        "epoch": 1, "serial": alert.key().unwrap().2,
        "metadata": { "phase": "l1", "residual_v": "81.2" },
    });
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

fn sent(notices: &mut Notices, alert: Alert) {
    let key = NoticeKey::Alert(alert.key().unwrap());
    notices.take(NoticeNews::Sent(Notice::Alert(alert)));
    notices.take(NoticeNews::Acknowledged(key));
}

/// Two alerts of `m` and one of `n`, all acknowledged.
fn notices() -> Notices {
    let own = ["m", "n"].map(str::to_owned).into();
    let mut notices = Notices { own, platforms: vec!["$".to_owned()], ..Notices::default() };
    for (device, serial) in [("m", 1), ("m", 2), ("n", 1)] {
        sent(&mut notices, dip(device, serial));
    }
    notices
}

fn read(alerts: Vec<Alert>) -> AlertsRead {
    AlertsRead { alerts, is_newly_absent: false }
}

/// What is noted in the end: kind, sender, serial and differing fields; and how much is stored.
fn finished(mut notices: Notices, stored: Vec<Alert>) -> (Vec<String>, Option<u64>) {
    notices.close();
    notices.stored(&read(stored));
    let mut events = notices.finish(at(60));
    let counts = events.pop_if(|event| event.kind == EventKind::Notices);
    let words = events.iter().map(|event| {
        let (device, serial) = (event.text(field::DEVICE).unwrap(), event.number(field::SERIAL));
        let serial = serial.map(|serial| serial.to_string()).unwrap_or_default();
        let fields = event.get(field::FIELDS).map(ToString::to_string).unwrap_or_default();
        format!("{} {device} {serial} {fields}", event.kind.word()).trim_end().to_owned()
    });
    (words.collect(), counts.and_then(|event| event.number(field::ALERTS_STORED)))
}

#[test]
fn what_is_stored_as_it_was_sent_is_noted_as_a_count_alone() {
    let (m1, m2, n1) = (dip("m", 1), dip("m", 2), dip("n", 1));
    let all = || vec![n1.clone(), m2.clone(), m1.clone()];
    assert_eq!(finished(notices(), all()), (vec![], Some(3)));
    // The same once more is a repetition, also a page later.
    assert_eq!(finished(notices(), [all(), all()].concat()), (vec![], Some(3)));
    // What was read back before it was known to be sent.
    let mut early = Notices { own: notices().own, ..Notices::default() };
    early.stored(&read(all()));
    for alert in all() {
        sent(&mut early, alert);
    }
    assert_eq!(finished(early, vec![]), (vec![], Some(3)));
}

#[test]
fn each_way_to_be_wrong_is_noted() {
    let (m1, m2, n1) = (dip("m", 1), dip("m", 2), dip("n", 1));
    let with = |more: Alert| vec![m1.clone(), m2.clone(), n1.clone(), more];
    let instead = |other: Alert| vec![m1.clone(), other, n1.clone()];
    let of_m2 = |change: fn(&mut serde_json::Value)| changed(&m2, change);
    for (stored, noted, count) in [
        (vec![], &["alert_lost m 1", "alert_lost m 2", "alert_lost n 1"][..], 0),
        (vec![m2.clone(), n1.clone()], &["alert_lost m 1"], 2),
        (vec![m1.clone(), m2.clone()], &["alert_lost n 1"], 2),
        (with(dip("m", 3)), &["alert_foreign m 3"], 3),
        (with(of_m2(|it| it["serial"] = json!(9))), &["alert_foreign m 9"], 3),
        (with(dip("ghost", 1)), &["alert_foreign ghost 1"], 3),
        (with(dip("$network-f", 1)), &[], 3),
        (with(of_m2(|it| it["device"] = json!("n"))), &["alert_foreign n 2"], 3),
        (with(of_m2(|it| it["level"] = json!("Info"))), &["alert_foreign m 2"], 3),
        (with(of_m2(|it| it["serial"] = json!(null))), &["alert_foreign m"], 3),
        // Another device's: gone from the one, and too much of the other.
        (
            instead(of_m2(|it| it["device"] = json!("n"))),
            &["alert_foreign n 2", "alert_lost m 2"],
            2,
        ),
        (instead(of_m2(|it| it["type"] = json!("x"))), &["alert_altered m 2 [\"type\"]"], 2),
        (instead(of_m2(|it| it["level"] = json!("Info"))), &["alert_altered m 2 [\"level\"]"], 2),
        (
            instead(of_m2(|it| it["message"] = json!("n: dip"))),
            &["alert_altered m 2 [\"message\"]"],
            2,
        ),
        (
            instead(of_m2(|it| it["metadata"]["phase"] = json!("l2"))),
            &["alert_altered m 2 [\"metadata.phase\"]"],
            2,
        ),
        (
            instead(of_m2(|it| it["metadata"] = json!({ "phase": "l1", "node": "a" }))),
            &["alert_altered m 2 [\"metadata.node\",\"metadata.residual_v\"]"],
            2,
        ),
        (
            instead(of_m2(|it| it["event_time"] = json!(at(5)))),
            &["alert_altered m 2 [\"event_time\"]"],
            2,
        ),
        (
            instead(of_m2(|it| it["event_time"] = json!(SimTime(at(2).0 + 50_000_000)))),
            &["alert_altered m 2 [\"event_time\"]"],
            2,
        ),
    ] {
        assert_eq!(finished(notices(), stored), (words(noted), Some(count)), "{noted:?}");
    }
}

fn words(noted: &[&str]) -> Vec<String> {
    noted.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn an_altered_one_has_the_type_it_is_stored_under_and_may_be_repeated() {
    let other = changed(&dip("m", 2), |it| it["type"] = json!("voltage.swell"));
    let mut all = notices();
    all.stored(&read(vec![dip("m", 1), dip("n", 1), other.clone(), other]));
    let events = all.finish(at(60));
    let found = |name: &str| events[0].text(name).map(str::to_owned);
    assert_eq!(found(field::TYPE).as_deref(), Some("voltage.dip"));
    assert_eq!(found(field::FOUND_TYPE).as_deref(), Some("voltage.swell"));
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn only_what_was_sent_before_it_was_read_for_the_last_time_can_be_lost() {
    let stored = || read(vec![dip("m", 1), dip("m", 2), dip("n", 1)]);
    let mut all = notices();
    all.close();
    sent(&mut all, dip("m", 4));
    all.stored(&stored());
    assert_eq!(all.finish(at(60)).len(), 1, "the counts");
    // The platform took neither, and reported neither.
    let mut all = notices();
    all.take(NoticeNews::Sent(Notice::Alert(dip("m", 3))));
    assert_eq!(all.under_way(), 1);
    all.close();
    all.stored(&stored());
    let events = all.finish(at(60));
    assert_eq!((events[0].kind.clone(), events.len()), (EventKind::AlertLost, 2), "{events:?}");
    // A run that was ended early was never read back to its end.
    assert!(notices().finish(at(60)).is_empty());
    // A platform without a list has lost none.
    let mut unlisted = notices();
    unlisted.close();
    unlisted.stored(&AlertsRead { alerts: Vec::new(), is_newly_absent: true });
    let events = unlisted.finish(at(60));
    assert_eq!((events.len(), events[0].number(field::ALERTS_SENT)), (1, Some(3)));
}

#[test]
fn what_does_not_pass_the_bench_is_not_held_against_it() {
    let stored = || vec![dip("m", 1), dip("m", 2), dip("n", 1), dip("master", 1)];
    let mut all = notices();
    all.has_unseen = true;
    assert_eq!(finished(all, stored()), (vec![], Some(3)));
    // An application in real time, and nobody else.
    let mut all = notices();
    all.applications = ["master".to_owned()].into();
    let other = [stored(), vec![dip("other", 1)]].concat();
    assert_eq!(finished(all, other), (words(&["alert_foreign other 1"]), Some(3)));
    let mut all = notices();
    all.has_unseen = true;
    let forged = [stored(), vec![dip("m", 7)]].concat();
    assert_eq!(finished(all, forged), (words(&["alert_foreign m 7"]), Some(3)));
}

/// Who answered a command in these words, three seconds after the start.
fn answer(device: &str, invocation: &str, response: &str) -> NoticeNews {
    NoticeNews::Sent(Notice::Answer(AcknowledgeMessage {
        hardware_id: HardwareId::new(device).unwrap(),
        originating_event_id: invocation.to_owned(),
        response: response.to_owned(),
        event_date: Some(at(3)),
        update_state: false,
        metadata: BTreeMap::new(),
    }))
}

#[test]
fn an_answer_is_held_against_what_the_device_sent() {
    let given = json!({
        "id": "2", "state": "Acknowledged", "response": "ok", "deviceHardwareId": "m",
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
        "endedDate": at(3),
    });
    let parameters = BTreeMap::from([("seconds".to_owned(), "5".to_owned())]);
    let mut commands = Commands::new();
    let command = "setReportingPeriod";
    let order =
        CommandOrder { device: 0, command, parameters: &parameters, must_be_refused: false };
    let (id, _) = commands.give(at(1), order, ("m", 0), "2".to_owned());
    let open = commands.get(id).unwrap();
    let judge = |answers: &[NoticeNews], change: &dyn Fn(&mut serde_json::Value)| {
        let mut notices = notices();
        for answer in answers {
            notices.take(answer.clone());
        }
        let mut given = given.clone();
        change(&mut given);
        let mut found: Invocation = serde_json::from_value(given).unwrap();
        found.asked_for = "2".to_owned();
        let noted = notices.answered(at(4), (id, open), &found);
        let fields = |event: Event| event.get(field::FIELDS).map(ToString::to_string);
        noted.map(|event| (event.kind.clone(), fields(event).unwrap_or_default()))
    };
    let own = [answer("m", "2", "ok"), answer("m", "2", "ok, again")];
    let altered = |name: &str| Some((EventKind::AnswerAltered, format!("[\"{name}\"]")));
    let foreign = Some((EventKind::AnswerForeign, String::new()));
    assert_eq!(judge(&own, &|_| ()), None);
    // A platform of another kind gives no more than SiteWhere does.
    assert_eq!(judge(&own, &|it| *it = json!({ "id": "2", "response": "ok" })), None);
    assert_eq!(judge(&[], &|_| ()), foreign);
    assert_eq!(judge(&[answer("n", "2", "ok"), answer("m", "3", "ok")], &|_| ()), foreign);
    for (key, value, name) in [
        ("response", json!("done"), "response"),
        ("response", json!(null), "response"),
        ("id", json!("3"), "id"),
        ("deviceHardwareId", json!("n"), "device"),
        ("commandToken", json!("readRegister"), "name"),
        ("parameterValues", json!({ "seconds": "50" }), "parameters"),
        ("endedDate", json!(SimTime(at(3).0 + 50_000_000)), "event_time"),
    ] {
        assert_eq!(judge(&own, &|it| it[key] = value.clone()), altered(name), "{key} {value}");
    }
    // The state of one invocation does not stand for two commands.
    let mut notices = notices();
    notices.take(own[0].clone());
    let mut found: Invocation = serde_json::from_value(given.clone()).unwrap();
    found.asked_for = "2".to_owned();
    assert!(notices.answered(at(4), (id, open), &found).is_none());
    assert!(notices.answered(at(4), (id, open), &found).is_some());
    // What was acknowledged and is never given back is lost.
    assert!(notices.unanswered(at(4), (id, open)).is_none());
    notices.take(NoticeNews::Acknowledged(NoticeKey::Answer("2".to_owned())));
    let lost = notices.unanswered(at(4), (id, open)).unwrap();
    assert_eq!((lost.kind.word(), lost.number(field::ID)), ("answer_lost", Some(id)));
}

#[test]
fn an_answer_to_what_the_bench_did_not_ask_is_foreign() {
    let mut all = notices();
    all.asked("m", Some("2"));
    for invocation in ["1", "2", "2"] {
        all.take(answer("m", invocation, "ok"));
    }
    all.take(answer("n", "3", "ok"));
    let foreign = |all: &mut Notices| {
        let events = all.finish(at(60)).into_iter();
        let of = events.filter(|event| event.kind == EventKind::AnswerForeign);
        of.map(|event| event.text(field::DEVICE).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(foreign(&mut all), ["m", "n"]);
    // Of a command whose invocation never came back nobody knows which answer is its.
    all.asked("n", None);
    assert_eq!(foreign(&mut all), ["m"]);
}

/// A block of `m` as it is sent and as the platform gives it back, with one sample.
fn block(serial: u64, sample: i16) -> (Vec<u8>, Alert) {
    let id = lastmeter_units::MeasurementId::lookup("electricity.voltage.instant.l1").unwrap();
    let channel = lastmeter_wire::block::Channel { id, scale: 1.0, samples: vec![sample] };
    let bytes = lastmeter_wire::block::encode_block(&lastmeter_wire::block::Block {
        hardware_id: HardwareId::new("m").unwrap(),
        epoch: lastmeter_units::Epoch(1),
        serial: lastmeter_units::Serial(serial),
        first: at(1),
        rate_hz: 1600.0,
        channels: vec![channel],
    })
    .unwrap();
    let entry = blocks::sent(&bytes, str::to_owned).unwrap();
    (bytes, entry)
}

#[test]
fn a_block_is_counted_apart_from_an_alert_of_its_number_and_missed_like_one() {
    let with_blocks = || {
        let mut all = notices();
        assert!(!all.has_blocks());
        for serial in [1, 2] {
            let sent = SentMessage::read("default/device/m/input/block", &block(serial, 7).0);
            let Some(SentMessage::Notice(notice)) = sent else { panic!("no block") };
            all.take(NoticeNews::Acknowledged(notice.key().unwrap()));
            all.take(NoticeNews::Sent(notice));
        }
        assert!(all.has_blocks());
        all
    };
    let alerts = || vec![dip("m", 1), dip("m", 2), dip("n", 1)];
    let [one, two, other] = [block(1, 7).1, block(2, 7).1, block(2, 8).1];
    for (stored, noted, count) in [
        (vec![one.clone(), two.clone()], vec![], 5),
        (vec![one.clone()], vec!["alert_lost m 2"], 4),
        (vec![one.clone(), other], vec!["alert_altered m 2 [\"metadata.sha256\"]"], 4),
        (vec![one, two, block(3, 7).1], vec!["alert_foreign m 3"], 5),
    ] {
        let found = finished(with_blocks(), [alerts(), stored].concat());
        assert_eq!(found, (noted.iter().map(|one| (*one).to_owned()).collect(), Some(count)));
    }
}
