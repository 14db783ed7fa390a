//! Wakes many tasks at their instants with one precise timer.
//!
//! tokio's own timer fires on a grid of a millisecond and always late; a timer of the kernel per
//! device would take a file descriptor each, of which ten thousand devices already need many. So
//! one kernel timer stands for the earliest instant of all, and the tasks wait for their turn.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::timer::Timer;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::stop::or_never;

/// What the tasks and the timer share.
#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    /// Notified when an instant came in that is earlier than all others.
    earlier: Notify,
}

#[derive(Default)]
struct Queue {
    /// By instant, then by who came first.
    wakes: BTreeMap<(i64, u64), oneshot::Sender<()>>,
    sequence: u64,
}

/// A handle on the common timer; cheap to clone.
#[derive(Clone)]
pub(crate) struct Alarm {
    waiting: Arc<Waiting>,
}

impl Alarm {
    /// Starts the timer. It ends with the task that is returned.
    pub(crate) fn start() -> std::io::Result<(Self, JoinHandle<std::io::Error>)> {
        let timer = Timer::new()?;
        let waiting = Arc::new(Waiting::default());
        let task = tokio::spawn(serve(timer, Arc::clone(&waiting)));
        Ok((Self { waiting }, task))
    }

    /// Returns at an instant of the monotonic clock, or at once if it is past.
    pub(crate) async fn until(&self, at_ns: i64) {
        if at_ns <= monotonic_ns() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let is_first = {
            let mut queue = self.waiting.lock();
            queue.sequence += 1;
            let is_first = queue.wakes.first_key_value().is_none_or(|(first, _)| at_ns < first.0);
            let place = (at_ns, queue.sequence);
            queue.wakes.insert(place, wake);
            is_first
        };
        if is_first {
            self.waiting.earlier.notify_one();
        }
        if woken.await.is_err() {
            // The timer is gone, which its task has reported; nobody is woken too early by that.
            std::future::pending::<()>().await;
        }
    }

    /// The same as a task's next wake-up; without an instant it never comes.
    pub(crate) fn sleep(&self, next: Option<i64>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Some(at_ns) = next else { return Box::pin(std::future::pending()) };
        let alarm = self.clone();
        Box::pin(async move { alarm.until(at_ns).await })
    }
}

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Nothing that may panic happens under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody whose instant has come; returns the next instant.
    fn wake(&self, now_ns: i64) -> Option<i64> {
        let mut queue = self.lock();
        while let Some(first) = queue.wakes.first_entry() {
            let (at_ns, _) = *first.key();
            if at_ns > now_ns {
                return Some(at_ns);
            }
            // Who gave up waiting need not be woken.
            let _ = first.remove().send(());
        }
        None
    }
}

async fn serve(mut timer: Timer, waiting: Arc<Waiting>) -> std::io::Error {
    loop {
        let next = waiting.wake(monotonic_ns());
        let expired = async { timer.until(or_never(next).await).await };
        tokio::select! {
            ended = expired => if let Err(error) = ended { return error },
            () = waiting.earlier.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_are_woken_in_the_order_of_their_instants_and_never_early() {
        let (alarm, _task) = Alarm::start().unwrap();
        let start = monotonic_ns();
        let (woken, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for offset_ms in [30_i64, 10, 20, -5, 40] {
            let (alarm, woken) = (alarm.clone(), woken.clone());
            tokio::spawn(async move {
                let at = start + offset_ms * 1_000_000;
                alarm.until(at).await;
                let _ = woken.send((offset_ms, monotonic_ns() >= at));
            });
        }
        let mut order = Vec::new();
        for _ in 0..5 {
            let (offset, is_in_time) = heard.recv().await.unwrap();
            assert!(is_in_time);
            order.push(offset);
        }
        assert_eq!(order, [-5, 10, 20, 30, 40]);
    }

    #[tokio::test]
    async fn a_wait_that_was_given_up_disturbs_nobody() {
        let (alarm, _task) = Alarm::start().unwrap();
        let at = |ms: i64| monotonic_ns() + ms * 1_000_000;
        let soon = alarm.until(at(5));
        tokio::select! {
            biased;
            () = soon => {}
            () = std::future::ready(()) => {}
        }
        alarm.until(at(20)).await;
    }
}
