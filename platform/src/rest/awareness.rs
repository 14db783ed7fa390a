//! What somebody should be aware of: sums of months, what is always on, costs of days, advice.

use axum::Json;

use super::Answer;
use super::extract::Call;
use super::routes::{Gives, routes};
use crate::ops::awareness::{self, Awareness};

routes! {
    "awareness" {
        Get "/api/v1/awareness" => awareness:
            "What the home of who asks takes, beside its past and a group, and what could be done",
            Within(Series, Read), [], gives Gives::json::<Awareness>(200), refuses [500];
    }
}

/// `GET /api/v1/awareness`
async fn awareness(call: Call) -> Answer<Awareness> {
    awareness::of(&call.caller()).await.map(Json)
}
