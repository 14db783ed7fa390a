//! The client of the cluster OTA Upgrade (ZCL 075123, 11, unverified): it fetches a program image
//! block by block, checks it, and runs it when its server agrees.
//!
//! Sans-I/O: frames and times in, frames out. What it has is kept through a loss of power and a
//! rejoin; it asks for what it lacks alone, so that nothing that it has is sent again. It asks for
//! one block at a time, or has a window of requests under way, at most 64 blocks from the first one
//! that it lacks on.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::image::{self, ImageError};
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::{Direction, Frame, FrameType, Global, Status};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 48;
/// Requests under way at most.
pub const WINDOW_MAX: u8 = 64;
/// The pause before a request is made again doubles so often.
const DOUBLINGS_MAX: u32 = 3;
/// Queries that are made before it waits for another notice.
const QUERIES_MAX: u32 = 6;
/// How long it lets its server put it off.
const PUT_OFF_MAX_S: u32 = 3_600;

/// What a node takes as an image, and how it fetches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeConfig {
    /// The image that it runs.
    pub running: ImageId,
    /// Its room for another, bytes.
    pub bytes_max: u32,
    /// Requests that it has under way, 1 to 64.
    pub window: u8,
    /// How long it waits for an answer before it asks again, and stays awake for it.
    pub answer_wait: SimDuration,
    /// How often it asks without a notice; never, if there is none.
    pub query_every: Option<SimDuration>,
}

impl UpgradeConfig {
    /// A node with room for a megabyte that asks for one block at a time, after a notice only.
    pub const fn new(running: ImageId) -> Self {
        let answer_wait = SimDuration::from_seconds(10);
        Self { running, bytes_max: 1 << 20, window: 1, answer_wait, query_every: None }
    }
}

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeOutcome {
    /// It runs.
    Installed(ImageId),
    /// It was refused.
    Refused(ImageId, ImageError),
    /// It does not fit into the node's room, so many bytes.
    TooLong(ImageId, u32),
    /// The server gives no more of it, or does not want it to run.
    Aborted(ImageId),
}

/// A request: when it was made last and how often.
#[derive(Clone, Copy, Debug)]
struct Request {
    at: SimTime,
    again: u32,
    /// Not before this instant, if the server has put it off.
    not_before: SimTime,
}

impl Request {
    const fn first(now: SimTime) -> Self {
        Self { at: now, again: 0, not_before: now }
    }

    fn due(&self, wait: SimDuration) -> SimTime {
        (self.at + wait * (1 << self.again.min(DOUBLINGS_MAX))).max(self.not_before)
    }

    /// Whether it is time to make it again; it is made then.
    fn repeat(&mut self, now: SimTime, wait: SimDuration) -> bool {
        let is_due = self.due(wait) <= now;
        if is_due {
            *self = Self { at: now, again: self.again + 1, not_before: now };
        }
        is_due
    }
}

/// What is there of an image.
#[derive(Clone, Debug)]
struct Download {
    image: ImageId,
    bytes: Vec<u8>,
    has: Vec<bool>,
    /// The first block that it lacks.
    first: usize,
    asked: BTreeMap<usize, Request>,
    /// It asks for nothing before this instant.
    paused_until: SimTime,
}

impl Download {
    fn new(image: ImageId, bytes: u32, now: SimTime) -> Self {
        let has = vec![false; (bytes as usize).div_ceil(BLOCK_BYTES)];
        let (bytes, asked) = (vec![0; bytes as usize], BTreeMap::new());
        Self { image, bytes, has, first: 0, asked, paused_until: now }
    }

    /// Takes bytes; false if they are no block, or one that it has.
    fn take(&mut self, offset: u32, data: &[u8]) -> bool {
        let (start, block) = (offset as usize, offset as usize / BLOCK_BYTES);
        let end = self.bytes.len().min(start + BLOCK_BYTES);
        let is_block = start.is_multiple_of(BLOCK_BYTES) && start + data.len() == end;
        if !is_block || self.has.get(block) != Some(&false) {
            return false;
        }
        self.bytes[start..end].copy_from_slice(data);
        self.has[block] = true;
        self.asked.remove(&block);
        while self.has.get(self.first) == Some(&true) {
            self.first += 1;
        }
        true
    }

    fn is_whole(&self) -> bool {
        self.first == self.has.len()
    }

    /// The blocks that it may ask for.
    fn window(&self, window: u8) -> impl Iterator<Item = usize> + '_ {
        let end = self.has.len().min(self.first + usize::from(window));
        (self.first..end).filter(|block| !self.has[*block])
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Idle,
    Querying(Request),
    Fetching(Download),
    /// It has stated to its server how it ends with an image.
    Ending {
        image: ImageId,
        status: Status,
        request: Request,
        outcome: UpgradeOutcome,
    },
}

/// The client.
#[derive(Clone, Debug)]
pub struct Upgrade {
    config: UpgradeConfig,
    running: ImageId,
    phase: Phase,
    sequence: u8,
    query_at: Option<SimTime>,
    awake_until: SimTime,
    frames: VecDeque<Vec<u8>>,
    outcomes: VecDeque<UpgradeOutcome>,
    /// Blocks that came although it had them.
    repeated: u64,
}

