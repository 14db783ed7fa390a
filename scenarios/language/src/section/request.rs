//! `[[request]]`: what somebody asks of the platform over REST at an instant, and what has to come
//! of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind};
use lastmeter_units::SimDuration;
use serde_json::{Map, Value};

use super::check::CHECK;
use super::door::DOOR;
use super::gateway::GATEWAY;
use super::tenant::TENANT;
use crate::draft::{Draft, Naming, Part, Row, Section};

/// The kind of check that judges requests.
const JUDGED_BY: &str = "requests";
/// Who nobody is.
const NOBODY: &str = "nobody";
/// The media type of a body, unless another one is given.
const JSON_TYPE: &str = "application/json";
/// Whose page.
const PAGE: &str = "page";

pub(crate) static REQUEST: Section = Section {
    name: "request",
    noun: "request",
    doc: "What somebody asks of the platform over REST at an instant: a user, a program or the \
        operator of the platform, with what has to be answered. A check of kind `requests` judges \
        whether it was. What an answer gives may be kept under a name and stands in later paths \
        and bodies as `{NAME}`; kept secrets are in no record. At one instant requests come in \
        the order of the file, after what is injected then; in virtual time each sees all that \
        was sent before that instant.",
    fields: &[
        Field::optional("name", Kind::Name, "what the record and overrides call it"),
        Field::required(
            "at",
            Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
            "when, after the scenario's start",
        ),
        Field::optional(
            "as",
            Kind::Name,
            "the name under which a bearer token was kept, or of a `[[tenant]]`; `nobody` has none; \
             left out, the bench",
        ),
        Field::default(
            "method",
            Kind::Choice(&["GET", "POST", "PUT", "DELETE"]),
            "\"GET\"",
            "the method",
        ),
        Field::required("path", Kind::Text, "the path, with its query"),
        Field::optional("body", Kind::Open, "the body, written as JSON"),
        Field::optional("text", Kind::Text, "the body as it is, in place of `body`"),
        Field::default(
            "type",
            Kind::Choice(&["application/json", "application/x-ndjson", "text/csv"]),
            "\"application/json\"",
            "the media type of the body",
        ),
        Field::optional(
            "door",
            Kind::Text,
            "the kind of the `[[door]]` that it goes to, with the devices' token unless `as` is \
             given; left out, it goes to REST",
        ),
        Field::optional(
            PAGE,
            Kind::Name,
            "the `[[gateway]]` whose own page it asks for, with the cookie that was kept under the \
             name in `as`, or none; left out, it goes to the platform",
        ),
        Field::optional(
            "origin",
            Kind::Text,
            "the header `Origin` of a request to a page; left out, that of the page itself in a \
             `POST`",
        ),
        Field::default(
            "expect",
            Kind::Integer { min: 100, max: 599 },
            "200",
            "the status of the answer",
        ),
        Field::optional(
            "answer",
            Kind::Open,
            "what the answer has to have: each member with this value; members of the answer that \
             do not stand here may be anything, and a list has to have as many elements",
        ),
        Field::optional(
            "contains",
            Kind::List(&Kind::Text),
            "texts that the body of the answer has to have in it",
        ),
        Field::optional(
            "keep",
            Kind::Texts,
            "names with the JSON pointers (RFC 6901) to the texts or numbers of the answer that \
             are kept under them; of a page also `cookie`, the cookie that it sets, and \
             `input:NAME`, the value of that input of its first form with one",
        ),
    ],
    naming: Naming::Free,
    heading: "requests",
    rules: &[
        report_unknown_keepers,
        report_late,
        report_unjudged,
        report_unknown_doors,
        report_pages,
    ],
    build: |rows| Some(Arc::new(rows.iter().map(request).collect::<Option<Vec<_>>>()?) as Part),
    ..Section::REPEATED
};

