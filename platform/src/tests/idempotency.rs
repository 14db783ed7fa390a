//! However often and in whatever order messages are sent, over however many restarts, the store
//! holds what a plain map would hold.

use proptest::prelude::*;

use super::*;

/// One step of a sender.
#[derive(Clone, Debug)]
enum Step {
    Send { device: u8, epoch: u8, serial: u8, volts: u8 },
    SendUnnumbered { device: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u8..3, 0_u8..2, 1_u8..5, 0_u8..2).prop_map(|(device, epoch, serial, volts)| {
            Step::Send { device, epoch, serial, volts }
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
            Step::Send { device, epoch, serial, volts } => {
                let mut message =
                    reading(&format!("d{device}"), Some(serial.into()), f64::from(volts));
                message.epoch = Some(Epoch(epoch.into()));
                let accepted = accept(&bench.core, bytes(&message)).await.unwrap();
                let key = (format!("d{device}"), u64::from(epoch), u64::from(serial));
                let stored = *model.numbered.entry(key).or_insert(volts.into());
                let conflicts = stored != f64::from(volts);
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

async fn read_model(core: &Core) -> Model {
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
