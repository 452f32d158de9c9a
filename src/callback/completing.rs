//! The page of a grant that is being completed. It reloads itself ever more rarely, and in the end no more.

use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::StatusCode;

use crate::evidence::LaunchId;
use crate::page::{Page, Waited};
use crate::visit::{PageResponse, Reloading, parameter};

/// After how many seconds the page reloads itself, each time: for about two minutes, in which `refresh` runs twice.
const PAUSES: [u32; 7] = [3, 5, 10, 15, 20, 30, 30];

/// Where the outcome of a code is looked at: at an address that has the launch and the code's digest, and not the code.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The launch, where the visit names one.
    pub(super) launch: Option<LaunchId>,
    /// The digest of the code, where the visit has brought one.
    pub(super) claim: Option<String>,
    reloading: Reloading,
}

impl Waiting {
    /// The wait that the query of an address without a code asks for; none if it names nothing to wait for.
    pub(super) fn read(query: &QueryMap) -> Option<Self> {
        let launch = parameter(query, "launch").and_then(LaunchId::parse);
        let claim = parameter(query, "claim").filter(|claim| is_digest(claim)).map(str::to_owned);
        let names_any = launch.is_some() || claim.is_some();
        names_any.then(|| {
            let reloading = Reloading::read(address(launch.as_ref(), claim.as_deref()), query);
            Self { launch, claim, reloading }
        })
    }

    /// The wait for the outcome of a code that a visit has just brought.
    pub(super) fn for_code(launch: Option<&LaunchId>, digest: &str) -> Self {
        let reloading = Reloading { address: address(launch, Some(digest)), times: 0 };
        Self { launch: launch.cloned(), claim: Some(digest.to_owned()), reloading }
    }

    /// The page of a grant that is being completed.
    pub(super) fn page(&self) -> PageResponse {
        let Reloading { address, times } = &self.reloading;
        let going_on = PAUSES.get(*times).and_then(|seconds| self.reloading.after(*seconds, PAUSES.len()));
        let waited = match (times, &going_on) {
            (0, _) => Waited::NotYet,
            (_, Some(_)) => Waited::ForAWhile,
            (_, None) => Waited::TooLong,
        };
        let page = Page::Completing { address: address.clone(), waited };
        PageResponse::page(StatusCode::ACCEPTED, page).going_on(going_on)
    }

    /// A page of a passing fault.
    pub(super) fn later(&self, seconds: u32, page: Page) -> PageResponse {
        PageResponse::later(seconds, page, Some(&self.reloading))
    }
}

fn address(launch: Option<&LaunchId>, claim: Option<&str>) -> String {
    let launch = launch.map(|launch| format!("launch={}", launch.as_str()));
    let claim = claim.map(|claim| format!("claim={claim}"));
    let query: Vec<String> = launch.into_iter().chain(claim).collect();
    format!("callback?{}", query.join("&"))
}

fn is_digest(claim: &str) -> bool {
    claim.len() == 64 && claim.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
