//! Group commit of the journal: what one sync costs here, and how much of it a group shares.
//!
//! The message is 1.3 kB, the size of the deliverable's (F-23). `sync/1` is the machine's own
//! price of a write made durable; every other figure has to be read beside it.

use std::hint::black_box;
use std::io::Write;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_platform::bench::BenchJournal;

const MESSAGE_BYTES: usize = 1300;

fn sync(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut file = std::fs::File::create(folder.path().join("file")).expect("a file");
    c.bench_function("sync/1", |b| {
        b.iter(|| {
            file.write_all(black_box(&[0; MESSAGE_BYTES])).expect("a writable file");
            file.sync_data().expect("a durable file");
        });
    });
}

fn group_commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("group_commit");
    let payload = vec![0x61; MESSAGE_BYTES];
    for records in [1, 10, 50, 500] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut journal = BenchJournal::open(folder.path());
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(BenchmarkId::from_parameter(records), |b| {
            b.iter(|| journal.append(records, black_box(&payload)));
        });
    }
    group.finish();
}

criterion_group!(benches, sync, group_commit);
criterion_main!(benches);