/// A request that is sent at an instant.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// Its name, else its method and path.
    pub name: String,
    /// When, after the scenario's start.
    pub at: SimDuration,
    /// The name of a kept token, or nobody.
    pub who: Asker,
    /// The method.
    pub method: String,
    /// The path, with the names of what was kept in braces.
    pub path: String,
    /// The body, likewise.
    pub body: Option<RequestBody>,
    /// Its media type.
    pub media_type: String,
    /// The kind of the door it goes to; `None`: REST.
    pub door: Option<String>,
    /// The gateway whose page it asks for.
    pub page: Option<String>,
    /// The header `Origin` of a request to a page, if it is another than the page's own.
    pub origin: Option<String>,
    /// Texts that the body of the answer has to have in it.
    pub contains: Vec<String>,
    /// The status that has to be answered.
    pub expect: u16,
    /// What the answer has to have.
    pub answer: Option<Value>,
    /// JSON pointers to what is kept, by name.
    pub keep: BTreeMap<String, String>,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// JSON of a value.
    Json(Value),
    /// A text, as it is.
    Text(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The bench itself.
    Bench,
    /// Nobody: there is no token.
    Nobody,
    /// Who has the token that was kept under this name.
    Kept(String),
}

/// The requests of a file in its order.
fn rows<'a>(draft: &'a Draft<'_>) -> &'a [Row<'a>] {
    draft.rows(&REQUEST)
}

/// A token has to be kept by a request before it is used.
fn report_unknown_keepers(draft: &Draft<'_>, out: &mut Diagnostics) {
    let mut kept: BTreeSet<String> =
        draft.rows(&TENANT).iter().filter_map(Row::name).map(str::to_owned).collect();
    let mut rows: Vec<_> = rows(draft).iter().filter_map(|row| row.values.as_ref()).collect();
    rows.sort_by_key(|values| values.duration("at"));
    for values in rows {
        if let Some(who) = values.text_opt("as").filter(|who| *who != NOBODY)
            && !kept.contains(who)
        {
            let message = format!("nothing is kept under `{who}` by then");
            let help = "keep a token with `keep` in a request before this one";
            let span = values.span_of("as");
            let help = Some(help.to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, "is not known", help);
        }
        if values.is_written("keep") {
            kept.extend(values.texts("keep").into_keys());
        }
    }
}

/// Whether one of the requests keeps something under a name.
pub(super) fn is_kept(draft: &Draft<'_>, name: &str) -> bool {
    let rows = rows(draft).iter().filter_map(|row| row.values.as_ref());
    rows.filter(|it| it.is_written("keep")).any(|it| it.texts("keep").contains_key(name))
}

/// A page is of a gateway, which has no doors, and is asked for by browsers.
fn report_pages(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in rows(draft).iter().filter_map(|row| row.values.as_ref()) {
        let Some(gateway) = values.text_opt(PAGE) else {
            if values.is_written("origin") {
                let message = "the platform asks for no `origin`".to_owned();
                let label = "expected with `page` only";
                out.report(Code::DOES_NOT_FIT, values.span_of("origin"), message, label);
            }
            continue;
        };
        if draft.all_read(&GATEWAY)
            && !draft.rows(&GATEWAY).iter().any(|row| row.name() == Some(gateway))
        {
            let message = format!("there is no `[[gateway]]` named `{gateway}`");
            let span = values.span_of(PAGE);
            out.report(Code::UNKNOWN_REFERENCE, span, message, "not in this scenario");
        }
        // A scenario with all its keys written has the `type` that nobody chose.
        let is_chosen = |key: &&str| {
            values.is_written(key) && (*key != "type" || values.text(key) != JSON_TYPE)
        };
        for key in ["door", "body", "type"].into_iter().filter(is_chosen) {
            let message = format!("`{key}` is of a request to the platform, and this is to a page");
            let label = "expected a form in `text`, or nothing";
            out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
        }
        if !["GET", "POST"].contains(&values.text("method")) {
            let message = "a browser's page is asked for with GET or POST".to_owned();
            out.report(Code::DOES_NOT_FIT, values.span_of("method"), message, "is neither");
        }
    }
}

