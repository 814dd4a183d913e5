-- Made after the seed is copied in. No unique index may be violated by a row of another region: the link would stand
-- still. Keys are the exception, since mesh.sql merges the rows that meet in one. `(name, home_region)` never meets its
-- like, because only the home region gives a name away and nobody changes it.

ALTER TABLE users ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON users (name, home_region);
ALTER TABLE follows ADD PRIMARY KEY (follower, followee);
CREATE INDEX ON follows (followee);
ALTER TABLE filters ADD PRIMARY KEY (viewer, subject, kind);
ALTER TABLE posts ADD PRIMARY KEY (id);
CREATE INDEX ON posts (author, created_at DESC, id DESC);
CREATE INDEX ON posts (created_at);
CREATE INDEX ON posts USING gin (words) WITH (fastupdate = off);
ALTER TABLE tombstones ADD PRIMARY KEY (post);
ALTER TABLE idempotency ADD PRIMARY KEY (author, idempotency_key);
ALTER TABLE notifications ADD PRIMARY KEY (id);
CREATE INDEX ON notifications (recipient, created_at DESC);
ALTER TABLE engagements ADD PRIMARY KEY (post, region);
ALTER TABLE heartbeats ADD PRIMARY KEY (region);
CREATE INDEX ON fanout_outbox (author, queued_at, post);
CREATE INDEX ON fanout_outbox (queued_at);
