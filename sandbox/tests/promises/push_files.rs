//! The pushes in `events/` are what the simulated WeChat sends, to the byte.
//!
//! `UPDATE_EVENT_FILES=1 cargo test -p sandbox push_files` writes them anew.

use std::path::Path;

use sandbox::gateway::event;
use sandbox::{HttpRequest, Push, Sandbox};
use serde_json::{Value, json};

/// When WeChat pushed.
const NOW: i64 = 1_716_892_272;

const OFFICIAL_ACCOUNT: &str = "wx5a4db0c0ffee0001";
const CODE: &str = "queryauthcode@@@sandbox-official-account";

/// The whole message of a push that no helper makes, without its `AppId` and `CreateTime`.
fn message(sandbox: &Sandbox, elements: &str) -> Push {
    let appid = &sandbox.wechat.component_appid;
    let xml =
        format!("<xml><AppId><![CDATA[{appid}]]></AppId>\n<CreateTime>{NOW}</CreateTime>\n{elements}</xml>");
    sandbox.wechat.push_message(&xml)
}

fn ticket(sandbox: &Sandbox) -> Push {
    message(
        sandbox,
        "<InfoType><![CDATA[component_verify_ticket]]></InfoType>\n\
         <ComponentVerifyTicket><![CDATA[ticket@@@sandbox-5a4db0c71c4e7]]></ComponentVerifyTicket>\n",
    )
}

/// A Mini Program that the platform registered for a company.
fn fast_registration(sandbox: &Sandbox) -> Push {
    message(
        sandbox,
        "<InfoType><![CDATA[notify_third_fasteregister]]></InfoType>\n\
         <appid>wx5a4db0c5709e0002</appid>\n\
         <status>0</status>\n\
         <auth_code>queryauthcode@@@sandbox-mini-program</auth_code>\n\
         <msg>OK</msg>\n\
         <info>\n\
         <name><![CDATA[沙箱商贸有限公司]]></name>\n\
         <code><![CDATA[91310000MA1FL00000]]></code>\n\
         <code_type>1</code_type>\n\
         <legal_persona_wechat><![CDATA[sandbox]]></legal_persona_wechat>\n\
         <legal_persona_name><![CDATA[沙箱]]></legal_persona_name>\n\
         <component_phone><![CDATA[]]></component_phone>\n\
         </info>\n",
    )
}

/// A push that this service has nothing to do for, but to publish it.
fn unknown_type(sandbox: &Sandbox) -> Push {
    message(
        sandbox,
        "<InfoType><![CDATA[notify_icpfiling_verify_result]]></InfoType>\n\
         <task_id><![CDATA[5a4db0c7a5c]]></task_id>\n\
         <verify_appid><![CDATA[wx5a4db0c5709e0002]]></verify_appid>\n\
         <result>3</result>\n",
    )
}

/// A follower writes to the Official Account.
fn text(sandbox: &Sandbox) -> Push {
    let fields = vec![
        ("FromUserName", "oSandbox5a4db0cfee0000000001".to_owned()),
        ("MsgType", "text".to_owned()),
        ("Content", "你好".to_owned()),
        ("MsgId", "24900000000000001".to_owned()),
    ];
    sandbox.wechat.push_of_account(OFFICIAL_ACCOUNT, fields)
}

/// Every file with its request.
fn files(sandbox: &Sandbox) -> Vec<(&'static str, HttpRequest)> {
    let wechat = &sandbox.wechat;
    let fixed = |push: Push| push.created_at(NOW).signed_at(NOW).reproducible().request();
    let mut base64 = fixed(ticket(sandbox));
    base64.headers.retain(|(name, _)| name != "Content-Type");
    let mut not_xml = fixed(ticket(sandbox));
    not_xml.body = b"{\"Encrypt\": \"not XML\"}".to_vec();
    vec![
        ("events-ticket.json", fixed(ticket(sandbox))),
        (
            "events-authorized.json",
            fixed(wechat.push_authorized(OFFICIAL_ACCOUNT, CODE, Some("preauthcode@@@sandbox-launch"))),
        ),
        ("events-updateauthorized.json", fixed(wechat.push_updateauthorized(OFFICIAL_ACCOUNT, CODE, None))),
        ("events-unauthorized.json", fixed(wechat.push_unauthorized(OFFICIAL_ACCOUNT))),
        ("events-fast-registration.json", fixed(fast_registration(sandbox))),
        ("events-unknown-type.json", fixed(unknown_type(sandbox))),
        ("events-previous-key.json", fixed(ticket(sandbox).with_previous_key())),
        ("events-bad-signature.json", fixed(ticket(sandbox).with_token("another token"))),
        ("events-not-xml.json", not_xml),
        ("messages-text.json", fixed(text(sandbox))),
        ("messages-bad-signature.json", fixed(text(sandbox).with_token("another token"))),
        ("events-base64-body.json", base64),
    ]
}

/// The event with what API Gateway makes up for each request.
fn fixed_event(request: HttpRequest) -> Value {
    let length = request.body.len().to_string();
    let request = request
        .header("Accept", "*/*")
        .header("Content-Length", &length)
        .header("X-Amzn-Trace-Id", "Root=1-6655b2a0-3c1f0a7d5e9b2846f1d0c3a7")
        .header("X-Forwarded-For", "203.0.113.5")
        .header("X-Forwarded-Port", "443")
        .header("X-Forwarded-Proto", "https");
    let mut event = event(&request, NOW);
    event["requestContext"]["requestId"] = json!("Yk3pXg0yIAMEP1w=");
    event
}

#[tokio::test]
async fn the_pushes_among_the_event_files_are_what_wechat_sends() {
    let sandbox = Sandbox::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    for (name, request) in files(&sandbox) {
        let expected = format!("{:#}\n", fixed_event(request));
        if std::env::var_os("UPDATE_EVENT_FILES").is_some() {
            std::fs::write(folder.join(name), &expected).expect("the file is written");
        }
        let file = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(file == expected, "{name} is out of date: see the head of this test's source");
    }
}
