//! What the functions are asked to do: each event is of an account that nothing else has.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use sandbox::wechat::Account;
use sandbox::{HttpRequest, Sandbox, gateway};
use serde_json::{Value, json};

/// What a merchant grants.
const GRANTED: [i64; 7] = [1, 2, 3, 4, 11, 15, 24];

/// One kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// What the empty function is given, a redirect, and does nothing with.
    Nothing,
    /// A merchant who has just agreed comes back from WeChat, to a service's launch.
    Redirect,
    /// A service begins a launch.
    Launch,
    /// WeChat pushes a grant: its code is exchanged.
    Authorization,
    /// WeChat pushes what a user wrote to an account.
    Message,
    /// A service asks for the token of an account.
    Token,
    /// A service asks for the platform's own token.
    ComponentToken,
}

impl Work {
    /// All that somebody waits for, with its name.
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("visits: a redirect", Self::Redirect),
        ("launch", Self::Launch),
        ("events: an authorization", Self::Authorization),
        ("messages: a text", Self::Message),
        ("token", Self::Token),
        ("component_token", Self::ComponentToken),
    ];

    /// What the function of that name is asked to do.
    pub(crate) fn of(handler: &str) -> Result<Self, Box<dyn Error>> {
        let work = Self::ALL.map(|(_, work)| work).into_iter().find(|work| work.handler() == handler);
        work.ok_or_else(|| format!("nobody waits for {handler}: nothing is measured of it").into())
    }

    /// `_HANDLER`.
    pub(crate) fn handler(self) -> &'static str {
        match self {
            Self::Nothing | Self::Redirect => "visits",
            Self::Launch => "launch",
            Self::Authorization => "events",
            Self::Message => "messages",
            Self::Token => "token",
            Self::ComponentToken => "component_token",
        }
    }

    /// The next event of this kind.
    pub(crate) async fn event(self, sandbox: &Sandbox) -> Result<Value, Box<dyn Error>> {
        let wechat = &sandbox.wechat;
        let account = || wechat.add_account(Account::official_account("Tea"));
        Ok(match self {
            Self::Nothing => event(&by_phone(&gateway::redirect("queryauthcode@@@any"))),
            Self::Redirect => {
                let appid = account();
                let code = wechat.authorize(&appid, &GRANTED);
                let launch = format!("{:0>32}", appid.trim_start_matches("wx"));
                sandbox.put_launch(&launch, "customer").await;
                event(&by_phone(&format!("{}&launch={launch}", gateway::redirect(&code))))
            }
            Self::Launch => json!({"state": "customer"}),
            Self::Authorization => {
                let appid = account();
                let code = wechat.authorize(&appid, &GRANTED);
                event(&wechat.push_authorized(&appid, &code, None).request())
            }
            Self::Message => event(&wechat.push_text(&authorized(sandbox).await?, "oOpenid", "茶").request()),
            Self::Token => json!({"authorizer_appid": authorized(sandbox).await?}),
            Self::ComponentToken => json!({}),
        })
    }

    /// Fails unless the answer says that the work is done: what is fast because it failed is not measured.
    pub(crate) fn check(self, answer: &Value) -> Result<(), Box<dyn Error>> {
        let done = match self {
            Self::Nothing => answer["statusCode"] == 200,
            Self::Redirect => matches!(answer["statusCode"].as_u64(), Some(200 | 303)),
            Self::Authorization | Self::Message => answer["statusCode"] == 200 && answer["body"] == "success",
            Self::Launch => answer["launch_url"].is_string(),
            Self::Token => answer["authorizer_access_token"].is_string(),
            Self::ComponentToken => answer["component_access_token"].is_string(),
        };
        if done { Ok(()) } else { Err(format!("{self:?} should be done, but is answered {answer}").into()) }
    }
}

/// An account whose grant is stored.
async fn authorized(sandbox: &Sandbox) -> Result<String, Box<dyn Error>> {
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let code = sandbox.wechat.authorize(&appid, &GRANTED);
    match sandbox.callback().get(&gateway::redirect(&code)).await.status {
        200 | 303 => Ok(appid),
        status => Err(format!("callback should grant, but says {status}").into()),
    }
}

fn event(request: &HttpRequest) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gateway::event(request, now.as_secs() as i64)
}

fn by_phone(path_and_query: &str) -> HttpRequest {
    HttpRequest::get(path_and_query)
        .header("Accept", "text/html,application/xhtml+xml")
        .header("Accept-Encoding", "gzip, deflate, br")
        .header("Accept-Language", "zh-CN,zh;q=0.9")
        .header("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.60")
        .header("X-Forwarded-For", "203.0.113.5")
        .header("X-Forwarded-Port", "443")
        .header("X-Forwarded-Proto", "https")
}
