//! Keys of `[[device]]` and `[[gateway]]` that other sections read too, and their words.

/// The key of the way in which a device is there.
pub(crate) const AS: &str = "as";
/// The thing itself.
pub(crate) const HARDWARE: &str = "hardware";
/// Its firmware on an emulated processor.
pub(super) const EMULATED: &str = "emulated";

/// The key of everything that is on a network.
pub(super) const ON: &str = "on";
