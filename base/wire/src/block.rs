//! Blocks of samples (`block`): what a recorder took of its channels around an event, as one
//! numbered message in a compact binary form.
//!
//! All numbers are little-endian; `n` channels of `m` samples each:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `LMSB` |
//! | 4 | 1 | version: 1 |
//! | 5 | 1 | `n`, from 1 to 16 |
//! | 6 | 2 | length of the hardware id, bytes |
//! | 8 | 8 | epoch, unsigned: which run of the counter of blocks |
//! | 16 | 8 | serial, unsigned: the block's number within the epoch, from 1 |
//! | 24 | 8 | instant of the first sample, signed, ns since 1970 UTC |
//! | 32 | 8 | samples per second of a channel, binary64, above 0 |
//! | 40 | 4 | `m`, unsigned, from 1 |
//! | 44 | | hardware id, UTF-8 |
//! | | `n` times | a channel: length of its name (1 byte), name, scale (binary64) |
//! | | 2 `n` `m` | samples, signed, channel after channel |
//!
//! A name is a measurement identifier of the registry; a scale, above 0, the value of one count in
//! the message unit of that.
//!
//! Nothing follows. A block is at most [`BYTES_MAX`] bytes, and has one form of writing only.

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimDuration, SimTime};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::flexmeter::{Refusal, RefusalReason};

/// The longest block, bytes: with its topic it has to pass in an MQTT packet of 256 KiB.
pub const BYTES_MAX: usize = 255 * 1024;
/// The most channels.
pub const CHANNELS_MAX: usize = 16;

const MAGIC: [u8; 4] = *b"LMSB";
const VERSION: u8 = 1;

/// Samples of several channels, taken at the same instants. As JSON it is a line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// The recorder.
    pub hardware_id: HardwareId,
    /// Which run of the counter of blocks.
    pub epoch: Epoch,
    /// The block's number within the epoch, from 1. Blocks are counted apart from readings.
    pub serial: Serial,
    /// When the first sample was taken.
    pub first: SimTime,
    /// Samples per second of each channel, above 0.
    pub rate_hz: f64,
    /// From 1 to [`CHANNELS_MAX`] channels, each identifier once, all of one length.
    pub channels: Vec<Channel>,
}

/// One channel of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// What it measures, such as `electricity.voltage.instant.l1`.
    #[serde(rename = "name", serialize_with = "name_of_id", deserialize_with = "id_of_name")]
    pub id: MeasurementId,
    /// The value of one count in the identifier's message unit, above 0.
    pub scale: f64,
    /// Counts.
    pub samples: Vec<i16>,
}

impl Channel {
    /// The samples as values in the identifier's message unit.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().map(|count| f64::from(*count) * self.scale)
    }
}

impl Block {
    /// Samples of each channel.
    pub fn samples_per_channel(&self) -> usize {
        self.channels.first().map_or(0, |channel| channel.samples.len())
    }

