//! Storing batches of messages of 20 values, durably: messages per second on one core.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_platform::bench::BenchStore;

const VALUES: usize = 20;

fn store(c: &mut Criterion) {
    let mut group = c.benchmark_group("store");
    group.sample_size(20);
    for (messages, devices) in [(1, 50), (50, 50), (1000, 50), (1000, 1000)] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut store = BenchStore::open(folder.path(), VALUES);
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

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn time(work: impl FnOnce()) -> std::time::Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

criterion_group!(benches, store);
criterion_main!(benches);
