//! The watch over load, on a machine whose kernel these tests write.

use std::fs;

use super::*;

const MS: u64 = 1_000_000;

/// A machine whose files this test writes.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A thread of a process, and how long it has waited.
    fn thread(&self, process: u32, thread: u32, name: &str, waited_ns: u64) {
        let folder = format!("proc/{process}/task/{thread}");
        self.write(&format!("{folder}/comm"), &format!("{name}\n"));
        // It runs once for each 0.1 ms it waits.
        let times = waited_ns / 100_000;
        self.write(&format!("{folder}/schedstat"), &format!("5 {waited_ns} {times}\n"));
    }

    fn kernel_thread(&self, thread: u32, name: &str, waited_ns: u64) {
        self.write(&format!("proc/{thread}/comm"), &format!("{name}\n"));
        self.write(&format!("proc/{thread}/schedstat"), &format!("5 {waited_ns} 1\n"));
    }

    fn pressure(&self, total_us: u64) {
        self.write("proc/pressure/cpu", &format!("some avg10=0.00 total={total_us}\n"));
    }

    fn log(&self, watched: WatchedProcess) -> Log {
        Log::new(self.0.path().to_owned(), watched, 0)
    }
}

/// A tenth of a second of the run.
fn look(number: i64) -> i64 {
    number * 100_000_000
}

#[test]
fn the_thread_that_waited_longest_counts_and_those_that_keep_the_record_do_not() {
    let (machine, own) = (Machine::new(), std::process::id());
    let child = WatchedProcess { child: Arc::new(AtomicU32::new(77)), ..WatchedProcess::default() };
    let all = |scale: u64| {
        machine.thread(own, own, "lastmeter", 1_000 * MS * scale);
        machine.thread(own, own + 1, "punctual", 2 * MS * scale);
        machine.thread(own, own + 2, "punctual", 3 * MS * scale);
        machine.thread(own, own + 3, "load-watch", 500 * MS * scale);
        machine.thread(77, 77, "lastmeter", 7 * MS * scale);
        machine.kernel_thread(41, "kworker/0:1", 4 * MS * scale);
        machine.kernel_thread(42, "migration/0", 900 * MS * scale);
        machine.pressure(50_000 * scale);
    };
    machine.write("proc/2/task/2/children", "41 42\n");
    all(1);
    let mut log = machine.log(child);
    for number in 1..=10 {
        if number == 3 {
            all(2);
        }
        if number == 9 {
            all(4);
        }
        log.look(look(number));
    }
    let (facts, _) = log.facts(0);
    let [second] = facts.seconds[..] else { panic!("{facts:?}") };
    let wait = |total: u64, longest: u64| Wait {
        total_ns: (total * MS).cast_signed(),
        longest_ns: (longest * MS).cast_signed(),
        each_ns: 100_000,
    };
    assert_eq!((second.from_ns, second.to_ns), (0, look(10)));
    assert_eq!(second.bench, wait(9, 6));
    assert_eq!(second.platform, Some(wait(21, 14)));
    // Those of the kernel ran seldom.
    assert_eq!(second.kernel, Some(Wait { each_ns: 0, ..wait(12, 8) }));
    assert_eq!(second.pressure, Some(15.0));
}

#[test]
fn a_platform_whose_threads_are_not_known_waited_no_longer_than_anything_did() {
    let (machine, own) = (Machine::new(), std::process::id());
    machine.thread(own, own + 1, "punctual", 0);
    machine.pressure(1_000);
    let mut log = machine.log(WatchedProcess { is_unseen: true, ..WatchedProcess::default() });
    machine.pressure(201_000);
    (1..=10).for_each(|number| log.look(look(number)));
    let (facts, _) = log.facts(0);
    assert_eq!(facts.seconds[0].platform.unwrap().total_ns, 200_000_000);
    // And nothing of one that is somewhere else.
    let mut log = machine.log(WatchedProcess::default());
    (1..=10).for_each(|number| log.look(look(number)));
    assert_eq!(log.facts(0).0.seconds[0].platform, None);
}

#[test]
fn a_platform_that_was_killed_and_restarted_is_another_process() {
    let machine = Machine::new();
    let child = Arc::new(AtomicU32::new(77));
    machine.thread(77, 77, "lastmeter", 50 * MS);
    machine.thread(78, 78, "lastmeter", 3 * MS);
    let watched = WatchedProcess { child: Arc::clone(&child), ..WatchedProcess::default() };
    let mut log = machine.log(watched);
    log.look(look(1));
    child.store(78, Ordering::Relaxed);
    (2..=10).for_each(|number| log.look(look(number)));
    let platform = log.facts(0).0.seconds[0].platform.unwrap();
    assert_eq!(platform.total_ns, 3_000_000);
}

#[test]
fn a_long_run_keeps_its_waits_in_longer_stretches() {
    let (machine, own) = (Machine::new(), std::process::id());
    machine.thread(own, own + 1, "punctual", 0);
    let mut log = machine.log(WatchedProcess::default());
    let seconds = SECONDS_MAX as i64 + 10;
    for second in 1..=seconds {
        if second == 5 {
            machine.thread(own, own + 1, "punctual", 6 * MS);
        }
        (1..=10).for_each(|number| log.look(look(10 * (second - 1) + number)));
    }
    let (facts, _) = log.facts(1_000);
    assert_eq!(facts.seconds.len(), SECONDS_MAX / 2 + 10);
    assert_eq!(facts.seconds[2].bench.total_ns, 6_000_000);
    assert_eq!(facts.seconds[0].from_ns, -1_000);
    let is_joint = |pair: &[LoadSecond]| pair[0].to_ns == pair[1].from_ns;
    assert!(facts.seconds.windows(2).all(is_joint));
}

#[test]
fn this_machine_is_watched_and_reports_what_its_threads_waited() {
    let Some(watch) = LoadWatch::start(WatchedProcess::default()) else {
        println!("SKIPPED: the kernel here does not count waits");
        return;
    };
    std::thread::sleep(Duration::from_millis(250));
    let (facts, step_ns) = watch.end(0).unwrap();
    assert!(!facts.seconds.is_empty());
    assert!(step_ns.abs() < 1_000_000_000, "{step_ns}");
}
