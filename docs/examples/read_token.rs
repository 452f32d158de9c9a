//! Reads an authorizer's access token with one GetItem and calls WeChat with it.
//!
//! Needs the crates aws-config, aws-sdk-dynamodb, reqwest (with a TLS feature), serde_json and tokio. The
//! variables are described in docs/consumers.md.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

/// Named one by one: the policy for readers allows nothing else. `status` is a reserved word.
const PROJECTION: &str = "#status, authorizer_access_token, access_token_expires_at";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let base_url = env::var("WECHAT_API_BASE_URL").unwrap_or("https://api.weixin.qq.com".to_owned());
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;

    let (access_token, expires_at) = read_token(&Client::new(&aws)).await?;
    println!("access_token_expires_at: {expires_at}");

    let total = followers(&base_url, &access_token).await?;
    println!("user/get: {total} followers");
    Ok(())
}

async fn read_token(dynamodb: &Client) -> Result<(String, i64), Box<dyn Error>> {
    let appid = env::var("AUTHORIZER_APPID")?;
    let output = dynamodb
        .get_item()
        .table_name(env::var("AUTHORIZERS_TABLE")?)
        .key("authorizer_appid", AttributeValue::S(appid.clone()))
        .key("component_appid", AttributeValue::S(env::var("COMPONENT_APPID")?))
        .projection_expression(PROJECTION)
        .expression_attribute_names("#status", "status")
        .send()
        .await?;
    let Some(item) = output.item else {
        return Err(format!("{appid} has not authorized this platform").into());
    };
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    if text("status").as_deref() != Some("authorized") {
        return Err(format!("{appid} has revoked its authorization").into());
    }
    let access_token =
        text("authorizer_access_token").ok_or_else(|| format!("{appid} has granted no API"))?;
    let expires_at = item.get("access_token_expires_at").and_then(|value| value.as_n().ok());
    Ok((access_token, expires_at.ok_or("a token without its expiry")?.parse()?))
}

/// Stands for any call of WeChat on the merchant's behalf.
async fn followers(base_url: &str, access_token: &str) -> Result<i64, Box<dyn Error>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let url = format!("{base_url}/cgi-bin/user/get");
    let url = reqwest::Url::parse_with_params(&url, &[("access_token", access_token)])?;
    // The URL holds the token, so it is kept out of the error.
    let answer = client.get(url).send().await.map_err(reqwest::Error::without_url)?;
    let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
    // WeChat answers 200 whatever happens; a call that went well may have no errcode.
    match answer["errcode"].as_i64() {
        None | Some(0) => Ok(answer["total"].as_i64().unwrap_or_default()),
        Some(errcode) => Err(format!("user/get: errcode {errcode}").into()),
    }
}
