//! What is written to a GTNET-SKT component: always all points.
//!
//! A frame has every point, and nothing can be read back. Who changes one point has to know the
//! others, or overwrites them; after a reconnection the card needs them all again. So the writer
//! begins with a value for each point, keeps what it was given, and makes whole frames of it.

use crate::{Gtnet, Refusal, Rejection, Sample, Value, gtnet, number};

/// The state of the points that are written to one component.
#[derive(Clone, Debug)]
pub struct GtnetWriter {
    format: Gtnet,
    /// The values to be written, with the number of the next frame.
    state: Sample,
    /// The values of the last frame.
    written: Option<Vec<Value>>,
    due: bool,
}

impl GtnetWriter {
    /// Writes to a component, beginning with these values of all its points. There is no default:
    /// zero is a command like any other.
    pub fn new(format: Gtnet, initial: Vec<Value>) -> Result<Self, Rejection> {
        number::count(initial.len(), format.points().len())?;
        for (index, (value, point)) in initial.iter().zip(format.points()).enumerate() {
            gtnet::word(index, *value, *point)?;
        }
        let state = Sample { sequence: Some(0), origin: None, values: initial };
        Ok(Self { format, state, written: None, due: true })
    }

    /// The format of its frames.
    pub const fn format(&self) -> &Gtnet {
        &self.format
    }

    /// The values of the next frame.
    pub fn values(&self) -> &[Value] {
        &self.state.values
    }

    /// The values of the last frame; `None` before the first.
    pub fn last_written(&self) -> Option<&[Value]> {
        self.written.as_deref()
    }

    /// Whether the component does not have the values of the next frame: at the beginning, after a
    /// change and after a reconnection.
    pub const fn is_due(&self) -> bool {
        self.due
    }

    /// Changes points by index, counted from 0: all of them, or none if one is refused.
    pub fn change(&mut self, changes: &[(usize, Value)]) -> Result<(), Rejection> {
        for (index, value) in changes {
            let Some(point) = self.format.points().get(*index) else {
                let last = self.format.points().len() - 1;
                let detail = format!("found point {index}, expected 0 to {last}");
                return Err(Rejection::new(Refusal::NoSuchPoint, detail));
            };
            gtnet::word(*index, *value, *point)?;
        }
        for (index, value) in changes {
            if let Some(current) = self.state.values.get_mut(*index) {
                self.due |= current != value;
                *current = *value;
            }
        }
        Ok(())
    }

    /// The component has forgotten what was written, or may have.
    pub const fn reconnected(&mut self) {
        self.due = true;
    }

    /// Appends the frame with all values to `out`, whether it is due or not; a refusal leaves `out`
    /// as it was. The origin is needed where the format has a time. Frames are numbered from 0, and
    /// the number goes on after a reconnection.
    pub fn write(
        &mut self,
        origin: Option<(u64, u32)>,
        out: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        self.state.origin = origin;
        self.format.encode(&self.state, out)?;
        self.state.sequence = self.state.sequence.map(|sequence| sequence.wrapping_add(1));
        self.written.get_or_insert_default().clone_from(&self.state.values);
        self.due = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GtnetHeader, GtnetPoint};

    fn writer(header: GtnetHeader) -> GtnetWriter {
        let format = Gtnet::new(header, vec![GtnetPoint::Int32, GtnetPoint::Float32]).unwrap();
        GtnetWriter::new(format, vec![Value::Integer(1), Value::Float(0.5)]).unwrap()
    }

    fn frame(writer: &mut GtnetWriter, origin: Option<(u64, u32)>) -> Vec<u8> {
        let mut out = Vec::new();
        writer.write(origin, &mut out).unwrap();
        out
    }

    #[test]
    fn every_frame_has_all_points() {
        let mut writer = writer(GtnetHeader::None);
        assert!(writer.is_due() && writer.last_written().is_none());
        assert_eq!(frame(&mut writer, None), [0, 0, 0, 1, 0x3F, 0, 0, 0]);
        assert!(!writer.is_due());
        writer.change(&[(0, Value::Integer(-2))]).unwrap();
        assert!(writer.is_due());
        assert_eq!(writer.last_written().unwrap()[0], Value::Integer(1));
        assert_eq!(frame(&mut writer, None), [0xFF, 0xFF, 0xFF, 0xFE, 0x3F, 0, 0, 0]);
        writer.change(&[(0, Value::Integer(-2))]).unwrap();
        assert!(!writer.is_due(), "the component has it");
    }

    #[test]
    fn after_a_reconnection_the_whole_frame_is_due_again() {
        let mut writer = writer(GtnetHeader::None);
        writer.change(&[(1, Value::Float(-0.5))]).unwrap();
        let before = frame(&mut writer, None);
        writer.reconnected();
        assert!(writer.is_due());
        assert_eq!(frame(&mut writer, None), before);
        assert_eq!(before, [0, 0, 0, 1, 0xBF, 0, 0, 0]);
    }

    #[test]
    fn changes_are_made_together_or_not_at_all() {
        let mut writer = writer(GtnetHeader::None);
        frame(&mut writer, None);
        let mut refused = |changes: &[(usize, Value)]| {
            let refusal = writer.change(changes).unwrap_err().refusal;
            assert!(!writer.is_due());
            assert_eq!(writer.values(), [Value::Integer(1), Value::Float(0.5)]);
            refusal
        };
        let good = (1, Value::Float(2.0));
        assert_eq!(refused(&[good, (2, Value::Integer(1))]), Refusal::NoSuchPoint);
        assert_eq!(refused(&[good, (0, Value::Float(0.5))]), Refusal::NotAnInteger);
        assert_eq!(refused(&[good, (1, Value::Float(1e39))]), Refusal::FloatOverflow);
        let few = GtnetWriter::new(writer.format().clone(), vec![Value::Integer(1)]);
        assert_eq!(few.unwrap_err().refusal, Refusal::TooFewValues);
    }

    #[test]
    fn frames_with_sequence_and_time_are_numbered() {
        let mut writer = writer(GtnetHeader::SequenceAndTime);
        let head = |frame: Vec<u8>| frame[..12].to_vec();
        let missing = writer.write(None, &mut Vec::new()).unwrap_err().refusal;
        assert_eq!((missing, writer.is_due()), (Refusal::MissingTime, true));
        let first = head(frame(&mut writer, Some((258, 3))));
        assert_eq!(first, [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
        writer.reconnected();
        let second = head(frame(&mut writer, Some((258, 4))));
        assert_eq!(second, [0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 0, 4]);
    }
}
