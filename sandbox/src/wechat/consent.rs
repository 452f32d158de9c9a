//! The pages on which a merchant agrees.

mod request;
mod visit;

use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use std::time::Instant;

use super::account::{Account, Kind, set_name};
use super::delivery::{self, PushedCode};
use super::ledger::Ledger;
use super::part::Part;
use super::push::Push;
use request::{Consent, Refused};
pub use visit::{Agreement, ConsentVisit};

/// Where the link for desktops leads.
const PC: &str = "/cgi-bin/componentloginpage";

/// Where the link inside WeChat leads.
const MOBILE: &str = "/wxaopen/safe/bindcomponent";

pub(super) fn router(part: Part) -> Router {
    let page = |path: &'static str| {
        let (shown, agreed) = (part.clone(), part.clone());
        get(async move |RawQuery(query): RawQuery, headers: HeaderMap| show(&shown, path, query, &headers))
            .post(async move |form: String| match agree(&agreed, path, &form) {
                Err(refused) => refused.into_response(),
                Ok(Agreed { location, push }) => {
                    if let Some(push) = push {
                        agreed.pushes.accompany(push).await;
                    }
                    // 302, as WeChat does it: the browser follows with GET.
                    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
                }
            })
    };
    Router::new()
        .route(PC, page(PC))
        .route(MOBILE, page(MOBILE))
        // A browser asks for it by itself; it is not a call of the API.
        .route("/favicon.ico", get(StatusCode::NOT_FOUND))
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage {
    /// What the form sends back.
    fields: Vec<(String, String)>,
    accounts: Vec<Choice>,
    groups: Vec<Group>,
}

struct Choice {
    appid: String,
    nick_name: String,
    kind: &'static str,
    class: String,
    authorized: bool,
}

/// The permission sets of one kind of account, or of one account that has its own.
#[derive(PartialEq, Eq)]
struct Group {
    class: String,
    name: &'static str,
    /// The name of its fields in the form.
    field: String,
    sets: Vec<(i64, String)>,
}

fn show(part: &Part, path: &'static str, query: Option<String>, headers: &HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let mut ledger = part.ledger();
    let referer = headers.get(header::REFERER).and_then(|referer| referer.to_str().ok());
    let consent = match Consent::read(&query, &ledger, part.clock.now().as_secs()) {
        Ok(consent) => consent,
        Err(refused) => return refused.into_response(),
    };
    if path == PC
        && ledger.check_referer
        && let Err(refused) = consent.check_launch_page(referer, &ledger)
    {
        return refused.into_response();
    }
    let mut groups: Vec<Group> = ledger.accounts.values().map(|entry| Group::of(&entry.account)).collect();
    groups.sort_by(|one, other| one.class.cmp(&other.class));
    groups.dedup();
    let page = ConsentPage {
        fields: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        accounts: choices(&consent, &ledger),
        groups,
    };
    let pre_auth_code = consent.pre_auth_code;
    ledger.consents.push(ConsentVisit { at: Instant::now(), path, pre_auth_code, agreement: None });
    html(StatusCode::OK, &page)
}

/// What follows from a merchant's consent.
struct Agreed {
    /// Where the browser is sent.
    location: String,
    /// Nothing is pushed about an authorization that changes nothing.
    push: Option<Push>,
}

/// The form sends what the link carried, the account and the permission sets.
fn agree(part: &Part, path: &'static str, form: &str) -> Result<Agreed, Refused> {
    let now = part.clock.now().as_secs();
    let mut ledger = part.ledger();
    let consent = Consent::read(form, &ledger, now)?;
    let fields = || form_urlencoded::parse(form.as_bytes());
    let chosen = fields().find(|(name, _)| name == "account").map(|(_, appid)| appid.into_owned());
    let choice = choices(&consent, &ledger).into_iter().find(|choice| Some(&choice.appid) == chosen.as_ref());
    let Choice { appid, .. } =
        choice.ok_or_else(|| Refused::new("请选择要授权的账号", "Choose one of the accounts."))?;
    let account = &ledger.accounts[&appid].account;
    let (nick_name, field) = (account.nick_name.clone(), Group::of(account).field);
    let granted: Vec<i64> = fields()
        .filter(|(name, _)| *name == field)
        .filter_map(|(_, id)| id.parse().ok())
        .filter(|id| account.permission_set_ids.contains(id))
        .collect();
    let before = ledger.authorization(&appid).ok().map(|(_, before)| before.permission_set_ids.clone());
    ledger.spend_pre_auth_code(&consent.pre_auth_code);
    ledger.authorize(&appid, &granted, now);
    let code = ledger.mint_code(&appid, now);
    let location = consent.redirect(&code);
    let mut codes = vec![code];
    let changed = before.as_ref() != Some(&granted);
    let push = changed.then(|| {
        if part.pushes.beside_redirect().1 == PushedCode::Own {
            codes.push(ledger.mint_code(&appid, now));
        }
        let pushed = &codes[codes.len() - 1];
        delivery::about(before.is_none(), &appid, pushed, &consent.pre_auth_code, now)
    });
    let agreement = Agreement {
        authorizer_appid: appid,
        nick_name,
        permission_set_ids: granted,
        codes,
        location: location.clone(),
    };
    ledger.consents.push(ConsentVisit {
        at: Instant::now(),
        path,
        pre_auth_code: consent.pre_auth_code,
        agreement: Some(agreement),
    });
    Ok(Agreed { location, push })
}

fn choices(consent: &Consent, ledger: &Ledger) -> Vec<Choice> {
    let entries = ledger.accounts.values().filter(|entry| consent.admits(&entry.account));
    entries
        .map(|entry| Choice {
            appid: entry.account.appid.clone(),
            nick_name: entry.account.nick_name.clone(),
            kind: entry.account.kind.name(),
            class: Group::of(&entry.account).class,
            authorized: entry.authorization.is_some(),
        })
        .collect()
}

impl Group {
    fn of(account: &Account) -> Self {
        let Account { kind, permission_set_ids, appid, .. } = account;
        let (class, field) = if permission_set_ids == kind.permission_set_ids() {
            (class(*kind).to_owned(), "set".to_owned())
        } else {
            (appid.clone(), format!("set-{appid}"))
        };
        let sets = permission_set_ids.iter().map(|id| (*id, set_name(*id))).collect();
        Self { class, name: kind.name(), field, sets }
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::OfficialAccount => "official",
        Kind::MiniProgram => "mini",
        Kind::Channels => "channels",
        Kind::Store => "store",
        Kind::Talent => "talent",
        Kind::Supplier => "supplier",
    }
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    (status, Html(page.render().expect("the template renders"))).into_response()
}
