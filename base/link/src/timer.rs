//! Waiting for an instant of the monotonic clock, better than to the millisecond.
//!
//! A [`Timer`] is one `timerfd` on the runtime's own epoll: no thread, no wheel, one file
//! descriptor, and an error of some tens of microseconds where tokio's wheel has one to two
//! milliseconds by design. [`probe`] measures exactly that, by kind, for the floor and the doctor.
//!
//! Terms: *lateness* is the instant the waiter ran again less the instant it had asked for, ns.
//! Never here: spinning, and waking before the instant.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use chacha20::ChaCha8Rng;
use rand::Rng as _;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::monotonic_ns;

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
/// Shortest and longest wait of a probe, ns.
const PROBE_WAIT_NS: [i64; 2] = [1_000_000, 12_000_000];

/// One timer of a task. Any number of them may live in one runtime; each costs a file descriptor.
#[derive(Debug)]
pub struct Timer {
    file: AsyncFd<OwnedFd>,
    /// What it is set to; a wait that is taken up again needs no system call.
    set_to_ns: Option<i64>,
}

impl Timer {
    /// A timer on the runtime this is called in.
    ///
    /// # Errors
    /// When the process has no file descriptor left, or is not on Linux 2.6.27 or later.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(deprecated, reason = "an OwnedFd keeps the promise that the unsafe form asks for")]
        let file = AsyncFd::with_interest(file, Interest::READABLE)?;
        Ok(Self { file, set_to_ns: None })
    }

    /// Waits until the stamp `at_ns` of [`monotonic_ns`]; returns at once where it has passed.
    /// Dropping the future leaves the timer as good as new.
    ///
    /// # Errors
    /// When the kernel refuses the timer, which it has no reason to.
    pub async fn until(&mut self, at_ns: i64) -> io::Result<()> {
        if monotonic_ns() >= at_ns {
            return Ok(());
        }
        if self.set_to_ns != Some(at_ns) {
            let once = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: timespec(at_ns),
            };
            timerfd_settime(&self.file, TimerfdTimerFlags::ABSTIME, &once)?;
            self.set_to_ns = Some(at_ns);
        }
        loop {
            // Readiness may be left over from an earlier, dropped wait. The clock decides; setting
            // the timer has already forgotten what it had counted, so there is nothing to read.
            self.file.readable().await?.clear_ready();
            if monotonic_ns() >= at_ns {
                return Ok(());
            }
        }
    }
}

fn timespec(at_ns: i64) -> Timespec {
    Timespec {
        tv_sec: at_ns.div_euclid(NANOSECONDS_PER_SECOND),
        tv_nsec: at_ns.rem_euclid(NANOSECONDS_PER_SECOND),
    }
}

lastmeter_units::words! {
    /// A way to wait for an instant.
    pub enum TimerKind {
        /// [`Timer`]: what the link proxy and the senders' schedule use.
        Timerfd = "timerfd",
        /// tokio's own timer wheel, of millisecond granularity.
        TokioSleep = "tokio-sleep",
        /// `clock_nanosleep` in a thread of its own, which inherits the caller's scheduling.
        ClockNanosleep = "clock-nanosleep",
    }
}

/// Waits `count` times, one after the other, for an instant 1 to 12 ms ahead (evenly drawn from
/// `rng`), and returns how late each wait ended, ns, in order. Takes about 6.5 ms for each.
///
/// # Errors
/// When a timer or the thread cannot be made.
pub async fn probe(kind: TimerKind, count: usize, rng: ChaCha8Rng) -> io::Result<Vec<i64>> {
    let waits = waits(count, rng);
    match kind {
        TimerKind::Timerfd => {
            let mut timer = Timer::new()?;
            let mut late = Vec::with_capacity(waits.len());
            for wait in waits {
                let at = monotonic_ns() + wait;
                timer.until(at).await?;
                late.push(monotonic_ns() - at);
            }
            Ok(late)
        }
        TimerKind::TokioSleep => {
            let mut late = Vec::with_capacity(waits.len());
            for wait in waits {
                let at = monotonic_ns() + wait;
                #[expect(clippy::disallowed_methods, reason = "this timer is what is measured")]
                tokio::time::sleep(Duration::from_nanos(wait.unsigned_abs())).await;
                late.push(monotonic_ns() - at);
            }
            Ok(late)
        }
        TimerKind::ClockNanosleep => in_thread(waits).await,
    }
}

