//! Refusals of the TLS listener on their way to the record: all are counted at once, each in its
//! ration is recorded durably, the others as sums (see `ration`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lastmeter_model::refusal::RefusalReason;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lock;
use super::ration::Ration;
use crate::port::IngestPort;
use crate::tls::TlsRefusal;

/// Records that wait for the journal; more than that are counted in the sum.
const WAITING_RECORDS_MAX: usize = 64;
/// The longest wait when there is no window to end: any.
const IDLE_WAIT: Duration = Duration::from_hours(24);
/// How long stopping waits for the last records.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Reports {
    port: Arc<dyn IngestPort>,
    begun: Instant,
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// Held while records are made, so that stopping waits for the one in progress.
    recording: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    ration: Ration,
    records: VecDeque<Record>,
}

struct Record {
    reason: TlsRefusal,
    device: Option<String>,
    detail: String,
}

impl Reports {
    pub(crate) fn new(port: Arc<dyn IngestPort>) -> Arc<Self> {
        Arc::new(Self {
            port,
            begun: Instant::now(),
            waiting: Mutex::default(),
            changed: Notify::new(),
            recording: tokio::sync::Mutex::default(),
        })
    }

    /// Reports one refusal: what was found of whom. Neither waits nor fails.
    pub(crate) fn report(&self, reason: TlsRefusal, device: Option<String>, detail: String) {
        self.port.count(RefusalReason::Connection(reason.word()));
        tracing::debug!(reason = reason.word(), device, detail, "refused at the TLS port");
        let mut waiting = lock(&self.waiting);
        let has_room = waiting.records.len() < WAITING_RECORDS_MAX;
        if waiting.ration.admit(self.begun.elapsed(), reason, has_room) {
            waiting.records.push_back(Record { reason, device, detail });
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Records what was reported; never ends.
    pub(crate) async fn attend(&self) {
        loop {
            let next_end = {
                let mut waiting = lock(&self.waiting);
                let sums = waiting.ration.end(self.begun.elapsed());
                waiting.records.extend(sums.into_iter().map(sum));
                waiting.ration.next_end()
            };
            self.record_all().await;
            let wait = next_end.map_or(IDLE_WAIT, |end| end.saturating_sub(self.begun.elapsed()));
            // Out of time, a window has ended.
            let _ = tokio::time::timeout(wait, self.changed.notified()).await;
        }
    }

    /// Records what is there, sums included, because the platform stops.
    pub(crate) async fn settle(&self) {
        {
            let mut waiting = lock(&self.waiting);
            let sums = waiting.ration.end_all();
            waiting.records.extend(sums.into_iter().map(sum));
        }
        if tokio::time::timeout(SETTLE_LIMIT, self.record_all()).await.is_err() {
            tracing::warn!("refusals at the TLS port were not recorded in time");
        }
    }

    async fn record_all(&self) {
        let _one_at_a_time = self.recording.lock().await;
        loop {
            let Some(record) = lock(&self.waiting).records.pop_front() else { return };
            let Record { reason, device, detail } = record;
            let refusal = RefusalReason::Connection(reason.word());
            let recorded = self.port.record(refusal, device.as_deref(), &detail).await;
            if let Err(error) = recorded {
                tracing::warn!(reason = reason.word(), detail, %error, "refusal not recorded");
            }
        }
    }
}

fn sum((reason, count): (TlsRefusal, u64)) -> Record {
    let detail = format!("{count} more within a minute, each of which was counted");
    Record { reason, device: None, detail }
}
