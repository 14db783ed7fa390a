//! Results and blocks of samples as lines, and such lines taken in, in their order: the last result
//! of a subject is what holds.

use std::sync::Arc;

use bytes::Bytes;
use lastmeter_model::row::{BlockRow, ResultRow};
use lastmeter_model::standing::Totals;
use lastmeter_units::{Epoch, Serial};
use lastmeter_wire::block::{Block, decode_block, encode_block};
use lastmeter_wire::flexmeter::{ResultMessage, encode_result};
use serde_json::{Map, Value};

use super::{Lines, Out, Transferred, in_line, rows_out, with_received};
use crate::error::PlatformError;
use crate::ingest::NO_DOOR;
use crate::port::{Arrival, Verdict};
use crate::tenant::Tenant;

/// A list of messages that are recognised by their numbers.
pub(super) struct List {
    pub(super) file: &'static str,
    format: &'static str,
    count: fn(&Totals) -> u64,
    payload: fn(&[u8]) -> Result<Bytes, String>,
}

pub(super) const RESULTS: List = List {
    file: super::RESULTS,
    format: "result",
    count: |totals| totals.results,
    payload: result_of,
};
pub(super) const BLOCKS: List =
    List { file: super::BLOCKS, format: "block", count: |totals| totals.blocks, payload: block_of };

pub(super) async fn results_out(tenant: &Tenant, out: Out) -> Result<u64, PlatformError> {
    let (store, last) = (tenant.readers.permitted(), tenant.progress.totals().results);
    let line = |row: ResultRow| {
        let (epoch, serial) = row.number.unwrap_or_default();
        let message = ResultMessage {
            hardware_id: row.device,
            kind: row.kind,
            subject: row.subject,
            from: row.from,
            until: row.until,
            content: serde_json::from_str(&row.content).unwrap_or_default(),
            epoch: Epoch(epoch),
            serial: Serial(serial),
        };
        let mut line = Vec::new();
        encode_result(&message, &mut line);
        (row.sequence, with_received(line, row.received))
    };
    rows_out((out, last), async |stretch| store.results(stretch).await, line).await
}

pub(super) async fn blocks_out(tenant: &Tenant, out: Out) -> Result<u64, PlatformError> {
    let (store, last) = (tenant.readers.permitted(), tenant.progress.totals().blocks);
    let line = |row: BlockRow| {
        let (epoch, serial) = row.number.unwrap_or_default();
        // What is stored was read before; what is none all the same is a line without channels.
        let block = decode_block(&row.content).unwrap_or_else(|_| Block {
            hardware_id: row.device,
            epoch: Epoch(epoch),
            serial: Serial(serial),
            first: row.event,
            rate_hz: row.rate_hz,
            channels: Vec::new(),
        });
        let line = serde_json::to_vec(&block).unwrap_or_default();
        (row.sequence, with_received(line, row.received))
    };
    rows_out((out, last), async |stretch| store.blocks(stretch).await, line).await
}

/// The payload of a line of results.
fn result_of(line: &[u8]) -> Result<Bytes, String> {
    let mut message: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    message.remove("received");
    Ok(Value::Object(message).to_string().into())
}

/// The payload of a line of blocks.
fn block_of(line: &[u8]) -> Result<Bytes, String> {
    let block: Block = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ok(encode_block(&block).map_err(|refusal| refusal.detail)?.into())
}

/// Takes lines of a list in.
pub(super) async fn lines_in(
    tenant: &Arc<Tenant>,
    list: &List,
    lines: Lines,
    done: &mut Transferred,
) -> Result<(), PlatformError> {
    let (path, before) = (lines.path.clone(), tenant.progress.totals());
    let (mut taken, mut refused) = (0, 0);
    for line in lines {
        let (at, line) = line?;
        let payload = match (list.payload)(&line) {
            Ok(payload) => payload,
            Err(why) => {
                done.refuse(in_line(list.file, at), why);
                continue;
            }
        };
        let topic = format!("{}/SiteWhere/input/{}", tenant.name, list.format);
        let sender = "import".to_owned();
        let arrival = Arrival { door: NO_DOOR, sender, topic, payload, is_shared: false };
        let failed = |error| {
            PlatformError::unusable(&path, format!("line {at} could not be stored: {error}"))
        };
        match tenant.ingest.accept(arrival).await.map_err(failed)? {
            Verdict::Stored => taken += 1,
            Verdict::Refused { reason, detail } => {
                refused += 1;
                done.refuse(in_line(list.file, at), format!("{}: {detail}", reason.word()));
            }
        }
    }
    tenant.barrier().await.map_err(|error| PlatformError::NotReady(Box::new(error)))?;
    let now = tenant.progress.totals();
    let stored = (list.count)(&now) - (list.count)(&before);
    // What is stored under its number with other content shows when it is committed.
    let others = (now.refusals - before.refusals).saturating_sub(refused);
    for _ in 0..others {
        let why = "another stands under its number, and stays; it is in the refusals";
        done.refuse(list.file.to_owned(), why.to_owned());
    }
    done.count(list.file, stored);
    done.repeated += taken - stored - others;
    Ok(())
}
