//! What each role may do, from the table of rights that decides.

use lastmeter_model::access::{Action, Right, Role, rights_of};
use serde_json::{Value, json};

use super::frame::Answered;
use super::view::View;
use super::viewer::Viewer;

/// `GET /admin/roles`
pub(super) async fn show(_: Viewer) -> Answered {
    let columns = Role::ALL.map(|role| rights_of(role).collect::<Vec<_>>());
    let rows = columns[0].iter().enumerate().map(|(place, (thing, _))| {
        let cells = columns.iter().zip(Role::ALL).map(|(column, role)| {
            let rights: Vec<String> = column[place].1.iter().map(sentence).collect();
            json!({ "role": role.word(), "rights": rights })
        });
        json!({ "thing": thing, "cells": cells.collect::<Vec<_>>() })
    });
    let values = json!({ "rows": rows.collect::<Vec<Value>>(), "roles": Role::WORDS });
    Ok(View::new("roles.html", values).into())
}

/// Whoever may do the first need not be shown the second.
const IMPLIED: [(Action, &[Action]); 2] = [
    (Action::Write, &[Action::Acknowledge, Action::Switch, Action::Rotate]),
    (Action::Read, &[Action::Outline]),
];

fn sentence(right: &Right) -> String {
    let is_implied = |action: &Action| {
        IMPLIED.iter().any(|(first, rest)| right.actions.contains(first) && rest.contains(action))
    };
    let words =
        right.actions.iter().filter(|action| !is_implied(action)).map(|action| match action {
            Action::Read => "read",
            Action::Outline => "see that it is there",
            Action::Content => "see the content",
            Action::Write => "change",
            Action::Acknowledge => "acknowledge",
            Action::Switch => "switch",
            Action::Rotate => "renew the secret",
            Action::Command => "give commands",
            Action::Answer | Action::Carry => "answer commands",
            Action::Grant => "share",
        });
    format!("{}: {}", words.collect::<Vec<_>>().join(", "), right.on)
}
