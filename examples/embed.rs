//! A gateway in small: a worker with its own reader judges requests by peer and header lines,
//! while the list is replaced under it.
//!
//! Run with `cargo run --example embed`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::IpAddr;
use std::sync::mpsc;
use std::thread;

use threatinsight::{
    Action, Chain, Engine, Feed, FeedError, IpZone, List, NetworkZone, ParseOptions, Policy,
    Request, Timestamp, Verdict, ZoneAddress, ZoneHead,
};

/// A request as a server hands it over: who connected, and every `X-Forwarded-For` line.
#[derive(Clone, Copy)]
struct Incoming {
    peer: IpAddr,
    x_forwarded_for: &'static [&'static [u8]],
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = Timestamp(1_767_225_600);

    let mut policy = Policy::new(Action::Block);
    policy.zones.push(NetworkZone::Ip(IpZone {
        head: ZoneHead::new("nzo4loadBalancers001", "Load balancers"),
        gateways: None,
        proxies: Some(vec![ZoneAddress::Cidr("10.20.0.0/16".to_owned())]),
        links: None,
    }));
    let engine = Engine::new(policy.compile(&[feed("198.51.100.0/24\n")?], now)?);

    let listed = Incoming {
        peer: "10.20.0.4".parse()?,
        x_forwarded_for: &[b"198.51.100.23, 10.20.1.9"],
    };
    // A client does not become somebody else by sending the header itself.
    let forged = Incoming {
        peer: "203.0.113.7".parse()?,
        x_forwarded_for: &[b"198.51.100.23"],
    };

    thread::scope(|scope| {
        let (requests, incoming) = mpsc::channel();
        let (verdicts, answers) = mpsc::channel();
        let engine = &engine;
        scope.spawn(move || serve(engine, incoming, &verdicts));
        let judge = |request| -> Result<Verdict, Box<dyn Error>> {
            requests.send(request)?;
            Ok(answers.recv()?)
        };

        assert_eq!(judge(listed)?, Verdict::Block);
        assert_eq!(judge(forged)?, Verdict::Allow);

        engine.update_list(List::compile(&[feed("203.0.113.0/24\n")?], now)?);

        assert_eq!(judge(listed)?, Verdict::Allow);
        assert_eq!(judge(forged)?, Verdict::Block);
        Ok(())
    })
}

/// A worker's loop: the reader stays, the snapshot is taken anew for each request.
fn serve(engine: &Engine, incoming: mpsc::Receiver<Incoming>, verdicts: &mpsc::Sender<Verdict>) {
    let mut reader = engine.reader();
    for Incoming {
        peer,
        x_forwarded_for,
    } in incoming
    {
        let chain = Chain::x_forwarded_for(Some(peer), x_forwarded_for);
        let decision = reader.snapshot().evaluate(&Request::new(chain));
        println!(
            "{} {} {:?}",
            decision.verdict,
            decision.reason(),
            decision.client
        );
        if verdicts.send(decision.verdict).is_err() {
            return;
        }
    }
}

fn feed(text: &str) -> Result<Feed, FeedError> {
    Ok(Feed::parse("scanners", text.as_bytes(), &ParseOptions::default())?.feed)
}
