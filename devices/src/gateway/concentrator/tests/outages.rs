//! The link to the platform, the outbox and commands.

use lastmeter_wire::flexmeter::Request;

use super::bench::{Bench, build, id, water_meters};
use crate::gateway::{GatewayEventKind as Kind, GatewayInput};

const QUICK: &str = "search = \"never\"\npoll_every = \"10 s\"";

#[test]
fn nothing_is_lost_while_the_link_is_down_but_from_a_volatile_outbox() {
    for (outbox, expected) in [("durable", 20), ("volatile", 10)] {
        let settings = format!("{QUICK}\noutbox = \"{outbox}\"");
        let mut bench = Bench::new(&settings, water_meters(1, 5));
        bench.run_to(55);
        bench.disconnect();
        bench.run_to(155);
        assert_eq!(bench.unacknowledged(), expected - 10);
        bench.step(GatewayInput::Connected);
        bench.run_to(205);
        let serials: Vec<u64> = bench.readings("m-0").iter().map(|(serial, _)| *serial).collect();
        assert_eq!(serials.len(), expected, "{outbox}");
        assert!(serials.is_sorted());
        assert_eq!(bench.unacknowledged(), 0);
    }
}

#[test]
fn beyond_its_limit_the_outbox_drops_the_oldest_and_counts() {
    let mut bench = Bench::new(&format!("{QUICK}\noutbox_limit = 3"), water_meters(1, 5));
    bench.disconnect();
    bench.run_to(55);
    assert_eq!(bench.unacknowledged(), 3);
    bench.step(GatewayInput::Connected);
    let serials: Vec<u64> = bench.readings("m-0").iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, [258, 259, 260]);
    let dropped = bench.details(Kind::MessageDropped);
    assert_eq!(dropped.len(), 2);
    assert_eq!(dropped[1], "message 2 of m-0: more than 3 are open; 2 dropped so far");
}

#[test]
fn records_are_given_up_and_what_is_remembered_stays() {
    let mut bench = Bench::new(QUICK, water_meters(3, 5));
    bench.run_to(1005);
    assert_eq!(bench.disk.len(), 1, "the state of all meters");
    bench.kill();
    bench.run_to(1015);
    let serials: Vec<u64> = bench.readings("m-2").iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, (256..357).collect::<Vec<u64>>());
    // A record that is damaged is reported.
    let damaged = vec![vec![1, 2, 3]];
    let mut gateway = build(QUICK, &[], &damaged).unwrap();
    let mut out = Vec::new();
    gateway.step(bench.now, GatewayInput::Wake, &mut out);
    assert!(format!("{out:?}").contains("RecordRefused"), "{out:?}");
}

#[test]
fn every_command_is_answered_with_an_error_once() {
    let text = r#"{"command":{"command":{"name":"set_breaker"},"invocation":{"id":"i-1"}}}"#;
    let mut bench = Bench::new(QUICK, water_meters(1, 5));
    for owner in ["m-0", "m-0", "cellar"] {
        let payload = text.replace("i-1", if owner == "m-0" { "i-1" } else { "i-2" });
        bench.step(GatewayInput::Command { owner: id(owner), payload: payload.into_bytes() });
    }
    bench.step(GatewayInput::Command { owner: id("m-0"), payload: b"{".to_vec() });
    assert_eq!(bench.details(Kind::CommandMalformed).len(), 1, "{:?}", bench.events);
    let answers: Vec<_> = bench
        .received
        .iter()
        .map(|(owner, request)| match request {
            Request::Acknowledge(answer) => (owner.as_str(), answer.response.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    let error = "error: this gateway's devices take no commands";
    assert_eq!(answers, [("m-0", error), ("m-0", error), ("cellar", error)]);
}
