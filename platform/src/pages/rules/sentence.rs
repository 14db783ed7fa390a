//! A rule in words.

use lastmeter_model::entity::{Body, Feed, Tariff};
use lastmeter_units::MeasurementId;
use serde_json::{Map, Value};

use super::super::format::of_quantity;
use super::super::history::name_of;
use super::super::viewer::Viewer;
use crate::ops::documents;
use crate::ops::homes::Known;

/// What the words take names from.
pub(super) struct Names<'a> {
    pub(super) viewer: &'a Viewer,
    pub(super) known: &'a [Known],
}

fn quantity(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    MeasurementId::lookup(name).map_or_else(|| name.to_owned(), name_of).to_lowercase()
}

/// A length of time for people.
fn length(seconds: &Value) -> String {
    match seconds.as_u64().unwrap_or_default() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// The side and the level of a condition, in the unit in which people read the quantity.
fn level(of: &Value, unit: &str) -> String {
    let (word, level) = match &of["above"] {
        Value::Null => ("below", &of["below"]),
        level => ("above", level),
    };
    let id = of["quantity"].as_str().and_then(MeasurementId::lookup);
    let shown = id.zip(level.as_f64()).map(|(id, level)| of_quantity(id, level));
    let plain = || level.as_str().map_or_else(|| level.to_string(), str::to_owned);
    let text = shown
        .map_or_else(|| format!("{} {unit}", plain()), |it| format!("{} {}", it.text, it.unit));
    format!("{word} {}", text.trim())
}

impl Names<'_> {
    fn device(&self, id: &Value) -> String {
        let id = id.as_str().unwrap_or_default();
        let found = self.known.iter().find(|one| one.id() == id);
        found.map_or_else(|| id.to_owned(), |one| one.name.clone())
    }

    /// A document that may be read.
    fn document<T: Body>(&self, token: &Value) -> Map<String, Value> {
        let token = token.as_str().unwrap_or_default();
        let found = documents::readable(&self.viewer.caller, T::kind(), token);
        found.map(|document| document.members()).unwrap_or_default()
    }

    /// A condition as a part of a sentence.
    pub(super) fn condition(&self, when: &Value) -> String {
        let Some((kind, of)) = when.as_object().and_then(|object| object.iter().next()) else {
            return String::new();
        };
        let parts = |joint: &str| -> String {
            let parts = of.as_array().into_iter().flatten().map(|part| self.condition(part));
            parts.collect::<Vec<_>>().join(joint)
        };
        match kind.as_str() {
            "all" => parts(" and "),
            "any" => parts(" or "),
            "not" => format!("not ({})", self.condition(of)),
            _ => self.leaf(kind, of),
        }
    }

    fn leaf(&self, kind: &str, of: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // No time is left out.
        let later = |seconds: &Value, word: &str| match seconds.as_u64() {
            Some(1..) => format!(" {word} {}", length(seconds)),
            _ => String::new(),
        };
        let of_device = || self.device(&of["device"]);
        let of_quantity = || quantity(&of["quantity"]);
        match kind {
            "threshold" => {
                let held = later(&of["heldForSeconds"], "for");
                format!("{} of {} is {}{held}", of_quantity(), of_device(), level(of, ""))
            }
            "absence" => {
                let of_quantity = of["quantity"].as_str().map(|_| format!("no {}", of_quantity()));
                let what = of_quantity.unwrap_or_else(|| "nothing".to_owned());
                format!("{what} of {} comes for {}", of_device(), length(&of["forSeconds"]))
            }
            "rate" => {
                let (of_quantity, of_device) = (of_quantity(), of_device());
                format!("{of_quantity} of {of_device} changes by {} in an hour", level(of, ""))
            }
            "tariff" => {
                let tariff = self.document::<Tariff>(&of["tariff"]);
                let name = tariff.get("name").unwrap_or(&of["tariff"]);
                let currency = text(tariff.get("currency").unwrap_or(&Value::Null));
                if let Some(zone) = of["zone"].as_str() {
                    return format!("{} has the price {zone}", text(name));
                }
                let unit = format!("{currency} for 1 kWh");
                format!("the price of {} is {}", text(name), level(of, unit.trim()))
            }
            "weather" => {
                let feed = self.document::<Feed>(&of["feed"]);
                let member = |name: &str| text(feed.get(name).unwrap_or(&Value::Null));
                let name = text(feed.get("name").unwrap_or(&of["feed"]));
                let (what, ahead) = (member("quantity"), later(&of["aheadSeconds"], "in"));
                let level = level(of, &member("unit"));
                format!("{what} of {name} is {level}{ahead}").trim_start().to_owned()
            }
            "time" => {
                let days = of["weekdays"].as_array().into_iter().flatten();
                let days = days.filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
                format!("it is {} to {} on {days}", text(&of["from"]), text(&of["until"]))
            }
            "alert" => {
                let device = of["device"].as_str().map(|_| format!(" of {}", of_device()));
                let kind = of["type"].as_str().unwrap_or("any kind");
                format!("an alert {kind}{} comes", device.unwrap_or_default())
            }
            other => other.to_owned(),
        }
    }

    /// What is done, as a part of a sentence.
    pub(super) fn actions(&self, then: &Value) -> String {
        let one = |action: &Value| {
            let (kind, of) = action.as_object()?.iter().next()?;
            Some(match kind.as_str() {
                "command" => {
                    let what = match (of["command"].as_str(), of["parameters"]["state"].as_str()) {
                        (Some("setBreaker"), Some("open")) => "switch off".to_owned(),
                        (Some("setBreaker"), Some("closed")) => "switch on".to_owned(),
                        (name, _) => name.unwrap_or_default().to_owned(),
                    };
                    format!("{what} {}", self.device(&of["device"]))
                }
                "message" if of["channel"] == "email" => "send an e-mail".to_owned(),
                "message" => format!("call {}", of["url"].as_str().unwrap_or_default()),
                kind => format!(
                    "raise an {kind} \u{201c}{}\u{201d}",
                    of["text"].as_str().unwrap_or_default()
                ),
            })
        };
        let all = then.as_array().into_iter().flatten().filter_map(one);
        all.collect::<Vec<_>>().join(", then ")
    }
}
