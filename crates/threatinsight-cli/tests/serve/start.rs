use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, Read as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::{Server, TOKEN, agent, ask, command, refused, serve};

const CONFIGURATION: &str = "/api/v1/threats/configuration";

fn shown_token(server: &mut Server) -> String {
    let mut line = String::new();
    server.said.read_line(&mut line).unwrap();
    let token = line.strip_prefix("administrator token, shown this once: ");
    token.unwrap().trim_end().to_owned()
}

#[test]
fn the_first_start_shows_a_token_and_the_second_does_not() {
    let data = TempDir::new().unwrap();
    let mut server = Server::spawn(command(), data.path());
    let token = shown_token(&mut server);
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(ask(&agent(), "GET", &url, &token, "").unwrap().0, 200);
    server.kill();

    let mut server = Server::spawn(command(), data.path());
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(ask(&agent(), "GET", &url, &token, "").unwrap().0, 200);
    server.kill();
    let mut line = String::new();
    assert_eq!(server.said.read_line(&mut line).unwrap(), 0, "{line}");
}

#[test]
fn a_token_that_could_not_be_shown_is_not_the_one_that_is_made() {
    let data = TempDir::new().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (unread, pipe) = std::io::pipe().unwrap();
    drop(unread);
    for (output, reason) in [
        (Stdio::from(full), "no space left on device"),
        (Stdio::from(pipe), "broken pipe"),
    ] {
        let mut unheard = command();
        serve(&mut unheard, data.path());
        let output = unheard.stdout(output).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{reason}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!("threatinsight: standard output: {reason}\n")
        );
    }
    let mut list = command();
    list.args(["token", "list", "--data"]).arg(data.path());
    assert_eq!(list.output().unwrap().stdout, b"");

    let mut server = Server::spawn(command(), data.path());
    let token = shown_token(&mut server);
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(ask(&agent(), "GET", &url, &token, "").unwrap().0, 200);
}

#[test]
fn a_token_that_could_not_be_printed_is_not_kept() {
    let data = TempDir::new().unwrap();
    let token = |arguments: &[&str]| {
        let mut token = command();
        token.arg("token").args(arguments);
        token.arg("--data").arg(data.path());
        token
    };
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (unread, pipe) = std::io::pipe().unwrap();
    drop(unread);
    for (output, reason) in [
        (Stdio::from(full), "no space left on device"),
        (Stdio::from(pipe), "broken pipe"),
    ] {
        let mut create = token(&["create", "--name", "lost"]);
        let output = create.stdout(output).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{reason}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!("threatinsight: standard output: {reason}\n")
        );
    }
    assert_eq!(token(&["list"]).output().unwrap().stdout, b"");
}

#[test]
fn without_a_terminal_the_log_is_not_coloured() {
    let data = TempDir::new().unwrap();
    let mut command = command();
    command.env("RUST_LOG", "info").stderr(Stdio::piped());
    let mut server = Server::spawn(command, data.path());
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(ask(&agent(), "GET", &url, TOKEN, "").unwrap().0, 401);
    server.kill();
    let mut log = String::new();
    let mut stderr = server.child.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    assert!(log.contains(" answered method=\"GET\" "), "{log}");
}

#[test]
fn a_store_that_may_not_grow_refuses_changes_and_decisions_go_on() {
    let data = TempDir::new().unwrap();
    // In units of 512 bytes or a kilobyte, which is room for a few of these feeds.
    let mut limited = Command::new("sh");
    let script = "ulimit -f 2000 && exec \"$0\" \"$@\"";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_threatinsight")]);
    limited.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
    let server = Server::spawn(limited, data.path());
    let feed = "203.0.113.0/24 # a comment as long as the others\n".repeat(4_000);
    let put = |name: usize| {
        let url = format!("{}/v1/feeds/feed{name}", server.url);
        ask(&agent(), "PUT", &url, TOKEN, &feed).unwrap().0
    };
    let statuses: Vec<u16> = (0..20).map(put).collect();
    assert!(
        statuses.contains(&200) && statuses.contains(&503),
        "{statuses:?}"
    );
    let url = format!("{}/v1/authorize", server.url);
    assert_eq!(ask(&agent(), "GET", &url, TOKEN, "").unwrap().0, 200);
}

#[test]
fn a_feed_may_have_as_many_rejected_lines_as_it_is_told() {
    let data = TempDir::new().unwrap();
    let feed = data.path().join("scanners.txt");
    fs::write(&feed, "203.0.113.0/24\nnonsense\n").unwrap();
    let store = data.path().join("store");
    let (status, message) = refused(command(), &store, |command| {
        command.args(["--max-rejected", "0", "--feed"]).arg(&feed);
    });
    assert_eq!(status, Some(1));
    assert!(message.contains("rejected more than 0 lines"), "{message}");
    Server::spawn_with(command(), &store, |command| {
        command.args(["--max-rejected", "1", "--feed"]).arg(&feed);
    });
}

