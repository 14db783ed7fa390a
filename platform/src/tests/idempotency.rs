//! However often, in whatever order and in whatever format messages are sent, over however many
//! restarts, the store holds what a plain map would hold.

use proptest::prelude::*;

use super::batches::{BATCH, batch};
use super::*;

/// One step of a sender.
#[derive(Clone, Debug)]
enum Step {
    Send {
        device: u8,
        epoch: u8,
        serial: u8,
        volts: u8,
    },
    SendUnnumbered {
        device: u8,
    },
    /// The same as that many sends, in one document.
    Batch(Vec<[u8; 4]>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u8..3, 0_u8..2, 1_u8..5, 0_u8..2).prop_map(|(device, epoch, serial, volts)| {
            Step::Send { device, epoch, serial, volts }
        }),
        4 => prop::collection::vec((0_u8..3, 0_u8..2, 1_u8..5, 0_u8..2), 1..6).prop_map(|all| {
            Step::Batch(all.into_iter().map(|(d, e, s, v)| [d, e, s, v]).collect())
        }),
        2 => (0_u8..3).prop_map(|device| Step::SendUnnumbered { device }),
        1 => Just(Step::Restart),
    ]
}

/// What a plain map makes of the steps.
#[derive(Debug, Default, PartialEq)]
struct Model {
    numbered: BTreeMap<(String, u64, u64), f64>,
    unnumbered: usize,
    conflicts: usize,
}

impl Model {
    /// Enters a message; whether its number has other content already.
    fn conflicts(&mut self, [device, epoch, serial, volts]: [u8; 4]) -> bool {
        let key = (format!("d{device}"), u64::from(epoch), u64::from(serial));
        *self.numbered.entry(key).or_insert(volts.into()) != f64::from(volts)
    }
}

fn message([device, epoch, serial, volts]: [u8; 4]) -> MeasurementMessage {
    let message = reading(&format!("d{device}"), Some(serial.into()), f64::from(volts));
    MeasurementMessage { epoch: Some(Epoch(epoch.into())), ..message }
}

async fn run(steps: Vec<Step>) -> (Model, Model) {
    let mut model = Model::default();
    let mut bench = Bench::start(ClockSource::Driven).await;
    for step in steps {
        match step {
            Step::Restart => bench = bench.restart().await,
            Step::SendUnnumbered { device } => {
                let message = reading(&format!("d{device}"), None, 1.0);
                assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
                model.unnumbered += 1;
            }
            Step::Batch(all) => {
                let payload = batch(&all.iter().copied().map(message).collect::<Vec<_>>());
                let accepted = take(&bench.core, arrival(BATCH, payload)).await.unwrap();
                let conflicts = all.iter().filter(|one| model.conflicts(**one)).count();
                // Of one message it is judged at the door, like that message.
                assert!(accepted == Accepted::Stored || (all.len(), conflicts) == (1, 1));
                model.conflicts += conflicts;
            }
            Step::Send { device, epoch, serial, volts } => {
                let one = [device, epoch, serial, volts];
                let accepted = accept(&bench.core, bytes(&message(one))).await.unwrap();
                let conflicts = model.conflicts(one);
                // At the door, or at the commit if what it conflicts with is still on its way.
                assert!(accepted == Accepted::Stored || conflicts, "{accepted:?}");
                model.conflicts += usize::from(conflicts);
            }
        }
    }
    bench.core.barrier().await.unwrap();
    let found = read_model(&bench.core).await;
    bench.stop().await;
    (model, found)
}

async fn read_model(core: &Tenant) -> Model {
    let mut found = Model { conflicts: refusals(core).await.len(), ..Model::default() };
    for row in readings(core).await {
        match row.number {
            None => found.unnumbered += 1,
            Some((epoch, serial)) => {
                let before =
                    found.numbered.insert((row.device.to_string(), epoch, serial), row.values[0].1);
                assert_eq!(before, None, "stored twice");
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_store_holds_what_a_plain_map_would_hold(steps in prop::collection::vec(step(), 1..60)) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (model, found) = runtime.unwrap().block_on(run(steps));
        prop_assert_eq!(found, model);
    }
}
