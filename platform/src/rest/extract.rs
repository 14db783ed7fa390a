//! Reading paths, queries and bodies, with every refusal as a problem.

use std::ops::Deref;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use lastmeter_store::{Page, Range};
use lastmeter_units::SimTime;
use serde::de::DeserializeOwned;

use super::parameter::{END_DATE, PAGE, PAGE_SIZE, Parameter, ParameterValue, START_DATE};
use super::routes::Route;
use super::{Api, Problem, Shared};
use crate::ops::documents::Repeatable;

/// The tenant of the query, as clients of SiteWhere give it; it is read before the handler runs.
pub(super) const TENANT_IN_QUERY: &str = "tenantAuthToken";

/// The longest key of a request that may come again.
const KEY_BYTES_MAX: usize = 128;

/// A request of a row: what it is answered from, and what its path, query and headers ask for. A
/// row without parameters of the query refuses all of them, before its handler runs.
pub(super) struct Call {
    api: Api,
    pub(super) route: &'static Route,
    /// The variable of the path; empty where there is none.
    pub(super) variable: String,
    /// The second one, where there are two.
    pub(super) second: String,
    /// The third one, where there are three.
    pub(super) third: String,
    pub(super) pairs: Pairs,
    key: Option<HeaderValue>,
}

impl Deref for Call {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl FromRequestParts<Shared> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Ok(api) = Api::from_request_parts(parts, shared).await;
        let route = parts.extensions.get::<&'static Route>().copied();
        let route = route.ok_or_else(Problem::nothing)?;
        let mut variables = Vec::new();
        if route.variables().next().is_some() {
            variables = Path::<Vec<(String, String)>>::from_request_parts(parts, shared).await?.0;
        }
        let mut variables = variables.into_iter().map(|(_, value)| value);
        let variable = variables.next().unwrap_or_default();
        let second = variables.next().unwrap_or_default();
        let third = variables.next().unwrap_or_default();
        let pairs = Pairs::from_request_parts(parts, shared).await?;
        // What is wrong with a body is answered first.
        if route.takes.is_none() {
            pairs.finish_undeclared()?;
        }
        let key = parts.headers.get("Idempotency-Key").cloned();
        Ok(Self { api, route, variable, second, third, pairs, key })
    }
}

impl Call {
    /// `page` and `pageSize`, of a row with no other parameters.
    pub(super) fn page(&mut self) -> Result<Page, Problem> {
        let page = self.pairs.page()?;
        self.pairs.finish()?;
        Ok(page)
    }

    /// The same with `startDate` and `endDate`.
    pub(super) fn page_of_range(&mut self) -> Result<(Page, Range), Problem> {
        let (page, range) = (self.pairs.page()?, self.pairs.range()?);
        self.pairs.finish()?;
        Ok((page, range))
    }

    /// The key under which it may come again.
    pub(super) fn repeatable(&self) -> Result<Option<Repeatable>, Problem> {
        self.repeatable_at(self.route.path)
    }

    /// The same for what it is of this path only.
    pub(super) fn repeatable_at(&self, path: &str) -> Result<Option<Repeatable>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
        let wrong = || {
            let detail = format!("`Idempotency-Key` is no text of 1 to {KEY_BYTES_MAX} characters");
            Problem::bad_request("wrong_header", detail)
        };
        Ok(Some(Repeatable { key: key.ok_or_else(wrong)?.to_owned(), path: path.to_owned() }))
    }
}

/// The body of a request, JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let pairs = Pairs::from_request_parts(&mut parts, state).await?;
        let read = Json::<T>::from_request(Request::from_parts(parts, body), state).await?.0;
        pairs.finish_undeclared()?;
        Ok(Self(read))
    }
}

/// The query's pairs in order; a handler takes the parameters of its row, and `finish` refuses the
/// rest, so that a misspelt filter does not silently filter nothing.
pub(crate) struct Pairs {
    pairs: Vec<(String, String)>,
    /// Parameters of the row that the handler has not read; where there is no row, as at the HTTP
    /// door, nothing is held against it.
    unread: Option<Vec<&'static Parameter>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let route = parts.extensions.get::<&'static Route>();
        let unread = route.map(|route| route.query().collect());
        let mut pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await?.0;
        pairs.retain(|(name, _)| name != TENANT_IN_QUERY);
        Ok(Self { pairs, unread })
    }
}

impl Pairs {
    /// Whether a parameter is given.
    pub(super) fn has(&self, parameter: &Parameter) -> bool {
        self.pairs.iter().any(|(name, _)| name == parameter.name)
    }

