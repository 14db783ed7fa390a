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
    const ALL: [Self; 9] = [
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

    /// Its properties in order. One with `-` has no influence on a power flow; one with `~` may
    /// only have a value that means nothing.
    fn properties(self) -> &'static str {
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

    /// The property of this name or, as long as no other begins so, abbreviation; and its place.
    pub(super) fn property(self, name: &str) -> Option<(usize, Property)> {
        let name = name.to_ascii_lowercase();
        let find = |fits: &dyn Fn(&str) -> bool| {
            self.all().enumerate().find(|(_, property)| fits(property.name))
        };
        find(&|known| known == name)
            .or_else(|| find(&|known| !name.is_empty() && known.starts_with(&name)))
    }

    /// The property at a place, from 0.
    pub(super) fn property_at(self, place: usize) -> Option<Property> {
        self.all().nth(place)
    }

    fn all(self) -> impl Iterator<Item = Property> {
        self.properties().split_ascii_whitespace().map(|text| {
            let (name, role) = if let Some(name) = text.strip_prefix('-') {
                (name, Role::Idle)
            } else if let Some(name) = text.strip_prefix('~') {
                (name, Role::Unknown)
            } else {
                (text, Role::Used)
            };
            Property { name, role }
        })
    }
}

/// A property of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// In lower case.
    pub(super) name: &'static str,
    /// What is done with it.
    pub(super) role: Role,
}

/// What is done with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is part of the network.
    Used,
    /// It has no influence on a power flow.
    Idle,
    /// It has, but is not known here.
    Unknown,
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
}
