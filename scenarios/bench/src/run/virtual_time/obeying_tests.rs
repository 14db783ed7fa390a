//! A network that obeys, without a platform: what it is without orders, and what is refused.

use std::path::{Path, PathBuf};

use lastmeter_language::{LoadFailure, LoadOptions, Scenario};
use lastmeter_record::{Event, EventKind};
use lastmeter_units::{SimDuration, SimTime};

use super::obeying::ObeyingPlant;
use crate::plant::take_plant;
use crate::run::device_setup::device_setup;
use crate::run::ledger::Account;
use crate::run::plant_notes::{Horizon, interruptions, of_device, operations};
use crate::run::{motion_record, network};

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../library/plant-obeys.toml")
}

/// The scenario of the library with other texts in place of some, read.
fn read(changes: &[(&str, &str)]) -> Result<Scenario, LoadFailure> {
    let mut text = std::fs::read_to_string(library()).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Scenario::from_bytes(&library(), text.as_bytes(), &LoadOptions::default())
}

/// The same, with its network played ahead.
fn played(changes: &[(&str, &str)]) -> Scenario {
    let mut scenario = read(changes).unwrap();
    let network = scenario.network_ahead().unwrap().clone();
    take_plant(&mut scenario, network.finish()).unwrap();
    scenario
}

fn accounts(scenario: &Scenario) -> Vec<Account> {
    let all = 0..scenario.devices.len();
    all.map(|index| device_setup(scenario, index, None).unwrap().1).collect()
}

fn device(scenario: &Scenario, name: &str) -> usize {
    scenario.devices.iter().position(|row| row.name == name).unwrap()
}

/// Notes in an order of their own.
fn sorted(notes: impl IntoIterator<Item = Event>) -> Vec<String> {
    let mut all: Vec<String> =
        notes.into_iter().map(|it| serde_json::to_string(&it).unwrap()).collect();
    all.sort();
    all
}

/// The independent reference is the network as it is played whole ahead, which knows no sync point.
#[test]
fn without_orders_it_is_the_network_that_is_played_ahead() {
    let events = "fidelity = \"samples\"\nevents = [\"dip\", \"interruption\"]";
    let scenario = played(&[("fidelity = \"windows\"", events)]);
    let (start, length) = (scenario.schedule.start, scenario.schedule.duration);
    let feeder = scenario.feeder().unwrap();
    let horizon = Horizon { until: length, is_last: true };
    let mut expected: Vec<Event> = operations(feeder, start).collect();
    expected.extend(interruptions(feeder, (start, start + length)));
    for index in 0..scenario.devices.len() {
        expected.extend(of_device(&scenario, index, horizon));
    }
    assert!(expected.len() > 15, "{}", expected.len());
    for every_s in [7, 60, 1_000] {
        let mut plant = ObeyingPlant::of(&scenario).unwrap().unwrap();
        let mut accounts = accounts(&scenario);
        let (mut now, mut news) = (start, Vec::new());
        while now < start + length {
            now = (now + SimDuration::from_seconds(every_s)).min(start + length);
            plant.play_to(now).unwrap();
            news.extend(plant.news((now, false), &mut accounts));
        }
        news.extend(plant.news((now, true), &mut accounts));
        assert_eq!(sorted(news), sorted(expected.iter().cloned()), "every {every_s} s");
        let mut record = network::record(feeder);
        motion_record::add(&mut record, feeder, (start, scenario.streams())).unwrap();
        let found = plant.record().unwrap();
        assert_eq!(format!("{found:?}"), format!("{record:?}"));
    }
}

/// The network is played in pieces that end where they do, beyond the present instant too.
#[test]
fn what_was_played_ahead_is_noted_once_its_time_has_come() {
    let scenario = played(&[]);
    let mut plant = ObeyingPlant::of(&scenario).unwrap().unwrap();
    let mut accounts = accounts(&scenario);
    let mut operations = 0;
    for at_s in 1..150 {
        let now = scenario.schedule.start + SimDuration::from_seconds(at_s);
        plant.play_to(now).unwrap();
        for note in plant.news((now, false), &mut accounts) {
            let is_late = now - note.time > SimDuration::from_seconds(1);
            assert!(!is_late || note.kind != EventKind::Operated, "{now}: {note:?}");
            operations += u32::from(note.kind == EventKind::Operated);
        }
    }
    assert_eq!(operations, 6, "the recloser's sequence, and the fault");
}