    /// Takes all values of a parameter.
    pub(super) fn all(&mut self, parameter: &Parameter) -> Vec<String> {
        let name = parameter.name;
        if let Some(unread) = &mut self.unread {
            let place = unread.iter().position(|declared| *declared == parameter);
            assert_in_tests!(
                place.is_some(),
                "the row does not declare `{name}`, or it was read before"
            );
            place.map(|place| unread.remove(place));
        }
        let (taken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(key, _)| key == name);
        self.pairs = rest;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes the value of a parameter that may stand once.
    pub(super) fn one(&mut self, parameter: &Parameter) -> Result<Option<String>, Problem> {
        let mut values = self.all(parameter);
        if values.len() > 1 {
            let name = parameter.name;
            let detail = format!("`{name}` stands {} times, expected once", values.len());
            return Err(Problem::bad_request("repeated_parameter", detail));
        }
        Ok(values.pop())
    }

    /// Takes and reads the value of a parameter.
    fn read<T: FromStr>(
        &mut self,
        parameter: &Parameter,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(parameter)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong_parameter(parameter, &text, expected))
    }

    /// Takes a whole number; another kind of parameter has none.
    pub(crate) fn number(&mut self, parameter: &Parameter) -> Result<u64, Problem> {
        let ParameterValue::Whole { least, most, default } = parameter.value else {
            assert_in_tests!(false, "`{}` is not a whole number", parameter.name);
            return Ok(0);
        };
        let expected = format!("a whole number from {least} to {most}");
        match self.read(parameter, &expected)? {
            None => Ok(default),
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(number) => {
                let detail = format!("`{}` is {number}, expected {expected}", parameter.name);
                Err(Problem::bad_request("wrong_parameter", detail))
            }
        }
    }

    /// Takes an instant.
    pub(super) fn instant(&mut self, parameter: &Parameter) -> Result<Option<SimTime>, Problem> {
        self.read(parameter, "a date such as 2027-01-18T17:00:00Z")
    }

    /// Takes one of the words of a parameter; another kind of parameter has none.
    pub(super) fn word(&mut self, parameter: &Parameter) -> Result<Option<&'static str>, Problem> {
        let ParameterValue::Word(words) = parameter.value else {
            assert_in_tests!(false, "`{}` is not one of some words", parameter.name);
            return Ok(None);
        };
        let Some(text) = self.one(parameter)? else { return Ok(None) };
        let found = words.iter().find(|word| **word == text);
        found.map(|word| Some(*word)).ok_or_else(|| {
            wrong_parameter(parameter, &text, &format!("one of {}", words.join(", ")))
        })
    }

    /// Takes `page` (from 1) and `pageSize`.
    pub(super) fn page(&mut self) -> Result<Page, Problem> {
        let size = self.number(&PAGE_SIZE)?;
        let page = self.number(&PAGE)?;
        Ok(Page { offset: (page - 1) * size, limit: size as u32 })
    }

    /// Takes `startDate` and `endDate`, both included.
    pub(super) fn range(&mut self) -> Result<Range, Problem> {
        let start = self.instant(&START_DATE)?.unwrap_or(SimTime(i64::MIN));
        let end = self.instant(&END_DATE)?.unwrap_or(SimTime(i64::MAX));
        Ok(Range { start, end })
    }

    /// Refuses everything, where the row declares no parameter.
    fn finish_undeclared(&self) -> Result<(), Problem> {
        if self.unread.as_ref().is_some_and(Vec::is_empty) { self.finish() } else { Ok(()) }
    }

    /// Refuses what no handler took.
    pub(crate) fn finish(&self) -> Result<(), Problem> {
        let unread = self.unread.iter().flatten().map(|parameter| parameter.name);
        assert_in_tests!(
            unread.clone().next().is_none(),
            "declared but not read: {:?}",
            unread.collect::<Vec<_>>()
        );
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = lastmeter_model::refusal::shortened(name, 80);
                let detail = format!("there is no parameter `{name}` here");
                Err(Problem::bad_request("unknown_parameter", detail))
            }
        }
    }
}

/// The refusal of a parameter's value.
pub(super) fn wrong_parameter(parameter: &Parameter, text: &str, expected: &str) -> Problem {
    let text = lastmeter_model::refusal::shortened(text, 80);
    let detail = format!("`{}` is `{text}`, expected {expected}", parameter.name);
    Problem::bad_request("wrong_parameter", detail)
}
