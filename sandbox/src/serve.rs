//! Everything behind one address.

use std::collections::BTreeMap;
use std::error::Error;

use axum::Router;
use axum::routing::get;
use reqwest::Url;
use sandbox::wechat::{Account, Kind};
use sandbox::{Listen, Log, Sandbox, event_file, say};
use serde_json::json;
use tokio::net::TcpListener;

use crate::arguments::Arguments;
use crate::platform::Platform;
use crate::schedule::Schedule;
use crate::start_page::{self, State};
use crate::{gallery, lambda};

/// Serves until Ctrl-C.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // Warnings and errors of the functions are always part of what there is to see.
    let level = if arguments.verbose { "INFO" } else { "WARN" };
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|_| level.to_owned());
    wechat_authorizer::log::init(Some(&level), None);
    let (listener, sandbox) = start(arguments).await?;
    let origin = sandbox::origin(&listener);
    let sandbox = sandbox.with("PUBLIC_BASE_URL", &origin);
    // For a consumer's program; boto3 by itself looks at this name of the region only.
    let sandbox = sandbox.with("AWS_ENDPOINT_URL_LAMBDA", &origin).with("AWS_DEFAULT_REGION", "us-east-1");
    sandbox.wechat.set_launch_host("127.0.0.1", true);
    sandbox.wechat.set_events_url(Some(&format!("{origin}/events")));
    sandbox.wechat.set_messages_url(Some(&format!("{origin}/messages/$APPID$")));
    add_accounts(&sandbox);
    sandbox.put_launch(event_file::LAUNCH, "customer-4711").await;
    print_addresses(&origin, sandbox.variables());
    let platform = Platform::new(sandbox.clone());
    let schedule = Schedule::new(&sandbox, &platform);
    let router = Router::new()
        .merge(start_page::router(State::new(&sandbox, &schedule, &platform)))
        .merge(lambda::router(schedule.clone()))
        .merge(gallery::router(&platform))
        .fallback_service(platform.router())
        .route("/env", get(async move || json!(platform.variables()).to_string()));
    // Nothing outlives the process, so there is nothing to finish either.
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        // The first tick brings the first ticket.
        () = schedule.run() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// Serves the simulated WeChat until Ctrl-C, for a platform that is deployed elsewhere. None of the functions runs
