-- Times are integer milliseconds since 1970, UTC. States are words, so that plain SQL reports read well.
-- +goose Up
CREATE TABLE supervisor (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uid        TEXT    NOT NULL UNIQUE,
  name       TEXT    NOT NULL,
  host       TEXT    NOT NULL,
  pid        INTEGER NOT NULL,
  started    INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, -- of the rules that it follows
  version    TEXT    NOT NULL DEFAULT '',
  rehearsal  INTEGER NOT NULL DEFAULT 0 -- its posts are none
);

CREATE TABLE batch (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT    NOT NULL UNIQUE,
  created_at    INTEGER NOT NULL,
  used_at       INTEGER NOT NULL,             -- last import or run: the default batch of a command is the latest
  limits        TEXT    NOT NULL DEFAULT '{}',
  result        TEXT    NOT NULL DEFAULT '',
  paused        INTEGER NOT NULL DEFAULT 0,
  pass          INTEGER NOT NULL DEFAULT 0,   -- the last pass opened
  pass_open     INTEGER NOT NULL DEFAULT 0,
  pass_base     INTEGER NOT NULL DEFAULT 0,   -- passes before this round
  last_pass     INTEGER NOT NULL DEFAULT 0,   -- the last that the round may open
  waiting_until INTEGER,                      -- between two passes
  breaker       TEXT    NOT NULL DEFAULT '',   -- JSON; empty while it is closed and nothing failed lately
  leader        INTEGER REFERENCES supervisor(id),
  leader_term   INTEGER NOT NULL DEFAULT 0,
  leader_until  INTEGER NOT NULL DEFAULT 0,
  generation    INTEGER NOT NULL DEFAULT 0    -- of the rules by which its leader shares it, 0 before the first
);

