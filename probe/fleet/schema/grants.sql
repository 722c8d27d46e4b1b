-- What the two group roles may do; run again after every migration, so that it holds for new tables too.

REVOKE ALL ON SCHEMA probe FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA probe FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA probe FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA probe FROM PUBLIC;

GRANT USAGE ON SCHEMA probe TO probe_evaluate, probe_agent;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA probe TO probe_evaluate;
REVOKE INSERT, UPDATE, DELETE ON probe.agents, probe.versions FROM probe_evaluate; -- who speaks for whom is the owner's
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA probe TO probe_evaluate;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA probe TO probe_evaluate;

REVOKE ALL ON ALL TABLES IN SCHEMA probe FROM probe_agent;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA probe FROM probe_agent;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA probe FROM probe_agent;
GRANT EXECUTE ON FUNCTION
    probe.sync(text, text, text, text, text, text, timestamptz, double precision, bigint, jsonb),
    probe.deliver(text, text, text, double precision, bigint[], text[], text[], bytea[]),
    probe.bundle(text, text),
    probe.keep_evidence(text, text, text, bytea)
TO probe_agent;
