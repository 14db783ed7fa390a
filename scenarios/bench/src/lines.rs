//! Real lines beside one another: each is served by a task of its own, so that a slow one holds up
//! no other.

use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use tokio::sync::mpsc;

use crate::capture::{Capture, Direction};
use crate::stop::or_never;

/// Events of all lines that wait: few, so that answers on one line are not late for a flood on
/// another.
const EVENTS_LIMIT: usize = 16;
/// Sends that wait for their turn on one line.
const SENDS_LIMIT: usize = 64;

enum ToLine {
    /// That bytes go out, at a new rate if it names one.
    Bytes { baud: Option<u32>, bytes: Vec<u8> },
    /// The line is to be opened again.
    Reopen,
}

/// The side of the lines from which they are used.
pub struct Lines {
    to: Vec<mpsc::Sender<ToLine>>,
    from: mpsc::Receiver<(usize, ChannelEvent)>,
    /// For each line the rate it was last set to.
    rates: Vec<u32>,
}

impl Lines {
    /// Begins to serve lines, each with the rate it is opened at.
    pub fn serve(lines: Vec<(Channel, u32)>) -> Self {
        Self::serve_and_keep(lines, None)
    }

    /// Likewise, and keeps what passes on the first of them.
    pub fn serve_and_keep(lines: Vec<(Channel, u32)>, mut capture: Option<Capture>) -> Self {
        let (events, from) = mpsc::channel(EVENTS_LIMIT);
        let (mut to, mut rates) = (Vec::new(), Vec::new());
        for (number, (line, rate)) in lines.into_iter().enumerate() {
            let (to_line, sends) = mpsc::channel(SENDS_LIMIT);
            to.push(to_line);
            rates.push(rate);
            tokio::spawn(serve_one(number, line, sends, events.clone(), capture.take()));
        }
        Self { to, from, rates }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.to.len()
    }

    /// Sends bytes on a line at a rate; nothing on a line that is not there.
    pub async fn send(&mut self, line: usize, bits_per_second: u32, bytes: Vec<u8>) {
        let (Some(to), Some(rate)) = (self.to.get(line), self.rates.get_mut(line)) else { return };
        let is_new = std::mem::replace(rate, bits_per_second) != bits_per_second;
        let baud = is_new.then_some(bits_per_second);
        // A line that is gone has reported why.
        let _ = to.send(ToLine::Bytes { baud, bytes }).await;
    }

    /// Opens a line again, whoever is at its other end; nothing on a line that is not there.
    pub async fn reopen(&self, line: usize) {
        if let Some(to) = self.to.get(line) {
            let _ = to.send(ToLine::Reopen).await;
        }
    }

    /// What happens next on any of them; never if there is none. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> (usize, ChannelEvent) {
        or_never(self.from.recv().await).await
    }
}

async fn serve_one(
    number: usize,
    mut line: Channel,
    mut sends: mpsc::Receiver<ToLine>,
    events: mpsc::Sender<(usize, ChannelEvent)>,
    mut capture: Option<Capture>,
) {
    loop {
        tokio::select! {
            event = line.recv() => {
                if let (Some(capture), ChannelEvent::Arrived { at_ns, bytes }) =
                    (&mut capture, &event)
                {
                    capture.piece(*at_ns, Direction::In, bytes);
                }
                if events.send((number, event)).await.is_err() {
                    return;
                }
            }
            sent = sends.recv() => {
                let (baud, bytes) = match sent {
                    Some(ToLine::Bytes { baud, bytes }) => (baud, bytes),
                    Some(ToLine::Reopen) => {
                        line.reopen().await;
                        continue;
                    }
                    None => return,
                };
                if let Some(baud) = baud {
                    line.set_baud(baud).await;
                }
                // Why a line is lost is an event of its own, reported once.
                let sent = line.send(&bytes).await;
                if let (Some(capture), Ok(())) = (&mut capture, sent) {
                    capture.piece(monotonic_ns(), Direction::Out, &bytes);
                }
            }
        }
    }
}

/// What a master receives of answers that begin together: the AND of their bits, as currents that
/// add up make it, as long as the longest of them; `None` without any.
pub fn together(answers: &[Vec<u8>]) -> Option<Vec<u8>> {
    let longest = answers.iter().map(Vec::len).max()?;
    let byte = |place: usize| {
        answers.iter().filter_map(|answer| answer.get(place)).fold(0xFF, |sum, byte| sum & byte)
    };
    Some((0..longest).map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_begin_together_are_garbled_unless_they_are_equal() {
        assert_eq!(together(&[]), None);
        assert_eq!(together(&[vec![0xE5], vec![0xE5]]), Some(vec![0xE5]));
        let garbled = together(&[vec![0x68, 0x0F], vec![0x68, 0xF1, 0x16]]);
        assert_eq!(garbled, Some(vec![0x68, 0x01, 0x16]));
    }
}
