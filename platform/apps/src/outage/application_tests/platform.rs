//! The platform of the application's tests: it answers requests, and keeps what is published.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use lastmeter_wire::flexmeter::{Limits, decode_result};
use lastmeter_wire::rest::{Answer, Request};
use serde_json::{Value, json};

use super::super::tests::network;

/// What a platform keeps of messages.
#[derive(Default)]
pub(super) struct Platform {
    /// Of each device its alerts, newest last: what `latestAlerts` lists.
    pub(super) alerts: BTreeMap<String, Vec<Value>>,
    pub(super) readings: BTreeMap<String, SimTime>,
    pub(super) results: Vec<Value>,
    pub(super) is_open: bool,
    pub(super) version: u64,
    pub(super) by: Option<&'static str>,
    /// Devices that are not listed for the application.
    pub(super) hidden: Vec<String>,
    /// Whether what comes of meters does not update their states.
    pub(super) is_stateless: bool,
    /// Who was polled, in order; those that answer.
    pub(super) polled: Vec<String>,
    pub(super) answering: Vec<String>,
    /// Whether it answers nothing but 503.
    pub(super) is_down: bool,
    pub(super) asked: usize,
}

impl Platform {
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        self.asked += 1;
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body = match path {
            "/api/v1/electric-networks/given" => document(),
            "/api/v1/electric-networks/feeder/topology" => {
                json!({ "version": self.version, "states": [!self.is_open], "by": self.by })
            }
            "/sitewhere/api/devices" => {
                assert_eq!(query, "page=1&pageSize=1000");
                let is_listed = |it: &Value| !self.hidden.iter().any(|id| it["hardwareId"] == **id);
                let listed: Vec<_> = devices().into_iter().filter(is_listed).collect();
                json!({ "numResults": listed.len(), "results": listed })
            }
            "/api/v1/results" => {
                let after: usize = query.split('&').nth(2).unwrap()[6..].parse().unwrap();
                let rows: Vec<_> = self.results.iter().skip(after).take(2).collect();
                let next = after + rows.len();
                json!({ "results": rows, "next": next.to_string(),
                        "more": next < self.results.len() })
            }
            "/sitewhere/api/devices/finder/assignment" => {
                if self.hidden.iter().any(|id| id == "finder") {
                    return Answer { status: 404, ..reply(request, &Value::Null) };
                }
                let alerts = self.alerts.get("finder").into_iter().flatten().rev();
                json!({ "state": { "latestAlerts": alerts.take(10).collect::<Vec<_>>() } })
            }
            _ if path.contains("/invocations") => self.poll(request),
            _ => {
                let device = path.strip_prefix("/sitewhere/api/assignments/of-").unwrap();
                let of = device.strip_suffix("/measurements").unwrap_or(device);
                let last = self.readings.get(of).map(|at| json!({ "eventDate": at }));
                let last: Vec<_> = last.into_iter().collect();
                if device != of {
                    assert_eq!(query, "page=1&pageSize=1");
                    let list = json!({ "numResults": last.len(), "results": last });
                    return reply(request, &list);
                }
                let alerts = self.alerts.get(device).cloned().unwrap_or_default();
                json!({ "token": path, "state": {
                    "lastInteractionDate": last.first().map(|it| it["eventDate"].clone()),
                    "latestMeasurements": if self.is_stateless { vec![] } else { last },
                    "latestAlerts": alerts.iter().rev().take(10).collect::<Vec<_>>(),
                } })
            }
        };
        let status = if self.is_down { 503 } else { 200 };
        Answer { status, ..reply(request, &body) }
    }

    pub(super) fn poll(&mut self, request: &Request) -> Value {
        if let Some(body) = &request.body {
            let order: Value = serde_json::from_str(body).unwrap();
            assert_eq!(order["commandToken"], "readRegister");
            assert_eq!(order["expiresAfterSeconds"], 10.0);
            self.polled.push(request.path.split('/').nth(4).unwrap()["of-meter-".len()..].into());
            return json!({ "id": (self.polled.len() - 1).to_string(), "response": null });
        }
        let number = request.path.rsplit('/').next().unwrap();
        let device = &self.polled[number.parse::<usize>().unwrap()];
        let response = self.answering.contains(device).then_some("CHV1 is 0x000");
        json!({ "id": number, "response": response })
    }

    /// Takes what is published by the application; what is not received whole is lost.
    pub(super) fn take(&mut self, now: SimTime, topic: &str, payload: &[u8]) {
        if topic == "t/device/finder/input/result" {
            let it = decode_result(payload, &Limits::default()).unwrap();
            self.results.push(json!({
                "device": it.hardware_id, "epoch": it.epoch.0, "serial": it.serial.0,
                "kind": it.kind, "subject": it.subject, "from": it.from, "until": it.until,
                "content": it.content,
            }));
        } else {
            assert_eq!(topic, "t/device/finder/input/json");
            let alert: Value = serde_json::from_slice(payload).unwrap();
            let request = &alert["request"];
            self.keep("finder", now, &request["type"], &request["metadata"], now);
        }
    }

    pub(super) fn keep(
        &mut self,
        device: &str,
        now: SimTime,
        kind: &Value,
        facts: &Value,
        date: SimTime,
    ) {
        let row = json!({
            "type": kind, "eventDate": date, "receivedDate": now, "metadata": facts,
        });
        self.alerts.entry(device.to_owned()).or_default().push(row);
    }

    pub(super) fn alert_types(&self) -> Vec<String> {
        let own = self.alerts.get("finder").into_iter().flatten();
        own.map(|it| it["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Subject, state and names of areas of each result.
    pub(super) fn found(&self) -> Vec<(String, String, String)> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let names = |it: &Value| {
            it.as_array().unwrap().iter().map(|area| text(&area["name"])).collect::<String>()
        };
        let row = |it: &Value| {
            let content = &it["content"];
            (text(&it["subject"]), text(&content["state"]), names(&content["areas"]))
        };
        self.results.iter().map(row).collect()
    }
}

fn reply(request: &Request, body: &Value) -> Answer {
    Answer { number: request.number, status: 200, body: body.to_string().into_bytes() }
}

/// The network as the platform gives it: the switch is a link there.
fn document() -> Value {
    let written = lastmeter_grid::format::pgm::write(&network()).unwrap();
    json!({
        "token": "given", "name": "two lines", "model": written.json,
        "switches": [{ "id": written.switches[0], "normal": true }],
        "metadata": { "of": "feeder" },
    })
}

fn devices() -> Vec<Value> {
    let network = network();
    let device = |load: &str| {
        let last_gasp = if load == "a6" { "false" } else { "true" };
        json!({
            "hardwareId": format!("meter-{load}"), "assignmentToken": format!("of-meter-{load}"),
            "metadata": { "network": "feeder", "load": load, "last_gasp": last_gasp },
        })
    };
    let meters = network.loads.iter().map(|load| device(&load.name));
    let others = ["finder", "elsewhere"].map(|name| {
        json!({ "hardwareId": name, "assignmentToken": format!("of-{name}"), "metadata": {} })
    });
    meters.chain(others).collect()
}
