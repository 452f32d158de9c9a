//! What WeChat remembers of the visits of its consent pages.

use std::time::Instant;

/// A visit of a consent page that WeChat accepted.
#[derive(Clone)]
pub struct ConsentVisit {
    /// When it was.
    pub at: Instant,
    /// The path of the page.
    pub path: &'static str,
    /// The code that the link carried.
    pub pre_auth_code: String,
    /// The merchant's consent; none where the page was only opened.
    pub agreement: Option<Agreement>,
}

/// A merchant's consent.
#[derive(Clone)]
pub struct Agreement {
    /// The account that authorizes the platform.
    pub authorizer_appid: String,
    /// Its name at that time.
    pub nick_name: String,
    /// What it granted.
    pub permission_set_ids: Vec<i64>,
    /// The code in the redirect, and that of the push where it is another.
    pub codes: Vec<String>,
    /// Where the browser is sent.
    pub location: String,
}
