//! The buttons of the start page.

use std::time::Duration;

use sandbox::wechat::{PushedCode, When};

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
    Group {
        name: "WeChat's answer to the next refresh",
        buttons: &[button("refresh-busy", "busy, once"), button("refresh-invalid", "refresh token invalid")],
    },
    Group { name: "Our address", buttons: &[button("address", "not on the allow-list (61004)")] },
    Group {
        name: "DynamoDB, when the record is written",
        buttons: &[button("throttle", "throttled, once"), button("write-lost", "answer lost")],
    },
];

/// Those of WeChat: the last group is of the tables here.
pub(super) const WECHAT_FAULTS: &[Group] = FAULTS.split_at(FAULTS.len() - 1).0;

/// How the time moves.
pub(super) const CLOCK: &[Button] = &[
    button("clock-600", "+10 min"),
    button("clock-3600", "+1 h"),
    button("clock-7200", "+2 h"),
    button("clock-43200", "+12 h"),
    button("clock-604800", "+7 d"),
];

/// When the push beside a redirect is sent.
pub(super) const WHEN: &[(Button, When)] = &[
    (button("push-before", "before the browser"), When::Before),
    (button("push-at-once", "at once"), When::AtOnce),
    (button("push-after", "3 s after"), When::After(Duration::from_secs(3))),
    (button("push-never", "never"), When::Never),
];

/// Which code it carries.
pub(super) const CODE: &[(Button, PushedCode)] = &[
    (button("code-same", "the redirect's code"), PushedCode::Same),
    (button("code-own", "a code of its own"), PushedCode::Own),
];
