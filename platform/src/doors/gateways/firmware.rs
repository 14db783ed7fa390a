//! Program images on their way to nodes. A node asks for one block after the other; each request is
//! answered once, after its number is on disk.
//!
//! A request that was made before its block was sent last is not answered: the node has made it
//! again while the first one waited at its gateway. Of what was sent before a restart nothing is
//! known: what was asked before is not answered then, and the node asks again for what it lacks.
//! So nothing is sent again that a node has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_fields::{Asked, Demand, ImageKey, NodeContext, Supply};
use lastmeter_model::access::Eui64;
use lastmeter_model::document::{Document, Edit};
use lastmeter_model::entity::{
    Body as _, FirmwareContent, FirmwareImage, FirmwareTransfer, TransferState,
};
use lastmeter_model::refusal::shortened;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::json;

use super::session::{Ended, Session, unix_s};
use crate::access::from_hex;

/// Requests that a node may have under way: one asks for a block when it has all those so far
/// before it.
const UNDER_WAY_MAX: u32 = 64;
/// Parts of an image after which its progress is kept.
const PARTS: u32 = 16;
/// Blocks of which it is known when they were sent; beyond that all of it is forgotten.
const ANSWERED_MAX: usize = 1 << 16;
/// How often a node is given notice that does not ask, and one that asks no more.
const NOTICE_EVERY: SimDuration = SimDuration::from_seconds(60);
const NOTICE_AGAIN: SimDuration = SimDuration::from_seconds(600);
/// The longest reason of a node, bytes.
const WHY_BYTES_MAX: usize = 200;

/// A demand of a node, until its number is on disk.
pub(super) struct Waiting {
    pub(super) context: NodeContext,
    pub(super) demand: Demand,
    /// When its gateway took it in.
    pub(super) taken_s: u32,
}

/// Transfers to the nodes of one network, over its connections.
#[derive(Default)]
pub(super) struct Transfers {
    under_way: BTreeMap<u64, Progress>,
    /// When a node was given notice of a transfer, by its start, or asked last.
    noticed: BTreeMap<u64, (SimTime, SimTime)>,
    /// When the gateway came to this process first: what was asked until then another process may
    /// have answered.
    since: SimTime,
}

impl Transfers {
    /// Those of a network whose gateway comes to this process for the first time.
    pub(super) fn since(now: SimTime) -> Self {
        Self { since: now, ..Self::default() }
    }
}

/// How far an image has come to a node.
struct Progress {
    transfer: FirmwareTransfer,
    image: ImageKey,
    bytes: Arc<[u8]>,
    /// Requests until then may have been answered before this process began.
    since_s: u32,
    /// When the block at an offset was sent last.
    answered: BTreeMap<u32, u32>,
    /// The confirmed bytes that are kept.
    kept_bytes: u32,
    is_changed: bool,
}

impl Progress {
    /// What a demand is answered, if it is, and of which image. Of blocks and ends, which are of
    /// an image, none but this one's are answered as such.
    fn answer(
        &mut self,
        demand: &Demand,
        (taken_s, now_s): (u32, u32),
    ) -> Option<(ImageKey, Supply<'_>)> {
        let (image, asked) = (demand.image, &demand.asked);
        let is_open = is_open(self.transfer.state);
        match asked {
            Asked::Other if !is_open => Some((image, Supply::Nothing)),
            Asked::Other => Some((self.image, self.offer(image))),
            Asked::End(_) if image != self.image => Some((image, Supply::Noted)),
            Asked::End(Ok(())) => {
                if is_open {
                    self.transfer.confirmed_bytes = self.transfer.size;
                    self.end(TransferState::Installed, None);
                }
                let runs = self.transfer.state == TransferState::Installed;
                Some((image, if runs { Supply::Run } else { Supply::Noted }))
            }
            Asked::End(Err(why)) => {
                if is_open {
                    self.end(TransferState::Refused, Some(why));
                }
                Some((image, Supply::Noted))
            }
            Asked::Block { offset, bytes_max } => {
                let start = *offset as usize;
                let rest = self.bytes.get(start..).filter(|_| is_open && image == self.image);
                let count = rest.map_or(0, <[u8]>::len).min(*bytes_max as usize);
                if count == 0 {
                    return Some((image, Supply::Ended));
                }
                let was_answered = self.answered.get(offset).copied();
                if taken_s <= was_answered.unwrap_or_default().max(self.since_s) {
                    return None;
                }
                self.count(*offset, (count as u32, *bytes_max), now_s);
                let data = &self.bytes[start..start + count];
                Some((image, Supply::Block { offset: *offset, data }))
            }
        }
    }

