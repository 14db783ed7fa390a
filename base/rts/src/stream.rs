//! Frames out of a stream of bytes, however the stream was divided.
//!
//! TCP keeps no borders: one write can arrive in pieces, and several in one. The formats here have
//! no mark between frames either, so a frame ends where its length has it: known from the list of
//! points, or announced by its header.
//!
//! A length that is only known, not announced, cannot be checked: if the peer's list of points is
//! another one, every frame after the first is shifted. Only a datagram shows that (see
//! [`Refusal::TooFewValues`] and [`Refusal::TooManyValues`]).

use crate::async_ip::{ASYNC_IP_HEADER_BYTES, announced_bytes};
use crate::{Refusal, Rejection};

/// How frames are found in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// All have so many bytes; 0 counts as 1.
    Fixed(usize),
    /// The header of OPAL-RT's `AsyncIP` announces each frame's length.
    AsyncIp,
}

impl Framing {
    /// Bytes of the frame that `bytes` begin with, once that is known.
    fn frame_bytes(self, bytes: &[u8]) -> Result<Option<usize>, Rejection> {
        match self {
            Self::Fixed(length) => Ok(Some(length.max(1))),
            Self::AsyncIp => bytes
                .first_chunk::<ASYNC_IP_HEADER_BYTES>()
                .map(|header| announced_bytes(*header))
                .transpose(),
        }
    }
}

/// What has come over one connection and is not a whole frame yet.
///
/// ```
/// use lastmeter_rts::{Framing, Reassembly};
/// let mut stream = Reassembly::new(Framing::Fixed(4));
/// stream.push(&[1, 2, 3]);
/// assert_eq!(stream.next_frame(), None);
/// stream.push(&[4, 5]);
/// assert_eq!(stream.next_frame(), Some(Ok(&[1, 2, 3, 4][..])));
/// stream.close();
/// assert!(stream.next_frame().unwrap().is_err(), "one byte of a second frame");
/// ```
#[derive(Clone, Debug)]
pub struct Reassembly {
    framing: Framing,
    bytes: Vec<u8>,
    /// Bytes of frames that have been given.
    given: usize,
    ended: Option<End>,
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    /// A header's length is wrong, so nobody knows where the next frame begins.
    Lost,
}

impl Reassembly {
    /// A new connection.
    pub const fn new(framing: Framing) -> Self {
        Self { framing, bytes: Vec::new(), given: 0, ended: None }
    }

    /// Takes what arrived. Frames are to be taken with [`next_frame`](Self::next_frame) before more
    /// is given, or they pile up here.
    pub fn push(&mut self, arrived: &[u8]) {
        if self.ended.is_none() {
            self.bytes.drain(..self.given);
            self.given = 0;
            self.bytes.extend_from_slice(arrived);
        }
    }

