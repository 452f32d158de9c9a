//! Profile and permission sets, as a record has them.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::attribute::{FUNC_INFO, PERMISSION_SET_IDS};
use super::item::{Item, integer, number, string, text};
use super::update::Update;
use crate::wechat::{AccountType, Category, PermissionSet, Profile};

/// Writes the permission sets that are granted.
pub(super) fn set_permission_sets(update: Update, sets: &[PermissionSet]) -> Update {
    let ids: BTreeSet<i64> = sets.iter().map(|set| set.id).collect();
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    update
        .set(FUNC_INFO, AttributeValue::L(sets.iter().map(permission_set).collect()))
        .set_or_remove(PERMISSION_SET_IDS, (!ids.is_empty()).then_some(AttributeValue::Ns(ids)))
}

fn permission_set(set: &PermissionSet) -> AttributeValue {
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

/// The ids and names of `func_info`, in ascending order, each once.
pub(super) fn read_permission_sets(func_info: &[AttributeValue]) -> Vec<PermissionSet> {
    let set = |element: &AttributeValue| {
        let map = element.as_m().ok()?;
        let name = text(map, "name").map(str::to_owned);
        Some(PermissionSet { id: integer(map, "id")?, name, ..PermissionSet::default() })
    };
    let mut sets: Vec<PermissionSet> = func_info.iter().filter_map(set).collect();
    sets.sort_by_key(|set| set.id);
    sets.dedup_by_key(|set| set.id);
    sets
}

pub(super) fn profile_map(profile: &Profile) -> Item {
    let mut map = Item::from([("account_type".to_owned(), string(profile.account_type.as_str()))]);
    put(&mut map, "nick_name", profile.nick_name.as_deref().map(string));
    put(&mut map, "user_name", profile.user_name.as_deref().map(string));
    put(&mut map, "head_img", profile.head_img.as_deref().map(string));
    put(&mut map, "principal_name", profile.principal_name.as_deref().map(string));
    put(&mut map, "alias", profile.alias.as_deref().map(string));
    put(&mut map, "qrcode_url", profile.qrcode_url.as_deref().map(string));
    put(&mut map, "account_status", profile.account_status.map(number));
    put(&mut map, "register_type", profile.register_type.map(number));
    put(&mut map, "service_type", profile.service_type.map(number));
    put(&mut map, "verify_type", profile.verify_type.map(number));
    let categories: Vec<_> = profile.categories.iter().map(category_map).collect();
    put(&mut map, "categories", (!categories.is_empty()).then_some(AttributeValue::L(categories)));
    map
}

/// The profile that a record has.
pub(super) fn read_profile(map: &Item) -> Profile {
    let own = |name: &str| text(map, name).map(str::to_owned);
    let categories = map.get("categories").and_then(|categories| categories.as_l().ok());
    let category = |category: &AttributeValue| {
        let map = category.as_m().ok()?;
        let own = |name: &str| text(map, name).map(str::to_owned);
        Some(Category { first: own("first"), second: own("second") })
    };
    Profile {
        nick_name: own("nick_name"),
        user_name: own("user_name"),
        head_img: own("head_img"),
        principal_name: own("principal_name"),
        alias: own("alias"),
        qrcode_url: own("qrcode_url"),
        account_type: AccountType::parse(text(map, "account_type").unwrap_or_default()),
        account_status: integer(map, "account_status"),
        register_type: integer(map, "register_type"),
        service_type: integer(map, "service_type"),
        verify_type: integer(map, "verify_type"),
        categories: categories.into_iter().flatten().filter_map(category).collect(),
    }
}

fn category_map(category: &Category) -> AttributeValue {
    let mut map = Item::new();
    put(&mut map, "first", category.first.as_deref().map(string));
    put(&mut map, "second", category.second.as_deref().map(string));
    AttributeValue::M(map)
}

fn put(map: &mut Item, name: &str, value: Option<AttributeValue>) {
    map.extend(value.map(|value| (name.to_owned(), value)));
}
