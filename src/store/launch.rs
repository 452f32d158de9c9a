//! What a launch leaves behind for the redirect and the push that end it.

use secrecy::{ExposeSecret, SecretString};

use super::item::{appid, integer, number, string, text};
use super::{Store, StoreError, written};
use crate::deadline::unique_id;
use crate::wechat::{Appid, sha256_hex};

/// How long a launch may take until its redirect, in seconds: longer than a `pre_auth_code` lives, with time
/// for the account's administrator to be found.
const LAUNCH_LIFE: i64 = 2 * 3600;

/// The longest state, in characters.
const LONGEST: usize = 256;

/// The opaque value that a consumer hands to `/authorize` and finds again in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(String);

impl State {
    /// A state of 1 to 256 characters of `A-Z a-z 0-9 - _ . ~`, which survive any URL.
    pub fn parse(value: &str) -> Option<Self> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let fits = (1..=LONGEST).contains(&value.len()) && value.bytes().all(unreserved);
        fits.then(|| Self(value.to_owned()))
    }

    /// A state like no other, for a launch that was given none.
    pub fn random() -> Self {
        Self(unique_id())
    }

    /// The state as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    /// Whether `state` was launched and is still accepted at `now`.
    pub async fn accepts_state(&self, state: &State, now: i64) -> Result<bool, StoreError> {
        let item = self
            .platform_item("read the state", self.platform_key_of("state", &sha256_hex(state.as_str())))
            .await?;
        let accepted_until = item.and_then(|item| integer(&item, "expires_at"));
        Ok(accepted_until.is_some_and(|until| now < until))
    }

    /// Notes that `state` is launched at `now` with `pre_auth_code`: for the redirect, which brings the state,
    /// and for the push, which brings the `pre_auth_code`.
    pub async fn put_launch(
        &self,
        pre_auth_code: &SecretString,
        state: &State,
        now: i64,
    ) -> Result<(), StoreError> {
        let for_push = self
            .update_platform(self.platform_key_of("launch", &sha256_hex(pre_auth_code.expose_secret())))
            .update_expression("SET #state = :state, expires_at = :expires_at")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", string(state.as_str()))
            .expression_attribute_values(":expires_at", number(now + LAUNCH_LIFE));
        let for_redirect = self
            .update_platform(self.platform_key_of("state", &sha256_hex(state.as_str())))
            .update_expression("SET expires_at = :expires_at REMOVE authorizer_appid")
            .expression_attribute_values(":expires_at", number(now + LAUNCH_LIFE));
        let (for_push, for_redirect) = tokio::join!(for_push.send(), for_redirect.send());
        for_push.map_err(|error| StoreError::of("note a launch", &error))?;
        for_redirect.map_err(|error| StoreError::of("note a launch", &error))?;
        Ok(())
    }

    /// The state with which `pre_auth_code` was launched, if a launch of ours was.
    pub async fn launched_state(
        &self,
        pre_auth_code: &SecretString,
        now: i64,
    ) -> Result<Option<State>, StoreError> {
        let item = self
            .platform_item(
                "read a launch",
                self.platform_key_of("launch", &sha256_hex(pre_auth_code.expose_secret())),
            )
            .await?;
        let item = item.filter(|item| integer(item, "expires_at").is_some_and(|until| now < until));
        Ok(item.and_then(|item| State::parse(text(&item, "state")?)))
    }

    /// Notes that the launch with `state` ended with the grant of this account.
    pub async fn put_authorized_with(
        &self,
        state: &State,
        authorizer_appid: &Appid,
        now: i64,
    ) -> Result<(), StoreError> {
        let result = self
            .update_platform(self.platform_key_of("state", &sha256_hex(state.as_str())))
            .update_expression(
                "SET authorizer_appid = :appid, expires_at = if_not_exists(expires_at, :expires_at)",
            )
            .expression_attribute_values(":appid", string(authorizer_appid.as_str()))
            .expression_attribute_values(":expires_at", number(now + LAUNCH_LIFE))
            .send()
            .await;
        written("note the end of a launch", result).map(|_| ())
    }

    /// The account whose grant ended the latest launch with `state`, if a push has brought one and the launch
    /// is not over at `now`.
    pub async fn authorized_with(&self, state: &State, now: i64) -> Result<Option<Appid>, StoreError> {
        let item = self
            .platform_item("read the state", self.platform_key_of("state", &sha256_hex(state.as_str())))
            .await?;
        let item = item.filter(|item| integer(item, "expires_at").is_some_and(|until| now < until));
        Ok(item.and_then(|item| appid(&item, "authorizer_appid")))
    }
}
