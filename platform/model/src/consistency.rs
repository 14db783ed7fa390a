//! What documents must agree on with those that are there: no circles of parents and groups, one
//! network of a gateway, one assignment of a device at a time, devices in the leaves of a
//! statistical tree of zones.

use serde_json::Value;

use crate::documents::Documents;
use crate::entity::{
    Asset, Assignment, Body, Device, DocumentKind, Feed, FeedKind, FieldError, FieldNetwork, Group,
    MemberReference, Site, Tariff, Zone, is_in_cycle, read,
};

#[cfg(test)]
mod tests;

/// Why a document does not go with those that are there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Inconsistency {
    /// A stable word.
    pub code: &'static str,
    /// The field that names the other document.
    pub field: &'static str,
    /// What was found, and what to do.
    pub detail: String,
}

/// Checks a body under a token against the other documents of a tenant.
///
/// # Errors
/// A field that has no valid value, or what it does not go with.
pub fn consistency(
    kind: &DocumentKind,
    token: &str,
    body: &Value,
    documents: &Documents,
) -> Result<Option<Inconsistency>, FieldError> {
    Ok(match kind.code {
        Asset::CODE => circle::<Asset>(token, body, documents)?,
        Site::CODE => circle::<Site>(token, body, documents)?,
        Device::CODE => circle::<Device>(token, body, documents)?,
        Zone::CODE => {
            circle::<Zone>(token, body, documents)?.or(zone(&read::<Zone>(body)?, documents))
        }
        Group::CODE => group(token, &read::<Group>(body)?, documents),
        Assignment::CODE => assignment(token, &read::<Assignment>(body)?, documents),
        Tariff::CODE => priced(&read::<Tariff>(body)?, documents),
        FieldNetwork::CODE => network(token, &read::<FieldNetwork>(body)?, documents),
        Feed::CODE => prices(token, &read::<Feed>(body)?, documents),
        _ => None,
    })
}

/// Whether a feed has the prices of a tariff: they are ones, and in its currency.
fn has_prices(feed: &Feed, tariff: &Tariff) -> bool {
    let currency = feed.unit.as_str().strip_suffix("/kWh");
    feed.kind == FeedKind::Price && currency == Some(tariff.currency.as_str())
}

/// A feed without the prices of the tariff that names it.
fn priced(tariff: &Tariff, documents: &Documents) -> Option<Inconsistency> {
    let feed = documents.body::<Feed>(tariff.price_feed.as_ref()?.as_str())?;
    let detail = || format!("it has no prices in {} for 1 kWh; name another", tariff.currency);
    let found = || Inconsistency { code: "other_prices", field: "priceFeed", detail: detail() };
    (!has_prices(&feed, tariff)).then(found)
}

/// A gateway is of one network: by its address the network is found when it dials in.
fn network(token: &str, network: &FieldNetwork, documents: &Documents) -> Option<Inconsistency> {
    let address = network.gateway_address.to_string();
    let of_gateway = documents.bodies_with::<FieldNetwork>("gateway", &address);
    of_gateway.iter().find(|(other, _)| other != token)?;
    let detail = format!("another network has the gateway `{address}`; check it on its label");
    Some(Inconsistency { code: "gateway_is_registered", field: "gatewayAddress", detail })
}

/// A tariff whose prices a feed would have no longer.
fn prices(token: &str, feed: &Feed, documents: &Documents) -> Option<Inconsistency> {
    let named = documents.bodies_with::<Tariff>("feed", token).into_iter();
    let (tariff, _) = named.into_iter().find(|(_, tariff)| !has_prices(feed, tariff))?;
    let detail = format!("the tariff `{tariff}` has its prices from it; change that one first");
    Some(Inconsistency { code: "other_prices", field: "unit", detail })
}

/// What a body names as its parent.
fn parent(of: &impl Body) -> Option<String> {
    of.keys().into_iter().find(|key| key.name == "parent").map(|key| key.value)
}

/// A circle of parents that a body would close.
fn circle<T: Body>(
    token: &str,
    body: &Value,
    documents: &Documents,
) -> Result<Option<Inconsistency>, FieldError> {
    let first = parent(&read::<T>(body)?);
    let next = |at: &String| {
        let other = || documents.body::<T>(at).and_then(|other| parent(&*other));
        if at == token { first.clone() } else { other() }
    };
    let field = if T::CODE == Device::CODE { "parentHardwareId" } else { "parentToken" };
    let detail = "it would be a part of itself; name another one".to_owned();
    let is_circle = is_in_cycle(&token.to_owned(), next);
    Ok(is_circle.then_some(Inconsistency { code: "circular_parents", field, detail }))
}

fn group(token: &str, body: &Group, documents: &Documents) -> Option<Inconsistency> {
    let parts = |group: &Group| -> Vec<String> {
        let of = group.members.iter().filter_map(|member| match &member.of {
            MemberReference::Group(part) => Some(part.to_string()),
            MemberReference::Device(_) => None,
        });
        of.collect()
    };
    let next = |at: &String| {
        let other = || documents.body::<Group>(at).map(|group| parts(&group)).unwrap_or_default();
        if at == token { parts(body) } else { other() }
    };
    let detail = "the group would contain itself; leave one of the groups in it out".to_owned();
    let is_circle = is_in_cycle(&token.to_owned(), next);
    is_circle.then_some(Inconsistency { code: "circular_groups", field: "members", detail })
}

/// Whether a zone is a part of a tree of which aggregates are published.
fn is_in_statistical_tree(zone: &Zone, documents: &Documents) -> bool {
    let mut next = zone.parent_token.clone();
    let mut is_statistical = zone.statistical;
    // Circles are refused, so the way up has an end.
    while let Some(parent) = next.take().filter(|_| !is_statistical) {
        let Some(parent) = documents.body::<Zone>(parent.as_str()) else { break };
        is_statistical = parent.statistical;
        next.clone_from(&parent.parent_token);
    }
    is_statistical
}

/// A device counts in one leaf, so a zone with devices of its own has no parts.
fn zone(body: &Zone, documents: &Documents) -> Option<Inconsistency> {
    let parent = body.parent_token.as_ref()?;
    let in_parent = documents.bodies_with::<Assignment>("zone", parent.as_str());
    let (_, one) = in_parent.first().filter(|_| is_in_statistical_tree(body, documents))?;
    let detail = format!(
        "the zone `{parent}` has devices of its own, among them `{}`; move them to its parts first",
        one.device_hardware_id
    );
    Some(Inconsistency { code: "zone_has_devices", field: "parentToken", detail })
}

fn assignment(token: &str, body: &Assignment, documents: &Documents) -> Option<Inconsistency> {
    let device = body.device_hardware_id.as_str();
    let others = documents.bodies_with::<Assignment>("device", device);
    let is_other = |(other, one): &&(String, std::sync::Arc<Assignment>)| {
        other != token && body.is_overlapping(one)
    };
    if let Some((other, _)) = others.iter().find(is_other) {
        let detail =
            format!("`{device}` is assigned by `{other}` at that time; end that one first");
        return Some(Inconsistency { code: "already_assigned", field: "deviceHardwareId", detail });
    }
    let named = body.zone_token.as_ref()?;
    let parts = documents.bodies_with::<Zone>("parent", named.as_str());
    let (part, _) = parts.first()?;
    let zone = documents.body::<Zone>(named.as_str())?;
    let detail = format!("the zone `{named}` has parts, among them `{part}`; name one without");
    let is_refused = is_in_statistical_tree(&zone, documents);
    is_refused.then_some(Inconsistency { code: "zone_has_parts", field: "zoneToken", detail })
}
