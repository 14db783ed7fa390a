//! Reading paths, queries and bodies, with every refusal as a problem.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::request::Parts;
use lastmeter_units::SimTime;
use serde::de::DeserializeOwned;

use super::Problem;
use lastmeter_store::{Page, Range};

/// Rows on a page unless asked otherwise (SiteWhere's default).
const PAGE_SIZE: u64 = 100;
/// Rows on a page at most.
const PAGE_SIZE_MAX: u64 = 1000;

pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(Json::<T>::from_request(request, state).await?.0))
    }
}

/// The one variable of a path.
pub(super) struct PathText(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Path::<String>::from_request_parts(parts, state).await?.0))
    }
}

/// The query's pairs in order; a handler takes those it knows, and `finish` refuses the rest, so
/// that a misspelt filter does not silently filter nothing.
pub(crate) struct Pairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Query::<Vec<(String, String)>>::from_request_parts(parts, state).await?.0))
    }
}

impl Pairs {
    /// Takes all values of a name.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, rest) =
            std::mem::take(&mut self.0).into_iter().partition(|(key, _)| key == name);
        self.0 = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes the value of a name that may stand once.
    pub(super) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        if values.len() > 1 {
            let detail = format!("`{name}` stands {} times, expected once", values.len());
            return Err(Problem::bad_request("repeated_parameter", detail));
        }
        Ok(values.pop())
    }

    /// Takes and reads the value of a name.
    pub(super) fn read<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let text = lastmeter_model::refusal::shortened(&text, 80);
            let detail = format!("`{name}` is `{text}`, expected {expected}");
            Problem::bad_request("wrong_parameter", detail)
        })
    }

    /// Takes a whole number within bounds.
    pub(crate) fn number(
        &mut self,
        name: &str,
        default: u64,
        (least, most): (u64, u64),
    ) -> Result<u64, Problem> {
        let expected = format!("a whole number from {least} to {most}");
        match self.read(name, &expected)? {
            None => Ok(default),
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(number) => {
                let detail = format!("`{name}` is {number}, expected {expected}");
                Err(Problem::bad_request("wrong_parameter", detail))
            }
        }
    }

    /// Takes `page` (from 1) and `pageSize`.
    pub(super) fn page(&mut self) -> Result<Page, Problem> {
        let size = self.number("pageSize", PAGE_SIZE, (1, PAGE_SIZE_MAX))?;
        // The bound keeps the offset within what the store counts with.
        let page = self.number("page", 1, (1, u64::from(u32::MAX)))?;
        Ok(Page { offset: (page - 1) * size, limit: size as u32 })
    }

    /// Takes `startDate` and `endDate`, both included.
    pub(super) fn range(&mut self) -> Result<Range, Problem> {
        let expected = "a date such as 2027-01-18T17:00:00Z";
        let start = self.read("startDate", expected)?.unwrap_or(SimTime(i64::MIN));
        let end = self.read("endDate", expected)?.unwrap_or(SimTime(i64::MAX));
        Ok(Range { start, end })
    }

    /// Refuses what no handler took.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = lastmeter_model::refusal::shortened(name, 80);
                let detail = format!("there is no parameter `{name}` here");
                Err(Problem::bad_request("unknown_parameter", detail))
            }
        }
    }
}
