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

use super::script_state::ScriptState;
use super::table::Entry;
use super::value::{Value, ValueResult};

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

/// All of them in their order, as they are called in scripts, with their properties in order.
pub(super) const CLASSES: [(Class, &str, &[Entry]); 9] = [
    (Class::Source, "vsource", source::PROPERTIES),
    (Class::LineCode, "linecode", line_code::PROPERTIES),
    (Class::LoadShape, "loadshape", load_shape::PROPERTIES),
    (Class::Line, "line", line::PROPERTIES),
    (Class::Transformer, "transformer", transformer::PROPERTIES),
    (Class::Regulator, "regcontrol", regulator::PROPERTIES),
    (Class::Capacitor, "capacitor", capacitor::PROPERTIES),
    (Class::Reactor, "reactor", reactor::PROPERTIES),
    (Class::Load, "load", load::PROPERTIES),
];

impl Class {
    pub(super) fn name(self) -> &'static str {
        CLASSES[self as usize].1
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        CLASSES.iter().find(|own| own.1.eq_ignore_ascii_case(name)).map(|own| own.0)
    }

    pub(super) fn properties(self) -> &'static [Entry] {
        CLASSES[self as usize].2
    }
}

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

    /// Sets a property, which its class knows.
    pub(super) fn set(
        &mut self,
        property: &str,
        value: Value<'_>,
        state: &ScriptState,
    ) -> ValueResult<()> {
        match self {
            Self::Source(own) => own.set(property, value),
            Self::LineCode(own) => own.set(property, value),
            Self::LoadShape(own) => own.set(property, value),
            Self::Line(own) => own.set(property, value, state),
            Self::Transformer(own) => own.set(property, value),
            Self::Regulator(own) => own.set(property, value),
            Self::Capacitor(own) => own.set(property, value),
            Self::Reactor(own) => own.set(property, value),
            Self::Load(own) => own.set(property, value, state),
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
            Self::Source(own) => return own.settle(),
            Self::Capacitor(own) => return own.settle(),
            Self::Reactor(own) => return own.settle(),
            Self::LineCode(own) => own.settle(),
            Self::Transformer(own) => own.settle(),
            Self::Load(own) => own.settle(),
            Self::LoadShape(_) | Self::Line(_) | Self::Regulator(_) => {}
        }
        Ok(())
    }
}
