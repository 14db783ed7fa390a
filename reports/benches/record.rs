//! A day of ten meters: 1.7 million rows written, judged and rendered; and a million latency rows:
//! what one costs when it is recorded, and how long all of them take to be analysed.
//!
//! The peak of memory is printed by the examples `sample_report DIR 10 8640` and
//! `sample_report DIR 50 20000 latency`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_record::{LatencyRow, Point, RunReader, RunWriter};
use lastmeter_reports::latency::{DEFAULT_STALL_NS, analyse, lower_bound, upper_bound};
use lastmeter_reports::{evaluate, render_evaluated};
use latency_sample::LatencySample;
use sample::Sample;

#[path = "../tests/latency_sample/mod.rs"]
mod latency_sample;
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

/// What the recorder does in a second of 2,000 messages: hand over, sort, write, give to the
/// system.
fn recorder(criterion: &mut Criterion) {
    const ROWS: u64 = 2_000;
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let mut writer =
        RunWriter::create(dir.path(), &DAY.start_facts()).expect("room for a run folder");
    let mut points = [Some(1_234_567_890_123); Point::COUNT];
    points[Point::Obeyed.index()] = None;
    let ids: Vec<String> = (0..ROWS).map(|number| format!("meter-{number:04}/1/7200")).collect();
    let mut group = criterion.benchmark_group("recorder");
    group.throughput(Throughput::Elements(ROWS));
    let mut due_ns = 0;
    group.bench_function("latency rows with sync", |bencher| {
        bencher.iter(|| {
            for id in &ids {
                due_ns += 500_000;
                points[Point::Intended.index()] = Some(due_ns);
                let row =
                    LatencyRow { path: "reading>head-end", id, points, bytes: 1_300, copies: 1 };
                writer.latency(&row).expect("room for rows");
            }
            writer.sync().expect("room for rows");
        });
    });
    group.finish();
}

/// Fifty publishers with 10,000 messages each: a million rows on two paths.
fn latency(criterion: &mut Criterion) {
    const RUN: LatencySample = LatencySample { messages: 10_000, ..LatencySample::WAN };
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let run = dir.path().join("run");
    RUN.write(&run, latency_sample::CHECKS).expect("room for 200 MB");
    let reader = RunReader::open(&run).expect("a run");
    let mut group = criterion.benchmark_group("a million latency rows");
    group.sample_size(10).throughput(Throughput::Elements(2 * RUN.devices * RUN.messages));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let mut rows = reader.latency().expect("a record").expect("with latency");
            let mut sum = 0;
            while let Some(row) = rows.next_row().expect("a good row") {
                sum += row.at(Point::Received).unwrap_or_default();
            }
            sum
        });
    });
    group.bench_function("judge by six checks", |bencher| {
        bencher.iter(|| evaluate(&run).expect("a run"));
    });
    group.bench_function("analyse", |bencher| {
        bencher.iter(|| analyse(&reader, None, DEFAULT_STALL_NS).expect("a record"));
    });
    group.finish();
    criterion.bench_function("bounds of 30 in 30000", |bencher| {
        bencher.iter(|| {
            let k = std::hint::black_box(30.0);
            (upper_bound(k, 30_000.0), lower_bound(k, 30_000.0))
        });
    });
}

criterion_group!(all, benches, recorder, latency);
criterion_main!(all);
