//! WeChat's answers, read without failing on anything that is merely unusual.
//!
//! Fields that are absent, `null` or empty are the same; numbers may be strings; unknown keys are ignored.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::life::{LONGEST_LIFE, TOKEN_LIFE};
use super::{CallError, Issued, Refusal};

/// The longest text that is kept of a name or a description, in characters.
const LONGEST_TEXT: usize = 1_000;

/// The body of an answer as JSON, if it is one that refuses nothing. A refusal repeats none of `secrets`.
pub(super) fn read(status: u16, body: &[u8], secrets: &[String]) -> Result<Value, CallError> {
    let unpacked = unpacked(body);
    let text = String::from_utf8_lossy(unpacked.as_deref().unwrap_or(body));
    let text = text.trim_start_matches('\u{feff}');
    let json = serde_json::from_str(text).or_else(|_| serde_json::from_str(&repaired(text)));
    let unreadable = CallError::Unreadable { status, length: body.len() };
    let answer: Value = json.map_err(|_| unreadable.clone())?;
    match Refusal::read(&answer, secrets) {
        Some(refusal) => Err(refusal.into()),
        None if answer.is_object() => Ok(answer),
        None => Err(unreadable),
    }
}

/// What is inside a gzip that nobody asked for, as a proxy on the way may send it.
fn unpacked(body: &[u8]) -> Option<Vec<u8>> {
    /// Many times the longest answer.
    const LONGEST: u64 = 16 * 1024 * 1024;
    let mut unpacked = Vec::new();
    let mut reader = body.starts_with(&[0x1f, 0x8b]).then(|| GzDecoder::new(body).take(LONGEST))?;
    reader.read_to_end(&mut unpacked).ok().map(|_| unpacked)
}

/// The same JSON without what WeChat puts into names and descriptions and no JSON has: raw control characters, half an
/// emoji (`\ud83d` alone, where a name was cut), and escapes like `\v`.
fn repaired(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\\' || c < ' ') {
        let (before, from) = rest.split_at(at);
        repaired.push_str(before);
        let length = match from.as_bytes() {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', ..] => match (utf16(from), utf16(from.get(6..).unwrap_or_default())) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff), _) | (None, _) => 0,
                (Some(_), _) => 6,
            },
            _ => 0,
        };
        repaired.push_str(&from[..length]);
        rest = &from[length..];
        if length == 0 {
            // Neither a control character nor an escape: nothing that a text needs.
            repaired.push(if from.starts_with('\\') { '\u{fffd}' } else { ' ' });
            let escape =
                if utf16(from).is_some() { 6 } else { from.chars().take(2).map(char::len_utf8).sum() };
            rest = if from.starts_with('\\') { &from[escape..] } else { &from[1..] };
        }
    }
    repaired.push_str(rest);
    repaired
}

/// The unit of UTF-16 that an escape at the beginning of `text` stands for: `\u0041`.
fn utf16(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
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

    fn nick_name(answer: &Value) -> Option<String> {
        AuthorizerInfo::read(answer).profile?.nick_name
    }

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
            let _ = read(200, &bytes, &[]);
        }

        #[test]
        fn any_json_is_read_without_a_panic(answer in any_json()) {
            let _ = Grant::read(&answer, None);
            let _ = AuthorizerInfo::read(&answer);
            let _ = read(200, answer.to_string().as_bytes(), &[]);
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
            let answer = read(200, answer.to_string().as_bytes(), &[]).expect("it refuses nothing");
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
            read(200, b"{\"authorizer_info\":{\"nick_name\":\"Tea\x01 house\n\"}}", &[]).expect("readable");
        assert_eq!(nick_name(&answer).as_deref(), Some("Tea  house "));
    }

    #[test]
    fn a_gzip_that_nobody_asked_for_is_read() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"{\"errcode\":0}").expect("memory takes it");
        let packed = packed.finish().expect("memory takes it");
        assert!(read(200, &packed, &[]).is_ok());
        assert!(read(200, &packed[..packed.len() / 2], &[]).is_err());
    }

    #[test]
    fn what_is_no_json_inside_a_name_costs_the_name_alone() {
        for (name, expected) in [
            (r"\ud83dTea", "\u{fffd}Tea"),
            (r"Tea\ud83d", "Tea\u{fffd}"),
            (r"\udf75Tea", "\u{fffd}Tea"),
            (r"\ud83c\udf75 \ud83d", "🍵 \u{fffd}"),
            (r"a\vb", "a\u{fffd}b"),
            (r"a\u00zzb", "a\u{fffd}00zzb"),
            ("a\u{b}b\\n\\ud83d", "a b\n\u{fffd}"),
            (r"\ud83d\\\u4e00", "\u{fffd}\\一"),
        ] {
            let body = format!("\u{feff}{{\"authorizer_info\":{{\"nick_name\":\"{name}\"}}}}");
            let answer = read(200, body.as_bytes(), &[]).expect(name);
            assert_eq!(nick_name(&answer).as_deref(), Some(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn good_json_is_not_changed_by_the_repair(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(repaired(&text), text);
        }

        #[test]
        fn any_text_is_repaired_without_a_panic(text in ".{0,40}", escapes in vec("(\\\\u?[0-9a-fd]{0,5}|[a-z\\\\])", 0..8)) {
            let _ = repaired(&format!("{text}{}", escapes.concat()));
        }
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
