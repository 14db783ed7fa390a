//! A day of ten meters: 1.7 million rows written, judged and rendered.
//!
//! The peak of memory is printed by the example `sample_report DIR 10 8640`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_reports::{RunReader, evaluate, render_evaluated};
use sample::Sample;

#[path = "../tests/sample/mod.rs"]
mod sample;

const DAY: Sample = Sample { meters: 10, readings: 8_640, ..Sample::CALM };

fn benches(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let run = dir.path().join("run");
    DAY.write(&run).expect("room for 200 MB");
    let rows = DAY.meters * DAY.readings * sample::quantities().len() as u64;
    let mut group = criterion.benchmark_group("a day of ten meters");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    group.bench_function("write", |bencher| {
        let mut count = 0;
        bencher.iter(|| {
            count += 1;
            let other = dir.path().join(format!("write-{count}"));
            DAY.write(&other).expect("room for 200 MB");
            std::fs::remove_dir_all(&other).expect("written a moment ago");
        });
    });
    group.bench_function("read", |bencher| {
        let reader = RunReader::open(&run).expect("a run");
        bencher.iter(|| {
            let mut observations = reader.observations().expect("a record");
            let mut sum = 0.0;
            while let Some(row) = observations.next_row().expect("a good row") {
                sum += row.reported.unwrap_or_default();
            }
            sum
        });
    });
    group.bench_function("judge", |bencher| {
        bencher.iter(|| evaluate(&run).expect("a run"));
    });
    group.bench_function("render", |bencher| {
        let evaluation = evaluate(&run).expect("a run");
        bencher.iter(|| render_evaluated(&run, &evaluation).expect("a page"));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