    /// The connection is closed: what comes from here on is ignored.
    pub const fn close(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(End::Closed);
        }
    }

    /// Whether no bytes wait for the rest of their frame.
    pub const fn is_empty(&self) -> bool {
        self.bytes.len() == self.given
    }

    /// Whether a refused header has made the rest of the stream unreadable, so that the connection
    /// has to be opened again.
    pub fn is_lost(&self) -> bool {
        self.ended == Some(End::Lost)
    }

    /// The next whole frame. After the last one a stream that was closed within a frame gives
    /// [`Refusal::TruncatedFrame`], once. A header with a wrong length is refused, once; then
    /// nothing more is read, as nobody knows where the next frame begins.
    pub fn next_frame(&mut self) -> Option<Result<&[u8], Rejection>> {
        if self.is_lost() {
            return None;
        }
        let waiting = self.bytes.get(self.given..).unwrap_or_default();
        match self.framing.frame_bytes(waiting) {
            Err(rejection) => {
                self.ended = Some(End::Lost);
                Some(Err(rejection))
            }
            Ok(Some(length)) if waiting.len() >= length => {
                let begin = self.given;
                self.given += length;
                self.bytes.get(begin..self.given).map(Ok)
            }
            Ok(_) if waiting.is_empty() || self.ended.is_none() => None,
            Ok(expected) => {
                let expected = expected.unwrap_or(ASYNC_IP_HEADER_BYTES);
                let detail = format!(
                    "found {} bytes at the stream's end, expected a frame of at least {expected}",
                    waiting.len()
                );
                self.given = self.bytes.len();
                Some(Err(Rejection::new(Refusal::TruncatedFrame, detail)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream in these pieces gives: frames, then refusals.
    fn read(framing: Framing, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<Refusal>) {
        let mut stream = Reassembly::new(framing);
        let (mut frames, mut refusals) = (Vec::new(), Vec::new());
        let mut take = |stream: &mut Reassembly| {
            while let Some(next) = stream.next_frame() {
                match next {
                    Ok(frame) => frames.push(frame.to_vec()),
                    Err(rejection) => refusals.push(rejection.refusal),
                }
            }
        };
        for piece in pieces {
            stream.push(piece);
            take(&mut stream);
        }
        stream.close();
        stream.push(&[0; 100]);
        take(&mut stream);
        (frames, refusals)
    }

    /// So many frames, the nth with n in each byte that is not its header's.
    fn frames(framing: Framing, count: u8) -> Vec<Vec<u8>> {
        let frame = |nth| match framing {
            Framing::Fixed(length) => vec![nth; length],
            // Lengths differ from frame to frame.
            Framing::AsyncIp => {
                let values = 1 + usize::from(nth % 3);
                let mut frame = vec![0, 0, nth, 0, 0, 0, 8 * values as u8, 0];
                frame.resize(8 + 8 * values, nth);
                frame
            }
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn frames_are_found_whatever_the_segmentation() {
        for framing in [Framing::Fixed(24), Framing::Fixed(1200), Framing::AsyncIp] {
            let one = frames(framing, 1);
            let bytes: Vec<&[u8]> = one[0].chunks(1).collect();
            assert_eq!(read(framing, &bytes), (one.clone(), vec![]));

            let seven = frames(framing, 7);
            assert_eq!(read(framing, &[&seven.concat()]), (seven.clone(), vec![]));

            let mut four = frames(framing, 4);
            let half = four[3].len() / 2;
            four[3].truncate(half);
            let three = four[..3].to_vec();
            assert_eq!(read(framing, &[&four.concat()]), (three, vec![Refusal::TruncatedFrame]));

            let together = seven.concat();
            for size in 2..60 {
                let pieces: Vec<&[u8]> = together.chunks(size).collect();
                assert_eq!(read(framing, &pieces), (seven.clone(), vec![]), "by {size}");
            }
        }
    }

    #[test]
    fn a_stream_cut_within_a_header_is_truncated() {
        let (found, refusals) = read(Framing::AsyncIp, &[&[0; 8], &[0; 7]]);
        assert_eq!((found.len(), refusals), (1, vec![Refusal::TruncatedFrame]));
    }

    #[test]
    fn after_a_wrong_length_nothing_is_guessed() {
        let good = [0; 8];
        let wrong = [0, 0, 0, 0, 0, 0, 1, 0];
        let (found, refusals) = read(Framing::AsyncIp, &[&good, &wrong, &good]);
        assert_eq!((found.len(), refusals), (1, vec![Refusal::UnevenLength]));
        let mut stream = Reassembly::new(Framing::AsyncIp);
        stream.push(&wrong);
        assert!(!stream.is_lost() && stream.next_frame().unwrap().is_err() && stream.is_lost());
    }

    #[test]
    fn frames_not_taken_before_the_close_are_not_lost() {
        let mut stream = Reassembly::new(Framing::Fixed(2));
        stream.push(&[1, 2, 3]);
        stream.close();
        assert_eq!(stream.next_frame(), Some(Ok(&[1, 2][..])));
        assert!(stream.next_frame().unwrap().is_err());
        assert_eq!(stream.next_frame(), None);
    }

    #[test]
    fn frames_that_were_taken_take_no_room() {
        let mut stream = Reassembly::new(Framing::Fixed(24));
        for _ in 0..1000 {
            stream.push(&[7; 23]);
            while stream.next_frame().is_some() {}
            assert!(stream.bytes.len() < 24 + 23);
        }
    }
}
