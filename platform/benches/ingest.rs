//! From the door behind the broker to committed: messages of 20 values per second, each sender
//! waiting for its acknowledgement before it sends the next. Read it beside `journal`'s `sync/1`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_platform::bench::BenchCore;

const MESSAGES: u64 = 100;

fn ingest(c: &mut Criterion) {
    let mut group = c.benchmark_group("ingest_to_committed");
    group.sample_size(10);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for senders in [1, 50, 200] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut core = runtime.block_on(BenchCore::start(folder.path()));
        group.throughput(Throughput::Elements(senders * MESSAGES));
        group.bench_function(BenchmarkId::new("senders", senders), |b| {
            b.iter(|| runtime.block_on(core.round(senders, MESSAGES)));
        });
        runtime.block_on(core.stop());
    }
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
