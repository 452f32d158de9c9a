//! Cold instances of the functions, with the time limits of the template.

use std::sync::Arc;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Body, Error, LambdaEvent, Request, Response};
use serde::Serialize;
use serde_json::Value;
use wechat_authorizer::config::Config;
use wechat_authorizer::services::Services;
use wechat_authorizer::{authorize, callback, doctor, events, http, reconcile, refresh, token};

use super::{Sandbox, sdk_config};
use crate::instance::Instance;
use crate::json_instance::JsonInstance;
use crate::template;

impl Sandbox {
    /// A cold instance of `authorize`.
    pub fn authorize(&self) -> Instance {
        let app = Arc::new(self.cold(authorize::App::new));
        self.instance("AuthorizeFunction", move |request| {
            let app = app.clone();
            async move { authorize::handle(&app, request).await }
        })
    }

    /// A cold instance of `callback`.
    pub fn callback(&self) -> Instance {
        let app = Arc::new(self.cold(callback::App::new));
        self.instance("CallbackFunction", move |request| {
            let app = app.clone();
            async move { callback::handle(&app, request).await }
        })
    }

    /// A cold instance of `events`.
    pub fn events(&self) -> Instance {
        let app = Arc::new(self.cold(events::App::new));
        self.instance("EventsFunction", move |request| {
            let app = app.clone();
            async move { events::handle(&app, request).await }
        })
    }

    /// A cold instance of each function behind the HTTP API, by its name in the template.
    pub fn http_functions(&self) -> [(&'static str, Instance); 3] {
        [
            ("AuthorizeFunction", self.authorize()),
            ("CallbackFunction", self.callback()),
            ("EventsFunction", self.events()),
        ]
    }

    /// A cold instance of `refresh`.
    pub fn refresh(&self) -> JsonInstance {
        let app = Arc::new(self.cold(refresh::App::new));
        self.json_instance("RefreshFunction", move |event| {
            let app = app.clone();
            async move { refresh::handle(&app, event).await }
        })
    }

    /// A cold instance of `reconcile`.
    pub fn reconcile(&self) -> JsonInstance {
        let app = Arc::new(self.cold(reconcile::App::new));
        self.json_instance("ReconcileFunction", move |event| {
            let app = app.clone();
            async move { reconcile::handle(&app, event).await }
        })
    }

    /// A cold instance of `token`.
    pub fn token(&self) -> JsonInstance {
        let app = Arc::new(self.cold(token::App::new));
        self.json_instance("TokenFunction", move |event| {
            let app = app.clone();
            async move { token::handle(&app, event).await }
        })
    }

    /// A cold instance of `doctor`.
    pub fn doctor(&self) -> JsonInstance {
        let app = Arc::new(self.cold(doctor::App::new));
        self.json_instance("DoctorFunction", move |event| {
            let app = app.clone();
            async move { doctor::handle(&app, event).await }
        })
    }

    /// A cold instance of `callback` with other variables.
    pub fn callback_with(&self, variables: &[(&str, &str)]) -> Instance {
        let with = |sandbox: Self, (name, value): &(&str, &str)| sandbox.with(name, value);
        variables.iter().fold(self.clone(), with).callback()
    }

    /// What a cold start makes: a function's `App` with clients of its own.
    fn cold<App>(&self, new: impl Fn(&Config, Services) -> App) -> App {
        let (config, http) = (self.config(), http::client());
        let aws = sdk_config(&self.dynamodb.endpoint, http.clone());
        new(&config, Services::new(&config, &aws, http, self.clock.clone()))
    }

    fn instance<F>(&self, resource: &str, handler: impl Fn(Request) -> F + Send + Sync + 'static) -> Instance
    where
        F: Future<Output = Result<Response<Body>, Error>> + Send + 'static,
    {
        Instance::new(template::timeout(resource), self.clock.clone(), handler)
    }

    fn json_instance<F, Answer, Failure>(
        &self,
        resource: &str,
        handler: impl Fn(LambdaEvent<Value>) -> F + Send + Sync + 'static,
    ) -> JsonInstance
    where
        F: Future<Output = Result<Answer, Failure>> + 'static,
        Answer: Serialize,
        Failure: Into<Diagnostic>,
    {
        JsonInstance::new(template::timeout(resource), handler)
    }
}
