-- +goose Up
-- What workers had remembered of a job, so that another process can go on from it: a container, a phone that was started.
CREATE TABLE kept (
  job   BIGINT NOT NULL,
  name  TEXT    NOT NULL,
  value TEXT    NOT NULL,
  at    BIGINT NOT NULL,
  PRIMARY KEY (job, name)
);
CREATE INDEX kept_name ON kept(name, job);

-- +goose Down
DROP TABLE kept;
