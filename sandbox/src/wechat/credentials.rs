//! What the console shows of the simulated platform. Fixed, so that encrypted event files can be checked in;
//! there is nothing that these protect.

/// The platform's appid.
pub(super) const COMPONENT_APPID: &str = "wx7c0de5a4db0c0001";

/// The AppSecret until a test resets it.
pub(super) const COMPONENT_APPSECRET: &str = "5a4db0c5ec7e70a99c0de0f7e57da7a1";

/// 消息校验Token.
pub(super) const TOKEN: &str = "Token5a4db0c7e57ed";

/// The 消息校验Token before it was changed.
pub(super) const PREVIOUS_TOKEN: &str = "PreviousToken5a4db0c";

/// 消息加解密Key. The last of the 43 characters carries two surplus bits that are not zero, as those of most
/// real keys do.
pub(super) const ENCODING_AES_KEY: &str = "CurrentEncodingAESKeyOfTheSandbox5a4db0c001";

/// The 消息加解密Key before it was changed.
pub(super) const PREVIOUS_ENCODING_AES_KEY: &str = "PreviousEncodingAESKeyOfTheSandbox5a4db0c0C";