/// What comes after the end is never sent.
fn report_late(draft: &Draft<'_>, out: &mut Diagnostics) {
    let scenario = draft.single(&super::scenario::SCENARIO).and_then(|row| row.values.clone());
    let Some(end) = scenario.and_then(|values| values.duration_opt("duration")) else { return };
    for values in rows(draft).iter().filter_map(|row| row.values.as_ref()) {
        if values.duration("at") > end {
            let message = "it is sent after the scenario's end".to_owned();
            let label = "expected an instant up to `duration`";
            out.report(Code::DOES_NOT_FIT, values.span_of("at"), message, label);
        }
    }
}

/// A door has to be opened before anything goes to it, and what is sent has one form.
fn report_unknown_doors(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in rows(draft).iter().filter_map(|row| row.values.as_ref()) {
        if let Some(door) = values.text_opt("door")
            && !draft.rows(&DOOR).iter().any(|row| row.kind == Some(door))
        {
            let message = format!("there is no door of kind `{door}`");
            let help = Some(format!("add a `[[door]]` with `kind = \"{door}\"`"));
            let span = values.span_of("door");
            out.report_with_help(Code::DOES_NOT_FIT, span, message, "is not open", help);
        }
        if values.is_written("body") && values.is_written("text") {
            let message = "`body` and `text` are both the body".to_owned();
            let label = "leave one of them out";
            out.report(Code::DOES_NOT_FIT, values.span_of("text"), message, label);
        }
    }
}

/// Answers that nobody looks at show nothing.
fn report_unjudged(draft: &Draft<'_>, out: &mut Diagnostics) {
    let is_judged = draft.rows(&CHECK).iter().any(|row| row.kind == Some(JUDGED_BY));
    if let (Some(first), false) = (rows(draft).first(), is_judged) {
        let message = "no check judges what the requests are answered with".to_owned();
        let help = format!("add a `[[check]]` with `kind = \"{JUDGED_BY}\"`");
        out.report_with_help(Code::DOES_NOT_FIT, first.span, message, "is sent", Some(help));
    }
}

fn request(row: &Row<'_>) -> Option<RequestRow> {
    let values = row.values.as_ref()?;
    let json = |field: &str| match values.get(field) {
        Some(lastmeter_params::Value::Open(text)) => {
            let table: toml::Table = format!("value = {text}").parse().ok()?;
            Some(table.get("value").cloned().map(json_of))
        }
        _ => Some(None),
    };
    let (method, path) = (values.text("method").to_owned(), values.text("path").to_owned());
    let name = values.text_opt("name").map_or_else(|| format!("{method} {path}"), str::to_owned);
    Some(RequestRow {
        name,
        at: values.duration("at"),
        who: match values.text_opt("as") {
            None => Asker::Bench,
            Some(NOBODY) => Asker::Nobody,
            Some(name) => Asker::Kept(name.to_owned()),
        },
        method,
        path,
        body: match values.text_opt("text") {
            Some(text) => Some(RequestBody::Text(text.to_owned())),
            None => json("body")?.map(RequestBody::Json),
        },
        media_type: values.text("type").to_owned(),
        door: values.text_opt("door").map(str::to_owned),
        page: values.text_opt(PAGE).map(str::to_owned),
        origin: values.text_opt("origin").map(str::to_owned),
        contains: values.text_list("contains").into_iter().map(str::to_owned).collect(),
        expect: values.integer("expect") as u16,
        answer: json("answer")?,
        keep: if values.is_written("keep") { values.texts("keep") } else { BTreeMap::new() },
    })
}

/// TOML as JSON; instants are texts there.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(instant) => instant.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(json_of).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(name, value)| (name, json_of(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}
