//! What somebody should be aware of, in words; the numbers are those of REST.

use lastmeter_services::HOUSEHOLDS_MIN;
use lastmeter_units::MeasurementId;
use serde_json::{Value, json};

use super::bills::money;
use super::format::{number, of_quantity};
use super::frame::Answered;
use super::view::{View, way};
use super::viewer::Viewer;
use crate::ops::accounts;
use crate::ops::awareness::{self, Advice, DAYS, GroupDay, MEDIA, Medium, Money};
use crate::problem::Problem;

/// What the media are called, in their order.
const NAMES: [&str; MEDIA.len()] = ["Electricity", "Heat", "Water"];

/// `GET /awareness`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let of = awareness::of(&viewer.caller).await?;
    let (advice, put_away) = sorted_out(&viewer, of.advice.iter().map(described).collect());
    let values = json!({
        "media": of.media.iter().filter_map(medium).collect::<Vec<_>>(),
        "always_on": of.always_on.as_ref().map(|of| json!({
            "power": number(of.power_kw, "kW"), "month": of.month.as_ref().map(shown),
        })),
        "group": of.group.as_ref().map(group),
        "least": HOUSEHOLDS_MIN,
        "advice": advice,
        "put_away": put_away,
    });
    Ok(View::new("awareness.html", values).into())
}

fn shown(of: &Money) -> Value {
    money(&json!(of.amount), &of.currency)
}

fn medium(of: &Medium) -> Option<Value> {
    let id = MeasurementId::lookup(of.quantity)?;
    let name = MEDIA.iter().position(|quantity| *quantity == of.quantity)?;
    Some(json!({
        "name": NAMES[name],
        "days": of.days,
        "known": of.known,
        "sum": of.sum.map(|sum| of_quantity(id, sum)),
        "past": of.past.map(|sum| of_quantity(id, sum)),
        "is_less": of.is_less,
    }))
}

fn group(of: &GroupDay) -> Value {
    let place = match of.own_kwh / of.mean_kwh {
        part if part < 0.8 => "less than the mean: well done",
        part if part > 1.25 => "more than the mean",
        _ => "about the mean",
    };
    json!({
        "name": of.name,
        "households": of.households,
        "mean": number(of.mean_kwh, "kWh"),
        "own": number(of.own_kwh, "kWh"),
        "place": place,
    })
}

/// An advice with what it rests on.
fn described(advice: &Advice) -> Value {
    match advice {
        Advice::SwitchOff { power_kw, known_hours, least, most } => json!({
            "key": advice.key(),
            "what": "Find what is always on, and switch off what nobody needs",
            "why": "At the least hour of the last seven days the home took",
            "value": number(*power_kw, "kW"),
            "saving": least.as_ref().zip(most.as_ref()).map(|(least, most)| json!({
                "least": shown(least), "most": shown(most),
            })),
            "if": "if a third to two thirds of it can be switched off",
            "sure": format!("{known_hours} of {} hours are known", DAYS * 24),
        }),
        Advice::MoveInTime { dear, cheap, energy_kwh, percent, is_open, least, most } => json!({
            "key": advice.key(),
            "what": format!("Move what can wait from \u{201c}{dear}\u{201d} to \u{201c}{cheap}\u{201d}"),
            "why": format!("In the last seven days {percent:.0} % was taken at the highest price:"),
            "value": number(*energy_kwh, "kWh"),
            "saving": json!({ "least": shown(least), "most": shown(most) }),
            "if": "if a tenth to three tenths of it can be moved",
            "sure": if *is_open {
                "some readings of these days are missing"
            } else {
                "all readings of these days are known"
            },
        }),
    }
}

/// What somebody makes of an advice, with what it is called.
const ANSWERS: [(&str, &str); 2] = [("done", "done"), ("not-for-me", "not for me")];

/// The member of the account's metadata that an answer to an advice stands in.
fn member(key: &str) -> String {
    format!("advice.{key}")
}

/// Advice that is open, and what has been answered.
fn sorted_out(viewer: &Viewer, advice: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let account = accounts::account(&viewer.caller).unwrap_or_default();
    let answered = |one: &Value| {
        let given = account["metadata"][member(one["key"].as_str()?)].as_str()?;
        ANSWERS.iter().find(|(word, _)| *word == given).map(|(_, name)| *name)
    };
    let (mut open, mut put_away) = (Vec::new(), Vec::new());
    for one in advice {
        match answered(&one) {
            None => open.push(one),
            Some(name) => {
                put_away.push(json!({ "key": one["key"], "what": one["what"], "answer": name }));
            }
        }
    }
    (open, put_away)
}

/// `POST /awareness/{id}`: an advice is done, not for somebody, or wanted again.
pub(super) async fn answer(viewer: Viewer) -> Answered {
    if !Advice::KEYS.contains(&viewer.variable.as_str()) {
        return Err(Problem::nothing());
    }
    let account = accounts::account(&viewer.caller)?;
    let mut account = account.as_object().cloned().unwrap_or_default();
    let kept = account.get("metadata").and_then(Value::as_object);
    let mut metadata = kept.cloned().unwrap_or_default();
    match ANSWERS.iter().find(|(word, _)| *word == viewer.field("answer")) {
        Some((word, _)) => metadata.insert(member(&viewer.variable), json!(word)),
        None => metadata.remove(&member(&viewer.variable)),
    };
    account.insert("metadata".to_owned(), Value::Object(metadata));
    accounts::change_account(&viewer.caller, account).await?;
    Ok(way("/awareness"))
}
