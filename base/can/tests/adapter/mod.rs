//! An SLCAN adapter as tests of this and of other packages play it (CAN232 manual, unverified).

use lastmeter_can::frame::CanFrame;
use lastmeter_can::slcan::{Command, Item, Reader};

/// An adapter between a serial line and a bus, closed at first.
#[derive(Default)]
pub(crate) struct Adapter {
    reader: Reader,
    has_bit_rate: bool,
    is_open: bool,
}

impl Adapter {
    /// Takes bytes of the host; appends the answers, and returns the frames for the bus.
    pub(crate) fn bytes_from_host(&mut self, bytes: &[u8], answers: &mut Vec<u8>) -> Vec<CanFrame> {
        let (mut lines, mut frames) = (Vec::new(), Vec::new());
        self.reader.bytes(bytes, &mut lines);
        for line in lines {
            answers.extend_from_slice(self.answer(&line));
            if let Item::Frame { frame, .. } = line
                && self.is_open
            {
                frames.push(frame);
            }
        }
        frames
    }

    fn answer(&mut self, line: &Item) -> &'static [u8] {
        const REFUSED: &[u8] = b"\x07";
        match line {
            Item::Acknowledged => return b"\r",
            Item::Frame { frame, .. } if self.is_open => {
                return if frame.id().is_extended() { b"Z\r" } else { b"z\r" };
            }
            // What an adapter does not write is what only a host does.
            Item::Garbage { bytes, .. } => match bytes.as_slice() {
                b"V" => return b"V1013\r",
                b"N" => return b"NLM01\r",
                [b'S', b'0'..=b'8'] if !self.is_open => self.has_bit_rate = true,
                b"O" if !self.is_open && self.has_bit_rate => self.is_open = true,
                b"C" if self.is_open => self.is_open = false,
                _ => return REFUSED,
            },
            _ => return REFUSED,
        }
        b"\r"
    }

    /// Takes a frame from the bus; appends its line.
    pub(crate) fn frame_to_host(&self, frame: CanFrame, to_host: &mut Vec<u8>) {
        if self.is_open {
            to_host.extend(Command::Transmit(frame).encode());
        }
    }
}

#[test]
fn it_answers_as_the_manual_has_it() {
    let (mut adapter, mut answers) = (Adapter::default(), Vec::new());
    let host = b"\r\rC\rO\rS4\rO\rS4\rt10021133\rV\rN\r";
    let frames = adapter.bytes_from_host(host, &mut answers);
    assert_eq!(answers, b"\r\r\x07\x07\r\r\x07z\rV1013\rNLM01\r");
    let frame: CanFrame = "100#1133".parse().unwrap();
    assert_eq!(frames, [frame]);
    answers.clear();
    adapter.frame_to_host(frame, &mut answers);
    assert!(adapter.bytes_from_host(b"C\rt1000\r", &mut answers).is_empty());
    assert_eq!(answers, b"t10021133\r\r\x07");
}
