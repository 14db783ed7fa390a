//! Pages of lists end where they are full of bytes, and count what is behind them.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_model::access::Cut;
use lastmeter_model::invocation::NewInvocation;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::work::{Body, Change, Delivery};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};

use super::server::postgres_for_tests;
use super::subjects;
use super::work::Job;
use crate::seam::{Page, Range};

const MIB: usize = 1024 * 1024;
const ROWS: u64 = 12;

/// A text of a mebibyte under a name.
fn metadata() -> BTreeMap<String, String> {
    BTreeMap::from([("x".to_owned(), "y".repeat(MIB))])
}

fn reading(at: u64) -> Message {
    let values = vec![(MeasurementId::all().next().unwrap(), 1.0)];
    Message {
        event: Some(SimTime(at.cast_signed())),
        metadata: metadata(),
        ..Message::new(HardwareId::new("home").unwrap(), MessageBody::Measurements(values))
    }
}

#[test]
fn a_page_of_large_rows_ends_at_eight_mebibytes() {
    let server = postgres_for_tests(false);
    for mut subject in subjects(server.as_ref()) {
        let readings = (1..=ROWS).map(|sequence| {
            Job::Delivery(Delivery {
                sequence,
                received: SimTime(100),
                topic: "sitewhere/default/input/json".to_owned(),
                body: Body::Messages(vec![reading(sequence)]),
                content: Bytes::new(),
            })
        });
        let command = NewInvocation {
            device: 1,
            command: "reset".to_owned(),
            parameters: BTreeMap::new(),
            initiator: "REST".to_owned(),
            initiator_id: "bench".to_owned(),
            metadata: metadata(),
            created: SimTime(100),
            expires: SimTime(200),
        };
        let commands = (0..ROWS).map(|_| Job::Change(Change::Invoke(Box::new(command.clone()))));
        let jobs: Vec<Job> = readings.chain(commands).collect();
        subject.apply(&jobs, 100);
        let (reader, range) = (subject.reader(), Range { start: SimTime(0), end: SimTime(99) });
        let all = lastmeter_model::access::Permit::whole_tenant();
        let all: Cut = all.cut(&HardwareId::new("home").unwrap());
        for (offset, expected) in [(0, 8), (6, 6)] {
            let page = Page { offset, limit: 1000 };
            let (count, rows) = subject.wait(reader.events(1, range, page, all.clone())).unwrap();
            assert_eq!((count, rows.len()), (ROWS, expected), "{}", subject.name());
            let (count, rows) = subject.wait(reader.invocations_of(1, page, all.clone())).unwrap();
            assert_eq!((count, rows.len()), (ROWS, expected), "{}", subject.name());
        }
    }
}
