//! Requests and answers in time.

use super::{DESK_METER, grammar};
use crate::grammar::{BeginError, Counts, Exchange, Outcome, Refusal};

const MS: u64 = 1_000_000;

/// A meter without sequence numbers.
const PLAIN_METER: &str = "
[[request]]
send = \"U?\\n\"
answer = \"{u}\\n\"
timeout = \"100 ms\"
[request.field.u]
quantity = \"electricity.voltage.rms.l1\"
unit = \"V\"
[[request]]
send = \"F?\\n\"
answer = \"f={f}\\n\"
[request.field.f]
quantity = \"electricity.frequency\"
unit = \"Hz\"
";

/// A meter that sends by itself.
const TALKING_METER: &str = "
[[request]]
answer = \"U={u} n={n}\\n\"
[request.field.u]
quantity = \"electricity.voltage.rms.l1\"
unit = \"V\"
greatest = \"500 V\"
[request.field.n]
role = \"sequence\"
[[request]]
answer = \"F={f}\\n\"
[request.field.f]
quantity = \"electricity.frequency\"
unit = \"Hz\"
";

/// The first value of the only outcome, an answer.
fn value(outcomes: &[Outcome]) -> f64 {
    match outcomes {
        [Outcome::Answered { answer, .. }] => answer.values[0].1,
        other => panic!("{other:?}"),
    }
}

fn refusal(outcomes: &[Outcome]) -> &Refusal {
    match outcomes {
        [Outcome::Refused { why, .. }] => why,
        other => panic!("{other:?}"),
    }
}

fn line(u: u32, n: u32) -> Vec<u8> {
    format!("U={u}V I=1A P=1kW n={n}\r\n").into_bytes()
}

#[test]
fn a_request_is_sent_and_its_answer_read_in_pieces() {
    let mut port = Exchange::new(grammar(DESK_METER));
    assert_eq!(port.begin(0, 5 * MS).unwrap(), b"READ?\r\n");
    let until_ns = 505 * MS;
    assert_eq!(port.begin(0, 6 * MS), Err(BeginError::Open { request: 0, until_ns }));
    assert_eq!(port.wake_at_ns(), Some(until_ns));
    let bytes = line(230, 1);
    for byte in &bytes[..bytes.len() - 1] {
        assert_eq!(port.take(&[*byte], 10 * MS), []);
    }
    assert_eq!(value(&port.take(b"\n", 504 * MS)), 230.0);
    assert_eq!((port.open_request(), port.wake_at_ns()), (None, None));
    port.begin(0, 504 * MS).unwrap();
    assert_eq!(port.begin(7, 0), Err(BeginError::NoSuchRequest(7)));
    let talking = Exchange::new(grammar(TALKING_METER)).begin(0, 0);
    assert_eq!(talking, Err(BeginError::Spontaneous(0)));
}

#[test]
fn without_an_answer_a_request_times_out_once() {
    let mut port = Exchange::new(grammar(DESK_METER));
    port.begin(0, 0).unwrap();
    assert_eq!(port.tick(500 * MS - 1), None);
    let timed_out = Outcome::TimedOut { request: 0, after_ns: 500 * MS };
    assert_eq!(port.take(&line(230, 1), 500 * MS), [timed_out]);
    assert_eq!(port.tick(600 * MS), None);
    let counts = Counts { timed_out: 1, late: 1, ..Counts::default() };
    assert_eq!(port.counts(), counts);
}

#[test]
fn a_late_answer_without_number_is_never_that_of_the_next_request() {
    let mut port = Exchange::new(grammar(PLAIN_METER));
    port.begin(0, 0).unwrap();
    port.tick(100 * MS).unwrap();
    let settling =
        |until_ms: u64| Err(BeginError::Settling { request: 0, until_ns: until_ms * MS });
    assert_eq!(port.begin(0, 149 * MS), settling(150));
    assert_eq!(port.take(b"11", 140 * MS), []);
    assert_eq!(port.begin(1, 160 * MS), settling(190));
    assert_eq!(port.take(b"1\n", 185 * MS), []);
    assert_eq!(port.begin(1, 234 * MS), settling(235));
    port.begin(0, 235 * MS).unwrap();
    assert_eq!(value(&port.take(b"222\n", 240 * MS)), 222.0);
    assert_eq!(port.counts().late, 1);
}

