//! Pages that reload themselves.

use lambda_http::aws_lambda_events::query_map::QueryMap;

use super::parameter;
use crate::page::GoingOn;

/// An address at which a page reloads itself, and how often it has. The query counts, because no page has a script and
/// some browsers inside WeChat keep no cookie. The address also has to differ each time: the one that WeChat leads to ends
/// in a fragment, and a page that reloads the address it has would only move to that.
#[derive(Clone, Debug)]
pub(crate) struct Reloading {
    /// The address without the count.
    pub address: String,
    /// How often the page has reloaded itself.
    pub times: usize,
}

impl Reloading {
    /// The page at `address`, as often reloaded as `query` says.
    pub(crate) fn read(address: String, query: &QueryMap) -> Self {
        let times = parameter(query, "reloads").map(|times| times.parse().unwrap_or(usize::MAX));
        Self { address, times: times.unwrap_or_default() }
    }

    /// How the page reloads itself after `seconds`, unless it has done so `most` times.
    pub(crate) fn after(&self, seconds: u32, most: usize) -> Option<GoingOn> {
        let mark = if self.address.contains('?') { '&' } else { '?' };
        let at = |times: usize| format!("{}{mark}reloads={times}", self.address);
        (self.times < most).then(|| GoingOn {
            after: seconds,
            to: Some(at(self.times + 1)),
            stop: Some(at(most)),
        })
    }
}
