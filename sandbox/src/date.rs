//! Times as text, the way different servers write them. All are in UTC and count seconds since 1970.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// `Thu, 12 Mar 2020 19:03:58 GMT`, as the header `Date` has it.
pub(crate) fn http_date(now: i64) -> String {
    DateTime::from_secs(now).fmt(Format::HttpDate).expect("a year of four digits")
}

/// `12/Mar/2020:19:03:58 +0000`, as access logs have it.
pub(crate) fn access_log_time(now: i64) -> String {
    let date = http_date(now);
    let mut parts = date.split(' ').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    format!("{}/{}/{}:{} +0000", part(), part(), part(), part())
}

/// `20200312T190358Z`, as a signature has it.
pub(crate) fn signing_time(now: i64) -> String {
    let date = DateTime::from_secs(now).fmt(Format::DateTime).expect("a year of four digits");
    date.replace(['-', ':'], "")
}
