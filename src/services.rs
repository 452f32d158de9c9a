//! What the functions share: the tables, WeChat, and the platform's own credentials.

use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use tokio::time::sleep;

use crate::claim::Told;
use crate::component::{Cause, Component};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::http::Http;
use crate::id::unique_id;
use crate::retry::until_written;
use crate::secrets::Secrets;
use crate::store::{GrantWrite, OddTime, Record, Store, StoreError, Stored};
use crate::time::{CLOCKS_APART, Clock, Timestamp};
use crate::wechat::{Appid, AuthorizerInfo, AuthorizerList, Client, ToldTime};

/// The services of one instance of a function. Clones share memory and connections.
#[derive(Clone, Debug)]
pub struct Services {
    /// The tables.
    pub(crate) store: Store,
    /// WeChat's API.
    pub(crate) wechat: Arc<Client>,
    /// The platform's credentials.
    pub(crate) secrets: Arc<Secrets>,
    /// The platform's own token.
    pub(crate) component: Arc<Component>,
    /// The way to WeChat, and to whatever else is in the world.
    pub(crate) http: Http,
    /// The time.
    pub(crate) clock: Clock,
}

/// How long noting an odd time may take: nothing depends on the note.
const FOR_NOTE: Duration = Duration::from_secs(1);

/// For how long after a grant its account may just be asked who it is.
const ASKED_FOR: Duration = Duration::from_secs(3);

/// How often, and after which pause, its record is looked at again for the answer.
const LOOKS: u32 = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// How long reading the component token may hold up a start.
const FOR_READING: Duration = Duration::from_secs(1);

impl Services {
    /// What `config` describes. Nothing is fetched yet.
    pub fn new(config: &Config, aws: &SdkConfig, http: Http, clock: Clock) -> Self {
        let store = Store::new(config, aws);
        let base_url = config.wechat_api_base_url.clone();
        let wechat = Arc::new(Client::new(http.clone(), base_url, config.component_appid.clone()));
        let secrets = Arc::new(Secrets::new(config, aws));
        let component = Component::new(store.clone(), wechat.clone(), secrets.clone(), clock.clone());
        Self { store, wechat, secrets, component: Arc::new(component), http, clock }
    }

    /// Reads the component token, so that the first event need not wait for it. Best effort.
    pub async fn get_ready(&self) {
        Deadline::after(FOR_READING).limit(self.component.peek()).await;
    }

    /// The same services as a cold start finds them: with nothing in memory.
    pub(crate) fn with_empty_memory(&self) -> Self {
        let secrets = Arc::new(self.secrets.with_empty_memory());
        let component =
            Component::new(self.store.clone(), self.wechat.clone(), secrets.clone(), self.clock.clone());
        Self { secrets, component: Arc::new(component), ..self.clone() }
    }

    /// What WeChat has of an account now.
    pub(crate) async fn authorizer_info(
        &self,
        appid: &Appid,
        deadline: Deadline,
    ) -> Result<AuthorizerInfo, Cause> {
        let request = |token, limit| async move { self.wechat.authorizer_info(&token, appid, limit).await };
        let answer = self.component.call(None, deadline, request).await;
        answer.map(|called| called.answer).map_err(|failure| failure.cause)
    }

    /// The accounts that authorize the platform, from `offset` on.
    pub(crate) async fn authorizer_list(
        &self,
        offset: usize,
        deadline: Deadline,
    ) -> Result<AuthorizerList, Cause> {
        let request = |token, limit| async move { self.wechat.authorizer_list(&token, offset, limit).await };
        let answer = self.component.call(None, deadline, request).await;
        answer.map(|called| called.answer).map_err(|failure| failure.cause)
    }

    /// The record of an account that is to be shown: if the grant is so young that the account is just being asked who it is,
    /// looked at again for a moment.
    pub(crate) async fn profiled_record(&self, appid: &Appid) -> Result<Option<Record>, StoreError> {
        let mut looks = 0;
        loop {
            let record = self.store.record(appid).await?;
            let is_awaited = record.as_ref().is_some_and(|record| {
                let granted = record.authorized_at.filter(|_| record.profile.is_none());
                granted.is_some_and(|at| self.clock.now().since(at) < ASKED_FOR)
            });
            looks += 1;
            if !is_awaited || looks > LOOKS {
                return Ok(record);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Says and notes that WeChat told a time which cannot be. Best effort.
    pub(crate) async fn note_odd_time(
        &self,
        told: ToldTime,
        source: &str,
        now: Timestamp,
        deadline: Deadline,
    ) {
        tracing::warn!(told = told.as_told(), now = now.as_secs(), source, "WeChat told an impossible time");
        let odd = OddTime { noted_at: now, told: told.as_told(), source: source.to_owned() };
        match deadline.within(FOR_NOTE).limit(self.store.put_odd_time(&odd)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::warn!("{error}"),
            None => tracing::warn!("the odd time is not noted in time"),
        }
    }

    /// Writes a grant over `record` as it was read, or without having read one. The error is that of the last try before
    /// `deadline`.
    pub(crate) async fn put_grant(
        &self,
        write: &GrantWrite<'_>,
        record: Option<&Record>,
        deadline: Deadline,
    ) -> Result<Landed, StoreError> {
        let appid = &write.grant.authorizer_appid;
        let (mut write, mut known) = (*write, record.cloned());
        loop {
            let now = self.clock.now();
            let request_token = unique_id();
            let stored = until_written(deadline, || async {
                let put = self.store.put_grant(&write, known.as_ref(), now, &request_token).await;
                put.inspect_err(|error| tracing::warn!(authorizer.appid = %appid, "{error}"))
            });
            match stored.await? {
                Stored::Written => {
                    let (bound, authorized_at) = (write.binding.is_some(), write.event_time);
                    return Ok(Landed::Written { bound, authorized_at });
                }
                Stored::Heard(told) => return Ok(Landed::Heard(told)),
                Stored::LaunchTaken => {
                    tracing::warn!(authorizer.appid = %appid, "this launch is another account's: stored without it");
                    write.binding = None;
                }
                Stored::Conflict(record) if record.is_newer_than(write.event_time) => {
                    let Some(unauthorized_at) = record.unauthorized_at.filter(|_| !record.is_authorized())
                    else {
                        return Ok(Landed::Newer(record));
                    };
                    if record.updated_at < write.asked_at {
                        // WeChat gave it after that tombstone was stored.
                        write.event_time = unauthorized_at;
                        known = Some(*record);
                    } else if unauthorized_at.distance(write.event_time) <= CLOCKS_APART {
                        return Ok(Landed::Doubtful(record));
                    } else {
                        return Ok(Landed::Newer(record));
                    }
                }
                Stored::Conflict(record) => known = Some(*record),
            }
        }
    }
}

/// How the write of a grant ended.
#[derive(Debug)]
pub(crate) enum Landed {
    /// It is in the table, and with it the outcome of its launch if `bound`.
    Written {
        /// Whether the launch has this outcome.
        bound: bool,
        /// The time that the record has of the grant: later than the event's where WeChat gave it after a revocation.
        authorized_at: Timestamp,
    },
    /// A push has named another launch meanwhile: nothing is written.
    Heard(Told),
    /// A newer event is stored. The record.
    Newer(Box<Record>),
    /// A revocation is stored that cannot be told from a later or an earlier one: WeChat must be asked. The record.
    Doubtful(Box<Record>),
}
