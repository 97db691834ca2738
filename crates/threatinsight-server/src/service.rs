//! Starting, serving, stopping.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use threatinsight::Engine;
use threatinsight_spoe::Agent;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::api;
use crate::app::App;
use crate::authentication::Authentication;
use crate::control::{Control, ParsedUpload, Rules, expire_on_time, keep_up, warn_of_rejected};
use crate::error::{ServiceError, StoreError};
use crate::event::{EventQueue, Retention, WriterOptions, write_events};
use crate::jwt::Bearers;
use crate::options::{FeedFile, Options};
use crate::rate_limit::RateLimit;
use crate::scope::Scope;
use crate::stop::told;
use crate::store::{Location, Store};
use crate::{tls, token};

/// How long requests under way may take when the service stops, and then the log.
const GRACE: Duration = Duration::from_secs(10);

/// How long disconnecting from the store may take.
const CLOSING: Duration = Duration::from_secs(1);

/// How many bytes the head of a request may have.
const HEAD_LIMIT: usize = 64 * 1024;

/// A running service.
///
/// Dropping it stops nothing: see [`Service::stop`].
#[derive(Debug)]
pub struct Service {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where decisions listen, when that is elsewhere.
    pub decisions_address: Option<SocketAddr>,
    /// Where Envoy is answered over gRPC, when it is.
    pub ext_authz_address: Option<SocketAddr>,
    /// Where HAProxy is answered, when it is.
    pub spoe_address: Option<SocketAddr>,
    /// The administrator token that was made because there was none; to be shown this once.
    pub administrator_token: Option<String>,
    engine: Engine,
    store: Store,
    handle: Handle<SocketAddr>,
    /// Ends what `handle` does not.
    stop_spoe: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    /// What goes on until the last request is answered: the log's writer, and what keeps up.
    background: Vec<JoinHandle<()>>,
}

impl Service {
    /// Starts a service. When it returns, what is stored is served.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened at, the store cannot be reached, or what is stored, or a
    /// file, is not what it should be.
    pub async fn start(options: Options) -> Result<Self, ServiceError> {
        let api_listener = listen(options.listen)?;
        let decisions_listener = options.decisions_listen.map(listen).transpose()?;
        let ext_authz_listener = options.ext_authz_listen.map(listen).transpose()?;
        let spoe_listener = options.spoe_listen.map(listen).transpose()?;
        let address = local(&api_listener)?;
        let decisions_address = decisions_listener.as_ref().map(local).transpose()?;
        let ext_authz_address = ext_authz_listener.as_ref().map(local).transpose()?;
        let spoe_address = spoe_listener.as_ref().map(local).transpose()?;
        let tls = match &options.tls {
            Some(files) => Some(tls::configuration(files).await?),
            None => None,
        };
        let bearers = match options.bearers.clone() {
            Some(options) => Some(Bearers::new(options).await?),
            None => None,
        };

        let store = Store::open(&options.store).await?;
        let control = Control::new(store.clone(), rules(&options))?;
        let (events, queue) = EventQueue::new(options.log_queue, control.metrics().clone());
        let (stop, stopped) = watch::channel(false);
        let metrics = control.metrics().clone();
        let writing = write_events(
            store.clone(),
            queue,
            writer_options(&options),
            metrics,
            stopped.clone(),
        );
        let mut background = vec![
            tokio::spawn(writing),
            tokio::spawn(store.clone().checkpoint(stopped.clone())),
        ];
        if let Some(bearers) = &bearers {
            background.push(tokio::spawn(bearers.keep_fresh(stopped.clone())));
        }

        let app = Arc::new(App {
            control: Arc::clone(&control),
            authentication: Authentication {
                store: store.clone(),
                administrator: options.administrator,
                bearers,
            },
            events,
            rate_limit: RateLimit::new(options.rate_limit),
            client_source: options.client_source,
            request_timeout: options.request_timeout,
            feed_bytes: options.feed_bytes,
            tls: tls.is_some(),
        });
        let handle = Handle::new();
        let timeout = options.request_timeout;
        let mut routers = Vec::new();
        match decisions_listener {
            Some(listener) => {
                routers.push((api_listener, api::administration(&app)));
                routers.push((listener, api::decisions_alone(&app)));
            }
            None => routers.push((
                api_listener,
                api::administration(&app).merge(api::decisions(&app)),
            )),
        }
        if let Some(listener) = ext_authz_listener {
            routers.push((listener, api::ext_authz_alone(&app)));
        }
        let mut servers = Vec::new();
        for (listener, router) in routers {
            servers.push(tokio::spawn(serve(
                listener,
                router,
                tls.clone(),
                handle.clone(),
                timeout,
            )));
        }

        let has_administrator = app.authentication.administrator.is_some();
        let administrator_token = match begin(&control, &options.feeds, has_administrator).await {
            Ok(token) => token,
            Err(error) => {
                handle.shutdown();
                let _ = stop.send(true);
                return Err(error);
            }
        };
        control.set_ready();
        let (stop_spoe, spoe_stopped) = watch::channel(false);
        if let Some(listener) = spoe_listener {
            let agent = api::spoe_agent(&app);
            servers.push(tokio::spawn(serve_spoe(listener, agent, spoe_stopped)));
        }
        let engine = control.engine().clone();
        let url = match options.store {
            Location::Postgres(url) => Some(url),
            Location::Directory(_) => None,
        };
        background.push(tokio::spawn(expire_on_time(
            Arc::clone(&control),
            stopped.clone(),
        )));
        background.push(tokio::spawn(keep_up(control, url, options.poll, stopped)));
        Ok(Self {
            address,
            decisions_address,
            ext_authz_address,
            spoe_address,
            administrator_token,
            engine,
            store,
            handle,
            stop_spoe,
            stop,
            servers,
            background,
        })
    }