    /// What a node with an image is offered.
    fn offer(&mut self, has: ImageKey) -> Supply<'static> {
        let ImageKey { manufacturer, image_type, version } = self.image;
        if (has.manufacturer, has.image_type) != (manufacturer, image_type) {
            let ImageKey { manufacturer: its, image_type: its_type, .. } = has;
            let why = format!(
                "the node takes images of type 0x{its_type:04X} of manufacturer 0x{its:04X}, this \
                 one is of type 0x{image_type:04X} of manufacturer 0x{manufacturer:04X}"
            );
            self.end(TransferState::Failed, Some(&why));
            return Supply::Nothing;
        }
        if has.version == version {
            self.transfer.confirmed_bytes = self.transfer.size;
            self.end(TransferState::Installed, None);
            return Supply::Nothing;
        }
        self.is_changed |= self.transfer.state == TransferState::Waiting;
        self.transfer.state = TransferState::Sending;
        Supply::Offer { bytes: self.bytes.len() as u32 }
    }

    /// A block is sent: who asks for it has all that is further before it than requests are under
    /// way. The last block is shorter than those before it.
    fn count(&mut self, offset: u32, (count, bytes_max): (u32, u32), now_s: u32) {
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.clear();
            self.since_s = now_s;
        }
        self.answered.insert(offset, now_s);
        let transfer = &mut self.transfer;
        let is_repeated = offset + count <= transfer.confirmed_bytes;
        transfer.repeated_blocks += u32::from(is_repeated);
        let confirmed = offset.saturating_sub((UNDER_WAY_MAX - 1) * bytes_max);
        transfer.confirmed_bytes = transfer.confirmed_bytes.max(confirmed);
        self.is_changed |= transfer.state == TransferState::Waiting
            || transfer.confirmed_bytes - self.kept_bytes >= transfer.size.div_ceil(PARTS);
        transfer.state = TransferState::Sending;
    }

    fn end(&mut self, state: TransferState, why: Option<&str>) {
        let why = why.map(|why| shortened(why, WHY_BYTES_MAX));
        self.transfer.why = why.and_then(|why| why.try_into().ok());
        self.transfer.state = state;
        self.is_changed = true;
        self.answered.clear();
        self.bytes = Arc::default();
    }
}

fn is_open(state: TransferState) -> bool {
    matches!(state, TransferState::Waiting | TransferState::Sending)
}

/// What is answered where nothing is on its way to the node.
fn without(demand: &Demand) -> (ImageKey, Supply<'static>) {
    let supply = match demand.asked {
        Asked::Other => Supply::Nothing,
        Asked::Block { .. } => Supply::Ended,
        Asked::End(_) => Supply::Noted,
    };
    (demand.image, supply)
}

impl Session {
    /// The frames that answer what nodes asked since, once it is on disk that they did; and those
    /// that give notice of images.
    pub(super) async fn supply(&mut self) -> Result<Vec<Vec<u8>>, Ended> {
        let (demands, heard) = (std::mem::take(&mut self.demands), std::mem::take(&mut self.heard));
        let Some(make) = self.kind.supply else { return Ok(Vec::new()) };
        let mut frames = Vec::new();
        // A gateway may be ahead of a driven clock.
        let newest_s = demands.iter().map(|it| it.taken_s).max().unwrap_or_default();
        let now_s = unix_s(self.tenant.clock.now()).max(newest_s);
        let nodes: BTreeSet<u64> = demands.iter().map(|it| it.context.node).collect();
        for node in &nodes {
            self.know(*node).await?;
        }
        for Waiting { context, demand, taken_s } in &demands {
            let answer = match self.transfers.under_way.get_mut(&context.node) {
                Some(progress) => progress.answer(demand, (*taken_s, now_s)),
                None => Some(without(demand)),
            };
            let Some((image, supply)) = answer else { continue };
            match make(context, (demand.reply, image), &supply) {
                Ok(frame) => {
                    self.tenant.dispatcher.count_sent(&Eui64(context.node).to_string());
                    frames.push(frame);
                }
                Err(error) => tracing::warn!(network = self.token, %error, "a node has no answer"),
            }
        }
        if !demands.is_empty() {
            self.keep(&nodes).await?;
        }
        frames.extend(self.notices(&heard));
        Ok(frames)
    }

    /// Makes durable what was asked, and how far images have come if that has changed; with an
    /// image that is installed, that its node runs it.
    async fn keep(&mut self, nodes: &BTreeSet<u64>) -> Result<(), Ended> {
        let mut edits = Vec::new();
        for node in nodes {
            let progress = self.transfers.under_way.get(node).filter(|it| it.is_changed);
            let Some((progress, found)) = progress.zip(self.found(*node)) else { continue };
            edits.push(Edit::of(&found, Some(json!(progress.transfer))));
            if progress.transfer.state == TransferState::Installed {
                self.nodes.run(*node, progress.image.version);
                edits.extend(self.nodes.edit(&self.token, *node));
            }
        }
        self.apply(edits, Vec::new(), true).await?;
        for node in nodes {
            let progress = self.transfers.under_way.get_mut(node);
            if let Some(progress) = progress.filter(|it| it.is_changed) {
                progress.is_changed = false;
                progress.kept_bytes = progress.transfer.confirmed_bytes;
            }
        }
        Ok(())
    }

