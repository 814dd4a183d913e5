-- What a region sends to the others, and how it merges what they send. Runs after indexes.sql.
--
-- Only inserts travel, except for rows that one region alone changes. An update would be dropped where the row that it
-- changes has not arrived (that comes over another link), and two updates of one row would swap. So a change is sent as
-- the whole row, and where it arrives the trigger `merge` decides which row stays, by a rule that gives the same row in
-- every order of arrival and does not mind hearing things twice.
--
-- `merge` fires for replicated rows only (ENABLE REPLICA). Its INSERT ... ON CONFLICT waits for a local transaction that
-- holds the same key, where an ordinary insert would fail and stop the link. That inner insert must not fire it again,
-- hence pg_trigger_depth(). Replicated rows are applied with an empty search_path, so names are qualified.

-- Rows that are replaced: the newest change stays.

CREATE FUNCTION merge_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.users AS known SELECT NEW.*
    ON CONFLICT (id) DO UPDATE
        SET (password, bio, erased, updated_at, updated_in)
            = (excluded.password, excluded.bio, excluded.erased, excluded.updated_at, excluded.updated_in)
        WHERE (known.updated_at, known.updated_in) < (excluded.updated_at, excluded.updated_in);
    RETURN NULL;
END $$;

CREATE FUNCTION merge_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.follows AS known SELECT NEW.*
    ON CONFLICT (follower, followee) DO UPDATE
        SET (following, changed_at, changed_in) = (excluded.following, excluded.changed_at, excluded.changed_in)
        WHERE (known.changed_at, known.changed_in) < (excluded.changed_at, excluded.changed_in);
    RETURN NULL;
END $$;

CREATE FUNCTION merge_filters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.filters AS known SELECT NEW.*
    ON CONFLICT (viewer, subject, kind) DO UPDATE
        SET (active, changed_at, changed_in) = (excluded.active, excluded.changed_at, excluded.changed_in)
        WHERE (known.changed_at, known.changed_in) < (excluded.changed_at, excluded.changed_in);
    RETURN NULL;
END $$;

-- Rows that are added.

CREATE FUNCTION merge_posts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.posts SELECT NEW.* ON CONFLICT (id) DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION merge_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.notifications AS known SELECT NEW.*
    ON CONFLICT (id) DO UPDATE SET seen = true WHERE excluded.seen AND NOT known.seen;
    RETURN NULL;
END $$;

CREATE FUNCTION bury(new tombstones) RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.tombstones AS known SELECT (new).*
    ON CONFLICT (post) DO UPDATE
        SET (at, region, reason) = (excluded.at, excluded.region, excluded.reason)
        WHERE (excluded.at, excluded.region, excluded.reason) < (known.at, known.region, known.reason);
$$;

CREATE FUNCTION merge_tombstones() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.bury(NEW);
    RETURN NULL;
END $$;

-- One key, two posts: the older one stays, the other one is buried. Every region receives both rows and does the same,
-- so that this tombstone need not be sent.
CREATE FUNCTION merge_idempotency() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    loser public.idempotency;
BEGIN
    INSERT INTO public.idempotency AS known SELECT NEW.*
    ON CONFLICT (author, idempotency_key) DO UPDATE
        SET (post, at) = (excluded.post, excluded.at) WHERE (excluded.at, excluded.post) < (known.at, known.post)
    RETURNING WITH (OLD AS before) before.* INTO loser; -- all null where the key is new here
    IF NOT FOUND THEN
        loser := NEW; -- or the very row that is known already
    END IF;
    PERFORM public.bury(ROW (loser.post, loser.at, '', 'duplicate')::public.tombstones)
    FROM public.idempotency kept
    WHERE kept.author = NEW.author AND kept.idempotency_key = NEW.idempotency_key AND kept.post <> loser.post;
    RETURN NULL;
END $$;

-- Rows of one region. Only a region that has lost its memory inserts one that is known; it must not stop the link.

CREATE FUNCTION merge_engagements() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.engagements AS known SELECT NEW.*
    ON CONFLICT (post, region) DO UPDATE
        SET (likes, retweets)
            = (greatest(known.likes, excluded.likes), greatest(known.retweets, excluded.retweets));
    RETURN NULL;
END $$;

-- A heartbeat proves that what was written before it is here. One that is copied, and not heard in its turn, does not.
CREATE FUNCTION merge_heartbeats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_stat_subscription
               WHERE pid = pg_backend_pid() AND worker_type = 'table synchronization') THEN
        NEW.at := 0;
    END IF;
    INSERT INTO public.heartbeats AS known SELECT NEW.*
    ON CONFLICT (region) DO UPDATE SET at = greatest(known.at, excluded.at);
    RETURN NULL;
END $$;

DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY[
        'users', 'follows', 'filters', 'posts', 'tombstones', 'idempotency', 'notifications', 'engagements',
        'heartbeats'
    ] LOOP
        EXECUTE format('CREATE TRIGGER merge BEFORE INSERT ON %I FOR EACH ROW WHEN (pg_trigger_depth() = 0) '
                       'EXECUTE FUNCTION merge_%s()', one, one);
        EXECUTE format('ALTER TABLE %I ENABLE REPLICA TRIGGER merge', one);
    END LOOP;
END $$;

-- A region's own work for what is new in its tables, whoever wrote it (ENABLE ALWAYS).

