//! The answer as a whole.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::finding::{Section, Status, ms};
use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn found<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_machine_whose_kernel_reports_nothing_is_examined_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let mut findings = machine::findings(root.path());
    findings.extend(rights::findings(root.path()));
    findings.extend(equipment::findings(root.path(), None));
    assert!(findings.iter().all(|finding| !finding.unmeasured && !finding.found.is_empty()));
    for name in ["load", "pressure", "clock_source", "preemption", "real_time_share"] {
        let finding = found(&findings, name);
        assert_eq!(
            (finding.status, finding.found.as_str()),
            (Status::No, "not reported by the kernel")
        );
    }
    assert!(machine::title(root.path()).starts_with("unknown processor, "));
    // Files that are there and make no sense are no better.
    for path in ["proc/loadavg", "proc/pressure/cpu", "sys/fs/cgroup/cpu.max", "proc/version"] {
        write(root.path(), path, "\u{fffd} ?");
    }
    assert_eq!(found(&machine::findings(root.path()), "load").status, Status::No);
}

#[test]
fn what_the_kernel_reports_is_understood() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for (path, text) in [
        ("proc/loadavg", "0.10 0.2 0.3 1/100 5\n"),
        ("proc/pressure/cpu", "some avg10=55.00 avg60=1 avg300=1 total=5\n"),
        ("proc/version", "Linux version 6.18 (x@y) #1 SMP PREEMPT_DYNAMIC @0\n"),
        ("proc/sys/kernel/osrelease", "6.18\n"),
        ("boot/config-6.18", "CONFIG_X=y\nCONFIG_HZ=250\n"),
        ("sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
        ("run/chrony/chronyd.sock", ""),
        ("dev/ptp0", ""),
        ("sys/class/ptp/ptp0/clock_name", "igb\n"),
        ("dev/ttyUSB0", ""),
        ("dev/ttyACM1", ""),
        ("dev/ttyS0", ""),
        ("sys/class/net/can0/operstate", "down\n"),
        ("sys/class/net/eth0/operstate", "up\n"),
        ("bin/python3", ""),
    ] {
        write(root, path, text);
    }
    let mut findings = machine::findings(root);
    findings.extend(equipment::findings(root, Some(root.join("bin").as_os_str())));
    for (name, status, text) in [
        ("load", Status::Ok, "0.10 over a minute"),
        ("pressure", Status::Limited, "55.0 %"),
        ("preemption", Status::Ok, "PREEMPT_DYNAMIC, full, 250 Hz tick"),
        ("clock_source", Status::Limited, "hpet"),
        ("frequency_governor", Status::Limited, "powersave"),
        ("processor_quota", Status::Limited, "150000 us of every 100000 us"),
        ("time_service", Status::Limited, "chrony runs"),
        ("ptp", Status::Ok, "/dev/ptp0 (igb)"),
        ("serial_ports", Status::Ok, "ttyACM1, ttyUSB0"),
        ("can_interfaces", Status::Limited, "can0 (down)"),
        // A file that is not executable is no program.
        ("python3", Status::No, "not found"),
    ] {
        let finding = found(&findings, name);
        assert!(finding.found.starts_with(text), "{name}: {}", finding.found);
        assert_eq!(finding.status, status, "{name}");
        assert_eq!(finding.advice.is_none(), status == Status::Ok, "{name}");
    }
}

/// All that is reported, by key; entries of arrays by `[]`.
fn keys(value: &Value, place: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let place = format!("{place}.{name}");
                keys(member, &place, out);
                out.insert(place);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                keys(entry, &format!("{place}[]"), out);
            }
        }
        _ => {}
    }
}

#[test]
fn the_whole_answer_has_its_keys_and_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let options = DoctorOptions {
        out: folder.path().to_owned(),
        quick: true,
        format: TextFormat::Json,
        color: false,
    };
    let examination = examine(&options);
    assert!(examination.complete, "{examination:?}");
    let json = serde_json::to_value(&examination).unwrap();
    let mut found = BTreeSet::new();
    keys(&json, "", &mut found);
    for key in [
        ".format_version",
        ".lastmeter",
        ".machine",
        ".quick",
        ".complete",
        ".findings[].section",
        ".findings[].name",
        ".findings[].status",
        ".findings[].found",
        ".findings[].advice",
        ".timers[].kind",
        ".timers[].policy",
        ".timers[].late.n",
        ".timers[].late.p50_ns",
        ".timers[].late.p99_ns",
        ".timers[].late.max_ns",
        ".sync.p50_ns",
        ".sync.p99_ns",
        ".floors[].transport",
        ".floors[].policy",
        ".floors[].floor.timer.p99_ns",
        ".floors[].floor.echo.p50_ns",
        ".floors[].floor.echo.p99_ns",
        ".floors[].floor.echo_kind",
        ".classes[].class",
        ".classes[].limit_ns",
        ".classes[].status",
        ".classes[].transports",
        ".classes[].advice",
    ] {
        assert!(found.contains(key), "{key} is not in {found:?}");
    }
    assert_eq!(json["format_version"], 1);
    let names: BTreeSet<&str> = examination.findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names.len(), examination.findings.len(), "each name once");
    let transports: Vec<&str> = examination.floors.iter().map(|floor| floor.transport).collect();
    assert_eq!(transports, ["plain", "tls"]);
    let tls = &examination.floors[1].floor.echo_kind;
    assert!(tls.starts_with("MQTT QoS 1 on ") && tls.ends_with("TLS"), "{tls}");

    let lines = show::lines(&examination, false);
    assert!(lines.iter().any(|line| line.contains("TT6")) && lines[0].contains("doctor"));
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')));
    for finding in &examination.findings {
        let name = finding.name.replace('_', " ");
        assert!(lines.iter().any(|line| line.contains(&name)), "{name}");
    }
    let colored = show::lines(&examination, true);
    assert!(colored.iter().any(|line| line.contains('\u{1b}')));
}

#[test]
fn unavailable_measurements_are_reported_with_their_own_exit_code() {
    let unmeasured = Section::Disk.topic("sync").unmeasured("no room", "make some");
    let examination = Examination {
        format_version: 1,
        lastmeter: "0",
        quick: false,
        machine: "m".to_owned(),
        complete: !unmeasured.unmeasured,
        findings: vec![unmeasured],
        timers: Vec::new(),
        sync: None,
        floors: Vec::new(),
        classes: classes::findings(&[]),
    };
    let lines = show::lines(&examination, false);
    assert_eq!(
        lines[1..4],
        [
            "disk".to_owned(),
            "     no  sync                   no room".to_owned(),
            format!("{:32}make some", ""),
        ]
    );
    assert_eq!(
        lines.last().unwrap(),
        "Summary  can judge: no class; something could not be measured"
    );
}

#[test]
fn durations_have_the_digits_they_deserve() {
    for (ns, text) in [
        (0, "0.00 ms"),
        (52_499, "0.05 ms"),
        (9_994_000, "9.99 ms"),
        (12_345_678, "12.3 ms"),
        (123_456_789, "123 ms"),
        (i64::MAX, "lost"),
    ] {
        assert_eq!(ms(ns), text);
    }
}
