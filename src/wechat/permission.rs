//! The names of the permission sets (权限集), the `func_info` ids that a merchant grants.
//!
//! Read on 2026-11-30. Sources, all of WeChat's open platform, 第三方平台 / 权限集介绍:
//!
//! - 公众号权限集 (`product/offical_account_authority`): 1 to 121;
//! - 小程序权限集 (`product/miniprogram_authority`): 17 to 85;
//! - 视频号权限集 (`product/channel_authority`) and 小店带货助手权限集 (`product/talent_authority`), both whole;
//! - for 185, an answer of WeChat's staff in its community.
//!
//! The rest of the Mini Programs' table is known from copies of it in public programs, made between 2022 and 2025. A name
//! is here if two of them agree on it. A set whose name is not known has none: WeChat adds sets without notice, and a
//! number is better than a wrong name.

/// The name of a permission set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionName {
    /// As WeChat's console shows it.
    pub chinese: &'static str,
    /// The same in English.
    pub english: &'static str,
}

/// The name under which WeChat's console shows the permission set `id`.
pub fn permission_name(id: i64) -> Option<PermissionName> {
    let (chinese, english) = match id {
        // Official Accounts.
        1 => ("消息管理", "Message management"),
        2 => ("用户管理", "User management"),
        3 => ("账号服务", "Account services"),
        4 => ("网页服务", "Web page services"),
        5 => ("微信小店", "WeChat Store"),
        6 => ("微信多客服", "Multi-agent customer service"),
        7 => ("群发与通知", "Broadcasts and notifications"),
        8 => ("微信卡券", "WeChat cards and coupons"),
        9 => ("微信扫一扫", "WeChat Scan"),
        10 => ("微信连WIFI", "Wi-Fi via WeChat"),
        11 => ("素材管理", "Media management"),
        12 => ("微信摇周边", "WeChat Shake Nearby"),
        13 => ("微信门店", "WeChat shop locations"),
        15 => ("菜单管理", "Menu management"),
        22 => ("城市服务", "City services"),
        23 => ("广告管理", "Advertising management"),
        24 => ("开放平台账号管理", "Open Platform account management"),
        26 => ("微信电子发票", "WeChat e-invoices"),
        27 => ("快速注册小程序", "Fast Mini Program registration"),
        33 => ("小程序关联管理", "Linked Mini Program management"),
        34 => ("微信商品库管理", "WeChat product library management"),
        44 => ("好物圈", "Good Things Circle"),
        46 => ("微信一物一码", "One code per item"),
        47 => ("微信财政电子票据", "Electronic fiscal receipts"),
        54 => ("服务号对话管理", "Service Account conversations"),
        66 => ("微信服务市场管理", "WeChat service market management"),
        89 => ("服务号订阅通知", "Service Account subscription notifications"),
        113 => ("就医助手", "Medical visit assistant"),
        121 => ("公众号购物订单", "Official Account shopping orders"),
        // Mini Programs.
        17 => ("获取小程序码", "Mini Program codes"),
        18 => ("小程序开发与数据分析", "Mini Program development and data analysis"),
        19 => ("小程序客服管理", "Mini Program customer service"),
        25 => ("开放平台账号管理", "Open Platform account management"),
        30 => ("小程序基本信息管理", "Mini Program basic information"),
        31 => ("小程序认证名称检测", "Mini Program verified name check"),
        37 => ("附近的小程序管理", "Mini Programs nearby"),
        40 => ("小程序插件管理", "Mini Program plug-ins"),
        41 => ("好物圈管理", "Good Things Circle management"),
        45 => ("微信物流服务", "WeChat logistics"),
        48 => ("微信财政电子票据管理", "Electronic fiscal receipt management"),
        49 => ("小程序云开发管理", "Mini Program cloud development"),
        51 => ("小程序即时配送", "Mini Program instant delivery"),
        52 => ("小程序直播管理", "Mini Program live streaming"),
        65 => ("小程序广告管理", "Mini Program advertising"),
        67 => ("微信服务市场管理", "WeChat service market management"),
        70 => ("标准版交易组件商品管理", "Standard trading component: products"),
        71 => (
            "标准版交易组件订单物流与售后管理",
            "Standard trading component: orders, logistics and after-sales",
        ),
        73 => ("标准版交易组件接入", "Standard trading component: access"),
        76 => ("小程序违规与交易投诉管理", "Mini Program violations and trade complaints"),
        81 => ("试用小程序快速认证", "Fast verification of trial Mini Programs"),
        84 => ("标准版交易组件优惠券管理", "Standard trading component: coupons"),
        85 => ("自定义版交易组件管理", "Custom trading component management"),
        185 => ("小程序管理微信小店会员", "WeChat Store members in Mini Programs"),
        // Mini Programs and stores, by the copies.
        88 => ("小程序链接管理", "Mini Program links"),
        99 => ("云开发短信服务", "Cloud development text messages"),
        105 => ("城市服务", "City services"),
        116 => ("获取自定义版交易组件数据", "Custom trading component data"),
        118 => ("硬件服务", "Hardware services"),
        119 => ("小程序支付管理服务", "Mini Program payment management"),
        120 => ("小程序购物订单", "Mini Program shopping orders"),
        129 => ("视频号小店商品管理", "Channels store: products"),
        130 => ("视频号小店物流管理", "Channels store: logistics"),
        131 => ("视频号小店订单与售后管理", "Channels store: orders and after-sales"),
        132 => ("视频号小店优惠券管理", "Channels store: coupons"),
        133 => ("视频号商品橱窗管理", "Channels showcase management"),
        135 => ("流量主代运营权限集", "Publisher operations"),
        138 => ("视频号小店资金管理", "Channels store: funds"),
        139 => ("小程序运费险", "Mini Program freight insurance"),
        140 => ("小程序推广员", "Mini Program promoters"),
        142 => ("小程序发货管理服务", "Mini Program shipping management"),
        151 => ("小程序交易保障", "Mini Program trade protection"),
        156 => ("小程序备案服务", "Mini Program ICP filing"),
        157 => ("小程序虚拟支付管理权限", "Mini Program virtual payments"),
        161 => ("微信客服管理", "WeChat customer service"),
        // Channels.
        143 => ("视频号留资组件管理", "Channels lead form management"),
        160 => ("视频号留资服务的直播数据", "Live data of the Channels lead service"),
        176 => ("达人数据", "Talent data"),
        177 => ("视频号商品橱窗管理", "Channels showcase management"),
        // 带货助手.
        189 => ("带货助手橱窗商品管理", "Talent showcase management"),
        190 => ("带货助手订单管理", "Talent order management"),
        // No longer on WeChat's pages, as it named them before. Old authorizations may have them.
        35 | 36 => ("微信卡路里权限", "WeChat calories"),
        57 => ("页面推送权限", "Page submission to search"),
        _ => return None,
    };
    Some(PermissionName { chinese, english })
}

#[cfg(test)]
mod tests {
    use super::permission_name;

    #[test]
    fn a_known_set_has_the_name_of_wechats_console_in_both_languages() {
        for (id, chinese, english) in [
            (1, "消息管理", "Message management"),
            (17, "获取小程序码", "Mini Program codes"),
            (31, "小程序认证名称检测", "Mini Program verified name check"),
            (45, "微信物流服务", "WeChat logistics"),
            (76, "小程序违规与交易投诉管理", "Mini Program violations and trade complaints"),
            (81, "试用小程序快速认证", "Fast verification of trial Mini Programs"),
        ] {
            let name = permission_name(id).expect("a name");
            assert_eq!((name.chinese, name.english), (chinese, english));
        }
        for id in [70, 71, 73, 84] {
            assert!(permission_name(id).expect("a name").chinese.starts_with("标准版交易组件"), "{id}");
        }
    }

    #[test]
    fn an_unknown_set_has_no_name() {
        for id in [i64::MIN, -1, 0, 14, 93, 171, 999, i64::MAX] {
            assert_eq!(permission_name(id), None, "{id}");
        }
    }
}
