//! What is taken, what is refused with which reason, and what is durable when.

use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_units::TenantName;
use lastmeter_wire::flexmeter::RefusalReason as Format;

use super::*;
use crate::metrics::Metrics;
use crate::port::{IngestPort as _, Presented};
use crate::tenant_limits::TenantLimits;
use crate::tls::DeviceCertificate;

fn load(counter: impl Fn(&Metrics) -> &std::sync::atomic::AtomicU64, core: &Tenant) -> u64 {
    counter(&core.metrics).load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_reading_is_read_back_as_it_was_sent() {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time("2027-01-18T17:00:00Z")).await.unwrap();
    let mut message = reading("home", Some(7), 230.123_456_789_012_34);
    message.metadata.insert("note".to_owned(), "ü".to_owned());
    store(&bench.core, &[message.clone()]).await;
    let rows = readings(&bench.core).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].sequence, 1);
    assert_eq!((rows[0].device.as_str(), rows[0].number), ("home", Some((1, 7))));
    assert_eq!(Some(rows[0].event), message.event_date);
    assert_eq!(rows[0].commit, time("2027-01-18T17:00:00Z"));
    assert_eq!(rows[0].values, [(VOLTAGE.into(), 230.123_456_789_012_34)]);
    assert_eq!(rows[0].metadata(), message.metadata);
    bench.stop().await;
}

#[tokio::test]
async fn a_missing_date_means_now_by_the_platforms_clock() {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time("2027-01-18T17:00:00.250Z")).await.unwrap();
    let mut message = reading("home", Some(1), 230.0);
    message.event_date = None;
    store(&bench.core, &[message.clone()]).await;
    bench.core.advance(time("2027-01-18T18:00:00Z")).await.unwrap();
    // Sent again, it is the same message although it would now be dated otherwise.
    store(&bench.core, &[message]).await;
    let rows = readings(&bench.core).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].event, time("2027-01-18T17:00:00.250Z"));
    assert_eq!(load(|metrics| &metrics.repetitions, &bench.core), 1);
    bench.stop().await;
}

#[tokio::test]
async fn each_bad_arrival_is_refused_with_its_reason_and_leaves_a_record() {
    let bench = Bench::start(ClockSource::Driven).await;
    let good = bytes(&reading("home", Some(1), 230.0));
    let text = String::from_utf8(good.clone()).unwrap();
    let mut far = reading("home", Some(1), 230.0);
    far.serial = Some(Serial(u64::MAX));
    let format = |reason: Format| RefusalReason::Format(reason.word());
    let cases: Vec<(&str, Vec<u8>, RefusalReason, Option<&str>)> = vec![
        (INPUT, b"{".to_vec(), format(Format::NotJson), None),
        (INPUT, vec![0xff], format(Format::NotUtf8), None),
        (INPUT, b"[]".to_vec(), format(Format::NotAnObject), None),
        (INPUT, text.replace("230.0", "\"230\"").into(), format(Format::NotANumber), Some("home")),
        (INPUT, text.replace("rms", "rns").into(), format(Format::UnknownIdentifier), Some("home")),
        (INPUT, text.replace("DeviceM", "M").into(), format(Format::UnknownType), Some("home")),
        (INPUT, text.replace("2027", "2027x").into(), format(Format::BadDate), Some("home")),
        (INPUT, vec![b' '; 70_000], format(Format::TooLarge), None),
        (INPUT, bytes(&far), format(Format::BadMetadata), Some("home")),
        (
            "default/device/other/input/json",
            good.clone(),
            RefusalReason::HardwareIdMismatch,
            Some("home"),
        ),
        (
            // A message of its own is no batch.
            "default/SiteWhere/input/jsonbatch",
            good.clone(),
            format(Format::UnknownType),
            Some("home"),
        ),
        ("default/SiteWhere/input/xml", good.clone(), RefusalReason::TopicNotAllowed, None),
        ("stranger/SiteWhere/input/json", good.clone(), RefusalReason::TopicNotAllowed, None),
        ("default/SiteWhere/commands/home", good.clone(), RefusalReason::TopicNotAllowed, None),
        ("default/echo/client", good.clone(), RefusalReason::TopicNotAllowed, None),
        ("anything", good.clone(), RefusalReason::TopicNotAllowed, None),
    ];
    for (topic, payload, reason, _) in &cases {
        let accepted = take(&bench.core, arrival(topic, payload.clone())).await.unwrap();
        assert_eq!(accepted, Accepted::Refused(*reason), "{topic} {payload:?}");
    }
    bench.core.barrier().await.unwrap();
    assert!(readings(&bench.core).await.is_empty());
    let rows = refusals(&bench.core).await;
    assert_eq!(rows.len(), cases.len());
    for (index, (row, (topic, _, reason, device))) in rows.iter().zip(&cases).enumerate() {
        assert_eq!(row.sequence, index as u64 + 1);
        assert_eq!(row.reason, reason.word());
        assert_eq!(row.topic, *topic);
        assert_eq!(row.device.as_deref(), *device);
        assert!(!row.detail.is_empty());
    }
    assert_eq!(bench.core.metrics.refused()["topic_not_allowed"], 5);
    assert_eq!(bench.core.devices.find("home"), None, "what is refused registers no device");
    bench.stop().await;
}

