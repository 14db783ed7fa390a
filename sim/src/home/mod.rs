//! Homes on a supply: sockets with appliances, and what flows into homes and supply.
//!
//! A supply is a source of electricity that is tones at every instant. A *tap* is a place where
//! devices are connected: a socket, the feed-in of a home, or the supply itself, which carries its
//! own currents and those of all homes. Each tap has the supply's voltages and the sum of the
//! currents of its sockets, which is made tone by tone: the truth of a sum is the sum of truths.
//!
//! An appliance's fundamental has its angle to the voltage's, and its harmonics to its own
//! fundamental. Its power goes with a power of the voltage (`voltage_exponent`); its current is at
//! most twice that at its rated voltage, and below a tenth of that voltage nothing flows.
//!
//! A tap has a breaker. From the instant on at which it opens, nothing flows at its sockets, and
//! all taps around them follow: what lies ahead of that instant is replaced, a day at a time, what
//! lies behind stays. An appliance goes on in its cycle meanwhile; one that begins with its supply
//! waits for that when it is switched on while there is none.

mod awaiting;
mod catalogue;
mod course;
mod wave;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lastmeter_units::{SimDuration, SimTime};

use crate::instant::Instant;
use crate::random::Streams;
use crate::spectrum::{Spectrum, TerminalError};
use crate::terminal::Terminal;
use crate::timeline::{Piece, Timeline, Wave};
use awaiting::Awaiting;
pub use catalogue::{APPLIANCES, APPLIANCES_TOML, Appliance};
use course::Course;
pub use course::SwitchedOn;

/// A socket of a home, with what is plugged in.
#[derive(Clone, Debug)]
pub struct Socket<'a> {
    /// What it is called within its home; names its random stream, with the home's name.
    pub name: &'a str,
    /// The phase that it is on, from 0.
    pub phase: usize,
    /// What is plugged in.
    pub appliance: &'static Appliance,
    /// When that is switched on, in order.
    pub on: Vec<SwitchedOn>,
    /// Whether it waits for its supply where there is none when it is switched on, and then goes
    /// through all that it would have.
    pub begins_with_supply: bool,
}

/// When a scenario begins, how long it lasts, and its random streams.
#[derive(Clone, Copy, Debug)]
pub struct HomeContext<'a> {
    /// The random streams.
    pub streams: &'a Streams,
    /// When it starts, UTC.
    pub start: SimTime,
    /// How long it lasts.
    pub duration: SimDuration,
}

/// What a breaker changed is laid so far ahead, and further when time has come near to that.
const AHEAD: SimDuration = SimDuration::from_seconds(86_400);

/// What the supply carries from an instant on.
#[derive(Debug)]
struct SupplySpan {
    from: SimDuration,
    spectrum: Arc<Spectrum>,
    celsius: f64,
}

/// A socket, wired.
#[derive(Debug)]
struct WiredSocket {
    phase: usize,
    appliance: &'static Appliance,
    /// The name of its random stream.
    stream: String,
}

/// A span of the supply, and a level of each socket, by their numbers.
type Carried = (usize, Vec<Option<usize>>);

/// A place where devices are connected.
#[derive(Debug)]
struct Tap {
    /// By index, in order.
    sockets: Vec<usize>,
    /// The one phase that it has; `None`: all of the supply.
    phase: Option<usize>,
    is_supply: bool,
    terminal: Terminal,
    /// What it carries with a span of the supply and a level of each of its sockets.
    known: Mutex<BTreeMap<Carried, Arc<Wave>>>,
}

/// A supply with everything that homes draw from it.
#[derive(Debug)]
struct Wiring {
    streams: Streams,
    start: SimTime,
    supply: Vec<SupplySpan>,
    sockets: Vec<WiredSocket>,
    taps: Vec<Tap>,
    until: SimDuration,
    breakers: Mutex<Breakers>,
}

/// Of the taps of a supply.
#[derive(Debug, Default)]
struct Breakers {
    /// Whether each is open.
    open: Vec<bool>,
    /// Whether any of them ever acted.
    acted: bool,
    /// From when on a tap is still as it was before a breaker acted.
    stale: Vec<Option<SimDuration>>,
    /// What each socket's appliance does, as far as it is known.
    courses: Vec<Course>,
    /// Of each socket what waits for its supply, if it does so.
    awaiting: Vec<Option<Awaiting>>,
}

/// The breaker of a tap: cheap to clone, all clones are one.
#[derive(Clone, Debug)]
pub struct Breaker {
    wiring: Arc<Wiring>,
    tap: usize,
}

/// Lays out homes on a supply.
#[derive(Debug)]
pub struct HomesBuilder<'a> {
    context: HomeContext<'a>,
    supply_name: &'a str,
    wiring: Wiring,
}

