//! Requests of devices and applications to the platform's REST, and their answers, without I/O:
//! whoever moves the machine sends them with its credential and hands the answer back.

lastmeter_units::words! {
    /// The method of a request.
    pub enum Method {
        /// Reads.
        Get = "GET",
        /// Adds.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Removes.
        Delete = "DELETE",
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number, by which its answer is known.
    pub number: u64,
    /// The method.
    pub method: Method,
    /// Path with query, from `/` on.
    pub path: String,
    /// The body as JSON, where there is one.
    pub body: Option<String>,
    /// The idempotency key, so that a repeated request acts once.
    pub key: Option<String>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the request.
    pub number: u64,
    /// The status of HTTP; 0: nobody answered.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}
