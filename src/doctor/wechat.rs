//! WeChat: that it can be reached, takes our credentials and our address, and has calls left for us.

use std::net::IpAddr;
use std::time::Duration;

use super::Check;
use super::quota;
use crate::component::ComponentError;
use crate::deadline::Deadline;
use crate::services::Services;
use crate::time::Timestamp;
use crate::wechat::{ApiAnswer, CallError, Class, ComponentAccessToken, Quotas, Refusal};

const WECHAT: &str = "wechat";
const CLOCK: &str = "clock";
const COMPONENT_TOKEN: &str = "component_token";
const ALLOW_LIST: &str = "allow_list";
const ADDRESS: &str = "address";

/// How long minting may take: what comes after it needs the rest.
const MINTING: Duration = Duration::from_secs(15);

/// Time reserved of that for storing the token, or for giving the lease back.
const FOR_STORING: Duration = Duration::from_secs(2);

/// A clock that is off by more seconds than this lets tokens end too early or too late, and events overtake one
/// another.
const SKEW: i64 = 60;

/// An endpoint that WeChat does not have: the refusal to tell its quota has a `rid` and costs nothing.
const NO_ENDPOINT: &str = "doctor";

/// What WeChat answered to what was asked with a component token.
struct Answers {
    /// None if it gave no rid to ask by.
    address: Option<Result<IpAddr, CallError>>,
    quotas: Quotas,
}

/// All that WeChat can be asked.
pub(super) async fn checks(services: &Services, deadline: Deadline) -> Vec<Check> {
    let probing = async {
        let probe = services.wechat.ask_without_token(deadline.remaining()).await;
        (probe, services.clock.now())
    };
    let ((probe, now), minted) = tokio::join!(probing, remint(services, deadline.within(MINTING)));
    let answers = match &minted {
        Ok(token) => Ok(ask(services, token, deadline).await),
        Err(error) => Err(error),
    };
    let answers = answers.as_ref().map_err(|error| *error);
    vec![
        wechat(&probe),
        clock(&probe, now),
        component_token(answers.err()),
        allow_list(&probe, answers),
        address(answers),
        answers.map_or_else(|_| no_token(quota::QUOTA), |answers| quota::check(&answers.quotas)),
    ]
}

/// A new component token, stored as every other: the one before would not show a wrong AppSecret.
async fn remint(services: &Services, deadline: Deadline) -> Result<ComponentAccessToken, ComponentError> {
    let minting = deadline.reserving(FOR_STORING);
    deadline.limit(services.component.remint(minting)).await.unwrap_or(Err(ComponentError::Contended))
}

async fn ask(services: &Services, token: &ComponentAccessToken, deadline: Deadline) -> Answers {
    let limit = deadline.remaining();
    let wechat = &services.wechat;
    let (address, quotas) = tokio::join!(
        async {
            match wechat.quota(token, NO_ENDPOINT, limit / 2).await {
                Err(CallError::Refused(refusal)) if quota::is_untold(&refusal) => {
                    match refusal.rid.as_str() {
                        "" => None,
                        rid => Some(wechat.client_address(token, rid, limit / 2).await),
                    }
                }
                Err(error) => Some(Err(error)),
                Ok(_) => None,
            }
        },
        wechat.quotas(token, limit),
    );
    Answers { address, quotas }
}

fn wechat(probe: &Result<ApiAnswer, CallError>) -> Check {
    let error = match probe {
        Ok(_) => return Check::good(WECHAT, "WeChat's API answers at WECHAT_API_BASE_URL"),
        Err(error) => error,
    };
    let fix = match error {
        CallError::Unreadable { .. } => {
            "check WECHAT_API_BASE_URL: something other than WeChat's API answers there, such as a proxy"
        }
        CallError::Untrusted(_) => {
            "check WECHAT_API_BASE_URL: the network leads there, but the server that answers has no certificate of that host, such as a \
             proxy that opens TLS connections"
        }
        _ => {
            "check WECHAT_API_BASE_URL and the path to it: a VPC needs private subnets with a route to a NAT gateway, \
             and a security group that lets HTTPS out"
        }
    };
    Check::bad(WECHAT, error.with_rid(), fix)
}

fn clock(probe: &Result<ApiAnswer, CallError>, now: Timestamp) -> Check {
    let Ok(probe) = probe else {
        return Check::not_checked(CLOCK, "WeChat does not answer", WECHAT);
    };
    let Some(date) = probe.date else {
        return Check::good(CLOCK, "could not be read: WeChat's answer has no Date");
    };
    let ahead = now.as_secs() - date.as_secs();
    let detail = match ahead {
        0 => "this clock and WeChat's agree".to_owned(),
        1.. => format!("this clock is {ahead} s ahead of WeChat's"),
        _ => format!("this clock is {} s behind WeChat's", -ahead),
    };
    if ahead.abs() <= SKEW {
        return Check::good(CLOCK, detail);
    }
    let fix = "in Lambda the clock is AWS's: look for a proxy in front of WeChat that answers from a cache; elsewhere \
               set the machine's clock by NTP";
    Check::bad(CLOCK, detail, fix)
}

