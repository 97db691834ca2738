//! The numbers of the ABI. A number that is out of range is misuse, so none is a Rust enum where C
//! hands it over.

use std::ffi::c_int;

use threatinsight::{Admission, Kind, Level, Pattern, Patterns, Reason, Verdict};

use crate::failure::Failure;

/// Done.
pub const TI_OK: c_int = 0;
/// A pointer that is null, or a number that is out of range: the caller's defect.
pub const TI_MISUSED: c_int = 1;
/// A feed, a policy or a file was refused; what is served has not changed.
pub const TI_REFUSED: c_int = 2;
/// The library's defect; what is served has not changed.
pub const TI_PANICKED: c_int = 3;

/// Let the request through; no event.
pub const TI_VERDICT_ALLOW: u8 = 1;
/// Let it through and write one event.
pub const TI_VERDICT_LOG: u8 = 2;
/// Refuse it and write one event.
pub const TI_VERDICT_BLOCK: u8 = 3;

/// The client, and every blocklisted hop, is in the exempt zone.
pub const TI_REASON_EXEMPT: u8 = 1;
/// A hop of the chain is in a blocklist zone.
pub const TI_REASON_BLOCKLISTED: u8 = 2;
/// The hop that would be the client does not parse.
pub const TI_REASON_UNKNOWN_CLIENT: u8 = 3;
/// The action is `none`.
pub const TI_REASON_DISABLED: u8 = 4;
/// No live entry that covers this kind of request covers the client.
pub const TI_REASON_NOT_LISTED: u8 = 5;
/// The client is listed and the chain is inside an excluded zone.
pub const TI_REASON_EXCLUDED: u8 = 6;
/// The client is listed.
pub const TI_REASON_LISTED: u8 = 7;
/// A reason newer than this header.
pub const TI_REASON_OTHER: u8 = 255;

/// The client is not listed.
pub const TI_LEVEL_NONE: u8 = 0;
/// Worth watching.
pub const TI_LEVEL_LOW: u8 = 1;
/// Repeatedly seen in attacks.
pub const TI_LEVEL_MEDIUM: u8 = 2;
/// Attacking now.
pub const TI_LEVEL_HIGH: u8 = 3;

/// One password tried against many accounts.
pub const TI_PATTERN_PASSWORD_SPRAY: u8 = 1;
/// Many failed sign-ins.
pub const TI_PATTERN_LOGIN_FAILURES: u8 = 2;
/// Sign-ins to accounts that do not exist.
pub const TI_PATTERN_UNKNOWN_USERS: u8 = 4;
/// Known for abuse elsewhere.
pub const TI_PATTERN_NEGATIVE_IP_REPUTATION: u8 = 8;

/// A sign-in or another credential check: every entry covers it.
pub const TI_KIND_AUTHENTICATION: u8 = 0;
/// Any other request.
pub const TI_KIND_OTHER: u8 = 1;

/// The lines are of `X-Forwarded-For`, or of a header that is written like it.
pub const TI_SYNTAX_X_FORWARDED_FOR: u8 = 0;
/// The lines are of `Forwarded` (RFC 7239).
pub const TI_SYNTAX_FORWARDED: u8 = 1;
/// One line is the whole chain, hops between commas, the peer last; `peer` is not read.
pub const TI_SYNTAX_CHAIN: u8 = 2;

/// No address.
pub const TI_FAMILY_NONE: u8 = 0;
/// IPv4, in the first four bytes.
pub const TI_FAMILY_IPV4: u8 = 4;
/// IPv6.
pub const TI_FAMILY_IPV6: u8 = 6;

/// Refuse reserved space and prefixes shorter than /8 (IPv4) or /19 (IPv6).
pub const TI_ADMISSION_GUARDED: u8 = 0;
/// Take every prefix.
pub const TI_ADMISSION_OPEN: u8 = 1;

/// The expiry of an entry that has none.
pub const TI_NEVER: u64 = u64::MAX;

pub(crate) const fn verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => TI_VERDICT_ALLOW,
        Verdict::Log => TI_VERDICT_LOG,
        Verdict::Block => TI_VERDICT_BLOCK,
    }
}

pub(crate) const fn reason(reason: Reason) -> u8 {
    match reason {
        Reason::Exempt => TI_REASON_EXEMPT,
        Reason::Blocklisted => TI_REASON_BLOCKLISTED,
        Reason::UnknownClient => TI_REASON_UNKNOWN_CLIENT,
        Reason::Disabled => TI_REASON_DISABLED,
        Reason::NotListed => TI_REASON_NOT_LISTED,
        Reason::Excluded => TI_REASON_EXCLUDED,
        Reason::Listed => TI_REASON_LISTED,
        _ => TI_REASON_OTHER,
    }
}

pub(crate) const fn level(level: Level) -> u8 {
    match level {
        Level::Low => TI_LEVEL_LOW,
        Level::Medium => TI_LEVEL_MEDIUM,
        Level::High => TI_LEVEL_HIGH,
    }
}

const fn pattern(pattern: Pattern) -> u8 {
    match pattern {
        Pattern::PasswordSpray => TI_PATTERN_PASSWORD_SPRAY,
        Pattern::LoginFailures => TI_PATTERN_LOGIN_FAILURES,
        Pattern::UnknownUsers => TI_PATTERN_UNKNOWN_USERS,
        Pattern::NegativeIpReputation => TI_PATTERN_NEGATIVE_IP_REPUTATION,
    }
}

pub(crate) fn patterns(patterns: Patterns) -> u8 {
    patterns.iter().fold(0, |bits, each| bits | pattern(each))
}

pub(crate) fn level_of(number: u8) -> Result<Level, Failure> {
    match number {
        TI_LEVEL_LOW => Ok(Level::Low),
        TI_LEVEL_MEDIUM => Ok(Level::Medium),
        TI_LEVEL_HIGH => Ok(Level::High),
        _ => Err(Failure::out_of_range("level", number)),
    }
}

pub(crate) fn patterns_of(bits: u8) -> Result<Patterns, Failure> {
    let has = |each: &Pattern| bits & pattern(*each) != 0;
    let set: Patterns = Pattern::ALL.into_iter().filter(has).collect();
    if patterns(set) == bits {
        Ok(set)
    } else {
        Err(Failure::out_of_range("patterns", bits))
    }
}

pub(crate) const fn kind_of(number: u8) -> Result<Kind, Failure> {
    match number {
        TI_KIND_AUTHENTICATION => Ok(Kind::Authentication),
        TI_KIND_OTHER => Ok(Kind::Other),
        _ => Err(Failure::out_of_range("kind", number)),
    }
}

pub(crate) const fn admission_of(number: u8) -> Result<Admission, Failure> {
    match number {
        TI_ADMISSION_GUARDED => Ok(Admission::Guarded),
        TI_ADMISSION_OPEN => Ok(Admission::Open),
        _ => Err(Failure::out_of_range("admission", number)),
    }
}
