//! The page of a launch's outcome, at an address without the code.

use lambda_http::http::StatusCode;
use lambda_http::{Request, RequestExt};

use super::completing::Waiting;
use super::{App, failure, launch_url};
use crate::evidence::{Binding, Bound, Cookie, LaunchId};
use crate::exchange::{Account, Looked, Outcome, Shown, report_missing_record};
use crate::launches::way_back;
use crate::page::{Complete, GoingOn, Page};
use crate::store::Launch;
use crate::visit::{PageResponse, UNTIL_FIXED, cookies, parameter};
use crate::wechat::Appid;

/// After how many seconds the confirmation leads back to the platform.
const UNTIL_BACK: u32 = 5;

/// Shows the outcome of a launch or of a code. The browser that brought the launch's code sees the account; everybody else
/// sees only that it is complete.
pub(super) async fn show(app: &App, waiting: &Waiting, request: &Request) -> (PageResponse, Option<String>) {
    let launch = match &waiting.launch {
        Some(id) => app.services.store.launch(&id.digest()).await.map(|launch| Some(id).zip(launch)),
        None => Ok(None),
    };
    let launch = match launch {
        Ok(launch) => launch,
        Err(error) => {
            tracing::error!("the launch cannot be read: {error}");
            return (waiting.later(UNTIL_FIXED, Page::Unavailable), None);
        }
    };
    let launch = launch.as_ref().map(|(id, launch)| (*id, launch));
    let again = launch.map(|(id, launch)| launch_url(id, launch));
    let ended = launch.and_then(|(id, launch)| Some((id, launch, launch.authorizer_appid.as_ref()?)));
    let response = match (ended, &waiting.claim) {
        (Some((id, launch, appid)), _) => show_account(app, waiting, (id, launch), appid, request).await,
        (None, Some(claim)) => show_claim(app, waiting, launch, claim, request).await,
        (None, None) => show_open(app, waiting, launch.map(|(_, launch)| launch)),
    };
    (response, again)
}

/// A launch without an outcome, of which no code is known.
fn show_open(app: &App, waiting: &Waiting, launch: Option<&Launch>) -> PageResponse {
    let Some(launch) = launch else {
        tracing::warn!("refused: no such launch");
        return PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink);
    };
    match (launch.has_codes(), launch.is_open(app.services.clock.now())) {
        (true, _) => waiting.page(),
        (false, true) => PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink),
        (false, false) => PageResponse::page(StatusCode::GONE, Page::Expired),
    }
}

/// The state of an exchange whose code an earlier visit brought.
async fn show_claim(
    app: &App,
    waiting: &Waiting,
    launch: Option<(&LaunchId, &Launch)>,
    claim: &str,
    request: &Request,
) -> PageResponse {
    let launch = launch.filter(|(_, launch)| launch.has_code(claim));
    let binding = launch.map(|(id, launch)| binding(id, launch, &cookies(request)));
    match app.exchange.look(claim, binding.as_ref()).await {
        Ok(Looked::Unclaimed) => {
            tracing::warn!("refused: no such claim");
            PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink)
        }
        Ok(Looked::Open | Looked::Known(Outcome::Pending)) => waiting.page(),
        Ok(Looked::Known(Outcome::Stored(_, Shown::Launch))) if let Some((id, _)) = launch => {
            PageResponse::see_outcome(id)
        }
        Ok(Looked::Known(Outcome::Stored(..))) => {
            PageResponse::page(StatusCode::OK, complete(app, None, None))
        }
        Ok(Looked::Known(outcome)) => failure(app, waiting, launch, outcome),
        Err(error) => {
            tracing::error!("the claim cannot be read: {error}");
            waiting.later(UNTIL_FIXED, Page::Unavailable)
        }
    }
}

/// What a code that came to this launch is bound to, for a browser with these cookies.
fn binding(id: &LaunchId, launch: &Launch, cookies: &[Cookie]) -> Binding {
    let own = cookies.iter().find(|cookie| cookie.launch == *id);
    let bound = if own.is_some_and(|own| launch.knows(own)) { Bound::Browser } else { Bound::Launch };
    launch.binding(bound, own)
}

async fn show_account(
    app: &App,
    waiting: &Waiting,
    launch: (&LaunchId, &Launch),
    appid: &Appid,
    request: &Request,
) -> PageResponse {
    let record = match app.services.profiled_record(appid).await {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(authorizer.appid = %appid, "{error}");
            return waiting.later(UNTIL_FIXED, Page::Unavailable);
        }
    };
    match record {
        Some(record) if launch.1.holds(&record) => {
            let is_viewer = |cookie: &Cookie| launch.1.viewer.as_ref() == Some(&cookie.digest());
            let account = cookies(request).iter().any(is_viewer).then(|| Account::of(appid, &record));
            let page = complete(app, account, Some(launch));
            let next = back(&page, launch.0, request);
            PageResponse::page(StatusCode::OK, page).going_on(next)
        }
        Some(_) => PageResponse::page(StatusCode::GONE, Page::Revoked),
        None => {
            report_missing_record(appid);
            let return_url = way_back(app.return_url.as_ref(), Some(launch));
            PageResponse::page(StatusCode::GONE, Page::Unmatched { return_url })
        }
    }
}

/// How the confirmation leads back to the platform by itself, unless there is something left to do or the visitor stays.
fn back(page: &Page, id: &LaunchId, request: &Request) -> Option<GoingOn> {
    let return_url = match page {
        Page::Complete(Complete { has_tokens: true, return_url, .. })
        | Page::CompleteForOthers { return_url } => return_url.clone()?,
        _ => return None,
    };
    let stays = parameter(&request.query_string_parameters(), "stay").is_some();
    (!stays).then(|| GoingOn {
        after: UNTIL_BACK,
        to: Some(return_url),
        stop: Some(format!("callback?launch={}&stay=1", id.as_str())),
    })
}

/// The confirmation. The way back has the launch's id and nothing that looks like a proof.
pub(super) fn complete(app: &App, account: Option<Account>, launch: Option<(&LaunchId, &Launch)>) -> Page {
    let return_url = way_back(app.return_url.as_ref(), launch);
    match account {
        Some(account) => Page::Complete(Complete {
            authorizer_appid: account.authorizer_appid.as_str().to_owned(),
            nick_name: account.nick_name,
            permission_sets: account.permission_sets,
            head_img: account.head_img,
            has_tokens: account.has_tokens,
            return_url,
        }),
        None => Page::CompleteForOthers { return_url },
    }
}
