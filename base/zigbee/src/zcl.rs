//! Frames of the ZigBee Cluster Library.
