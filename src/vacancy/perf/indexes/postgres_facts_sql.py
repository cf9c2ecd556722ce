"""The questions to PostgreSQL's own tables behind the facts. What an extension owns is left out."""

from __future__ import annotations

_OURS = """
    n.nspname NOT LIKE 'pg\\_%'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS x
        WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e'
    )"""


def _name(schema: str, name: str) -> str:
    """As the catalog calls it."""
    return (
        f"CASE WHEN {schema}.nspname = 'public' THEN '' ELSE {schema}.nspname || '.' END || {name}"
    )


def _sql_name(schema: str, name: str) -> str:
    """As a statement has to write it."""
    return (
        f"CASE WHEN {schema}.nspname = 'public' THEN '' ELSE quote_ident({schema}.nspname) || '.'"
        f" END || quote_ident({name})"
    )


def _fill(relation: str, otherwise: int) -> str:
    return f"""COALESCE((
        SELECT o.option_value::integer
        FROM pg_options_to_table({relation}.reloptions) AS o
        WHERE o.option_name = 'fillfactor'
    ), {otherwise})"""


TABLES = f"""
SELECT
    {_name("n", "c.relname")} AS name,
    {_sql_name("n", "c.relname")} AS sql_name,
    c.relkind = 'p' AS is_partitioned,
    c.reltuples::double precision AS known_rows,
    c.relpages AS known_pages,
    pg_relation_size(c.oid) AS size_bytes,
    {_fill("c", 100)} AS fill,
    s.n_live_tup AS live_rows,
    s.n_dead_tup AS dead_rows,
    s.n_mod_since_analyze AS changed_rows,
    GREATEST(s.last_analyze, s.last_autoanalyze) AS analyzed_at,
    s.seq_scan AS scans,
    current_setting('autovacuum')::boolean AND COALESCE((
        SELECT o.option_value::boolean
        FROM pg_options_to_table(c.reloptions) AS o
        WHERE o.option_name = 'autovacuum_enabled'
    ), TRUE) AS is_seen_to,
    has_table_privilege(c.oid, 'SELECT') AS may_read,
    a.columns,
    COALESCE(w.columns, 0) AS columns_known,
    COALESCE(w.width, 0)::double precision AS width
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS columns
    FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
) AS a
LEFT JOIN (
    SELECT
        p.schemaname,
        p.tablename,
        count(*)::integer AS columns,
        sum((1 - p.null_frac) * p.avg_width) AS width
    FROM pg_stats AS p
    WHERE NOT p.inherited
    GROUP BY p.schemaname, p.tablename
) AS w ON w.schemaname = n.nspname AND w.tablename = c.relname
WHERE c.relkind IN ('r', 'p') AND {_OURS}
ORDER BY 1
"""

