//! Points that are fed: which source is asked when, what of its answers is new, when it is stale.
//!
//! Terms: a source is *polled* where it has to be asked; a value is *new* where it is of later than
//! all before it; a point is *fresh* since the last value that could be written, and *stale* once
//! that is too long ago. A value that is refused keeps no point fresh.

use std::collections::BTreeMap;

use lastmeter_rts::point_map::{
    FedValue, Feed, FeedSource, Point, PointDirection, PointMap, is_filter_of,
};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::rest::{Answer, Method, Request};

/// The most bytes of a message of a flow, and of an answer.
const BYTES_MAX: usize = 1 << 20;

/// A point that is fed.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) point: String,
    feed: Feed,
    /// Of when the newest value is that came: as it was dated, and no later than it came.
    newest: Option<(SimTime, SimTime)>,
    /// Of when the last value is that could be written; before the first, since when it is waited
    /// for.
    fresh: Option<SimTime>,
    pub(super) is_stale: bool,
    /// Whether the last value was refused.
    pub(super) is_refused: bool,
    pub(super) counts: FeedCounts,
}

/// What became of the values of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FeedCounts {
    pub(super) taken: u64,
    pub(super) refused: u64,
    /// Answers and messages without a value.
    pub(super) missing: u64,
    /// How often it went stale.
    pub(super) stale: u64,
}

/// A path that is asked, for one or more points.
#[derive(Debug)]
struct Poll {
    path: String,
    every: SimDuration,
    next: SimTime,
    /// The request that is not answered yet.
    open: Option<u64>,
    /// Places of the points.
    of: Vec<usize>,
}

/// What came for a point, by its place: a new value in the SI unit and of when it is, or why there
/// is none.
pub(super) type Came = (usize, Result<(f64, SimTime), String>);

/// All points that are fed.
#[derive(Debug)]
pub(super) struct Feeds {
    own: Vec<Fed>,
    polls: Vec<Poll>,
    requests: u64,
    start: SimTime,
}

impl Feeds {
    /// Those of a map; none where nothing is written.
    pub(super) fn new(map: &PointMap, is_read_only: bool, start: SimTime) -> Self {
        let fed = |point: &Point| {
            let feed = point.write.as_ref()?.fed.clone()?;
            Some(Fed {
                point: point.name.clone(),
                feed,
                newest: None,
                fresh: None,
                is_stale: false,
                is_refused: false,
                counts: FeedCounts::default(),
            })
        };
        let points = map.of_direction(PointDirection::ToSimulator).filter(|_| !is_read_only);
        let own: Vec<Fed> = points.filter_map(fed).collect();
        let mut of_paths: BTreeMap<(String, SimDuration), Vec<usize>> = BTreeMap::new();
        for (place, fed) in own.iter().enumerate() {
            if let Some(key) = fed.feed.polled() {
                of_paths.entry(key).or_default().push(place);
            }
        }
        let poll = |((path, every), of)| Poll { path, every, next: start + every, open: None, of };
        Self { polls: of_paths.into_iter().map(poll).collect(), own, requests: 0, start }
    }

    /// Those of another map; sources that it has too go on, however often they are asked and
    /// whenever they are stale now.
    pub(super) fn of_map(&mut self, map: &PointMap, is_read_only: bool) -> Self {
        let mut next = Self::new(map, is_read_only, self.start);
        next.requests = self.requests;
        for fed in &mut next.own {
            let same =
                |old: &Fed| old.point == fed.point && source_of(&old.feed) == source_of(&fed.feed);
            if let Some(place) = self.own.iter().position(same) {
                let feed = fed.feed.clone();
                *fed = Fed { feed, ..self.own.swap_remove(place) };
            }
        }
        next
    }

    /// Of when the last values are that could be written, to be kept over a restart.
    pub(super) fn kept(&self) -> Vec<u8> {
        let fresh = self.own.iter().filter_map(|fed| Some((&fed.point, fed.fresh?.0)));
        serde_json::to_vec(&fresh.collect::<BTreeMap<_, _>>()).unwrap_or_default()
    }

    /// Goes on after a restart: values are as old as was [`kept`](Self::kept).
    pub(super) fn resume(&mut self, kept: &[u8]) {
        let kept: BTreeMap<String, i64> = serde_json::from_slice(kept).unwrap_or_default();
        for fed in &mut self.own {
            fed.fresh = kept.get(&fed.point).copied().map(SimTime);
        }
    }

    /// The filters of the flows that a map subscribes to, each once.
    pub(super) fn filters(map: &PointMap) -> Vec<String> {
        let fed = map.points.iter().filter_map(|point| point.write.as_ref()?.fed.as_ref());
        let mut filters: Vec<String> = fed.filter_map(Feed::filter).map(str::to_owned).collect();
        filters.sort();
        filters.dedup();
        filters
    }

    pub(super) fn get(&mut self, place: usize) -> &mut Fed {
        &mut self.own[place]
    }

    pub(super) fn all(&self) -> &[Fed] {
        &self.own
    }

