//! How many messages a second go the whole way in virtual time: plant, 50 meters, MQTT, journal,
//! store, queryable at the barrier. Reading back and recording are left out of the time.
//!
//! Run it beside the bare broker, which has the same connections and a journal that does nothing
//! but append and sync: `cargo bench --workspace --bench broker --bench throughput`. Where `append
//! and sync` is above 0.5 ms, both measure the disk.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_bench::run::{Console, ConsoleOptions, RunOptions, run_scenario};
use lastmeter_language::{LoadOptions, Scenario};
use lastmeter_reports::Evaluation;

const CONNECTIONS: u64 = 50;
const SECONDS: u64 = 240;

/// Fifty meters on one source; each sends a reading of 20 values every second.
fn scenario_text() -> String {
    let mut text = format!(
        "format = 1\n[scenario]\nname = \"throughput\"\nstart = 2027-01-18T17:00:00Z\n\
         duration = \"{SECONDS} s\"\nseed = 1\n[[source]]\nname = \"mains\"\n\
         kind = \"synthetic\"\npower_factor = 0.9\n"
    );
    for meter in 1..=CONNECTIONS {
        write!(
            text,
            "[[device]]\nname = \"meter-{meter}\"\nat = \"source:mains\"\n\
             model = \"stpm34-3ph\"\nfidelity = \"windows\"\nreport_every = \"1 s\"\n\
             totals_only = true\n"
        )
        .expect("writing to a String cannot fail");
    }
    text + "[[check]]\nname = \"once\"\nkind = \"no_loss\"\n"
}

fn run(scenario: &Scenario, folder: &Path) -> Evaluation {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    let options = RunOptions {
        out: folder.join("run"),
        timeout: None,
        command_line: Vec::new(),
        real_time_priority: false,
        wait_quiet: None,
        pages: None,
    };
    let quiet = ConsoleOptions { json: false, color: false, progress: false, silent: true };
    let (_stop, stopped) = tokio::sync::watch::channel(None);
    runtime
        .block_on(run_scenario(scenario, &options, &mut Console::new(quiet), stopped))
        .expect("a run")
}

/// The wall time of one run without its read-back.
fn measure(scenario: &Scenario) -> Duration {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let evaluation = run(scenario, folder.path());
    assert_eq!(evaluation.exit_code().number(), 0, "{:?}", evaluation.verdicts);
    let seconds = |key: &str| evaluation.facts.more[key].as_f64().expect("a figure of the run");
    Duration::from_secs_f64(seconds("wall_s") - seconds("read_back_wall_s"))
}

/// A scenario in which one table makes so many devices, with a check and an observer of all.
fn scenario_text_of_many(devices: usize) -> String {
    format!(
        "format = 1\n[scenario]\nname = \"many\"\nduration = \"1 min\"\n\
         [[source]]\nname = \"g\"\nkind = \"synthetic\"\n\
         [[link]]\nname = \"wan\"\npreset = \"lan\"\n\
         [[device]]\nname = \"m\"\ncount = {devices}\nat = \"source:g\"\n\
         model = \"stpm34-3ph\"\nfidelity = \"windows\"\nvia = \"wan\"\n\
         [[observer]]\nname = \"o\"\n\
         [[check]]\nname = \"c\"\nkind = \"no_loss\"\ndevice = \"m-*\"\n"
    )
}

fn benches(criterion: &mut Criterion) {
    let scenario = Scenario::from_bytes(
        Path::new("throughput.toml"),
        scenario_text().as_bytes(),
        &LoadOptions::default(),
    )
    .expect("a scenario without mistakes");
    let mut group = criterion.benchmark_group("virtual time, 50 meters, 20 values");
    group.sample_size(10).throughput(Throughput::Elements(CONNECTIONS * SECONDS));
    group.bench_function("published to queryable", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| measure(&scenario)).sum());
    });
    group.finish();

    let many = scenario_text_of_many(10_000);
    criterion.bench_function("load 10,000 devices of one table", |bencher| {
        bencher.iter(|| {
            let path = Path::new("many.toml");
            Scenario::from_bytes(path, many.as_bytes(), &LoadOptions::default())
        });
    });

    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    criterion.bench_function("append and sync 4 KiB", |bencher| {
        bencher.iter(|| {
            file.write_all(&[b'x'; 4096]).expect("room on the disk");
            file.sync_data().expect("a disk that syncs");
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