INDEXES = f"""
WITH known AS MATERIALIZED (
    SELECT schemaname, tablename, attname, (1 - null_frac) * avg_width AS width
    FROM pg_stats
    WHERE NOT inherited
)
SELECT
    {_name("n", "t.relname")} AS table_name,
    c.relname::text AS name,
    {_sql_name("n", "c.relname")} AS sql_name,
    m.amname::text AS method,
    ARRAY(
        SELECT pg_get_indexdef(c.oid, p, true)
        FROM generate_series(1, i.indnkeyatts) AS p
        ORDER BY p
    ) AS texts,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, p)
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.number AND k.number <> 0
        WHERE p <= i.indnkeyatts
        ORDER BY p
    ) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, p)
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.number
        WHERE p > i.indnkeyatts
        ORDER BY p
    ) AS included,
    ARRAY(SELECT o::text FROM unnest(i.indcollation::oid[]) AS o) AS collations,
    ARRAY(
        SELECT o.id::text || COALESCE(' ' || array_to_string(a.attoptions, ','), '')
        FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS o (id, p)
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = o.p
        ORDER BY p
    ) AS opclasses,
    i.indoption::int2[] AS options,
    COALESCE(pg_get_expr(i.indpred, i.indrelid, true), '') AS predicate,
    i.indisunique AS is_unique,
    i.indnullsnotdistinct AS nulls_are_equal,
    i.indisvalid AND i.indisready AS is_valid,
    NOT i.indimmediate AS is_deferrable,
    EXISTS (
        SELECT FROM pg_stat_progress_create_index AS b WHERE b.index_relid = c.oid
    ) AS is_being_built,
    k.contype::text AS kind,
    quote_ident(k.conname) AS constraint_sql_name,
    i.indisreplident
        OR i.indisclustered
        OR c.relispartition
        OR EXISTS (
            SELECT FROM pg_constraint AS f WHERE f.conindid = c.oid AND f.contype = 'f'
        ) AS is_held,
    c.relkind = 'I' AS is_partitioned,
    c.oid::bigint AS made,
    pg_relation_size(c.oid) AS size_bytes,
    c.reltuples::double precision AS known_rows,
    c.relpages AS known_pages,
    {_fill("c", 90)} AS fill,
    s.idx_scan AS scans,
    i.indnatts AS width_of,
    COALESCE(w.parts, 0) AS parts_known,
    COALESCE(w.width, 0)::double precision AS width
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_am AS m ON m.oid = c.relam
LEFT JOIN pg_constraint AS k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_stat_user_indexes AS s ON s.indexrelid = c.oid
LEFT JOIN (
    SELECT a.attrelid, count(*)::integer AS parts, sum(known.width) AS width
    FROM pg_index AS j
    JOIN pg_class AS of_index ON of_index.oid = j.indexrelid
    JOIN pg_class AS of_table ON of_table.oid = j.indrelid
    JOIN pg_namespace AS s ON s.oid = of_table.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = j.indexrelid
    LEFT JOIN pg_attribute AS b ON b.attrelid = j.indrelid
        AND b.attnum = (j.indkey::int2[])[a.attnum - 1]
        AND b.attnum > 0
    JOIN known ON known.schemaname = s.nspname
        -- An expression has statistics under the name of the index.
        AND known.tablename = CASE WHEN b.attnum IS NULL THEN of_index.relname
            ELSE of_table.relname END
        AND known.attname = COALESCE(b.attname, a.attname)
    GROUP BY a.attrelid
) AS w ON w.attrelid = c.oid
WHERE t.relkind IN ('r', 'p') AND {_OURS}
ORDER BY c.oid
"""

FOREIGN_KEYS = f"""
SELECT
    {_name("n", "c.relname")} AS "table",
    k.conname::text AS name,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(k.conkey) WITH ORDINALITY AS u (number, p)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
        ORDER BY p
    ) AS columns,
    (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY p)
        FROM unnest(k.conkey) WITH ORDINALITY AS u (number, p)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ) AS columns_sql,
    {_name("m", "o.relname")} AS parent,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(k.confkey) WITH ORDINALITY AS u (number, p)
        JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number
        ORDER BY p
    ) AS parent_columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS o ON o.oid = k.confrelid
JOIN pg_namespace AS m ON m.oid = o.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {_OURS}
ORDER BY 1, 2
"""

# From PostgreSQL 18 on a rule may be not enforced at all: somebody has said so, and meant it.
UNVALIDATED = f"""
SELECT
    {_name("n", "c.relname")} AS "table",
    k.conname::text AS name,
    quote_ident(k.conname) AS sql_name
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT k.convalidated
    AND k.conparentid = 0
    AND COALESCE((to_jsonb(k) ->> 'conenforced')::boolean, TRUE)
    AND {_OURS}
ORDER BY 1, 2
"""

