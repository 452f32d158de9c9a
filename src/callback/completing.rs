//! The page of a grant that is being completed. It reloads itself ever more rarely, and in the end no more.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use lambda_http::http::header::COOKIE;

use crate::id::sha256_hex;
use crate::page::Page;
use crate::visit::PageResponse;

/// After how many seconds the page reloads itself at first, and at most.
const FIRST: u32 = 3;
const LONGEST: u32 = 60;

/// How often it reloads itself: for about ten minutes.
const MOST: u32 = 16;

/// The page for this visit. A cookie of ten minutes counts the reloads of this address.
pub(super) fn page(request: &Request) -> PageResponse {
    let name = format!("__Host-reloads-{}", &sha256_hex(request.uri().query().unwrap_or_default())[..16]);
    let reloads = reloads(request, &name);
    let reload_after = (reloads < MOST).then(|| (FIRST << (reloads / 2)).min(LONGEST));
    let cookie = format!("{name}={}; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Lax", reloads + 1);
    PageResponse::page(StatusCode::ACCEPTED, Page::Completing { reload_after }).with_set_cookie(cookie)
}

fn reloads(request: &Request, name: &str) -> u32 {
    let headers = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(found, _)| *found == name).and_then(|(_, count)| count.parse().ok());
    found.unwrap_or(0).min(MOST)
}
