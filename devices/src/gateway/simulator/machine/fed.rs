//! Values of devices, flows and paths of REST on their way to the simulator: within the limits of
//! commands, reported where they are refused or stale.

use lastmeter_units::SimTime;
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::{Adapter, Kind, Out, event};
use crate::gateway::GatewayOutput;
use crate::gateway::metric::is_power_of_ten;
use crate::gateway::simulator::feeding::Came;
use crate::gateway::simulator::writable::WriteOutcome;

/// Under which name it is kept of when the values of sources are.
pub(super) const PART: &str = "fed";

impl Adapter {
    /// Keeps what is written, and of when the values of sources are.
    pub(super) fn keep_written(&mut self, now: SimTime, out: &mut Out) {
        if !self.feeds.all().is_empty() {
            self.parts.store.remember_part(PART, self.feeds.kept());
        }
        let state = self.writer.state(now);
        self.parts.store.keep_points(state, out);
    }

    /// Asks the sources that are due, and gives points whose sources are stale their safe values.
    pub(super) fn feed(&mut self, now: SimTime, out: &mut Out) {
        out.extend(self.feeds.due(now).into_iter().map(GatewayOutput::Request));
        for place in self.feeds.gone_stale(now) {
            let age_s = self.feeds.age(place, now).as_seconds_f64();
            let fed = self.feeds.get(place);
            let (point, count) = (fed.point.clone(), fed.counts.stale);
            let text = format!(
                "point `{point}`: its source has had no value for it for {age_s:.1} s; it gets its \
                 safe value"
            );
            event(out, Kind::PointWritten, text.clone());
            let facts = vec![
                (fact::POINT, point),
                (fact::COUNT, count.to_string()),
                (fact::DURATION_S, age_s.to_string()),
            ];
            let alert = ("simulator.feed_stale", AlertLevel::Error, text);
            self.alert(now, alert, facts, out);
        }
        let mut written = WriteOutcome::default();
        // Also after it had it: by hand it may have got another one.
        for fed in self.feeds.all().iter().filter(|fed| fed.is_stale) {
            self.writer.feed_lost(now, &fed.point, &mut written);
        }
        self.sets.is_unkept |= written.has_followed;
    }

    /// Writes what came of sources, as far as a command could.
    pub(super) fn fed(&mut self, now: SimTime, came: Vec<Came>, out: &mut Out) {
        for (place, value) in came {
            let fed = self.feeds.get(place);
            let point = fed.point.clone();
            let (si, at) = match value {
                Ok(value) => value,
                Err(why) => {
                    fed.counts.missing += 1;
                    let count = fed.counts.missing;
                    if is_power_of_ten(count) {
                        let detail = format!("for point `{point}` ({count} so far): {why}");
                        event(out, Kind::AnswerRefused, detail);
                    }
                    continue;
                }
            };
            let mut written = WriteOutcome::default();
            match self.writer.feed(now, &point, si, &mut written) {
                Ok(()) => self.fed_value_taken(now, (place, at), out),
                Err(why) => self.fed_value_refused(now, place, &why, out),
            }
            self.written(now, written, out);
        }
    }

    fn fed_value_taken(&mut self, now: SimTime, (place, at): (usize, SimTime), out: &mut Out) {
        let fed = self.feeds.get(place);
        let was_away = fed.is_stale || fed.is_refused;
        fed.taken(at);
        // Of when it is has to be known after a restart, also where it is the same.
        self.sets.is_unkept = true;
        let (point, count) = (fed.point.clone(), fed.counts.taken);
        if was_away {
            let text = format!("point `{point}`: its source has values for it again");
            let facts = vec![(fact::POINT, point)];
            self.alert(now, ("simulator.feed_back", AlertLevel::Info, text), facts, out);
        } else if is_power_of_ten(count) {
            let detail = format!("point `{point}` by its source ({count} so far)");
            event(out, Kind::PointWritten, detail);
        }
    }

    /// Reports the first of several values one after another that are refused.
    fn fed_value_refused(&mut self, now: SimTime, place: usize, why: &str, out: &mut Out) {
        let fed = self.feeds.get(place);
        fed.counts.refused += 1;
        let (point, count) = (fed.point.clone(), fed.counts.refused);
        if is_power_of_ten(count) {
            event(out, Kind::CommandRefused, format!("by its source ({count} so far): {why}"));
        }
        if !std::mem::replace(&mut fed.is_refused, true) {
            let text = format!("a value of its source is not written: {why}");
            let facts = vec![(fact::POINT, point), (fact::COUNT, count.to_string())];
            let alert = ("simulator.feed_refused", AlertLevel::Warning, text);
            self.alert(now, alert, facts, out);
        }
    }
}
