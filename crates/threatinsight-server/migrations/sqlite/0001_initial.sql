-- One row: the number of the last committed change, and the position of the last log event.
-- Both are taken by UPDATE inside the transaction that uses them, so that commits follow their order.
CREATE TABLE position (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    event BIGINT NOT NULL
);
INSERT INTO position (id, revision, event) VALUES (1, 0, 0);

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
    body BLOB NOT NULL,
    since BLOB NOT NULL,
    revision BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    salt BLOB NOT NULL,
    hash BLOB NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE events (
    position BIGINT PRIMARY KEY,
    published BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT NOT NULL,
    outcome TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_published ON events (published, position);
CREATE INDEX events_by_actor ON events (actor, position);
CREATE INDEX events_by_type ON events (event_type, position);