#[tokio::test]
async fn the_one_device_topic_takes_its_device() {
    let bench = Bench::start(ClockSource::Driven).await;
    let good = bytes(&reading("home", Some(1), 230.0));
    let accepted = take(&bench.core, arrival("default/device/home/input/json", good)).await;
    assert_eq!(accepted.unwrap(), Accepted::Stored);
    bench.core.barrier().await.unwrap();
    assert_eq!(readings(&bench.core).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_strict_tenant_takes_table_2_only() {
    let own = MeasurementId::all().find(|id| !id.row().is_table2()).unwrap();
    for (strict, expected) in [
        (false, Accepted::Stored),
        (true, Accepted::Refused(RefusalReason::Format(Format::UnknownIdentifier.word()))),
    ] {
        let bench =
            Bench::start_with(ClockSource::Driven, |config| config.strict_table2 = strict).await;
        let mut message = reading("home", Some(1), 230.0);
        message.values.push((own, 1.0));
        assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), expected);
        bench.stop().await;
    }
}

#[tokio::test]
async fn the_same_number_with_other_content_is_refused_durably_and_counted() {
    let bench = Bench::start(ClockSource::Driven).await;
    let first = reading("home", Some(1), 230.0);
    let mut later = first.clone();
    later.event_date = Some(SimTime(1));
    let mut noted = first.clone();
    noted.metadata.insert("a".to_owned(), "b".to_owned());
    let mut stateless = first.clone();
    stateless.update_state = false;
    let other_value = reading("home", Some(1), 230.1);
    let conflicts = [other_value, later, noted, stateless];
    store(&bench.core, std::slice::from_ref(&first)).await;
    for conflict in &conflicts {
        let accepted = accept(&bench.core, bytes(conflict)).await.unwrap();
        assert_eq!(accepted, Accepted::Refused(RefusalReason::ConflictingContent));
    }
    store(&bench.core, &[first]).await;
    assert_eq!(readings(&bench.core).await.len(), 1);
    let rows = refusals(&bench.core).await;
    assert_eq!(rows.len(), conflicts.len());
    assert!(rows.iter().all(|row| row.reason == "conflicting_content"));
    let kept: Vec<Vec<u8>> = rows.iter().filter_map(|row| row.content.clone()).collect();
    assert_eq!(kept, conflicts.each_ref().map(bytes), "what is refused is not lost");
    assert_eq!(rows[0].device.as_deref(), Some("home"));
    assert_eq!(bench.core.metrics.refused()["conflicting_content"], 4);
    assert_eq!(load(|metrics| &metrics.repetitions, &bench.core), 1);
    let bench = bench.restart().await;
    assert_eq!(refusals(&bench.core).await, rows);
    bench.stop().await;
}

#[tokio::test]
async fn a_reading_without_a_serial_is_always_stored_and_counted() {
    let bench = Bench::start(ClockSource::Driven).await;
    let message = reading("home", None, 230.0);
    store(&bench.core, &[message.clone(), message.clone(), message]).await;
    let rows = readings(&bench.core).await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.number.is_none()));
    assert_eq!(load(|metrics| &metrics.without_serial, &bench.core), 3);
    bench.stop().await;
}

#[tokio::test]
async fn one_device_more_than_the_limit_is_refused() {
    let bench = Bench::start_with(ClockSource::Driven, |config| config.limits.devices = 2).await;
    let [a, b, c] = ["a", "b", "c"].map(|device| reading(device, None, 230.0));
    // Before anything is committed, and so before the door can know it from the store.
    for message in [&a, &b, &a] {
        assert_eq!(accept(&bench.core, bytes(message)).await.unwrap(), Accepted::Stored);
    }
    let refused = accept(&bench.core, bytes(&c)).await.unwrap();
    assert_eq!(refused, Accepted::Refused(RefusalReason::TooManyDevices));
    bench.core.barrier().await.unwrap();
    assert_eq!(readings(&bench.core).await.len(), 3);
    let rows = refusals(&bench.core).await;
    assert_eq!(rows[0].reason, "too_many_devices");
    assert_eq!(rows[0].content.as_deref(), Some(&*bytes(&c)), "what is refused is not lost");
    bench.stop().await;
}

