//! Items, and their attributes by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::time::Timestamp;
use crate::wechat::Appid;

/// An item as DynamoDB returns it.
pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn time(time: Timestamp) -> AttributeValue {
    number(time.as_secs())
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn timestamp(item: &Item, name: &str) -> Option<Timestamp> {
    integer(item, name).map(Timestamp::from_secs)
}

pub(super) fn appid(item: &Item, name: &str) -> Option<Appid> {
    Appid::parse(text(item, name)?)
}
