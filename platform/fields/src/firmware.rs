//! Program images for nodes: what a node asks for, and what it is answered, in words of no type.
//!
//! A node fetches an image by itself, block by block, so that it goes on from where it is after
//! whatever was interrupted. The platform answers each request once.

/// Which image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageKey {
    /// Whose devices it is for.
    pub manufacturer: u16,
    /// Which of them.
    pub image_type: u16,
    /// Its version.
    pub version: u32,
}

/// What a node asks about its program image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What it asks.
    pub asked: Asked,
    /// The image that it has, or that it asks for.
    pub image: ImageKey,
    /// What its type needs to answer it.
    pub reply: u16,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether there is another image than the one that the node has.
    Other,
    /// Bytes of an image.
    Block {
        /// From which one on.
        offset: u32,
        /// How many, at most.
        bytes_max: u32,
    },
    /// The node is done with an image: nothing if it is whole and will run, else why not.
    End(Result<(), String>),
}

/// What a node is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply<'a> {
    /// There is an image for it; it has asked for nothing.
    Notice,
    /// There is one of so many bytes.
    Offer {
        /// Its length.
        bytes: u32,
    },
    /// There is none.
    Nothing,
    /// A block of an image.
    Block {
        /// Where it begins.
        offset: u32,
        /// Its bytes.
        data: &'a [u8],
    },
    /// There are no more blocks of this image.
    Ended,
    /// The image is to run at once.
    Run,
    /// It is known that the node does not run the image.
    Noted,
}
