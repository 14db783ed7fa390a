//! Presence: a device of which nothing is heard for longer than its specification allows is
//! missing, until it is heard again. Each is an alert of the platform's own, and missing an alarm.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_model::document::Document;
use lastmeter_model::entity::{AlarmKey, Body as _, Device, DeviceStatus, Specification};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use crate::border::{Input, Output, Service, ServiceKind};

/// The row of [`crate::SERVICES`].
pub(crate) const KIND: ServiceKind = ServiceKind {
    name: "presence",
    doc: "raises `presence.missing` for a device that is not heard for longer than its \
        specification's `presenceAfter`, and `presence.present` when it is heard again",
    kinds: &[Specification::CODE, Device::CODE],
    build: |snapshot| Box::new(Presence::of(snapshot)),
};

/// Alerts of presence stand under this id.
const SOURCE: &str = "$presence";
const MISSING: &str = "presence.missing";
const PRESENT: &str = "presence.present";

#[derive(Debug, Default)]
struct Presence {
    /// By specification: after how long a device is missing.
    limits: BTreeMap<String, SimDuration>,
    /// By device: its specification.
    specifications: BTreeMap<HardwareId, String>,
    kept: Kept,
    /// When devices that are watched and present will be missing.
    due: BTreeSet<(SimTime, HardwareId)>,
}

/// What no document has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    heard: BTreeMap<HardwareId, SimTime>,
    missing: BTreeSet<HardwareId>,
}

impl Presence {
    fn of(snapshot: Option<&[u8]>) -> Self {
        let kept = snapshot.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self { kept: kept.unwrap_or_default(), ..Self::default() }
    }

    fn limit(&self, device: &HardwareId) -> Option<SimDuration> {
        self.limits.get(self.specifications.get(device)?).copied()
    }

    /// When a device is missing unless it is heard before.
    fn due_of(&self, device: &HardwareId) -> Option<SimTime> {
        if self.kept.missing.contains(device) {
            return None;
        }
        Some(*self.kept.heard.get(device)? + self.limit(device)?)
    }

    /// Does something to a device of which it depends when it is missing.
    fn change(&mut self, device: &HardwareId, change: impl FnOnce(&mut Self)) {
        self.change_all(std::slice::from_ref(device), change);
    }

    /// The same of several devices of which it depends together.
    fn change_all(&mut self, devices: &[HardwareId], change: impl FnOnce(&mut Self)) {
        for device in devices {
            if let Some(before) = self.due_of(device) {
                self.due.remove(&(before, device.clone()));
            }
        }
        change(self);
        for device in devices {
            if let Some(after) = self.due_of(device) {
                self.due.insert((after, device.clone()));
            }
        }
    }

    fn heard(&mut self, device: &HardwareId, at: SimTime, out: &mut Vec<Output>) {
        if self.limit(device).is_none() {
            return;
        }
        if self.kept.missing.contains(device) {
            raise(device, PRESENT, at, &self.kept.heard, out);
        }
        self.change(device, |this| {
            this.kept.missing.remove(device);
            let heard = this.kept.heard.entry(device.clone()).or_insert(at);
            *heard = (*heard).max(at);
        });
    }

    fn document(&mut self, document: &Document, now: SimTime, out: &mut Vec<Output>) {
        if document.kind.code == Specification::CODE {
            let body = serde_json::from_str::<Specification>(&document.body).ok();
            let limit = body.filter(|_| !document.is_deleted).and_then(|it| it.presence_after);
            let limit = limit.map(|seconds| SimDuration(i64::from(seconds) * 1_000_000_000));
            let is_of = |(_, of): &(&HardwareId, &String)| **of == document.token;
            let of: Vec<_> = self
                .specifications
                .iter()
                .filter(is_of)
                .map(|(device, _)| device.clone())
                .collect();
            self.change_all(&of, |this| match limit {
                Some(limit) => _ = this.limits.insert(document.token.clone(), limit),
                None => _ = this.limits.remove(&document.token),
            });
            for device in &of {
                self.watch(device, now, out);
            }
        } else if let Ok(device) = HardwareId::new(&document.token) {
            let body = serde_json::from_str::<Device>(&document.body).ok();
            let is_there =
                |body: &Device| !document.is_deleted && body.status == DeviceStatus::Registered;
            let of = body.filter(is_there).and_then(|body| body.specification_token);
            self.change(&device, |this| match of {
                Some(of) => _ = this.specifications.insert(device.clone(), of.to_string()),
                None => _ = this.specifications.remove(&device),
            });
            self.watch(&device, now, out);
        }
    }

