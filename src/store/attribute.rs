//! The names of the attributes, as they stand in the tables.

// Keys.
pub(super) const AUTHORIZER_APPID: &str = "authorizer_appid";
pub(super) const COMPONENT_APPID: &str = "component_appid";
pub(super) const PK: &str = "pk";

// Both tables.
pub(super) const AUTHORIZED_AT: &str = "authorized_at";
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const LEASE_OWNER: &str = "lease_owner";
pub(super) const LEASE_UNTIL: &str = "lease_until";
pub(super) const STATE: &str = "state";
pub(super) const BOUND: &str = "bound";
pub(super) const STATUS: &str = "status";

// Authorizers.
pub(super) const ACCESS_TOKEN_EXPIRES_AT: &str = "access_token_expires_at";
pub(super) const AUTHORIZED_SINCE: &str = "authorized_since";
pub(super) const AUTHORIZER_ACCESS_TOKEN: &str = "authorizer_access_token";
pub(super) const AUTHORIZER_REFRESH_TOKEN: &str = "authorizer_refresh_token";
pub(super) const CHANGE: &str = "change";
pub(super) const DOUBTED: &str = "doubted";
pub(super) const FUNC_INFO: &str = "func_info";
pub(super) const NEXT_GRANT: &str = "next_grant";
pub(super) const PERMISSION_SET_IDS: &str = "permission_set_ids";
pub(super) const PROFILE: &str = "profile";
pub(super) const PROFILE_AT: &str = "profile_at";
pub(super) const REFRESH_AT: &str = "refresh_at";
pub(super) const REFRESH_FAILURE: &str = "refresh_failure";
pub(super) const REFRESH_SHARD: &str = "refresh_shard";
pub(super) const REFRESHED_AT: &str = "refreshed_at";
pub(super) const UNAUTHORIZED_AT: &str = "unauthorized_at";
pub(super) const UPDATED_AT: &str = "updated_at";
pub(super) const UNVERIFIED_STATE: &str = "unverified_state";
pub(super) const VERSION: &str = "version";

// Platform: claims.
pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(super) const BINDING: &str = "binding";
pub(super) const CODE_STATE: &str = "code_state";
pub(super) const ERRCODE: &str = "errcode";
pub(super) const EVENT_TIME: &str = "event_time";
pub(super) const EVIDENCE: &str = "evidence";
pub(super) const HEARD: &str = "heard";
pub(super) const PENDING: &str = "pending";
pub(super) const PENDING_AT: &str = "pending_at";
pub(super) const SWEEPS: &str = "sweeps";

// Platform: the ticket, the component token, notes.
pub(super) const COMPONENT_ACCESS_TOKEN: &str = "component_access_token";
pub(super) const COMPONENT_VERIFY_TICKET: &str = "component_verify_ticket";
pub(super) const CREATE_TIME: &str = "create_time";
pub(super) const MINTED_AT: &str = "minted_at";
pub(super) const NOTED_AT: &str = "noted_at";
pub(super) const OFFSET: &str = "offset";
pub(super) const REQUESTED_AT: &str = "requested_at";
pub(super) const SOURCE: &str = "source";
pub(super) const TOLD: &str = "told";

// Platform: launches.
pub(super) const AUTH_TYPE: &str = "auth_type";
pub(super) const BIZ_APPID: &str = "biz_appid";
pub(super) const CATEGORY_ID_LIST: &str = "category_id_list";
pub(super) const CODES: &str = "codes";
pub(super) const COOKIES: &str = "cookies";
pub(super) const LAUNCH: &str = "launch";
pub(super) const MADE_BY: &str = "made_by";
pub(super) const OPEN_UNTIL: &str = "open_until";
pub(super) const PRE_AUTH_CODE: &str = "pre_auth_code";
pub(super) const PRE_AUTH_CODE_REUSED_UNTIL: &str = "pre_auth_code_reused_until";
pub(super) const RETURN_URL: &str = "return_url";
pub(super) const SPENT_UNTIL: &str = "spent_until";
pub(super) const VIEWER: &str = "viewer";

// Pushes.
pub(super) const DETAIL_TYPE: &str = "detail_type";
pub(super) const DIGEST: &str = "digest";
pub(super) const FIELDS: &str = "fields";
pub(super) const OVERFLOW: &str = "overflow";
pub(super) const RECEIVED_AT: &str = "received_at";