impl<'a> HomesBuilder<'a> {
    /// No homes yet; `None` if the supply is not tones at every instant.
    pub fn new(supply: &Terminal, name: &'a str, context: HomeContext<'a>) -> Option<Self> {
        let until = context.duration;
        let mut spans = Vec::new();
        let mut at = SimDuration::ZERO;
        while let Some(span) = supply.spectrum_at(at).filter(|_| supply.has_spectrum_throughout()) {
            let (spectrum, celsius) = (span.spectrum, span.temperature_celsius);
            spans.push(SupplySpan { from: at, spectrum, celsius });
            match span.until.filter(|next| *next > at && *next < until) {
                Some(next) => at = next,
                None => break,
            }
        }
        spans.first()?;
        let wiring = Wiring {
            streams: *context.streams,
            start: context.start,
            supply: spans,
            sockets: Vec::new(),
            taps: Vec::new(),
            until,
            breakers: Mutex::default(),
        };
        Some(Self { context, supply_name: name, wiring })
    }

    /// Phases of the supply, one or three.
    pub fn phases(&self) -> usize {
        self.wiring.supply[0].spectrum.voltages.len()
    }

    /// Adds a home; its taps are its feed-in, then its sockets.
    ///
    /// # Errors
    /// If something in it is no terminal.
    pub fn home(&mut self, name: &str, sockets: &[Socket<'_>]) -> Result<(), TerminalError> {
        let first = self.wiring.sockets.len();
        for socket in sockets {
            let stream = format!("home/{name}/{}", socket.name);
            let (phase, appliance) = (socket.phase, socket.appliance);
            let wired = WiredSocket { phase, appliance, stream };
            let course = self.wiring.course(&wired, &socket.on);
            let waits = socket.begins_with_supply.then(|| Awaiting::new(&socket.on));
            let breakers = self.wiring.breakers.get_mut().unwrap_or_else(PoisonError::into_inner);
            breakers.courses.push(course);
            breakers.awaiting.push(waits);
            self.wiring.sockets.push(wired);
        }
        let own = first..self.wiring.sockets.len();
        self.tap(own.clone().collect(), None, false)?;
        for (number, socket) in own.zip(sockets) {
            self.tap(vec![number], Some(socket.phase), false)?;
        }
        Ok(())
    }

    /// All taps in the order of the homes, with their breakers; the last one is the supply itself.
    ///
    /// # Errors
    /// If together they make no terminal.
    pub fn finish(mut self) -> Result<Vec<(Terminal, Breaker)>, TerminalError> {
        let all = (0..self.wiring.sockets.len()).collect();
        self.tap(all, None, true)?;
        let wiring = Arc::new(self.wiring);
        let tap = |tap: usize| {
            (wiring.taps[tap].terminal.clone(), Breaker { wiring: Arc::clone(&wiring), tap })
        };
        Ok((0..wiring.taps.len()).map(tap).collect())
    }

    fn tap(
        &mut self,
        sockets: Vec<usize>,
        phase: Option<usize>,
        is_supply: bool,
    ) -> Result<(), TerminalError> {
        let mut temperatures: Vec<(SimDuration, f64)> = Vec::new();
        for span in &self.wiring.supply {
            if temperatures.last().is_none_or(|(_, last)| *last != span.celsius) {
                temperatures.push((span.from, span.celsius));
            }
        }
        let (name, streams) = (self.supply_name, *self.context.streams);
        let silent = self.wiring.silent(phase)?;
        let timeline = Timeline::new(vec![silent], temperatures, name, streams);
        let terminal = Terminal::switched(timeline);
        let known = Mutex::new(BTreeMap::new());
        self.wiring.taps.push(Tap { sockets, phase, is_supply, terminal, known });
        let breakers = self.wiring.breakers.get_mut().unwrap_or_else(PoisonError::into_inner);
        breakers.open.push(false);
        breakers.stale.push(None);
        let tap = self.wiring.taps.len() - 1;
        let until = self.wiring.until;
        let breakers = self.wiring.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        self.wiring.lay(tap, (SimDuration::ZERO, until), &breakers.open, &breakers.courses)
    }
}

impl Wiring {
    /// What the appliance of a socket does that is switched on then.
    fn course(&self, socket: &WiredSocket, on: &[SwitchedOn]) -> Course {
        let mut draws = self.streams.stream(&socket.stream);
        Course::new(socket.appliance, on, (self.start, self.until), &mut draws)
    }

    /// Whether a breaker cuts a socket off.
    fn is_dead(&self, socket: usize, open: &[bool]) -> bool {
        let mut around = self.taps.iter().zip(open).filter(|(it, _)| !it.is_supply);
        around.any(|(it, is_open)| *is_open && it.sockets.contains(&socket))
    }

