//! How busy the machine is while a run in real time goes on, second by second.
//!
//! Terms: as in [`lastmeter_record::LoadFacts`]. Watched are the bench's threads that
//! stamp messages or pass them on, those of a platform of the bench's own, and the kernel's that
//! write to disks and serve interrupts. Of a platform on this machine whose threads are not known,
//! the pressure is taken: nothing can have waited longer than something did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use lastmeter_link::clock::{ClockWatch, monotonic_ns};
use lastmeter_link::priority::{DEFAULT_LEVEL, raise_this_thread};
use lastmeter_record::{LoadFacts, LoadSecond, Wait};

use crate::floor::{Processors, ROOT, text};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// A thread that runs so many times in a second, or oftener, is one that messages wait for.
const OFTEN: u64 = 10;

/// So many looks make a second.
const LOOKS: u32 = 10;

/// So many seconds are kept; of a longer run two neighbours are joined into one again and again.
const SECONDS_MAX: usize = 3600;

/// Threads of the bench on which no stamp depends, by the beginnings of their names.
const NOT_STAMPING: [&str; 2] = ["bench", "load-watch"];

/// Threads of the kernel that a message may wait for.
const OF_KERNEL: [&str; 4] = ["jbd2", "kworker", "ksoftirqd", "irq/"];

/// Whose threads are watched beside the bench's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchedProcess {
    /// The number of the platform's process; 0 if it has none of its own.
    pub(crate) child: Arc<AtomicU32>,
    /// Whether the platform is on this machine, and its threads are not known.
    pub(crate) is_unseen: bool,
    /// Whether to ask for real-time priority, just below that of what is watched.
    pub(crate) is_raised: bool,
}

pub(crate) struct LoadWatch {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<Log>,
}

impl LoadWatch {
    /// Begins to watch. `None` where the kernel does not count waits, or gives no thread.
    pub(crate) fn start(watched: WatchedProcess) -> Option<Self> {
        let root = Path::new(ROOT);
        if waits_of(&root.join(format!("proc/{}/task", std::process::id())), |_, _| true).is_empty()
        {
            return None;
        }
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            if watched.is_raised {
                // Refused, it looks later, and what it finds is of a longer time.
                let _ = raise_this_thread(DEFAULT_LEVEL - 2);
            }
            let mut log = Log::new(Path::new(ROOT).to_owned(), watched, monotonic_ns());
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
                log.look(monotonic_ns());
            }
            log.look(monotonic_ns());
            log.close();
            log
        };
        let thread = std::thread::Builder::new().name("load-watch".to_owned()).spawn(watch);
        Some(Self { stop, thread: thread.ok()? })
    }

    /// Ends the watch: what it has seen, with instants since `origin_ns`, and the furthest that the
    /// wall clock stood off at any time, in ns.
    pub(crate) fn end(self, origin_ns: i64) -> Option<(LoadFacts, i64)> {
        drop(self.stop);
        Some(self.thread.join().ok()?.facts(origin_ns))
    }
}

struct Log {
    root: PathBuf,
    watched: WatchedProcess,
    bench: Waits,
    platform: Waits,
    kernel: Waits,
    kernel_threads: Vec<String>,
    pressure_us: Option<u64>,
    processors: Option<Processors>,
    clock: ClockWatch,
    /// The second that is under way.
    second: LoadSecond,
    looks: u32,
    seconds: Vec<LoadSecond>,
    /// The furthest the wall clock stood off.
    wall_step_ns: i64,
}

/// The waits of several threads: when they were looked at last, and in this second.
#[derive(Default)]
struct Waits {
    so_far: BTreeMap<u32, ThreadCounts>,
    in_second: BTreeMap<u32, ThreadCounts>,
    longest_ns: u64,
}

/// What the kernel has counted of a thread.
#[derive(Clone, Copy, Debug, Default)]
struct ThreadCounts {
    /// How long it has waited for a processor.
    waited_ns: u64,
    /// How often it got one.
    times: u64,
}

