//! The processor beside the response times of Joseph and Pandya (1986), and beside a simulation of
//! each slot of time that shares no code with it.

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

const US: i64 = 1_000;

fn always(nanoseconds: i64) -> ServiceTime {
    ServiceTime::Always(SimDuration(nanoseconds))
}

fn periodic(first: i64, period: i64) -> Release {
    Release::Periodic { first: SimTime(first), period: SimDuration(period) }
}

fn polled(first: i64, period: i64) -> Release {
    Release::Polled { first: SimTime(first), period: SimDuration(period) }
}

/// Ends, tasks and tokens of all that ends up to an instant.
fn ends(processor: &mut Processor, until: i64) -> Vec<(i64, usize, Option<u64>)> {
    std::iter::from_fn(|| processor.pop(SimTime(until)))
        .map(|it| (it.at.0, it.task, it.token))
        .collect()
}

/// Period, service time, and the latency of an interrupt; the first one has the highest priority.
#[derive(Clone, Copy, Debug)]
struct Load {
    period: i64,
    service: i64,
    latency: Option<i64>,
}

/// R = C + sum over the tasks before it of ceil(R / T) C, as far as each is at most its period.
fn response_times(loads: &[Load]) -> Vec<i64> {
    let mut found = Vec::new();
    for (place, load) in loads.iter().enumerate() {
        let mut response = load.service;
        loop {
            let of = |it: &Load| (response + it.period - 1) / it.period * it.service;
            let next = load.service + loads[..place].iter().map(of).sum::<i64>();
            if next > load.period {
                return found;
            }
            if next == response {
                break;
            }
            response = next;
        }
        found.push(response);
    }
    found
}

/// Tasks in the order of their periods or not, cut before the first one that would be late.
fn draw(rng: &mut ChaCha8Rng) -> (Vec<Load>, Vec<i64>) {
    let count = rng.random_range(2..=8_usize);
    let interrupts = rng.random_range(0..=2.min(count));
    let use_of_each = rng.random_range(0.3..1.0) / count as f64;
    let mut periods: Vec<i64> =
        (0..count).map(|_| 10_f64.powf(rng.random_range(4.0..6.0)) as i64).collect();
    if rng.random_bool(0.7) {
        periods.sort_unstable();
    }
    let load = |place: usize| {
        let period = periods[place];
        let service = ((period as f64 * use_of_each * rng.random_range(0.3..1.7)) as i64).max(1);
        let latency = (place < interrupts).then(|| rng.random_range(0..5_000));
        Load { period, service, latency }
    };
    let mut loads: Vec<Load> = (0..count).map(load).collect();
    let bounds = response_times(&loads);
    loads.truncate(bounds.len());
    (loads, bounds)
}

/// The first and the longest response of each task from when it could be ready, if each begins at
/// its phase.
fn play(loads: &[Load], phases: &[i64], until: i64) -> Vec<(i64, i64)> {
    let tasks = loads.iter().zip(phases).enumerate().map(|(place, (load, &phase))| {
        let release = match load.latency {
            Some(latency) => Release::Interrupt { latency: SimDuration(latency) },
            None => periodic(phase, load.period),
        };
        Task::new("", place as u8, release, always(load.service))
    });
    let mut processor = Processor::new(tasks.collect(), SimTime(-10_000));
    let mut found: Vec<Vec<i64>> = vec![Vec::new(); loads.len()];
    let mut requests: Vec<(i64, usize)> = Vec::new();
    for (place, load) in loads.iter().enumerate() {
        if let Some(latency) = load.latency {
            let count = (until - phases[place]) / load.period;
            let request = |k| (phases[place] + k * load.period - latency, place);
            requests.extend((0..=count).map(request));
        }
    }
    requests.sort_unstable();
    let mut take = |processor: &mut Processor, at: i64| {
        while let Some(it) = processor.pop(SimTime(at)) {
            found[it.task].push(it.at.0 - it.ready_at.0);
        }
    };
    for (at, task) in requests {
        take(&mut processor, at);
        assert!(processor.release(SimTime(at), task, 0));
    }
    take(&mut processor, until);
    for task in 0..loads.len() {
        assert_eq!(processor.counts(task).unwrap().missed, 0);
    }
    found.iter().map(|them| (them[0], *them.iter().max().unwrap())).collect()
}

