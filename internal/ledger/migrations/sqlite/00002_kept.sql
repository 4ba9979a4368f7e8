-- +goose Up
-- What workers had remembered of a job, so that another process can go on from it: a container, a phone that was started.
CREATE TABLE kept (
  job   INTEGER NOT NULL REFERENCES job(id),
  name  TEXT    NOT NULL,
  value TEXT    NOT NULL,
  at    INTEGER NOT NULL,
  PRIMARY KEY (job, name)
) WITHOUT ROWID;
CREATE INDEX kept_name ON kept(name, job);

-- +goose Down
DROP TABLE kept;