    /// The requests that are due. A source that has not answered yet is not asked again.
    pub(super) fn due(&mut self, now: SimTime) -> Vec<Request> {
        for fed in &mut self.own {
            // A clock that was set back in a restart keeps nothing fresh for longer.
            fed.fresh = Some(fed.fresh.unwrap_or(now).min(now));
        }
        let mut all = Vec::new();
        for poll in self.polls.iter_mut().filter(|poll| poll.next <= now) {
            let periods = (now - self.start).0.div_euclid(poll.every.0.max(1)) + 1;
            poll.next = self.start + poll.every * periods;
            if poll.open.is_none() {
                self.requests += 1;
                let (number, path) = (self.requests, poll.path.clone());
                poll.open = Some(number);
                all.push(Request { number, method: Method::Get, path, body: None, key: None });
            }
        }
        all
    }

    /// What an answer has for its points.
    pub(super) fn answered(&mut self, now: SimTime, answer: &Answer) -> Vec<Came> {
        let is_it = |poll: &&mut Poll| poll.open == Some(answer.number);
        let Some(poll) = self.polls.iter_mut().find(is_it) else { return Vec::new() };
        poll.open = None;
        let (places, path) = (poll.of.clone(), poll.path.clone());
        let came = |place: usize| {
            let value = match answer.status {
                200 => self.new_value(place, now, &answer.body),
                0 => Some(Err(format!("{path} was not answered"))),
                status => Some(Err(format!("{path} was answered with {status}"))),
            };
            Some((place, value?))
        };
        places.into_iter().filter_map(came).collect()
    }

    /// What a message of a flow has for the points that listen to it.
    pub(super) fn heard(&mut self, now: SimTime, topic: &str, payload: &[u8]) -> Vec<Came> {
        let listens = |fed: &Fed| fed.feed.filter().is_some_and(|it| is_filter_of(it, topic));
        let places: Vec<usize> = (0..self.own.len()).filter(|&it| listens(&self.own[it])).collect();
        let came = |place| Some((place, self.new_value(place, now, payload)?));
        places.into_iter().filter_map(came).collect()
    }

    /// The value in a document, if it is new.
    fn new_value(
        &mut self,
        place: usize,
        now: SimTime,
        document: &[u8],
    ) -> Option<Result<(f64, SimTime), String>> {
        let fed = &mut self.own[place];
        let value = match document.len() {
            ..=BYTES_MAX => fed.feed.value(document),
            bytes => Err(format!("found {bytes} bytes, expected at most {BYTES_MAX}")),
        };
        let FedValue { si, at } = match value {
            Ok(value) => value,
            Err(why) => return Some(Err(why)),
        };
        let dated = at.unwrap_or(now);
        // By a clock that is ahead a source would stay fresh for so much longer; and once that is
        // right again, nothing would be new until then.
        let at = dated.min(now);
        let is_new = |(other, newest)| dated != other && dated > newest;
        if !fed.newest.is_none_or(is_new) || now - at > fed.feed.stale_after {
            return None;
        }
        fed.newest = Some((dated, at));
        Some(Ok((si, at)))
    }

    /// The places of points whose sources have gone stale by now.
    pub(super) fn gone_stale(&mut self, now: SimTime) -> Vec<usize> {
        let mut gone = Vec::new();
        for place in 0..self.own.len() {
            if self.own[place].stale_at().is_some_and(|at| at <= now) {
                let fed = &mut self.own[place];
                fed.is_stale = true;
                fed.counts.stale += 1;
                gone.push(place);
            }
        }
        gone
    }

    /// For how long a point has had no value that could be written.
    pub(super) fn age(&self, place: usize, now: SimTime) -> SimDuration {
        now - self.own[place].fresh.unwrap_or(now)
    }

    /// When a source is asked next.
    pub(super) fn next_poll(&self) -> Option<SimTime> {
        self.polls.iter().map(|poll| poll.next).min()
    }

    pub(super) fn wake_at(&self) -> Option<SimTime> {
        let stale = self.own.iter().filter_map(Fed::stale_at);
        stale.chain(self.next_poll()).min()
    }
}

impl Fed {
    /// The last value of this time was written.
    pub(super) fn taken(&mut self, at: SimTime) {
        self.counts.taken += 1;
        self.fresh = Some(at);
        (self.is_stale, self.is_refused) = (false, false);
    }

    /// When it goes stale, unless it is; what comes at the last instant is in time.
    fn stale_at(&self) -> Option<SimTime> {
        let since = self.fresh.filter(|_| !self.is_stale)?;
        Some(since + self.feed.stale_after + SimDuration(1))
    }
}

/// Where the values of a feed come from, however often they are asked for.
fn source_of(feed: &Feed) -> FeedSource {
    let mut source = feed.source.clone();
    if let FeedSource::Device { every, .. } | FeedSource::Rest { every, .. } = &mut source {
        *every = SimDuration::ZERO;
    }
    source
}

#[cfg(test)]
#[path = "feeding_tests.rs"]
mod tests;
