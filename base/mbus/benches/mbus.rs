//! Frames per second to typed records, beside the decoder of m-bus-parser 0.5.3 on the same frames.
//!
//! The frames are the captured answers behind `LASTMETER_FRAMES`, or one made here. Of each record
//! quantity, unit, power of ten and value are taken, here and there. The other decoder is called by
//! the two packages that m-bus-parser puts together, as that one compiles a generator of bindings
//! that it does not use.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::record::{Item, Record, Value, Vif};
use m_bus_application_layer::{DataRecords, UserDataBlock};
use wired_mbus_link_layer::WiredFrame;

/// Captured answers, or one of a water meter.
fn frames() -> Vec<Vec<u8>> {
    let folder = std::env::var_os("LASTMETER_FRAMES").map(|root| PathBuf::from(root).join("mbus"));
    let mut frames = Vec::new();
    for entry in folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            let text = std::fs::read_to_string(path).expect("a readable file");
            let digits: Vec<u8> = text
                .bytes()
                .filter_map(|digit| char::from(digit).to_digit(16))
                .map(|digit| digit as u8)
                .collect();
            frames.push(digits.chunks_exact(2).map(|two| two[0] << 4 | two[1]).collect());
        }
    }
    if frames.is_empty() {
        frames.push(water_meter());
    }
    frames
}

fn water_meter() -> Vec<u8> {
    let volume = Record::new(Vif::Primary(0x13), Value::Bcd { digits: 8, value: 12_565 });
    let header = lastmeter_mbus::header::Header::None;
    let data = lastmeter_mbus::application::variable(&header, &[Item::Record(volume); 10])
        .expect("it fits");
    let control = lastmeter_mbus::control::Control::RESPONSE;
    let mut bytes = Vec::new();
    let frame = Frame::with_data(control, 1, data[0], &data[1..]).expect("it fits");
    frame.encode(&mut bytes).expect("it fits");
    bytes
}

/// Decodes a frame and takes what each record states; how many records it has.
fn ours(bytes: &[u8]) -> usize {
    let frame = Frame::decode(bytes).expect("a valid frame");
    match Application::decode(&frame).expect("valid data") {
        Application::Variable { header, records } => {
            black_box(header);
            let mut count = 0;
            for item in records {
                if let Item::Record(record) = item.expect("a valid record") {
                    let meaning = (record.quantity(), record.unit(), record.decimal());
                    black_box((meaning, record.number(), record));
                }
                count += 1;
            }
            count
        }
        other => {
            black_box(other);
            2
        }
    }
}

/// The same with the other decoder.
fn theirs(bytes: &[u8]) -> usize {
    let Ok(frame) = WiredFrame::try_from(bytes) else { return 0 };
    let WiredFrame::LongFrame { data, .. } = &frame else { return 0 };
    let Ok(block) = UserDataBlock::try_from(*data) else { return 0 };
    let variable: DataRecords<'_> = match &block {
        UserDataBlock::VariableDataStructureWithLongTplHeader { variable_data_block, .. }
        | UserDataBlock::VariableDataStructureWithShortTplHeader { variable_data_block, .. }
        | UserDataBlock::VariableDataStructureWithoutTplHeader { variable_data_block, .. } => {
            (*variable_data_block).into()
        }
        _ => {
            black_box(block);
            return 2;
        }
    };
    let mut count = 0;
    for record in variable {
        let Ok(record) = record else {
            count += 1;
            continue;
        };
        if let Some(information) = record.value_information() {
            for label in information.labels() {
                black_box(label);
            }
            for unit in information.units() {
                black_box(unit);
            }
            black_box(information.decimal_scale_exponent);
        }
        black_box(record);
        count += 1;
    }
    count
}

fn decode(criterion: &mut Criterion) {
    let frames = frames();
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let count =
        |decode: fn(&[u8]) -> usize| -> usize { frames.iter().map(|frame| decode(frame)).sum() };
    let (own, other) = (count(ours), count(theirs));
    let report = format!("{} frames, {bytes} bytes, {own} records ({other} there)", frames.len());
    let mut group = criterion.benchmark_group(format!("mbus: {report}"));
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("lastmeter-mbus", |bencher| {
        bencher.iter(|| frames.iter().map(|frame| ours(black_box(frame))).sum::<usize>());
    });
    group.bench_function("m-bus-parser 0.5.3", |bencher| {
        bencher.iter(|| frames.iter().map(|frame| theirs(black_box(frame))).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
