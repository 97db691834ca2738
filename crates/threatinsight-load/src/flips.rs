//! How soon a change of the action is obeyed.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::Result;
use crate::client::Connection;
use crate::rates::ask;
use crate::service::{Service, configure};

pub(crate) const FLIPS: usize = 500;

/// Between two changes, so that each meets a service at rest.
const PAUSE: Duration = Duration::from_millis(10);

/// Sorted times in seconds, until a decision obeyed: from the change's sending, and from its answer.
pub(crate) async fn measure(
    service: &Service,
    listed: Vec<IpAddr>,
) -> Result<[(&'static str, Vec<f64>); 2]> {
    let mut administrator = Connection::open(&service.address).await?;
    let mut gateway = Connection::open(&service.address).await?;
    let peer = service.peer();
    let mut hit = None;
    for address in listed {
        if ask(&peer, &mut gateway, address).await? {
            hit = Some(address);
            break;
        }
    }
    let hit = hit.ok_or("nothing is blocked")?;
    let (mut from_sending, mut from_answer) = (Vec::new(), Vec::new());
    for number in 0..FLIPS {
        let (action, blocked) = [("audit", false), ("block", true)][number % 2];
        tokio::time::sleep(PAUSE).await;
        let sent = Instant::now();
        configure(&mut administrator, action).await?;
        let answered = Instant::now();
        while ask(&peer, &mut gateway, hit).await? != blocked {}
        from_sending.push(sent.elapsed().as_secs_f64());
        from_answer.push(answered.elapsed().as_secs_f64());
    }
    from_sending.sort_by(f64::total_cmp);
    from_answer.sort_by(f64::total_cmp);
    Ok([
        (
            "from sending the change to the first decision that obeys",
            from_sending,
        ),
        ("from its answer", from_answer),
    ])
}
