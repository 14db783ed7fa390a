//! Rows through a thousand rules: `cargo bench -p lastmeter-services --bench rules`.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_model::document::{Document, kind_of_name};
use lastmeter_model::row::ReadingRow;
use lastmeter_services::{Input, SERVICES, Service};
use lastmeter_units::{HardwareId, SimTime};
use serde_json::json;

const RULES: usize = 1_000;
const ROWS: usize = 10_000;
const QUANTITIES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn rule(number: usize) -> Document {
    let body = json!({
        "name": "r", "owner": format!("user:{}", number % 50),
        "when": { "all": [
            { "threshold": {
                "device": format!("meter-{number}"), "quantity": "a", "above": 3.0,
                "heldForSeconds": 60,
            } },
            { "not": { "absence": { "device": format!("meter-{number}"), "forSeconds": 600 } } },
        ] },
        "then": [{ "alert": { "type": "peak", "level": "Warning", "text": "high" } }],
    });
    Document {
        kind: kind_of_name("rule").expect("a kind"),
        token: format!("r-{number}"),
        version: 1,
        created: SimTime(0),
        changed: SimTime(0),
        by: "user:0".to_owned(),
        is_deleted: false,
        body: body.to_string(),
    }
}

fn row(number: usize) -> ReadingRow {
    let at = SimTime(number as i64 * 10_000_000);
    let value = (number / RULES % 6) as f64;
    ReadingRow {
        sequence: number as u64 + 1,
        device: HardwareId::new(format!("meter-{}", number % RULES)).expect("an id"),
        device_row: 1,
        number: None,
        event: at,
        is_dated: true,
        updates_state: true,
        received: at,
        commit: at,
        values: QUANTITIES.iter().map(|name| (Arc::from(*name), value)).collect(),
        extra: None,
    }
}

fn rows_through_rules(criterion: &mut Criterion) {
    let kind = SERVICES.iter().find(|kind| kind.name == "rules").expect("a service");
    let documents: Vec<Document> = (0..RULES).map(rule).collect();
    let rows: Vec<ReadingRow> = (0..ROWS).map(row).collect();
    let mut group = criterion.benchmark_group("rules");
    group.throughput(Throughput::Elements(ROWS as u64));
    let ready = || {
        let (mut service, mut out) = ((kind.build)(None), Vec::new());
        for document in &documents {
            service.step(SimTime(0), Input::Document(document), &mut out);
        }
        service
    };
    let play = |mut service: Box<dyn Service>| {
        let mut out = Vec::new();
        for row in &rows {
            while let Some(at) = service.wake_at().filter(|at| *at <= row.event) {
                service.step(at, Input::Wake, &mut out);
            }
            service.step(row.event, Input::Reading { row, is_late: false }, &mut out);
        }
        (service, out)
    };
    group.bench_function("a thousand", |bencher| {
        bencher.iter_batched(ready, play, criterion::BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, rows_through_rules);
criterion_main!(benches);