#[test]
fn a_line_that_began_before_the_request_is_not_its_answer() {
    let mut port = Exchange::new(grammar(PLAIN_METER));
    port.begin(0, 0).unwrap();
    port.tick(100 * MS).unwrap();
    assert_eq!(port.take(b"11", 100 * MS), []);
    port.begin(0, 150 * MS).unwrap();
    // The rest of the late answer would be a voltage, and so would both together.
    assert_eq!(port.take(b"1.5\n", 160 * MS), []);
    assert_eq!(value(&port.take(b"222\n", 170 * MS)), 222.0);
    assert_eq!(port.counts().torn, 1);
    // A line end of one character more is no begin of a line.
    port.take(b"\r", 180 * MS);
    port.begin(0, 180 * MS).unwrap();
    assert_eq!(value(&port.take(b"223\n", 190 * MS)), 223.0);
}

#[test]
fn an_answer_of_an_old_number_is_late() {
    let mut port = Exchange::new(grammar(DESK_METER));
    port.begin(0, 0).unwrap();
    assert_eq!(value(&port.take(&line(1, 17), 1)), 1.0);
    port.begin(0, 2).unwrap();
    assert_eq!(port.take(&line(2, 17), 3), []);
    assert_eq!(port.take(&line(3, 16), 3), []);
    // Nor is it rejected as the answer of this request.
    assert_eq!(port.take(&line(999, 16), 3), []);
    assert_eq!(value(&port.take(&line(4, 18), 4)), 4.0);
    assert_eq!(port.counts(), Counts { answered: 2, late: 3, ..Counts::default() });
}

#[test]
fn the_number_of_the_missing_answer_ends_the_wait() {
    let mut port = Exchange::new(grammar(DESK_METER));
    port.begin(0, 0).unwrap();
    port.take(&line(1, 17), 1);
    port.begin(0, 2).unwrap();
    port.tick(2 + 500 * MS).unwrap();
    assert_eq!(port.take(&line(2, 17), 510 * MS), []);
    assert!(matches!(port.begin(0, 511 * MS), Err(BeginError::Settling { .. })));
    assert_eq!(port.take(&line(2, 18), 511 * MS), []);
    port.begin(0, 511 * MS).unwrap();
    // The late one has been seen, and is not accepted when it is repeated.
    assert_eq!(port.take(&line(2, 18), 512 * MS), []);
    assert_eq!(value(&port.take(&line(3, 19), 513 * MS)), 3.0);
}

#[test]
fn a_number_that_the_missing_answer_may_have_is_late() {
    let mut port = Exchange::new(grammar(DESK_METER));
    port.begin(0, 0).unwrap();
    port.take(&line(1, 17), 0);
    port.begin(0, 0).unwrap();
    port.tick(500 * MS).unwrap();
    // The meter is slow: its answer comes while the next request is open.
    port.begin(0, 550 * MS).unwrap();
    assert_eq!(port.take(&line(2, 18), 560 * MS), []);
    assert_eq!(value(&port.take(&line(3, 19), 570 * MS)), 3.0);
    // The meter never got the request: the next answer is lost, and the one behind is taken.
    port.begin(0, 600 * MS).unwrap();
    port.tick(1100 * MS).unwrap();
    port.begin(0, 1150 * MS).unwrap();
    assert_eq!(port.take(&line(4, 20), 1160 * MS), []);
    port.tick(1650 * MS).unwrap();
    let until_ns = 2200 * MS;
    let settling = Err(BeginError::Settling { request: 0, until_ns });
    assert_eq!(port.begin(0, until_ns - 1), settling);
    port.begin(0, until_ns).unwrap();
    assert_eq!(value(&port.take(&line(5, 21), until_ns)), 5.0);
}

