//! Scenarios on a platform whose store is in PostgreSQL.

use crate::bench::*;
use crate::postgres_server::postgres_for_tests;

/// The same scenario on SQLite, and on PostgreSQL with TLS at MQTT and REST: what is recorded is
/// the same, to the byte.
#[test]
fn the_records_on_postgresql_and_over_tls_are_those_on_sqlite() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let short = ["--set", "scenario.duration=\"12 min\""];
    let scenarios: [(&str, &[&str]); 10] = [
        ("platform-postgres", &short),
        ("documents", &[]),
        ("grants", &[]),
        ("mailbox", &[]),
        ("first-light", &[]),
        ("refusals", &[]),
        ("platform-killed", &[]),
        ("second-door", &[]),
        ("ten-minute-ticks", &[]),
        ("pulse-output", &[]),
    ];
    for (name, more) in scenarios {
        let on = |store: &str, tls: &str| {
            let out = folder.path().join(format!("{name}-{store}"));
            let set = format!("platform.store=\"{store}\"");
            let tls = format!("platform.tls=\"{tls}\"");
            let output = lastmeter()
                .args(["run", &library(name), "--out", out.to_str().unwrap(), "--set", &set])
                .args(["--set", &tls])
                .args(more)
                .env("LASTMETER_POSTGRES", server.connection())
                .output();
            (out, Done::from(output.unwrap()))
        };
        let ((sqlite, expected), (postgres, done)) =
            (on("sqlite", "none"), on("postgres", "server"));
        assert_eq!((done.code, expected.code), (0, 0), "{name}: {done:?}");
        for file in COMPARED {
            let read = |out: &std::path::Path| std::fs::read(out.join(file)).unwrap();
            assert!(read(&sqlite) == read(&postgres), "{name}: {file} differs");
        }
    }
    // Each run had a schema of its own, which went with its data.
    assert_eq!(server.psql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'run%'"), "0");
}

#[test]
fn without_a_database_such_a_scenario_is_skipped_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = lastmeter();
    command.args(["run", &library("platform-postgres"), "--out", out.to_str().unwrap()]);
    let done = Done::from(command.env_remove("LASTMETER_POSTGRES").output().unwrap());
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stdout.contains("LASTMETER_POSTGRES"), "{done:?}");
}