impl ThreadCounts {
    fn since(self, before: Self) -> Self {
        Self {
            waited_ns: self.waited_ns.saturating_sub(before.waited_ns),
            times: self.times.saturating_sub(before.times),
        }
    }
}

impl Waits {
    fn look(&mut self, now: BTreeMap<u32, ThreadCounts>) {
        for (thread, ran) in &now {
            // A thread that is new has waited since it began.
            let since = ran.since(self.so_far.get(thread).copied().unwrap_or_default());
            let second = self.in_second.entry(*thread).or_default();
            second.waited_ns += since.waited_ns;
            second.times += since.times;
            self.longest_ns = self.longest_ns.max(since.waited_ns);
        }
        self.so_far = now;
    }

    /// What one thread waited at most in this second; the next one begins.
    fn second(&mut self) -> Wait {
        let of = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        let threads = std::mem::take(&mut self.in_second);
        let total = threads.values().map(|ran| ran.waited_ns).max().unwrap_or(0);
        let often = threads.values().filter(|ran| ran.times >= OFTEN);
        let each = often.map(|ran| ran.waited_ns / ran.times).max().unwrap_or(0);
        let longest = std::mem::take(&mut self.longest_ns);
        Wait { total_ns: of(total), longest_ns: of(longest), each_ns: of(each) }
    }
}

/// By thread of a folder of the kernel's, how long it has waited for a processor so far; none if
/// the kernel does not report it.
fn waits_of(tasks: &Path, is_meant: impl Fn(u32, &str) -> bool) -> BTreeMap<u32, ThreadCounts> {
    let Ok(entries) = std::fs::read_dir(tasks) else { return BTreeMap::new() };
    let of = |entry: std::fs::DirEntry| {
        let thread = entry.file_name().to_str()?.parse().ok()?;
        let is_named = || is_meant(thread, &text(&entry.path(), "comm").unwrap_or_default());
        // A thread may end between two looks.
        Some((thread, wait_of(&entry.path())?)).filter(|_| is_named())
    };
    entries.filter_map(Result::ok).filter_map(of).collect()
}

fn wait_of(task: &Path) -> Option<ThreadCounts> {
    read_wait(&text(task, "schedstat")?)
}

/// `RUN_NS WAIT_NS SLICES` (Documentation/scheduler/sched-stats).
fn read_wait(text: &str) -> Option<ThreadCounts> {
    let mut words = text.split_whitespace().skip(1);
    let mut next = || words.next()?.parse().ok();
    Some(ThreadCounts { waited_ns: next()?, times: next()? })
}