#[test]
fn a_token_in_the_environment_may_end_its_line() {
    let data = TempDir::new().unwrap();
    let mut command = command();
    command.env("THREATINSIGHT_ADMIN_TOKEN", format!("{TOKEN}\n"));
    let server = Server::spawn(command, data.path());
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(ask(&agent(), "GET", &url, TOKEN, "").unwrap().0, 200);
}

#[test]
fn a_token_in_the_environment_that_could_not_be_shown_is_refused_and_not_printed() {
    let data = TempDir::new().unwrap();
    let store = data.path().join("store");
    for (token, expected) in [
        (&b"short"[..], "5 characters, expected 20 to 8192"),
        (b"a secret that ends with a blank ", "expected none"),
        (b"a secret with \xc3\xb6 in it", "expected printable ASCII"),
        (b"a secret with \xff in it", "expected printable ASCII"),
    ] {
        let mut command = command();
        command.env("THREATINSIGHT_ADMIN_TOKEN", OsStr::from_bytes(token));
        let (status, message) = refused(command, &store, |_| {});
        assert_eq!(status, Some(1));
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert!(!store.exists());
    }
}

#[test]
fn tokens_are_made_listed_and_revoked_beside_a_running_service() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path());
    let token = |arguments: &[&str]| {
        let mut command = command();
        command
            .arg("token")
            .args(arguments)
            .arg("--data")
            .arg(data.path());
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (status, made) = token(&[
        "create",
        "--name",
        "terraform",
        "--scope",
        "okta.threatInsights.manage",
    ]);
    assert_eq!(status, Some(0));
    let made = made.trim();
    let url = format!("{}{CONFIGURATION}", server.url);
    assert_eq!(
        ask(&agent(), "POST", &url, made, r#"{"action":"block"}"#)
            .unwrap()
            .0,
        200
    );
    let zones = format!("{}/api/v1/zones", server.url);
    assert_eq!(ask(&agent(), "GET", &zones, made, "").unwrap().0, 403);

    let (_, listed) = token(&["list"]);
    let line: Vec<&str> = listed.trim().split('\t').collect();
    assert_eq!(
        line[..3],
        [&made[..12], "terraform", "okta.threatInsights.manage"]
    );
    assert_eq!(token(&["revoke", line[0]]).0, Some(0));
    assert_eq!(ask(&agent(), "GET", &url, made, "").unwrap().0, 401);
    assert_eq!(token(&["revoke", line[0]]).0, Some(1));
    assert_eq!(ask(&agent(), "GET", &url, TOKEN, "").unwrap().0, 200);
}

#[test]
fn tokens_are_looked_for_only_where_a_store_is() {
    let data = TempDir::new().unwrap();
    let missing = data.path().join("typo");
    for directory in [&*missing, data.path()] {
        for arguments in [&["list"][..], &["revoke", "00abcdefghij"]] {
            let mut token = command();
            token.arg("token").args(arguments);
            let output = token.arg("--data").arg(directory).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(
                String::from_utf8(output.stderr).unwrap(),
                format!(
                    "threatinsight: token: {}: no database, expected the directory of a service\n",
                    directory.display()
                )
            );
        }
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn a_store_that_cannot_be_looked_at_is_not_said_to_be_missing() {
    let data = TempDir::new().unwrap();
    // What only its owner may enter is refused alike, but not to the superuser.
    std::os::unix::fs::symlink("threatinsight.db", data.path().join("threatinsight.db")).unwrap();
    let mut list = command();
    let list = list.args(["token", "list", "--data"]).arg(data.path());
    let said = String::from_utf8(list.output().unwrap().stderr).unwrap();
    assert!(said.contains("symbolic links"), "{said}");
}

#[test]
fn a_store_that_cannot_be_opened_says_why() {
    let data = TempDir::new().unwrap();
    fs::write(
        data.path().join("threatinsight.db"),
        "nonsense ".repeat(1000),
    )
    .unwrap();
    // A port at which nobody listens any more.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let directory = data.path().to_str().unwrap();
    let database = format!("postgres://nobody@127.0.0.1:{port}/none");
    // Both at once: a database gets ten seconds to come up.
    let places = [["--data", directory], ["--database", &database]];
    let started = places.map(|place| {
        let mut list = command();
        let list = list.args(["token", "list"]).args(place);
        list.stderr(Stdio::piped()).spawn().unwrap()
    });
    let reasons = ["file is not a database", "Connection refused"];
    for (list, reason) in started.into_iter().zip(reasons) {
        let said = list.wait_with_output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_token_has_a_name_of_one_line_and_column() {
    let data = TempDir::new().unwrap();
    let token = |arguments: &[&str]| {
        let mut token = command();
        token.arg("token").args(arguments);
        token.arg("--data").arg(data.path()).output().unwrap()
    };
    for (name, shown) in [
        ("a\tb", r"a\tb"),
        ("a\nb", r"a\nb"),
        ("\u{1b}[2J", r"\u{1b}[2J"),
    ] {
        let output = token(&["create", "--name", name]);
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!("threatinsight: token: name: control character in `{shown}`, expected none\n")
        );
    }
    assert_eq!(token(&["list"]).stdout, b"");
}

#[test]
fn a_feed_file_that_is_no_feed_stops_the_start() {
    let data = TempDir::new().unwrap();
    let feed = data.path().join("page.txt");
    fs::write(&feed, "<html>").unwrap();
    let (status, message) = refused(command(), &data.path().join("store"), |command| {
        command.arg("--feed").arg(&feed);
    });
    assert_eq!(status, Some(1));
    assert!(
        message.contains("page.txt: feed: found an HTML or XML page, expected a list"),
        "{message}"
    );
}

#[test]
fn feeds_of_one_name_are_told_apart_by_the_user() {
    let data = TempDir::new().unwrap();
    let [first, second] = ["a", "b"].map(|folder| {
        let folder = data.path().join(folder);
        fs::create_dir(&folder).unwrap();
        let file = folder.join("list.txt");
        fs::write(&file, "203.0.113.7\n").unwrap();
        file
    });
    let store = data.path().join("store");
    let (status, message) = refused(command(), &store, |command| {
        command.arg("--feed").args([&first, &second]);
    });
    assert_eq!(status, Some(2));
    assert_eq!(
        message,
        format!(
            "threatinsight: two feeds are called `list`: {} and {}; \
             write NAME=FILE to tell them apart\n",
            first.display(),
            second.display(),
        )
    );
    assert!(!store.exists());
}

#[test]
fn the_client_comes_from_what_can_be_a_header() {
    let data = TempDir::new().unwrap();
    for name in ["", "X-Real-IP:", "x real ip", "x-r\u{e9}al"] {
        let store = data.path().join("store");
        let (status, message) = refused(command(), &store, |command| {
            command.args(["--client-from", name]);
        });
        assert_eq!(status, Some(2), "{message}");
        let expected = format!(
            "'{name}' for '--client-from <HEADER>': no header can be called `{name}`, \
             expected a name such as `x-real-ip`"
        );
        assert!(message.contains(&expected), "{message}");
        assert!(!store.exists());
    }
}

#[test]
fn a_feed_that_covers_no_ipv4_address_is_warned_of() {
    let data = TempDir::new().unwrap();
    let feed = data.path().join("list.txt");
    fs::write(&feed, "::ffff:198.51.100.0/24\n").unwrap();
    let mut server = Server::spawn_with(command(), &data.path().join("store"), |command| {
        command.args(["--admission", "open", "--feed"]).arg(&feed);
        command.stderr(Stdio::piped());
    });
    server.kill();
    let mut warnings = String::new();
    let stderr = server.child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut warnings).unwrap();
    let expected = "feed `list`: ::/24 covers the IPv4-mapped range and no IPv4 address";
    assert_eq!(warnings.matches(expected).count(), 1, "{warnings}");
}

#[test]
fn rejected_lines_are_summed_up_at_every_start() {
    let data = TempDir::new().unwrap();
    let feed = data.path().join("list.txt");
    let store = data.path().join("store");
    let from_file = feed.display().to_string();
    let two = "2 lines rejected, the first: \
               line 2: prefix length 33 is longer than 32 in `192.0.2.0/33`";
    let one = "line 1: prefix length 33 is longer than 32 in `192.0.2.0/33`";
    for (text, place, expected) in [
        ("192.0.2.1\n192.0.2.0/33\nexample.org\n", &*from_file, two),
        // What is stored already is not put in place again.
        ("192.0.2.1\n192.0.2.0/33\nexample.org\n", "feed `list`", two),
        ("192.0.2.0/33\n192.0.2.1\n", &from_file, one),
    ] {
        fs::write(&feed, text).unwrap();
        let mut command = command();
        command.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
        let mut server = Server::spawn_with(command, &store, |command| {
            command.arg("--feed").arg(&feed).stderr(Stdio::piped());
        });
        server.kill();
        let mut warnings = String::new();
        let stderr = server.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut warnings).unwrap();
        let expected = format!("{place}: {expected}\n");
        assert!(warnings.contains(&expected), "{warnings}");
    }
}