fn waits(count: usize, mut rng: ChaCha8Rng) -> Vec<i64> {
    let [shortest, longest] = PROBE_WAIT_NS;
    let span = longest.abs_diff(shortest);
    let mut draw = || shortest.saturating_add_unsigned(rng.next_u64() % span);
    (0..count).map(|_| draw()).collect()
}

async fn in_thread(waits: Vec<i64>) -> io::Result<Vec<i64>> {
    let (done, outcome) = tokio::sync::oneshot::channel();
    let measure = move || {
        let late = waits.into_iter().map(|wait| {
            let at = monotonic_ns() + wait;
            // A signal may end a sleep early; whoever was woken early sleeps on.
            while monotonic_ns() < at {
                let until = timespec(at);
                match rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &until) {
                    Ok(()) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(monotonic_ns() - at)
        });
        // Nobody listens where the probe was dropped.
        let _ = done.send(late.collect());
    };
    std::thread::Builder::new().name("timer-probe".to_owned()).spawn(measure)?;
    outcome.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    const MILLISECOND: i64 = 1_000_000;

    #[tokio::test]
    async fn the_past_and_the_present_return_at_once() {
        let mut timer = Timer::new().unwrap();
        for at in [i64::MIN, -1, 0, 1, monotonic_ns()] {
            // Polled once only: it is ready without any wake-up.
            let mut waiting = std::pin::pin!(timer.until(at));
            let first = std::future::poll_fn(|context| {
                std::task::Poll::Ready(waiting.as_mut().poll(context).is_ready())
            });
            assert!(first.await, "{at} is past");
        }
    }

    #[tokio::test]
    async fn it_never_wakes_before_its_time() {
        let mut timer = Timer::new().unwrap();
        for wait in [1, 1_000, 30_000, 500_000, 3 * MILLISECOND] {
            let at = monotonic_ns() + wait;
            timer.until(at).await.unwrap();
            assert!(monotonic_ns() >= at, "woken {} ns early", at - monotonic_ns());
        }
    }

    #[tokio::test]
    async fn a_dropped_wait_does_not_end_the_next_one_early() {
        let mut timer = Timer::new().unwrap();
        for _ in 0..20 {
            let soon = monotonic_ns() + MILLISECOND;
            let later = monotonic_ns() + 4 * MILLISECOND;
            // The first wait is given up when it is all but over, or over and not taken.
            let mut other = Timer::new().unwrap();
            tokio::select! {
                biased;
                done = other.until(soon) => done.unwrap(),
                done = timer.until(soon) => done.unwrap(),
            }
            timer.until(later).await.unwrap();
            assert!(monotonic_ns() >= later);
        }
    }

    #[tokio::test]
    async fn many_timers_of_one_runtime_end_in_the_order_of_their_instants() {
        let (send, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let start = monotonic_ns() + 20 * MILLISECOND;
        // The schedule goes backwards, so that making them in order explains nothing.
        for place in (0..50).rev() {
            let send = send.clone();
            tokio::spawn(async move {
                let mut timer = Timer::new().unwrap();
                let at = start + place * 2 * MILLISECOND;
                timer.until(at).await.unwrap();
                send.send((monotonic_ns() - at, place)).unwrap();
            });
        }
        drop(send);
        let mut seen = Vec::new();
        while let Some((late, place)) = ended.recv().await {
            assert!(late >= 0, "timer {place} woke {} ns early", -late);
            seen.push(place);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<i64>>());
    }

    #[tokio::test]
    async fn no_kind_of_timer_is_ever_early_and_each_probe_is_counted() {
        for kind in TimerKind::ALL {
            let late = probe(kind, 10, ChaCha8Rng::from_seed([7; 32])).await.unwrap();
            assert_eq!(late.len(), 10, "{kind:?}");
            assert!(late.iter().all(|&late| late >= 0), "{kind:?}: {late:?}");
        }
    }

    #[test]
    fn the_waits_of_a_probe_are_evenly_spread_over_one_to_twelve_milliseconds() {
        let waits = waits(20_000, ChaCha8Rng::from_seed([1; 32]));
        assert!(waits.iter().all(|wait| (MILLISECOND..12 * MILLISECOND).contains(wait)));
        let mean = waits.iter().sum::<i64>() as f64 / 20_000.0;
        // Mean 6.5 ms, deviation 11/sqrt(12) ms over sqrt(20 000): five of them are 0.11 ms.
        assert!((mean - 6.5e6).abs() < 0.12e6, "{mean}");
    }
}
