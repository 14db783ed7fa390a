//! The way down: what is written to a simulator, when, and what became of it.
//!
//! Terms: a *target* is what a point is to have, its *value* what the last frame had; a *ramp* is
//! the way from one to the other where the point may not jump; a write is *open* until the
//! simulator reflects its target, or could have.
//!
//! A frame always has all points. Nothing is written that the map does not allow: not outside of a
//! point's range, not steeper, not faster than the card takes frames, nothing at all where the
//! adapter is read-only, and no blocked point while the simulator is operated by hand.

use lastmeter_rts::point_map::{Commanded, Point, PointDirection, PointMap, StatusRole};
use lastmeter_rts::{Offered, OnExcess, RateCounts, RateGuard, Sample, SignalType, Value};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::commands::Order;

use super::raw::written_values;
use super::writable::{
    KEPT_EVERY, OpenWrite, STAYS_IN_FORCE, Writable, WriteOutcome, rounded, within,
};
use crate::gateway::metric::is_power_of_ten;
use crate::gateway::record::PointState;

/// How long a simulator's mode is waited for before the first frame, which it may wait for itself.
const MODE_WAIT: SimDuration = SimDuration::from_seconds(1);

#[derive(Clone, Copy, Debug)]
pub(super) struct WriteSettings {
    pub(super) is_read_only: bool,
    /// How long the simulator has to reflect what was written.
    pub(super) reflect_within: SimDuration,
    /// How long the platform may be gone before all points get their safe values; `None`: forever.
    pub(super) safe_after: Option<SimDuration>,
    /// How often the state is written although nothing has changed; `None`: not at all.
    pub(super) every: Option<SimDuration>,
    pub(super) on_excess: OnExcess,
}

#[derive(Debug)]
pub(super) struct Writer {
    settings: WriteSettings,
    /// All points to the simulator, in the order of the map.
    points: Vec<Writable>,
    guard: RateGuard<()>,
    /// Between two frames of a ramp.
    period: SimDuration,
    /// Whether the simulator lacks the state, and whether that is since somebody wants another.
    is_due: bool,
    is_ordered: bool,
    has_line: bool,
    /// Since when somebody is at the line, as far as it was looked at.
    up_since: Option<SimTime>,
    kept_at: Option<SimTime>,
    last_frame: Option<SimTime>,
    start: SimTime,
    /// Where the mode stands among the points from the simulator, and what it was last.
    mode: Option<(usize, Option<bool>)>,
    /// Whether the platform is gone, and since when; from its own start on, if that was later.
    is_alone: bool,
    alone_since: Option<SimTime>,
    /// How often the state was written again because the simulator showed another one.
    rewritten: u64,
    /// Orders that came before the card had taken the frame of the one before.
    pub(super) thinned: u64,
    /// Whether the last frame was one that somebody wanted.
    was_ordered: bool,
}