#[test]
fn numbers_wrap_and_begin_again() {
    let text = DESK_METER.replace("\"sequence\"", "\"sequence\"\nmodulo = 256");
    let mut port = Exchange::new(grammar(&text));
    let mut now_ns = 0;
    for n in [254, 255, 0, 1, 100] {
        port.begin(0, now_ns).unwrap();
        assert_eq!(port.take(&line(n, n).repeat(2), now_ns).len(), 1, "{n}");
    }
    // A number that the meter cannot have counts for nothing.
    port.begin(0, now_ns).unwrap();
    let impossible = port.take(&line(1, 256), now_ns);
    assert!(matches!(refusal(&impossible), Refusal::SequenceOutOfRange { .. }));
    port.begin(0, now_ns).unwrap();
    assert_eq!(value(&port.take(&line(1, 101), now_ns)), 1.0);
    // The meter has restarted: one answer is lost, since it could be late.
    port.begin(0, now_ns).unwrap();
    assert_eq!(port.take(&line(1, 1), now_ns), []);
    now_ns += 1000 * MS;
    port.tick(now_ns).unwrap();
    port.begin(0, now_ns).unwrap();
    assert_eq!(value(&port.take(&line(2, 2), now_ns)), 2.0);
    assert_eq!(port.counts().restarts, 1);
    // Close behind the last number nothing is a restart.
    let mut port = Exchange::new(grammar(&text));
    for (n, is_new) in [(100, true), (90, false), (91, false), (92, false), (104, true)] {
        now_ns += 1000 * MS;
        port.begin(0, now_ns).unwrap();
        assert_eq!(port.take(&line(n, n), now_ns).len(), usize::from(is_new), "{n}");
        port.tick(now_ns + 500 * MS);
    }
    assert_eq!(port.counts().restarts, 0);
}

