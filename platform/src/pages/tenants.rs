//! The tenants of the process, for who administers the platform: made, looked at and removed. None
//! of what is measured in them is here.

use axum::http::StatusCode;
use lastmeter_units::TenantName;
use serde_json::{Value, json};

use super::frame::Answered;
use super::lists::Listed;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::problem::Problem;
use crate::rest::to_the_end;
use crate::tenant_limits::TenantLimits;

/// `GET /admin/tenants`
pub(super) async fn list(viewer: Viewer) -> Answered {
    page(&viewer, None, None)
}

fn page(viewer: &Viewer, made: Option<&Value>, error: Option<&str>) -> Answered {
    let process = viewer.web.shared.process()?;
    let all = process.records();
    let listed = Listed::of(viewer, all, |one, text| one.name.as_str().contains(text));
    let rows = listed.rows.iter().map(|record| {
        let tenant = process.tenants.find(&record.name);
        let why = tenant.as_ref().and_then(|tenant| tenant.trouble()).or(record.why.clone());
        json!({
            "name": record.name,
            "state": record.state.word(),
            "why": why,
            "devices": tenant.map(|tenant| tenant.devices.page(0, 1).0),
            "remove": format!("/admin/tenants/{}/remove", in_address(record.name.as_str())),
        })
    });
    let rows: Vec<Value> = rows.collect();
    let values = json!({
        "rows": rows,
        "list": listed.around(),
        "given": if error.is_some() { viewer.field("name") } else { "" },
        "made": made,
        "error": error,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("tenants.html", values).with_status(status).into())
}

fn is_of_the_form(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT)
}

/// `POST /admin/tenants`: its secrets are in this answer alone.
pub(super) async fn make(viewer: Viewer) -> Answered {
    let process = viewer.web.shared.process()?;
    let Ok(name) = TenantName::new(viewer.field("name").trim()) else {
        let text = "Choose 1 to 32 letters a to z, digits and hyphens, no hyphen first";
        return page(&viewer, None, Some(text));
    };
    let made = to_the_end(async move { process.make(name, TenantLimits::default()).await }).await;
    match made {
        Ok((record, secrets)) => {
            let made = json!({
                "name": record.name, "token": secrets.bench, "secret": secrets.devices,
            });
            page(&viewer, Some(&made), None)
        }
        Err(problem) if is_of_the_form(&problem) => page(&viewer, None, Some(problem.detail())),
        Err(problem) => Err(problem),
    }
}

/// `POST /admin/tenants/{id}/remove`: with the name typed once more.
pub(super) async fn remove(viewer: Viewer) -> Answered {
    let process = viewer.web.shared.process()?;
    let name = viewer.variable.clone();
    if viewer.field("name") != name {
        let text = "Enter the tenant's name once more, exactly; nothing was removed";
        return page(&viewer, None, Some(text));
    }
    let name = TenantName::new(&name).map_err(|_| Problem::nothing())?;
    match to_the_end(async move { process.remove(&name).await }).await {
        Ok(_) => Ok(way("/admin/tenants")),
        Err(problem) if is_of_the_form(&problem) => page(&viewer, None, Some(problem.detail())),
        Err(problem) => Err(problem),
    }
}