impl Writer {
    /// Before anything was written; `kept` are targets of before a restart, by point.
    pub(super) fn new(
        map: &PointMap,
        settings: WriteSettings,
        kept: &[PointState],
        start: SimTime,
    ) -> Self {
        let sent: Vec<&Point> = map.of_direction(PointDirection::FromSimulator).collect();
        let points: Vec<Writable> = map
            .of_direction(PointDirection::ToSimulator)
            .map(|point| {
                let reflected = point.write.as_ref().and_then(|write| write.reflected_by);
                let reflected = reflected.and_then(|place| map.points.get(place));
                let reflected_by = reflected.and_then(|by| {
                    let place = sent.iter().position(|other| other.name == by.name)?;
                    Some((place, by.clone()))
                });
                Writable::new(point, reflected_by, kept)
            })
            .collect();
        let words = points.len() + map.simulator.wire_format.header_words();
        let own_rate = map.simulator.sample_rate;
        let rate = map.simulator.card.rate_max(words).unwrap_or(own_rate).max(1.0);
        let guard = RateGuard::new(rate.floor() as u32, settings.on_excess);
        let mode = map.position_of_role(PointDirection::FromSimulator, StatusRole::Mode);
        Self {
            period: SimDuration::from_seconds_f64(1.0 / own_rate).max(guard.period()),
            guard,
            points,
            settings,
            is_due: false,
            is_ordered: false,
            has_line: false,
            up_since: None,
            kept_at: None,
            last_frame: None,
            start,
            mode: mode.map(|place| (place, None)),
            is_alone: true,
            alone_since: None,
            rewritten: 0,
            thinned: 0,
            was_ordered: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty() || self.settings.is_read_only
    }

    /// Frames that were sent, held back and refused.
    pub(super) const fn counts(&self) -> RateCounts {
        self.guard.counts()
    }

    /// What is to be kept over a restart.
    pub(super) fn state(&mut self, now: SimTime) -> Vec<PointState> {
        self.kept_at = Some(now);
        self.points.iter().filter_map(|own| own.state(now)).collect()
    }

    /// What the last frame had, as JSON in the units of the map.
    pub(super) fn shown(&self) -> Vec<u8> {
        let written = self.points.iter().filter(|own| own.point.write.is_some());
        written_values(written.map(|own| {
            let word = rounded(&own.point, own.point.to_word(own.value));
            (&own.point, own.point.to_si(word) / own.point.unit.factor)
        }))
    }

    /// Somebody is there again: what was written before may be gone.
    pub(super) const fn line_up(&mut self) {
        (self.has_line, self.is_due, self.up_since) = (true, true, None);
    }

    /// The simulator is gone, or has been silent: nobody knows whether it still listens. What a
    /// command has set on its way is given up.
    pub(super) fn line_lost(&mut self, out: &mut WriteOutcome) {
        self.has_line = false;
        for own in self.points.iter_mut().filter(|own| own.open.is_some()) {
            own.stop("nobody is at the simulator's end of the line any more", out);
        }
    }

    pub(super) fn platform(&mut self, now: SimTime, is_there: bool) {
        self.is_alone = !is_there;
        if is_there {
            self.alone_since = None;
            self.points.iter_mut().for_each(|own| own.is_safe = false);
        } else {
            // A further attempt that failed is no new beginning.
            self.alone_since.get_or_insert(now);
        }
    }

    /// Orders a write for a device; one that is refused has the reason.
    pub(super) fn order(
        &mut self,
        now: SimTime,
        (owner, invocation): (&HardwareId, &str),
        order: &Order,
        out: &mut WriteOutcome,
    ) -> Result<(), String> {
        let (place, si) = self.meant(owner, order)?;
        // A broker delivers at least once: what is under way already goes on.
        let is_same = |open: &OpenWrite| open.invocation == invocation && open.owner == *owner;
        if self.points[place].open.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        self.may_write(now, place, si)?;
        let own = &mut self.points[place];
        let (from, unit) = (own.target, own.point.unit.factor);
        own.target = si;
        let text = format!(
            "point `{}` from {} to {}, by invocation {invocation} of {owner}",
            own.point.name,
            from / unit,
            own.shown()
        );
        out.log.push((own.point.name.clone(), text));
        out.has_new_targets = true;
        own.supersede("superseded by a later command", out);
        let (owner, invocation) = (owner.clone(), invocation.to_owned());
        own.open = Some(OpenWrite { owner, invocation, deadline: None });
        self.ordered(now);
        Ok(())
    }

    /// Writes values beside commands, by point and in the units of the map: all of them or none.
    pub(super) fn set(
        &mut self,
        now: SimTime,
        values: &[(String, f64)],
        out: &mut WriteOutcome,
    ) -> Result<(), String> {
        let mut meant = Vec::new();
        for (name, value) in values {
            let is_it = |own: &Writable| own.point.name == *name && own.is_by_order();
            let Some(place) = self.points.iter().position(is_it) else {
                let name: String = name.chars().take(64).collect();
                return Err(format!("there is no writable point `{name}`"));
            };
            let si = value * self.points[place].point.unit.factor;
            self.may_write(now, place, si)?;
            meant.push((place, si));
        }
        for (place, si) in meant {
            let own = &mut self.points[place];
            own.target = si;
            own.supersede("superseded by a set-point", out);
        }
        if !values.is_empty() {
            self.ordered(now);
        }
        Ok(())
    }

    /// Writes what a source has for a point, in the SI unit and within the limits of orders: what
    /// its words cannot carry is rounded. Where nobody is at the simulator's end, once somebody is.
    ///
    /// # Errors
    /// Why it may not be written.
    pub(super) fn feed(
        &mut self,
        now: SimTime,
        name: &str,
        si: f64,
        out: &mut WriteOutcome,
    ) -> Result<(), String> {
        let found = self.points.iter().position(|own| own.point.name == name);
        let place = found.ok_or_else(|| format!("there is no point `{name}`"))?;
        self.permits(now, place, si, false)?;
        let own = &mut self.points[place];
        let nearest = own.point.to_si(rounded(&own.point, own.point.to_word(si)));
        let is_float = own.point.signal_type == SignalType::Float;
        let target = if is_float { si } else { nearest };
        if own.target != target {
            own.target = target;
            out.has_followed = true;
            self.ordered(now);
        }
        Ok(())
    }

    /// Gives a point whose source is stale its safe value, if it has another one. What is operated
    /// by hand gets it when that ends.
    pub(super) fn feed_lost(&mut self, now: SimTime, name: &str, out: &mut WriteOutcome) {
        let is_held = self.is_held();
        let Some(own) = self.points.iter_mut().find(|own| own.point.name == name) else { return };
        if is_held && own.is_blocked_by_mode() {
            return;
        }
        let safe = own.point.write.as_ref().map_or(own.target, |write| write.safe_value);
        if std::mem::replace(&mut own.target, safe) != safe {
            out.has_followed = true;
            self.ordered(now);
        }
    }

    /// Somebody wants another state.
    fn ordered(&mut self, now: SimTime) {
        let is_too_soon = self.is_ordered || (self.was_ordered && self.allowed() > now);
        self.thinned += u64::from(is_too_soon);
        (self.is_due, self.is_ordered) = (true, true);
    }

    /// Whether a point may get a value, in the SI unit, now; else why not.
    fn may_write(&self, now: SimTime, place: usize, si: f64) -> Result<(), String> {
        if self.settings.is_read_only {
            return Err("the adapter is read-only: nothing is written".to_owned());
        }
        let name = &self.points[place].point.name;
        if !self.has_line {
            return Err(format!("point `{name}`: nobody is at the simulator's end of the line"));
        }
        self.permits(now, place, si, true)
    }

    /// Whether mode, range and card let a point have a value; else why not.
    fn permits(&self, now: SimTime, place: usize, si: f64, is_exact: bool) -> Result<(), String> {
        let own = &self.points[place];
        let name = &own.point.name;
        if own.is_blocked_by_mode() {
            match self.mode {
                Some((_, Some(true))) | None => {}
                Some((_, Some(false))) => {
                    return Err(format!(
                        "point `{name}` is blocked: the simulator is operated by hand"
                    ));
                }
                Some((_, None)) => {
                    return Err(format!(
                        "point `{name}` is blocked: the simulator has not sent its mode yet"
                    ));
                }
            }
        }
        if let Some(range) = own.point.range.filter(|it| !(it.least..=it.greatest).contains(&si)) {
            let of = |si: f64| si / own.point.unit.factor;
            return Err(format!(
                "point `{name}`: {} is outside of {} to {} {}",
                of(si),
                of(range.least),
                of(range.greatest),
                own.point.unit.symbol
            )
            .trim_end()
            .to_owned());
        }
        if is_exact {
            own.can_carry(si)?;
        }
        if self.settings.on_excess == OnExcess::Refuse && self.allowed() > now {
            return Err(format!(
                "point `{name}`: the card takes no frame before {}; give commands less often",
                self.allowed()
            ));
        }
        Ok(())
    }

    /// The writer by another map: what points of the same name have, and are to have, stays.
    ///
    /// # Errors
    /// If that is outside of a range of the new map: neither is it to be written then, nor may the
    /// point jump.
    pub(super) fn of_map(&self, map: &PointMap) -> Result<Self, String> {
        let states: Vec<_> = self.points.iter().filter_map(|own| own.state(self.start)).collect();
        for point in map.of_direction(PointDirection::ToSimulator) {
            let (Some(own), Some(range)) =
                (states.iter().find(|own| own.name == point.name), point.range)
            else {
                continue;
            };
            for si in [own.value, own.target] {
                if !(range.least..=range.greatest).contains(&si) {
                    let of = |si: f64| {
                        format!("{} {}", si / point.unit.factor, point.unit.symbol)
                            .trim_end()
                            .to_owned()
                    };
                    return Err(format!(
                        "point `{}` stands at {} on its way to {}, outside of {} to {}: bring it \
                         into its new range first",
                        point.name,
                        of(own.value),
                        of(own.target),
                        range.least / point.unit.factor,
                        of(range.greatest)
                    ));
                }
            }
        }
        Ok(Self::new(map, self.settings, &states, self.start))
    }

    /// Goes on where the writer by another map was.
    pub(super) fn takes_over(&mut self, before: &mut Self, out: &mut WriteOutcome) {
        (self.has_line, self.last_frame) = (before.has_line, before.last_frame);
        (self.up_since, self.kept_at) = (before.up_since, before.kept_at);
        if let (Some((_, mode)), Some((_, before))) = (&mut self.mode, before.mode) {
            *mode = before;
        }
        (self.is_alone, self.alone_since) = (before.is_alone, before.alone_since);
        let is_same = self.points.len() == before.points.len()
            && self.points.iter().zip(&before.points).all(|(own, other)| own.is_like(other));
        self.is_due = before.is_due || !is_same;
        if is_same {
            std::mem::swap(&mut self.guard, &mut before.guard);
        } else if let Some(last) = before.last_frame {
            // The card has had a frame then, whatever it was.
            let _ = self.guard.offer(last, ());
        }
        for own in &mut self.points {
            let other = before.points.iter_mut().find(|other| other.point.name == own.point.name);
            if let Some(other) = other {
                own.value = within(&own.point, other.value);
                own.is_safe = other.is_safe;
                own.kept = other.kept.take();
                own.open = other.open.take();
            }
        }
        for gone in &mut before.points {
            gone.supersede("the point map was read again, without this point", out);
        }
    }

    /// The point that an order is about, and its value in the SI unit.
    fn meant(&self, owner: &HardwareId, order: &Order) -> Result<(usize, f64), String> {
        let of_device = |writable: &Writable, wants_breaker: bool| {
            let commanded = writable.point.write.as_ref().and_then(|it| it.commanded.as_ref());
            commanded.is_some_and(|Commanded { device, is_breaker }| {
                device == owner.as_str() && *is_breaker == wants_breaker
            })
        };
        match order {
            Order::SetBreaker { is_open } => {
                let found = self.points.iter().position(|point| of_device(point, true));
                let found =
                    found.ok_or_else(|| format!("{owner} has no breaker that is written"))?;
                let point = &self.points[found].point;
                Ok((found, point.to_si(f64::from(u8::from(!is_open)))))
            }
            Order::SetPoint { point, value } => {
                let is_it = |own: &Writable| own.point.name == *point && of_device(own, false);
                let Some(found) = self.points.iter().position(is_it) else {
                    let own = self.points.iter().filter(|own| of_device(own, false));
                    let names: Vec<&str> = own.map(|own| own.point.name.as_str()).collect();
                    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                    let point: String = point.chars().take(64).collect();
                    return Err(format!("{owner} has no point `{point}` to write; it has {names}"));
                };
                Ok((found, value * self.points[found].point.unit.factor))
            }
            _ => Err("points of a simulator are written by `setPoint` and `setBreaker`".to_owned()),
        }
    }

    /// Takes what the simulator shows: its mode, and what it reflects.
    pub(super) fn seen(&mut self, now: SimTime, values: &[Value], out: &mut WriteOutcome) {
        if let Some((place, mode)) = &mut self.mode
            && let Some(word) = values.get(*place).copied().and_then(Value::finite)
        {
            *mode = Some(word != 0.0);
        }
        let settled = self.last_frame.is_some_and(|at| at + self.settings.reflect_within < now);
        let is_manual = self.is_manual();
        for own in &mut self.points {
            let Some((place, by)) = &own.reflected_by else { continue };
            let Some(word) = values.get(*place).copied().and_then(Value::finite) else { continue };
            if is_manual && own.is_blocked_by_mode() {
                own.follow(by.to_si(word), out);
                continue;
            }
            let (is_met, shown, target) = own.compared(by, word);
            let Some(open) = &own.open else {
                // A simulator that began again has lost what was written, whoever noticed it.
                if settled && !is_met && own.value == own.target {
                    (self.is_due, self.rewritten) = (true, self.rewritten + 1);
                    if is_power_of_ten(self.rewritten) {
                        let text = format!(
                            "point `{}` is {shown} instead of {target}: written again ({} times so \
                             far)",
                            own.point.name, self.rewritten
                        );
                        out.log.push((own.point.name.clone(), text));
                    }
                }
                continue;
            };
            if open.deadline.is_none() {
                continue;
            }
            if is_met {
                let done = format!("{} = {}, reflected", own.point.name, own.shown());
                own.answer(Ok(done), out);
            } else if own.is_overdue(now) {
                let why = format!(
                    "point `{}` is not reflected within {}: {shown} instead of {target}; \
                     {STAYS_IN_FORCE}",
                    own.point.name, self.settings.reflect_within
                );
                own.supersede(&why, out);
            }
        }
    }

    pub(super) fn run(&mut self, now: SimTime, out: &mut WriteOutcome) {
        if self.is_alone {
            self.alone_since.get_or_insert(now);
        }
        self.hold(out);
        self.take_safe_state(now, out);
        self.give_up(now, out);
        if self.is_empty() || !self.has_line {
            return;
        }
        let up_since = *self.up_since.get_or_insert(now);
        for own in &mut self.points {
            own.resume(now, self.period);
        }
        // What waits for the card is an excess only if somebody wants it.
        let waits = !self.is_ordered && self.guard.due().is_none() && self.allowed() > now;
        if waits || self.awaits_mode(up_since).is_some_and(|until| now < until) {
            return;
        }
        let is_cyclic = self.cyclic().is_some_and(|at| at <= now);
        let is_ramping = self.next_ramp().is_some_and(|at| at <= now);
        if !(self.is_due || is_cyclic || is_ramping) {
            return;
        }
        let is_allowed = match self.guard.due() {
            Some(due) if due <= now => self.guard.take(now).is_some(),
            Some(_) => return,
            None => matches!(self.guard.offer(now, ()), Offered::Send(())),
        };
        if is_allowed {
            self.write(now, out);
        }
    }

    /// Moves all values towards their targets, and makes the frame.
    fn write(&mut self, now: SimTime, out: &mut WriteOutcome) {
        let since = self.last_frame.map_or(self.period, |last| (now - last).min(self.period));
        let seconds = since.as_seconds_f64();
        let unix = (now.0.div_euclid(1_000_000_000), now.0.rem_euclid(1_000_000_000));
        let is_held = self.is_held();
        let mut values = Vec::with_capacity(self.points.len());
        for own in &mut self.points {
            if !(is_held && own.is_blocked_by_mode()) {
                own.advance(seconds);
            }
            let word = match own.point.role() {
                Some(StatusRole::Seconds) => unix.0 as f64,
                Some(StatusRole::Nanoseconds) => unix.1 as f64,
                Some(StatusRole::Sequence) => self.guard.counts().sent as f64,
                Some(StatusRole::NewData) => 1.0,
                Some(_) => 0.0,
                None => own.point.to_word(own.value),
            };
            values.push(Value::of_word(word, own.point.signal_type));
            let is_there = own.value == own.target;
            if !is_there {
                continue;
            }
            if own.reflected_by.is_some() {
                let deadline = now + self.settings.reflect_within;
                if let Some(open) = &mut own.open {
                    open.deadline.get_or_insert(deadline);
                }
            } else if let Some(open) = &own.open {
                let done = format!("{} = {}, written, not reflected", own.point.name, own.shown());
                out.unreflected.push((open.owner.clone(), done.clone()));
                own.answer(Ok(done), out);
            }
        }
        self.was_ordered = self.is_ordered;
        (self.is_due, self.is_ordered, self.last_frame) = (false, false, Some(now));
        let is_ramping = self.points.iter().any(|own| own.value != own.target);
        let is_kept = self.kept_at.is_some_and(|at| now - at < KEPT_EVERY);
        out.has_new_targets |= is_ramping && !is_kept;
        let origin = Some((u64::try_from(unix.0).unwrap_or(0), unix.1 as u32));
        out.frame = Some(Sample { sequence: None, origin, values });
    }

    /// Answers writes that were not reflected in time.
    fn give_up(&mut self, now: SimTime, out: &mut WriteOutcome) {
        for own in &mut self.points {
            if own.is_overdue(now) {
                let why = format!(
                    "point `{}` is not reflected within {}; {STAYS_IN_FORCE}",
                    own.point.name, self.settings.reflect_within
                );
                own.supersede(&why, out);
            }
        }
    }

    fn is_manual(&self) -> bool {
        self.mode.is_some_and(|(_, mode)| mode == Some(false))
    }

    /// Whether blocked points must not move: by hand, or before the mode is known.
    fn is_held(&self) -> bool {
        self.mode.is_some_and(|(_, mode)| mode != Some(true))
    }

    /// Until when the first frame waits for the mode, if a point depends on it.
    fn awaits_mode(&self, up_since: SimTime) -> Option<SimTime> {
        let is_unknown = self.mode.is_some_and(|(_, mode)| mode.is_none());
        let is_first = self.last_frame.is_none();
        let is_needed = self.points.iter().any(Writable::is_blocked_by_mode);
        (is_unknown && is_first && is_needed).then(|| up_since + MODE_WAIT)
    }

    /// While the simulator is operated by hand, blocked points stay where they are: what was on its
    /// way is given up, and does not go on by itself later.
    fn hold(&mut self, out: &mut WriteOutcome) {
        if !self.is_manual() {
            return;
        }
        for own in self.points.iter_mut().filter(|own| own.is_blocked_by_mode()) {
            own.stop("the simulator is operated by hand", out);
        }
    }

    /// All points get their safe values once the platform has been gone for too long; those that
    /// are operated by hand when that ends.
    fn take_safe_state(&mut self, now: SimTime, out: &mut WriteOutcome) {
        if self.is_empty() || self.safe_at().is_none_or(|at| now < at) {
            return;
        }
        let is_held = self.is_held();
        for own in &mut self.points {
            let Some(write) = &own.point.write else { continue };
            if (is_held && own.is_blocked_by_mode()) || std::mem::replace(&mut own.is_safe, true) {
                continue;
            }
            if own.target == write.safe_value {
                continue;
            }
            let unit = own.point.unit.factor;
            let (from, name) = (own.target / unit, own.point.name.clone());
            own.target = write.safe_value;
            let text = format!("point `{name}` from {from} to {}: the safe state", own.shown());
            out.log.push((name, text));
            own.supersede("the safe state was taken: the platform was gone", out);
            (self.is_due, self.is_ordered) = (true, true);
            (out.has_new_targets, out.is_safe_now) = (true, true);
        }
    }

    fn safe_at(&self) -> Option<SimTime> {
        Some(self.alone_since? + self.settings.safe_after?)
    }

    fn cyclic(&self) -> Option<SimTime> {
        Some(self.last_frame? + self.settings.every?)
    }

    fn next_ramp(&self) -> Option<SimTime> {
        let is_held = self.is_held();
        let moves =
            |own: &Writable| own.value != own.target && !(is_held && own.is_blocked_by_mode());
        self.points.iter().any(moves).then_some(self.last_frame? + self.period)
    }

    /// When the card takes another frame.
    fn allowed(&self) -> SimTime {
        self.last_frame.map_or(self.start, |last| last + self.guard.period())
    }

    pub(super) fn wake_at(&self) -> Option<SimTime> {
        if self.is_empty() {
            return None;
        }
        let open = self.points.iter().filter_map(|own| own.open.as_ref()?.deadline);
        let open = open.map(|deadline| deadline + SimDuration(1));
        let is_held = self.is_held();
        let is_open = |own: &Writable| {
            own.point.write.is_some() && !own.is_safe && !(is_held && own.is_blocked_by_mode())
        };
        let safe = self.safe_at().filter(|_| self.points.iter().any(is_open));
        let line = [self.is_due.then(|| self.allowed()), self.cyclic(), self.next_ramp()];
        // Whatever is wanted, the card takes nothing before.
        let free = self.guard.due().unwrap_or_else(|| self.allowed());
        let mode = self.up_since.and_then(|since| self.awaits_mode(since));
        let free = mode.map_or(free, |until| until.max(free));
        let line = line.into_iter().flatten().filter(|_| self.has_line).map(|at| at.max(free));
        open.chain(safe).chain(line).min()
    }
}

#[cfg(test)]
#[path = "writing_tests.rs"]
mod tests;
