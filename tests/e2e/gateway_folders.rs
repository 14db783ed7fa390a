//! A gateway by itself whose folder is new, or older than it was, and two of one name.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::doors::Served;
use crate::simulators::{Adapter, frame, pause, readings, wait_until};

/// Ends it in order; its exit code.
fn end(adapter: &mut Adapter) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(adapter.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    adapter.child.wait().unwrap().code()
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn refusals(served: &Served) -> Vec<Value> {
    let (status, page) = served.ask("rest", "secret", "GET /api/v1/refusals", "", "");
    assert_eq!(status, 200, "{page}");
    page["results"].as_array().unwrap().clone()
}

/// Runs one in a folder and sends it frames until the platform has so many readings more of what it
/// counts, or has refused something; its exit code and how many there are.
fn run(served: &Served, folder: &Path, first: i32, more: usize) -> (Option<i32>, usize) {
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let mut adapter = Adapter::start("udp-listen:127.0.0.1:0", &broker, folder);
    let (at, socket) = (adapter.port(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (before, mut count) = (readings(served, "counter").len(), first);
    wait_until(folder, || {
        for _ in 0..10 {
            count += 1;
            socket.send_to(&frame(count), at).unwrap();
            pause(10);
        }
        let found = readings(served, "counter").len();
        let is_over = found >= before + more || !refusals(served).is_empty();
        (!is_over).then(|| format!("{found} readings, {before} before"))
    });
    pause(300);
    let code = end(&mut adapter);
    (code, readings(served, "counter").len() - before)
}

#[test]
fn readings_of_a_gateway_with_a_new_folder_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    for round in 0..3 {
        let (code, stored) = run(&served, folder.path(), 1000 * round, 4);
        assert_eq!(code, Some(0), "{}", log(folder.path()));
        assert!(stored >= 4, "{stored}");
        // The second time it goes on, the third time it has lost its folder.
        if round == 1 {
            std::fs::remove_dir_all(folder.path().join("outbox")).unwrap();
        }
    }
    assert_eq!(refusals(&served), [] as [Value; 0]);
    let serials: Vec<u64> = readings(&served, "counter").iter().map(|row| row.0).collect();
    let again = serials.iter().rposition(|serial| *serial == 1).unwrap();
    assert!(again >= 8, "{serials:?}");
    assert_eq!(serials[..again], (1..=again as u64).collect::<Vec<_>>());
    assert!(serials[again..].iter().zip(1..).all(|(serial, number)| *serial == number));
    assert!(!log(folder.path()).contains("refused"), "{}", log(folder.path()));
}

#[test]
fn refused_readings_are_reported_and_end_a_gateway_with_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let outbox = folder.path().join("outbox");
    assert_eq!(run(&served, folder.path(), 0, 3).0, Some(0));
    let before = std::fs::read(outbox.join("kept.log")).unwrap();
    assert_eq!(run(&served, folder.path(), 1000, 3).0, Some(0));
    // A copy of the folder that is older than what it has sent since.
    std::fs::write(outbox.join("kept.log"), before).unwrap();
    let (code, _) = run(&served, folder.path(), 2000, 3);
    let printed = log(folder.path());
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("message_refused: conflicting_content (1 so far)"), "{printed}");
    assert!(printed.contains("the platform refused "), "{printed}");
    assert!(printed.contains("the first one as conflicting_content"), "{printed}");
    let reasons = refusals(&served).iter().map(|row| row["reason"].clone()).collect::<Vec<_>>();
    assert!(
        !reasons.is_empty() && reasons.iter().all(|word| *word == json!("conflicting_content"))
    );
}

#[test]
fn two_gateways_of_one_name_do_not_throw_each_other_out_forever() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let places = ["one", "two"].map(|name| folder.path().join(name));
    let mut adapters = places.clone().map(|place| {
        std::fs::create_dir(&place).unwrap();
        Adapter::start("udp-listen:127.0.0.1:0", &broker, &place)
    });
    let mut ended = None;
    wait_until(&places[0], || {
        let codes = adapters.iter_mut().map(|adapter| adapter.child.try_wait().unwrap());
        ended = codes.enumerate().find_map(|(place, status)| Some((place, status?.code())));
        ended.is_none().then(|| "both go on".to_owned())
    });
    let (place, code) = ended.unwrap();
    let printed = log(&places[place]);
    assert_eq!(code, Some(3), "{printed}");
    for words in ["`rack` took the place of this one", "give one of them another `--name`"] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    // The other one has the name for itself.
    std::thread::sleep(Duration::from_secs(2));
    let other = &mut adapters[1 - place];
    assert!(other.child.try_wait().unwrap().is_none(), "{}", log(&places[1 - place]));
    assert_eq!(end(other), Some(0));
}
