//! The network now: how many connections are without supply, the network as a tree and as a
//! picture, and the element that is looked at.

mod picture;
mod tree;

use serde_json::{Value, json};

use super::frame::Answered;
use super::view::View;
use super::viewer::{Viewer, in_address};
use crate::ops::grid::{self, Element, ElementKind, Grid, Model, Position, State, Supply};
use crate::ops::outages::Outage;
use crate::problem::Problem;
use picture::key;
use tree::Walk;

/// What the tree and the picture of a network are drawn from.
struct Drawn<'a> {
    model: &'a Model,
    walk: Walk,
    states: &'a [State],
    /// What stands before an element in the addresses of links.
    before: String,
}

impl<'a> Drawn<'a> {
    fn of(grid: &'a Grid, before: String) -> Self {
        let model = &grid.network.model;
        Self { model, walk: Walk::of(model), states: &grid.states, before }
    }

    /// Where the link of an element leads.
    fn link(&self, element: &Element) -> String {
        format!("{}{}={}", self.before, key(element.kind), in_address(&element.name))
    }
}

/// An element for people.
fn named(element: &Element) -> String {
    let kind = match element.kind {
        ElementKind::Load => "connection",
        other => other.word(),
    };
    format!("{kind} {}", element.name)
}

/// `GET /grid`
pub(super) async fn show(viewer: Viewer) -> Answered {
    grid::require(&viewer.caller)?;
    let asked = viewer.field("network");
    let networks = grid::names(&viewer.caller, asked).await?;
    let chosen = networks.iter().position(|(token, _)| token == asked).unwrap_or_default();
    let Some((token, name)) = networks.get(chosen) else {
        return Ok(View::new("grid.html", json!({ "networks": [] })).into());
    };
    let before =
        if chosen == 0 { "?".to_owned() } else { format!("?network={}&amp;", in_address(token)) };
    let tabs = networks.iter().map(|(other, name)| {
        let path = format!("/grid?network={}", in_address(other));
        json!({ "name": name, "path": path, "is_current": other == token })
    });
    let mut values = json!({
        "networks": tabs.collect::<Vec<_>>(), "name": name, "problem": null, "chosen": null,
        "tree": "", "picture": "",
    });
    match grid::now(&viewer.caller, token).await {
        Ok(grid) => fill(&viewer, &grid, before, &mut values).await?,
        Err(problem) if problem.code() == "unreadable_model" => {
            values["problem"] = json!(problem.detail());
        }
        Err(problem) => return Err(problem),
    }
    Ok(View::new("grid.html", values).into())
}

async fn fill(
    viewer: &Viewer,
    grid: &Grid,
    before: String,
    values: &mut Value,
) -> Result<(), Problem> {
    let drawn = Drawn::of(grid, before);
    let chosen = chosen(viewer, grid);
    values["counts"] = json!(grid.counts());
    values["topology"] = json!(grid.switches.version);
    values["since"] = json!(grid.switches.from.map(|at| viewer.times.clock(at)));
    values["outages"] = json!(grid.outages.iter().filter(|it| it.needs_somebody()).count());
    values["planned"] = json!(grid.outages.iter().filter(|it| !it.needs_somebody()).count());
    if viewer.wants("tree") {
        values["tree"] = json!(tree::html(&drawn, chosen));
        if let Some(at) = chosen {
            values["chosen"] = panel(viewer, grid, at).await?;
        }
    }
    if viewer.wants("picture") {
        values["picture"] = json!(picture::svg(&drawn, &grid.outages));
    }
    Ok(())
}

/// The element that the address names.
fn chosen(viewer: &Viewer, grid: &Grid) -> Option<usize> {
    let is_named = |element: &Element| {
        let key = key(element.kind);
        viewer.has(key) && viewer.field(key) == element.name
    };
    grid.network.model.elements.iter().position(is_named)
}

/// What is known of an element.
async fn panel(viewer: &Viewer, grid: &Grid, at: usize) -> Result<Value, Problem> {
    let (model, state) = (&grid.network.model, grid.states[at]);
    let element = &model.elements[at];
    let begun = grid::beginning(&viewer.caller, grid, at).await?;
    let by_outage = begun.is_none() && state.supply() != Supply::Yes;
    let outage = grid.outages.iter().find(|outage| {
        let cut = grid::cut(&viewer.caller, &grid.network, outage);
        by_outage && model.states(&grid.closed, &[cut])[at] == state
    });
    let node = |at: usize| model.elements[at].name.as_str();
    let joins = (element.ends[0] != element.ends[1]).then(|| element.ends.map(node));
    let here = element.ends[0];
    Ok(json!({
        "title": title(&named(element)),
        "state": state.text(),
        "is_unknown": state.position == Some(Position::Unknown),
        "joins": joins,
        "at": (joins.is_none() && element.kind != ElementKind::Node).then(|| node(here)),
        "since": begun.as_ref().and_then(|begun| Some(viewer.times.second(begun.from?))),
        "by": begun.as_ref().and_then(|begun| begun.by.as_deref()).map(person),
        "cause": begun.as_ref().and_then(|begun| begun.cause.clone()),
        "version": begun.as_ref().map(|begun| begun.version),
        "outage": outage.map(|outage| json!({
            "path": path_of(outage),
            "name": areas(outage),
            "state": outage.state.word(),
            "since": viewer.times.second(outage.content.since),
        })),
    }))
}

/// The areas of an outage in words.
pub(super) fn areas(outage: &Outage) -> String {
    let name = |area: &crate::ops::outages::Area| match area.phases.as_str() {
        "" | "abc" => format!("{} {}", area.element, area.name),
        phases => format!("{} {}, phase {phases}", area.element, area.name),
    };
    let names: Vec<String> = outage.content.areas.iter().map(name).collect();
    if names.is_empty() { outage.token.clone() } else { names.join("; ") }
}

/// The page of an outage.
pub(super) fn path_of(outage: &Outage) -> String {
    format!("/grid/outages/{}", in_address(&outage.token))
}

/// A text that begins with a capital letter.
pub(super) fn title(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A principal for people.
pub(super) fn person(by: &str) -> &str {
    by.trim_start_matches("user:")
}

/// The picture of a network with what an outage takes from it and where its fault may be.
pub(super) async fn picture_of(viewer: &Viewer, outage: &Outage) -> Option<String> {
    let network = &outage.content.network;
    let grid = grid::now(&viewer.caller, network).await.ok()?;
    let drawn = Drawn::of(&grid, format!("/grid?network={}&amp;", in_address(network)));
    Some(picture::svg(&drawn, std::slice::from_ref(outage)))
}
