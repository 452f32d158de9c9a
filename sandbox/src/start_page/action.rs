//! The buttons of the start page.

use sandbox::{Fault, Sandbox};

/// A button: what it sends and what it says.
pub(super) struct Button {
    pub(super) action: &'static str,
    pub(super) label: &'static str,
}

const fn button(action: &'static str, label: &'static str) -> Button {
    Button { action, label }
}

/// Buttons that concern one thing.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) buttons: &'static [Button],
}

/// What can go wrong on demand.
pub(super) const FAULTS: &[Group] = &[
    Group {
        name: "WeChat's answer to the next exchange",
        buttons: &[
            button("busy-once", "busy, once"),
            button("busy", "busy, always"),
            button("lost", "lost on the way"),
            button("html", "an HTML page"),
            button("quota", "quota used up"),
        ],
    },
    Group { name: "Our address", buttons: &[button("address", "not on the allow-list (61004)")] },
    Group {
        name: "DynamoDB, when the record is written",
        buttons: &[button("throttle", "throttled, once"), button("write-lost", "answer lost")],
    },
];

/// How the time moves.
pub(super) const CLOCK: &[Button] = &[
    button("clock-600", "+10 min"),
    button("clock-3600", "+1 h"),
    button("clock-7200", "+2 h"),
    button("clock-43200", "+12 h"),
];

/// Does what the form's `action` names.
pub(super) async fn carry_out(sandbox: &Sandbox, form: &[u8]) {
    let action = form_urlencoded::parse(form).find(|(name, _)| name == "action").map(|(_, action)| action);
    let action = action.unwrap_or_default();
    let exchange = sandbox.wechat.on("api_query_auth");
    let record = sandbox.dynamodb.on("TransactWriteItems");
    match action.as_ref() {
        "busy-once" => exchange.once(Fault::errcode(-1)),
        "busy" => exchange.always(Fault::errcode(-1)),
        "lost" => exchange.once(Fault::ResetAfter),
        "html" => exchange.once(Fault::raw(502, "text/html", "<h1>502 Bad Gateway</h1>")),
        "quota" => exchange.once(Fault::errcode(45009)),
        "address" => sandbox.wechat.allow_address(false),
        "throttle" => record.once(Fault::throttled()),
        "write-lost" => record.once(Fault::ResetAfter),
        "mend" => {
            sandbox.wechat.allow_address(true);
            sandbox.wechat.clear_faults();
            sandbox.dynamodb.clear_faults();
        }
        "ticket" => {
            sandbox.put_ticket().await;
        }
        other => {
            if let Some(Ok(seconds)) = other.strip_prefix("clock-").map(str::parse) {
                sandbox.clock.advance(seconds);
            }
        }
    }
}
