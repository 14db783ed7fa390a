//! Bills: drafts of them, and those that are kept.

use axum::Json;
use lastmeter_model::entity::Bill;
use schemars::JsonSchema;
use serde::Deserialize;

use super::devices::List;
use super::documents::{DocumentJson, history_of, list_of, one_of};
use super::extract::{Body, Call, wrong_parameter};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes, schema};
use super::{Answer, Problem};
use crate::ops::bills::{self, Month};
use crate::ops::documents::shown;
use crate::problem::wrong;

const TOKEN: Parameter =
    Parameter::text("token", "the bill's token: customer and month").example("customer-1-2026-12");
const CUSTOMER: Parameter =
    Parameter::text("customer", "the token of the person asset that is the customer")
        .example("customer-1")
        .required();
const MONTH: Parameter =
    Parameter::text("month", "a month of the tariffs' zone").example("2026-12").required();

routes! {
    "bills" {
        Get "/api/v1/bills" => list_of::<Bill>: "Bills that are kept and may be read, by token",
            Within(Bill, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/bills" => keep:
            "Keeps the bill of a customer and a month, in a new version if it has changed; none \
             that is open",
            Within(Bill, Write), [], takes schema::<KeepJson>,
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/bills/draft" => draft:
            "The bill of a customer and a month as it stands, without keeping it",
            Within(Bill, Read), [CUSTOMER, MONTH],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500];
        Get "/api/v1/bills/{token}" => one_of::<Bill>: "A bill that is kept",
            Within(Bill, Read), [TOKEN], gives Gives::json::<DocumentJson>(200), refuses [500];
        Get "/api/v1/bills/{token}/history" => history_of::<Bill>: "Its versions, newest first",
            Within(Bill, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
    }
}

/// Which bill is to be kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "KeepBill",
    extend("examples" = [{ "customer": "customer-1", "month": "2026-12" }])
)]
struct KeepJson {
    /// The token of the person asset that is the customer.
    customer: String,
    /// A month of the tariffs' zone, such as `2026-12`.
    month: String,
}

/// `GET /api/v1/bills/draft`
async fn draft(mut call: Call) -> Answer<DocumentJson> {
    let (customer, month) = (call.pairs.one(&CUSTOMER)?, call.pairs.one(&MONTH)?);
    call.pairs.finish()?;
    let (Some(customer), Some(text)) = (customer, month) else {
        let detail = "a bill is of one `customer` and one `month`";
        return Err(Problem::bad_request("missing_parameter", detail));
    };
    let month: Month =
        text.parse().map_err(|()| wrong_parameter(&MONTH, &text, Month::EXPECTED))?;
    let bill = bills::draft(&call.caller(), &customer, month).await?;
    let body = serde_json::to_value(&bill);
    let body = body.map_err(|error| Problem::unavailable("unwritable_bill", &error))?;
    Ok(Json(body.into()))
}

/// `POST /api/v1/bills`
async fn keep(call: Call, Body(asked): Body<KeepJson>) -> Answer<DocumentJson> {
    let expected = || wrong("month", &format!("expected {}", Month::EXPECTED));
    let month = asked.month.parse().map_err(|()| expected())?;
    let kept = bills::keep(&call.caller(), &asked.customer, month).await?;
    Ok(Json(shown(&kept).into()))
}
