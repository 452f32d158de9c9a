//! The names of the permission sets (权限集), the `func_info` ids that a merchant grants.

use super::Language;
use super::text::Text;

/// The name under which WeChat's console shows the permission set `id`.
///
/// `None` for every id that is not known here: WeChat adds new ones without notice, and a number is
/// better than a wrong name.
pub(crate) fn name(id: i64, language: Language) -> Option<&'static str> {
    let name = match id {
        // Official Accounts.
        1 => Text::new("消息管理权限", "Message management"),
        2 => Text::new("用户管理权限", "User management"),
        3 => Text::new("帐号服务权限", "Account services"),
        4 => Text::new("网页服务权限", "Web page services"),
        5 => Text::new("微信小店权限", "WeChat Store"),
        6 => Text::new("微信多客服权限", "Multi-agent customer service"),
        7 => Text::new("群发与通知权限", "Broadcasts and notifications"),
        8 => Text::new("微信卡券权限", "WeChat cards and coupons"),
        9 => Text::new("微信扫一扫权限", "WeChat Scan"),
        10 => Text::new("微信连WIFI权限", "Wi-Fi via WeChat"),
        11 => Text::new("素材管理权限", "Media management"),
        12 => Text::new("微信摇周边权限", "WeChat Shake Nearby"),
        13 => Text::new("微信门店权限", "WeChat shop locations"),
        15 => Text::new("自定义菜单权限", "Custom menus"),
        22 => Text::new("城市服务接口权限", "City services"),
        23 => Text::new("广告管理权限", "Advertising management"),
        24 => Text::new("开放平台帐号管理权限", "Open Platform account management"),
        26 => Text::new("微信电子发票权限", "WeChat e-invoices"),
        27 => Text::new("快速注册小程序权限", "Fast Mini Program registration"),
        33 => Text::new("小程序管理权限", "Linked Mini Program management"),
        34 => Text::new("微信商品库权限", "WeChat product library"),
        35 => Text::new("微信卡路里权限", "WeChat calories"),
        44 => Text::new("好物圈权限", "Good Things Circle"),
        46 => Text::new("微信一物一码权限", "One code per item"),
        47 => Text::new("微信财政电子票据权限", "Electronic fiscal receipts"),
        54 => Text::new("服务号对话权限", "Service Account conversations"),
        66 => Text::new("服务平台管理权限", "Service market management"),
        89 => Text::new("订阅通知权限", "Subscription notifications"),
        // Mini Programs.
        17 => Text::new("帐号管理权限", "Account management"),
        18 => Text::new("开发管理与数据分析权限", "Development and data analysis"),
        19 => Text::new("客服消息管理权限", "Customer service messages"),
        25 => Text::new("开放平台帐号管理权限", "Open Platform account management"),
        30 => Text::new("小程序基本信息设置权限", "Basic information settings"),
        31 => Text::new("小程序认证名称检测权限", "Verified name check"),
        36 => Text::new("微信卡路里权限", "WeChat calories"),
        37 => Text::new("附近地点权限", "Nearby places"),
        40 => Text::new("插件管理权限", "Plug-in management"),
        41 => Text::new("好物圈权限", "Good Things Circle"),
        45 => Text::new("快递配送权限", "Parcel delivery"),
        48 => Text::new("微信财政电子票据权限", "Electronic fiscal receipts"),
        49 => Text::new("云开发管理权限", "Cloud development management"),
        51 => Text::new("即时配送权限", "Instant delivery"),
        52 => Text::new("小程序直播权限", "Mini Program live streaming"),
        57 => Text::new("页面推送权限", "Page submission to search"),
        65 => Text::new("广告管理权限", "Advertising management"),
        67 => Text::new("服务平台管理权限", "Service market management"),
        70 => Text::new("商品管理权限", "Product management"),
        71 => Text::new("订单与物流管理权限", "Order and logistics management"),
        76 => Text::new("违规和申诉管理权限", "Violations and appeals"),
        81 => Text::new("快速体验小程序权限", "Fast trial Mini Programs"),
        84 => Text::new("优惠券权限", "Coupons"),
        _ => return None,
    };
    Some(name.to(language))
}

#[cfg(test)]
mod tests {
    use super::name;
    use crate::page::Language::{Chinese, English};

    #[test]
    fn a_known_set_has_the_name_of_wechats_console_in_both_languages() {
        assert_eq!(name(1, Chinese), Some("消息管理权限"));
        assert_eq!(name(1, English), Some("Message management"));
        assert_eq!(name(18, Chinese), Some("开发管理与数据分析权限"));
        assert_eq!(name(18, English), Some("Development and data analysis"));
    }

    #[test]
    fn an_unknown_set_has_no_name() {
        for id in [i64::MIN, -1, 0, 14, 171, 999, i64::MAX] {
            assert_eq!(name(id, Chinese), None, "{id}");
            assert_eq!(name(id, English), None, "{id}");
        }
    }
}
