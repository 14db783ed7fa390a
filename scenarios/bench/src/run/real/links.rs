//! The links of a real-time run: one proxy each, a lane per device and observer's connection.

use std::net::SocketAddr;
use std::sync::Arc;

use lastmeter_language::{LinkRow, Scenario};
use lastmeter_link::impair::{Breakage, Impairment, LinkSpec};
use lastmeter_link::proxy::{LinkRecord, Proxy, ProxyOptions, Spread};
use lastmeter_record::{LinkFacts, Summary};
use lastmeter_sim::Streams;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::report::Report;
use crate::run::error::BenchError;

/// The proxies of all links, in the scenario's order; cheap to clone.
#[derive(Clone)]
pub(crate) struct Links {
    proxies: Vec<Arc<Proxy>>,
    names: Arc<Vec<String>>,
    /// What each does.
    pub(crate) specs: Arc<Vec<LinkSpec>>,
}

impl Links {
    /// Makes the proxies before the platform at this address; their records go to `reports`.
    /// Must be called within the runtime that shall serve them.
    pub(crate) fn start(
        scenario: &Scenario,
        upstream: SocketAddr,
        reports: &UnboundedSender<Report>,
    ) -> Self {
        let proxy = |(index, row): (usize, &LinkRow)| {
            let streams: Streams = scenario.streams();
            let (sender, mut records) = unbounded_channel::<LinkRecord>();
            let reports = reports.clone();
            tokio::spawn(async move {
                while let Some(record) = records.recv().await {
                    if reports.send(Report::Link { link: index, record }).is_err() {
                        break;
                    }
                }
            });
            Arc::new(Proxy::new(ProxyOptions {
                name: &row.name,
                upstream,
                spec: row.spec,
                stream: Box::new(move |name: &str| streams.stream(name)),
                records: Some(sender),
            }))
        };
        Self {
            proxies: scenario.links.iter().enumerate().map(proxy).collect(),
            specs: Arc::new(scenario.links.iter().map(|row| row.spec).collect()),
            names: Arc::new(scenario.links.iter().map(|row| row.name.clone()).collect()),
        }
    }

    /// Where the owner of this name connects to in order to go through a link.
    pub(crate) async fn lane(&self, link: usize, owner: &str) -> Result<SocketAddr, BenchError> {
        let what = "cannot listen for the link";
        let proxy = &self.proxies[link];
        proxy.lane(owner).await.map_err(BenchError::file(what, self.names[link].as_str()))
    }

    /// Puts something on top of a link, or takes it away again.
    pub(crate) fn impair(
        &self,
        link: usize,
        change: Option<&Impairment>,
        owners: Option<&[String]>,
    ) {
        let proxy = &self.proxies[link];
        match (change, owners) {
            (Some(change), None) => proxy.impair(change),
            (None, None) => proxy.restore(),
            (Some(change), Some(owners)) => owners.iter().for_each(|owner| {
                proxy.impair_lane(owner, change);
            }),
            (None, Some(owners)) => owners.iter().for_each(|owner| {
                proxy.restore_lane(owner);
            }),
        }
    }

    /// Breaks a link, or mends it again.
    pub(crate) fn disconnect(&self, link: usize, how: Option<Breakage>, owners: Option<&[String]>) {
        let proxy = &self.proxies[link];
        match (how, owners) {
            (Some(how), None) => proxy.break_link(how),
            (None, None) => proxy.mend(),
            (Some(how), Some(owners)) => owners.iter().for_each(|owner| {
                proxy.break_lane(owner, how);
            }),
            (None, Some(owners)) => owners.iter().for_each(|owner| {
                proxy.mend_lane(owner);
            }),
        }
    }

    /// What the proxies logged.
    pub(crate) fn facts(&self, scenario: &Scenario) -> Vec<LinkFacts> {
        let facts = |(proxy, row): (&Arc<Proxy>, &LinkRow)| {
            let report = proxy.report();
            let summary = |spread: Spread| Summary {
                n: spread.count,
                p50_ns: spread.p50_ns,
                p99_ns: spread.p99_ns,
                p999_ns: spread.p999_ns,
                max_ns: spread.max_ns,
            };
            let more: [(&str, serde_json::Value); 4] = [
                ("lanes", report.lanes.into()),
                ("upstream_refused", report.upstream_refused.into()),
                ("flipped_bytes", report.flipped_bytes.iter().sum::<u64>().into()),
                ("blocked", report.blocked.into()),
            ];
            LinkFacts {
                name: row.name.clone(),
                kind: row.preset.clone(),
                connections: report.connections,
                chunks: report.chunks.iter().sum(),
                bytes: report.bytes.iter().sum(),
                resets: report.resets,
                release_error: Some(summary(report.release_error)).filter(|error| error.n > 0),
                injected_p50_ns: Some(report.injected_delay)
                    .filter(|delay| delay.count > 0)
                    .map(|delay| delay.p50_ns),
                nodelay: row.spec.nodelay,
                more: more.map(|(name, count)| (name.to_owned(), count)).into_iter().collect(),
            }
        };
        self.proxies.iter().zip(&scenario.links).map(facts).collect()
    }

    /// Ends all connections and listeners.
    pub(crate) async fn stop(self) {
        for proxy in self.proxies {
            if let Some(proxy) = Arc::into_inner(proxy) {
                proxy.stop().await;
            }
        }
    }
}
