//! Which parts of an open page are out of date, as server-sent events (HTML, 9.2): `reading` and
//! `alert` when something was committed that whoever looks may have, `documents` when a document
//! changed, `clock` when a driven clock moved. A page asks for its part again, with its own rights;
//! nothing else is in the stream.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use lastmeter_model::access::Kind;
use lastmeter_text::append;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::frame::Web;
use super::viewer::visitor;
use crate::config::ClockSource;
use crate::identity::is_current;
use crate::ops::live::{Event, Subscription};
use crate::ops::{Caller, Cuts};
use crate::rest::{Outlet, Stopping, flow};
use crate::tenant::Tenant;

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser may leave what waits for it untaken.
const UNTAKEN: Duration = Duration::from_secs(5);
/// Between two events of one name: a page is not asked for more often.
const PAUSE: Duration = Duration::from_millis(500);

/// `GET /live?on=ID,ID`: `on` has the devices of the page; without it all.
pub(super) async fn stream(
    State(web): State<Web>,
    Extension(stopping): Extension<Stopping>,
    Query(asked): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&web, &headers);
    let caller = Caller { tenant: visitor.tenant.clone(), who: visitor.who.clone() };
    if caller.user().is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(cuts) = Cuts::of(caller.clone(), Kind::Live) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(subscription) = Subscription::begin(cuts, None) else {
        // The page asks for its parts by itself then.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let on = asked.into_iter().find(|(name, _)| name == "on").map(|(_, ids)| ids);
    let on: Vec<String> = on.iter().flat_map(|ids| ids.split(',')).map(str::to_owned).collect();
    let (outlet, body) = flow();
    let still = move || is_current(&web.shared.tenants().access, &visitor);
    tokio::spawn(write(subscription, caller, (on, still), outlet, stopping));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

/// Writes events until nobody listens, or is let in, any more.
async fn write(
    mut subscription: Subscription,
    caller: Caller,
    (on, is_still_let_in): (Vec<String>, impl Fn() -> bool),
    outlet: Outlet,
    mut stopping: Stopping,
) {
    // What came between two looks is one event.
    let mut beats = interval(HEARTBEAT);
    let mut looks = interval(PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent_at: [Option<Instant>; 2] = [None; 2];
    let mut waiting = [false; 2];
    // A clock that is driven has moved; one that goes by itself is the browser's too.
    let position = || {
        let Tenant { documents, clock, .. } = &*caller.tenant;
        let is_driven = clock.source == ClockSource::Driven;
        (documents.epoch(), is_driven.then(|| clock.now()))
    };
    let mut changes = position();
    loop {
        let mut out = String::new();
        tokio::select! {
            events = subscription.next() => match events {
                Ok(Some(events)) => {
                    for event in events {
                        match event {
                            Event::Reading(row) if is_on(&on, row.device.as_str()) => waiting[0] = true,
                            Event::Alert(row) if is_on(&on, row.device.as_str()) => waiting[1] = true,
                            _ => {}
                        }
                    }
                }
                Ok(None) | Err(_) => return,
            },
            _ = looks.tick() => {
                let now = position();
                if now != changes {
                    for (name, is_other) in
                        [("documents", now.0 != changes.0), ("clock", now.1 != changes.1)]
                    {
                        if is_other {
                            append(&mut out, format_args!("event: {name}\ndata: \n\n"));
                        }
                    }
                    changes = now;
                }
            }
            _ = beats.tick() => out.push_str(": here\n\n"),
            () = outlet.closed() => return,
            () = stopping.wait() => return,
        }
        for (index, name) in ["reading", "alert"].into_iter().enumerate() {
            let is_due = sent_at[index].is_none_or(|at| at.elapsed() >= PAUSE);
            if waiting[index] && is_due {
                (waiting[index], sent_at[index]) = (false, Some(Instant::now()));
                append(&mut out, format_args!("event: {name}\ndata: \n\n"));
            }
        }
        if !is_still_let_in() {
            return;
        }
        if !out.is_empty() && !matches!(timeout(UNTAKEN, outlet.write(out)).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn is_on(on: &[String], device: &str) -> bool {
    on.iter().all(String::is_empty) || on.iter().any(|id| id == device)
}