#[test]
fn what_is_ordered_is_noted_when_it_is_known() {
    let scenario = played(&[]);
    let start = scenario.schedule.start;
    let mut plant = ObeyingPlant::of(&scenario).unwrap().unwrap();
    let mut accounts = accounts(&scenario);
    let mut to = |plant: &mut ObeyingPlant<'_>, at_s: i64| {
        let now = start + SimDuration::from_seconds(at_s);
        plant.play_to(now).unwrap();
        let words = |it: Event| (it.kind.word().to_owned(), (it.time - start).0 / 1_000_000_000);
        let news = plant.news((now, false), &mut accounts);
        (now, news.into_iter().map(words).collect::<Vec<_>>())
    };
    let of = |words: &[(&str, i64)]| -> Vec<(String, i64)> {
        words.iter().map(|(word, at)| ((*word).to_owned(), *at)).collect()
    };
    let (now, news) = to(&mut plant, 20);
    assert_eq!(news, []);
    assert!(plant.order(now, device(&scenario, "switch-S1"), false));
    assert!(!plant.order(now, device(&scenario, "meter-mill"), false), "no switch");
    // A meter may still prove to have held out; a reading is owed until it has gone dark.
    assert_eq!(to(&mut plant, 21).1, of(&[("operated", 20)]));
    let (now, news) = to(&mut plant, 30);
    assert_eq!(news, of(&[("supply_lost", 20)]));
    plant.order(now, device(&scenario, "switch-S1"), true);
    assert_eq!(
        to(&mut plant, 40).1,
        of(&[("operated", 30), ("interruption", 20), ("supply_returned", 30)])
    );
    let hamlet = device(&scenario, "meter-hamlet");
    let owes =
        |at_s: i64| accounts[hamlet].terms.darkness.owes(SimDuration::from_seconds(at_s), false);
    assert_eq!([15, 25, 35].map(owes), [true, false, true]);
}

#[test]
fn an_order_after_which_nothing_flows_by_any_law_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let grid = library().with_file_name("../grids/medium-voltage-ring.toml");
    let mut network = std::fs::read_to_string(grid).unwrap();
    // Beside a closed switch without impedance nobody knows what flows through another one.
    network.push_str(
        "\n[[switch]]\nname = \"S2\"\nfrom = \"town MV\"\nto = \"section\"\nclosed = false\n",
    );
    let file = folder.path().join("ring.toml");
    std::fs::write(&file, network).unwrap();
    let file = file.display().to_string();
    let scenario = played(&[
        ("../grids/medium-voltage-ring.toml", &file),
        (
            "at = [\"switch:S1\", \"switch:TIE\"]",
            "at = [\"switch:S1\", \"switch:S2\", \"switch:TIE\"]",
        ),
    ]);
    let mut plant = ObeyingPlant::of(&scenario).unwrap().unwrap();
    let now = scenario.schedule.start + SimDuration::from_seconds(12);
    plant.play_to(now).unwrap();
    plant.order(now, device(&scenario, "switch-S2"), true);
    let why = plant.play_to(now + SimDuration::from_seconds(60)).unwrap_err().to_string();
    assert!(why.contains("`setBreaker` closed of `switch-S2` at 2027-03-01T06:00:12"), "{why}");
    // What was played until then is there.
    assert_eq!(plant.record().unwrap().rows.len(), 2);
}

#[test]
fn what_cannot_obey_is_refused_where_it_is_written() {
    for (changes, expected) in [
        (&[("resolution = \"phasors\"", "resolution = \"steps\"")][..], "only steps"),
        (&[("seed = 2027", "seed = 2027\ntime = \"real\"")][..], "in virtual time only"),
        (&[("model = \"recloser\"", "model = \"ideal-3ph\"")][..], "cannot measure at"),
        (
            &[(
                "at = \"switch:R1\"\nmodel = \"recloser\"",
                "at = \"load:mill\"\nmodel = \"recloser\"",
            )][..],
            "is the drive of a switch",
        ),
        (
            &[(
                "at = \"switch:R1\"\nmodel = \"recloser\"",
                "at = \"switch:CB1\"\nmodel = \"recloser\"",
            )][..],
            "no recloser in `switch:CB1`",
        ),
        (&[("at = \"switch:R1\"\nmodel", "at = \"switch:R9\"\nmodel")][..], "R9"),
    ] {
        let failure = read(changes).err().unwrap_or_else(|| panic!("accepted: {changes:?}"));
        let text = failure.to_string();
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// Of a scenario that was run before nothing is left.
#[test]
fn it_begins_as_it_is_declared_each_time() {
    let scenario = played(&[]);
    let closed_at = |at_s: i64| {
        let row = &scenario.devices[device(&scenario, "switch-S1")];
        let point = scenario.plant.sources[row.source].metering_point.clone().unwrap();
        format!("{:?}", point.pipe(SimDuration::from_seconds(at_s)).unwrap().state)
    };
    let mut plant = ObeyingPlant::of(&scenario).unwrap().unwrap();
    let at = |at_s: i64| -> SimTime { scenario.schedule.start + SimDuration::from_seconds(at_s) };
    plant.play_to(at(10)).unwrap();
    plant.order(at(10), device(&scenario, "switch-S1"), false);
    plant.play_to(at(20)).unwrap();
    assert!(closed_at(15).contains("is_closed: false"));
    drop(ObeyingPlant::of(&scenario).unwrap());
    assert!(closed_at(15).contains("is_closed: true"));
}