CREATE FUNCTION queue_fan_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.fanout_outbox (post, author, queued_at)
    VALUES (NEW.id, NEW.author, extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;

CREATE FUNCTION queue_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.withdrawn_outbox (post, queued_at) VALUES (NEW.post, extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;

CREATE FUNCTION queue_changed_profile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.changed_outbox (owner, what)
    VALUES (NEW.id, CASE WHEN NEW.erased THEN 'erased' ELSE 'edited' END);
    RETURN NULL;
END $$;

CREATE FUNCTION queue_changed_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.changed_outbox (owner, what)
    VALUES (NEW.follower, CASE WHEN NEW.following THEN 'followed' ELSE 'unfollowed' END);
    RETURN NULL;
END $$;

CREATE FUNCTION queue_changed_filters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.changed_outbox (owner, what) VALUES (NEW.viewer, 'filtered');
    RETURN NULL;
END $$;

CREATE TRIGGER queue AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION queue_fan_out();
CREATE TRIGGER queue AFTER INSERT ON tombstones FOR EACH ROW EXECUTE FUNCTION queue_withdrawal();
-- A merge updates the row that is known already.
CREATE TRIGGER queue AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION queue_changed_profile();
CREATE TRIGGER queue AFTER INSERT OR UPDATE ON follows FOR EACH ROW EXECUTE FUNCTION queue_changed_follows();
CREATE TRIGGER queue AFTER INSERT OR UPDATE ON filters FOR EACH ROW EXECUTE FUNCTION queue_changed_filters();
ALTER TABLE users ENABLE ALWAYS TRIGGER queue;
ALTER TABLE follows ENABLE ALWAYS TRIGGER queue;
ALTER TABLE filters ENABLE ALWAYS TRIGGER queue;
ALTER TABLE posts ENABLE ALWAYS TRIGGER queue;
ALTER TABLE tombstones ENABLE ALWAYS TRIGGER queue;

-- Changes made here. A row is replaced (deleted and inserted), because only inserts travel. Its time is later than that
-- of the row it replaces even where clocks differ, so that everybody agrees which is the newer one. Of two callers at
-- once the second finds the row gone and looks again.

CREATE FUNCTION set_following(who text, whom text, wanted boolean, now_s double precision, region text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    replaced_at double precision;
BEGIN
    LOOP
        DELETE FROM public.follows WHERE follower = who AND followee = whom RETURNING changed_at INTO replaced_at;
        INSERT INTO public.follows (follower, followee, following, changed_at, changed_in)
        VALUES (who, whom, wanted, greatest(now_s, replaced_at + 0.000001), region)
        ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END $$;

CREATE FUNCTION set_filter(
    who text, whom text, sort text, wanted boolean, now_s double precision, region text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    replaced_at double precision;
BEGIN
    LOOP
        DELETE FROM public.filters WHERE viewer = who AND subject = whom AND kind = sort
        RETURNING changed_at INTO replaced_at;
        INSERT INTO public.filters (viewer, subject, kind, active, changed_at, changed_in)
        VALUES (who, whom, sort, wanted, greatest(now_s, replaced_at + 0.000001), region)
        ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END $$;

CREATE FUNCTION set_bio(who text, wanted text, erases boolean, now_s double precision, region text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    changed public.users;
BEGIN
    LOOP
        DELETE FROM public.users WHERE id = who RETURNING * INTO changed;
        EXIT WHEN FOUND;
        IF NOT EXISTS (SELECT FROM public.users WHERE id = who) THEN
            RETURN false;
        END IF;
    END LOOP;
    changed.bio := wanted;
    changed.erased := erases;
    changed.updated_at := greatest(now_s, changed.updated_at + 0.000001);
    changed.updated_in := region;
    INSERT INTO public.users SELECT changed.*;
    RETURN true;
END $$;

-- All that a user has written goes: the biography, and each post that is known here, by a tombstone that travels as any
-- other. Gives the posts; null where there is no such user.
CREATE FUNCTION erase(who text, now_s double precision, region text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    IF NOT public.set_bio(who, '', true, now_s, region) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.tombstones (post, at, region, reason)
    SELECT id, now_s, erase.region, 'deleted' FROM public.posts WHERE author = who
    ON CONFLICT (post) DO NOTHING;
    RETURN ARRAY(SELECT id FROM public.posts WHERE author = who);
END $$;

-- An UPDATE of such a row would change it here only, for good.
CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are replaced, not updated: an UPDATE does not reach the other regions', TG_TABLE_NAME;
END $$;

DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['users', 'follows', 'filters', 'posts', 'tombstones', 'idempotency', 'notifications'] LOOP
        EXECUTE format('CREATE TRIGGER replaced_only BEFORE UPDATE ON %I EXECUTE FUNCTION refuse_update()', one);
    END LOOP;
END $$;

-- What the other regions subscribe to. What was seeded every database has from its first moment, so it is not copied to
-- one that was lost: of these two tables that would be 63,000 rows, for each of which the merge looks whether it is new.
CREATE PUBLICATION merged FOR TABLE
    users WHERE (updated_at > 0), follows WHERE (changed_at > 0), filters, posts, tombstones, idempotency, notifications
    WITH (publish = 'insert');
CREATE PUBLICATION owned FOR TABLE engagements, heartbeats WITH (publish = 'insert, update');
