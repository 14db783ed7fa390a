//! What reading a scenario leaves to the plant step: everything that only a solution shows.

use std::time::Duration;

use crate::plant::{NotPlayed, Watch, play};
use lastmeter_record::Signal;
use lastmeter_units::SimDuration;
use tokio::sync::watch;

use super::grid::{Folder, play_now, with};
use super::{assert_printed, difference};

/// The network of the folder cannot carry this.
const TOO_MUCH: &str = "[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"p.csv\"\n\
                        scale = 1e8\n";

fn moving(resolution: &str, more: &str) -> String {
    let grid = format!("[grid]\nresolution = \"{resolution}\"\n");
    with(more).replacen("[grid]\n", &grid, 1)
}

const FAULT: &str = "[[inject]]\nname = \"tree\"\nat = \"1 min\"\nkind = \"line-fault\"\n\
                     into = \"line:L1\"\nphases = \"a\"\nfor = \"100 ms\"\n";

fn operated(element: &str) -> String {
    format!(
        "{FAULT}[[check]]\nname = \"did\"\nkind = \"protection_operation\"\nexpect = [{{ element = \
         \"{element}\", what = \"ignited\", from = \"1 min\", to = \"2 min\" }}]\n"
    )
}

#[test]
fn what_only_a_solution_shows_is_found_when_the_network_is_played() {
    let folder = Folder::new();
    let idle = "[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"p.csv\"\n\
                scale = 0\n[[grid.defect]]\nkind = \"bypass\"\nload = \"h1\"\n";
    let drifts = "[[inject]]\nat = \"1 min\"\nkind = \"grid-frequency\"\nto = \"49 Hz\"\n\
                  over = \"4 s\"\n";
    let windows = moving("waveforms", drifts).replacen(
        "model = \"ideal-3ph\"",
        "model = \"stpm34-3ph\"\nfidelity = \"windows\"",
        1,
    );
    let texts = [with(TOO_MUCH), with(idle), moving("phasors", &operated("fault:tre")), windows];
    let cases = texts.map(|text| {
        assert!(folder.read(&text).unwrap().feeder().is_none(), "{text}");
        (difference(&with(""), &text), folder.load(&text))
    });
    assert_printed("found_when_played", cases);
    folder.load(&moving("phasors", &operated("fault:tree"))).unwrap();
}

#[test]
fn a_meter_far_from_its_rated_voltage_is_remarked_when_the_network_is_played() {
    let folder = Folder::new();
    let rated = "at = \"load:shop\"\nmodel = \"stpm34-3ph\"\nnominal_voltage = \"120 V\"";
    let text = with("").replace("at = \"load:shop\"\nmodel = \"ideal-3ph\"", rated);
    let read = folder.read(&text).unwrap();
    assert!(read.written.warnings.is_empty());
    let found = play_now(&read).unwrap().written.warnings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.starts_with("`shop` is at 2"), "{found:?}");
    assert!(found[0].message.ends_with(" V, and rated for 120 V"), "{found:?}");
}

#[test]
fn a_plant_that_is_played_in_parts_is_the_one_that_is_played_as_a_whole() {
    let folder = Folder::new();
    let read = folder.read(&moving("waveforms", FAULT)).unwrap();
    let whole = play_now(&read).unwrap();
    let mut network = read.network_ahead().unwrap().clone();
    for stop_ms in [0, 60_010, 60_010, 300_001] {
        let stop = SimDuration::from_milliseconds(stop_ms);
        network.play_until(stop).unwrap();
        assert!(network.played_until() >= stop, "{stop_ms}");
    }
    let parts = network.finish().unwrap();
    assert_eq!(format!("{:?}", Some(&parts)), format!("{:?}", whole.feeder()));
    assert!(parts.operations().len() >= 2);
    // Nothing is played on behind a mistake.
    let broken = folder.read(&with(TOO_MUCH)).unwrap();
    let mut network = broken.network_ahead().unwrap().clone();
    assert!(network.play_until(SimDuration::from_seconds(600)).is_err());
    assert_eq!(network.played_until(), SimDuration::ZERO);
    assert_eq!(play_now(&broken).unwrap_err().diagnostics().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_a_limit_of_time_end_the_plant_step() {
    let folder = Folder::new();
    let read = folder.read(&with("")).unwrap();
    let (sender, stop) = watch::channel(None);
    let no_limit = None;
    let waiting = Watch { stop: &stop, limit: &no_limit, shows_progress: false };
    let played = play(&read, &waiting).await.unwrap();
    let steps = played.feeder().unwrap().steps();
    assert_eq!(steps, play_now(&read).unwrap().feeder().unwrap().steps());
    // Long enough that it is not over when it is looked at first.
    let text = with("").replace("\"10 min\"", "\"40 d\"").replace("\"5 min\"", "\"10 s\"");
    let long = folder.read(&text).unwrap();
    let limit = Some((Duration::from_millis(1), "1 ms".to_owned()));
    let limited = Watch { stop: &stop, limit: &limit, shows_progress: false };
    let Err(NotPlayed::TooLong(found)) = play(&long, &limited).await else { panic!("played") };
    assert_eq!(found, "1 ms");
    sender.send(Some(Signal::Terminate)).unwrap();
    let ended = play(&long, &waiting).await;
    assert!(matches!(ended, Err(NotPlayed::Interrupted(Signal::Terminate))), "{ended:?}");
}