#[test]
fn no_response_exceeds_the_response_time_analysis_and_the_critical_instant_reaches_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(1986);
    let (mut checked, mut interrupts, mut reached, mut interfered) = (0, 0, 0, 0);
    for set in 0..600 {
        let (loads, bounds) = draw(&mut rng);
        let longest = loads.iter().map(|it| it.period).max().unwrap();
        let critical = play(&loads, &vec![0; loads.len()], longest + 1);
        let phases: Vec<i64> = loads.iter().map(|it| rng.random_range(0..it.period)).collect();
        let random = play(&loads, &phases, 10 * longest);
        for (place, &bound) in bounds.iter().enumerate() {
            let context = format!("set {set}, task {place} of {loads:?}");
            assert_eq!(critical[place], (bound, bound), "{context}");
            assert!(random[place].1 <= bound, "{context}: {} > {bound}", random[place].1);
            assert!(random[place].1 >= loads[place].service, "{context}");
            checked += 1;
            interrupts += usize::from(loads[place].latency.is_some());
            reached += usize::from(place > 0 && random[place].1 == bound);
            interfered += usize::from(bound > loads[place].service);
        }
    }
    println!(
        "{checked} tasks, {interrupts} interrupts, {interfered} interfered, {reached} reached"
    );
    assert!(checked > 2_000 && interrupts > 300 && interfered > 1_500 && reached > 50);
}

/// A task as the slots see it; times in slots.
#[derive(Clone, Copy, Debug)]
struct Sketch {
    kind: u8,
    first: i64,
    period: i64,
    priority: u8,
    room: usize,
    enabled: bool,
    draws: u64,
    longest: i64,
}

#[derive(Clone, Copy, Debug)]
enum Request {
    Release(u64),
    Enable(bool),
}

type Requests = Vec<(i64, usize, Request)>;

fn sketch(rng: &mut ChaCha8Rng) -> Sketch {
    Sketch {
        kind: rng.random_range(0..4),
        first: rng.random_range(-20..30),
        period: rng.random_range(1..60),
        priority: rng.random_range(0..3),
        room: rng.random_range(1..5),
        enabled: rng.random_bool(0.8),
        draws: rng.random(),
        longest: rng.random_range(1..15),
    }
}

fn services(sketch: &Sketch) -> impl FnMut() -> i64 + use<> + 'static {
    let (mut rng, longest) = (ChaCha8Rng::seed_from_u64(sketch.draws), sketch.longest);
    move || rng.random_range(1..=longest)
}

/// What a slot has to do, in the order in which it would be done.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    order: (bool, u8, i64, usize, u64),
    token: Option<u64>,
    released: i64,
    started: Option<i64>,
    left: i64,
}

/// End, task, token, release and start of each job; tokens dropped by disabling; slots of each
/// task.
type Outcome = (Vec<(i64, usize, Option<u64>, i64, i64)>, Vec<Vec<u64>>, Vec<i64>);

/// A processor that is looked at in each slot.
struct Slots<'a> {
    sketches: &'a [Sketch],
    draws: Vec<Box<dyn FnMut() -> i64>>,
    jobs: Vec<Waiting>,
    number: u64,
}

impl Slots<'_> {
    fn begins(&self, task: usize, now: i64) -> bool {
        let it = &self.sketches[task];
        now >= it.first && (now - it.first) % it.period == 0
    }

    fn add(&mut self, now: i64, task: usize, token: Option<u64>) {
        let it = &self.sketches[task];
        let mine = self.jobs.iter().filter(|job| job.order.3 == task);
        let of_kind = mine.filter(|job| job.token.is_some() == token.is_some()).count();
        if of_kind >= token.map_or(1, |_| it.room) {
            return;
        }
        let ready = match it.kind {
            0 => now + it.first.max(0),
            2 => (now..now + 100).find(|&slot| self.begins(task, slot)).unwrap(),
            _ => now,
        };
        self.number += 1;
        let order = (it.kind != 0, it.priority, ready, task, self.number);
        let left = self.draws[task]();
        self.jobs.push(Waiting { order, token, released: now, started: None, left });
    }
}

