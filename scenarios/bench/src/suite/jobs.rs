//! Several runs of a suite at a time: which may go on beside others, and which is the next.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use lastmeter_language::{PlatformUse, Scenario};
use lastmeter_platform::DoorConfig;
use lastmeter_record::TimeMode;

use crate::output::print_err;

/// Runs nest deep calls, for which the main thread has as much.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Whether nothing may run beside a scenario: another run would take the time that is measured, or
/// the equipment, line, platform or port that it names.
pub(super) fn is_exclusive(scenario: &Scenario) -> bool {
    let is_equipment = scenario.devices.iter().any(|row| row.is_hardware || row.board.is_some());
    let doors = scenario.part::<Vec<DoorConfig>>().map_or(&[][..], Vec::as_slice);
    scenario.schedule.time == TimeMode::Real
        || is_equipment
        || scenario.networks.iter().any(|network| network.line.is_some())
        || matches!(scenario.platform.choice, PlatformUse::Profile(_))
        || doors.iter().any(has_port_of_its_own)
}

fn has_port_of_its_own(door: &DoorConfig) -> bool {
    let address = door.keys.get("address").and_then(|address| address.as_str());
    address.and_then(|text| text.parse::<SocketAddr>().ok()).is_some_and(|it| it.port() != 0)
}

/// Does `run` for each place of `exclusive`, in their order and at most `jobs` at a time, but
/// nothing beside a place that is exclusive; what came out, in the order of the places.
///
/// # Panics
/// If one of them does; those that go on then are waited for, and no other begins.
pub(super) fn carry_out<T: Send>(
    jobs: usize,
    exclusive: &[bool],
    run: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let order = Order { exclusive, state: Mutex::default(), changed: Condvar::new() };
    let done = Mutex::new(Vec::with_capacity(exclusive.len()));
    let work = || {
        while let Some(begun) = order.next() {
            let result = run(begun.place);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((begun.place, result));
        }
    };
    std::thread::scope(|scope| {
        for job in 1..jobs.min(exclusive.len()) {
            // By its name a run in real time knows a thread that stamps nothing.
            let thread = std::thread::Builder::new().name(format!("bench-job-{job}"));
            if let Err(error) = thread.stack_size(STACK_BYTES).spawn_scoped(scope, work) {
                print_err(&format!("warning: only {job} at a time: no further thread: {error}"));
                break;
            }
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Which place is the next, and when it may begin.
struct Order<'a> {
    exclusive: &'a [bool],
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: usize,
    running: usize,
    is_exclusive_running: bool,
}

impl<'a> Order<'a> {
    /// Waits until the next place may begin; `None` if there is none any more.
    fn next(&self) -> Option<BusySlot<'_, 'a>> {
        let mut state = self.state();
        loop {
            let &is_exclusive = self.exclusive.get(state.next)?;
            if !state.is_exclusive_running && (!is_exclusive || state.running == 0) {
                let place = state.next;
                state.next += 1;
                state.running += 1;
                state.is_exclusive_running = is_exclusive;
                return Some(BusySlot { order: self, place });
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is at work until this is dropped.
struct BusySlot<'o, 'a> {
    order: &'o Order<'a>,
    place: usize,
}

impl Drop for BusySlot<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.order.state();
        state.running -= 1;
        state.is_exclusive_running = false;
        if std::thread::panicking() {
            state.next = self.order.exclusive.len();
        }
        self.order.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn exclusive_places_overlap_nothing_and_the_results_keep_their_order() {
        let exclusive: Vec<bool> = (0..200).map(|place| place % 7 == 3).collect();
        for jobs in [1, 2, 5] {
            let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let results = carry_out(jobs, &exclusive, |place| {
                let beside = running.fetch_add(1, Ordering::SeqCst);
                most.fetch_max(beside + 1, Ordering::SeqCst);
                assert!(!exclusive[place] || beside == 0, "{place} began beside {beside} others");
                std::thread::yield_now();
                let left = running.fetch_sub(1, Ordering::SeqCst) - 1;
                assert!(!exclusive[place] || left == 0, "{left} others began beside {place}");
                place
            });
            assert_eq!(results, (0..200).collect::<Vec<_>>());
            assert!(most.into_inner() <= jobs);
        }
    }

    #[test]
    fn as_many_run_at_a_time_as_there_are_jobs() {
        // It ends only if all three are under way at once.
        let all = Barrier::new(3);
        let met = carry_out(3, &[false; 6], |_| all.wait().is_leader());
        assert_eq!(met.into_iter().filter(|leads| *leads).count(), 2);
        assert_eq!(carry_out(3, &[], |place| place), [0; 0]);
    }

    #[test]
    fn threads_have_a_name_that_stamps_nothing() {
        let own = std::thread::current().id();
        let begun = Barrier::new(2);
        let names = carry_out(2, &[false; 2], |_| {
            begun.wait();
            let thread = std::thread::current();
            (thread.id() != own).then(|| thread.name().unwrap_or_default().to_owned())
        });
        let names: Vec<String> = names.into_iter().flatten().collect();
        assert_eq!(names, ["bench-job-1"]);
    }

    #[test]
    fn after_a_panic_no_other_place_begins() {
        let begun = Mutex::new(Vec::new());
        let run = |place: usize| {
            begun.lock().unwrap().push(place);
            assert!(place != 1, "this one breaks");
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            carry_out(2, &[true; 5], run)
        }));
        assert!(outcome.is_err());
        assert_eq!(*begun.lock().unwrap(), [0, 1]);
    }
}