    /// The channel of an identifier, if it is there.
    pub fn channel(&self, id: MeasurementId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// When a sample was taken, counted from 0.
    pub fn instant(&self, sample: usize) -> SimTime {
        let since = SimDuration::from_seconds_f64(sample as f64 / self.rate_hz);
        SimTime(self.first.0.saturating_add(since.0))
    }
}

/// Writes a block.
///
/// # Errors
/// [`Refusal`] for one that [`decode_block`] would refuse.
pub fn encode_block(block: &Block) -> Result<Vec<u8>, Refusal> {
    let of_device = |(reason, detail)| refusal(reason, detail, Some(block.hardware_id.clone()));
    let samples = block.samples_per_channel();
    check(block).map_err(of_device)?;
    let id = block.hardware_id.as_str().as_bytes();
    let mut out = Vec::with_capacity(44 + id.len() + block.channels.len() * (64 + 2 * samples));
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, u8::try_from(block.channels.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&block.epoch.0.to_le_bytes());
    out.extend_from_slice(&block.serial.0.to_le_bytes());
    out.extend_from_slice(&block.first.0.to_le_bytes());
    out.extend_from_slice(&block.rate_hz.to_le_bytes());
    out.extend_from_slice(&u32::try_from(samples).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(id);
    for channel in &block.channels {
        let name = channel.id.name().as_bytes();
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name);
        out.extend_from_slice(&channel.scale.to_le_bytes());
    }
    for channel in &block.channels {
        out.extend(channel.samples.iter().flat_map(|count| count.to_le_bytes()));
    }
    if out.len() > BYTES_MAX {
        return Err(of_device(too_large(out.len())));
    }
    Ok(out)
}

/// Reads a block.
///
/// # Errors
/// [`Refusal`] with the reason, for every payload that is not exactly one.
pub fn decode_block(payload: &[u8]) -> Result<Block, Refusal> {
    let anonymous = |(reason, detail)| refusal(reason, detail, None);
    if payload.len() > BYTES_MAX {
        return Err(anonymous(too_large(payload.len())));
    }
    let mut rest = payload;
    let (block, sizes) = head(&mut rest).map_err(anonymous)?;
    let hardware_id = block.hardware_id.clone();
    body(rest, block, sizes).map_err(|(reason, detail)| refusal(reason, detail, Some(hardware_id)))
}

type Judged<T> = Result<T, (RefusalReason, String)>;

/// What stands before the channels: a block without them, how many they are, and the samples of
/// each.
fn head(rest: &mut &[u8]) -> Judged<(Block, (usize, usize))> {
    let magic = array::<4>(rest)?;
    let [version, channels] = array(rest)?;
    if magic != MAGIC || version != VERSION {
        return Err(bad(format!("begins with {magic:?} and version {version}")));
    }
    let id_bytes = usize::from(u16::from_le_bytes(array(rest)?));
    let epoch = Epoch(u64::from_le_bytes(array(rest)?));
    let serial = Serial(u64::from_le_bytes(array(rest)?));
    let first = SimTime(i64::from_le_bytes(array(rest)?));
    let rate_hz = f64::from_le_bytes(array(rest)?);
    let samples = usize::try_from(u32::from_le_bytes(array(rest)?)).unwrap_or(usize::MAX);
    let hardware_id = HardwareId::new(text(take(rest, id_bytes)?)?)
        .map_err(|error| (RefusalReason::BadHardwareId, error.to_string()))?;
    let block = Block { hardware_id, epoch, serial, first, rate_hz, channels: Vec::new() };
    Ok((block, (usize::from(channels), samples)))
}

fn body(mut rest: &[u8], mut block: Block, (count, samples): (usize, usize)) -> Judged<Block> {
    for _ in 0..count.min(CHANNELS_MAX + 1) {
        let [length] = array(&mut rest)?;
        let name = text(take(&mut rest, usize::from(length))?)?;
        let id = id(name).map_err(|detail| (RefusalReason::UnknownIdentifier, detail))?;
        let scale = f64::from_le_bytes(array(&mut rest)?);
        block.channels.push(Channel { id, scale, samples: Vec::new() });
    }
    let expected = samples.saturating_mul(2).saturating_mul(block.channels.len());
    if rest.len() != expected {
        return Err(bad(format!("{} bytes of samples, expected {expected}", rest.len())));
    }
    let (pairs, _) = rest.as_chunks::<2>();
    let mut counts = pairs.iter().map(|pair| i16::from_le_bytes(*pair));
    for channel in &mut block.channels {
        channel.samples = counts.by_ref().take(samples).collect();
    }
    check(&block).map(|()| block)
}

fn id(name: &str) -> Result<MeasurementId, String> {
    MeasurementId::lookup(name)
        .ok_or_else(|| format!("`{name}` is not in the registry of measurement identifiers"))
}

fn id_of_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MeasurementId, D::Error> {
    id(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn name_of_id<S: Serializer>(id: &MeasurementId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.name())
}

/// What holds of every block beside its bytes.
fn check(block: &Block) -> Judged<()> {
    let samples = block.samples_per_channel();
    if block.channels.is_empty() || block.channels.len() > CHANNELS_MAX {
        return Err(bad(format!("channels beyond 1 to {CHANNELS_MAX}")));
    }
    if samples == 0 || block.channels.iter().any(|channel| channel.samples.len() != samples) {
        return Err(bad("channels without samples, or of several lengths".to_owned()));
    }
    if !(block.rate_hz.is_finite() && block.rate_hz > 0.0) {
        return Err(bad(format!("{} samples per second", block.rate_hz)));
    }
    if block.serial.0 == 0 {
        return Err(bad("serial 0, blocks are numbered from 1".to_owned()));
    }
    for (place, channel) in block.channels.iter().enumerate() {
        if !(channel.scale.is_finite() && channel.scale > 0.0) {
            return Err(bad(format!("`{}` has the scale {}", channel.id, channel.scale)));
        }
        if block.channels[..place].iter().any(|before| before.id == channel.id) {
            let detail = format!("`{}` stands twice", channel.id);
            return Err((RefusalReason::DuplicateKey, detail));
        }
    }
    Ok(())
}

fn take<'p>(rest: &mut &'p [u8], bytes: usize) -> Judged<&'p [u8]> {
    let (taken, after) = rest.split_at_checked(bytes).ok_or_else(ends_early)?;
    *rest = after;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Judged<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or_else(ends_early)?;
    *rest = after;
    Ok(*taken)
}

fn text(bytes: &[u8]) -> Judged<&str> {
    std::str::from_utf8(bytes).map_err(|error| (RefusalReason::NotUtf8, error.to_string()))
}

fn ends_early() -> (RefusalReason, String) {
    bad("ends too early".to_owned())
}

fn too_large(bytes: usize) -> (RefusalReason, String) {
    (RefusalReason::TooLarge, format!("{bytes} bytes, at most {BYTES_MAX} are taken"))
}

fn bad(detail: String) -> (RefusalReason, String) {
    (RefusalReason::BadBlock, detail)
}

fn refusal(reason: RefusalReason, detail: String, hardware_id: Option<HardwareId>) -> Refusal {
    Refusal { reason, detail, hardware_id }
}
