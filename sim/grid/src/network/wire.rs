//! Wires, sets of them, and connections of elements to them.

use std::fmt;

use super::NodeId;

/// One conductor of a three-phase system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wire {
    /// First phase.
    A,
    /// Second phase, a third of a period behind the first.
    B,
    /// Third phase.
    C,
    /// Neutral conductor that is kept as a wire of its own.
    Neutral,
}

impl Wire {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::Neutral];

    /// The three phases.
    pub const PHASES: [Self; 3] = [Self::A, Self::B, Self::C];

    /// 0 to 3.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::Neutral => "n",
        })
    }
}

/// A set of wires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wires(u8);

impl Wires {
    /// No wire.
    pub const NONE: Self = Self(0);
    /// The three phases without a neutral.
    pub const ABC: Self = Self(0b0111);
    /// The three phases and the neutral.
    pub const ABCN: Self = Self(0b1111);

    /// Whether the wire is among them.
    pub fn contains(self, wire: Wire) -> bool {
        self.0 & (1 << wire.index()) != 0
    }

    /// Whether all of `other` are among them.
    pub fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is among these and among those.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These with one more.
    #[must_use]
    pub fn with(self, wire: Wire) -> Self {
        Self(self.0 | 1 << wire.index())
    }

    /// How many.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One by one, in order.
    pub fn iter(self) -> impl Iterator<Item = Wire> {
        Wire::ALL.into_iter().filter(move |&wire| self.contains(wire))
    }
}

impl FromIterator<Wire> for Wires {
    fn from_iter<I: IntoIterator<Item = Wire>>(wires: I) -> Self {
        wires.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Wires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|wire| wire.fmt(f))
    }
}

/// Up to four wires in the order in which an element's conductors are connected to them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireList {
    /// What is not in use is [`Wire::A`], so that equal lists are equal.
    wires: [Wire; 4],
    len: u8,
    /// The same without their order: asked for by everything that looks at a network.
    set: Wires,
}

impl WireList {
    /// The three phases in order.
    pub const ABC: Self =
        Self { wires: [Wire::A, Wire::B, Wire::C, Wire::A], len: 3, set: Wires::ABC };
    /// The three phases and the neutral.
    pub const ABCN: Self = Self { wires: Wire::ALL, len: 4, set: Wires::ABCN };

    /// The wires in this order; none if there are more than four, or one comes twice.
    pub fn new(wires: &[Wire]) -> Option<Self> {
        let set: Wires = wires.iter().copied().collect();
        if wires.len() > 4 || set.len() != wires.len() {
            return None;
        }
        let mut list = Self { wires: [Wire::A; 4], len: wires.len() as u8, set };
        list.wires[..wires.len()].copy_from_slice(wires);
        Some(list)
    }

    /// One wire.
    pub fn single(wire: Wire) -> Self {
        Self { wires: [wire, Wire::A, Wire::A, Wire::A], len: 1, set: Wires::NONE.with(wire) }
    }

    /// The wires in order.
    pub fn as_slice(&self) -> &[Wire] {
        &self.wires[..usize::from(self.len)]
    }

    /// The wires without their order.
    pub fn set(&self) -> Wires {
        self.set
    }
}

impl fmt::Display for WireList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|wire| wire.fmt(f))
    }
}

impl fmt::Debug for WireList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// Where one end of an element is connected: its k-th conductor to the k-th of these wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The node.
    pub node: NodeId,
    /// The wires of that node, in the order of the element's conductors.
    pub wires: WireList,
}

impl Connection {
    /// At the three phases of a node.
    pub fn abc(node: NodeId) -> Self {
        Self { node, wires: WireList::ABC }
    }
}

#[cfg(test)]
mod tests {
    use super::{Wire, WireList, Wires};

    #[test]
    fn wires_are_shown_as_they_are_written() {
        assert_eq!(WireList::new(&[Wire::B, Wire::Neutral]).unwrap().to_string(), "bn");
        assert_eq!(WireList::new(&[Wire::C, Wire::A]).unwrap().to_string(), "ca");
        assert_eq!(Wires::ABCN.to_string(), "abcn");
    }

    #[test]
    fn equal_lists_are_equal_however_they_were_made() {
        assert_eq!(WireList::new(&Wire::PHASES), Some(WireList::ABC));
        assert_eq!(WireList::new(&Wire::ALL), Some(WireList::ABCN));
        assert_eq!(WireList::new(&[Wire::C]), Some(WireList::single(Wire::C)));
        assert_ne!(WireList::new(&[Wire::C, Wire::A]), Some(WireList::single(Wire::C)));
    }
}