fn component_token(error: Option<&ComponentError>) -> Check {
    let Some(error) = error else {
        return Check::good(COMPONENT_TOKEN, "WeChat gave a new one for the ticket and the AppSecret");
    };
    let call = match error {
        ComponentError::NoTicket => return Check::not_checked(COMPONENT_TOKEN, "no ticket", "ticket"),
        ComponentError::Secret(_) => return Check::not_checked(COMPONENT_TOKEN, "no secret", "secret"),
        ComponentError::Store(error) => return Check::unread(COMPONENT_TOKEN, error),
        ComponentError::Contended | ComponentError::JustMinted => {
            let fix = "run doctor again; if it lasts, read the log of refresh";
            return Check::bad(COMPONENT_TOKEN, "none came in time", fix);
        }
        ComponentError::Call(call) => call,
    };
    let fix = match (call, call.class()) {
        (CallError::Refused(_), Class::TicketRejected) => {
            "fix ticket first: WeChat is asked for a new one once an hour, and its push must reach events"
        }
        (CallError::Refused(_), Class::AddressRefused) => "fix allow_list first",
        (CallError::Refused(_), Class::TokenRejected | Class::Misconfigured | Class::AccountBarred) => {
            "compare COMPONENT_APPID with the AppID in WeChat's console, and put the console's AppSecret into the \
             secret as component_appsecret; WeChat refuses the old AppSecret as soon as it is reset"
        }
        (CallError::Refused(_), class) => class.advice(),
        _ => "fix wechat first; if that is ok, run doctor again",
    };
    Check::bad(COMPONENT_TOKEN, call.with_rid(), fix)
}

/// Whether WeChat refused any of the calls for its address: with several NAT gateways it may refuse only some.
fn allow_list(probe: &Result<ApiAnswer, CallError>, answers: Result<&Answers, &ComponentError>) -> Check {
    let probed = probe.as_ref().ok().map(|probe| &probe.refusal);
    let minting = match answers {
        Err(ComponentError::Call(error)) => refusal(error),
        _ => None,
    };
    let asking = answers.iter().flat_map(|answers| {
        let errors = answers.quotas.iter().filter_map(|(_, quota)| quota.as_ref().err());
        let address = answers.address.as_ref().and_then(|address| address.as_ref().err());
        errors.chain(address).filter_map(refusal)
    });
    let mut refusals = minting.into_iter().chain(asking).chain(probed);
    if let Some(refusal) = refusals.find(|refusal| refusal.class() == Class::AddressRefused) {
        return address_refused(refusal);
    }
    match answers {
        Ok(_) => Check::good(ALLOW_LIST, "WeChat accepts calls from the address of this network"),
        Err(_) => Check::not_checked(ALLOW_LIST, "no component token", COMPONENT_TOKEN),
    }
}

fn refusal(error: &CallError) -> Option<&Refusal> {
    match error {
        CallError::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

fn address_refused(refusal: &Refusal) -> Check {
    let address = refusal.request_ip.as_deref().filter(|address| !address.is_empty());
    let address = address.unwrap_or("an address that WeChat does not name");
    let detail = format!("WeChat refuses {address} (errcode {}, rid {})", refusal.errcode, refusal.rid);
    let fix = format!(
        "add {address} to the platform's allow-list (白名单IP地址列表) in WeChat's console, in the live version too \
         (全网发布); with several NAT gateways add the address of each. Without a VPC and a NAT gateway \
         Lambda's address changes"
    );
    Check::bad(ALLOW_LIST, detail, fix)
}

fn address(answers: Result<&Answers, &ComponentError>) -> Check {
    let Ok(answers) = answers else { return no_token(ADDRESS) };
    let why = match &answers.address {
        Some(Ok(address)) => return Check::good(ADDRESS, format!("WeChat sees this network as {address}")),
        Some(Err(CallError::Refused(refusal))) if refusal.class() == Class::AddressRefused => {
            return Check::not_checked(
                ADDRESS,
                "WeChat refuses it, and allow_list says which it is",
                ALLOW_LIST,
            );
        }
        Some(Err(error)) => error.with_rid(),
        None => "it gave no rid".to_owned(),
    };
    // Nothing depends on it as long as WeChat refuses nothing.
    let other = "the other source is a 61004, which names the address in allow_list and in the log";
    Check::good(ADDRESS, format!("WeChat does not tell ({why}); {other}"))
}

fn no_token(name: &'static str) -> Check {
    Check::not_checked(name, "no component token", COMPONENT_TOKEN)
}
