//! What the functions share: the tables, WeChat, and the platform's own credentials.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::clock::Clock;
use crate::component::Component;
use crate::config::Config;
use crate::secrets::Secrets;
use crate::store::Store;
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
    /// The time.
    pub clock: Clock,
}

impl Services {
    /// What `config` describes. Nothing is fetched yet.
    pub fn new(config: &Config, aws: &SdkConfig, http: reqwest::Client, clock: Clock) -> Self {
        let store = Store::new(config, aws);
        let base_url = config.wechat_api_base_url.clone();
        let wechat = Arc::new(Client::new(http, base_url, config.component_appid.clone()));
        let secrets = Arc::new(Secrets::new(config, aws));
        let component = Component::new(store.clone(), wechat.clone(), secrets.clone(), clock.clone());
        Self { store, wechat, secrets, component: Arc::new(component), clock }
    }
}
