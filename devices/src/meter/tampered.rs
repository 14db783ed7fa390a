//! A meter that watches for tampering.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::Meter;
use crate::border::{EventKind, Output, TamperKind, TamperSensorFault};
use crate::reporter::{Alert, event};
use crate::tamper::Tamper;

impl Meter {
    /// Looks at its sensors up to an instant since the start, up to which its supply is known, and
    /// reports what they have latched unless it is dark or its application hangs.
    pub(super) fn watch(&mut self, to: SimDuration, out: &mut Vec<Output>) {
        let Some(tamper) = &mut self.parts.tamper else { return };
        tamper.pass(to);
        if tamper.is_dark() || self.parts.outlet.is_frozen(to) {
            return;
        }
        let detected = self.parts.tamper.as_mut().map(Tamper::take);
        for it in detected.unwrap_or_default() {
            let kind = it.what.alert_type(it.begins);
            let facts = vec![(fact::KIND, kind.trim_start_matches("tamper.").to_owned())];
            let (level, text) = (AlertLevel::Warning, it.text().to_owned());
            let alert = Alert { kind, level, text, facts };
            self.alert(to, it.at, &alert, out);
        }
    }

    /// Somebody tampers with it.
    pub(super) fn tampered(
        &mut self,
        what: TamperKind,
        (from, until): (SimTime, Option<SimTime>),
        out: &mut Vec<Output>,
    ) {
        let span = self.span((from, until));
        let tamper = self.parts.tamper.as_mut();
        let is_sensed = tamper.is_some_and(|tamper| tamper.tampered(what, span));
        begun(&format!("tamper: {what}"), is_sensed, until, out);
    }

    /// A sensor of tampering shows what is not so.
    pub(super) fn tamper_sensor_broke(
        &mut self,
        what: TamperKind,
        shows: TamperSensorFault,
        (from, until): (SimTime, Option<SimTime>),
        out: &mut Vec<Output>,
    ) {
        let span = self.span((from, until));
        let tamper = self.parts.tamper.as_mut();
        let is_sensed = tamper.is_some_and(|tamper| tamper.broke(what, shows, span));
        begun(&format!("tamper_sensor: {what} shows {shows}"), is_sensed, until, out);
    }

    /// Instants since the start.
    fn span(
        &self,
        (from, until): (SimTime, Option<SimTime>),
    ) -> (SimDuration, Option<SimDuration>) {
        let start = self.parts.outlet.start();
        (from - start, until.map(|until| until - start))
    }
}

fn begun(what: &str, is_sensed: bool, until: Option<SimTime>, out: &mut Vec<Output>) {
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let blind = if is_sensed { "" } else { ", which it has no sensor for" };
    event(out, EventKind::FaultBegun, &format!("{what}{until}{blind}"));
}
