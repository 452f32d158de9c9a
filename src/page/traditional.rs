//! Traditional Chinese, made of Simplified.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What is another word, and not only other characters.
const WORDS: &[(&str, &str)] = &[
    ("登录", "登入"),
    ("链接", "連結"),
    ("程序", "程式"),
    ("接口", "介面"),
    ("设置", "設定"),
    ("信息", "資訊"),
    ("复制", "複製"),
    ("联系", "聯絡"),
];

/// Characters of the pages and of the names of permission sets, each before its traditional form. A test says which is
/// missing.
const CHARACTERS: &str = "\
    与與业業两兩丝絲个個为為义義书書云雲从從仓倉价價众眾优優会會传傳体體佣傭关關内內册冊减減几幾击擊刚剛创創删刪别別务務\
    动動励勵医醫单單参參发發变變号號后後员員团團图圖场場声聲处處备備复復头頭奖獎学學实實审審对對导導将將帐帳带帶并並\
    广廣库庫应應开開异異录錄总總戏戲户戶执執扫掃护護报報择擇挂掛据據摇搖数數断斷无無时時显顯暂暫机機权權构構标標样樣\
    档檔检檢橱櫥没沒测測游遊点點环環现現电電监監码碼确確礼禮种種积積称稱税稅笔筆签簽类類红紅约約级級纯純纲綱纸紙线線\
    练練组組织織绍紹结結给給络絡绝絕统統继繼绩績绪緒续續维維缓緩编編缩縮缴繳网網罗羅罚罰职職联聯肤膚脑腦节節药藥获獲\
    营營虑慮补補装裝观觀规規视視览覽触觸计計订訂认認讨討让讓训訓议議讯訊记記讲講许許论論设設访訪证證评評识識诉訴诊診\
    词詞译譯试試话話询詢该該详詳语語误誤说說请請诸諸读讀课課调調谈談谢謝贝貝负負贡貢财財责責贤賢败敗账帳货貨质質贩販\
    贪貪购購贯貫贴貼贵貴贷貸贸貿费費贺賀资資赏賞赛賽赞贊赠贈车車轮輪软軟轻輕载載较較辅輔辆輛输輸边邊达達过過运運还還\
    这這进進远遠违違连連迟遲适適选選递遞逻邏遗遺邮郵邻鄰郑鄭释釋里裡钟鐘钥鑰钮鈕钱錢铁鐵银銀链鏈销銷锁鎖错錯键鍵长長\
    门門闭閉问問闲閒间間闻聞阅閱队隊阳陽阴陰阵陣阶階际際陆陸险險随隨隐隱难難韩韓页頁顶頂项項顺順须須顾顧顿頓预預领領\
    频頻题題颜顏额額风風飞飛饭飯饮飲饰飾馆館马馬驱驅验驗骤驟鱼魚鸡雞麦麥黄黃齐齊龙龍拟擬虚虛\
    ";

/// `simplified` as Taiwan and Hong Kong write it.
pub(super) fn of(simplified: &str) -> String {
    static TRADITIONAL: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
        let characters: Vec<char> = CHARACTERS.chars().collect();
        characters.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    });
    let words = WORDS.iter().fold(Cow::Borrowed(simplified), |text, (word, other)| {
        if text.contains(word) { text.replace(word, other).into() } else { text }
    });
    words.chars().map(|character| *TRADITIONAL.get(&character).unwrap_or(&character)).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn characters_and_words_are_those_of_taiwan_and_hong_kong() {
        assert_eq!(of("授权公众号或小程序"), "授權公眾號或小程式");
        assert_eq!(of("账号的链接已过期，1 分钟后刷新"), "帳號的連結已過期，1 分鐘後刷新");
        assert_eq!(of("复制链接，回复消息"), "複製連結，回復消息");
        assert_eq!(of("微信公众平台 Wi-Fi"), "微信公眾平台 Wi-Fi");
    }
}