SEQUENCES = f"""
WITH fills AS (
    SELECT d.objid AS sequence_id, d.refobjid AS table_id, d.refobjsubid AS number,
        d.deptype = 'i' AS is_identity
    FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass
        AND d.refclassid = 'pg_class'::regclass
        AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum, FALSE
    FROM pg_depend AS d
    JOIN pg_attrdef AS f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
)
SELECT
    {_name("tn", "t.relname")} AS table_name,
    a.attname::text AS column,
    quote_ident(a.attname) AS column_sql,
    format_type(a.atttypid, NULL) AS type,
    {_sql_name("n", "c.relname")} AS sequence_sql,
    format_type(s.seqtypid, NULL) AS sequence_type,
    COALESCE(f.is_identity, FALSE) AS is_identity,
    s.seqmin AS smallest,
    s.seqmax AS sequence_end,
    CASE
        WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid)
    END AS largest_used
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN fills AS f ON f.sequence_id = c.oid
LEFT JOIN pg_class AS t ON t.oid = f.table_id
LEFT JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = f.table_id AND a.attnum = f.number
WHERE NOT s.seqcycle AND s.seqincrement > 0 AND {_OURS}
ORDER BY 1, 2, 5
"""

NARROW_KEYS = f"""
SELECT
    {_name("n", "c.relname")} AS table_name,
    {_sql_name("n", "c.relname")} AS sql_name,
    a.attname::text AS column,
    quote_ident(a.attname) AS column_sql,
    format_type(a.atttypid, NULL) AS type,
    has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_read
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = (i.indkey::int2[])[0]
WHERE i.indisprimary
    AND i.indnkeyatts = 1
    AND i.indisvalid
    AND a.atttypid IN ('int2'::regtype, 'int4'::regtype)
    AND NOT c.relispartition
    AND a.attidentity = ''
    AND NOT EXISTS (
        SELECT
        FROM pg_depend AS d
        JOIN pg_sequence AS s ON s.seqrelid = d.objid
        WHERE d.classid = 'pg_class'::regclass
            AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = c.oid
            AND d.refobjsubid = a.attnum
    )
    AND {_OURS}
ORDER BY 1
LIMIT $1
"""

SERVER = """
SELECT
    age(d.datfrozenxid) AS transaction_age,
    mxid_age(d.datminmxid) AS multixact_age,
    (SELECT sum(numbackends)::integer FROM pg_stat_database) AS connections,
    current_setting('max_connections')::integer AS connections_max,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
    h.table_hits,
    h.table_reads,
    h.index_hits,
    h.index_reads,
    current_setting('max_slot_wal_keep_size') = '-1' AS slots_keep_all_log,
    CASE
        WHEN NOT pg_is_in_recovery() THEN NULL
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
        ELSE EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp())
    END::double precision AS replay_behind_s,
    EXTRACT(
        EPOCH FROM now() - COALESCE(s.stats_reset, pg_postmaster_start_time())
    )::double precision AS counted_s
FROM pg_database AS d
LEFT JOIN pg_stat_database AS s ON s.datid = d.oid
CROSS JOIN (
    SELECT
        sum(heap_blks_hit)::bigint AS table_hits,
        sum(heap_blks_read)::bigint AS table_reads,
        sum(idx_blks_hit)::bigint AS index_hits,
        sum(idx_blks_read)::bigint AS index_reads
    FROM pg_statio_user_tables
) AS h
WHERE d.datname = current_database()
"""

RUNNING = """
SELECT
    pid,
    EXTRACT(
        EPOCH
        FROM clock_timestamp() - CASE state WHEN 'active' THEN query_start ELSE xact_start END
    )::double precision AS running_s,
    state <> 'active' AS is_idle
FROM pg_stat_activity
WHERE datname = current_database()
    AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
    AND (state = 'active' OR xact_start IS NOT NULL)
ORDER BY 2 DESC
LIMIT 20
"""

SLOTS = """
SELECT
    slot_name::text AS name,
    active AS is_active,
    pg_wal_lsn_diff(
        CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_lsn()
        END,
        restart_lsn
    )::bigint AS behind_bytes,
    COALESCE(wal_status = 'lost', FALSE) AS is_lost
FROM pg_replication_slots
ORDER BY 1
"""
