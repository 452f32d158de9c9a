//! Profile and permission sets, as a record has them.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{Item, number, string};
use crate::wechat::{PermissionSet, Profile};

pub(super) fn permission_set(set: &PermissionSet) -> AttributeValue {
    let mut map = Item::from([("id".to_owned(), number(set.id))]);
    put(&mut map, "type", set.kind.map(number));
    put(&mut map, "name", set.name.as_deref().map(string));
    put(&mut map, "desc", set.desc.as_deref().map(string));
    let confirm_info = set.confirm_info.as_ref().map(|info| {
        let mut map = Item::new();
        put(&mut map, "need_confirm", info.need_confirm.map(number));
        put(&mut map, "already_confirm", info.already_confirm.map(number));
        put(&mut map, "can_confirm", info.can_confirm.map(number));
        AttributeValue::M(map)
    });
    put(&mut map, "confirm_info", confirm_info);
    AttributeValue::M(map)
}

pub(super) fn profile_map(profile: &Profile) -> Item {
    let mut map = Item::from([("account_type".to_owned(), string(profile.account_type.as_str()))]);
    put(&mut map, "nick_name", profile.nick_name.as_deref().map(string));
    put(&mut map, "user_name", profile.user_name.as_deref().map(string));
    put(&mut map, "head_img", profile.head_img.as_deref().map(string));
    put(&mut map, "principal_name", profile.principal_name.as_deref().map(string));
    put(&mut map, "service_type", profile.service_type.map(number));
    put(&mut map, "verify_type", profile.verify_type.map(number));
    map
}

fn put(map: &mut Item, name: &str, value: Option<AttributeValue>) {
    map.extend(value.map(|value| (name.to_owned(), value)));
}
