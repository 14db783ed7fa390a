//! A platform's data without the platform: verified, backed up, restored, exported, imported.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{Done, call, lastmeter};

fn message(serial: u32) -> String {
    format!(
        r#"{{"hardwareId":"meter","type":"DeviceMeasurements","request":{{"measurements":{{"electricity.voltage.rms.l1":{serial}.5}},"eventDate":"2027-01-18T17:00:{serial:02}.000Z","updateState":true,"metadata":{{"serial":"{serial}","epoch":"1"}}}}}}"#
    )
}

fn site(token: &str) -> String {
    format!(
        r#"{{"kind":"site","token":"{token}","version":1,"created":"2027-01-18T17:00:00Z","changed":"2027-01-18T17:00:00Z","by":"user:ann","body":{{"name":"{token}"}}}}"#
    )
}

/// What an export would have written.
fn exported(folder: &Path, serials: std::ops::RangeInclusive<u32>, sites: &[&str]) -> String {
    fs::create_dir_all(folder).unwrap();
    let lines = serials.map(message).collect::<Vec<_>>().join("\n");
    fs::write(folder.join("readings.jsonl"), lines).unwrap();
    let lines = sites.iter().map(|token| site(token)).collect::<Vec<_>>().join("\n");
    fs::write(folder.join("documents.jsonl"), lines).unwrap();
    folder.to_str().unwrap().to_owned()
}

fn done(code: i32, arguments: &[&str]) -> Done {
    let done = call(arguments);
    assert_eq!(done.code, code, "{arguments:?}: {done:?}");
    done
}

fn as_json(done: &Done) -> Value {
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["format_version"], 1);
    value
}

#[test]
fn data_is_imported_verified_backed_up_restored_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, to, new) = (path("data"), path("backups"), path("new"));
    let from = exported(&folder.path().join("from"), 1..=30, &["north", "south"]);
    done(2, &["store", "import", "--data", &data, "--from", &from]);
    fs::create_dir(&data).unwrap();
    done(4, &["audit", "verify", &data]);
    let first = done(0, &["store", "import", "--data", &data, "--from", &from]);
    assert!(first.stdout.contains("2 documents.jsonl, 30 readings.jsonl"), "{first:?}");
    let again = done(0, &["store", "import", "--data", &data, "--from", &from, "--json"]);
    assert_eq!(as_json(&again)["imported"]["repeated"], 32);
    let found = done(0, &["store", "verify", "--data", &data]);
    assert!(found.stdout.contains("30 readings"), "{found:?}");

    done(0, &["store", "backup", "--data", &data, "--to", &to]);
    done(2, &["store", "backup", "--data", &data, "--to", &to]);
    done(0, &["store", "restore", "--from", &to, "--data", &new]);
    let there = done(2, &["store", "restore", "--from", &to, "--data", &new]);
    assert!(there.stderr.contains("--replace"), "{there:?}");
    done(0, &["store", "restore", "--from", &to, "--data", &new, "--replace"]);
    let found = as_json(&done(0, &["audit", "verify", &new, "--json"]));
    assert_eq!(found["tenants"][0]["audit"]["rows"], 2, "{found}");
    assert_eq!(found["tenants"][0]["audit"]["head_rows"], 2);
    let store = Path::new(&to).join("default/store.db");
    let mut bytes = fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&store, bytes).unwrap();
    let refused = done(1, &["store", "restore", "--from", &to, "--data", &path("newer")]);
    assert!(refused.stderr.contains("store.db is damaged"), "{refused:?}");
    assert!(!Path::new(&path("newer")).exists());

    let (out, of_backup) = (path("out"), path("of-backup"));
    done(0, &["store", "export", "--data", &data, "--to", &out]);
    done(0, &["store", "export", "--data", &new, "--to", &of_backup]);
    for name in ["documents.jsonl", "devices.jsonl", "readings.jsonl", "alerts.jsonl"] {
        let [one, other] = [&out, &of_backup].map(|to| fs::read(Path::new(to).join(name)).unwrap());
        assert_eq!(one, other, "{name}");
    }
    done(0, &["store", "export", "--data", &data, "--to", &path("csv"), "--readings", "csv"]);
    let table = fs::read_to_string(folder.path().join("csv/readings.csv")).unwrap();
    let head = "device,epoch,serial,time,quantity,unit,value,update_state,received";
    assert_eq!((table.lines().next(), table.lines().count()), (Some(head), 31));
}

#[test]
fn an_older_store_shows_in_the_audit_and_a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let place = data.to_str().unwrap();
    let import = |sites: &[&str]| {
        let from = exported(&folder.path().join("from"), 1..=3, sites);
        done(0, &["store", "import", "--data", place, "--from", &from]);
    };
    import(&["a", "b"]);
    let older = fs::read(data.join("default/store.db")).unwrap();
    import(&["c", "d", "e"]);
    done(0, &["audit", "verify", place]);
    let newer = fs::read(data.join("default/store.db")).unwrap();
    fs::write(data.join("default/store.db"), older).unwrap();
    let found = done(1, &["audit", "verify", place]);
    assert!(found.stdout.contains("audit_chain 3-5"), "{found:?}");
    let everything = done(1, &["store", "verify", "--data", place, "--json"]);
    let everything = as_json(&everything);
    let findings = everything["tenants"][0]["findings"].as_array().unwrap();
    let kinds: Vec<_> = findings.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"audit_chain") && kinds.contains(&"missing_changes"), "{kinds:?}");
    fs::write(data.join("default/store.db"), newer).unwrap();

    for arguments in [
        &["audit", "verify"][..],
        &["audit", "verify", place, "--tenant", "other"],
        &["audit", "verify", place, "--tenant", "No Name"],
        &["store", "verify", "--data", "nowhere"],
        &["store", "export", "--data", place],
    ] {
        done(2, arguments);
    }
    let serve = ["serve", "--data", place, "--token", "t", "--until-stdin-closes"];
    let free = ["--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"];
    let mut running = lastmeter()
        .args(serve)
        .args(free)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.contains("\"ready\":true"), "{ready}");
    let used = done(3, &["audit", "verify", place]);
    assert!(used.stderr.contains("is in use by another process"), "{used:?}");
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
    done(0, &["audit", "verify", place]);
}
