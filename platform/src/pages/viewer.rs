//! Who asks for a page, and what the request has in it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequest as _, Path, Query, Request};
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use lastmeter_model::access::{PrincipalRef, Role};
use lastmeter_units::SimTime;

use super::format::Times;
use super::frame::{PAGES, Page, Seat, Web, is_for};
use super::session::cookie_name;
use super::view::{self, Entry, Frame};
use crate::identity::Visitor;
use crate::ops::Caller;
use crate::problem::{Problem, wrong};
use crate::rest::{Visit, check_rates, read_whole};
use crate::tenant::Tenant;

/// A request for a page, or a form that was sent.
pub(super) struct Viewer {
    pub(super) page: &'static Page,
    pub(super) web: Web,
    pub(super) visit: Visit,
    pub(super) visitor: Visitor,
    pub(super) caller: Caller,
    /// The path and the query.
    pub(super) address: String,
    /// The variable of the path; empty where there is none.
    pub(super) variable: String,
    /// The query's pairs, or the form's.
    pairs: Vec<(String, String)>,
    /// The part that alone is wanted.
    part: Option<String>,
    is_form: bool,
    pub(super) times: Times,
}

impl Viewer {
    /// Reads a request.
    pub(super) async fn read(
        page: &'static Page,
        web: Web,
        visit: Visit,
        request: Request,
    ) -> Result<Self, Response> {
        let refused = |problem: Problem| view::alone(&problem);
        let visitor = visitor(&web, request.headers());
        // Rates are those of an address, and of who is signed in.
        let is_signed_in = visitor.proof != crate::identity::Proof::Nothing;
        let by = is_signed_in.then_some(&visitor);
        check_rates(&web.shared, by, &visit, &request).map_err(refused)?;
        let path = request.uri().path_and_query();
        let address = path.map_or_else(|| "/".to_owned(), ToString::to_string);
        let part = request.headers().get("X-Part").and_then(|part| part.to_str().ok());
        let part = part.map(str::to_owned);
        let (mut parts, body) = request.into_parts();
        let is_form = parts.method == Method::POST;
        let variable = match parts.extract::<Path<String>>().await {
            Ok(Path(variable)) => variable,
            Err(_) => String::new(),
        };
        let pairs = if is_form {
            let request = Request::from_parts(parts, body);
            let request = read_whole(request, web.shared.body_limit()).await?;
            axum::Form::<Vec<(String, String)>>::from_request(request, &())
                .await
                .map_err(|_| refused(wrong("form", "expected a form of pages")))?
                .0
        } else {
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
                .map_err(|_| refused(wrong("address", "its query cannot be read")))?
                .0
        };
        let caller = Caller { tenant: Arc::clone(&visitor.tenant), who: Arc::clone(&visitor.who) };
        let times =
            Times { zone: crate::ops::homes::zone(&caller), now: caller.tenant.clock.now() };
        Ok(Self {
            page,
            web,
            visit,
            visitor,
            caller,
            address,
            variable,
            pairs,
            part,
            is_form,
            times,
        })
    }

    pub(super) fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// The last value of a field; empty where there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.pairs.iter().rev().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether there is a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(field, _)| field == name)
    }

    /// Every field whose name begins with this, by the rest of its name.
    pub(super) fn fields_of(&self, prefix: &str) -> Vec<(String, String)> {
        let rest = |(name, value): &(String, String)| {
            Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))
        };
        self.pairs.iter().filter_map(rest).collect()
    }

    /// What stands around the page.
    pub(super) fn frame(&self) -> Frame {
        let seats = seats(&self.caller);
        let is_seen = |page: &&Page| page.seats.iter().any(|seat| seats.contains(seat));
        let entries = PAGES.iter().filter(is_seen).filter(|page| is_for(&self.caller, page));
        let entries = entries.filter_map(|page| {
            let is_current = page.path == self.page.path;
            Some(Entry { name: page.entry?, path: page.path, is_current })
        });
        Frame {
            page: self.page,
            entries: entries.collect(),
            user: self.caller.user().map(ToString::to_string),
            part: self.part.clone(),
        }
    }

    /// Whether a form was sent.
    pub(super) fn is_form(&self) -> bool {
        self.is_form
    }

    /// Whether a part is wanted: it alone, or the whole page.
    pub(super) fn wants(&self, part: &str) -> bool {
        self.part.as_deref().is_none_or(|only| only == part)
    }

    /// The same request of nobody in particular, in the same tenant.
    pub(super) fn as_anybody(&self) -> Self {
        let visitor = Visitor::anonymous(Arc::clone(&self.caller.tenant));
        let (tenant, who) = (Arc::clone(&visitor.tenant), Arc::clone(&visitor.who));
        let (web, visit, times) = (self.web.clone(), self.visit.clone(), self.times.clone());
        let (address, variable) = (self.address.clone(), self.variable.clone());
        let caller = Caller { tenant, who };
        let (page, pairs, part) = (self.page, Vec::new(), None);
        let is_form = self.is_form;
        Self { page, web, visit, visitor, caller, address, variable, pairs, part, is_form, times }
    }

    /// The instant at which the page is made.
    pub(super) fn now(&self) -> SimTime {
        self.times.now
    }
}

/// Who is signed in by a request's cookie.
pub(super) fn visitor(web: &Web, headers: &HeaderMap) -> Visitor {
    let name = cookie_name(web.is_secure);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('='));
    let found = found.find(|(given, _)| *given == name);
    let tenants = web.shared.tenants();
    let visitor = found.and_then(|(_, value)| tenants.by_page(value));
    visitor.unwrap_or_else(|| Visitor::anonymous(Arc::clone(tenants.first())))
}

/// What somebody is to the pages.
pub(super) fn seats(caller: &Caller) -> Vec<Seat> {
    if caller.user().is_none() {
        return vec![Seat::Nobody];
    }
    let mut seats = Vec::new();
    let roles: BTreeSet<Role> = caller.who.iter().flat_map(|who| who.roles.clone()).collect();
    if roles.contains(&Role::User) {
        seats.push(Seat::Household);
    }
    if roles.contains(&Role::Utility) {
        seats.push(Seat::Utility);
    }
    if roles.contains(&Role::Operator) || roles.contains(&Role::TenantAdmin) {
        seats.push(Seat::Operator);
    }
    let is_platforms = |who: &lastmeter_model::access::Principal| {
        matches!(who.reference, PrincipalRef::PlatformAdmin(_))
    };
    if caller.who.iter().any(is_platforms) {
        seats.push(Seat::Platform);
    }
    seats
}

/// A text in an address.
pub(super) fn in_address(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            lastmeter_text::append(&mut out, format_args!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}
