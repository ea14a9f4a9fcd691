-- What is known about accounts, plans and seats, in the order in which it was written. `number` is the running number of facts that
-- exports and ledger blocks refer to; rows are never updated or deleted, so a number names the same knowledge for ever.
CREATE TABLE fact (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    -- The account that the fact is about; NULL for plans.
    account INTEGER,
    -- Microseconds since 1970; NULL holds from the beginning.
    effective_from INTEGER,
    recorded_at INTEGER NOT NULL,
    -- JSON; its shape depends on the kind.
    body TEXT NOT NULL
) STRICT;

CREATE TRIGGER fact_is_never_updated BEFORE UPDATE ON fact BEGIN SELECT RAISE(ABORT, 'a fact is never updated'); END;
CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact BEGIN SELECT RAISE(ABORT, 'a fact is never deleted'); END;

-- The text of a token is nowhere; it is random, so that its plain SHA-256 is enough.
CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 BLOB NOT NULL UNIQUE,
    user INTEGER NOT NULL,
    -- JSON: {"scopes": [...]} or {"permissions": {...}}.
    access TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

-- Single values of the folder, such as the clock's offset and the key that signs download links.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