impl Upgrade {
    /// A client that waits for a notice, or for its time to ask.
    pub fn new(config: UpgradeConfig) -> Self {
        let window = config.window.clamp(1, WINDOW_MAX);
        Self {
            config: UpgradeConfig { window, ..config },
            running: config.running,
            phase: Phase::Idle,
            sequence: 0,
            query_at: None,
            awake_until: SimTime(i64::MIN),
            frames: VecDeque::new(),
            outcomes: VecDeque::new(),
            repeated: 0,
        }
    }

    /// The image that it runs.
    pub const fn running(&self) -> ImageId {
        self.running
    }

    /// Blocks of the image under way that are there, and all of them.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let Phase::Fetching(download) = &self.phase else { return None };
        Some((download.has.iter().filter(|has| **has).count(), download.has.len()))
    }

    /// Blocks that came although it had them.
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Whether it waits for its server.
    pub const fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// The attribute `ImageUpgradeStatus`: normal, in progress, complete.
    pub const fn status(&self) -> u8 {
        match self.phase {
            Phase::Idle | Phase::Querying(_) => 0,
            Phase::Fetching(_) => 1,
            Phase::Ending { .. } => 2,
        }
    }

    /// What became of images, in order.
    pub fn outcome(&mut self) -> Option<UpgradeOutcome> {
        self.outcomes.pop_front()
    }

    /// The next frame for the server.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    /// Until when its radio is to stay awake: as long as it waits for an answer. It asks again
    /// later, asleep until then.
    pub const fn awake_until(&self) -> SimTime {
        self.awake_until
    }

    /// Its power is gone: what it has of an image stays, what was under way is forgotten.
    pub fn lose_power(&mut self) {
        self.frames.clear();
        self.query_at = None;
        self.awake_until = SimTime(i64::MIN);
        let long_ago = Request::first(SimTime(i64::MIN / 2));
        match &mut self.phase {
            Phase::Idle => {}
            Phase::Querying(request) | Phase::Ending { request, .. } => *request = long_ago,
            Phase::Fetching(download) => {
                download.asked.clear();
                download.paused_until = SimTime(i64::MIN);
            }
        }
    }

    /// When [`Self::step`] has something to do.
    pub fn next(&self) -> Option<SimTime> {
        let wait = self.config.answer_wait;
        match &self.phase {
            Phase::Idle => self.query_at,
            Phase::Querying(request) | Phase::Ending { request, .. } => Some(request.due(wait)),
            Phase::Fetching(download) => {
                let due = |block| download.asked.get(&block).map(|it| it.due(wait));
                let due = download.window(self.config.window).map(|it| due(it).unwrap_or_default());
                due.min().map(|due| due.max(download.paused_until))
            }
        }
    }

    /// Lets time pass: asks for what is due.
    pub fn step(&mut self, now: SimTime) {
        let wait = self.config.answer_wait;
        if self.query_at.is_none() {
            self.query_at = self.config.query_every.map(|every| now + every);
        }
        match &mut self.phase {
            Phase::Idle if self.query_at.is_some_and(|at| at <= now) => self.query(now),
            Phase::Idle => {}
            Phase::Querying(request) if request.again >= QUERIES_MAX => self.rest(now),
            Phase::Querying(request) => {
                if request.repeat(now, wait) {
                    self.ask(now, Ota::QueryNextImage { current: self.running, hardware: None });
                }
            }
            Phase::Ending { image, status, request, .. } => {
                if request.repeat(now, wait) {
                    let ended = Ota::UpgradeEnd { status: *status, image: *image };
                    self.ask(now, ended);
                }
            }
            Phase::Fetching(_) => self.fetch(now),
        }
    }

    fn query(&mut self, now: SimTime) {
        self.phase = Phase::Querying(Request::first(now));
        self.ask(now, Ota::QueryNextImage { current: self.running, hardware: None });
    }

    /// Waits for a notice, or for the next time to ask.
    fn rest(&mut self, now: SimTime) {
        self.phase = Phase::Idle;
        self.query_at = self.config.query_every.map(|every| now + every);
        self.awake_until = now;
    }

    fn ask(&mut self, now: SimTime, command: Ota<'_>) {
        self.sequence = self.sequence.wrapping_add(1);
        self.frames.extend(command.frame(self.sequence).ok());
        self.awake_until = now + self.config.answer_wait;
    }

    /// Asks for the blocks of the window that were not asked for, or too long ago.
    fn fetch(&mut self, now: SimTime) {
        let Phase::Fetching(download) = &mut self.phase else { return };
        if now < download.paused_until {
            return;
        }
        let (wait, window) = (self.config.answer_wait, self.config.window);
        let wanted: Vec<usize> = download.window(window).collect();
        let asked = &mut download.asked;
        let mut is_due = |block: &usize| match asked.get_mut(block) {
            Some(request) => request.repeat(now, wait),
            None => asked.insert(*block, Request::first(now)).is_none(),
        };
        let due: Vec<usize> = wanted.into_iter().filter(|block| is_due(block)).collect();
        let image = download.image;
        for block in due {
            let (offset, size_max) = ((block * BLOCK_BYTES) as u32, BLOCK_BYTES as u8);
            let (node, min_block_period) = (None, None);
            self.ask(now, Ota::BlockRequest { image, offset, size_max, node, min_block_period });
        }
    }

    /// Takes a frame of the server; what is none for a client has no effect.
    pub fn receive(&mut self, now: SimTime, frame: &Frame<'_>) {
        if frame.header.direction != Direction::ToClient {
            return;
        }
        if frame.header.frame_type == FrameType::Global {
            let refused = matches!(Global::decode(frame), Ok(Global::DefaultResponse(it))
                if it.command == Ota::UPGRADE_END);
            if refused {
                self.dismissed(now);
            }
            return;
        }
        match Ota::decode(frame) {
            Ok(Ota::ImageNotify { manufacturer, image_type, version, .. }) => {
                // Whoever is asked alone answers, whatever the jitter.
                let ImageId { manufacturer: own, image_type: own_type, version: has } =
                    self.running;
                let is_for_it = manufacturer.is_none_or(|it| it == own)
                    && image_type.is_none_or(|it| it == own_type)
                    && version != Some(has);
                if is_for_it && matches!(self.phase, Phase::Idle) {
                    self.query(now);
                }
            }
            Ok(Ota::NextImage(found)) if matches!(self.phase, Phase::Querying(_)) => match found {
                Ok((image, bytes)) if image != self.running => self.begin(now, image, bytes),
                _ => self.rest(now),
            },
            Ok(Ota::BlockResponse(response)) => self.take(now, response),
            Ok(Ota::UpgradeEndResponse { image, now_s, upgrade_at_s }) => {
                self.agreed(now, image, upgrade_at_s.saturating_sub(now_s));
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: SimTime, image: ImageId, bytes: u32) {
        if bytes > self.config.bytes_max {
            let outcome = UpgradeOutcome::TooLong(image, bytes);
            return self.end(now, (image, Status::INSUFFICIENT_SPACE), outcome);
        }
        self.phase = Phase::Fetching(Download::new(image, bytes, now));
        self.take_whole(now);
        self.fetch(now);
    }

    fn take(&mut self, now: SimTime, response: BlockResponse<'_>) {
        let Phase::Fetching(download) = &mut self.phase else { return };
        match response {
            BlockResponse::Data { image, offset, data } if image == download.image => {
                if download.take(offset, data) {
                    self.take_whole(now);
                    self.fetch(now);
                } else {
                    self.repeated += 1;
                }
            }
            BlockResponse::Data { .. } => {}
            BlockResponse::Wait { now_s, ask_at_s, .. } => {
                let pause_s = ask_at_s.saturating_sub(now_s).min(PUT_OFF_MAX_S);
                download.paused_until = now + SimDuration::from_seconds(pause_s.into());
                download.asked.clear();
            }
            BlockResponse::Refused(_) => {
                self.outcomes.push_back(UpgradeOutcome::Aborted(download.image));
                self.rest(now);
            }
        }
    }

    /// Checks an image that is whole, and states to the server what it is.
    fn take_whole(&mut self, now: SimTime) {
        let Phase::Fetching(download) = &self.phase else { return };
        if !download.is_whole() {
            return;
        }
        let image = download.image;
        match image::check(&download.bytes, image) {
            Ok(()) => self.end(now, (image, Status::SUCCESS), UpgradeOutcome::Installed(image)),
            Err(error) => {
                let outcome = UpgradeOutcome::Refused(image, error);
                self.end(now, (image, Status::INVALID_IMAGE), outcome);
            }
        }
    }

    fn end(&mut self, now: SimTime, (image, status): (ImageId, Status), outcome: UpgradeOutcome) {
        let request = Request::first(now);
        self.phase = Phase::Ending { image, status, request, outcome };
        self.ask(now, Ota::UpgradeEnd { status, image });
    }

    /// The server agrees that an image runs, after so many seconds.
    fn agreed(&mut self, now: SimTime, of: ImageId, in_s: u32) {
        let Phase::Ending { image, status: Status::SUCCESS, request, outcome } = &mut self.phase
        else {
            return;
        };
        if *image != of {
            return;
        }
        if in_s > 0 {
            // It asks again then.
            let pause = SimDuration::from_seconds(in_s.min(PUT_OFF_MAX_S).into());
            *request = Request { at: now, again: 0, not_before: now + pause };
            return;
        }
        self.running = of;
        self.outcomes.push_back(*outcome);
        self.rest(now);
    }

    /// The server knows how it ended with an image, and does not want it to run.
    fn dismissed(&mut self, now: SimTime) {
        let Phase::Ending { image, status, outcome, .. } = &self.phase else { return };
        let is_good = *status == Status::SUCCESS;
        let outcome = if is_good { UpgradeOutcome::Aborted(*image) } else { *outcome };
        self.outcomes.push_back(outcome);
        self.rest(now);
    }
}
