//! Two writers, another format, a server that goes away, and answers that are lost.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lastmeter_model::work::Change;
use lastmeter_store::{PostgresError, StoreError, Stretch};

use crate::server::{Server, postgres_for_tests};
use crate::{Job, Open, apply, entry, open, open_for, reading, wait};

fn jobs(first: u64) -> Vec<Job> {
    (first..first + 20)
        .map(|n| entry(n, vec![reading(["a", "b"][n as usize % 2], 1, n, 3)]))
        .collect()
}

/// The serials that are stored, in order; each has to be there once.
fn serials(store: &Open) -> Vec<u64> {
    let last = store.writer.standing().readings;
    let rows = wait(store.readers.readings(Stretch { after: 0, limit: 10_000, last })).unwrap();
    let mut serials: Vec<u64> = rows.rows.iter().map(|row| row.number.unwrap().1).collect();
    serials.sort_unstable();
    serials
}

/// Applies a batch until it is taken, as the platform does; the errors before.
fn insist(store: &mut Open, jobs: &[Job]) -> Vec<String> {
    let mut errors = Vec::new();
    loop {
        match apply(&mut store.writer, jobs) {
            Ok(_) => return errors,
            Err(error) if errors.len() < 600 => errors.push(format!("{error}: {error:?}")),
            Err(error) => panic!("{error}: {error:?}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_second_writer_and_a_newer_format_are_refused() {
    let Some(server) = postgres_for_tests(false) else { return };
    let mut first = open(&server.connection()).unwrap();
    apply(&mut first.writer, &jobs(1)).unwrap();
    let error = open(&server.connection()).err().unwrap();
    assert!(matches!(error, StoreError::Postgres(PostgresError::InUse { .. })), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("lastmeter t_north-1 pid"), "{message}");

    // Somebody who does not ask for the lock writes: the writer stops.
    server.psql(r#"UPDATE "t_north-1".meta SET standing = '\x00'"#);
    let error = apply(&mut first.writer, &jobs(21)).unwrap_err();
    assert!(matches!(error, StoreError::Postgres(PostgresError::Moved { .. })), "{error:?}");
    drop(first);
    server.psql(r#"UPDATE "t_north-1".meta SET format = 9"#);
    let message = open(&server.connection()).err().unwrap().to_string();
    assert!(message.contains("has format 9, this version reads 3"), "{message}");
}

#[test]
fn a_server_that_restarts_in_mid_work_costs_nothing() {
    let Some(server) = postgres_for_tests(true) else { return };
    let mut store = open(&server.connection()).unwrap();
    let writing = Arc::new(AtomicBool::new(true));
    let mut errors = 0;
    std::thread::scope(|scope| {
        let restarting = Arc::clone(&writing);
        let server = &server;
        scope.spawn(move || {
            for _ in 0..2 {
                server.control(&["-m", "immediate", "restart"]);
            }
            restarting.store(false, Ordering::Relaxed);
        });
        let mut next = 1;
        while writing.load(Ordering::Relaxed) {
            errors += insist(&mut store, &jobs(next)).len();
            next += 20;
        }
    });
    println!("{errors} attempts failed meanwhile");
    let all: Vec<u64> = (1..=store.writer.standing().journal_committed).collect();
    assert_eq!(serials(&store), all);
    let standing = *store.writer.standing();
    drop(store);
    let store = open(&server.connection()).unwrap();
    assert_eq!(*store.writer.standing(), standing);
    assert_eq!(serials(&store), all);
}

#[test]
fn a_server_that_is_away_is_named_and_found_again() {
    let Some(server) = postgres_for_tests(false) else { return };
    let limit = std::time::Duration::from_millis(500);
    let mut store = open_for(&server.connection(), limit).unwrap();
    apply(&mut store.writer, &jobs(1)).unwrap();

    // A query that has to wait ends at its deadline.
    let locked = r#"BEGIN; LOCK TABLE "t_north-1".reading; SELECT pg_sleep(3)"#;
    std::thread::scope(|scope| {
        scope.spawn(|| server.psql(locked));
        let waits = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted";
        while server.psql(waits) == "0" {}
        let stretch = Stretch { after: 0, limit: 1, last: 1 };
        let error = wait(store.readers.readings(stretch)).unwrap_err();
        assert!(matches!(error, StoreError::TooSlow { .. }), "{error:?}");
        assert_eq!(store.heard.slow.load(Ordering::Relaxed), 1);
    });
    assert_eq!(serials(&store), (1..=20).collect::<Vec<_>>());

    server.control(&["-m", "fast", "stop"]);
    for _ in 0..2 {
        apply(&mut store.writer, &jobs(21)).unwrap_err();
    }
    let message = apply(&mut store.writer, &jobs(21)).unwrap_err().to_string();
    assert!(message.contains("cannot be reached"), "{message}");
    let stretch = Stretch { after: 0, limit: 1, last: 1 };
    let message = wait(store.readers.readings(stretch)).unwrap_err().to_string();
    assert!(message.contains("cannot be reached"), "{message}");
    server.control(&["start"]);
    insist(&mut store, &jobs(21));
    assert_eq!(serials(&store), (1..=40).collect::<Vec<_>>());
}

/// Passes connections on, and loses the answer to a COMMIT while it is asked to.
fn lossy(server: &Server, socket: &Path, losing: &Arc<AtomicBool>) {
    let listener = UnixListener::bind(socket.join(".s.PGSQL.5432")).unwrap();
    let to = server.socket();
    let losing = Arc::clone(losing);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(&to).unwrap();
            let cut = Arc::new(AtomicBool::new(false));
            let (from, into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (losing, is_cut) = (Arc::clone(&losing), Arc::clone(&cut));
            std::thread::spawn(move || {
                pass(from, into, |bytes| {
                    let is_commit = bytes.windows(6).any(|part| part == b"COMMIT");
                    if is_commit && losing.load(Ordering::Relaxed) {
                        is_cut.store(true, Ordering::Relaxed);
                    }
                    true
                });
            });
            std::thread::spawn(move || pass(server, client, |_| !cut.load(Ordering::Relaxed)));
        }
    });
}

/// Copies until an end closes, or something is not to go on.
fn pass(mut from: UnixStream, mut to: UnixStream, goes_on: impl Fn(&[u8]) -> bool) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !goes_on(&bytes[..count]) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_not_done_twice() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let losing = Arc::new(AtomicBool::new(false));
    lossy(&server, folder.path(), &losing);
    let way = format!("host={} user=lastmeter dbname=postgres", folder.path().display());
    let mut store = open(&way).unwrap();
    apply(&mut store.writer, &jobs(1)).unwrap();
    for (next, is_lost) in [(21, true), (41, false), (61, true)] {
        let mut batch = jobs(next);
        batch.push(Job::Change(Change::Clock(lastmeter_units::SimTime(next.cast_signed()))));
        losing.store(is_lost, Ordering::Relaxed);
        if is_lost {
            let error = apply(&mut store.writer, &batch).unwrap_err();
            assert!(error.to_string().contains("commit a batch"), "{error}");
            let stored = server.psql(r#"SELECT count(*) FROM "t_north-1".reading"#);
            assert_eq!(stored, (next + 19).to_string(), "it was committed all the same");
        }
        losing.store(false, Ordering::Relaxed);
        let outcome = apply(&mut store.writer, &batch).unwrap();
        assert_eq!((outcome.stored, outcome.repetitions), (20, 0));
        assert_eq!(serials(&store), (1..=next + 19).collect::<Vec<_>>());
    }
    let again = apply(&mut store.writer, &[entry(81, vec![reading("a", 1, 20, 3)])]).unwrap();
    assert_eq!((again.stored, again.repetitions), (0, 1));
}
