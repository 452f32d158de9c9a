//! Cold instances of the functions, with the time limits of the template.

use std::net::Ipv4Addr;
use std::sync::Arc;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Body, Error, LambdaEvent, Request, Response};
use serde::Serialize;
use serde_json::Value;
use wechat_authorizer::config::Config;
use wechat_authorizer::http;
use wechat_authorizer::services::Services;

use super::Sandbox;
use crate::instance::Instance;
use crate::json_instance::JsonInstance;
use crate::{gateway, net, template};

/// A cold instance of any function.
#[derive(Clone)]
pub enum Function {
    /// It answers HTTP.
    Http(Instance),
    /// It is invoked with JSON.
    Json(JsonInstance),
}

/// Writes what is the same for every function. Its module in the product has the same name, an `App` that a cold start
/// makes, and `handle`, which answers one event.
macro_rules! functions {
    (http: $($http:ident)*; json: $($json:ident)*;) => {
        /// The names of the functions behind the HTTP API.
        pub const HTTP_FUNCTIONS: &[&str] = &[$(stringify!($http)),*];

        /// The names of the functions that are invoked with JSON.
        pub const JSON_FUNCTIONS: &[&str] = &[$(stringify!($json)),*];

        impl Sandbox {
            $(functions!(@cold http Instance $http);)*
            $(functions!(@cold json JsonInstance $json);)*

            /// A cold instance of the function with this name.
            pub fn function(&self, name: &str) -> Option<Function> {
                match name {
                    "authorize" | "callback" => Some(Function::Http(self.visits())),
                    $(stringify!($http) => Some(Function::Http(self.$http())),)*
                    $(stringify!($json) => Some(Function::Json(self.$json())),)*
                    _ => None,
                }
            }

            /// A cold instance of each function behind the HTTP API, by its name in the template.
            pub fn http_functions(&self) -> Vec<(String, Instance)> {
                vec![$((template::function(stringify!($http)), self.$http())),*]
            }
        }
    };
    (@cold $kind:ident $instance:ident $name:ident) => {
        #[doc = concat!("A cold instance of `", stringify!($name), "`.")]
        pub fn $name(&self) -> $instance {
            let app = Arc::new(self.cold(wechat_authorizer::$name::App::new));
            self.$kind(stringify!($name), move |event| {
                let app = app.clone();
                async move { wechat_authorizer::$name::handle(&app, event).await }
            })
        }
    };
}

functions! {
    http: visits events messages;
    json: launch refresh reconcile token component_token doctor;
}

impl Sandbox {
    /// A cold instance of the function behind the launch page.
    pub fn authorize(&self) -> Instance {
        self.visits()
    }

    /// A cold instance of the function behind the redirect's target, which is the same one.
    pub fn callback(&self) -> Instance {
        self.visits()
    }

    /// A cold instance of `visits` with other variables.
    pub fn callback_with(&self, variables: &[(&str, &str)]) -> Instance {
        let with = |sandbox: Self, (name, value): &(&str, &str)| sandbox.with(name, value);
        variables.iter().fold(self.clone(), with).callback()
    }

    /// The same sandbox behind another address, as API Gateway gives it one: `PUBLIC_BASE_URL` leads to its
    /// pages and its `events`.
    pub async fn with_gateway(&self) -> Self {
        let listener = net::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
        let mut sandbox = self.with("PUBLIC_BASE_URL", &net::origin(&listener));
        let router = gateway::router(&sandbox.http_functions());
        sandbox._gateway = Some(Arc::new(net::serve(listener, router)));
        sandbox
    }

    /// What a cold start makes: a function's `App` with new clients.
    fn cold<App>(&self, new: impl Fn(&Config, Services) -> App) -> App {
        let (config, (wechat, aws)) = (self.config(), http::wires(http::roots()));
        let aws = net::sdk_config(&self.dynamodb.endpoint, aws);
        new(&config, Services::new(&config, &aws, wechat, self.clock.clone()))
    }

    fn http<F>(&self, name: &str, handler: impl Fn(Request) -> F + Send + Sync + 'static) -> Instance
    where
        F: Future<Output = Result<Response<Body>, Error>> + Send + 'static,
    {
        Instance::new(template::timeout(&template::function(name)), self.clock.clone(), handler)
    }

    fn json<F, Answer, Failure>(
        &self,
        name: &str,
        handler: impl Fn(LambdaEvent<Value>) -> F + Send + Sync + 'static,
    ) -> JsonInstance
    where
        F: Future<Output = Result<Answer, Failure>> + 'static,
        Answer: Serialize,
        Failure: Into<Diagnostic>,
    {
        JsonInstance::new(template::timeout(&template::function(name)), handler)
    }
}