CREATE TABLE account (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,     -- order of first appearance: accounts take turns in it
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE job (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_id       INTEGER NOT NULL REFERENCES batch(id),
  job_id         TEXT    NOT NULL,
  account_id     INTEGER NOT NULL REFERENCES account(id),
  video_path     TEXT    NOT NULL,
  caption        TEXT    NOT NULL,
  publish_at     INTEGER,
  max_attempts   INTEGER NOT NULL DEFAULT 0,
  state          TEXT    NOT NULL DEFAULT 'pending',
  reason         TEXT    NOT NULL DEFAULT '',
  due_pass       INTEGER NOT NULL,
  fence          INTEGER NOT NULL DEFAULT 0,
  owner          INTEGER REFERENCES supervisor(id), -- set exactly while a lease is held
  lease_until    INTEGER,
  worker         INTEGER NOT NULL DEFAULT 0,
  worker_pid     INTEGER NOT NULL DEFAULT 0,
  worker_started INTEGER NOT NULL DEFAULT 0,
  look_due       INTEGER NOT NULL DEFAULT 0,        -- in doubt, and the machine has not looked yet
  away           INTEGER REFERENCES supervisor(id), -- in doubt, and a worker of this one, on a host that nobody could see, may still act
  pass           INTEGER NOT NULL DEFAULT 0,
  attempts       INTEGER NOT NULL DEFAULT 0,
  f_account      INTEGER NOT NULL DEFAULT 0,
  f_content      INTEGER NOT NULL DEFAULT 0,
  f_infra        INTEGER NOT NULL DEFAULT 0,
  f_unknown      INTEGER NOT NULL DEFAULT 0,
  forgiven       TEXT    NOT NULL DEFAULT '',       -- JSON tally that a person's retry took off the limits
  error          TEXT    NOT NULL DEFAULT '',
  category       TEXT    NOT NULL DEFAULT '',
  type           TEXT    NOT NULL DEFAULT '',
  rule           TEXT    NOT NULL DEFAULT '',
  receipt_id     TEXT    NOT NULL DEFAULT '',
  receipt_url    TEXT    NOT NULL DEFAULT '',
  claimed_at     INTEGER,
  completed_at   INTEGER,
  UNIQUE (batch_id, job_id)
);
-- What a claim looks for: one seek, whatever the size of the batch.
CREATE INDEX job_ready ON job(batch_id, due_pass, account_id, id) WHERE state IN ('pending','failed');
-- At most one job per account is in flight, and this is what keeps it so.
CREATE UNIQUE INDEX job_in_flight ON job(account_id) WHERE owner IS NOT NULL;
CREATE INDEX job_look ON job(batch_id, id) WHERE look_due = 1;
CREATE INDEX job_away ON job(away) WHERE away IS NOT NULL;
-- What an account's release returns.
CREATE INDEX job_aside ON job(account_id, id) WHERE state = 'set_aside';
-- The few that people ask for. A longer IN would cost every change of a job a table of its words.
CREATE INDEX job_trouble ON job(batch_id, state, id) WHERE state='set_aside' OR state='exhausted' OR state='out_of_passes'
  OR state='in_doubt' OR state='cancelled';

CREATE TABLE attempt (
  job         INTEGER NOT NULL REFERENCES job(id),
  number      INTEGER NOT NULL,
  pass        INTEGER NOT NULL,
  worker      INTEGER NOT NULL,
  host        TEXT    NOT NULL,
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  outcome     TEXT    NOT NULL,
  share_begun INTEGER NOT NULL,
  evidence    TEXT    NOT NULL DEFAULT '',          -- JSON, raw
  category    TEXT    NOT NULL DEFAULT '',
  type        TEXT    NOT NULL DEFAULT '',
  rule        TEXT    NOT NULL DEFAULT '',
  receipt_id  TEXT    NOT NULL DEFAULT '',
  receipt_url TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

-- The publish ledger: what is on an account, or may be. It outlives batches. A row is written before the irreversible step
-- may begin, and goes only when the post is certainly absent; whether it was published says the state of its job.
CREATE TABLE publish (
  account_id INTEGER NOT NULL REFERENCES account(id),
  content    TEXT    NOT NULL,
  repost     INTEGER NOT NULL DEFAULT 0,            -- 0, or the job of an allowed repost, which stands beside such a row
  job        INTEGER NOT NULL REFERENCES job(id),
  fence      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (account_id, content, repost)
) WITHOUT ROWID;

CREATE TABLE pass (
  batch_id       INTEGER NOT NULL REFERENCES batch(id),
  pass           INTEGER NOT NULL,
  started_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  processed      INTEGER NOT NULL DEFAULT 0,
  succeeded      INTEGER NOT NULL DEFAULT 0,
  f_account      INTEGER NOT NULL DEFAULT 0,
  f_content      INTEGER NOT NULL DEFAULT 0,
  f_infra        INTEGER NOT NULL DEFAULT 0,
  f_unknown      INTEGER NOT NULL DEFAULT 0,
  in_doubt       INTEGER NOT NULL DEFAULT 0,
  set_aside      INTEGER NOT NULL DEFAULT 0,
  exhausted      INTEGER NOT NULL DEFAULT 0,
  retryable      INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (batch_id, pass)
) WITHOUT ROWID;

-- Jobs by state, 'jobs' and 'attempts': kept with every change, so that status never counts a million rows.
CREATE TABLE total (
  batch_id INTEGER NOT NULL REFERENCES batch(id),
  name     TEXT    NOT NULL,
  n        INTEGER NOT NULL,
  PRIMARY KEY (batch_id, name)
) WITHOUT ROWID;

CREATE TABLE hold (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER NOT NULL REFERENCES account(id),
  since       INTEGER NOT NULL,
  until       INTEGER,                        -- NULL: until a person releases it
  job         INTEGER REFERENCES job(id),
  category    TEXT    NOT NULL DEFAULT '',
  type        TEXT    NOT NULL DEFAULT '',
  rule        TEXT    NOT NULL DEFAULT '',
  text        TEXT    NOT NULL DEFAULT '',
  released_at INTEGER,
  released_by TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX hold_active ON hold(account_id) WHERE released_at IS NULL;

CREATE TABLE event (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  kind     TEXT    NOT NULL,
  batch_id INTEGER,
  job      INTEGER,
  data     TEXT    NOT NULL
);
CREATE INDEX event_job ON event(job) WHERE job IS NOT NULL;
-- +goose StatementBegin
CREATE TRIGGER event_keep BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_stay BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE event; DROP TABLE hold; DROP TABLE total; DROP TABLE pass; DROP TABLE publish; DROP TABLE attempt;
DROP TABLE job; DROP TABLE account; DROP TABLE batch; DROP TABLE supervisor;
