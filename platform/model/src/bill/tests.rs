//! Bills by hand.
