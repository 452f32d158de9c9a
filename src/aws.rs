//! The configuration of the AWS SDK, from the variables that Lambda sets and from no other source.
//!
//! The SDK's own loader looks for credentials in files, in other services and on the network, none of which a function
//! has, and takes a good part of a start's time to make itself ready for that.

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::http::{self, Http};

/// The region, the credentials and other endpoints of `AWS_…`, as Lambda, SAM and the sandbox set them. What is missing
/// fails the first request that needs it.
pub fn config(variable: impl Fn(&str) -> Option<String>, http: Http) -> SdkConfig {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let is_on = |name: &str| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let key = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    let credentials = key.map(|(id, secret)| {
        let credentials = Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
        SharedCredentialsProvider::new(credentials)
    });
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new))
        .retry_config(RetryConfig::standard())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(http::aws_client(http))
        .service_config(Endpoints(
            ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"]
                .map(|name| (name, variable(name))),
        ));
    config.set_credentials_provider(credentials);
    config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    config.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

/// The endpoints of single services, which win over the common one.
#[derive(Debug)]
struct Endpoints([(&'static str, Option<String>); 2]);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let name = format!("{}_{}", key.env(), key.service_id().to_ascii_uppercase().replace(' ', "_"));
        let (_, endpoint) = self.0.iter().find(|(known, _)| *known == name)?;
        endpoint.clone()
    }
}