/// here: one platform has one component token, and two that mint it supersede each other's.
pub(crate) async fn run_wechat(arguments: &Arguments, events_url: &Url) -> Result<(), Box<dyn Error>> {
    let (listener, sandbox) = start(arguments).await?;
    let origin = sandbox::origin(&listener);
    sandbox.wechat.set_launch_host(events_url.host_str().unwrap_or_default(), true);
    sandbox.wechat.set_events_url(Some(events_url.as_str()));
    let (launch, messages) = beside(events_url);
    sandbox.wechat.set_messages_url(Some(&messages));
    add_accounts(&sandbox);
    let mut variables = sandbox.variables().clone();
    variables.retain(|name, _| name.starts_with("COMPONENT_") || name.starts_with("WECHAT_"));
    let schedule = Schedule::of_wechat(&sandbox);
    say!("\n  Open {origin}/\n");
    say!("  The simulated WeChat is {}", sandbox.wechat.base_url);
    say!("  It pushes to            {events_url}\n");
    say!("  No function runs here. The platform there needs the parameter");
    say!("    ComponentAppid={}", sandbox.wechat.component_appid);
    say!("  and, if its functions can reach this machine,");
    say!("    WechatApiBaseUrl={}", sandbox.wechat.base_url);
    say!(
        "  and in its secret what this prints: cargo run -p sandbox -- secret --port {}\n",
        port_of(&origin)
    );
    say!("  Ctrl-C stops it.\n");
    let router = Router::new()
        .merge(start_page::router(State::of_wechat(&sandbox, &schedule, &launch)))
        .route("/env", get(async move || json!(variables).to_string()));
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        () = schedule.run() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// The page's listener, and a sandbox on the ports after it.
async fn start(arguments: &Arguments) -> Result<(TcpListener, Sandbox), String> {
    let Arguments { listen: address, port, .. } = *arguments;
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = sandbox::listen(address, port).await.map_err(cannot)?;
    let dynamodb = if arguments.push_to.is_none() { after(port, 2) } else { 0 };
    let listen = Listen { address, wechat: after(port, 1), dynamodb };
    let log = if arguments.verbose { Log::Requests } else { Log::Pushes };
    let sandbox = Sandbox::start_on(listen, log).await.map_err(cannot)?;
    Ok((listener, sandbox))
}

/// A port further on; 0, any free one, where there is none or the first was any, too.
fn after(port: u16, further: u16) -> u16 {
    if port == 0 { 0 } else { port.checked_add(further).unwrap_or(0) }
}

/// The launch page and the receiver of messages, which are beside the receiver of pushes.
fn beside(events_url: &Url) -> (Url, String) {
    let (folder, digits) = events_url.path().split_once("/events").unwrap_or_default();
    let at = |path: &str| {
        let mut url = events_url.clone();
        url.set_path(&format!("{folder}{path}"));
        url
    };
    (at("/authorize"), at(&format!("/messages{digits}/$APPID$")).into())
}

fn port_of(origin: &str) -> &str {
    origin.rsplit(':').next().unwrap_or_default()
}

fn add_accounts(sandbox: &Sandbox) {
    // Fixed ids: the page lists accounts by them.
    for (appid, kind, nick_name) in [
        ("wx5a4db0cb00c50003", Kind::OfficialAccount, "山茶书店"),
        ("wx5a4db0c12e770004", Kind::MiniProgram, "晨跑打卡"),
        ("wx5a4db0cc4a4e0005", Kind::Channels, "山茶读书"),
        ("wx5a4db0c5702e0006", Kind::Store, "山茶书店旗舰店"),
        ("wx5a4db0c7a1e40007", Kind::Talent, "读书的小林"),
        ("wx5a4db0c50bb10008", Kind::Supplier, "山茶图书供货"),
    ] {
        sandbox.wechat.add_account(Account { appid: appid.to_owned(), ..Account::new(kind, nick_name) });
    }
}

fn print_addresses(origin: &str, variables: &BTreeMap<String, String>) {
    say!("\n  Open {origin}/\n");
    say!("  The simulated WeChat is {}", variables["WECHAT_API_BASE_URL"]);
    say!("  DynamoDB is             {}", variables["AWS_ENDPOINT_URL_DYNAMODB"]);
    say!("  Lambda's Invoke is      {}\n", variables["AWS_ENDPOINT_URL_LAMBDA"]);
    say!("  For cargo lambda watch, an AWS client or anything else in another shell:\n");
    for (name, value) in variables {
        say!("export {name}='{value}'");
    }
    say!("\n  For sam local: cargo run -p sandbox -- env > env.json\n  Ctrl-C stops everything.\n");
}

/// Prints the running sandbox's variables as `sam local --env-vars` reads them. `host` takes the place of
/// 127.0.0.1, which inside a container is the container itself.
pub(crate) async fn print_env(port: u16, host: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut variables = running(port).await?;
    // The other addresses are for the browser, which stays outside.
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_LAMBDA", "WECHAT_API_BASE_URL"] {
        if let (Some(host), Some(url)) = (host, variables.get_mut(name)) {
            *url = url.replace("127.0.0.1", host);
        }
    }
    say!("{:#}", json!({"Parameters": variables}));
    Ok(())
}

/// Prints the secret of the running sandbox's platform as `just rotate-secret` reads it.
pub(crate) async fn print_secret(port: u16) -> Result<(), Box<dyn Error>> {
    let mut secret: BTreeMap<String, String> =
        serde_json::from_str(&running(port).await?["COMPONENT_SECRET"])?;
    // The recipe itself keeps what was there before.
    secret.retain(|name, _| !name.starts_with("previous_"));
    say!("{}", json!(secret));
    Ok(())
}

/// The variables of the sandbox that runs at this port.
async fn running(port: u16) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let url = format!("http://127.0.0.1:{port}/env");
    let answer = wechat_authorizer::http::client().get(&url).send().await;
    let variables =
        answer.map_err(|_| format!("no sandbox is running at {url}: start it with cargo run -p sandbox"))?;
    let variables = serde_json::from_str(&variables.text().await?);
    Ok(variables.map_err(|_| format!("what runs at {url} is no sandbox"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launch_page_and_messages_are_beside_the_receiver_of_pushes() {
        for (events_url, launch, messages) in [
            ("https://events.example.com/events/0a1b", "/authorize", "/messages/0a1b/$APPID$"),
            ("http://127.0.0.1:9000/events", "/authorize", "/messages/$APPID$"),
            (
                "https://a.example.com/wechat/events/0a1b",
                "/wechat/authorize",
                "/wechat/messages/0a1b/$APPID$",
            ),
        ] {
            let url: Url = events_url.parse().expect("an address");
            let origin = url.origin().ascii_serialization();
            assert_eq!(
                beside(&url),
                (format!("{origin}{launch}").parse().expect("one, too"), format!("{origin}{messages}"))
            );
        }
    }

    #[test]
    fn the_other_servers_get_the_ports_after_the_first_or_free_ones() {
        assert_eq!((after(9000, 1), after(9000, 2)), (9001, 9002));
        assert_eq!((after(0, 1), after(0, 2)), (0, 0));
        assert_eq!((after(65534, 1), after(65534, 2), after(65535, 1), after(65535, 2)), (65535, 0, 0, 0));
    }
}
