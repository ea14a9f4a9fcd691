-- Report exports, their files, and the jobs that make and mail them.
CREATE TABLE export (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    enterprise INTEGER NOT NULL,
    report_type TEXT NOT NULL,
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    actor INTEGER NOT NULL,
    send_email INTEGER NOT NULL CHECK (send_email IN (0, 1)),
    base_url TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    price_version INTEGER NOT NULL,
    rows_per_part INTEGER NOT NULL CHECK (rows_per_part > 0),
    status TEXT NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'completed', 'failed')),
    finished_at INTEGER CHECK ((finished_at IS NULL) = (status = 'processing')),
    writer TEXT CHECK ((writer IS NULL) = (status <> 'completed')),
    reason TEXT CHECK ((reason IS NULL) = (status <> 'failed'))
) STRICT;

CREATE INDEX export_of_enterprise ON export (enterprise, created_at);

CREATE TABLE export_part (
    export TEXT NOT NULL REFERENCES export (id) ON DELETE CASCADE,
    part INTEGER NOT NULL CHECK (part > 0),
    file_name TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (export, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('export_report', 'send_mail')),
    export TEXT NOT NULL REFERENCES export (id) ON DELETE CASCADE,
    next_attempt_at INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    UNIQUE (kind, export)
) STRICT;
