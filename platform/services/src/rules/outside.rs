//! What rules look at that no device measures: tariffs and feeds.

use std::collections::BTreeMap;

use lastmeter_model::document::Document;
use lastmeter_model::entity::{
    Body, Condition, Direction, Feed, FeedLevel, Piece, Tariff, TariffPrice,
};
use lastmeter_units::{SimDuration, SimTime};

use super::seconds;
use crate::border::Read;

/// How far ahead prices are worked out at once: more than a week, in which most come again.
const AHEAD: SimDuration = SimDuration::from_seconds(8 * 86_400);

/// The tariffs and feeds of a tenant.
#[derive(Debug, Default)]
pub(super) struct Outside {
    tariffs: BTreeMap<String, Tariff>,
    feeds: BTreeMap<String, Feed>,
    /// Prices by tariff and direction, as far as they are worked out.
    ahead: BTreeMap<(String, &'static str), Ahead>,
}

#[derive(Debug)]
struct Ahead {
    from: SimTime,
    until: SimTime,
    pieces: Vec<Piece>,
}

/// What a condition rests on that no device measures.
pub(super) fn read_of(condition: &Condition) -> Option<Read> {
    Some(match condition {
        Condition::Tariff(TariffPrice { tariff, .. }) => Read::Tariff(tariff.to_string()),
        Condition::Weather(FeedLevel { feed, .. }) => Read::Feed(feed.to_string()),
        _ => return None,
    })
}

impl Outside {
    /// Takes a tariff or a feed as it is now; what may be otherwise with it.
    pub(super) fn document(&mut self, document: &Document) -> Vec<Read> {
        let token = &document.token;
        self.ahead.clear();
        if document.kind.code == Feed::CODE {
            keep(&mut self.feeds, document);
            let is_of = |tariff: &Tariff| {
                tariff.price_feed.as_ref().is_some_and(|feed| feed.as_str() == token)
            };
            let priced = self.tariffs.iter().filter(|(_, tariff)| is_of(tariff));
            let priced = priced.map(|(tariff, _)| Read::Tariff(tariff.clone()));
            priced.chain([Read::Feed(token.clone())]).collect()
        } else {
            keep(&mut self.tariffs, document);
            vec![Read::Tariff(token.clone())]
        }
    }

    /// Whether a price is as asked for, and when that may be otherwise.
    pub(super) fn is_priced(
        &mut self,
        asked: &TariffPrice,
        now: SimTime,
    ) -> (Option<bool>, Option<SimTime>) {
        let TariffPrice { tariff, direction, above, below, zone } = asked;
        let (piece, next) = self.price(tariff.as_str(), *direction, now);
        let holds = piece.map(|piece| {
            above.is_some_and(|level| piece.price > level)
                || below.is_some_and(|level| piece.price < level)
                || zone.as_ref().is_some_and(|name| *name == piece.name)
        });
        (holds, next)
    }

    /// The price at an instant, and the next one at which it may be another.
    fn price(
        &mut self,
        token: &str,
        direction: Direction,
        now: SimTime,
    ) -> (Option<&Piece>, Option<SimTime>) {
        let Some(tariff) = self.tariffs.get(token) else { return (None, None) };
        if tariff.validity().until <= now {
            return (None, None);
        }
        let place = (token.to_owned(), direction.word());
        let is_known = |ahead: &Ahead| ahead.from <= now && now < ahead.until;
        if !self.ahead.get(&place).is_some_and(is_known) {
            let feed = tariff.price_feed.as_ref();
            let feed = feed.and_then(|feed| self.feeds.get(feed.as_str()));
            let until = SimTime(now.0.saturating_add(AHEAD.0));
            let pieces = match feed {
                Some(feed) => tariff.with_feed(feed).pieces(direction, now, until),
                None => tariff.pieces(direction, now, until),
            };
            self.ahead.insert(place.clone(), Ahead { from: now, until, pieces });
        }
        let Some(Ahead { until, pieces, .. }) = self.ahead.get(&place) else { return (None, None) };
        let next = pieces.partition_point(|piece| piece.from <= now);
        let piece = next.checked_sub(1).and_then(|last| pieces.get(last));
        let piece = piece.filter(|piece| now < piece.until);
        let begins = || pieces.get(next).map_or(*until, |piece| piece.from);
        (piece, Some(piece.map_or_else(begins, |piece| piece.until)).filter(|end| now < *end))
    }

    /// Whether a value of a feed is beyond a level, where it was or was not before, and when that
    /// may be otherwise.
    pub(super) fn is_beyond(
        &self,
        asked: &FeedLevel,
        before: bool,
        now: SimTime,
    ) -> (Option<bool>, Option<SimTime>) {
        let FeedLevel { feed, above, below, hysteresis, ahead_seconds } = asked;
        let Some(feed) = self.feeds.get(feed.as_str()) else { return (None, None) };
        let ahead = seconds(*ahead_seconds);
        let (value, next) = feed.at(now + ahead);
        let back = if before { *hysteresis } else { 0.0 };
        let holds = value.map(|value| {
            above.is_some_and(|level| value > level - back)
                || below.is_some_and(|level| value < level + back)
        });
        (holds, next.map(|next| SimTime(next.0 - ahead.0)))
    }
}

fn keep<T: Body>(all: &mut BTreeMap<String, T>, document: &Document) {
    all.remove(&document.token);
    let body = serde_json::from_str(&document.body).ok();
    all.extend(body.filter(|_| !document.is_deleted).map(|body| (document.token.clone(), body)));
}
