//! One direction of one connection: reads, queues, and releases when it is time.
//!
//! Terms: an *item* is a chunk, or the end of the stream, on its way; it is *due* at the instant
//! its leg determined, or at the mending of a stall if that is later. The queue is in order, and so
//! are the releases.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::framer::{FramedPublish, Framer};
use super::meter::lock;
use super::shared::{Control, Lane, LinkRecord};
use crate::clock::monotonic_ns;
use crate::impair::{Breakage, LegName};
use crate::timer::Timer;

/// Most bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// With so many bytes on the way a leg is not read any more. One read more may come on top.
pub(super) const QUEUE_LIMIT_BYTES: usize = 256 * 1024;
/// What an item counts for besides its bytes, so that many small ones are bounded as well.
const ITEM_BYTES: usize = 64;
/// Length of the first piece where two are written.
const HEAD_BYTES: usize = 2;

thread_local! {
    /// Where all pumps of a thread read to: an idle connection needs no memory of its own.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Reads what is there, by a buffer that lasts for the call.
pub(super) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|buffer| read(buffer))
}

/// Why a pump ended otherwise than in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A reset came through, or the timer failed: both ends are to be reset.
    Reset,
    Gone,
}

#[derive(Debug)]
enum What {
    Data(Box<[u8]>),
    End,
    Reset,
}

#[derive(Debug)]
struct Item {
    what: What,
    in_ns: i64,
    release_ns: i64,
    publications: Vec<FramedPublish>,
}

/// What came of trying to release an item.
enum Tried {
    Released,
    /// The receiver's window is full.
    Blocked,
    /// Nothing can go this way any more.
    Over,
}

