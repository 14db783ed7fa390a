//! Requests of a scenario over REST and to pages of gateways: sent at their instants, and held
//! against what they state.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_devices::{PageAnswer, PageMethod, PageRequest};
use lastmeter_language::{Asker, RequestBody, RequestRow, Scenario};
use lastmeter_link::http::Client;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::SimTime;
use serde_json::Value;

use super::error::{BenchError, chain};
use super::run_platform::UnderTest;

/// The longest part of a value that an event shows.
const SHOWN_BYTES_MAX: usize = 120;

/// The requests of a scenario, in the order of its file.
pub(crate) fn requests(scenario: &Scenario) -> &[RequestRow] {
    scenario.part::<Vec<RequestRow>>().map_or(&[], Vec::as_slice)
}

/// What was answered, by the platform or by a gateway's page.
struct Answered {
    status: u16,
    body: Bytes,
    /// Of a page: the cookie that it sets, as `name=value`.
    cookie: Option<String>,
}

impl Answered {
    /// The body as JSON; nothing if it is none.
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What is to be kept at a pointer, or one of a page's own places.
    fn kept(&self, pointer: &str) -> Option<String> {
        if pointer == "cookie" {
            return self.cookie.clone();
        }
        if let Some(name) = pointer.strip_prefix("input:") {
            let body = String::from_utf8_lossy(&self.body);
            let inputs = body.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
            let mut own = inputs.filter(|tag| tag.contains(&format!(" name=\"{name}\"")));
            let value = own.next()?.split(" value=\"").nth(1)?;
            return value.split('"').next().map(str::to_owned);
        }
        match self.json().pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// What was kept of the answers so far.
#[derive(Default)]
pub(crate) struct Requests {
    kept: BTreeMap<String, String>,
}

impl Requests {
    /// What the asker of a request shows: nothing of its own, or what was kept under its name.
    fn shown_by<'a>(&'a self, row: &RequestRow, platform: &'a UnderTest) -> Option<&'a str> {
        match &row.who {
            Asker::Bench => None,
            Asker::Nobody => Some(""),
            // Without it the request is nobody's, and its answer shows that.
            Asker::Kept(name) => Some(self.token(name, platform).unwrap_or("")),
        }
    }

    /// The bearer token of a tenant, or that was kept under a name by now.
    pub(crate) fn token<'a>(&'a self, name: &str, platform: &'a UnderTest) -> Option<&'a str> {
        let of_tenant = platform.tenants.iter().find(|(tenant, _)| tenant.as_str() == name);
        let kept = of_tenant.map(|(_, profile)| &profile.token).or(self.kept.get(name));
        kept.map(String::as_str)
    }

    /// Sends the request of this index to the platform and returns what is noted of it.
    pub(crate) async fn send(
        &mut self,
        scenario: &Scenario,
        index: usize,
        (platform, now): (&UnderTest, SimTime),
    ) -> Result<Event, BenchError> {
        let (row, profile) = (&requests(scenario)[index], &platform.profile);
        let client = match &row.door {
            None => profile.rest_client(),
            Some(door) => {
                let address = profile.doors.get(door).map_or("", String::as_str);
                Client::new(&format!("http://{address}"), profile.device_password())
            }
        };
        let client = client.map_err(|error| BenchError::Rest(chain(&error)))?;
        let body = self.body(row);
        let path = self.filled_text(&row.path);
        let body = body.as_deref().map(|body| (row.media_type.as_str(), body));
        let token = self.shown_by(row, platform);
        let asked = client.ask(&row.method, &path, body, token).await;
        let answer = asked.map(|(status, body)| Answered { status, body, cookie: None });
        Ok(self.noted(row, now, &answer.map_err(|error| chain(&error))))
    }

    fn body(&self, row: &RequestRow) -> Option<String> {
        row.body.as_ref().map(|body| match body {
            RequestBody::Json(value) => self.filled(value).to_string(),
            RequestBody::Text(text) => self.filled_text(text),
        })
    }

    /// What a browser asks a gateway for by the request of this index, if that is to a page.
    pub(crate) fn page(
        &self,
        scenario: &Scenario,
        index: usize,
        platform: &UnderTest,
    ) -> Option<(String, PageRequest)> {
        let row = &requests(scenario)[index];
        let host = row.page.clone()?;
        let is_post = row.method == "POST";
        let own = is_post.then(|| format!("http://{host}"));
        let request = PageRequest {
            method: if is_post { PageMethod::Post } else { PageMethod::Get },
            path: self.filled_text(&row.path),
            cookie: self.shown_by(row, platform).filter(|it| !it.is_empty()).map(str::to_owned),
            origin: row.origin.clone().or(own),
            host: Some(host.clone()),
            body: self.body(row).unwrap_or_default().into_bytes(),
        };
        Some((host, request))
    }

    /// What is noted of the request of this index once its page has answered, or not.
    pub(crate) fn paged(
        &mut self,
        scenario: &Scenario,
        (index, now): (usize, SimTime),
        answer: Option<PageAnswer>,
    ) -> Event {
        let answer = answer.map(|PageAnswer { status, set_cookie, body, .. }| Answered {
            status,
            body: body.into(),
            cookie: set_cookie.and_then(|set| set.split(';').next().map(str::to_owned)),
        });
        let answer = answer.ok_or_else(|| "the gateway answers no pages".to_owned());
        self.noted(&requests(scenario)[index], now, &answer)
    }

    /// Judges and keeps what came of a request.
    fn noted(
        &mut self,
        row: &RequestRow,
        now: SimTime,
        answer: &Result<Answered, String>,
    ) -> Event {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let wrong = match answer {
            Err(why) => Some(why.clone()),
            Ok(answer) => self.differs(row, answer),
        };
        let missing = row.keep.iter().find_map(|(name, pointer)| {
            let Some(text) = answer.as_ref().ok().and_then(|answer| answer.kept(pointer)) else {
                return Some(format!("there is nothing at {pointer} to keep as `{name}`"));
            };
            self.kept.insert(name.clone(), text);
            None
        });
        let wrong = wrong.or(missing);
        let event = Event::new(now, "bench", EventKind::Request)
            .with(field::NAME, row.name.as_str())
            .with(field::METHOD, row.method.as_str())
            .with(field::PATH, row.path.as_str())
            .with(field::STATUS, status)
            .with(field::EXPECTED, row.expect)
            .with(field::IS_AS_EXPECTED, wrong.is_none());
        match wrong {
            Some(detail) => event.with_prose(field::DETAIL, detail),
            None => event,
        }
    }

    /// What of an answer is not as expected.
    fn differs(&self, row: &RequestRow, answer: &Answered) -> Option<String> {
        let (json, status) = (answer.json(), answer.status);
        if status != row.expect {
            let code = json.get("code").and_then(Value::as_str).unwrap_or("no code");
            return Some(format!("{status} ({code}) was answered, expected {}", row.expect));
        }
        let body = String::from_utf8_lossy(&answer.body);
        let mut wanted = row.contains.iter().map(|text| self.filled_text(text));
        if let Some(text) = wanted.find(|text| !body.contains(text.as_str())) {
            return Some(format!("the answer is without {}", shown(&text.into())));
        }
        let expected = self.filled(row.answer.as_ref()?);
        difference("", &expected, &json)
    }

    /// A value with what was kept in place of its names.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.filled_text(text).into(),
            Value::Array(list) => list.iter().map(|one| self.filled(one)).collect(),
            Value::Object(members) => {
                let filled = members.iter().map(|(name, one)| (name.clone(), self.filled(one)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    fn filled_text(&self, text: &str) -> String {
        let fill = |text: String, (name, kept): (&String, &String)| {
            text.replace(&format!("{{{name}}}"), kept)
        };
        self.kept.iter().fold(text.to_owned(), fill)
    }
}

/// The first place at which a value has not what is expected, with both.
fn difference(place: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(members), Value::Object(there)) => {
            members.iter().find_map(|(name, expected)| {
                let place = format!("{place}/{name}");
                match there.get(name) {
                    Some(found) => difference(&place, expected, found),
                    None => Some(format!("{place} is missing, expected {}", shown(expected))),
                }
            })
        }
        (Value::Array(list), Value::Array(there)) if list.len() == there.len() => {
            let pairs = list.iter().zip(there).enumerate();
            pairs.into_iter().find_map(|(index, (expected, found))| {
                difference(&format!("{place}/{index}"), expected, found)
            })
        }
        (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => {
            None
        }
        _ if expected == found => None,
        _ => {
            let place = if place.is_empty() { "the answer" } else { place };
            Some(format!("{place} is {}, expected {}", shown(found), shown(expected)))
        }
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(list) => return format!("a list of {}", list.len()),
        value => value.to_string(),
    };
    text[..text.floor_char_boundary(SHOWN_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_has_to_have_what_stands_and_may_have_more() {
        let found = json!({ "n": 3, "list": [{ "a": 1, "b": 2 }], "text": "x" });
        for expected in [json!({}), json!({ "n": 3.0 }), json!({ "list": [{ "b": 2 }] })] {
            assert_eq!(difference("", &expected, &found), None);
        }
        for (expected, why) in [
            (json!({ "n": 4 }), "/n is 3, expected 4"),
            (json!({ "list": [] }), "/list is a list of 1, expected a list of 0"),
            (json!({ "list": [{ "a": 2 }] }), "/list/0/a is 1, expected 2"),
            (json!({ "more": true }), "/more is missing, expected true"),
            (
                json!("x"),
                "the answer is {\"list\":[{\"a\":1,\"b\":2}],\"n\":3,\"text\":\"x\"}, expected \"x\"",
            ),
        ] {
            assert_eq!(difference("", &expected, &found).as_deref(), Some(why));
        }
    }

    #[test]
    fn of_a_page_cookie_and_inputs_are_kept() {
        let body =
            "<form><input type=\"text\" name=\"user\"><input name=\"csrf\" value=\"a1\"></form>";
        let cookie = Some("s=1".to_owned());
        let page = Answered { status: 200, body: body.into(), cookie };
        assert_eq!(page.kept("cookie").as_deref(), Some("s=1"));
        assert_eq!(page.kept("input:csrf").as_deref(), Some("a1"));
        assert_eq!(page.kept("input:user"), None);
        assert_eq!(page.kept("/csrf"), None);
        let json = Answered { status: 200, body: r#"{"csrf":7}"#.into(), cookie: None };
        assert_eq!((json.kept("/csrf").as_deref(), json.kept("cookie")), (Some("7"), None));
    }

    #[test]
    fn what_was_kept_stands_where_it_is_named() {
        let kept = [("key".to_owned(), "k1".to_owned())].into();
        let requests = Requests { kept };
        let filled = requests.filled(&json!({ "a": ["{key}", "{other}", 1] }));
        assert_eq!(filled, json!({ "a": ["k1", "{other}", 1] }));
    }
}