    /// Gives a socket the course of an appliance that is switched on otherwise than was known.
    fn replan(&self, socket: usize, on: &[SwitchedOn], courses: &mut [Course]) {
        courses[socket] = self.course(&self.sockets[socket], on);
        // Its levels may have other numbers now.
        for tap in self.taps.iter().filter(|tap| tap.sockets.contains(&socket)) {
            tap.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Lays the pieces of a tap from an instant on up to another.
    fn lay(
        &self,
        tap: usize,
        (from, to): (SimDuration, SimDuration),
        open: &[bool],
        courses: &[Course],
    ) -> Result<(), TerminalError> {
        let pieces = self.pieces(&self.taps[tap], (from, to), open, courses)?;
        self.taps[tap].terminal.replace(from, to, pieces);
        Ok(())
    }

    fn pieces(
        &self,
        tap: &Tap,
        (from, to): (SimDuration, SimDuration),
        open: &[bool],
        courses: &[Course],
    ) -> Result<Vec<Piece>, TerminalError> {
        let is_live = |socket: &usize| !self.is_dead(*socket, open);
        let live: Vec<bool> = tap.sockets.iter().map(is_live).collect();
        let fed = || tap.sockets.iter().zip(&live).filter(|(_, live)| **live);
        let changes = fed().flat_map(|(socket, _)| &courses[*socket].changes);
        let mut borders: Vec<SimDuration> = changes.map(|(at, _)| *at).collect();
        borders.extend(self.supply.iter().map(|span| span.from));
        borders.retain(|at| *at > from && *at < to);
        borders.push(from);
        borders.sort_unstable();
        borders.dedup();
        let mut pieces: Vec<Piece> = Vec::with_capacity(borders.len());
        for at in borders {
            let span = self.supply.partition_point(|span| span.from <= at).saturating_sub(1);
            let level = |(socket, live): (&usize, &bool)| {
                live.then(|| courses[*socket].level_at(at)).flatten()
            };
            let levels: Vec<Option<usize>> = tap.sockets.iter().zip(&live).map(level).collect();
            let wave = self.wave(tap, span, levels, courses)?;
            if !pieces.last().is_some_and(|last| Arc::ptr_eq(&last.wave, &wave)) {
                pieces.push(Piece { from: Instant::from(at), wave });
            }
        }
        Ok(pieces)
    }
}

impl Breaker {
    /// Opens or closes it at an instant since the scenario's start; nobody may have looked at the
    /// plant beyond that. Its own clones, and those of taps around it, act as one.
    pub fn switch(&self, at: SimDuration, is_closed: bool) {
        let mut breakers = self.breakers();
        if breakers.open[self.tap] == is_closed {
            breakers.open[self.tap] = !is_closed;
            breakers.acted = true;
            let own = &self.wiring.taps[self.tap].sockets;
            for (it, stale) in self.wiring.taps.iter().zip(&mut breakers.stale) {
                if it.sockets.iter().any(|socket| own.contains(socket)) {
                    *stale = Some(at);
                }
            }
            let Breakers { open, courses, awaiting, .. } = &mut *breakers;
            for &socket in own {
                let Some(waits) = &mut awaiting[socket] else { continue };
                if waits.supplied(at, !self.wiring.is_dead(socket, open)) {
                    self.wiring.replan(socket, &waits.on(), courses);
                }
            }
            self.lay_stale(at, &mut breakers);
        }
    }

    /// Lets all taps of its supply follow the breakers up to an instant, before anybody looks at
    /// them as far as that.
    pub fn follow(&self, until: SimDuration) {
        self.lay_stale(until, &mut self.breakers());
    }

    /// Closes all breakers of its supply from the beginning on, for another run.
    pub fn reset(&self) {
        let mut breakers = self.breakers();
        if std::mem::take(&mut breakers.acted) {
            breakers.open.fill(false);
            breakers.stale.fill(None);
            let Breakers { open, courses, awaiting, .. } = &mut *breakers;
            for (socket, waits) in awaiting.iter_mut().enumerate() {
                if let Some(waits) = waits {
                    waits.reset();
                    self.wiring.replan(socket, &waits.on(), courses);
                }
            }
            for tap in 0..self.wiring.taps.len() {
                self.lay(tap, (SimDuration::ZERO, self.wiring.until), open, courses);
            }
        }
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.wiring.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lay_stale(&self, until: SimDuration, breakers: &mut Breakers) {
        let Breakers { open, stale, courses, .. } = breakers;
        for (tap, stale) in stale.iter_mut().enumerate() {
            while let Some(from) = stale.filter(|from| *from <= until) {
                let to = (from + AHEAD).min(self.wiring.until.max(from));
                self.lay(tap, (from, to), open, courses);
                *stale = Some(to).filter(|to| *to < self.wiring.until);
            }
        }
    }

    fn lay(&self, tap: usize, span: (SimDuration, SimDuration), open: &[bool], courses: &[Course]) {
        // With everything closed it was a terminal, and a current less does not change that.
        self.wiring.lay(tap, span, open, courses).expect("a tap with fewer currents");
    }
}
