//! Launches: one merchant's attempt each, from its page to its grant.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::attribute::*;
use super::claim::read_binding;
use super::grant::refused;
use super::item::{Item, appid, string, text, time, timestamp};
use super::record::{Record, record_update};
use super::update::{Condition, Update};
use super::{Key, Store, StoreError, Written};
use crate::claim::Done;
use crate::evidence::{Binding, Bound, Cookie, LaunchId, MadeBy, State};
use crate::id::sha256_hex;
use crate::time::{CLOCKS_APART, Timestamp};
use crate::wechat::{Appid, Issued, PreAuthCode};

/// How long a launch may take until its redirect: longer than a `pre_auth_code` lives, with time for the account's
/// administrator to be found.
pub(crate) const LAUNCH_LIFE: Duration = Duration::from_hours(2);

/// How long its outcome can be asked for.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// How long one `pre_auth_code` serves the visits of a launch page, at most; and never in the second half of its life.
const REUSED: Duration = Duration::from_mins(10);

/// How many distinct codes a launch vouches for: WeChat may repeat the redirect with another one.
const MOST_CODES: i64 = 3;

/// How many browsers may open a launch page with a cookie: the merchant's, a phone that scanned it, a preview.
const MOST_COOKIES: i64 = 8;

/// What a launch asks WeChat for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaunchRequest {
    /// `auth_type`: which kinds of accounts WeChat offers.
    pub auth_type: String,
    /// `biz_appid`: the one account that may authorize.
    pub biz_appid: Option<Appid>,
    /// `category_id_list`: permission sets, joined with `|`.
    pub category_id_list: Option<String>,
}

/// A launch as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The digest of its id.
    pub digest: String,
    /// Who began it.
    pub made_by: MadeBy,
    /// What it was begun with.
    pub state: Option<State>,
    /// Where its confirmation leads back to.
    pub return_url: Option<String>,
    /// What it asks WeChat for.
    pub request: LaunchRequest,
    /// Its newest `pre_auth_code`, and until when that serves further visits of the page.
    pub pre_auth_code: Option<(PreAuthCode, Timestamp)>,
    /// Until when it may be opened and ended.
    pub open_until: Timestamp,
    /// The account that ended it.
    pub authorizer_appid: Option<Appid>,
    /// When that account made the grant that ended it.
    pub authorized_at: Option<Timestamp>,
    /// How that is known.
    pub bound: Option<Bound>,
    /// The digest of the cookie that may see the account.
    pub viewer: Option<String>,
    codes: Vec<String>,
    cookies: Vec<String>,
}

impl Launch {
    fn read(digest: &str, item: &Item) -> Option<Self> {
        let code = text(item, PRE_AUTH_CODE).map(PreAuthCode::new);
        let digests = |name| item.get(name).and_then(|value| value.as_ss().ok()).cloned().unwrap_or_default();
        Some(Self {
            digest: digest.to_owned(),
            made_by: MadeBy::read(text(item, MADE_BY)),
            state: text(item, STATE).and_then(State::parse),
            return_url: text(item, RETURN_URL).map(str::to_owned),
            request: LaunchRequest {
                auth_type: text(item, AUTH_TYPE).unwrap_or_default().to_owned(),
                biz_appid: appid(item, BIZ_APPID),
                category_id_list: text(item, CATEGORY_ID_LIST).map(str::to_owned),
            },
            pre_auth_code: code.zip(timestamp(item, PRE_AUTH_CODE_REUSED_UNTIL)),
            open_until: timestamp(item, OPEN_UNTIL)?,
            authorizer_appid: appid(item, AUTHORIZER_APPID),
            authorized_at: timestamp(item, AUTHORIZED_AT),
            bound: Bound::read(text(item, BOUND)),
            viewer: text(item, VIEWER).map(str::to_owned),
            codes: digests(CODES),
            cookies: digests(COOKIES),
        })
    }