    /// What this service decides by, for a gateway in the same process: it obeys every change that
    /// the API has answered.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Revokes the token that was made at this start: if it could not be shown, nobody has it, and
    /// the next start makes another.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn revoke_administrator_token(&mut self) -> Result<(), ServiceError> {
        if let Some(token) = self.administrator_token.take() {
            token::revoke(&self.store, &token).await?;
        }
        Ok(())
    }

    /// Stops: no request is accepted any more, those under way are answered, the log is written.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(GRACE));
        let _ = self.stop_spoe.send(true);
        for server in self.servers {
            let _ = server.await;
        }
        let _ = self.stop.send(true);
        for task in self.background {
            let _ = task.await;
        }
        // What still waits for a database that does not answer would be lost with it anyway.
        let _ = timeout(CLOSING, self.store.close()).await;
    }
}

/// Serves what is stored and what the feed files say. Makes the first token last, so that none is
/// made by a start that fails before it could be shown.
async fn begin(
    control: &Arc<Control>,
    feeds: &[FeedFile],
    has_administrator: bool,
) -> Result<Option<String>, ServiceError> {
    control.begin().await?;
    for file in feeds {
        put_file(control, file).await?;
    }
    if has_administrator {
        return Ok(None);
    }
    Ok(first_token(control.store()).await?)
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    let failed = |error| ServiceError::new(address, error);
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn local(listener: &TcpListener) -> Result<SocketAddr, ServiceError> {
    listener
        .local_addr()
        .map_err(|error| ServiceError::new("listener", error))
}

fn rules(options: &Options) -> Rules {
    Rules {
        extensions: options.extensions.clone(),
        exempt_zone: options.exempt_zone,
        enhanced_zone: options.enhanced_zone,
        parse: options.parse,
    }
}

fn writer_options(options: &Options) -> WriterOptions {
    WriterOptions {
        retention: Retention {
            age: options.log_age,
            bytes: i64::try_from(options.log_bytes).unwrap_or(i64::MAX),
        },
        fold: options.log_fold,
        grace: GRACE,
    }
}

/// Makes an administrator token in a store that has no token.
async fn first_token(store: &Store) -> Result<Option<String>, StoreError> {
    if !store.tokens().await?.is_empty() {
        return Ok(None);
    }
    token::create(store, "administrator", &Scope::ALL)
        .await
        .map(Some)
}

async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
    timeout: Duration,
) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    macro_rules! serve {
        ($server:expr) => {
            match $server {
                Ok(mut server) => {
                    let http = server.http_builder();
                    http.http1()
                        .timer(TokioTimer::new())
                        .header_read_timeout(timeout)
                        .max_buf_size(HEAD_LIMIT);
                    // A gateway that vanished without a word is noticed.
                    http.http2()
                        .timer(TokioTimer::new())
                        .keep_alive_interval(timeout);
                    server.handle(handle).serve(service).await
                }
                Err(error) => Err(error),
            }
        };
    }
    let served = match tls {
        Some(tls) => serve!(axum_server::from_tcp_rustls(listener, tls)),
        None => serve!(axum_server::from_tcp(listener)),
    };
    if let Err(error) = served {
        tracing::error!(%error, "a listener ended");
    }
}

/// Answers HAProxy until `stop` says so, and what it asked by then within the grace.
async fn serve_spoe(listener: TcpListener, agent: Agent, stop: watch::Receiver<bool>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener ended"),
    };
    let grace = async {
        told(stop.clone()).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = agent.serve(listener, told(stop.clone())) => {}
        () = grace => {}
    }
}

/// Puts a feed from a file in place, unless its text is what is stored.
async fn put_file(control: &Arc<Control>, file: &FeedFile) -> Result<(), ServiceError> {
    let place = || file.path.display();
    api::check_feed_name(&file.name).map_err(|reason| ServiceError::new(place(), reason))?;
    let body = tokio::fs::read(&file.path)
        .await
        .map_err(|error| ServiceError::new(place(), error))?;
    let stored = control.store().feed(&file.name).await?;
    if stored.is_some_and(|stored| stored.body == body) {
        return Ok(());
    }
    let refused = |reason: String| ServiceError::new(place(), reason);
    let upload = ParsedUpload::read(file.name.clone(), body, control.parse_options());
    let upload = upload.await.map_err(|refusal| refused(refusal.reason()))?;
    let update = control
        .put_feed(upload)
        .await
        .map_err(|refusal| refused(refusal.reason()))?;
    warn_of_rejected(place(), &update.rejected);
    tracing::info!(
        feed = file.name,
        accepted = update.feed.accepted,
        "feed read"
    );
    Ok(())
}