    fn found(&self, node: u64) -> Option<Arc<Document>> {
        self.tenant.documents.find(FirmwareTransfer::kind(), &Eui64(node).to_string())
    }

    /// Has the progress of a node's transfer there, if there is a transfer.
    async fn know(&mut self, node: u64) -> Result<(), Ended> {
        let transfer = self.tenant.documents.body::<FirmwareTransfer>(&Eui64(node).to_string());
        let Some(transfer) = transfer else {
            self.transfers.under_way.remove(&node);
            return Ok(());
        };
        let now = self.tenant.clock.now();
        self.transfers.noticed.insert(node, (transfer.started, now));
        let known = self.transfers.under_way.get(&node);
        if known.is_some_and(|it| it.transfer.started == transfer.started) {
            return Ok(());
        }
        let Some(image) = self.tenant.documents.body::<FirmwareImage>(transfer.image.as_str())
        else {
            self.transfers.under_way.remove(&node);
            return Ok(());
        };
        let bytes = if is_open(transfer.state) { self.content(&image).await? } else { Vec::new() };
        let FirmwareImage { manufacturer, image_type, file_version: version, .. } = *image;
        let was_begun = transfer.state == TransferState::Sending;
        let mut progress = Progress {
            transfer: (*transfer).clone(),
            image: ImageKey { manufacturer, image_type, version },
            bytes: bytes.into(),
            since_s: if was_begun { unix_s(self.transfers.since) } else { 0 },
            answered: BTreeMap::new(),
            kept_bytes: transfer.confirmed_bytes,
            is_changed: false,
        };
        if is_open(transfer.state) && progress.bytes.len() as u32 != transfer.size {
            progress.end(TransferState::Failed, Some("the bytes of the image are missing"));
        }
        self.transfers.under_way.insert(node, progress);
        Ok(())
    }

    /// The bytes of an image; none if they are not there.
    async fn content(&self, image: &FirmwareImage) -> Result<Vec<u8>, Ended> {
        let readers = self.tenant.readers.permitted();
        let hash = image.sha256.as_str().to_owned();
        let found = readers.document(FirmwareContent::kind(), hash, None).await;
        let found = found.map_err(|error| {
            tracing::warn!(network = self.token, %error, "an image cannot be read");
            Ended
        })?;
        let body = found.and_then(|it| serde_json::from_str::<FirmwareContent>(&it.body).ok());
        Ok(body.and_then(|it| from_hex(it.data.as_str())).unwrap_or_default())
    }

    /// Frames that give notice to nodes whose image waits: to those that sleep when they are heard.
    fn notices(&mut self, heard: &BTreeSet<u64>) -> Vec<Vec<u8>> {
        let Some(make) = self.kind.supply else { return Vec::new() };
        let (documents, now) = (&self.tenant.documents, self.tenant.clock.now());
        let mut frames = Vec::new();
        for state in [TransferState::Waiting, TransferState::Sending] {
            let every = if state == TransferState::Waiting { NOTICE_EVERY } else { NOTICE_AGAIN };
            for (id, transfer) in documents.bodies_with::<FirmwareTransfer>("state", state.word()) {
                let Ok(Eui64(node)) = id.parse() else { continue };
                let Some((context, sleeps)) = self.nodes.there(node) else { continue };
                let noticed = self.transfers.noticed.get(&node);
                let noticed = noticed.filter(|(started, _)| *started == transfer.started);
                // Who has begun to ask goes on by itself, whatever became of the platform.
                let begun = (state == TransferState::Sending).then_some(self.transfers.since);
                let noticed = noticed.map(|(_, at)| *at).or(begun);
                let is_early = noticed.is_some_and(|at| now < at + every);
                if is_early || sleeps && !heard.contains(&node) {
                    continue;
                }
                let image = documents.body::<FirmwareImage>(transfer.image.as_str());
                let Some(image) = image else { continue };
                let FirmwareImage { manufacturer, image_type, file_version: version, .. } = *image;
                let key = ImageKey { manufacturer, image_type, version };
                self.transfers.noticed.insert(node, (transfer.started, now));
                if let Ok(frame) = make(&context, (0, key), &Supply::Notice) {
                    self.tenant.dispatcher.count_sent(&id);
                    frames.push(frame);
                }
            }
        }
        frames
    }
}
