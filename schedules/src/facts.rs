//! What WeChat did, as its wire saw it: which codes it exchanged, which token is the newest.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::fault::Side;
use crate::life::Life;
use crate::wire::{Reply, Request};

/// After this time without an answer the product gives a call up.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// Facts about the requests of one world.
#[derive(Default)]
pub struct Facts {
    /// Codes that WeChat exchanged, with their accounts.
    pub exchanged: HashMap<String, String>,
    /// The newest access token of each account.
    pub newest: HashMap<String, Made>,
    /// Accounts whose standing authorization had a code exchanged.
    pub known: HashSet<String>,
    /// What broke an invariant on the wire itself.
    pub broken: Vec<String>,
    exchanges: Vec<Exchange>,
}

/// An access token that WeChat made.
#[derive(Clone)]
pub struct Made {
    /// The token.
    pub token: String,
    /// When.
    pub at: Instant,
    /// The code that it was given for; none for a refresh.
    pub code: Option<String>,
}

/// An exchange of a code that is under way.
struct Exchange {
    code: String,
    process: u32,
    life: Life,
    began: Instant,
}

impl Facts {
    /// A request has left its process.
    pub fn arrived(&mut self, request: &Request, life: &Life) {
        let Some(code) = code_of(request) else { return };
        let now = Instant::now();
        let others = self.exchanges.iter().filter(|exchange| {
            exchange.code == code
                && exchange.process != request.process
                && !exchange.life.is_over()
                && !exchange.life.was_frozen()
                && !life.was_frozen()
                && now < exchange.began + GIVEN_UP
        });
        if others.count() > 0 {
            self.broken.push("two processes exchange one code at a time".to_owned());
        }
        self.exchanges.push(Exchange { code, process: request.process, life: life.clone(), began: now });
    }

    /// WeChat, or DynamoDB, has done what it was asked to do.
    pub fn observe(&mut self, request: &Request, reply: &Reply) {
        if request.side != Side::WeChat {
            return;
        }
        let (Ok(question), Ok(answer)) =
            (serde_json::from_slice::<Value>(&request.body), serde_json::from_slice::<Value>(&reply.body))
        else {
            return;
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let code = text(&question["authorization_code"]);
        let made = match request.operation.as_str() {
            "api_query_auth" => {
                let info = &answer["authorization_info"];
                let Some(appid) = text(&info["authorizer_appid"]) else { return };
                self.exchanged.extend(code.clone().map(|code| (code, appid.clone())));
                self.known.insert(appid.clone());
                text(&info["authorizer_access_token"]).map(|token| (appid, token))
            }
            "api_authorizer_token" => {
                text(&question["authorizer_appid"]).zip(text(&answer["authorizer_access_token"]))
            }
            _ => None,
        };
        self.newest.extend(made.map(|(appid, token)| (appid, Made { token, at: Instant::now(), code })));
    }

    /// A process has answered: whatever it was exchanging, it has given up.
    pub fn ended(&mut self, process: u32) {
        self.exchanges.retain(|exchange| exchange.process != process);
    }

    /// The answer to a request has arrived, or would have.
    pub fn answered(&mut self, request: &Request) {
        let Some(code) = code_of(request) else { return };
        let found = self
            .exchanges
            .iter()
            .position(|exchange| exchange.code == code && exchange.process == request.process);
        if let Some(index) = found {
            self.exchanges.remove(index);
        }
    }
}

fn code_of(request: &Request) -> Option<String> {
    if request.operation != "api_query_auth" {
        return None;
    }
    let question: Value = serde_json::from_slice(&request.body).ok()?;
    question["authorization_code"].as_str().map(str::to_owned)
}
