//! Pages that a device serves itself: requests of a browser, and what is answered, without I/O.

lastmeter_units::words! {
    /// The method of a browser's request.
    pub enum PageMethod {
        /// Reads a page.
        Get = "GET",
        /// Sends a form.
        Post = "POST",
    }
}

/// What a browser asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The method.
    pub method: PageMethod,
    /// Path with query, from `/` on, as it came.
    pub path: String,
    /// The header `Cookie`.
    pub cookie: Option<String>,
    /// The header `Origin`.
    pub origin: Option<String>,
    /// The header `Host`.
    pub host: Option<String>,
    /// The body, of media type `application/x-www-form-urlencoded`; empty without one.
    pub body: Vec<u8>,
}

/// What a browser gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The header `Location`, where the browser is sent elsewhere.
    pub location: Option<String>,
    /// The header `Set-Cookie`.
    pub set_cookie: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl PageAnswer {
    /// That there is no such page.
    pub(crate) fn nothing() -> Self {
        let (status, media_type) = (404, "text/plain; charset=utf-8");
        let body = b"no such page\n".to_vec();
        Self { status, media_type, location: None, set_cookie: None, body }
    }
}