    /// Whether it may be opened and ended at `now`.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        now < self.open_until
    }

    /// Whether a redirect has come back to it.
    pub(crate) fn has_codes(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Whether the launch vouches for the code with this digest, which a redirect brought.
    pub(crate) fn has_code(&self, digest: &str) -> bool {
        self.codes.iter().any(|code| code == digest)
    }

    /// Whether this cookie is of a browser that opened its page.
    pub(crate) fn knows(&self, cookie: &Cookie) -> bool {
        self.cookies.contains(&cookie.digest())
    }

    /// Whether the account that ended it authorizes the platform by that: it has not revoked since, whatever it granted
    /// afterwards through another launch.
    pub(crate) fn holds(&self, record: &Record) -> bool {
        record.is_authorized() && self.authorized_at >= record.authorized_since
    }

    /// What a code that comes back to it is bound to.
    pub(crate) fn binding(&self, bound: Bound, viewer: Option<&Cookie>) -> Binding {
        Binding {
            launch: self.digest.clone(),
            made_by: self.made_by,
            state: self.state.clone(),
            bound: Some(bound),
            viewer: viewer.map(Cookie::digest),
        }
    }
}

impl Store {
    /// Stores a new launch, with its `pre_auth_code` for the push that names it.
    pub(crate) async fn put_launch(
        &self,
        id: &LaunchId,
        launch: &NewLaunch<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let NewLaunch { made_by, state, return_url, request, pre_auth_code, cookie } = launch;
        let update = Update::default()
            .set(MADE_BY, string(made_by.as_str()))
            .set_some(STATE, state.map(|state| string(state.as_str())))
            .set_some(RETURN_URL, return_url.map(string))
            .set(AUTH_TYPE, string(&request.auth_type))
            .set_some(BIZ_APPID, request.biz_appid.as_ref().map(|appid| string(appid.as_str())))
            .set_some(CATEGORY_ID_LIST, request.category_id_list.as_ref().map(string))
            .set(PRE_AUTH_CODE, string(pre_auth_code.token.expose()))
            .set(PRE_AUTH_CODE_REUSED_UNTIL, time(reused_until(pre_auth_code, now)))
            .set_some(COOKIES, cookie.map(|cookie| AttributeValue::Ss(vec![cookie.digest()])))
            .set(OPEN_UNTIL, time(now + LAUNCH_LIFE))
            .set(EXPIRES_AT, time(now + KEPT));
        let digest = id.digest();
        tokio::try_join!(
            self.write("store a launch", self.launch_key(&digest), update),
            self.put_pre_auth_code(&digest, *made_by, *state, &pre_auth_code.token, now),
        )?;
        Ok(())
    }

    /// Notes that a browser opens the page of a launch: its cookie, and a new `pre_auth_code` if it gets one. False if
    /// the launch has enough cookies: then this browser gets none.
    pub(crate) async fn open_launch(
        &self,
        launch: &Launch,
        cookie: Option<&Cookie>,
        pre_auth_code: Option<&Issued<PreAuthCode>>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = self.launch_key(&launch.digest);
        if let Some(issued) = pre_auth_code {
            let update = Update::default()
                .set(PRE_AUTH_CODE, string(issued.token.expose()))
                .set(PRE_AUTH_CODE_REUSED_UNTIL, time(reused_until(issued, now)))
                .when(Condition::Present(PK));
            tokio::try_join!(
                self.write("store a pre_auth_code", key.clone(), update),
                self.put_pre_auth_code(
                    &launch.digest,
                    launch.made_by,
                    launch.state.as_ref(),
                    &issued.token,
                    now
                ),
            )?;
        }
        let Some(cookie) = cookie else { return Ok(true) };
        let update = Update::default()
            .add_to_set(COOKIES, &cookie.digest())
            .when(Condition::Present(PK))
            .when(Condition::FewerThan(COOKIES, MOST_COOKIES));
        self.write("store a cookie", key, update).await
    }

    async fn put_pre_auth_code(
        &self,
        launch: &str,
        made_by: MadeBy,
        state: Option<&State>,
        code: &PreAuthCode,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(LAUNCH, string(launch))
            .set(MADE_BY, string(made_by.as_str()))
            .set_some(STATE, state.map(|state| string(state.as_str())))
            .set(EXPIRES_AT, time(now + LAUNCH_LIFE));
        self.write("store a pre_auth_code", self.pre_auth_key(code), update).await
    }

    /// The launch with this id; none if there never was one.
    pub(crate) async fn launch(&self, digest: &str) -> Result<Option<Launch>, StoreError> {
        let item = self.item("read a launch", self.launch_key(digest)).await?;
        Ok(item.and_then(|item| Launch::read(digest, &item)))
    }