#[tokio::test]
async fn the_state_keeps_the_latest_values_of_messages_that_ask_for_it() {
    let bench = Bench::start(ClockSource::Driven).await;
    let mut silent = reading("home", Some(9), 999.0);
    silent.update_state = false;
    let messages = [reading("home", Some(5), 5.0), silent, reading("home", Some(3), 3.0)];
    store(&bench.core, &messages).await;
    let device = bench.core.devices.find("home").unwrap().id;
    let state = bench.core.readers.store().state(device).await.unwrap();
    assert_eq!(state.values.len(), 1);
    assert_eq!(state.values[0].value, 5.0, "an older reading that comes late changes nothing");
    assert_eq!(Some(state.values[0].event), messages[0].event_date);
    bench.stop().await;
}

#[tokio::test]
async fn alerts_are_stored_and_shown_in_the_state() {
    let bench = Bench::start(ClockSource::Driven).await;
    let text = br#"{"hardwareId":"home","type":"DeviceAlert","request":{"type":"maximum.power",
        "level":"Warning","message":"close","updateState":true,"metadata":{"a":"b"}}}"#;
    assert_eq!(accept(&bench.core, text.to_vec()).await.unwrap(), Accepted::Stored);
    bench.core.barrier().await.unwrap();
    let state = bench.core.readers.store().state(1).await.unwrap();
    assert_eq!(state.alerts.len(), 1);
    assert_eq!(state.alerts[0].level, "Warning");
    assert_eq!(state.alerts[0].kind, "maximum.power");
    assert_eq!(state.alerts[0].metadata["a"], "b");
    assert_eq!(load(|metrics| &metrics.alerts, &bench.core), 1);
    bench.stop().await;
}

#[tokio::test]
async fn only_the_tenant_with_its_token_is_let_in() {
    let started = Bench::start(ClockSource::Driven).await;
    let process = started.process();
    let tenants = Arc::clone(&process.tenants);
    let identified =
        async |user_name: &str, password: &str, certificate: Option<&DeviceCertificate>| {
            let (password, from) = (password.as_bytes(), std::net::Ipv4Addr::LOCALHOST.into());
            tenants.identify(Presented { user_name, password, certificate, from }).await
        };
    let bench = Some(Principal::of(PrincipalRef::Bench, TenantName::default()));
    let (device, fingerprint) = ("home".to_owned(), "ab".repeat(32));
    let home = DeviceCertificate { tenant: None, device, fingerprint };
    for certificate in [None, Some(&home)] {
        assert_eq!(identified("default", TOKEN, certificate).await, bench, "{certificate:?}");
    }
    for (user, password) in
        [("default", "x"), ("default", ""), ("other", TOKEN), ("default/device/home", TOKEN)]
    {
        assert_eq!(identified(user, password, None).await, None, "{user}");
    }
    // A certificate names no tenant, so it opens the first one alone.
    let other = TenantName::new("other").unwrap();
    let (_, made) = process.make(other.clone(), TenantLimits::default()).await.unwrap();
    let devices = Some(Principal::of(PrincipalRef::SharedDevices, other));
    assert_eq!(identified("other", &made.devices, None).await, devices);
    assert_eq!(identified("other", &made.devices, Some(&home)).await, None);
    assert_eq!(identified("default", &made.devices, None).await, None);
    assert!(process.stop().await);
    started.stop().await;
}

#[tokio::test]
async fn when_the_journal_cannot_be_written_nothing_is_acknowledged_and_later_all_is_well() {
    let disk = SimulatedDirectory::default();
    let bench = Bench::start_on(&disk).await;
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    disk.limit_space(Some(0));
    let refused = accept(&bench.core, bytes(&reading("home", Some(2), 230.0))).await;
    assert!(matches!(refused, Err(IngestError::JournalFailed(_))), "{refused:?}");
    let refused = accept(&bench.core, b"{".to_vec()).await;
    assert!(matches!(refused, Err(IngestError::JournalFailed(_))), "{refused:?}");
    let trouble = bench.core.trouble().unwrap();
    assert!(trouble.starts_with("the journal cannot be written: "), "{trouble}");
    disk.limit_space(None);
    disk.fail_syncs(1);
    let refused = accept(&bench.core, bytes(&reading("home", Some(2), 230.0))).await;
    assert!(matches!(refused, Err(IngestError::JournalFailed(_))), "{refused:?}");
    store(&bench.core, &[reading("home", Some(3), 230.0)]).await;
    assert_eq!(bench.core.trouble(), None);
    let serials: Vec<u64> =
        readings(&bench.core).await.iter().map(|row| row.number.unwrap().1).collect();
    assert_eq!(serials, [1, 3]);
    assert!(refusals(&bench.core).await.is_empty());
    assert_eq!(load(|metrics| &metrics.accepted, &bench.core), 2);
    let failures = bench.core.journal.counters.failures.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(failures, 3);
    bench.stop().await;
}
