//! Blocks of samples: as they left their recorders, and as the platform gives their bytes back.
//!
//! Their account is that of alerts (`notices`): a block stands in it as one of the type `block`,
//! with the SHA-256 of its bytes as what it holds, so that one that is lost, altered or was sent by
//! nobody is found and noted like an alert.

use std::collections::BTreeMap;

use lastmeter_record::sha256;
use lastmeter_units::SimTime;
use lastmeter_wire::block::{Block, decode_block};
use serde::Deserialize;

use super::alerts::{Alert, AlertsRead};
use super::error::BenchError;
use super::rest::Rest;

/// The type under which a block stands in the account.
pub(crate) const BLOCK: &str = "block";

/// A block as the platform lists it.
#[derive(Debug, Deserialize)]
struct Listed {
    device: String,
    epoch: u64,
    serial: u64,
    event_time: SimTime,
}

/// A page of the list.
#[derive(Debug, Deserialize)]
struct Page {
    results: Vec<Listed>,
    next: String,
    more: bool,
}

/// What stands in the account for a block of these bytes.
fn entry(device: String, (epoch, serial, first): (u64, u64, SimTime), bytes: &[u8]) -> Alert {
    let metadata = BTreeMap::from([("sha256".to_owned(), sha256(bytes))]);
    Alert::of_block((device, epoch, serial), first, metadata)
}

/// A block as it left its sender, in whose name its tenant is; `None` of what is no block.
pub(crate) fn sent(payload: &[u8], named: impl Fn(&str) -> String) -> Option<Alert> {
    let Block { hardware_id, epoch, serial, first, .. } = decode_block(payload).ok()?;
    Some(entry(named(hardware_id.as_str()), (epoch.0, serial.0, first), payload))
}

impl Rest {
    /// The blocks stored since the last call, whoever sent them.
    pub(crate) async fn blocks(&mut self) -> Result<AlertsRead, BenchError> {
        let mut alerts = Vec::new();
        loop {
            let path = format!("/api/v1/blocks?after={}", self.blocks_after);
            let page: Page = self.get(&path).await?;
            for Listed { device, epoch, serial, event_time } in page.results {
                let path = format!("/api/v1/blocks/{device}/{epoch}/{serial}");
                let (status, bytes) = self.bytes(&path).await?;
                if status != 200 {
                    let what = format!("{path}: it is listed, and answered with {status}");
                    return Err(BenchError::WrongAnswer(what));
                }
                alerts.push(entry(self.named(device), (epoch, serial, event_time), &bytes));
            }
            // One that promises more without going on would be asked for ever.
            let goes_on = page.next != self.blocks_after;
            self.blocks_after = page.next;
            if !page.more || !goes_on {
                alerts.sort();
                return Ok(AlertsRead { alerts, is_newly_absent: false });
            }
        }
    }
}
