//! The page of a launch's outcome, at an address without the code.

use lambda_http::Request;
use lambda_http::http::StatusCode;

use super::{App, completing, launch_url};
use crate::evidence::{Cookie, LaunchId};
use crate::exchange::{Account, report_missing_record};
use crate::page::{Complete, Page};
use crate::store::Launch;
use crate::visit::{PageResponse, UNTIL_FIXED, cookies};

/// Shows what became of a launch: the account to the browser that brought its code, to everybody else that it is over.
pub(super) async fn show(app: &App, id: &LaunchId, request: &Request) -> (PageResponse, Option<String>) {
    let launch = match app.services.store.launch(&id.digest()).await {
        Ok(launch) => launch,
        Err(error) => {
            tracing::error!("the launch cannot be read: {error}");
            return (PageResponse::later(UNTIL_FIXED, Page::Unavailable), None);
        }
    };
    let Some(launch) = launch else {
        tracing::warn!("refused: no such launch");
        return (PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink), None);
    };
    let again = Some(launch_url(id, &launch));
    let Some(appid) = &launch.authorizer_appid else {
        let response = match (launch.has_codes(), launch.is_open(app.services.clock.now())) {
            (true, _) => completing::page(request),
            (false, true) => PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink),
            (false, false) => PageResponse::page(StatusCode::GONE, Page::Expired),
        };
        return (response, again);
    };
    let record = match app.services.store.record(appid).await {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(authorizer.appid = %appid, "{error}");
            return (PageResponse::later(UNTIL_FIXED, Page::Unavailable), again);
        }
    };
    let response = match record {
        Some(record) if record.is_authorized() => {
            let is_viewer = |cookie: &Cookie| launch.viewer.as_ref() == Some(&cookie.digest());
            let account = cookies(request).iter().any(is_viewer).then(|| Account::of(appid, &record));
            PageResponse::page(StatusCode::OK, complete(app, account, Some((id, &launch))))
        }
        Some(_) => PageResponse::page(StatusCode::GONE, Page::Revoked),
        None => {
            report_missing_record(appid);
            PageResponse::page(StatusCode::GONE, Page::Unmatched)
        }
    };
    (response, again)
}

/// The confirmation. The way back has the launch's id and nothing that looks like a proof.
pub(super) fn complete(app: &App, account: Option<Account>, launch: Option<(&LaunchId, &Launch)>) -> Page {
    let own = launch.and_then(|(_, launch)| launch.return_url.as_deref()?.parse().ok());
    let return_url = own.or_else(|| app.return_url.clone()).map(|mut url| {
        if let Some((id, _)) = launch {
            url.query_pairs_mut().append_pair("launch", id.as_str());
        }
        url.into()
    });
    match account {
        Some(account) => Page::Complete(Complete {
            authorizer_appid: account.authorizer_appid.as_str().to_owned(),
            nick_name: account.nick_name,
            permission_sets: account.permission_sets,
            has_tokens: account.has_tokens,
            return_url,
        }),
        None => Page::CompleteForOthers { return_url },
    }
}
