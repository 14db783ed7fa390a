//! Aggregates: what was published of the households of a zone. Nothing is computed here, so asking
//! in another way gives nothing new.

use lastmeter_model::access::{Action, Kind, Permit, Resource, Subject, Target};
use lastmeter_model::entity::{Body as _, Zone};
use lastmeter_services::{AggregateWidth, MEMBERS, source};
use lastmeter_store::{Page, Range};
use lastmeter_units::SimTime;

use super::Caller;
use super::documents;
use crate::problem::Problem;

/// What the households of a zone took in an hour or a quarter of one.
pub(crate) struct Aggregate {
    /// Its first instant.
    pub(crate) from: SimTime,
    /// How many households.
    pub(crate) households: u64,
    /// The sum of their mean powers, in kW.
    pub(crate) power_kw: f64,
}

/// Statistical zones of which aggregates may be had, with their names.
pub(crate) fn zones(caller: &Caller) -> Vec<(String, String)> {
    let tenant = &caller.tenant;
    let is_given = |token: &str| {
        let target = Target::Zone(token.to_owned());
        let on = Resource::new(Kind::Aggregate, &tenant.name, Subject::One(&target));
        caller.may(Action::Read, &on)
    };
    let all = tenant.documents.bodies::<Zone>().into_iter();
    let given = all.filter(|(token, zone)| zone.statistical && is_given(token));
    given.map(|(token, zone)| (token, zone.name.to_string())).collect()
}

/// What was published of a zone, newest first, and how much there is.
///
/// # Errors
/// 401, 403, or 404 for a zone that is hidden or not there.
pub(crate) async fn of_zone(
    caller: &Caller,
    zone: &str,
    width: AggregateWidth,
    (range, page): (Range, Page),
) -> Result<(u64, Vec<Aggregate>), Problem> {
    let tenant = &caller.tenant;
    let target = Target::Zone(zone.to_owned());
    let on = Resource::new(Kind::Aggregate, &tenant.name, Subject::One(&target));
    let unknown = || documents::unknown(Zone::kind(), zone);
    caller.require(Action::Read, &on, unknown)?;
    if tenant.documents.body::<Zone>(zone).is_none() {
        return Err(unknown());
    }
    let source = source(zone, width).and_then(|source| tenant.devices.find(source.as_str()));
    let Some(row) = source else { return Ok((0, Vec::new())) };
    // What was published is for whoever may read aggregates of the zone.
    let found = tenant.readers.events(&Permit::whole_tenant(), &row, range, page).await?;
    let one = |row: lastmeter_model::row::ReadingRow| Aggregate {
        from: row.event,
        households: row.metadata().get(MEMBERS).and_then(|text| text.parse().ok()).unwrap_or(0),
        power_kw: row.values.first().map_or(0.0, |(_, value)| *value),
    };
    Ok((found.0, found.1.into_iter().map(one).collect()))
}