    /// The launch that a push names by its `pre_auth_code`.
    pub(crate) async fn binding_of(
        &self,
        code: &PreAuthCode,
        now: Timestamp,
    ) -> Result<Option<Binding>, StoreError> {
        let item = self.item("read a launch", self.pre_auth_key(code)).await?;
        let item = item.filter(|item| timestamp(item, EXPIRES_AT).is_some_and(|until| now < until));
        Ok(item.and_then(|item| {
            Some(Binding {
                launch: text(&item, LAUNCH)?.to_owned(),
                made_by: MadeBy::read(text(&item, MADE_BY)),
                state: text(&item, STATE).and_then(State::parse),
                bound: Some(Bound::Launch),
                viewer: None,
            })
        }))
    }

    /// Notes that a redirect brought this code to the launch, and reads the launch. The second value is whether the launch
    /// vouches for the code: it is open, and the code is one of its first.
    pub(crate) async fn note_code(
        &self,
        launch: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<(Launch, bool)>, StoreError> {
        let update = Update::default()
            .add_to_set(CODES, code)
            .when(Condition::AtLeast(OPEN_UNTIL, time(now)))
            .when(Condition::Any(vec![
                Condition::Contains(CODES, code.to_owned()),
                Condition::FewerThan(CODES, MOST_CODES),
            ]));
        let key = self.launch_key(launch);
        let written = self.write_returning("note a code", key, update, ReturnValue::AllNew).await?;
        let (item, vouches) = match written {
            Written::Made(item) => (item, true),
            Written::Refused(item) => (item, false),
        };
        Ok(Launch::read(launch, &item).map(|launch| (launch, vouches)))
    }

    /// Binds a grant that is stored already to the launch of an event that brings its code afterwards: the launch gets its
    /// outcome, and the record what the launch says, if it is still that grant's. A code belongs to the first launch that
    /// ends with it. False if it belongs to another, or the launch is another account's.
    pub(crate) async fn bind(
        &self,
        binding: &Binding,
        done: &Done,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (appid, event_time) = (&done.authorizer_appid, done.event_time);
        if done.launch.is_none() && !self.give_code(binding, done, now).await? {
            return Ok(false);
        }
        let outcome = outcome(binding, appid, now).set_if_absent(AUTHORIZED_AT, time(event_time));
        let key = self.launch_key(&binding.launch);
        let ended = self.write_returning("end a launch", key, outcome, ReturnValue::AllNew).await?;
        let Written::Made(launch) = ended else { return Ok(false) };
        // A browser may have brought the cookie before: what comes after it takes nothing back.
        let binding =
            Binding { bound: Bound::read(text(&launch, BOUND)).or(binding.bound), ..binding.clone() };
        let update = bind_record(record_update(None, now), Some(&binding), false)
            .when(Condition::Equals(AUTHORIZED_AT, time(event_time)))
            .when(Condition::Equals(STATUS, string("authorized")));
        self.write("bind a record", self.record_key(appid), update).await?;
        Ok(true)
    }

    /// Ends a launch with a used code that no launch has. Whoever learns such a code later begins a launch after it, and gets
    /// nothing.
    async fn give_code(&self, binding: &Binding, done: &Done, now: Timestamp) -> Result<bool, StoreError> {
        let code = self.code_given_to(binding, &done.digest);
        let begun_until = done.event_time + CLOCKS_APART;
        let launch = outcome(binding, &done.authorizer_appid, now)
            .set(AUTHORIZED_AT, time(done.event_time))
            .when(Condition::AtMost(OPEN_UNTIL, time(begun_until + LAUNCH_LIFE)))
            .in_transaction(self, self.launch_key(&binding.launch));
        let writing = self.client.transact_write_items().transact_items(code).transact_items(launch);
        let Err(error) = writing.send().await else { return Ok(true) };
        let refused = |index| refused(error.as_service_error(), index);
        match (refused(0), refused(1)) {
            // Another visit of the same launch was faster.
            (Some(claim), _) => Ok(read_binding(&claim).is_some_and(|known| known.launch == binding.launch)),
            (None, Some(_)) => Ok(false),
            (None, None) => Err(StoreError::of("give a code to a launch", &error)),
        }
    }

    /// Ends a launch with a grant that gave way to one made at `authorized_at`. False if the launch is another account's.
    pub(crate) async fn end_launch(
        &self,
        binding: &Binding,
        authorizer_appid: &Appid,
        authorized_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let outcome =
            outcome(binding, authorizer_appid, now).set_some(AUTHORIZED_AT, authorized_at.map(time));
        self.write("end a launch", self.launch_key(&binding.launch), outcome).await
    }

    /// Writes what a service's launch says into the record of a grant that was made at `authorized_at`, if no launch has said
    /// anything in there yet.
    pub(crate) async fn bind_unbound(
        &self,
        binding: &Binding,
        authorizer_appid: &Appid,
        authorized_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(authorized_at) = authorized_at.filter(|_| binding.made_by == MadeBy::Service) else {
            return Ok(());
        };
        let update = bind_record(record_update(None, now), Some(binding), false)
            .when(Condition::Equals(AUTHORIZED_AT, time(authorized_at)))
            .when(Condition::Equals(STATUS, string("authorized")))
            .when(Condition::Absent(BOUND));
        self.write("bind a record", self.record_key(authorizer_appid), update).await.map(|_| ())
    }

    pub(super) fn launch_key(&self, digest: &str) -> Key {
        self.platform_key_of("launch", digest)
    }

    fn pre_auth_key(&self, code: &PreAuthCode) -> Key {
        self.platform_key_of("pre_auth", &sha256_hex(code.expose()))
    }
}

/// What a new launch is begun with.
#[derive(Debug)]
pub(crate) struct NewLaunch<'a> {
    /// Who begins it.
    pub made_by: MadeBy,
    /// What it is begun with.
    pub state: Option<&'a State>,
    /// Where its confirmation leads back to.
    pub return_url: Option<&'a str>,
    /// What it asks WeChat for.
    pub request: &'a LaunchRequest,
    /// Its `pre_auth_code`.
    pub pre_auth_code: &'a Issued<PreAuthCode>,
    /// The cookie of the browser that opens it.
    pub cookie: Option<&'a Cookie>,
}

