//! An explanation as a tree for people.

use std::fmt;

use super::{CoveringEntry, ExplainedHop, ExplainedZone, Explanation, HopRole};
use crate::decision::Stage;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verdict,
            reason,
            stage,
            kind,
            action,
            generation,
            client,
            embedded_ipv4,
            chain,
            level,
            patterns,
            entries,
            zones,
            changes,
        } = self;
        writeln!(f, "{verdict}: {reason}")?;
        let mut sections = Vec::new();
        sections.push((
            match client {
                Some(client) => format!("client {client}"),
                None => "client unknown".to_owned(),
            },
            chain.iter().map(ToString::to_string).collect(),
        ));
        if let Some(embedded) = embedded_ipv4 {
            sections.push((format!("embeds {embedded}, judged as well"), Vec::new()));
        }
        let listed = match level {
            Some(level) => format!("listed, level {level}: {patterns}"),
            None if entries.is_empty() => "not listed".to_owned(),
            None => "listed, but no entry counts for this request".to_owned(),
        };
        sections.push((listed, entries.iter().map(ToString::to_string).collect()));
        if !zones.is_empty() {
            sections.push((
                "zones".to_owned(),
                zones.iter().map(ToString::to_string).collect(),
            ));
        }
        sections.push((
            format!("decided at stage {}: {}", stage.number(), stage.rule()),
            vec![
                format!("action {action}"),
                format!("{kind} request"),
                format!("generation {generation}"),
            ],
        ));
        if !changes.is_empty() {
            let changes = changes.iter();
            let lines = changes.map(|c| format!("{}: {}, {}", c.change, c.verdict, c.reason));
            sections.push(("another verdict with".to_owned(), lines.collect()));
        }
        tree(f, &sections)
    }
}

/// Sections with their lines, joined by box-drawing characters.
fn tree(f: &mut fmt::Formatter<'_>, sections: &[(String, Vec<String>)]) -> fmt::Result {
    for (i, (title, lines)) in sections.iter().enumerate() {
        let last = i + 1 == sections.len();
        let (branch, stem) = if last {
            ("└─", "  ")
        } else {
            ("├─", "│ ")
        };
        writeln!(f, "{branch} {title}")?;
        for (j, line) in lines.iter().enumerate() {
            let branch = if j + 1 == lines.len() {
                "└─"
            } else {
                "├─"
            };
            writeln!(f, "{stem} {branch} {line}")?;
        }
    }
    Ok(())
}

impl Stage {
    /// The stage's number in the decision table.
    const fn number(self) -> &'static str {
        match self {
            Self::Exempt => "1",
            Self::Blocklist => "2",
            Self::Unknown => "3a",
            Self::Disabled => "3b",
            Self::NotListed => "4",
            Self::Excluded => "5",
            Self::Audit => "6",
            Self::Block => "7",
            Self::Below => "8",
        }
    }

    const fn rule(self) -> &'static str {
        match self {
            Self::Exempt => "the client and every blocklisted hop are in the exempt zone",
            Self::Blocklist => "a hop is in a blocklist zone",
            Self::Unknown => "the hop that would be the client does not parse",
            Self::Disabled => "the action is none",
            Self::NotListed => "no live entry covers the client for this kind of request",
            Self::Excluded => "the chain is inside an excluded zone",
            Self::Audit => "listed, and the action is audit",
            Self::Block => "listed at an enforced level, and the action is block",
            Self::Below => "listed below the enforced level, and the action is block",
        }
    }
}

impl fmt::Display for ExplainedHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            address,
            role,
            trusted_by,
            blocklisted_by,
        } = self;
        match address {
            Some(address) => write!(f, "{address}")?,
            // What a client wrote must not reach the terminal as control characters.
            None => write!(f, "`{}`", text.escape_debug())?,
        }
        match role {
            HopRole::TrustedProxy => write!(f, ", trusted proxy of {}", trusted_by.join(", "))?,
            HopRole::Client if trusted_by.is_empty() => f.write_str(", the client")?,
            HopRole::Client => f.write_str(", the client: leftmost of trusted proxies alone")?,
            HopRole::Unparsable => f.write_str(", not an address where the client would be")?,
            HopRole::NotTrusted => f.write_str(", not trusted: written left of the client")?,
        }
        if !blocklisted_by.is_empty() {
            write!(f, ", in blocklist {}", blocklisted_by.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for CoveringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            feed,
            prefix,
            level,
            patterns,
            expires,
            counts,
        } = self;
        write!(f, "{prefix} in feed {feed}, {level}: {patterns}")?;
        if let Some(expires) = expires {
            write!(f, ", until {expires}")?;
        }
        if !counts {
            f.write_str(", does not count for this request")?;
        }
        Ok(())
    }
}

impl fmt::Display for ExplainedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            name,
            usage: _,
            contains_chain,
            excluded,
            exempt,
            gateways,
        } = self;
        f.write_str(name)?;
        if let Some(id) = id {
            write!(f, " ({id})")?;
        }
        let roles = [
            (*contains_chain, "contains the chain"),
            (*excluded, "excluded"),
            (*exempt, "exempt"),
            (!contains_chain && !gateways.is_empty(), "has a hop"),
        ];
        for (_, role) in roles.into_iter().filter(|(is, _)| *is) {
            write!(f, ", {role}")?;
        }
        match gateways.as_slice() {
            [] => Ok(()),
            gateways => write!(f, "; gateways {}", gateways.join(", ")),
        }
    }
}