/// Slot by slot.
fn slots(sketches: &[Sketch], requests: &Requests, until: i64) -> Outcome {
    let mut outcome: Outcome = (Vec::new(), Vec::new(), vec![0; sketches.len()]);
    let draws = sketches.iter().map(|it| Box::new(services(it)) as Box<dyn FnMut() -> i64>);
    let mut slots = Slots { sketches, draws: draws.collect(), jobs: Vec::new(), number: 0 };
    let mut enabled: Vec<bool> = sketches.iter().map(|it| it.enabled).collect();
    for now in 0..until {
        for task in 0..sketches.len() {
            if enabled[task] && sketches[task].kind == 3 && slots.begins(task, now) {
                slots.add(now, task, None);
            }
        }
        for &(_, task, request) in requests.iter().filter(|it| it.0 == now) {
            match request {
                Request::Release(token) if enabled[task] => slots.add(now, task, Some(token)),
                Request::Enable(on) if on != enabled[task] => {
                    enabled[task] = on;
                    let mine = slots.jobs.iter().filter(|job| job.order.3 == task);
                    outcome.1.push(mine.filter_map(|job| job.token).collect());
                    slots.jobs.retain(|job| job.order.3 != task);
                    if on && sketches[task].kind == 3 && slots.begins(task, now) {
                        slots.add(now, task, None);
                    }
                }
                Request::Enable(_) => outcome.1.push(Vec::new()),
                Request::Release(_) => {}
            }
        }
        let ready = slots.jobs.iter_mut().filter(|job| job.order.2 <= now);
        if let Some(job) = ready.min_by_key(|job| job.order) {
            let started = *job.started.get_or_insert(now);
            job.left -= 1;
            outcome.2[job.order.3] += 1;
            if job.left == 0 {
                outcome.0.push((now + 1, job.order.3, job.token, job.released, started));
            }
        }
        slots.jobs.retain(|job| job.left > 0);
    }
    outcome
}

/// By the processor, of which each slot is a microsecond; popped as it goes, or at the end.
fn processed(sketches: &[Sketch], requests: &Requests, until: i64, as_it_goes: bool) -> Outcome {
    let tasks = sketches.iter().map(|it| {
        let (first, period) = (SimTime(it.first * US), SimDuration(it.period * US));
        let release = match it.kind {
            0 => Release::Interrupt { latency: SimDuration(it.first.max(0) * US) },
            1 => Release::Event,
            2 => Release::Polled { first, period },
            _ => Release::Periodic { first, period },
        };
        let mut draw = services(it);
        let service = ServiceTime::Drawn(Box::new(move || SimDuration(draw() * US)));
        let task = Task::new("", it.priority, release, service);
        Task { room: it.room, enabled: it.enabled, ..task }
    });
    let mut processor = Processor::new(tasks.collect(), SimTime(0));
    let mut outcome = Outcome::default();
    let mut take = |it: Completed| {
        let in_slots = |at: SimTime| at.0 / US;
        let (released, started) = (in_slots(it.released_at), in_slots(it.started_at));
        outcome.0.push((in_slots(it.at), it.task, it.token, released, started));
    };
    for &(at, task, request) in requests {
        let at = SimTime(at * US);
        if as_it_goes {
            // From one announced instant to the next.
            while let Some(next) = processor.next().filter(|&next| next <= at) {
                while let Some(completed) = processor.pop(next) {
                    assert_eq!(completed.at, next);
                    take(completed);
                }
                assert!(processor.next().is_none_or(|after| after > next));
            }
        }
        match request {
            Request::Release(token) => drop(processor.release(at, task, token)),
            Request::Enable(on) => outcome.1.push(processor.enable(at, task, on)),
        }
    }
    std::iter::from_fn(|| processor.pop(SimTime(until * US))).for_each(take);
    let counts: Vec<TaskCounts> =
        (0..sketches.len()).map(|task| processor.counts(task).unwrap()).collect();
    outcome.2 = counts.iter().map(|it| it.busy.0 / US).collect();
    let share = outcome.2.iter().sum::<i64>() as f64 / until as f64;
    assert!((processor.utilisation() - share).abs() < 1e-12);
    for (task, it) in counts.iter().enumerate() {
        assert_eq!(it.completed as usize, outcome.0.iter().filter(|end| end.1 == task).count());
    }
    outcome
}

#[test]
fn any_program_runs_as_slot_by_slot() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut jobs, mut dropped) = (0, 0);
    for program in 0..1_000 {
        let count = rng.random_range(1..7);
        let sketches: Vec<Sketch> = (0..count).map(|_| sketch(&mut rng)).collect();
        let mut requests: Requests = (0..rng.random_range(0..120))
            .map(|token| {
                let request = match rng.random_range(0..10) {
                    0 | 1 => Request::Enable(false),
                    2..=4 => Request::Enable(true),
                    _ => Request::Release(token),
                };
                (rng.random_range(0..800), rng.random_range(0..count), request)
            })
            .collect();
        requests.sort_by_key(|it| it.0);
        let expected = slots(&sketches, &requests, 1_000);
        for as_it_goes in [false, true] {
            let found = processed(&sketches, &requests, 1_000, as_it_goes);
            assert_eq!(found, expected, "program {program}: {sketches:?}");
        }
        jobs += expected.0.len();
        dropped += expected.1.iter().map(Vec::len).sum::<usize>();
    }
    println!("{jobs} jobs, {dropped} dropped");
    assert!(jobs > 40_000 && dropped > 1_000);
}

