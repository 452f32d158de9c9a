//! Everything behind one address.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;

use axum::Router;
use axum::routing::get;
use reqwest::Url;
use sandbox::wechat::Account;
use sandbox::{Listen, Log, Sandbox, gateway};
use serde_json::json;

use crate::schedule::Schedule;
use crate::start_page::{self, State};

/// Serves until Ctrl-C.
pub(crate) async fn run(address: IpAddr, port: u16) -> Result<(), Box<dyn Error>> {
    // The functions' own log is part of what there is to see.
    wechat_authorizer::log::init(std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref(), None);
    let listener = sandbox::bind(address, port).await;
    let origin = sandbox::origin(&listener);
    let listen = Listen { address, wechat: port.wrapping_add(1), dynamodb: port.wrapping_add(2) };
    let sandbox = Sandbox::start_on(listen, Log::Requests).await?.with("PUBLIC_BASE_URL", &origin);
    sandbox.wechat.set_launch_host("127.0.0.1", true);
    sandbox.wechat.set_events_url(Some(&format!("{origin}/events")));
    add_accounts(&sandbox);
    let functions = sandbox.http_functions();
    let variables = sandbox.variables().clone();
    let schedule = Schedule::new(&sandbox);
    let router = Router::new()
        .merge(gateway::router(&functions, &sandbox.clock))
        .merge(start_page::router(State::new(&sandbox, &schedule)))
        .route("/env", get(async move || json!(variables).to_string()));
    print_addresses(&origin, sandbox.variables());
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
pub(crate) async fn run_wechat(address: IpAddr, port: u16, events_url: Url) -> Result<(), Box<dyn Error>> {
    let listener = sandbox::bind(address, port).await;
    let origin = sandbox::origin(&listener);
    let listen = Listen { address, wechat: port.wrapping_add(1), dynamodb: 0 };
    let sandbox = Sandbox::start_on(listen, Log::Requests).await?;
    sandbox.wechat.set_launch_host(events_url.host_str().unwrap_or_default(), true);
    sandbox.wechat.set_events_url(Some(events_url.as_str()));
    add_accounts(&sandbox);
    let mut variables = sandbox.variables().clone();
    variables.retain(|name, _| name.starts_with("COMPONENT_") || name.starts_with("WECHAT_"));
    let schedule = Schedule::of_wechat(&sandbox);
    // The launch page is beside the receiver of pushes.
    let launch = events_url.join("authorize")?;
    println!("\n  Open {origin}/\n");
    println!("  The simulated WeChat is {}", sandbox.wechat.base_url);
    println!("  It pushes to            {events_url}\n");
    println!("  No function runs here. The platform there needs the parameters");
    println!("    ComponentAppid={}", sandbox.wechat.component_appid);
    println!("    WechatApiBaseUrl={}", sandbox.wechat.base_url);
    println!("  and in its secret what this prints: cargo run -p sandbox -- env --port {}", port_of(&origin));
    println!("  Ctrl-C stops it.\n");
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

fn port_of(origin: &str) -> &str {
    origin.rsplit(':').next().unwrap_or_default()
}

fn add_accounts(sandbox: &Sandbox) {
    let book_shop = Account::official_account("山茶书店");
    let running_club = Account::mini_program("晨跑打卡");
    // Fixed ids: the page lists accounts by them.
    for (appid, account) in [("wx5a4db0cb00c50003", book_shop), ("wx5a4db0c12e770004", running_club)] {
        sandbox.wechat.add_account(Account { appid: appid.to_owned(), ..account });
    }
}

fn print_addresses(origin: &str, variables: &BTreeMap<String, String>) {
    println!("\n  Open {origin}/\n");
    println!("  The simulated WeChat is {}", variables["WECHAT_API_BASE_URL"]);
    println!("  DynamoDB is             {}\n", variables["AWS_ENDPOINT_URL_DYNAMODB"]);
    println!("  For cargo lambda watch, an AWS client or anything else in another shell:\n");
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
    println!("\n  For sam local: cargo run -p sandbox -- env > env.json\n  Ctrl-C stops everything.\n");
}

/// Prints the running sandbox's variables as `sam local --env-vars` reads them. `host` takes the place of
/// 127.0.0.1, which inside a container is the container itself.
pub(crate) async fn print_env(port: u16, host: Option<&str>) -> Result<(), Box<dyn Error>> {
    let url = format!("http://127.0.0.1:{port}/env");
    let answer = wechat_authorizer::http::client().get(&url).send().await;
    let variables =
        answer.map_err(|_| format!("no sandbox is running at {url}: start it with cargo run -p sandbox"))?;
    let mut variables: BTreeMap<String, String> = serde_json::from_str(&variables.text().await?)?;
    // The other addresses are for the browser, which stays outside.
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "WECHAT_API_BASE_URL"] {
        if let (Some(host), Some(url)) = (host, variables.get_mut(name)) {
            *url = url.replace("127.0.0.1", host);
        }
    }
    println!("{:#}", json!({"Parameters": variables}));
    Ok(())
}