fn reused_until(code: &Issued<PreAuthCode>, now: Timestamp) -> Timestamp {
    now + REUSED.min(code.expires_in / 2)
}

/// Ends a launch with the grant of an account. A launch that was begun for another account, or that another ended, stays as
/// it is.
pub(super) fn outcome(binding: &Binding, authorizer_appid: &Appid, now: Timestamp) -> Update {
    let appid = string(authorizer_appid.as_str());
    let update = Update::default()
        .set_if_absent(MADE_BY, string(binding.made_by.as_str()))
        .set_if_absent(OPEN_UNTIL, time(now + LAUNCH_LIFE))
        .set_if_absent(EXPIRES_AT, time(now + KEPT))
        .set_some(VIEWER, binding.viewer.as_ref().map(string))
        .set(AUTHORIZER_APPID, appid.clone())
        .when(Condition::Any(vec![
            Condition::Absent(AUTHORIZER_APPID),
            Condition::Equals(AUTHORIZER_APPID, appid.clone()),
        ]))
        .when(Condition::Any(vec![Condition::Absent(BIZ_APPID), Condition::Equals(BIZ_APPID, appid)]));
    match binding.bound {
        Some(Bound::Browser) => update.set(BOUND, string(Bound::Browser.as_str())),
        Some(Bound::Launch) => update.set_if_absent(BOUND, string(Bound::Launch.as_str())),
        None => update,
    }
}

/// Writes into a record what its launch says. `state` and `bound` come from a service's launch only, so that they never
/// speak of two launches; what a visitor said stands beside them, as unverified. Of a record that the merchant `revoked`
/// since, nothing stays that an earlier launch said.
pub(super) fn bind_record(update: Update, binding: Option<&Binding>, revoked: bool) -> Update {
    let forget =
        |update: Update, said: &[&'static str]| if revoked { update.remove_all(said) } else { update };
    let Some(Binding { made_by, state, bound: Some(bound), .. }) = binding else {
        return forget(update, &[STATE, BOUND, UNVERIFIED_STATE]);
    };
    let state = state.as_ref().map(|state| string(state.as_str()));
    match made_by {
        MadeBy::Service => {
            update.set_or_remove(STATE, state).set(BOUND, string(bound.as_str())).remove(UNVERIFIED_STATE)
        }
        MadeBy::Visitor => forget(update, &[STATE, BOUND]).set_or_remove(UNVERIFIED_STATE, state),
        MadeBy::Visit => forget(update, &[STATE, BOUND, UNVERIFIED_STATE]),
    }
}