    /// Counts silence from now on for a device that is watched from now on; who is watched no
    /// longer is not missing either.
    fn watch(&mut self, device: &HardwareId, now: SimTime, out: &mut Vec<Output>) {
        if self.limit(device).is_some() {
            self.change(device, |this| _ = this.kept.heard.entry(device.clone()).or_insert(now));
        } else {
            self.kept.heard.remove(device);
            if self.kept.missing.remove(device) {
                out.push(alarm(device, None, now));
            }
        }
    }
}

fn raise(
    device: &HardwareId,
    kind: &str,
    at: SimTime,
    heard: &BTreeMap<HardwareId, SimTime>,
    out: &mut Vec<Output>,
) {
    let Ok(source) = HardwareId::new(SOURCE) else { return };
    let level = if kind == MISSING { AlertLevel::Warning } else { AlertLevel::Info };
    let last = heard.get(device).copied().unwrap_or(at);
    let text = format!("{device} was heard last at {last}");
    let metadata = [("device", device.to_string()), ("last_heard", last.to_string())];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value)).into();
    out.push(Output::Alert { source, kind: kind.to_owned(), level, text, at, metadata });
    out.push(alarm(device, (kind == MISSING).then_some(level), at));
}

fn alarm(device: &HardwareId, level: Option<AlertLevel>, at: SimTime) -> Output {
    let key = AlarmKey {
        source: KIND.name.to_owned(),
        kind: MISSING.to_owned(),
        device: Some(device.clone()),
    };
    let text = format!("{device} is not heard");
    Output::Alarm { key, level, text, at, owner: None }
}

impl Service for Presence {
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Document(document) => self.document(document, now, out),
            Input::Started => {
                let is_watched = |device: &HardwareId| self.limit(device).is_some();
                let known = self.kept.heard.keys().filter(|device| !is_watched(device));
                let gone: Vec<HardwareId> = known.cloned().collect();
                for device in &gone {
                    self.watch(device, now, out);
                }
            }
            // What is late was heard when it came.
            Input::Reading { row, .. } => self.heard(&row.device, now.max(row.received), out),
            Input::Alert { row, .. } => self.heard(&row.device, now.max(row.received), out),
            Input::Wake => {
                while let Some((at, device)) =
                    self.due.first().filter(|(at, _)| *at <= now).cloned()
                {
                    self.change(&device, |this| _ = this.kept.missing.insert(device.clone()));
                    raise(&device, MISSING, at, &self.kept.heard, out);
                }
            }
            // It asks nothing.
            Input::Answer { .. } => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.limits.is_empty()
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.due.first().map(|(at, _)| *at)
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kept).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_model::document::{Document, kind_of_name};
    use serde_json::{Value, json};

    use super::*;

    fn document(kind: &str, token: &str, body: &Value) -> Document {
        let kind = kind_of_name(kind).unwrap();
        assert!((kind.check)(body).is_ok(), "{body}");
        Document {
            kind,
            token: token.to_owned(),
            version: 1,
            created: SimTime(0),
            changed: SimTime(0),
            by: "bench".to_owned(),
            is_deleted: false,
            body: body.to_string(),
        }
    }

    fn missing_at(out: &[Output]) -> Vec<i64> {
        let alerts = out.iter().filter_map(|output| match output {
            Output::Alert { at, .. } => Some(at.0 / 1_000_000_000),
            _ => None,
        });
        alerts.collect()
    }

    #[test]
    fn a_limit_that_changes_holds_for_all_devices_of_its_specification() {
        let specification = |seconds: u32| {
            document("specification", "s", &json!({ "name": "s", "presenceAfter": seconds }))
        };
        let device = json!({ "status": "registered", "specificationToken": "s" });
        let (mut presence, mut out) = (Presence::default(), Vec::new());
        presence.step(SimTime(0), Input::Document(&specification(20)), &mut out);
        for token in ["a", "b", "c"] {
            presence.step(
                SimTime(0),
                Input::Document(&document("device", token, &device)),
                &mut out,
            );
        }
        assert_eq!(presence.due.len(), 3);
        for seconds in [40, 10, 30] {
            presence.step(SimTime(0), Input::Document(&specification(seconds)), &mut out);
            assert_eq!(presence.due.len(), 3, "each is due once");
        }
        let at = presence.wake_at().unwrap();
        presence.step(at, Input::Wake, &mut out);
        assert_eq!((missing_at(&out), presence.wake_at()), (vec![30, 30, 30], None));
    }
}
