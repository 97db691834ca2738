-- One row: the number of the last committed change, the position of the last log event, and the bytes
-- of all log events ever written. All are taken by UPDATE inside the transaction that uses them, so that commits follow their order.
CREATE TABLE position (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    event BIGINT NOT NULL,
    event_bytes BIGINT NOT NULL
);
INSERT INTO position (id, revision, event, event_bytes) VALUES (1, 0, 0, 0);

CREATE TABLE configuration (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    action TEXT NOT NULL,
    exclude_zones TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);

CREATE TABLE zones (
    id TEXT PRIMARY KEY,
    ordinal BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
);

-- `since` holds, for each distinct prefix of the feed in ascending order, four bytes, little-endian:
-- the second since when the feed has listed it without a break.
CREATE TABLE feeds (
    name TEXT PRIMARY KEY,
    body BYTEA NOT NULL,
    since BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    salt BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    created BIGINT NOT NULL
);

-- `bytes_before` is `event_bytes` when the event was written: how much newer events take is a
-- difference, not a sum over the log.
CREATE TABLE events (
    position BIGINT PRIMARY KEY,
    bytes_before BIGINT NOT NULL,
    published BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT NOT NULL,
    outcome TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_published ON events (published, position);
CREATE INDEX events_by_actor ON events (actor, position);
CREATE INDEX events_by_type ON events (event_type, position);
