//! WeChat's answers, read without failing on anything that is merely unusual.
//!
//! Fields that are absent, `null` or empty are the same; numbers may be strings; unknown keys are ignored.

use std::time::Duration;

use serde_json::Value;

use super::life::{LONGEST_LIFE, TOKEN_LIFE};
use super::{CallError, Issued, Refusal};

/// The longest text that is kept of a name or a description, in characters.
const LONGEST_TEXT: usize = 1_000;

/// The body of an answer as JSON, if it is one that refuses nothing.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Value, CallError> {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str(&text).or_else(|_| {
        // WeChat sends names and signatures with raw control characters in them.
        serde_json::from_str(&text.replace(|c: char| c.is_ascii_control(), " "))
    });
    let unreadable = CallError::Unreadable { status, length: body.len() };
    let answer: Value = json.map_err(|_| unreadable.clone())?;
    match Refusal::read(&answer) {
        Some(refusal) => Err(refusal.into()),
        None if answer.is_object() => Ok(answer),
        None => Err(unreadable),
    }
}

/// A whole number, which WeChat may send as a number or as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text that is there and not empty, cut to what a record can hold.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(LONGEST_TEXT).collect())
}

/// A secret that is there and not empty, whole whatever its length; `kind` is the constructor of its type.
pub(super) fn secret<Secret>(value: &Value, kind: impl Fn(String) -> Secret) -> Option<Secret> {
    value.as_str().filter(|text| !text.is_empty()).map(|text| kind(text.to_owned()))
}

/// The token `name` of an answer, with its life.
pub(super) fn issued<Token>(
    answer: &Value,
    name: &str,
    kind: impl Fn(String) -> Token,
) -> Option<Issued<Token>> {
    let token = secret(&answer[name], kind)?;
    let told = integer(&answer["expires_in"]).map(|seconds| seconds.try_into().unwrap_or_default());
    let expires_in = told.map_or(TOKEN_LIFE, Duration::from_secs).min(LONGEST_LIFE);
    Some(Issued { token, expires_in })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{AuthorizerInfo, ConfirmInfo, Grant, PermissionSet};
    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let name = prop_oneof![Just("id".to_owned()), Just("funcscope_category".to_owned()), ".{0,6}"];
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                vec((name, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = read(200, &bytes);
        }

        #[test]
        fn any_json_is_read_without_a_panic(answer in any_json()) {
            let _ = Grant::read(&answer, None);
            let _ = AuthorizerInfo::read(&answer);
            let _ = read(200, answer.to_string().as_bytes());
        }

        #[test]
        fn a_token_that_is_there_is_read_whatever_surrounds_it(
            access in "[!-~]{1,700}",
            refresh in "[!-~]{1,200}",
            expires_in in any_json(),
            func_info in any_json(),
            other in any_json(),
        ) {
            let answer = json!({"other": other, "authorization_info": {
                "authorizer_appid": "wxf8b4f85f3a794e77",
                "authorizer_access_token": access,
                "authorizer_refresh_token": refresh,
                "expires_in": expires_in,
                "func_info": func_info,
                "more": other,
            }});
            let answer = read(200, answer.to_string().as_bytes()).expect("it refuses nothing");
            let grant = Grant::read(&answer, None).expect("a grant");
            let token = grant.access_token.expect("the access token");
            prop_assert_eq!(token.token.expose(), access.as_str());
            prop_assert!((Duration::ZERO..=LONGEST_LIFE).contains(&token.expires_in));
            let token = grant.refresh_token.expect("the refresh token");
            prop_assert_eq!(token.expose(), refresh.as_str());
        }
    }

    #[test]
    fn numbers_may_be_text_and_absent_null_and_empty_are_the_same() {
        for refresh_token in [Value::Null, json!("")] {
            let answer = json!({"authorization_info": {
                "authorizer_appid": "wxf8b4f85f3a794e77",
                "authorizer_access_token": "access",
                "authorizer_refresh_token": refresh_token,
                "expires_in": "7200",
                "func_info": [
                    {"funcscope_category": {"id": "24", "type": "0", "name": "", "desc": null}},
                    {"funcscope_category": {"name": "no id"}},
                    {"funcscope_category": {"id": 1}, "confirm_info": {"need_confirm": "1", "can_confirm": 0}},
                    7,
                ],
            }});
            let grant = Grant::read(&answer, None).expect("a grant");
            assert!(grant.refresh_token.is_none());
            assert_eq!(grant.access_token.expect("a token").expires_in, TOKEN_LIFE);
            let confirm_info =
                ConfirmInfo { need_confirm: Some(1), already_confirm: None, can_confirm: Some(0) };
            let expected = [
                PermissionSet { id: 24, kind: Some(0), ..PermissionSet::default() },
                PermissionSet { id: 1, confirm_info: Some(confirm_info), ..PermissionSet::default() },
            ];
            assert_eq!(grant.func_info, expected);
        }
    }

    #[test]
    fn control_characters_inside_names_are_no_obstacle() {
        let answer =
            read(200, b"{\"authorizer_info\":{\"nick_name\":\"Tea\x01 house\n\"}}").expect("readable");
        assert_eq!(AuthorizerInfo::read(&answer).profile.nick_name.as_deref(), Some("Tea  house "));
    }

    #[test]
    fn a_func_info_beyond_what_a_record_holds_keeps_every_id() {
        let set = |id| json!({"funcscope_category": {"id": id, "desc": "x".repeat(900)}});
        let answer = json!({"authorizer_appid": "wx1", "func_info": (0..1000).map(set).collect::<Vec<_>>()});
        let grant = Grant::read(&answer, None).expect("a grant");
        assert_eq!(grant.func_info.len(), 1000);
        assert!(grant.func_info[0].desc.is_some() && grant.func_info[999].desc.is_none());
    }
}
