//! A meter that watches for tampering.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::Meter;
use crate::border::{EventKind, Output, TamperKind, TamperSensorFault};
use crate::message::Alert;
use crate::outlet::event;
use crate::tamper::Tamper;

impl Meter {
    /// Looks at its sensors up to an instant since the start, up to which its supply is known, and
    /// reports what they have latched unless it is dark or its application hangs.
    pub(super) fn watch(&mut self, to: SimDuration, out: &mut Vec<Output>) {
        let Some(tamper) = &mut self.parts.tamper else { return };
        tamper.pass(to);
        if tamper.is_dark || self.parts.outlet.is_frozen(to) {
            return;
        }
        let detected = self.parts.tamper.as_mut().map(Tamper::take);
        for it in detected.unwrap_or_default() {
            let (kind, text) = it.words();
            let facts = vec![(fact::KIND, kind.trim_start_matches("tamper.").to_owned())];
            let (level, text) = (AlertLevel::Warning, text.to_owned());
            self.alert(to, it.at, Alert { kind, level, text, facts }, out);
        }
    }

    /// Somebody tampers with it, or a sensor of tampering `shows` what is not so.
    pub(super) fn tampered(
        &mut self,
        (what, shows): (TamperKind, Option<TamperSensorFault>),
        (from, until): (SimTime, Option<SimTime>),
        out: &mut Vec<Output>,
    ) {
        let start = self.parts.outlet.start();
        let span = (from - start, until.map(|until| until - start));
        let tamper = self.parts.tamper.as_mut();
        let is_sensed = tamper.is_some_and(|tamper| tamper.tampered(what, shows, span));
        let fault = match shows {
            None => format!("tamper: {what}"),
            Some(shows) => format!("tamper_sensor: {what} shows {shows}"),
        };
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        let blind = if is_sensed { "" } else { ", which it has no sensor for" };
        event(out, EventKind::FaultBegun, &format!("{fault}{until}{blind}"));
    }
}
