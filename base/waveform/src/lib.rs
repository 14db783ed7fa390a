//! Recordings as bytes in, samples out and back: COMTRADE, CSV and spectrum tables.
//!
//! Terms: a *recording* is a set of channels sampled together at one rate; a *spectrum table* is
//! the same signal as lines of order, RMS value and phase. Samples are SI primary values: volts
//! and amperes on the primary side of the instrument transformers, whatever prefix and ratio the
//! file used.
//!
//! | module | purpose |
//! |---|---|
//! | [`comtrade`], [`csv`] | decoders, and the writer of COMTRADE |
//! | `columns`, `blocks`, `window`, `stream` | samples in pieces, of files larger than memory |
//! | `recording`, `lookup`, `names` | the result: channels, found by name, kind and phase |
//! | `time_axis`, `gaps`, `clipping`, `sinc` | rate of the stamps, missing and clipped samples |
//! | [`spectrum`], `text` | spectrum tables; texts as they come in files |
//!
//! Recordings are read whole from memory ([`comtrade::read`], [`csv::read`]), or in blocks from
//! anything that can be read again ([`Stream`]), with the same results.
//!
//! Never opens a file, reads a clock or an environment variable, never panics on any bytes, and
//! never reserves memory for what a header announces but the data does not hold.
//!
//! ```
//! use lastmeter_waveform::{ChannelKind, csv};
//! let text = b"time,Va_V,Ia_A\n0.000,10,1\n0.001,12,2\n0.002,14,3\n";
//! let recording = csv::read(text, &csv::CsvOptions::default())?;
//! assert_eq!(recording.rate_hz, 1000.0);
//! assert_eq!(recording.phases(ChannelKind::Voltage).unwrap()[0].samples, [10.0, 12.0, 14.0]);
//! # Ok::<(), csv::CsvError>(())
//! ```

mod blocks;
mod clipping;
mod columns;
pub mod comtrade;
pub mod csv;
mod gaps;
mod lookup;
mod names;
mod recording;
mod sinc;
pub mod spectrum;
mod stream;
mod text;
mod time_axis;
mod window;

pub use clipping::Clipping;
pub use lookup::LookupError;
pub use recording::{Channel, ChannelKind, Damage, DigitalChannel, Gap, Recording};
pub use stream::{Stream, StreamError};
pub use text::{CUT, is_cut};
