//! What a launch leaves behind for the redirect and the push that end it.

use std::time::Duration;

use super::attribute::{AUTHORIZER_APPID, EXPIRES_AT, STATE};
use super::item::{Item, appid, string, text, time, timestamp};
use super::update::Update;
use super::{Key, Store, StoreError};
use crate::id::sha256_hex;
use crate::launch::State;
use crate::time::Timestamp;
use crate::wechat::{Appid, PreAuthCode};

/// How long a launch may take until its redirect: longer than a `pre_auth_code` lives, with time for the account's
/// administrator to be found.
const LAUNCH_LIFE: Duration = Duration::from_hours(2);

impl Store {
    /// Whether `state` was launched and is still accepted at `now`.
    pub async fn accepts_state(&self, state: &State, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.item("read the state", self.state_key(state)).await?;
        Ok(item.is_some_and(|item| is_open(&item, now)))
    }

    /// Notes that `state` is launched at `now` with `pre_auth_code`: for the redirect, which brings the state,
    /// and for the push, which brings the `pre_auth_code`.
    pub async fn put_launch(
        &self,
        pre_auth_code: &PreAuthCode,
        state: &State,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let expires_at = time(now + LAUNCH_LIFE);
        let for_push =
            Update::default().set(STATE, string(state.as_str())).set(EXPIRES_AT, expires_at.clone());
        let for_redirect = Update::default().set(EXPIRES_AT, expires_at).remove(AUTHORIZER_APPID);
        tokio::try_join!(
            self.write("note a launch", self.launch_key(pre_auth_code), for_push),
            self.write("note a launch", self.state_key(state), for_redirect),
        )?;
        Ok(())
    }

    /// The state with which `pre_auth_code` was launched, if a launch of ours was.
    pub async fn launched_state(
        &self,
        pre_auth_code: &PreAuthCode,
        now: Timestamp,
    ) -> Result<Option<State>, StoreError> {
        let item = self.item("read a launch", self.launch_key(pre_auth_code)).await?;
        Ok(item.filter(|item| is_open(item, now)).and_then(|item| State::parse(text(&item, STATE)?)))
    }

    /// Notes that the launch with `state` ended with the grant of this account.
    pub async fn put_authorized_with(
        &self,
        state: &State,
        authorizer_appid: &Appid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = Update::default()
            .set(AUTHORIZER_APPID, string(authorizer_appid.as_str()))
            .set_if_absent(EXPIRES_AT, time(now + LAUNCH_LIFE));
        self.write("note the end of a launch", self.state_key(state), update).await.map(|_| ())
    }

    /// The account whose grant ended the latest launch with `state`, if a push has brought one and the launch
    /// is not over at `now`.
    pub async fn authorized_with(&self, state: &State, now: Timestamp) -> Result<Option<Appid>, StoreError> {
        let item = self.item("read the state", self.state_key(state)).await?;
        Ok(item.filter(|item| is_open(item, now)).and_then(|item| appid(&item, AUTHORIZER_APPID)))
    }

    fn launch_key(&self, pre_auth_code: &PreAuthCode) -> Key {
        self.platform_key_of("launch", &sha256_hex(pre_auth_code.expose()))
    }

    fn state_key(&self, state: &State) -> Key {
        self.platform_key_of("state", &sha256_hex(state.as_str()))
    }
}

/// Whether the launch is not over at `now`.
fn is_open(item: &Item, now: Timestamp) -> bool {
    timestamp(item, EXPIRES_AT).is_some_and(|until| now < until)
}
