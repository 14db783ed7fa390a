//! Samples of 8 values per second on one core, per format: written, read, and read out of a stream.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_rts::{
    AsyncIp, ByteOrder, FieldType, Format, FrameDescription, FrameField, Gtnet, GtnetHeader,
    GtnetPoint, Reassembly, Sample, Value,
};

const VALUES: usize = 8;
const FRAMES: usize = 100;

fn formats() -> Vec<(&'static str, Format)> {
    let points = vec![GtnetPoint::Float32; VALUES];
    let gtnet = |header| Format::GtnetSkt(Gtnet::new(header, points.clone()).expect("it fits"));
    let packed = |nth| FrameField::new(8 * nth, 64, ByteOrder::Little, FieldType::Float64);
    // 12-bit words of a converter, big endian.
    let converter = |nth| FrameField {
        bit_offset: (12 * nth % 8) as u8,
        ..FrameField::new(12 * nth / 8, 12, ByteOrder::Big, FieldType::Signed)
    };
    let described = |place: &dyn Fn(usize) -> FrameField| {
        Format::DescribedFrame(FrameDescription::new((0..VALUES).map(place).collect(), None))
    };
    vec![
        ("gtnet", gtnet(GtnetHeader::None)),
        ("gtnet_with_time", gtnet(GtnetHeader::SequenceAndTime)),
        ("async_ip", Format::OpalAsyncIp(AsyncIp::new(VALUES, 0, None))),
        ("packed_float64", described(&packed)),
        ("integers_12_bit", described(&converter)),
    ]
}

fn codec(c: &mut Criterion) {
    let values = (0..VALUES).map(|nth| Value::Float(230.0 + nth as f64)).collect();
    let sample = Sample { sequence: Some(1), origin: Some((1_785_715_200, 1)), values };
    for (name, format) in formats() {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let mut frame = Vec::new();
        group.bench_function("write", |b| {
            b.iter(|| {
                frame.clear();
                format.encode(black_box(&sample), &mut frame).expect("it fits");
            });
        });
        let mut read = Sample::default();
        group.bench_function("read", |b| {
            b.iter(|| format.decode(black_box(&frame), &mut read).expect("a frame"));
        });
        group.throughput(Throughput::Elements(FRAMES as u64));
        let written = frame.repeat(FRAMES);
        let mut stream = Reassembly::new(format.framing());
        group.bench_function("read_stream", |b| {
            b.iter(|| {
                // As TCP gives it, in segments.
                for segment in black_box(&written).chunks(1448) {
                    stream.push(segment);
                    while let Some(frame) = stream.next_frame() {
                        format.decode(frame.expect("a frame"), &mut read).expect("a frame");
                    }
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