/// The main task enables and disables four tasks; times in microseconds.
#[test]
fn a_main_task_switches_the_others() {
    let named = |name, priority, release, service| {
        let task = Task::new(name, priority, release, always(service * US));
        Task { enabled: priority == 0, ..task }
    };
    let cycle = 20_000 * US;
    let tasks = || {
        vec![
            named("main", 0, Release::Event, 100),
            named("CAN manage", 3, polled(0, cycle), 1_000),
            named("TCP/IP server", 2, periodic(0, cycle), 500),
            named("measure", 1, periodic(0, cycle), 4_000),
            named("user interface", 4, periodic(0, cycle), 7_000),
        ]
    };
    let mut found = Vec::new();
    for switched in [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4], &[2, 3, 4]] {
        let mut processor = Processor::new(tasks(), SimTime(0));
        for &task in switched {
            processor.release(SimTime(US), 0, task as u64);
        }
        for &task in switched {
            let switch = processor.pop(SimTime(cycle / 2)).unwrap();
            assert_eq!((switch.task, switch.token), (0, Some(task as u64)));
            assert_eq!(processor.enable(switch.at, task, true), []);
        }
        let is_taken = processor.release(SimTime(5_000 * US), 1, 77);
        let answer = std::iter::from_fn(|| processor.pop(SimTime(39_999 * US)))
            .find(|it| it.task == 1)
            .map(|it| it.response().0 / US);
        assert_eq!(is_taken, answer.is_some());
        found.push(answer);
        assert_eq!(processor.name(1), Some("CAN manage"));
        assert_eq!(processor.counts(1).unwrap().dropped, u64::from(!is_taken));
    }
    // The rest of the period, and the services of those before it.
    assert_eq!(found, [Some(16_000), Some(16_500), Some(20_500), Some(20_500), None]);
}

#[test]
fn jobs_of_no_service_time_end_when_they_are_ready() {
    let tasks = vec![
        Task::new("interrupt", 0, Release::Interrupt { latency: SimDuration(-1) }, always(0)),
        Task::new("long", 0, Release::Event, always(10)),
        Task::new("high", 0, Release::Event, always(0)),
        Task::new("low", 1, polled(3, 4), always(0)),
    ];
    let mut processor = Processor::new(tasks, SimTime(0));
    for task in [3, 1, 0] {
        processor.release(SimTime(2), task, 5);
    }
    assert_eq!(processor.next(), Some(SimTime(2)));
    assert_eq!(ends(&mut processor, 2), [(2, 0, Some(5))]);
    processor.release(SimTime(4), 2, 6);
    processor.release(SimTime(4), 3, 7);
    assert_eq!(
        ends(&mut processor, i64::MAX),
        [(12, 1, Some(5)), (12, 2, Some(6)), (12, 3, Some(5)), (12, 3, Some(7))]
    );
    assert_eq!(processor.next(), None);
}

#[test]
fn a_period_that_begins_before_the_last_job_has_ended_is_missed() {
    let tasks = vec![Task::new("late", 0, periodic(0, 10), always(25))];
    let mut processor = Processor::new(tasks, SimTime(0));
    assert_eq!(ends(&mut processor, 60), [(25, 0, None), (55, 0, None)]);
    let counts = processor.counts(0).unwrap();
    assert_eq!((counts.released, counts.completed, counts.missed), (2 + 1, 2, 4));
    assert_eq!(processor.utilisation(), 50.0 / 60.0);
}

#[test]
fn values_at_the_ends_of_their_types_are_taken() {
    let tasks = vec![
        Task::new("short", 1, periodic(i64::MAX - 1, 0), always(i64::MAX)),
        Task::new("past", 0, polled(i64::MIN, i64::MAX), always(-5)),
        Task::new("slow", 2, Release::Interrupt { latency: SimDuration(i64::MAX) }, always(1)),
    ];
    let mut processor = Processor::new(tasks, SimTime(-7));
    assert!(processor.release(SimTime(0), 2, 1));
    assert!(processor.release(SimTime(i64::MIN), 1, 2));
    assert!(!processor.release(SimTime(1), 3, 2));
    assert_eq!(processor.enable(SimTime(1), 3, true), []);
    assert_eq!((processor.counts(3), processor.name(3)), (None, None));
    assert_eq!(ends(&mut processor, 1_000), []);
    assert_eq!(ends(&mut processor, i64::MAX), [(i64::MAX - 1, 1, Some(2))]);
}
