//! The audit, in its order: who did what, and what was denied to whom.

use axum::Json;
use lastmeter_model::access::{Kind, Secret};
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_store::Stretch;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::{Call, wrong_parameter};
use super::openapi::Instant;
use super::parameter::Parameter;
use super::routes::{Gives, routes};
use super::{Answer, cursor};

const CURSOR: Parameter =
    Parameter::text("cursor", "`next` of an earlier answer, or 0").example("0");
const LIMIT: Parameter = Parameter::whole("limit", "rows at most", 100, (1, 1000));
/// Rows that one request looks at.
const LOOKED_AT_MAX: usize = 10_000;

routes! {
    "access" {
        Get "/api/v1/audit" => audit:
            "The audit in its order: the tenant's, or what is about oneself and one's own data",
            Within(Audit, Read), [CURSOR, LIMIT],
            gives Gives::json::<AuditJson>(200), refuses [500];
    }
}

/// A page of the audit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Audit")]
pub(super) struct AuditJson {
    results: Vec<RowJson>,
    /// Where the next page begins; nothing if there is no more now.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditRow")]
pub(super) struct RowJson {
    #[schemars(with = "Instant")]
    at: SimTime,
    /// The principal.
    who: String,
    action: String,
    resource: String,
    outcome: String,
    /// SHA-256 of the document before, if there was one.
    before: Option<String>,
    /// SHA-256 of the document afterwards, if there is one.
    after: Option<String>,
}

impl From<AuditRow> for RowJson {
    fn from(row: AuditRow) -> Self {
        let hex = |hash: Hash| Secret(hash).print();
        let AuditRow { at, who, action, resource, outcome, before, after, .. } = row;
        Self { at, who, action, resource, outcome, before: before.map(hex), after: after.map(hex) }
    }
}

/// `GET /api/v1/audit?cursor=&limit=`
async fn audit(mut call: Call) -> Answer<AuditJson> {
    let (cursor, limit) = (call.pairs.one(&CURSOR)?, call.pairs.number(&LIMIT)? as usize);
    call.pairs.finish()?;
    let caller = call.caller();
    let permit = caller.list(Kind::Audit)?;
    let mut after = match cursor.as_deref() {
        None | Some("0") => 0,
        Some(text) => cursor::open(cursor::Kind::Audit, text)
            .ok_or_else(|| wrong_parameter(&CURSOR, text, "`next` of an earlier answer"))?,
    };
    // A key for some things is for no more of the audit than is about these.
    let is_narrowed =
        caller.who.iter().any(|who| who.key.as_ref().is_some_and(|key| key.on.is_some()));
    let me = (!is_narrowed).then(|| caller.name());
    let (mut results, mut looked_at) = (Vec::new(), 0);
    let last = call.tenant.progress.audited();
    while after < last && results.len() < limit && looked_at < LOOKED_AT_MAX {
        let stretch = Stretch { after, limit: limit as u32, last };
        let (rows, count) = call.tenant.readers.audit(&permit, me.as_deref(), stretch).await?;
        // A page ends with its last row, not with the last one that was looked at.
        let left = limit - results.len();
        let end = rows.get(left).and(rows.get(left.wrapping_sub(1)));
        after = end.map_or(after + count, |row| row.number);
        looked_at += count as usize;
        results.extend(rows.into_iter().take(left).map(RowJson::from));
    }
    let seal = if permit.is_whole() { cursor::seal } else { cursor::seal_salted };
    let next = (after < last).then(|| seal(cursor::Kind::Audit, after));
    Ok(Json(AuditJson { results, next }))
}
