//! Charts as SVG: one description for every picture that has axes, drawn by the library plotters.
//!
//! | file | purpose |
//! |---|---|
//! | `chart` | [`Chart`]: panels below each other, the legend, and the SVG with its label |
//! | `panel` | [`Panel`]: two axes, and series, heat maps, limits, marks, words |
//! | `draw` | how a panel is laid out and drawn |
//! | `axis`, `ticks` | [`Axis`]: linear, logarithmic, time, categories and others; figures |
//! | `layout` | where texts have room, with the letters of a phone |
//! | `svg` | the surface on which the library draws |
//! | `colour`, `palette` | a colour; the words of pictures |
//! | `tokens`, `css` | [`TOKENS`]: the colours of pages, reports and charts, light and dark; as CSS |
//! | `style.css` | [`STYLE`]: text, tables, cards, notices and charts of pages and reports |
//! | `bins` | long series as a few hundred bins |
//!
//! Whoever draws fills panels with values, which axes turn into places from 0 to 1; the library
//! sees nothing else, so no value, infinite or NaN, breaks a picture. The same chart gives the same
//! bytes.

mod axis;
mod bins;
mod chart;
mod colour;
mod css;
mod draw;
mod layout;
mod palette;
mod panel;
mod svg;
mod ticks;
mod tokens;

pub use axis::{Axis, Figures};
pub use bins::{BINS_MAX, Bin, Bins, Moments};
pub use chart::Chart;
pub use colour::Colour;
pub use css::tokens_css;
pub use palette::{BAD, DATA, INJECTED, INK, LINE, REST, SECOND, SHADE, STRONG};
pub use panel::{Block, Panel};
pub use ticks::{TimeTick, decade_step, time_ticks};
pub use tokens::{TOKENS, Token};

/// The style sheet that pages and reports share; it stands behind [`tokens_css`].
pub const STYLE: &str = include_str!("style.css");