/// The total of `some`, in us (Documentation/accounting/psi).
fn read_pressure_us(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

impl Log {
    fn new(root: PathBuf, watched: WatchedProcess, now_ns: i64) -> Self {
        let mut log = Self {
            watched,
            bench: Waits::default(),
            platform: Waits::default(),
            kernel: Waits::default(),
            kernel_threads: Vec::new(),
            pressure_us: None,
            processors: Processors::now(&root),
            clock: ClockWatch::start(),
            second: LoadSecond { from_ns: now_ns, to_ns: now_ns, ..LoadSecond::default() },
            looks: 0,
            seconds: Vec::new(),
            wall_step_ns: 0,
            root,
        };
        log.pressure_us = log.pressure_now_us();
        log.take_waits();
        // What came before is nobody's.
        for waits in [&mut log.bench, &mut log.platform, &mut log.kernel] {
            waits.second();
        }
        log
    }

    fn pressure_now_us(&self) -> Option<u64> {
        read_pressure_us(&text(&self.root, "proc/pressure/cpu")?)
    }

    fn take_waits(&mut self) {
        let own = std::process::id();
        // The first thread keeps the record.
        let is_stamping = |thread: u32, name: &str| {
            thread != own && !NOT_STAMPING.iter().any(|other| name.starts_with(other))
        };
        let tasks = |process: u32| self.root.join(format!("proc/{process}/task"));
        self.bench.look(waits_of(&tasks(own), is_stamping));
        let child = self.watched.child.load(Ordering::Relaxed);
        if child != 0 {
            self.platform.look(waits_of(&tasks(child), |_, _| true));
        }
        if self.looks == 0 {
            self.find_kernel_threads();
        }
        let wait = |thread: &String| {
            let task = self.root.join("proc").join(thread);
            Some((thread.parse().ok()?, wait_of(&task)?))
        };
        let waits: BTreeMap<u32, ThreadCounts> =
            self.kernel_threads.iter().filter_map(wait).collect();
        // One that is new was not looked at in the second before, so what it waited is not known.
        for (thread, wait) in &waits {
            self.kernel.so_far.entry(*thread).or_insert(*wait);
        }
        self.kernel.look(waits);
    }

    /// All threads of the kernel are children of its thread daemon, number 2.
    fn find_kernel_threads(&mut self) {
        let children = text(&self.root, "proc/2/task/2/children").unwrap_or_default();
        let is_meant = |thread: &&str| {
            let name = text(&self.root.join("proc").join(thread), "comm").unwrap_or_default();
            OF_KERNEL.iter().any(|kind| name.starts_with(kind))
        };
        self.kernel_threads =
            children.split_whitespace().filter(is_meant).map(str::to_owned).collect();
    }

    /// Takes in what has happened since the last look.
    fn look(&mut self, now_ns: i64) {
        self.take_waits();
        self.second.to_ns = now_ns;
        self.looks += 1;
        if self.looks >= LOOKS {
            self.close();
        }
    }

    /// Ends the second that is under way.
    fn close(&mut self) {
        if self.second.to_ns <= self.second.from_ns {
            return;
        }
        let length_ns = self.second.to_ns - self.second.from_ns;
        let pressure_us = self.pressure_now_us();
        let waited_us = pressure_us.zip(self.pressure_us);
        let waited_ns =
            waited_us.map(|(now, before)| (now.saturating_sub(before) * 1000).cast_signed());
        let processors = Processors::now(&self.root);
        let step_ns = self.clock.drift().wall_step_ns;
        if step_ns.abs() > self.wall_step_ns.abs() {
            self.wall_step_ns = step_ns;
        }
        let has_child = self.watched.child.load(Ordering::Relaxed) != 0;
        let unseen = waited_ns.filter(|_| self.watched.is_unseen);
        let unseen = unseen.map(|ns| Wait { total_ns: ns, longest_ns: ns, each_ns: ns });
        let platform = self.platform.second();
        let second = LoadSecond {
            bench: self.bench.second(),
            platform: if has_child { Some(platform) } else { unseen },
            kernel: (!self.kernel_threads.is_empty()).then(|| self.kernel.second()),
            pressure: waited_ns.map(|ns| ns as f64 * 100.0 / length_ns as f64),
            steal: processors
                .zip(self.processors)
                .and_then(|(now, before)| now.stolen_since(before)),
            ..self.second
        };
        self.seconds.push(second);
        (self.pressure_us, self.processors, self.looks) = (pressure_us, processors, 0);
        let to_ns = second.to_ns;
        self.second = LoadSecond { from_ns: to_ns, to_ns, ..LoadSecond::default() };
        if self.seconds.len() >= SECONDS_MAX {
            let pairs = self.seconds.chunks(2);
            let join = |pair: &[LoadSecond]| pair.iter().copied().reduce(LoadSecond::joined);
            self.seconds = pairs.filter_map(join).collect();
        }
    }

    fn facts(self, origin_ns: i64) -> (LoadFacts, i64) {
        let since = |second: LoadSecond| LoadSecond {
            from_ns: second.from_ns - origin_ns,
            to_ns: second.to_ns - origin_ns,
            ..second
        };
        let seconds = self.seconds.into_iter().map(since).collect();
        (LoadFacts { look_ns: LOOK.as_nanos() as i64, seconds }, self.wall_step_ns)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