/// One direction of one connection.
pub(super) struct Pump<'a> {
    lane: &'a Lane,
    leg: LegName,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    /// Whether the socket that is read, or the one that is written, turned out to be reset.
    from_is_dead: &'a AtomicBool,
    to_is_dead: &'a AtomicBool,
    control: watch::Receiver<Control>,
    timer: Timer,
    framer: Option<Framer>,
    queue: VecDeque<Item>,
    queued_bytes: usize,
    /// Whether the source may still send.
    reads: bool,
    /// Bytes of the first item that are written.
    written: usize,
    /// Whether the first item had to wait for the receiver, and until when the last one had.
    is_blocked: bool,
    blocked_until_ns: i64,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        lane: &'a Lane,
        leg: LegName,
        (from, from_is_dead): (ReadHalf<'a>, &'a AtomicBool),
        (to, to_is_dead): (WriteHalf<'a>, &'a AtomicBool),
        control: watch::Receiver<Control>,
    ) -> io::Result<Self> {
        Ok(Self {
            framer: lane.shared.records.is_some().then(|| Framer::new(leg)),
            lane,
            leg,
            from,
            to,
            from_is_dead,
            to_is_dead,
            control,
            timer: Timer::new()?,
            queue: VecDeque::new(),
            queued_bytes: 0,
            reads: true,
            written: 0,
            is_blocked: false,
            blocked_until_ns: i64::MIN,
        })
    }

    /// Runs until the end of the stream has been released, or nothing can be written any more.
    pub(super) async fn run(mut self) -> Result<(), Cut> {
        loop {
            // Where a lot is due at once, others get their turn in between.
            tokio::task::coop::consume_budget().await;
            let control = *self.control.borrow_and_update();
            let is_stalled = control.broken == Some(Breakage::Stall);
            let mut due_ns = self.queue.front().map(|item| item.release_ns.max(control.mended_ns));
            if is_stalled {
                due_ns = None;
            }
            if due_ns.is_some_and(|due_ns| due_ns <= monotonic_ns()) {
                match self.try_release(due_ns.unwrap_or_default()).await? {
                    Tried::Released => continue,
                    Tried::Over => return Ok(()),
                    Tried::Blocked => {}
                }
            }
            let is_blocked = self.is_blocked && !is_stalled;
            let has_room = self.reads && self.queued_bytes < QUEUE_LIMIT_BYTES;
            tokio::select! {
                biased;
                changed = self.control.changed() => changed.map_err(|_| Cut::Gone)?,
                waited = self.timer.until(due_ns.unwrap_or(i64::MIN)), if due_ns.is_some() && !is_blocked => {
                    waited.map_err(|_| Cut::Reset)?;
                }
                // An error shows again in the write that follows.
                _ = self.to.writable(), if is_blocked => {}
                _ = self.from.readable(), if has_room => self.read(),
            }
        }
    }

    /// Takes what is there to be read as one chunk.
    fn read(&mut self) {
        let Self { lane, leg, from, framer, .. } = self;
        let item = with_scratch(|buffer| {
            let outcome = from.try_read(buffer);
            let in_ns = monotonic_ns();
            let mut publications = Vec::new();
            let (what, release_ns) = match outcome {
                Ok(0) => {
                    let is_reset = self.from_is_dead.load(Ordering::Relaxed);
                    let what = if is_reset { What::Reset } else { What::End };
                    (what, lock(lane.leg(*leg)).send(in_ns, &mut []))
                }
                Ok(bytes) => {
                    let chunk = &mut buffer[..bytes];
                    if let Some(framer) = framer {
                        // As it entered: the link may change bytes.
                        framer.feed(chunk, in_ns, &mut publications);
                    }
                    let release_ns = lock(lane.leg(*leg)).send(in_ns, chunk);
                    (What::Data(Box::from(&*chunk)), release_ns)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => (What::Reset, lock(lane.leg(*leg)).send(in_ns, &mut [])),
            };
            Some(Item { what, in_ns, release_ns, publications })
        });
        let Some(item) = item else { return };
        self.reads = matches!(item.what, What::Data(_));
        self.queued_bytes += item.cost();
        self.queue.push_back(item);
    }

    /// Releases the first item, which is due.
    async fn try_release(&mut self, due_ns: i64) -> Result<Tried, Cut> {
        let Some(item) = self.queue.front() else { return Ok(Tried::Released) };
        let actual_ns = match &item.what {
            What::Reset => return Err(Cut::Reset),
            What::End => {
                // It does not wait for anything, and fails where the other end is gone already.
                let _ = self.to.shutdown().await;
                return Ok(Tried::Over);
            }
            What::Data(bytes) => {
                let splits = self.leg == LegName::Up && self.lane.shared.spec.two_writes;
                loop {
                    let mut piece = &bytes[self.written..];
                    if splits && self.written == 0 && piece.len() > HEAD_BYTES {
                        piece = &piece[..HEAD_BYTES];
                    }
                    let now_ns = monotonic_ns();
                    match self.to.try_write(piece) {
                        Ok(written) => self.written += written,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.is_blocked = true;
                            return Ok(Tried::Blocked);
                        }
                        Err(_) => {
                            self.to_is_dead.store(true, Ordering::Relaxed);
                            return Ok(Tried::Over);
                        }
                    }
                    if self.written == bytes.len() {
                        break now_ns;
                    }
                }
            }
        };
        self.released(due_ns, actual_ns);
        Ok(Tried::Released)
    }

    /// Takes the first item off the queue, and reports its release.
    fn released(&mut self, due_ns: i64, actual_ns: i64) {
        let Some(item) = self.queue.pop_front() else { return };
        self.queued_bytes -= item.cost();
        self.written = 0;
        if std::mem::take(&mut self.is_blocked) {
            self.blocked_until_ns = actual_ns;
        }
        let What::Data(bytes) = item.what else { return };
        // What became due while another waited for the receiver has waited for it as well.
        let waited = due_ns <= self.blocked_until_ns;
        let shared = &self.lane.shared;
        let error_ns = (!waited).then(|| actual_ns - due_ns);
        shared.meter.released(self.leg, bytes.len(), item.release_ns - item.in_ns, error_ns);
        let Some(records) = &shared.records else { return };
        // Whoever listened may be gone; the link goes on.
        let _ = records.send(LinkRecord::Release {
            lane: self.lane.owner.clone(),
            leg: self.leg,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            in_ns: item.in_ns,
            intended_ns: due_ns,
            actual_ns,
        });
        for framed in item.publications {
            let _ = records.send(LinkRecord::Publish {
                lane: self.lane.owner.clone(),
                leg: self.leg,
                topic: framed.topic,
                payload: framed.payload,
                in_ns: framed.in_ns,
                out_ns: actual_ns,
            });
        }
    }
}

impl Item {
    fn cost(&self) -> usize {
        let held: usize = self.publications.iter().map(|framed| framed.payload.len()).sum();
        ITEM_BYTES + held + if let What::Data(bytes) = &self.what { bytes.len() } else { 0 }
    }
}
