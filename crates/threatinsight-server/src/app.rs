//! What all handlers share.

use std::sync::Arc;
use std::time::Duration;

use crate::authentication::Authentication;
use crate::control::Control;
use crate::event::EventQueue;
use crate::options::ClientSource;
use crate::rate_limit::RateLimit;

/// What all handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) control: Arc<Control>,
    pub(crate) authentication: Authentication,
    pub(crate) events: EventQueue,
    pub(crate) rate_limit: RateLimit,
    pub(crate) client_source: ClientSource,
    pub(crate) request_timeout: Duration,
    pub(crate) feed_bytes: usize,
    pub(crate) tls: bool,
}
