//! What everybody may see: public sensors with their last values, and nothing around them.

use lastmeter_units::MeasurementId;
use serde_json::json;

use super::format::of_quantity;
use super::frame::Answered;
use super::history::name_of;
use super::homes::when;
use super::view::View;
use super::viewer::Viewer;
use crate::ops::homes::{self, Age};

/// `GET /public`
pub(super) async fn show(viewer: Viewer) -> Answered {
    // Where nothing is public there is nothing to list.
    let known = homes::known(&viewer.as_anybody().caller).await.unwrap_or_default();
    let sensors = known.iter().filter(|one| !one.state.values.is_empty()).enumerate();
    let sensors = sensors.map(|(number, one)| {
        let values = one.state.values.iter().filter_map(|value| {
            let id = MeasurementId::lookup(&value.name)?;
            Some(json!({ "name": name_of(id), "value": of_quantity(id, value.value) }))
        });
        json!({
            "number": number + 1,
            "values": values.take(12).collect::<Vec<_>>(),
            "when": when(one, &viewer),
            "is_missing": one.age == Age::Missing,
        })
    });
    let values = json!({ "sensors": sensors.collect::<Vec<_>>() });
    Ok(View::new("public.html", values).into())
}
