//! The switching unit by hand: what it obeys, what it answers, and where it stands after a loss of
//! supply.

use super::*;
use crate::can::seal::Authentication as Scheme;

fn bench(is_closed: Option<bool>) -> Bench {
    Bench::with(software(), 1000, |parts| parts.is_closed = is_closed)
}

fn frame(text: &str) -> CanFrame {
    text.parse().unwrap()
}

/// What it has answered since the last look.
fn answers(bench: &mut Bench) -> Vec<String> {
    std::mem::take(&mut bench.answers).iter().map(|(_, frame)| frame.to_string()).collect()
}

/// Values by hand: the interrupt takes 0.1 ms and 0.2 ms, an answer 3 ms; node 3 is 0x063.
#[test]
fn it_obeys_an_order_after_the_task_that_serves_the_bus_and_answers_a_repetition() {
    let mut bench = bench(Some(true));
    bench.hear(ms(10.0), frame("063#0007"));
    bench.until(ms(13.2));
    assert_eq!((bench.switched.len(), bench.answers.len()), (0, 0));
    bench.until(ms(20.0));
    assert_eq!(bench.answers, [(ms(13.3), frame("063#0007"))]);
    bench.hear(ms(20.0), frame("063#0007"));
    bench.until(ms(30.0));
    assert_eq!(answers(&mut bench), ["063#0007", "063#0007"]);
    assert_eq!(
        (bench.switched.clone(), bench.events.clone()),
        (vec![false], vec![EventKind::SwitchSet])
    );
    // One for all, one for it by name, and what is not for it or no order.
    for (order, answered) in [
        ("060#0108", Some("063#0108")),
        ("060#000903", Some("063#0009")),
        ("060#010A00", Some("063#010A")),
        ("060#000B04", None),
        ("064#000C", None),
        ("063#020D", None),
        ("063#00", None),
        ("063#R8", Some("063#0100")),
    ] {
        bench.hear(bench.now, frame(order));
        bench.until(bench.now + span(10.0));
        assert_eq!(answers(&mut bench), answered.into_iter().collect::<Vec<_>>(), "{order}");
    }
    assert_eq!(bench.switched, [false, true, false, true]);
}

#[test]
fn without_a_unit_it_is_silent_and_an_open_one_is_reported_at_the_start() {
    let mut none = bench(None);
    none.hear(ms(10.0), frame("063#0007"));
    none.until(ms(20.0));
    assert_eq!((none.answers.len(), none.switched.len(), none.events.len()), (0, 0, 0));
    let mut open = bench(Some(false));
    open.until(ms(0.0));
    assert_eq!(open.switched, [false]);
    let mut closed = bench(Some(true));
    closed.until(ms(10.0));
    assert!(closed.switched.is_empty());
}

/// The supply is lost within each of the 46 bytes of 5 ms, and behind them: the unit is where it is
/// answered to be, and the reading's registers are there in any case.
#[test]
fn after_a_loss_of_supply_the_unit_is_where_the_memory_has_it() {
    let mut moved_back = 0;
    for byte in 0..48 {
        let mut bench = bench(Some(true));
        assert_eq!(bench.read(ms(5100.0)), Some((1, 500_000)));
        bench.hear(ms(6000.0), frame("063#0007"));
        let lost = ms(6003.3 + 5.0 * f64::from(byte) + 2.5);
        bench.at(lost, Input::Fault(DeviceFault::NodePowerLoss { until: ms(8000.0) }));
        bench.until(ms(8500.0));
        answers(&mut bench);
        bench.ask(ms(8500.0), Register::Switch);
        bench.until(ms(8600.0));
        let is_stored = byte >= 46;
        moved_back += u32::from(!is_stored);
        assert_eq!(
            answers(&mut bench),
            [if is_stored { "063#0000" } else { "063#0100" }],
            "{byte}"
        );
        let switched: &[bool] = if is_stored { &[false] } else { &[false, true] };
        assert_eq!(bench.switched, switched, "{byte}");
        let energy = bench.read(ms(10_100.0));
        assert_eq!(energy, Some((1 + memory::AHEAD + 1, 600_000)), "{byte}");
    }
    assert_eq!(moved_back, 46);
}

/// The master's end of each scheme, with its own guard.
#[test]
fn authenticated_orders_are_obeyed_and_no_others() {
    for scheme in [Scheme::Paper, Scheme::Compact, Scheme::Strong] {
        let key = device_key(Streams::new(1), "m", NODE);
        let parts = GuardParts {
            authentication: scheme,
            end: End::Master(vec![(NODE, key)]),
            shared: shared_key(Streams::new(1)),
            pair_limit: span(100.0),
        };
        let mut master = Guard::new(parts, &KeptCounters::default());
        master.kept();
        let mut bench = Bench::with(software(), 1000, |parts| {
            parts.is_closed = Some(true);
            parts.guard.authentication = scheme;
        });
        bench.until(ms(1.0));
        let mut reflected = Vec::new();
        let mut order = |bench: &mut Bench, data: &[u8]| {
            let id = CanId::standard(Register::Switch.identifier(0).into()).unwrap();
            let sealed = master.seal(CanFrame::data(id, data).unwrap()).unwrap();
            for &frame in &sealed {
                bench.hear(bench.now + span(1.0), frame);
            }
            bench.until(bench.now + span(20.0));
            let mut opened = Vec::new();
            for (at, frame) in std::mem::take(&mut bench.answers) {
                reflected.push(frame);
                opened.extend(master.open(at, frame).into_iter().filter_map(|it| match it {
                    Opened::Frame(frame) => Some(frame.to_string()),
                    _ => None,
                }));
            }
            (sealed, opened)
        };
        let (_, answered) = order(&mut bench, &[0, 1, NODE]);
        assert_eq!(answered, ["063#0001"], "{scheme}");
        let (sealed, answered) = order(&mut bench, &[1, 2, NODE]);
        assert_eq!(
            (answered, &bench.switched[..]),
            (vec!["063#0102".to_owned()], &[false, true][..])
        );
        let (_, answered) = order(&mut bench, &[0, 3, NODE + 1]);
        assert!(answered.is_empty(), "{scheme}");
        // Its own answers, of which the scheme of the paper accepts that they have come back.
        for frame in reflected {
            bench.hear(bench.now + span(1.0), frame);
        }
        // Without a seal, by its own identifier, and what was sealed for an earlier order.
        bench.hear(bench.now, frame("060#0004"));
        bench.hear(bench.now + span(1.0), frame("063#0005"));
        for altered in sealed {
            let bytes: Vec<u8> = altered.bytes().iter().map(|byte| byte ^ 1).collect();
            let altered = CanFrame::data(altered.id(), &bytes).unwrap();
            bench.hear(bench.now + span(1.0), altered);
        }
        bench.until(bench.now + span(500.0));
        assert_eq!((bench.answers.len(), bench.switched.len()), (0, 2), "{scheme}");
    }
}
