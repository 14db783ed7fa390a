//! One frame of a GTNET-SKT card and one of described signals, decoded to values.
//!
//! `cargo run -p lastmeter-rts --example frames`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_rts::{
    ByteOrder, FieldType, FrameDescription, FrameField, Gtnet, GtnetHeader, GtnetPoint, Sample,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut sample = Sample::default();

    // Words of 32 bits, big endian, in the order of the simulator's draft.
    let gtnet = Gtnet::new(GtnetHeader::None, vec![GtnetPoint::Float32, GtnetPoint::Int32])?;
    let frame = [230.5_f32.to_be_bytes(), 7_i32.to_be_bytes()].concat();
    gtnet.decode(&frame, &mut sample)?;
    println!("GTNET-SKT: {:?}", sample.values);

    // A 12-bit code behind a 32-bit float, little endian.
    let (order, float) = (ByteOrder::Little, FieldType::Float32);
    let fields = vec![
        FrameField::new(0, 32, order, float),
        FrameField::new(4, 12, order, FieldType::Unsigned),
    ];
    let described = FrameDescription::new(fields, None);
    let frame = [&49.98_f32.to_le_bytes()[..], &[0xFF, 0x07]].concat();
    described.decode(&frame, &mut sample)?;
    println!("described frame of {} bytes: {:?}", described.frame_bytes(), sample.values);

    // A frame of another length is refused with its reason, which is counted by its kind.
    match gtnet.decode(&frame[..5], &mut sample) {
        Ok(()) => println!("taken"),
        Err(rejection) => println!("refused: {}", rejection.detail),
    }
    Ok(())
}
