//! What every subcommand reads: feeds, a policy, and the time it is judged at.

use std::ffi::OsString;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use threatinsight::{
    Action, Admission, Feed, FeedReport, Kind, ParseOptions, ParsedFeed, Policy, Snapshot,
    Timestamp,
};
use threatinsight_feed_formats::rejection;

use crate::failure::Failure;
use crate::feed_argument::FeedArgument;
use crate::output::warn;
use crate::source::Source;
use crate::{feed_argument, feed_file, policy_file, time};

#[derive(Args)]
pub(crate) struct Inputs {
    /// A feed of suspicious addresses
    ///
    /// FILE or NAME=FILE; without NAME the feed is named after the file. `-` is standard input.
    /// Can be repeated, and the values after it are feeds too as long as they are `-` or existing
    /// files, so that `--feed lists/*.txt` works; write `--` to begin the CHAINs earlier.
    ///
    /// A text feed has one address, prefix, range or address with netmask per line, with `#` and
    /// `;` comments. A file that begins with `{` has JSON lines:
    /// {"prefix": "192.0.2.0/24", "level": "high", "patterns": ["Password Spray"],
    /// "expires": "2030-01-01T00:00:00Z"}, only the prefix required; or Spamhaus's
    /// {"cidr": "192.0.2.0/24", "sblid": "SBL1"}.
    #[arg(
        long,
        required = true,
        value_name = "FILE",
        value_parser = OsStringValueParser::new().try_map(FeedArgument::parse),
    )]
    feed: Vec<FeedArgument>,

    /// The policy: action, excluded zones, zones and extensions, as JSON
    ///
    /// Without it there are no zones, and the action is `block`.
    #[arg(
        long,
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(|file: OsString| Source::from(file)),
    )]
    policy: Option<Source>,

    /// The time to judge at: entries that have expired by then do not count [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = time::parse)]
    now: Option<Timestamp>,

    /// How many rejected lines a feed may have
    #[arg(long, value_name = "N", default_value_t = ParseOptions::default().max_rejected)]
    max_rejected: usize,

    /// Which prefixes a feed may hold
    #[arg(long, value_enum, default_value_t = AdmissionName::Guarded)]
    admission: AdmissionName,
}

impl Inputs {
    pub(crate) fn uses_standard_input(&self) -> bool {
        self.sources()
            .any(|source| *source == Source::StandardInput)
    }

    pub(crate) fn read(&self) -> Result<Loaded, Failure> {
        self.check()?;
        let policy = match &self.policy {
            Some(source) => policy_file::read(source)?,
            None => Policy::new(Action::Block),
        };
        let options = ParseOptions {
            max_rejected: self.max_rejected,
            admission: self.admission.into(),
            ..ParseOptions::default()
        };
        let mut loaded = Loaded {
            feeds: Vec::new(),
            reports: Vec::new(),
            policy_source: self.policy.clone(),
            policy,
            now: self.now.unwrap_or_else(time::now),
        };
        for argument in &self.feed {
            let ParsedFeed { feed, report } = feed_file::read(argument, options)?;
            loaded.feeds.push(feed);
            loaded.reports.push((argument.source.clone(), report));
        }
        Ok(loaded)
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let feeds = self.feed.iter().map(|argument| &argument.source);
        feeds.chain(&self.policy)
    }

    fn check(&self) -> Result<(), Failure> {
        let standard_input = self.sources().filter(|s| **s == Source::StandardInput);
        if standard_input.count() > 1 {
            return Err(Failure::Usage(
                "standard input can be read only once, but more than one input is `-`".to_owned(),
            ));
        }
        feed_argument::check_names(&self.feed)
    }
}

/// The inputs, read but not compiled.
pub(crate) struct Loaded {
    pub(crate) feeds: Vec<Feed>,
    /// Where each feed came from, and what became of its lines.
    pub(crate) reports: Vec<(Source, FeedReport)>,
    policy_source: Option<Source>,
    policy: Policy,
    now: Timestamp,
}

impl Loaded {
    pub(crate) fn compile(&self) -> Result<Snapshot, Failure> {
        self.policy
            .compile(&self.feeds, self.now)
            .map_err(|error| match &self.policy_source {
                // Feeds of one name were refused before: it is zones that are repeated here.
                Some(source)
                    if error.is_dynamic_zone()
                        || error.is_zone_address()
                        || error.is_unknown_zone()
                        || error.is_duplicate() =>
                {
                    Failure::input(source, error)
                }
                Some(_) | None => Failure::Compile(error),
            })
    }

    /// Compiles, with `action` in place of the policy's, and says on standard error what was not
    /// taken as it was written.
    pub(crate) fn enforce(mut self, action: Option<ActionName>) -> Result<Snapshot, Failure> {
        if let Some(action) = action {
            self.policy.configuration.action = action.into();
        }
        for (source, report) in &self.reports {
            if let Some(rejection) = rejection(&report.rejected) {
                warn(format_args!("{source}: {rejection}"));
            }
        }
        let snapshot = self.compile()?;
        for warning in snapshot.warnings() {
            warn(format_args!("warning: {warning}"));
        }
        Ok(snapshot)
    }
}

/// [`Action`] as an argument.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ActionName {
    None,
    Audit,
    Block,
}

impl From<ActionName> for Action {
    fn from(name: ActionName) -> Self {
        match name {
            ActionName::None => Self::None,
            ActionName::Audit => Self::Audit,
            ActionName::Block => Self::Block,
        }
    }
}

/// [`Kind`] as an argument.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum KindName {
    /// Signing in, recovering a password, …
    Authentication,
    /// Any other request
    Other,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Authentication => Self::Authentication,
            KindName::Other => Self::Other,
        }
    }
}

/// [`Admission`] as an argument.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum AdmissionName {
    /// Refuse reserved space and prefixes shorter than /8 (IPv4) or /19 (IPv6)
    Guarded,
    /// Take every prefix
    Open,
}

impl From<AdmissionName> for Admission {
    fn from(name: AdmissionName) -> Self {
        match name {
            AdmissionName::Guarded => Self::Guarded,
            AdmissionName::Open => Self::Open,
        }
    }
}
