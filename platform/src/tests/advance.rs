//! The driven clock as a barrier, and commands on it.

use lastmeter_model::invocation::{InvocationId, InvocationState, NewInvocation, StoredInvocation};

use super::*;
use crate::commands::InvokeError;
use crate::tenant::AdvanceError;

const START: &str = "2027-01-18T17:00:00Z";

pub(super) async fn invoke(bench: &Bench, seconds: &str, expires_s: f64) -> StoredInvocation {
    set_period(&bench.core, "home", seconds, expires_s).await
}

async fn started() -> Bench {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time(START)).await.unwrap();
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    bench
}

pub(super) async fn invocation(bench: &Bench, id: InvocationId) -> StoredInvocation {
    bench.core.readers.store().invocation(id).await.unwrap().unwrap()
}

fn acknowledge(id: &str, device: &str, response: &str) -> Vec<u8> {
    format!(
        r#"{{"hardwareId":"{device}","type":"Acknowledge","request":{{"response":"{response}",
        "originatingEventId":"{id}","eventDate":"2027-01-18T17:00:01Z"}}}}"#
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_an_advance_is_readable_after_it() {
    let bench = Bench::start(ClockSource::Driven).await;
    for round in 1..=10_u64 {
        let mut senders = tokio::task::JoinSet::new();
        for device in 0..20 {
            let core = Arc::clone(&bench.core);
            senders.spawn(async move {
                for serial in round * 5 - 4..=round * 5 {
                    let message = reading(&format!("home-{device}"), Some(serial), 230.0);
                    accept(&core, bytes(&message)).await.unwrap();
                }
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender.unwrap();
        }
        let advanced = bench.core.advance(SimTime(round as i64)).await.unwrap();
        assert_eq!(advanced.totals.readings, round * 100);
        assert_eq!(readings(&bench.core).await.len() as u64, round * 100);
    }
    bench.stop().await;
}

#[tokio::test]
async fn the_clock_goes_forward_only_and_stands_where_it_was_sent() {
    let bench = started().await;
    let again = bench.core.advance(time(START)).await.unwrap();
    assert_eq!((again.now, again.totals.readings), (time(START), 1));
    let back = bench.core.advance(time("2027-01-18T16:59:59.999Z")).await;
    assert!(matches!(back, Err(AdvanceError::Backwards { .. })), "{back:?}");
    assert_eq!(bench.core.clock.now(), time(START));
    bench.stop().await;

    let wall = Bench::start(ClockSource::Wall).await;
    let driven = wall.core.advance(time("2099-01-01T00:00:00Z")).await;
    assert!(matches!(driven, Err(AdvanceError::NotDriven)), "{driven:?}");
    wall.stop().await;
}

#[tokio::test]
async fn a_clock_that_moves_nothing_writes_nothing_and_stands_there_after_a_restart() {
    let bench = started().await;
    bench.core.advance(time("2027-01-18T17:00:01Z")).await.unwrap();
    let transactions =
        |bench: &Bench| bench.core.metrics.commits.load(std::sync::atomic::Ordering::Relaxed);
    let before = transactions(&bench);
    for second in 2..=9 {
        let to = time(&format!("2027-01-18T17:00:0{second}Z"));
        let advanced = bench.core.advance(to).await.unwrap();
        assert_eq!((advanced.now, advanced.totals.readings), (to, 1));
    }
    assert_eq!(transactions(&bench), before);
    let mut bench = bench;
    for serial in [2, 3] {
        // Twice: the first start makes the store have it.
        for _ in 0..2 {
            bench = bench.restart().await;
            assert_eq!(bench.core.clock.now(), time("2027-01-18T17:00:09Z"));
        }
        store(&bench.core, &[reading("home", Some(serial), 231.0)]).await;
        let stored = readings(&bench.core).await;
        assert_eq!(stored[serial as usize - 1].received, time("2027-01-18T17:00:09Z"));
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_command_to_a_subscribed_device_is_sent_counted_and_acknowledged() {
    let bench = started().await;
    bench.devices.subscribe(&bench.core, "home");
    let invoked = invoke(&bench, "5", 60.0).await;
    assert_eq!(invoked.row.state, InvocationState::Sent);
    assert_eq!(invoked.row.sent, Some(time(START)));
    let received = bench.devices.received("home");
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].invocation.id, invoked.row.id.to_string());
    assert_eq!(received[0].invocation.parameter_values["seconds"], "5");
    assert_eq!(received[0].parameters["seconds"].as_number(), Some(5.0));
    assert_eq!(received[0].definition.name, "setReportingPeriod");

    accept(&bench.core, acknowledge(&invoked.row.id.to_string(), "home", "ok")).await.unwrap();
    let advanced = bench.core.advance(time("2027-01-18T17:00:10Z")).await.unwrap();
    // The device had subscribed before the advance looked: it is offered what it has not answered,
    // and by then it has answered.
    assert_eq!(advanced.sent, BTreeMap::from([("home".to_owned(), 1)]));
    let done = invocation(&bench, invoked.row.id).await;
    assert_eq!(
        (done.row.state, done.row.response.as_deref()),
        (InvocationState::Acknowledged, Some("ok"))
    );
    assert_eq!(done.row.ended, Some(time("2027-01-18T17:00:01Z")));
    assert_eq!(done.row.sitewhere_status(), "Responded");
    let after = bench.core.advance(time("2027-01-18T18:00:00Z")).await.unwrap();
    assert!(after.sent.is_empty(), "counts begin anew");
    let done = invocation(&bench, invoked.row.id).await;
    assert_eq!(done.row.state, InvocationState::Acknowledged, "what is answered does not expire");
    bench.stop().await;
}

#[tokio::test]
async fn a_command_waits_for_its_device_and_is_sent_at_the_next_advance() {
    let bench = started().await;
    let invoked = invoke(&bench, "5", 60.0).await;
    assert_eq!((invoked.row.state, invoked.row.sent), (InvocationState::Pending, None));
    assert!(bench.core.advance(time("2027-01-18T17:00:10Z")).await.unwrap().sent.is_empty());
    bench.devices.subscribe(&bench.core, "home");
    let advanced = bench.core.advance(time("2027-01-18T17:00:20Z")).await.unwrap();
    assert_eq!(advanced.sent, BTreeMap::from([("home".to_owned(), 1)]));
    let sent = invocation(&bench, invoked.row.id).await;
    assert_eq!(
        (sent.row.state, sent.row.sent),
        (InvocationState::Sent, Some(time("2027-01-18T17:00:20Z")))
    );
    bench.stop().await;
}

#[tokio::test]
async fn more_commands_than_are_read_in_one_go_are_all_sent_in_order() {
    let bench = started().await;
    for _ in 0..250 {
        invoke(&bench, "5", 60.0).await;
    }
    let first = bench.core.advance(time("2027-01-18T17:00:01Z")).await.unwrap();
    assert!(first.sent.is_empty());
    bench.devices.subscribe(&bench.core, "home");
    let all = bench.core.advance(time("2027-01-18T17:00:02Z")).await.unwrap();
    assert_eq!(all.sent, BTreeMap::from([("home".to_owned(), 250)]));
    let ids: Vec<String> =
        bench.devices.received("home").into_iter().map(|one| one.invocation.id).collect();
    assert!(ids.is_sorted() && ids.len() == 250, "each once, in the order of asking");
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_comes_back_gets_what_it_has_not_answered() {
    let bench = started().await;
    bench.devices.subscribe(&bench.core, "home");
    bench.core.advance(time("2027-01-18T17:00:01Z")).await.unwrap();
    let invoked = invoke(&bench, "5", 3600.0).await;
    let bench = bench.restart().await;
    bench.devices.subscribe(&bench.core, "home");
    let advanced = bench.core.advance(time("2027-01-18T17:00:10Z")).await.unwrap();
    assert_eq!(advanced.sent, BTreeMap::from([("home".to_owned(), 1)]));
    assert_eq!(bench.devices.received("home")[0].invocation.id, invoked.row.id.to_string());
    bench.stop().await;
}

#[tokio::test]
async fn on_the_walls_clock_a_subscription_brings_what_waits() {
    let bench = Bench::start(ClockSource::Wall).await;
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    let invoked = invoke(&bench, "5", 60.0).await;
    assert_eq!(invoked.row.state, InvocationState::Pending);
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { core.attend().await }
    });
    bench.devices.subscribe(&bench.core, "home");
    let sent = async {
        while invocation(&bench, invoked.row.id).await.row.state != InvocationState::Sent {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, sent).await.expect("the command is sent");
    attending.abort();
    bench.stop().await;
}

#[tokio::test]
async fn a_command_nobody_answers_expires_at_its_instant_over_a_restart_too() {
    let bench = started().await;
    let first = invoke(&bench, "5", 60.0).await;
    let second = invoke(&bench, "6", 120.0).await;
    bench.core.advance(time("2027-01-18T17:00:59.999Z")).await.unwrap();
    assert_eq!(invocation(&bench, first.row.id).await.row.state, InvocationState::Pending);
    bench.core.advance(time("2027-01-18T17:01:30Z")).await.unwrap();
    let expired = invocation(&bench, first.row.id).await;
    assert_eq!(expired.row.state, InvocationState::Expired);
    assert_eq!(expired.row.ended, Some(time("2027-01-18T17:01:00Z")));
    assert_eq!(expired.row.sitewhere_status(), "Pending", "it had never been sent");
    let bench = bench.restart().await;
    assert_eq!(invocation(&bench, second.row.id).await.row.state, InvocationState::Pending);
    bench.core.advance(time("2027-01-18T17:10:00Z")).await.unwrap();
    let expired = invocation(&bench, second.row.id).await;
    assert_eq!(
        (expired.row.state, expired.row.ended),
        (InvocationState::Expired, Some(time("2027-01-18T17:02:00Z")))
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_that_arrived_before_the_expiry_counts() {
    let bench = started().await;
    bench.devices.subscribe(&bench.core, "home");
    let invoked = invoke(&bench, "5", 60.0).await;
    accept(&bench.core, acknowledge(&invoked.row.id.to_string(), "home", "ok")).await.unwrap();
    bench.core.advance(time("2027-01-18T19:00:00Z")).await.unwrap();
    assert_eq!(invocation(&bench, invoked.row.id).await.row.state, InvocationState::Acknowledged);
    bench.stop().await;
}

#[tokio::test]
async fn answers_to_nothing_are_refused_and_repeated_ones_are_not() {
    let bench = started().await;
    store(&bench.core, &[reading("other", Some(1), 230.0)]).await;
    bench.devices.subscribe(&bench.core, "home");
    let invoked = invoke(&bench, "5", 60.0).await;
    let id = invoked.row.id.to_string();
    let unknown = "0000000000000000000000ff";
    for (id, device) in [(unknown, "home"), ("what?", "home"), (&*id, "other"), (&*id, "nobody")] {
        let accepted = accept(&bench.core, acknowledge(id, device, "ok")).await.unwrap();
        assert_eq!(accepted, Accepted::Refused(RefusalReason::UnknownInvocation), "{id} {device}");
    }
    for response in ["ok", "ok", "not at all"] {
        accept(&bench.core, acknowledge(&id, "home", response)).await.unwrap();
    }
    bench.core.barrier().await.unwrap();
    let reasons: Vec<String> =
        refusals(&bench.core).await.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons[..4], ["unknown_invocation"; 4]);
    assert_eq!(reasons[4..], ["conflicting_content"]);
    assert_eq!(invocation(&bench, invoked.row.id).await.row.response.as_deref(), Some("ok"));
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_after_the_expiry_is_kept_without_changing_the_state() {
    let bench = started().await;
    bench.devices.subscribe(&bench.core, "home");
    let invoked = invoke(&bench, "5", 60.0).await;
    bench.core.advance(time("2027-01-18T17:02:00Z")).await.unwrap();
    accept(&bench.core, acknowledge(&invoked.row.id.to_string(), "home", "late")).await.unwrap();
    bench.core.barrier().await.unwrap();
    let late = invocation(&bench, invoked.row.id).await;
    assert_eq!(
        (late.row.state, late.row.response.as_deref()),
        (InvocationState::Expired, Some("late"))
    );
    assert_eq!(late.row.sitewhere_status(), "Sent");
    bench.stop().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_published_has_failed() {
    let bench = started().await;
    bench.devices.fail();
    let invoked = invoke(&bench, "5", 60.0).await;
    assert_eq!(invoked.row.state, InvocationState::Failed);
    assert_eq!(invoked.row.asked.metadata["failure"], "too large");
    bench.stop().await;
}

#[tokio::test]
async fn an_unknown_command_is_not_stored() {
    let bench = started().await;
    let (created, expires) = bench.core.dispatcher.lifetime(60.0);
    let asked = NewInvocation {
        device: 1,
        command: "blinkLed".to_owned(),
        parameters: BTreeMap::new(),
        initiator: String::new(),
        initiator_id: String::new(),
        metadata: BTreeMap::new(),
        created,
        expires,
    };
    let home = HardwareId::new("home").unwrap();
    let refused = bench.core.dispatcher.invoke(&home, asked).await;
    assert!(matches!(refused, Err(InvokeError::UnknownCommand { .. })), "{refused:?}");
    assert!(bench.core.devices.open(None).is_empty());
    bench.stop().await;
}
