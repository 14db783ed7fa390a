//! Storing batches of messages of 20 values, durably: messages per second on one core; and reading
//! what a device reports in a day, five values each 10 s, beside as much of 231 others, value by
//! value and summed up. Prints how many bytes a value takes on disk, roll-ups included.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_platform::bench::BenchStore;

const VALUES: usize = 20;

fn store(c: &mut Criterion) {
    let mut group = c.benchmark_group("store");
    group.sample_size(20);
    for (messages, devices) in [(1, 50), (50, 50), (1000, 50), (1000, 1000)] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut store = BenchStore::open(folder.path(), VALUES, 1);
        group.throughput(Throughput::Elements(messages as u64));
        let name = BenchmarkId::new(format!("{devices}_devices"), messages);
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..iterations {
                    let batch = store.batch(messages, devices);
                    spent += time(|| store.apply(&batch));
                }
                spent
            });
        });
    }
    group.finish();
}

/// The readings of a day.
const DAY: i64 = 8640;

fn day(c: &mut Criterion) {
    let mut group = c.benchmark_group("day_of_one_device");
    group.sample_size(20);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for devices in [1, 232] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut store = BenchStore::open(folder.path(), 5, 10);
        for _ in 0..DAY as u64 * devices / 4320 {
            let batch = store.batch(4320, devices);
            store.apply(&batch);
        }
        let values = DAY as u64 * devices * 5;
        group.bench_function(BenchmarkId::new("values_stored", values), |b| {
            b.iter(|| assert!(runtime.block_on(store.read_series(DAY)) >= DAY as usize * 5 - 5));
        });
        group.bench_function(BenchmarkId::new("summed_up_of", values), |b| {
            b.iter(|| assert!(runtime.block_on(store.sum_up(DAY)) >= DAY as u64 * 5 - 5));
        });
    }
    group.finish();
}

/// Bytes of the file a value, of messages of five values each of so many seconds.
#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn bytes(_: &mut Criterion) {
    for (every_s, is_rounded, most) in [
        (10, true, "24.0 at most"),
        (900, true, "60.0 at most"),
        (10, false, "values that no meter has rounded, no limit"),
    ] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut store = BenchStore::open(folder.path(), 5, every_s);
        if !is_rounded {
            store = store.unrounded();
        }
        let messages = 20 * 8640;
        for _ in 0..messages / 4320 {
            let batch = store.batch(4320, 20);
            store.apply(&batch);
        }
        drop(store);
        let file = folder.path().join("store.db");
        let bytes = std::fs::metadata(file).expect("a store").len() as f64;
        let a_value = bytes / f64::from(messages * 5);
        println!("bytes a value, five values each {every_s} s: {a_value:.1}, {most}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn time(work: impl FnOnce()) -> std::time::Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

criterion_group!(benches, store, day, bytes);
criterion_main!(benches);
