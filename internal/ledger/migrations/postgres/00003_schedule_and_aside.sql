-- +goose Up
-- What one process at a time does for all who share the ledger, by a lease that it renews.
CREATE TABLE duty (
  name  TEXT    PRIMARY KEY NOT NULL,
  owner TEXT    NOT NULL,
  who   TEXT    NOT NULL,
  until BIGINT  NOT NULL
);

-- The appointments of the schedule: one row each, so that none is kept twice.
CREATE TABLE appointment (
  plan  TEXT    NOT NULL,
  at    BIGINT  NOT NULL,
  batch TEXT    NOT NULL DEFAULT '', -- by name: it is made later
  state TEXT    NOT NULL CHECK (state IN ('seen','open','ended','missed')),
  note  TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (plan, at)
);
CREATE INDEX appointment_open ON appointment(plan, at) WHERE state = 'open';

-- What waits for an account's release is counted for each account that is held, without a look at the jobs.
DROP INDEX job_aside;
CREATE INDEX job_aside ON job(account_id, reason, id) WHERE state = 'set_aside';

-- +goose Down
DROP INDEX job_aside;
CREATE INDEX job_aside ON job(account_id, id) WHERE state = 'set_aside';
DROP TABLE appointment; DROP TABLE duty;