#[test]
fn a_meter_that_counts_from_one_again_is_late_three_times_and_no_longer() {
    let mut port = Exchange::new(grammar(DESK_METER));
    let mut now_ns = 0;
    let mut ask = |number| {
        now_ns += 2000 * MS;
        port.begin(0, now_ns).unwrap();
        let taken = port.take(&line(number, number), now_ns).len();
        port.tick(now_ns + 500 * MS);
        taken
    };
    // Powered off after its ninth answer.
    let numbers = (1..=9).chain(1..=6);
    let taken: Vec<usize> = numbers.map(&mut ask).collect();
    assert_eq!(taken, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    // One that is stuck at a number goes on being late.
    assert_eq!([6, 6, 6, 6, 6].map(&mut ask), [0; 5]);
    assert_eq!(port.counts().restarts, 1);
}

#[test]
fn garbage_is_skipped_up_to_a_line_end() {
    // An echo is none, even where any line has the form of the answer.
    let mut port = Exchange::new(grammar(PLAIN_METER));
    port.begin(0, 0).unwrap();
    assert_eq!(value(&port.take(b"U?\n230\n", 1)), 230.0);
    assert_eq!(port.counts().echoed, 1);
    let mut port = Exchange::new(grammar(DESK_METER));
    port.begin(0, 0).unwrap();
    let bytes = [b"\xFE\x00gar\r\n\r\nREAD?\r\n", &line(230, 1)[..]].concat();
    match &port.take(&bytes, 1)[..] {
        [Outcome::Refused { request: 0, why }, Outcome::Answered { .. }] => {
            assert_eq!(*why, Refusal::NotUtf8 { line: "\\xFE\\x00gar".to_owned() });
        }
        other => panic!("{other:?}"),
    }
    let counts = Counts { answered: 1, refused: 1, echoed: 1, ..Counts::default() };
    assert_eq!(port.counts(), counts);
    port.begin(0, 2).unwrap();
    let glued = [b"noise", &line(230, 2)[..]].concat();
    assert!(matches!(refusal(&port.take(&glued, 3)), Refusal::OtherForm { .. }));
    let long = [&[b'x'; 5000][..], b"\r\n"].concat();
    assert_eq!(*refusal(&port.take(&long, 3)), Refusal::TooLong { bytes_max: 4096 });
    assert_eq!(port.open_request(), Some(0));
    // A line of the answer's form is the answer, and a bad one.
    assert!(matches!(refusal(&port.take(&line(999, 3), 4)), Refusal::OutOfRange { .. }));
    assert_eq!(port.open_request(), None);
    port.begin(0, 5).unwrap();
}

#[test]
fn an_answer_of_another_request_is_late() {
    let mut port = Exchange::new(grammar(PLAIN_METER));
    port.begin(1, 0).unwrap();
    assert_eq!(port.take(b"230\nf=50\n", 1).len(), 1);
    assert_eq!(port.take(b"230\n", 2), []);
    assert_eq!(port.counts(), Counts { answered: 1, late: 2, ..Counts::default() });
    let mut port = Exchange::new(grammar(DESK_METER));
    assert_eq!(port.take(b"desk meter 1.2\r\n", 0), []);
    assert_eq!(port.counts(), Counts { unsolicited: 1, ..Counts::default() });
}

#[test]
fn a_meter_that_sends_by_itself_is_listened_to() {
    let mut port = Exchange::new(grammar(TALKING_METER));
    assert_eq!(value(&port.take(b"U=230 n=1\n", 0)), 230.0);
    assert_eq!(port.take(b"U=231 n=2\nF=50", 1).len(), 1);
    match &port.take(b".1\nU=999 n=3\nU=\nbad\n", 2)[..] {
        [
            Outcome::Answered { request: 1, .. },
            Outcome::Refused { request: 0, why: Refusal::OutOfRange { .. } },
            Outcome::Refused { request: 0, why: Refusal::OtherForm { .. } },
            Outcome::Refused { request: 0, why: Refusal::OtherForm { .. } },
        ] => {}
        other => panic!("{other:?}"),
    }
    let long = [&[b'x'; 5000][..], b"\n"].concat();
    assert_eq!(*refusal(&port.take(&long, 3)), Refusal::TooLong { bytes_max: 4096 });
    assert_eq!(port.counts(), Counts { answered: 3, refused: 4, ..Counts::default() });
}

#[test]
fn a_first_line_that_may_lack_its_begin_is_discarded() {
    let text = TALKING_METER.replace("\"U={u} n={n}", "\"{u} n={n}");
    let mut port = Exchange::new(grammar(&text));
    // It could be the rest of `230.12`.
    assert_eq!(port.take(b"0.12 n=1\n", 0), []);
    assert_eq!(value(&port.take(b"230.12 n=2\n", 1)), 230.12);
    assert_eq!(port.counts().torn, 1);
}

#[test]
fn a_port_may_be_asked_and_talk_by_itself() {
    let text = format!(
        "{DESK_METER}\n[[request]]\nanswer = \"alarm {{what}}\\r\\n\"\n\
                        [request.field.what]\nrole = \"status\"\ngood = \"none\"\n"
    );
    let mut port = Exchange::new(grammar(&text));
    port.begin(0, 0).unwrap();
    let bytes = [b"alarm none\r\nalarm 7\r\n", &line(230, 1)[..]].concat();
    match &port.take(&bytes, 1)[..] {
        [
            Outcome::Answered { request: 1, .. },
            Outcome::Refused { request: 1, why: Refusal::BadStatus { .. } },
            Outcome::Answered { request: 0, .. },
        ] => {}
        other => panic!("{other:?}"),
    }
}
