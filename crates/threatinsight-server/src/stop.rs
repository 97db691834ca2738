//! Waiting until the service is told to stop.

use tokio::sync::watch;

/// Waits until `stop` says so; a service that was dropped never does.
pub(crate) async fn told(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
