//! The classes of objects that are known, with their properties in the order of `OpenDSS`.

mod capacitor;
mod line;
mod line_code;
mod load;
mod load_shape;
mod reactor;
mod regulator;
mod source;
mod transformer;

pub(super) use capacitor::Capacitor;
pub(super) use line::Line;
pub(super) use line_code::LineCode;
pub(super) use load::{Load, Model};
pub(super) use load_shape::LoadShape;
pub(super) use reactor::Reactor;
pub(super) use regulator::Regulator;
pub(super) use source::Source;
pub(super) use transformer::{Side, Transformer};

use super::table::Entry;
use super::value::ValueResult;

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Source,
    LineCode,
    LoadShape,
    Line,
    Transformer,
    Regulator,
    Capacitor,
    Reactor,
    Load,
}

impl Class {
    pub(super) const ALL: [Self; 9] = [
        Self::Source,
        Self::LineCode,
        Self::LoadShape,
        Self::Line,
        Self::Transformer,
        Self::Regulator,
        Self::Capacitor,
        Self::Reactor,
        Self::Load,
    ];

    /// As it is called in scripts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Source => "vsource",
            Self::LineCode => "linecode",
            Self::LoadShape => "loadshape",
            Self::Line => "line",
            Self::Transformer => "transformer",
            Self::Regulator => "regcontrol",
            Self::Capacitor => "capacitor",
            Self::Reactor => "reactor",
            Self::Load => "load",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name().eq_ignore_ascii_case(name))
    }

    /// Its properties in order.
    pub(super) fn properties(self) -> &'static [Entry] {
        match self {
            Self::Source => source::PROPERTIES,
            Self::LineCode => line_code::PROPERTIES,
            Self::LoadShape => load_shape::PROPERTIES,
            Self::Line => line::PROPERTIES,
            Self::Transformer => transformer::PROPERTIES,
            Self::Regulator => regulator::PROPERTIES,
            Self::Capacitor => capacitor::PROPERTIES,
            Self::Reactor => reactor::PROPERTIES,
            Self::Load => load::PROPERTIES,
        }
    }
}

/// An object's properties.
#[derive(Clone, Debug)]
pub(super) enum State {
    Source(Source),
    LineCode(LineCode),
    LoadShape(LoadShape),
    Line(Line),
    Transformer(Transformer),
    Regulator(Regulator),
    Capacitor(Capacitor),
    Reactor(Reactor),
    Load(Load),
}

impl State {
    /// With all defaults.
    pub(super) fn new(class: Class, frequency_hz: f64) -> Self {
        match class {
            Class::Source => Self::Source(Source::default()),
            Class::LineCode => Self::LineCode(LineCode::new(frequency_hz)),
            Class::LoadShape => Self::LoadShape(LoadShape::default()),
            Class::Line => Self::Line(Line::new(frequency_hz)),
            Class::Transformer => Self::Transformer(Transformer::default()),
            Class::Regulator => Self::Regulator(Regulator::default()),
            Class::Capacitor => Self::Capacitor(Capacitor::default()),
            Class::Reactor => Self::Reactor(Reactor::default()),
            Class::Load => Self::Load(Load::default()),
        }
    }
    /// This with what `like` copies of another object of its class.
    pub(super) fn like(&self, other: &Self) -> ValueResult<Self> {
        Ok(match (self, other) {
            (Self::Source(own), Self::Source(other)) => Self::Source(own.like(other)),
            (Self::LineCode(own), Self::LineCode(other)) => Self::LineCode(own.like(other)?),
            (Self::Transformer(own), Self::Transformer(other)) => {
                Self::Transformer(own.like(other))
            }
            (Self::Capacitor(own), Self::Capacitor(other)) => Self::Capacitor(own.like(other)?),
            (Self::Reactor(own), Self::Reactor(other)) => Self::Reactor(own.like(other)?),
            (Self::Load(own), Self::Load(other)) => Self::Load(own.like(other)?),
            (_, other) => other.clone(),
        })
    }

    /// Works out, after a command that edited it, what follows from what it was given.
    pub(super) fn settle(&mut self) -> ValueResult<()> {
        match self {
            Self::Source(own) => own.settle(),
            Self::LineCode(own) => {
                own.settle();
                Ok(())
            }
            Self::Transformer(own) => {
                own.settle();
                Ok(())
            }
            Self::Load(own) => {
                own.settle();
                Ok(())
            }
            Self::Capacitor(own) => own.settle(),
            Self::Reactor(own) => own.settle(),
            _ => Ok(()),
        }
    }
}
