//! What the functions share: the tables, WeChat, and the platform's own credentials.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::component::Component;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::id::unique_id;
use crate::retry::until_written;
use crate::secrets::Secrets;
use crate::store::{GrantWrite, Record, Store, StoreError, Stored};
use crate::time::Clock;
use crate::wechat::Client;

/// The services of one instance of a function. Clones share memory and connections.
#[derive(Clone, Debug)]
pub struct Services {
    /// The two tables.
    pub store: Store,
    /// WeChat's API.
    pub wechat: Arc<Client>,
    /// The platform's credentials.
    pub secrets: Arc<Secrets>,
    /// The platform's own token.
    pub component: Arc<Component>,
    /// The HTTP client of both wires.
    pub http: reqwest::Client,
    /// The time.
    pub clock: Clock,
}

impl Services {
    /// What `config` describes. Nothing is fetched yet.
    pub fn new(config: &Config, aws: &SdkConfig, http: reqwest::Client, clock: Clock) -> Self {
        let store = Store::new(config, aws);
        let base_url = config.wechat_api_base_url.clone();
        let wechat = Arc::new(Client::new(http.clone(), base_url, config.component_appid.clone()));
        let secrets = Arc::new(Secrets::new(config, aws));
        let component = Component::new(store.clone(), wechat.clone(), secrets.clone(), clock.clone());
        Self { store, wechat, secrets, component: Arc::new(component), http, clock }
    }
    /// The same services as a cold start finds them: with nothing in memory.
    pub(crate) fn with_empty_memory(&self) -> Self {
        let secrets = Arc::new(self.secrets.with_empty_memory());
        let component =
            Component::new(self.store.clone(), self.wechat.clone(), secrets.clone(), self.clock.clone());
        Self { secrets, component: Arc::new(component), ..self.clone() }
    }

    /// Writes a grant over `record` as it was read, or without having read one. Returns the record instead if a newer one
    /// is there. The error is that of the last try before `deadline`.
    pub(crate) async fn put_grant(
        &self,
        write: &GrantWrite<'_>,
        record: Option<&Record>,
        deadline: Deadline,
    ) -> Result<Option<Record>, StoreError> {
        let mut known = record.cloned();
        loop {
            let now = self.clock.now();
            let request_token = unique_id();
            let stored = until_written(deadline, || async {
                let put = self.store.put_grant(write, known.as_ref(), now, &request_token).await;
                put.inspect_err(|error| {
                    tracing::warn!(authorizer.appid = %write.grant.authorizer_appid, "{error}");
                })
            });
            match stored.await? {
                Stored::Written => return Ok(None),
                Stored::Conflict(record) if record.is_newer_than(write.event_time) => {
                    return Ok(Some(*record));
                }
                Stored::Conflict(record) => known = Some(*record),
            }
        }
    }
}
